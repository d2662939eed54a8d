// Uploads: bytes become a blob, the blob gets an index, the row makes the video exist.
#include <errno.h>
#include <sys/random.h>

#include "app/ids.h"
#include "app/videos_internal.h"
#include "base/clock.h"
#include "base/mem.h"

#define HEAD_SIZE 512

struct sc_upload {
    sc_videos *videos;
    struct sc_video_info info;
    char key[SC_BLOB_KEY_SIZE];
    sc_blob_writer *writer;
    bool reserved;                 // the id is ours and no video holds it yet
    int failed;                    // SC_E* of a write, after which only abort is possible
    unsigned char head[HEAD_SIZE]; // the first bytes, to say what a refused file looks like
    size_t head_size;
};

// --- names --------------------------------------------------------------------------------

bool sc_video_id_valid(const char *id)
{
    return sc_id_valid(id);
}

// The length of the UTF-8 sequence at s, 0 if it is broken, overlong or a surrogate.
static size_t utf8_length(const unsigned char *s)
{
    static const unsigned min[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80       ? 1
               : s[0] >> 5 == 6  ? 2
               : s[0] >> 4 == 14 ? 3
               : s[0] >> 3 == 30 ? 4
                                 : 0;
    unsigned code = n > 1 ? s[0] & (0x7f >> n) : s[0];
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    bool good = n && code >= min[n] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    return good ? n : 0;
}

// The last part of a path, as valid UTF-8 without control characters, cut to fit.
static void clean_name(char *out, size_t size, const char *name)
{
    const char *p = name;
    for (const char *c = name; *c; c++)
        if (*c == '/' || *c == '\\')
            p = c + 1;
    size_t used = 0;
    while (*p) {
        size_t n = utf8_length((const unsigned char *)p);
        bool good = n && (unsigned char)*p >= 32 && *p != 127;
        size_t add = good ? n : 1;
        if (used + add >= size)
            break;
        memcpy(out + used, good ? p : "_", add);
        used += add;
        p += n ? n : 1;
    }
    out[used] = 0;
}

// --- open and write -----------------------------------------------------------------------

static int reserve(sc_upload *up, const char *id, sc_err *err)
{
    int ret = SC_EEXISTS;
    if (id) {
        snprintf(up->info.id, sizeof(up->info.id), "%s", id);
        ret = sc_videos_reserve(up->videos, id);
    }
    while (!id && ret == SC_EEXISTS) {
        int failed = sc_id_random(up->info.id, err);
        if (failed)
            return failed;
        ret = sc_videos_reserve(up->videos, up->info.id);
    }
    up->reserved = !ret;
    if (ret == SC_EEXISTS)
        return sc_fail_field(
            err, ret, "id",
            "the id \"%s\" is taken: choose another, or delete that video first", id);
    return ret;
}

static int too_large(const sc_upload *up, sc_err *err)
{
    char limit[32];
    int64_t max = up->videos->settings->max_upload;
    return sc_fail(err, SC_ELIMIT,
                   "the file is larger than %s, the most that is accepted "
                   "(option max-upload)",
                   sc_format_size(limit, sizeof(limit), max));
}

static int check_params(const sc_upload *up, const struct sc_upload_params *params, sc_err *err)
{
    if (params->id && !sc_video_id_valid(params->id))
        return sc_fail_field(err, SC_EARG, "id",
                             "an id is 1 to 64 of the characters A-Z a-z 0-9 _ -");
    if (params->size_hint < 0)
        return sc_fail_field(err, SC_EARG, "size", "the size is negative");
    if (params->size_hint > up->videos->settings->max_upload)
        return too_large(up, err);
    return 0;
}

static int storage_failed(int ret, sc_err *err)
{
    if (ret == SC_ENOSPACE)
        return sc_fail(err, ret, "the server's disk is full: nothing was stored");
    return sc_fail(err, ret, "the upload cannot be stored: %s", sc_strerror(ret));
}

int sc_upload_open(sc_upload **pup, sc_videos *videos, const struct sc_upload_params *params,
                   sc_err *err)
{
    sc_upload *up = sc_new(sc_upload);
    up->videos = videos;
    clean_name(up->info.name, sizeof(up->info.name), params->name ? params->name : "");
    int ret = check_params(up, params, err);
    if (!ret)
        ret = reserve(up, params->id, err);
    if (!ret) {
        sc_videos_step(videos, "reserved");
        sc_blobs_new_key(up->key, "");
        ret = sc_blob_writer_open(&up->writer, videos->blobs, up->key, params->size_hint);
        if (ret)
            storage_failed(ret, err);
    }
    if (ret)
        sc_upload_abort(&up);
    *pup = up;
    return ret;
}

int sc_upload_set_id(sc_upload *up, const char *id, sc_err *err)
{
    if (!sc_video_id_valid(id))
        return sc_fail_field(err, SC_EARG, "id",
                             "an id is 1 to 64 of the characters A-Z a-z 0-9 _ -");
    if (!strcmp(id, up->info.id))
        return 0;
    char before[sizeof(up->info.id)];
    memcpy(before, up->info.id, sizeof(before));
    int ret = reserve(up, id, err);
    if (ret) // the old one is still reserved, and is given back by abort
        memcpy(up->info.id, before, sizeof(before));
    else
        sc_videos_unreserve(up->videos, before);
    up->reserved = true;
    return ret;
}

int sc_upload_write(sc_upload *up, const void *data, size_t size, sc_err *err)
{
    if (up->failed)
        return sc_fail(err, up->failed, "an earlier part of the upload failed");
    if (size > (uint64_t)(up->videos->settings->max_upload - up->info.size)) {
        up->failed = SC_ELIMIT;
        return too_large(up, err);
    }
    size_t room = HEAD_SIZE - up->head_size, take = size < room ? size : room;
    if (take)
        memcpy(up->head + up->head_size, data, take);
    up->head_size += take;
    up->failed = sc_blob_writer_write(up->writer, data, size);
    if (up->failed)
        return storage_failed(up->failed, err);
    up->info.size += (int64_t)size;
    sc_videos_step(up->videos, "written");
    return 0;
}

const char *sc_upload_id(const sc_upload *up)
{
    return up->info.id;
}

int64_t sc_upload_size(const sc_upload *up)
{
    return up->info.size;
}

void sc_upload_abort(sc_upload **pup)
{
    sc_upload *up = *pup;
    if (!up)
        return;
    *pup = NULL;
    sc_blob_writer_abort(&up->writer);
    if (up->reserved)
        sc_videos_unreserve(up->videos, up->info.id);
    free(up);
}

// --- finish -------------------------------------------------------------------------------

// Says what the refused file is, where that helps more than the demuxer's word.
static int refuse(const sc_upload *up, int ret, const sc_err *cause, sc_err *err)
{
    const char *what = sc_sniff(up->head, up->head_size);
    if ((ret == SC_EDATA || ret == SC_EUNSUPPORTED) && what)
        return sc_fail(err, ret,
                       "this is no video: it looks like %s. Video files are accepted, such as "
                       "MP4, MOV, Matroska, WebM, AVI, MPEG-TS and FLV",
                       what);
    return sc_fail(err, ret, "%s", sc_err_text(cause, ret));
}

static int index_video(sc_upload *up, sc_video *video, sc_err *err)
{
    sc_videos *videos = up->videos;
    sc_index *index = NULL;
    sc_err cause = {0};
    bool built;
    int64_t start = sc_clock_now();
    int ret = sc_index_open(&index, video->path, video->index_path,
                            &(struct sc_index_params){.log = videos->log,
                                                      .cancel = videos->cancel,
                                                      .threads = videos->threads},
                            &built, &cause);
    if (ret)
        return refuse(up, ret, &cause, err);
    video->info.index_ns = sc_clock_now() - start;
    sc_video_attach(video, index);
    sc_videos_step(videos, "indexed");
    return 0;
}

// Decodes a few entry points ahead of the first viewer's jumps.
static void on_prefetched(void *arg, int ret, sc_frame *frame, const sc_err *err)
{
    sc_video *video = arg;
    (void)ret;
    (void)err;
    sc_frame_unref(&frame);
    sc_video_unref(&video);
}

static void prefetch(sc_video *video)
{
    int64_t entries = sc_index_get_info(video->index)->entries;
    int64_t count = entries < 16 ? entries : 16;
    for (int64_t i = 0; i < count; i++) {
        int64_t n = sc_index_entry(video->index, i * entries / count).first_exact;
        sc_video *ref = sc_video_ref(video);
        if (sc_reader_get(video->reader, n, SC_READ_BACKGROUND, on_prefetched, ref))
            sc_video_unref(&ref);
    }
}

// From bytes under a temporary name to a row. On failure the video's files are gone again.
static int store(sc_upload *up, sc_video **pvideo, sc_err *err)
{
    sc_videos *videos = up->videos;
    if (!up->info.size)
        return sc_fail(err, SC_EDATA, "the file is empty: a video file is needed");
    int ret = sc_blob_writer_commit(&up->writer);
    if (ret)
        return storage_failed(ret, err);
    up->info.created_ns = sc_clock_wall();
    sc_video *video = sc_video_new(videos, &up->info, up->key);
    sc_videos_step(videos, "committed");
    ret = index_video(up, video, err);
    if (!ret)
        ret = sc_video_insert_row(video, err);
    if (ret) {
        sc_video_remove_files(video);
        sc_video_unref(&video);
        return ret;
    }
    sc_videos_step(videos, "inserted");
    *pvideo = video;
    return 0;
}

int sc_upload_finish(sc_upload **pup, sc_video **pvideo, sc_err *err)
{
    sc_upload *up = *pup;
    sc_videos *videos = up->videos;
    sc_video *video = NULL;
    int ret = up->failed ? sc_fail(err, up->failed, "an earlier part of the upload failed")
                         : store(up, &video, err);
    if (ret || !video) {
        sc_counter_add(videos->upload_failures_total, 1);
        SC_INFO(videos->log, "upload refused", SC_S("id", up->info.id),
                SC_S("error", sc_err_text(err, ret)));
    } else {
        sc_videos_publish(videos, video);
        up->reserved = false;
        sc_counter_add(videos->uploads_total, 1);
        sc_counter_add(videos->upload_bytes_total, (uint64_t)video->info.size);
        atomic_fetch_add(&videos->uploads, 1);
        atomic_fetch_add(&videos->upload_bytes, (uint64_t)video->info.size);
        SC_INFO(videos->log, "video stored", SC_S("id", video->info.id),
                SC_I("bytes", video->info.size),
                SC_I("frames", sc_index_get_info(video->index)->frames),
                SC_F("index_s", (double)video->info.index_ns / (double)SC_NS_PER_S));
        if (videos->settings->prefetch)
            prefetch(video);
    }
    sc_upload_abort(pup);
    *pvideo = video;
    return ret;
}
