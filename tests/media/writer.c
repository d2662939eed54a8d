// Files written from another's frames: what was in them must come out again.
#include "media/writer.h"

#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "clips.h"
#include "media/decoder.h"

struct copy {
    sc_writer *writer;
    sc_index *index;
    struct sc_writer_params params;
    int64_t from, to; // frames
    int frames;
};

static int put_frame(void *arg, AVFrame *av, int64_t packet)
{
    struct copy *c = arg;
    int64_t n = sc_index_packet(c->index, packet).frame;
    const struct sc_index_info *info = sc_index_get_info(c->index);
    if (n < c->from || n >= c->to)
        return 0;
    if (!c->writer) {
        sc_err err = {0};
        c->params.like = av;
        if (sc_writer_open(&c->writer, &c->params, &err) < 0)
            fail_msg("%s", err.text);
    }
    int64_t zero = sc_index_ticks(c->index, c->from), at = sc_index_ticks(c->index, n);
    int64_t next =
        n + 1 < info->frames ? sc_index_ticks(c->index, n + 1) : info->duration_ticks;
    c->frames++;
    return sc_writer_put(c->writer, av, at - zero, next - at, NULL);
}

// Frames from..to of `in`, with its sound, encoded anew.
static void copy_file(const char *in, const char *out, int64_t from, int64_t to)
{
    struct copy c = {.index = build_index(in), .from = from};
    const struct sc_index_info *info = sc_index_get_info(c.index);
    c.to = to < info->frames ? to : info->frames;
    c.params = (struct sc_writer_params){.path = out,
                                         .time_base = info->time_base,
                                         .frame_rate = info->frame_rate,
                                         .preset = "ultrafast",
                                         .threads = 1,
                                         .rotation = info->rotation,
                                         .hflip = info->hflip,
                                         .vflip = info->vflip,
                                         .sample_aspect = info->sample_aspect,
                                         .sound = in,
                                         .index = c.index,
                                         .sound_from = from};
    sc_err err = {0};
    if (sc_decode_range(c.index, in, 0, info->packets, 1, NULL, put_frame, &c, NULL, &err) <
            0 ||
        sc_writer_finish(c.writer, from == 0 && c.to == info->frames, &err) < 0)
        fail_msg("%s", err.text);
    struct sc_writer_info wrote;
    sc_writer_get_info(c.writer, &wrote);
    assert_int_equal(wrote.frames, c.to - c.from);
    sc_writer_close(&c.writer);
    sc_index_unref(&c.index);
}

#define MAX_PACKETS 4096
struct packets {
    int count;
    double pts[MAX_PACKETS]; // seconds
    int size[MAX_PACKETS];
};

static double first_picture(const char *path)
{
    char *text = clip_run("ffprobe -v error -select_streams v -show_entries frame=pts_time "
                          "-read_intervals %%+#1 -of csv=p=0 %s",
                          path);
    assert_non_null(text);
    double t = atof(text);
    free(text);
    return t;
}

// Sound, timed against the first picture.
static struct packets *read_sound(const char *path)
{
    struct packets *p = calloc(1, sizeof(*p));
    double zero = first_picture(path);
    char *text =
        clip_run("ffprobe -v error -select_streams a -show_entries packet=pts_time,size "
                 "-of csv=p=0 %s",
                 path);
    assert_non_null(text);
    for (char *line = text; *line && p->count < MAX_PACKETS; line = strchr(line, '\n') + 1) {
        char *end;
        if (*line == '\n') // after one with side data
            continue;
        p->pts[p->count] = strtod(line, &end) - zero;
        p->size[p->count++] = atoi(end + 1);
    }
    free(text);
    return p;
}

static void assert_same_times(const char *a, const char *b, int64_t from, double tolerance)
{
    sc_index *x = build_index(a), *y = build_index(b);
    int64_t frames = sc_index_get_info(y)->frames;
    for (int64_t n = 0; n < frames; n++) {
        double expected =
            (double)(sc_index_pts_ns(x, from + n) - sc_index_pts_ns(x, from)) / 1e9;
        double got = (double)sc_index_pts_ns(y, n) / 1e9;
        if (got > expected + tolerance || got < expected - tolerance)
            fail_msg("frame %d is at %f, expected %f", (int)n, got, expected);
    }
    sc_index_unref(&x);
    sc_index_unref(&y);
}

// Uneven times, sound that starts later than the picture, a turned picture of odd pixels.
static char *make_source(struct folder *folder, const char *name, double sound_at,
                         const char *options)
{
    char *path = malloc(256);
    snprintf(path, 256, "%s/%s", folder->path, name);
    free(clip_run("ffmpeg -v error -y -f lavfi -i testsrc2=s=160x120:r=25:d=3 -itsoffset %f -f "
                  "lavfi -i sine=r=48000:d=2.5 -vf \"select='not(eq(mod(n,7),3))'\" -vsync vfr "
                  "-c:v libx264 -preset ultrafast -bf 2 -x264-params b-adapt=0 -c:a aac %s %s",
                  sound_at, options, path));
    return path;
}

static void assert_same_sound(const struct packets *a, const char *path, double tolerance)
{
    struct packets *b = read_sound(path);
    assert_int_equal(a->count, b->count);
    for (int k = 0; k < a->count; k++) {
        assert_int_equal(a->size[k], b->size[k]);
        if (a->pts[k] > b->pts[k] + tolerance || a->pts[k] < b->pts[k] - tolerance)
            fail_msg("%s: sound %d at %f, expected %f", path, k, b->pts[k], a->pts[k]);
    }
    free(b);
}

static void everything_is_kept(void **state)
{
    struct folder *folder = *state;
    char out[256],
        *in = make_source(folder, "in.mp4", 0.2,
                          "-aspect 8:3 -colorspace bt709 -color_primaries bt709 -color_trc "
                          "bt709 -color_range tv");
    struct packets *a = read_sound(in);
    assert_in_range(a->count, 100, 140);
    for (int i = 0; i < 2; i++) {
        snprintf(out, sizeof(out), "%s/out.%s", folder->path, i ? "mkv" : "mp4");
        copy_file(in, out, 0, INT64_MAX);
        double tolerance = i ? 0.0011 : 0.0001; // Matroska counts milliseconds
        assert_same_times(in, out, 0, tolerance);
        assert_same_sound(a, out, tolerance);
        sc_index *ix = build_index(out);
        const struct sc_index_info *info = sc_index_get_info(ix);
        assert_int_equal(info->frames, 64);
        assert_int_equal(info->sample_aspect.num, 2);
        assert_int_equal(info->color_space, AVCOL_SPC_BT709);
        assert_int_equal(info->color_range, AVCOL_RANGE_MPEG);
        assert_string_equal(info->codec_name, "h264");
        sc_index_unref(&ix);
    }
    free(a);
    free(in);
}

// What a decoder needs before the first sound is kept, and stays unheard.
static void priming_is_kept(void **state)
{
    struct folder *folder = *state;
    char out[256], *in = make_source(folder, "primed.mp4", 0, "");
    struct packets *a = read_sound(in);
    assert_true(a->pts[0] < -0.02);
    snprintf(out, sizeof(out), "%s/primed-out.mp4", folder->path);
    copy_file(in, out, 0, INT64_MAX);
    assert_same_times(in, out, 0, 0.0001);
    assert_same_sound(a, out, 0.0001);
    free(a);
    free(in);
}

static void parts_keep_the_sound_in_step(void **state)
{
    struct folder *folder = *state;
    char *in = make_source(folder, "part.mp4", 0.2, ""), out[256];
    snprintf(out, sizeof(out), "%s/part-out.mp4", folder->path);
    copy_file(in, out, 20, 45);
    assert_same_times(in, out, 20, 0.0001);
    sc_index *x = build_index(in), *y = build_index(out);
    assert_int_equal(sc_index_get_info(y)->frames, 25);
    double shift = (double)sc_index_pts_ns(x, 20) / 1e9,
           end = (double)sc_index_pts_ns(x, 45) / 1e9;
    struct packets *a = read_sound(in), *b = read_sound(out);
    int k = 0;
    while (k < a->count && a->pts[k] + 1024.0 / 48000 <= shift)
        k++;
    for (int i = 0; i < b->count; i++, k++) {
        assert_int_equal(a->size[k], b->size[i]);
        double expected = a->pts[k] - shift, error = b->pts[i] - expected;
        if (error > 0.0002 || error < -0.0002)
            fail_msg("sound %d at %f, expected %f", i, b->pts[i], expected);
        assert_true(expected < end - shift);
    }
    assert_true(k == a->count || a->pts[k] >= end);
    free(a);
    free(b);
    sc_index_unref(&x);
    sc_index_unref(&y);
    free(in);
}

static void the_view_is_kept(void **state)
{
    struct folder *folder = *state;
    char out[256];
    AVFrame *av = av_frame_alloc();
    av->format = AV_PIX_FMT_YUV420P;
    av->width = 64;
    av->height = 48;
    assert_int_equal(av_frame_get_buffer(av, 0), 0);
    for (int i = 0; i < 16; i++) {
        struct sc_writer_params params = {.path = out,
                                          .like = av,
                                          .time_base = {1, 25},
                                          .frame_rate = {25, 1},
                                          .codec = "mpeg4",
                                          .rotation = i / 4 * 90,
                                          .hflip = i & 1,
                                          .vflip = i & 2};
        sc_writer *writer = NULL;
        snprintf(out, sizeof(out), "%s/view.mp4", folder->path);
        assert_int_equal(sc_writer_open(&writer, &params, NULL), 0);
        assert_int_equal(sc_writer_put(writer, av, 0, 1, NULL), 0);
        assert_int_equal(sc_writer_finish(writer, true, NULL), 0);
        sc_writer_close(&writer);
        sc_index *ix = build_index(out);
        // Upside down and mirrored is turned by half and mirrored the other way.
        int turned = (params.rotation + (params.vflip ? 180 : 0)) % 360;
        bool mirrored = params.hflip != params.vflip;
        const struct sc_index_info *info = sc_index_get_info(ix);
        assert_int_equal(info->rotation, turned);
        assert_int_equal(info->hflip, mirrored);
        assert_int_equal(info->vflip, 0);
        sc_index_unref(&ix);
    }
    av_frame_free(&av);
}

static void any_picture_is_encoded(void **state)
{
    struct folder *folder = *state;
    static const struct {
        enum AVPixelFormat in, out;
        int w, h;
    } cases[] = {
        {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P, 64, 48},
        {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV444P, 63, 47},
        {AV_PIX_FMT_RGB24, AV_PIX_FMT_YUV420P, 64, 48},
        {AV_PIX_FMT_PAL8, AV_PIX_FMT_YUV420P, 64, 48},
        {AV_PIX_FMT_P010, AV_PIX_FMT_YUV420P10, 64, 48},
        {AV_PIX_FMT_YUV411P, AV_PIX_FMT_YUV420P, 64, 48},
        {AV_PIX_FMT_YUV422P10, AV_PIX_FMT_YUV422P10, 64, 48},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        char out[256];
        snprintf(out, sizeof(out), "%s/any-%zu.mp4", folder->path, i);
        AVFrame *av = av_frame_alloc();
        av->format = cases[i].in;
        av->width = cases[i].w;
        av->height = cases[i].h;
        assert_int_equal(av_frame_get_buffer(av, 0), 0);
        for (int p = 0; p < 4 && av->data[p]; p++)
            memset(av->data[p], 0, av->buf[p] ? av->buf[p]->size / 2 : 1024);
        struct sc_writer_params params = {
            .path = out, .like = av, .time_base = {1, 25}, .frame_rate = {25, 1}, .threads = 1};
        sc_writer *writer = NULL;
        sc_err err = {0};
        if (sc_writer_open(&writer, &params, &err) < 0)
            fail_msg("%s: %s", av_get_pix_fmt_name(cases[i].in), err.text);
        for (int n = 0; n < 5; n++)
            assert_int_equal(sc_writer_put(writer, av, n > 2 ? 2 : n, 1, &err),
                             0); // times repeat
        assert_int_equal(sc_writer_finish(writer, true, &err), 0);
        sc_writer_close(&writer);
        AVFrame *back = clip_decode(out, 4);
        assert_non_null(back);
        assert_int_equal(back->width, cases[i].w);
        assert_int_equal(back->height, cases[i].h);
        assert_string_equal(av_get_pix_fmt_name(back->format),
                            av_get_pix_fmt_name(cases[i].out));
        av_frame_free(&back);
        av_frame_free(&av);
    }
}

static void failures_leave_nothing(void **state)
{
    struct folder *folder = *state;
    char path[256];
    AVFrame *av = av_frame_alloc();
    av->format = AV_PIX_FMT_YUV420P;
    av->width = av->height = 64;
    assert_int_equal(av_frame_get_buffer(av, 0), 0);
    struct sc_writer_params params = {.path = path,
                                      .like = av,
                                      .time_base = {1, 25},
                                      .frame_rate = {25, 1},
                                      .codec = "mpeg4"};
    sc_writer *writer = NULL;
    sc_err err = {0};
    snprintf(path, sizeof(path), "%s/x.unknown", folder->path);
    assert_int_equal(sc_writer_open(&writer, &params, &err), SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, ".mp4"));
    assert_null(writer);
    snprintf(path, sizeof(path), "%s/none/x.mp4", folder->path);
    assert_int_equal(sc_writer_open(&writer, &params, NULL), SC_ENOTFOUND);
    snprintf(path, sizeof(path), "%s/x.mkv", folder->path);
    params.rotation = 90;
    err = (sc_err){0};
    assert_int_equal(sc_writer_open(&writer, &params, &err), SC_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "turned"));
    params.rotation = 0;
    assert_int_equal(sc_writer_open(&writer, &params, NULL), SC_OK);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(sc_writer_finish(writer, true, NULL), SC_EDATA); // no picture
    sc_writer_close(&writer);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(sc_writer_open(&writer, &params, NULL), SC_OK);
    assert_int_equal(sc_writer_put(writer, av, 0, 1, NULL), SC_OK);
    sc_writer_close(&writer); // given up
    assert_int_not_equal(access(path, F_OK), 0);
    sc_writer_close(&writer);
    sc_writer_close(NULL);
    av_frame_free(&av);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_kept),
        cmocka_unit_test(priming_is_kept),
        cmocka_unit_test(parts_keep_the_sound_in_step),
        cmocka_unit_test(the_view_is_kept),
        cmocka_unit_test(any_picture_is_encoded),
        cmocka_unit_test(failures_leave_nothing),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
