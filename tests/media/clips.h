// What the tests of index, source, decoder and reader share: a folder for the run, clips whose
// frames are stamped with their numbers, and indexes made up without a file.
#pragma once

#include <string.h>
#include <sys/stat.h>

#include "../base/test.h"
#include "clip.h"
#include "media/clip.h"
#include "media/index_internal.h"

struct folder {
    char path[64];
};

static inline int folder_open(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof(folder->path), "%s/sc-test-XXXXXX", base ? base : "/tmp");
    *state = folder;
    return mkdtemp(folder->path) ? 0 : -1;
}

static inline int folder_close(void **state)
{
    struct folder *folder = *state;
    free(clip_run("rm -rf '%s'", folder->path));
    free(folder);
    return 0;
}

static inline char *folder_file(void **state, const char *name, char buf[128])
{
    const struct folder *folder = *state;
    snprintf(buf, 128, "%s/%s", folder->path, name);
    return buf;
}

// Writes a clip of stamped frames, unless an earlier test has.
static inline char *scene_clip(void **state, const char *name, int frames, int gop, int bframes,
                               char buf[128])
{
    sc_err err = {0};
    struct sc_clip_params params = {
        .scene = {.width = 160, .height = 128, .fps = {25, 1}, .noise = -1},
        .frames = frames,
        .gop = gop,
        .bframes = bframes ? bframes : -1,
        .threads = 1,
        .preset = "veryfast",
    };
    folder_file(state, name, buf);
    if (access(buf, F_OK) && sc_clip_write(buf, &params, &err) < 0)
        fail_msg("%s: %s", name, err.text);
    return buf;
}

// Another file made of `from` by the ffmpeg program, unless an earlier test has.
static inline char *recode(void **state, const char *from, const char *options,
                           const char *name, char buf[128])
{
    folder_file(state, name, buf);
    if (!access(buf, F_OK))
        return buf;
    char *out = clip_run("ffmpeg -v error -nostdin -y -threads 1 -i '%s' %s '%s' 2>&1", from,
                         options, buf);
    if (!out)
        fail_msg("ffmpeg cannot make %s", name);
    free(out);
    return buf;
}

static inline sc_index *build_index(const char *path)
{
    sc_index *ix = NULL;
    sc_err err = {0};
    if (sc_index_build(&ix, path, NULL, &err) < 0)
        fail_msg("%s: %s", path, err.text);
    return ix;
}

static inline void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static inline uint8_t *read_file(const char *path, size_t *size)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    uint8_t *data = malloc((size_t)st.st_size + 1);
    *size = fread(data, 1, (size_t)st.st_size, f);
    assert_int_equal(*size, st.st_size);
    fclose(f);
    return data;
}

// A header that passes all checks; counts are the caller's.
static inline struct sc_index_header fake_header(AVRational time_base, int64_t duration)
{
    return (struct sc_index_header){
        .file_size = 1 << 20,
        .duration_ticks = duration,
        .direct = 1,
        .tb_num = time_base.num,
        .tb_den = time_base.den,
        .rate_num = 25,
        .rate_den = 1,
        .sar_num = 1,
        .sar_den = 1,
        .width = 160,
        .height = 128,
        .codec_name = "h264",
        .format_name = "mov",
        .pix_fmt_name = "yuv420p",
    };
}

// `count` packets that show frames 0, 1, .. at these ticks; entries at every `gop`-th.
static inline sc_index *fake_index(AVRational time_base, const int64_t *ticks, int64_t count,
                                   int64_t duration, int64_t gop)
{
    struct sc_frame_rec *frames = calloc((size_t)count, sizeof(*frames));
    struct sc_packet_rec *packets = calloc((size_t)count, sizeof(*packets));
    struct sc_entry_rec *entries = calloc((size_t)count, sizeof(*entries));
    struct sc_index_parts parts = {.header = fake_header(time_base, duration),
                                   .frames = frames,
                                   .packets = packets,
                                   .entries = entries};
    sc_index *ix = NULL;
    sc_err err = {0};
    parts.header.frames = parts.header.packets = count;
    for (int64_t i = 0; i < count; i++) {
        frames[i] = (struct sc_frame_rec){.ticks = ticks[i], .packet = (uint32_t)i};
        packets[i] = (struct sc_packet_rec){.pos = 10 * i, .size = 10, .frame = (int32_t)i};
        if (i % gop == 0) {
            packets[i].flags = SC_PACKET_KEY;
            entries[parts.header.entries++] = (struct sc_entry_rec){(uint32_t)i, (uint32_t)i};
        }
    }
    if (sc_index_assemble(&ix, &parts, &err) < 0)
        fail_msg("%s", err.text);
    free(frames);
    free(packets);
    free(entries);
    return ix;
}
