// Saved indexes: what was saved is loaded, anything else is refused, and no bytes at all make an
// index whose answers are unsafe.
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <xxhash.h>

#include "clips.h"

#define CHECKED_FROM (offsetof(struct sc_index_header, checksum) + sizeof(uint64_t))

static sc_index *make(void **state, char path[128])
{
    char clip[128];
    sc_index *ix = build_index(recode(state, scene_clip(state, "clip.mp4", 40, 8, 2, clip),
                                      "-c copy", "clip.ts", path));
    folder_file(state, "saved.idx", path);
    assert_int_equal(sc_index_save(ix, path, NULL), SC_OK);
    return ix;
}

static void saved_is_loaded(void **state)
{
    char path[128], list[160];
    sc_err err = {0};
    sc_index *loaded = NULL, *ix = make(state, path);
    assert_int_equal(sc_index_load(&loaded, path, &err), SC_OK);
    assert_int_equal(ix->header->total_size, loaded->header->total_size);
    assert_memory_equal(ix->header, loaded->header, ix->header->total_size);
    assert_int_equal(loaded->par->extradata_size, ix->par->extradata_size);
    assert_string_equal(sc_index_get_info(loaded)->codec_name, "h264");
    assert_non_null(loaded->dts);
    sc_index *again = sc_index_ref(loaded);
    sc_index_unref(&loaded);
    assert_null(loaded);
    assert_int_equal(sc_index_get_info(again)->frames, 40); // still mapped
    sc_index_unref(&again);
    assert_int_equal(sc_index_restamp(&again, ix, 12345), SC_OK);
    assert_int_equal(again->header->mtime_ns, 12345);
    assert_memory_equal(again->frames, ix->frames, 40 * sizeof(*ix->frames));
    sc_index_unref(&again);
    sc_index_unref(&ix);
    snprintf(list, sizeof(list), "%s.none", path);
    assert_int_equal(sc_index_load(&ix, list, &err), SC_ENOTFOUND);
    assert_int_equal(sc_index_load(&ix, "/", NULL), SC_EDATA);
    assert_null(ix);
}

// Parses a copy exactly as large as the bytes.
static int parse(const uint8_t *data, size_t size, sc_index **pix, uint8_t **copy)
{
    sc_err err = {0};
    *copy = malloc(size ? size : 1);
    memcpy(*copy, data, size);
    int ret = sc_index_parse(pix, *copy, size, &err);
    assert_true(ret == SC_OK || ret == SC_EDATA || ret == SC_ESTALE);
    assert_true(ret == SC_OK ? *pix != NULL : !*pix && err.text[0]);
    return ret;
}

static int refused(const uint8_t *data, size_t size)
{
    sc_index *ix;
    uint8_t *copy;
    int ret = parse(data, size, &ix, &copy);
    sc_index_unref(&ix);
    free(copy);
    return ret;
}

static void damage_is_refused(void **state)
{
    char path[128];
    size_t size;
    sc_index *ix = make(state, path);
    sc_index_unref(&ix);
    uint8_t *data = read_file(path, &size);
    assert_int_equal(refused(data, size), SC_OK);
    for (size_t cut = 0; cut < size; cut += cut < 600 ? 37 : 301)
        assert_int_equal(refused(data, cut), SC_EDATA);
    for (size_t i = 0; i < size; i += i < 600 ? 1 : 11) {
        data[i] ^= (uint8_t)(1 << i % 8);
        int ret = refused(data, size);
        assert_true(ret == SC_EDATA || (ret == SC_ESTALE && i >= 8 && i < 16));
        data[i] ^= (uint8_t)(1 << i % 8);
    }
    struct sc_index_header *h = (void *)data;
    h->version++;
    assert_int_equal(refused(data, size), SC_ESTALE);
    h->version--;
    unsigned seed = 5;
    for (int round = 0; round < 200; round++) {
        uint8_t noise[2048];
        for (size_t i = 0; i < sizeof(noise); i++)
            noise[i] = (uint8_t)(rand_r(&seed) >> 7);
        if (round & 1)
            memcpy(noise, data, 8 + (size_t)round);
        assert_true(refused(noise, sizeof(noise)) < 0);
        write_file(path, noise, (size_t)round * 10);
        assert_true(sc_index_load(&ix, path, NULL) < 0);
    }
    free(data);
}

static void ask_everything(const sc_index *ix)
{
    const struct sc_index_info *info = sc_index_get_info(ix);
    char text[64];
    int64_t n;
    for (int64_t i = 0; i < info->frames; i++) {
        struct sc_entry_info e = sc_index_entry(ix, sc_index_entry_for(ix, i));
        assert_true(e.packet <= sc_index_frame_packet(ix, i) && e.first_exact <= i);
        assert_int_equal(sc_index_packet(ix, sc_index_frame_packet(ix, i)).frame, i);
        sc_index_format_time(ix, i, text, sizeof(text));
        if (sc_index_find_time(ix, text, &n) != SC_OK || n != i)
            fail_msg("%s is frame %lld, not %lld (time base %d/%d)", text, (long long)i,
                     (long long)n, info->time_base.num, info->time_base.den);
        assert_true(sc_index_pts_ns(ix, i) >= 0);
        sc_index_hash(ix, i);
    }
    assert_int_equal(
        sc_index_find_time(ix, sc_index_format_duration(ix, text, sizeof(text)), &n),
        SC_ERANGE);
    assert_true(info->display_width > 0 && info->display_height > 0 &&
                info->rotation % 90 == 0);
}

// Whoever damages an index may also know how to make its checksum.
static void mended_damage_is_safe(void **state)
{
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    char path[128];
    size_t size;
    unsigned seed = 7;
    int good = 0;
    sc_index *ix = make(state, path);
    sc_index_unref(&ix);
    uint8_t *data = read_file(path, &size), *mended = malloc(size), *copy;
    struct sc_index_header *h = (void *)mended;
    for (int round = 0; round < 6000; round++) {
        memcpy(mended, data, size);
        for (int k = rand_r(&seed) % 3; k >= 0; k--) {
            size_t range = round & 1 ? sizeof(*h) : size, length = 1u << rand_r(&seed) % 4;
            size_t at = (size_t)rand_r(&seed) % range / length * length;
            for (size_t i = 0; i < length && at + i < size; i++)
                mended[at + i] = values[(size_t)rand_r(&seed) % sizeof(values)];
        }
        h->checksum = XXH3_64bits(mended + CHECKED_FROM, size - CHECKED_FROM);
        if (parse(mended, size, &ix, &copy) == SC_OK) {
            ask_everything(ix);
            good++;
        }
        sc_index_unref(&ix);
        free(copy);
    }
    assert_in_range(good, 10, 5990); // else the mutations test nothing
    free(data);
    free(mended);
}

static void full_disks_and_closed_folders(void **state)
{
    char path[128], folder[128];
    sc_err err = {0};
    sc_index *ix = make(state, path), *still = NULL;
    assert_true(sc_index_save(ix, "/dev/null/x", &err) < 0 && err.text[0]);
    err = (sc_err){0};
    folder_file(state, "closed", folder);
    assert_int_equal(mkdir(folder, 0500), 0);
    if (geteuid()) {
        assert_int_equal(sc_index_save(ix, folder_file(state, "closed/x", folder), &err),
                         SC_EDENIED);
        assert_true(err.text[0]);
    }
    // A disk that fills up: the file saved before stays.
    const struct rlimit small = {1000, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    err = (sc_err){0};
    int ret = sc_index_save(ix, path, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_true(ret < 0 && err.text[0]);
    assert_int_equal(sc_index_load(&still, path, NULL), SC_OK);
    sc_index_unref(&still);
    sc_index_unref(&ix);
    char *list = clip_run("ls '%s'", ((struct folder *)*state)->path);
    assert_null(strstr(list, ".tmp"));
    free(list);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_is_loaded),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(mended_damage_is_safe),
        cmocka_unit_test(full_disks_and_closed_folders),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
