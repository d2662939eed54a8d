// saccade frame: frames of a video to files, or their hashes.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/model.h"
#include "media/picture.h"
#include "media/reader.h"
#include "vision/overlay.h"

extern const struct sc_command sc_cmd_frame;

// Frames asked for, as text until the index is there.
struct wish {
    const char *text;
    enum { WISH_NUMBER, WISH_TIME, WISH_ALL } kind;
};

struct args {
    const char *video, *output;
    struct wish *wishes;
    int count;
    bool hash;
    bool format_set;
    struct sc_picture_params picture;
    struct sc_cli_model_args model;
};

struct job {
    const struct args *args;
    sc_index *ix;
    sc_reader_engine *engine;
    sc_reader *reader;
    sc_picture_ctx *ctx;
    struct sc_cli_model model;
    sc_overlay *overlay; // NULL = no boxes
    bool many;           // more than one picture: names are numbered
};

// --- output -----------------------------------------------------------------------------------

static int print_hash(struct job *job, int64_t n, sc_frame *frame, sc_err *err)
{
    char md5[33], t[64];
    const AVFrame *av = frame->av;
    int ret = sc_frame_md5(av, md5);
    if (ret < 0)
        return sc_fail(err, ret, "frame %" PRId64 ": its pixel format has no plain layout", n);
    printf("%" PRId64 ",%s,%d,%d,%s,%s\n", n, sc_index_format_time(job->ix, n, t, sizeof(t)),
           av->width, av->height, av_get_pix_fmt_name(av->format), md5);
    return SC_OK;
}

static const char *extension(enum sc_picture_format format)
{
    static const char *const names[] = {"jpg", "png", "webp", "npy"};
    return names[format];
}

// "clip.mp4" and frame 42 give "clip-42.jpg" here; an -o with %d has it replaced.
static void output_name(const struct job *job, int64_t n, sc_str *name)
{
    const struct args *args = job->args;
    const char *mark = args->output ? strstr(args->output, "%d") : NULL;
    if (mark) {
        sc_str_addf(name, "%.*s%" PRId64 "%s", (int)(mark - args->output), args->output, n,
                    mark + 2);
        return;
    }
    const char *base = args->output ? args->output : strrchr(args->video, '/');
    if (args->output && !job->many) {
        sc_str_add(name, base);
        return;
    }
    base = args->output ? args->output : base ? base + 1 : args->video;
    const char *dot = strrchr(base, '.');
    sc_str_addf(name, "%.*s-%" PRId64 ".%s", dot ? (int)(dot - base) : (int)strlen(base), base,
                n, extension(args->picture.format));
}

static int write_file(const char *path, const sc_buf *buf, sc_err *err)
{
    FILE *f = fopen(path, "wb");
    bool good = f && fwrite(buf->data, 1, buf->size, f) == buf->size;
    int saved = errno;
    if (f && fclose(f) != 0) {
        saved = errno;
        good = false;
    }
    if (good)
        return SC_OK;
    if (f)
        remove(path);
    return sc_fail(err, sc_error_from_errno(saved), "%s: %s", path, strerror(saved));
}

// What the model finds, drawn on a copy of the frame; *count objects.
static int draw_boxes(struct job *job, sc_frame *frame, sc_frame **drawn, int *count,
                      sc_err *err)
{
    const struct sc_index_info *info = sc_index_get_info(job->ix);
    const struct sc_model_info *model = job->model.info;
    struct sc_view view = {.rotation = info->rotation,
                           .hflip = info->hflip,
                           .vflip = info->vflip,
                           .sample_aspect = info->sample_aspect};
    struct sc_overlay_labels labels = {model->labels, model->classes, true};
    sc_detections *found = NULL;
    int ret = sc_model_detect(job->model.model, &frame, &view, 1, &found, err);
    if (ret < 0)
        return ret;
    *count = sc_detections_above(found, job->model.threshold);
    ret = sc_overlay_draw(job->overlay, drawn, frame, &view, found, *count, &labels, err);
    sc_detections_unref(&found);
    return ret;
}

static int write_picture(struct job *job, int64_t n, sc_frame *frame, sc_err *err)
{
    const struct sc_index_info *info = sc_index_get_info(job->ix);
    struct sc_picture_params params = job->args->picture;
    struct sc_picture_info made;
    sc_buf *buf = NULL;
    params.rotation = info->rotation;
    params.hflip = info->hflip;
    params.vflip = info->vflip;
    params.sample_aspect = info->sample_aspect;
    params.threads = sc_cpu_count();
    int ret = sc_picture_encode(job->ctx, &buf, &made, frame, &params, err);
    if (ret < 0)
        return ret;
    sc_str name = {0};
    char t[64];
    output_name(job, n, &name);
    if (!strcmp(name.s, "-")) {
        bool good = fwrite(buf->data, 1, buf->size, stdout) == buf->size && !fflush(stdout);
        ret = good ? SC_OK : sc_fail(err, SC_EIO, "standard output: %s", strerror(errno));
    } else {
        ret = write_file(name.s, buf, err);
        if (ret >= 0)
            fprintf(stderr, "%s: frame %" PRId64 " at %s s, %dx%d, %zu bytes%s\n", name.s, n,
                    sc_index_format_time(job->ix, n, t, sizeof(t)), made.width, made.height,
                    buf->size, made.tone_mapped ? ", HDR shown as SDR" : "");
    }
    sc_str_release(&name);
    sc_buf_unref(&buf);
    return ret;
}

// --- wishes -----------------------------------------------------------------------------------

static int one_frame(struct job *job, int64_t n, sc_err *err)
{
    const struct sc_index_info *info = sc_index_get_info(job->ix);
    sc_frame *frame = NULL;
    if (sc_cancel_requested(sc_cli_cancel()))
        return sc_fail(err, SC_ECANCELLED, "interrupted");
    if (n < 0 || n >= info->frames)
        return sc_fail(err, SC_ERANGE, "there is no frame %" PRId64 ": valid are 0 to %" PRId64,
                       n, info->frames - 1);
    int ret = sc_reader_get_sync(job->reader, n, 0, &frame, err);
    if (ret >= 0 && job->overlay) {
        sc_frame *drawn = NULL;
        int count = 0;
        ret = draw_boxes(job, frame, &drawn, &count, err);
        sc_frame_unref(&frame);
        frame = drawn;
        if (ret >= 0)
            fprintf(stderr, "frame %" PRId64 ": %d objects\n", n, count);
    }
    if (ret >= 0)
        ret = job->args->hash ? print_hash(job, n, frame, err)
                              : write_picture(job, n, frame, err);
    sc_frame_unref(&frame);
    return ret;
}

static int frame_range(void *arg, int64_t from, int64_t to, sc_err *err)
{
    int ret = SC_OK;
    for (int64_t n = from; ret >= 0 && n <= to; n++)
        ret = one_frame(arg, n, err);
    return ret;
}

static int at_time(struct job *job, const char *t, sc_err *err)
{
    int64_t n;
    char end[64];
    int ret = sc_index_find_time(job->ix, t, &n);
    if (ret == SC_EARG)
        return sc_fail(err, ret, "-t %s: not a time in seconds such as 5.2", t);
    if (ret < 0)
        return sc_fail(err, ret, "-t %s: beyond the end; valid are times from 0 to below %s", t,
                       sc_index_format_duration(job->ix, end, sizeof(end)));
    return one_frame(job, n, err);
}

static int grant(struct job *job, const struct wish *wish, sc_err *err)
{
    if (wish->kind == WISH_TIME)
        return at_time(job, wish->text, err);
    if (wish->kind == WISH_ALL)
        return frame_range(job, 0, sc_index_get_info(job->ix)->frames - 1, err);
    return sc_cli_numbers("-n", wish->text, frame_range, job, err);
}

// --- arguments --------------------------------------------------------------------------------

static int choice(const char *name, const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        if (!strcmp(names[i], name))
            return i;
    }
    return -1;
}

static int format_of(const char *name)
{
    static const char *const names[] = {"jpeg", "png", "webp", "npy", NULL};
    return !strcmp(name, "jpg") ? SC_PICTURE_JPEG : choice(name, names);
}

static bool number_arg(int *out, const char *text, int min, int max)
{
    int64_t v;
    if (!sc_parse_int(text, min, max, &v))
        return false;
    *out = (int)v;
    return true;
}

static int one_flag(struct args *args, int c, const char *value)
{
    static const char *const fits[] = {"contain", "cover", "fill", NULL};
    int v;
    if (c >= SC_MODEL_FLAG && c < SC_MODEL_FLAG_END)
        return sc_cli_model_flag(&sc_cmd_frame, &args->model, c, value);
    switch (c) {
    case 'n':
    case 't':
    case 'a':
        args->wishes[args->count++] = (struct wish){value, c == 'n'   ? WISH_NUMBER
                                                           : c == 't' ? WISH_TIME
                                                                      : WISH_ALL};
        return 0;
    case 'o':
        args->output = value;
        return 0;
    case 'H':
        args->hash = true;
        return 0;
    case 'w':
        return number_arg(&args->picture.w, value, 1, SC_PICTURE_MAX_SIDE)
                   ? 0
                   : sc_cli_usage(&sc_cmd_frame, "--width %s: must be 1 to %d", value,
                                  SC_PICTURE_MAX_SIDE);
    case 'h':
        return number_arg(&args->picture.h, value, 1, SC_PICTURE_MAX_SIDE)
                   ? 0
                   : sc_cli_usage(&sc_cmd_frame, "--height %s: must be 1 to %d", value,
                                  SC_PICTURE_MAX_SIDE);
    case 'q':
        return number_arg(&args->picture.quality, value, 1, 100)
                   ? 0
                   : sc_cli_usage(&sc_cmd_frame, "--quality %s: must be 1 to 100", value);
    case 'F':
        if ((v = choice(value, fits)) < 0)
            return sc_cli_usage(&sc_cmd_frame, "--fit %s: contain, cover or fill", value);
        args->picture.fit = (enum sc_picture_fit)v;
        return 0;
    case 'f':
        if ((v = format_of(value)) < 0)
            return sc_cli_usage(&sc_cmd_frame, "--format %s: jpeg, png, webp or npy", value);
        args->picture.format = (enum sc_picture_format)v;
        args->format_set = true;
        return 0;
    default:
        return sc_cli_usage(&sc_cmd_frame, "unknown or incomplete option");
    }
}

static int parse(struct args *args, int argc, char **argv)
{
    static const struct option flags[] = {
        {"width", required_argument, NULL, 'w'},
        {"height", required_argument, NULL, 'h'},
        {"fit", required_argument, NULL, 'F'},
        {"quality", required_argument, NULL, 'q'},
        {"format", required_argument, NULL, 'f'},
        {"output", required_argument, NULL, 'o'},
        {"hash", no_argument, NULL, 'H'},
        {"all", no_argument, NULL, 'a'},
        SC_CLI_MODEL_FLAGS,
        {0},
    };
    int c, status = 0;
    args->wishes = sc_xcalloc((size_t)argc + 1, sizeof(*args->wishes));
    while (!status && (c = getopt_long(argc, argv, "n:t:o:w:h:q:f:", flags, NULL)) != -1)
        status = one_flag(args, c, optarg);
    if (status)
        return status;
    if (optind + 1 != argc)
        return sc_cli_usage(&sc_cmd_frame, "exactly one FILE is needed");
    if (args->hash && args->model.path)
        return sc_cli_usage(&sc_cmd_frame, "--hash is of frames without boxes: no --model");
    args->video = argv[optind];
    if (!args->count)
        args->wishes[args->count++] = (struct wish){"0", WISH_NUMBER};
    const char *dot = args->output ? strrchr(args->output, '.') : NULL;
    int by_name = dot ? format_of(dot + 1) : -1;
    if (!args->format_set && by_name >= 0)
        args->picture.format = (enum sc_picture_format)by_name;
    return 0;
}

static int run_job(struct job *job, sc_err *err)
{
    const struct args *args = job->args;
    bool built;
    int ret = sc_cli_open_index(&job->ix, args->video, NULL, false, &built, err);
    if (ret < 0)
        return ret;
    job->engine = sc_reader_engine_open(&(struct sc_reader_engine_params){.no_prefetch = true});
    if (!job->engine)
        return sc_fail(err, SC_EINTERNAL, "no thread can be started");
    job->reader = sc_reader_open(job->engine, job->ix, args->video);
    job->ctx = sc_picture_ctx_new();
    if (args->model.path) {
        ret = sc_cli_model_open(&job->model, &args->model, err);
        job->overlay = sc_overlay_open(NULL);
    }
    const char *first = args->wishes[0].text;
    job->many = args->count > 1 || args->wishes[0].kind == WISH_ALL ||
                (args->wishes[0].kind == WISH_NUMBER && strpbrk(first, ",-"));
    for (int i = 0; ret >= 0 && i < args->count; i++)
        ret = grant(job, &args->wishes[i], err);
    return ret;
}

static int run(int argc, char **argv)
{
    struct args args = {0};
    sc_err err = {0};
    int status = parse(&args, argc, argv);
    if (!status) {
        struct job job = {.args = &args};
        int ret = run_job(&job, &err);
        if (ret == SC_ESTALE) { // replaced under the same date: index it anew, once
            sc_reader_close(&job.reader);
            sc_err again = {0};
            char *path = sc_cli_index_path(args.video, &again);
            if (path)
                remove(path);
            free(path);
        }
        if (ret < 0)
            status = sc_cli_fail(&sc_cmd_frame, &err, ret);
        sc_reader_close(&job.reader);
        sc_reader_engine_close(&job.engine);
        sc_picture_ctx_free(&job.ctx);
        sc_overlay_close(&job.overlay);
        sc_cli_model_close(&job.model);
        sc_index_unref(&job.ix);
    }
    free(args.wishes);
    return status;
}

const struct sc_command sc_cmd_frame = {
    .name = "frame",
    .summary = "frames of a video to picture files, or their hashes",
    .help =
        "usage: saccade frame FILE [-n N | -t S]... [-o OUT] [OPTIONS]\n\n"
        "Writes exactly the frames asked for, upright and in their true shape.\n\n"
        "  -n N           frame number from 0; also a list 0,20,40 or a range 10-19\n"
        "  -t S           the frame on screen at S seconds from the first frame\n"
        "  --all          every frame\n"
        "  -o OUT         file to write; %d becomes the frame number; - is standard output\n"
        "  --hash         no picture: a line n,t,width,height,pix_fmt,md5 a frame, where md5\n"
        "                 is what `ffmpeg -f framemd5` gives for the frame as decoded\n"
        "  -f, --format   jpeg (default), png, webp, npy; else by OUT's ending\n"
        "  -w, --width    -h, --height    size; one alone keeps the shape\n"
        "  --fit          contain (default), cover, fill: with both width and height\n"
        "  -q, --quality  1 to 100, default 85\n\n"
        "  --model MODEL draws boxes around what it finds, with\n" SC_CLI_MODEL_HELP,
    .run = run,
};
