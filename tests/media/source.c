// Packets by number: straight from the file or through a demuxer, always the bytes that were
// indexed or none.
#include "media/source.h"

#include <unistd.h>

#include <xxhash.h>

#include "clips.h"

static AVPacket *packet;

// SC_OK only with the very bytes of the index.
static int read_packet(sc_source *src, const sc_index *ix, int64_t k)
{
    sc_err err = {0};
    int ret = sc_source_read(src, k, packet, &err);
    if (ret < 0) {
        assert_int_equal(packet->size, 0);
        assert_true(ret == SC_EEOF || err.text[0]);
        return ret;
    }
    struct sc_packet_info info = sc_index_packet(ix, k);
    assert_int_equal(packet->size, info.size);
    assert_int_equal((uint32_t)XXH3_64bits(packet->data, (size_t)packet->size), info.crc);
    assert_int_equal(packet->pts, k);
    assert_int_equal(packet->dts, k);
    assert_int_equal(!!(packet->flags & AV_PKT_FLAG_KEY), !!(info.flags & SC_PACKET_KEY));
    return SC_OK;
}

static void check_reads(const char *path, bool direct)
{
    sc_index *ix = build_index(path);
    const struct sc_index_info *info = sc_index_get_info(ix);
    sc_source *src = sc_source_open(ix, path);
    unsigned seed = 3;
    assert_int_equal(info->direct, direct);
    for (int64_t k = 0; k < info->packets; k++)
        assert_int_equal(read_packet(src, ix, k), SC_OK);
    assert_int_equal(read_packet(src, ix, info->packets), SC_EEOF);
    for (int64_t k = info->packets - 1; k >= 0; k -= 3)
        assert_int_equal(read_packet(src, ix, k), SC_OK);
    for (int i = 0; i < 60; i++)
        assert_int_equal(read_packet(src, ix, rand_r(&seed) % info->packets), SC_OK);
    sc_source_close(&src);
    src = sc_source_open(ix, path); // the first read of all is the last packet
    assert_int_equal(read_packet(src, ix, info->packets - 1), SC_OK);
    sc_source_close(&src);
    assert_null(src);
    sc_index_unref(&ix);
}

static void every_packet_in_any_order(void **state)
{
    static const struct {
        const char *options, *name;
        bool direct;
    } table[] = {
        {"-c copy", "s.mkv", true},
        {"-c copy -movflags frag_keyframe+empty_moov", "s-frag.mp4", true},
        {"-c:v mpeg4 -g 12 -bf 2", "s.avi", true},
        {"-c copy", "s.ts", false},
        {"-c copy -muxdelay 0 -output_ts_offset 95440", "s-wrap.ts", false},
        {"-c:v mpeg2video -g 12 -bf 2 -f mpeg", "s.mpg", false},
        {"-c:v libvpx-vp9 -g 12 -deadline realtime -cpu-used 8", "s.webm", true},
    };
    char clip[128], path[128];
    check_reads(scene_clip(state, "clip.mp4", 75, 12, 2, clip), true);
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        check_reads(recode(state, clip, table[i].options, table[i].name, path),
                    table[i].direct);
}

// The packets of a stream are the same bytes whether they are demuxed or read directly.
static void both_ways_give_the_same(void **state)
{
    char clip[128], path[128];
    scene_clip(state, "clip.mp4", 75, 12, 2, clip);
    recode(state, clip, "-c:v mpeg2video -g 12 -bf 2 -threads 1", "m.mkv", path);
    sc_index *a = build_index(path);
    sc_index *b = build_index(recode(state, path, "-c copy", "m.ts", clip));
    assert_true(sc_index_get_info(a)->direct && !sc_index_get_info(b)->direct);
    sc_source *sa = sc_source_open(a, path), *sb = sc_source_open(b, clip);
    AVPacket *other = av_packet_alloc();
    assert_int_equal(sc_index_get_info(a)->packets, sc_index_get_info(b)->packets);
    for (int64_t k = 0; k < sc_index_get_info(a)->packets; k++) {
        assert_int_equal(sc_source_read(sa, k, packet, NULL), SC_OK);
        assert_int_equal(sc_source_read(sb, k, other, NULL), SC_OK);
        assert_int_equal(packet->size, other->size);
        assert_memory_equal(packet->data, other->data, (size_t)other->size);
    }
    av_packet_free(&other);
    sc_source_close(&sa);
    sc_source_close(&sb);
    sc_index_unref(&a);
    sc_index_unref(&b);
}

// After `change`, every read gives the indexed bytes or SC_ESTALE; some must give that.
static void check_stale(const char *path, void (*change)(uint8_t *data, size_t *size))
{
    sc_index *ix = build_index(path);
    size_t size;
    uint8_t *data = read_file(path, &size);
    change(data, &size);
    write_file(path, data, size);
    free(data);
    sc_source *src = sc_source_open(ix, path);
    int stale = 0;
    for (int64_t k = 0; k < sc_index_get_info(ix)->packets; k++) {
        int ret = read_packet(src, ix, k);
        assert_true(ret == SC_OK || ret == SC_ESTALE);
        stale += ret == SC_ESTALE;
    }
    assert_true(stale > 0);
    sc_source_close(&src);
    sc_index_unref(&ix);
    unlink(path);
}

static void flip_bytes(uint8_t *data, size_t *size)
{
    for (size_t i = *size / 2; i < *size; i += 997)
        data[i] ^= 0x10;
}

static void cut_short(uint8_t *data, size_t *size)
{
    (void)data;
    *size = *size * 2 / 3;
}

static void shift_by_one(uint8_t *data, size_t *size)
{
    memmove(data, data + 1, --*size);
}

static void erase(uint8_t *data, size_t *size)
{
    memset(data, 'x', *size);
}

static void empty(uint8_t *data, size_t *size)
{
    (void)data;
    *size = 0;
}

static void changed_files_are_stale(void **state)
{
    static void (*const changes[])(uint8_t *, size_t *) = {flip_bytes, cut_short, shift_by_one,
                                                           erase, empty};
    char clip[128], path[128];
    scene_clip(state, "clip.mp4", 75, 12, 2, clip);
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        check_stale(recode(state, clip, "-c copy", "changed.mkv", path), changes[i]);
        if (changes[i] != shift_by_one) // a transport stream finds its packets again
            check_stale(recode(state, clip, "-c copy", "changed.ts", path), changes[i]);
    }
}

static void absent_files(void **state)
{
    char clip[128], path[128];
    for (int ts = 0; ts < 2; ts++) {
        scene_clip(state, "clip.mp4", 75, 12, 2, clip);
        recode(state, clip, "-c copy", ts ? "gone.ts" : "gone.mkv", path);
        sc_index *ix = build_index(path);
        sc_source *src = sc_source_open(ix, path);
        unlink(path);
        assert_int_equal(read_packet(src, ix, 5), SC_ENOTFOUND);
        sc_source_close(&src);
        sc_index_unref(&ix);
    }
    sc_source_close(NULL);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    packet = av_packet_alloc();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_in_any_order),
        cmocka_unit_test(both_ways_give_the_same),
        cmocka_unit_test(changed_files_are_stale),
        cmocka_unit_test(absent_files),
    };
    int failed = cmocka_run_group_tests(tests, folder_open, folder_close);
    av_packet_free(&packet);
    return failed;
}
