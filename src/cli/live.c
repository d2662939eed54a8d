// saccade live: from a camera, an address or a file to outputs, with a model on the way.
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"
#include "cli/command.h"
#include "cli/model.h"
#include "pipeline/live.h"
#include "vision/model_batch.h"

#define LOOK_MS 500 // between two states of the status line

struct args {
    struct sc_live_params live;
    struct sc_cli_model_args model;
    char url[512]; // of the input, secrets hidden
    bool json;
};

// --- arguments --------------------------------------------------------------------------------

// "4M", "800k" or bits a second.
static bool parse_bitrate(const char *text, int64_t *bits)
{
    char number[32];
    size_t len = strlen(text);
    double unit = 1, value;
    if (len && strchr("kKmM", text[len - 1]))
        unit = strchr("kK", text[--len]) ? 1e3 : 1e6;
    if (len >= sizeof(number))
        return false;
    snprintf(number, sizeof(number), "%.*s", (int)len, text);
    if (!sc_parse_double(number, 0, 1e9 / unit, &value))
        return false;
    *bits = llround(value * unit);
    return *bits >= 10000;
}

static bool parse_frame_size(const char *text, int *width, int *height)
{
    const char *x = strchr(text, 'x');
    char left[16];
    int64_t w, h;
    if (!x || (size_t)(x - text) >= sizeof(left))
        return false;
    snprintf(left, sizeof(left), "%.*s", (int)(x - text), text);
    if (!sc_parse_int(left, 2, 8192, &w) || !sc_parse_int(x + 1, 2, 8192, &h))
        return false;
    *width = (int)w;
    *height = (int)h;
    return w % 2 == 0 && h % 2 == 0;
}

static int set_tracker(struct args *args, const char *value)
{
    value = value ? value : "bytetrack";
    int kind = sc_tracker_kind_find(value);
    if (kind < 0)
        return sc_cli_usage(&sc_cmd_live, "--tracker %s: bytetrack, ocsort or sort", value);
    args->live.track = true;
    args->live.tracker = (enum sc_tracker_kind)kind;
    return 0;
}

static int set_number(struct args *args, int c, const char *value)
{
    struct sc_live_params *p = &args->live;
    switch (c) {
    case 'r':
        return sc_parse_double(value, 0.1, 1000, &p->fps)
                   ? 0
                   : sc_cli_usage(&sc_cmd_live, "--fps %s: must be 0.1 to 1000", value);
    case 'b':
        return parse_bitrate(value, &p->bitrate)
                   ? 0
                   : sc_cli_usage(&sc_cmd_live, "--bitrate %s: such as 4M or 800k", value);
    case 's':
        return parse_frame_size(value, &p->width, &p->height)
                   ? 0
                   : sc_cli_usage(&sc_cmd_live, "--size %s: such as 1280x720, both even",
                                  value);
    default:
        return sc_parse_duration(value, 1, 10 * SC_NS_PER_S, &p->delay_ns)
                   ? 0
                   : sc_cli_usage(&sc_cmd_live, "--delay %s: such as 200ms, up to 10s", value);
    }
}

static int set_camera(struct args *args, const char *value)
{
    sc_err err = {0};
    int ret = sc_live_camera_parse(&args->live.camera, value, &err);
    return ret < 0 ? sc_cli_usage(&sc_cmd_live, "--%s", err.text) : 0;
}

static int one_flag(struct args *args, int c, char *value)
{
    struct sc_live_params *p = &args->live;
    if (c >= SC_MODEL_FLAG && c < SC_MODEL_FLAG_END)
        return sc_cli_model_flag(&sc_cmd_live, &args->model, c, value);
    switch (c) {
    case 't':
        return set_tracker(args, NULL);
    case 'T':
        return set_tracker(args, value);
    case 'c':
        return set_camera(args, value);
    case 'o':
        p->overlay = true;
        return 0;
    case 'k':
        p->clock = true;
        return 0;
    case 'C':
        p->codec = value;
        return 0;
    case 'p':
        p->preset = value;
        return 0;
    case 'q':
        p->no_sound = true;
        return 0;
    case 'R':
        p->realtime = true;
        return 0;
    case 'l':
        p->input.loop = true;
        return 0;
    case 'n':
        p->lines = value;
        return 0;
    case 'x':
        p->input.transport = value;
        return 0;
    case 'y':
        p->trace_path = value;
        return 0;
    case 'J':
        args->json = true;
        return 0;
    case '?':
        return sc_cli_usage(&sc_cmd_live, "unknown or incomplete option");
    default:
        return set_number(args, c, value);
    }
}

static int check(struct args *args, int argc, char **argv)
{
    int count = argc - optind - 1;
    if (count < 0)
        return sc_cli_usage(&sc_cmd_live, "INPUT is needed: an address, a file, or testsrc:");
    if (!count && !args->live.lines)
        return sc_cli_usage(&sc_cmd_live,
                            "an OUTPUT is needed: a file, an address, or --lines FILE");
    if (count > SC_LIVE_OUTPUTS)
        return sc_cli_usage(&sc_cmd_live, "at most %d outputs", SC_LIVE_OUTPUTS);
    args->live.input.url = argv[optind];
    sc_url_hide(argv[optind], args->url, sizeof(args->url));
    for (int i = 0; i < count; i++)
        args->live.outputs[i] = argv[optind + 1 + i];
    bool needs =
        args->live.overlay || args->live.track || args->live.camera.on || args->live.lines;
    if (needs && !args->model.path)
        return sc_cli_usage(&sc_cmd_live,
                            "--model is needed for --overlay, --track, --camera and --lines");
    return 0;
}

static int parse(struct args *args, int argc, char **argv)
{
    static const struct option flags[] = {
        SC_CLI_MODEL_FLAGS,
        {"track", no_argument, NULL, 't'},
        {"tracker", required_argument, NULL, 'T'},
        {"camera", required_argument, NULL, 'c'},
        {"overlay", no_argument, NULL, 'o'},
        {"clock", no_argument, NULL, 'k'},
        {"lines", required_argument, NULL, 'n'},
        {"size", required_argument, NULL, 's'},
        {"fps", required_argument, NULL, 'r'},
        {"bitrate", required_argument, NULL, 'b'},
        {"codec", required_argument, NULL, 'C'},
        {"preset", required_argument, NULL, 'p'},
        {"no-sound", no_argument, NULL, 'q'},
        {"realtime", no_argument, NULL, 'R'},
        {"loop", no_argument, NULL, 'l'},
        {"delay", required_argument, NULL, 'd'},
        {"transport", required_argument, NULL, 'x'},
        {"trace", required_argument, NULL, 'y'},
        {"json", no_argument, NULL, 'J'},
        {0},
    };
    int c, status = 0;
    while (!status && (c = getopt_long(argc, argv, "", flags, NULL)) != -1)
        status = one_flag(args, c, optarg);
    return status ? status : check(args, argc, argv);
}

// --- how it goes ------------------------------------------------------------------------------

static void add_outputs(sc_str *line, const struct sc_live_status *s)
{
    for (int i = 0; i < s->output_count; i++) {
        const struct sc_live_output_info *o = &s->outputs[i].info;
        sc_str_addf(line, "  %s %s", o->kind && *o->kind ? o->kind : "output",
                    sc_live_output_state_name(o->state));
        if (o->drops)
            sc_str_addf(line, " (%" PRId64 " dropped)", o->drops);
    }
}

// One line, as long as the terminal has room.
static void show_line(const struct sc_live_status *s, bool detects)
{
    sc_str line = {0};
    int seconds = (int)(s->uptime_ns / SC_NS_PER_S);
    sc_str_addf(&line, "%s %d:%02d  %dx%d", sc_live_phase_name(s->phase), seconds / 60,
                seconds % 60, s->width, s->height);
    if (s->phase == SC_LIVE_PHASE_RECONNECTING && s->reason[0])
        sc_str_addf(&line, "  %s", s->reason);
    sc_str_addf(&line, "  %.1f fps", s->out_fps);
    if (detects)
        sc_str_addf(&line, "  detects %.1f/s in %.0f ms  objects %d", s->detect_fps,
                    (double)s->detect_p50_ns / 1e6, s->objects);
    sc_str_addf(&line, "  behind %.0f ms", (double)s->latency_p50_ns / 1e6);
    if (s->late)
        sc_str_addf(&line, "  late %" PRId64, s->late);
    add_outputs(&line, s);
    fprintf(stderr, "\r\033[K%.*s", 150, line.s);
    sc_str_release(&line);
}

static json_t *output_json(const struct sc_live_status *s, int i)
{
    const struct sc_live_output_info *o = &s->outputs[i].info;
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "url", s->outputs[i].url, "state",
                     sc_live_output_state_name(o->state), "reason", o->reason, "frames",
                     (json_int_t)o->frames, "bytes", (json_int_t)o->bytes, "drops",
                     (json_int_t)o->drops, "retries", (json_int_t)o->retries);
}

static void show_json(const struct sc_live_status *s)
{
    json_t *outputs = json_array();
    for (int i = 0; i < s->output_count; i++)
        json_array_append_new(outputs, output_json(s, i));
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:f, s:s, s:i, s:i, s:I, s:I, s:f, s:I, s:I, s:I, s:f, s:i, s:f, s:f, "
        "s:o}",
        "pipeline", s->choice.name, "state", sc_live_phase_name(s->phase), "reason", s->reason,
        "uptime", (double)s->uptime_ns / 1e9, "codec", s->codec, "width", s->width, "height",
        s->height, "frames", (json_int_t)s->frames, "encoded", (json_int_t)s->encoded, "fps",
        s->out_fps, "late", (json_int_t)s->late, "reconnects", (json_int_t)s->reconnects,
        "detected", (json_int_t)s->detected, "detect_fps", s->detect_fps, "objects", s->objects,
        "latency_p50_ms", (double)s->latency_p50_ns / 1e6, "latency_p95_ms",
        (double)s->latency_p95_ns / 1e6, "outputs", outputs);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    if (text)
        puts(text);
    fflush(stdout);
    free(text);
    json_decref(json);
}

static void show(sc_live *live, const struct args *args, bool last)
{
    struct sc_live_status status;
    bool terminal = isatty(STDERR_FILENO);
    if (!args->json && !terminal && !last)
        return;
    sc_live_get_status(live, &status);
    if (args->json)
        show_json(&status);
    else if (terminal)
        show_line(&status, args->model.path);
    if (last && terminal && !args->json)
        fputc('\n', stderr);
}

// What was done, in a line or two.
static void sum_up(sc_live *live, const struct args *args)
{
    struct sc_live_status s;
    sc_live_get_status(live, &s);
    double seconds = (double)s.uptime_ns / 1e9;
    fprintf(stderr, "%" PRId64 " pictures in, %" PRId64 " out in %.1f s (%.1f fps)", s.frames,
            s.encoded, seconds, (double)s.encoded / seconds);
    if (args->model.path)
        fprintf(stderr, ", %" PRId64 " looked at", s.detected);
    if (s.objects_so_far)
        fprintf(stderr, ", %" PRId64 " objects tracked", s.objects_so_far);
    if (s.late)
        fprintf(stderr, ", %" PRId64 " late", s.late);
    fputc('\n', stderr);
    for (int i = 0; i < s.output_count; i++) {
        const struct sc_live_output_info *o = &s.outputs[i].info;
        bool failed = o->state == SC_OUTPUT_FAILED;
        fprintf(stderr, "%s: %s, %" PRId64 " pictures, %.1f MB%s%s%s%s\n", s.outputs[i].url,
                sc_live_output_state_name(o->state), o->frames, (double)o->bytes / 1e6,
                o->sound[0] ? ", sound " : "", o->sound, failed ? ": " : "",
                failed ? o->reason : "");
    }
}

// --- the work ---------------------------------------------------------------------------------

static int watch(sc_live *live, const struct args *args, sc_err *err)
{
    bool stopping = false;
    int ret;
    while ((ret = sc_live_wait(live, args->json ? 2 * LOOK_MS : LOOK_MS, err)) == SC_EAGAIN) {
        if (!stopping && sc_cancel_requested(sc_cli_cancel())) {
            sc_live_stop(live);
            stopping = true;
        }
        show(live, args, false);
    }
    show(live, args, true);
    if (!args->json)
        sum_up(live, args);
    return ret;
}

// What was chosen for this machine: on a terminal, where somebody may wonder.
static void say_choice(sc_live *live, const struct args *args)
{
    struct sc_live_status s;
    sc_live_get_status(live, &s);
    if (!args->json && isatty(STDERR_FILENO))
        fprintf(stderr, "pipeline: %s (%s)\n", s.choice.name, s.choice.reason);
}

static int open_model(struct args *args, struct sc_cli_model *model, sc_batcher **pbatcher,
                      sc_err *err)
{
    if (!args->model.path)
        return SC_OK;
    int ret = sc_cli_model_open(model, &args->model, err);
    if (ret >= 0)
        ret = sc_model_batcher_open(pbatcher, model->model, NULL, NULL, err);
    if (ret < 0)
        return ret;
    args->live.model = (struct sc_live_model){.batcher = *pbatcher,
                                              .name = model->info->name,
                                              .labels = model->info->labels,
                                              .classes = model->info->classes,
                                              .threshold = model->threshold};
    return SC_OK;
}

static int run_live(struct args *args, sc_err *err)
{
    struct sc_cli_model model = {0};
    sc_batcher *batcher = NULL;
    sc_live *live = NULL;
    sc_log *log = sc_cli_log();
    args->live.log = log;
    int ret = open_model(args, &model, &batcher, err);
    if (ret >= 0)
        ret = sc_live_open(&live, &args->live, err);
    if (ret >= 0)
        say_choice(live, args);
    if (ret >= 0)
        ret = watch(live, args, err);
    sc_live_close(&live);
    sc_batcher_close(&batcher);
    sc_cli_model_close(&model);
    sc_log_close(&log);
    return ret;
}

static int run(int argc, char **argv)
{
    struct args args = {0};
    sc_err err = {0};
    int status = parse(&args, argc, argv);
    if (status)
        return status;
    sc_cli_cancel(); // before any thread
    int ret = run_live(&args, &err);
    return ret < 0 ? sc_cli_fail(&sc_cmd_live, &err, ret) : 0;
}

const struct sc_command sc_cmd_live = {
    .name = "live",
    .summary = "a camera or file to RTMP, SRT, RTSP, HLS or files, with detection on the way",
    .help =
        "usage: saccade live INPUT OUTPUT... [--model MODEL] [OPTIONS]\n\n"
        "INPUT    rtsp://, rtmp://, srt://, udp://, http(s):// (HLS too), a file, or testsrc:\n"
        "OUTPUT   rtmp://, srt://, rtsp://, udp://, DIR/index.m3u8 (HLS), FILE.mp4, .mkv, .ts\n"
        "All outputs share one encode. A source or an output that is lost comes back by "
        "itself.\n"
        "From a file to files nothing is dropped and it goes as fast as the machine can;\n"
        "otherwise the source's time is kept. Ctrl-C ends it well, a second one at once.\n\n"
        "  --model MODEL     an .onnx file, or a name that `saccade models` shows as here\n"
        "  --overlay         draw boxes and labels\n"
        "  --track           follow objects: ids that stay (--tracker bytetrack, ocsort, "
        "sort)\n"
        "  --camera SPEC     a virtual camera, such as follow=ball,aspect=16:9,zoom=2; follow "
        "is\n"
        "                    action, classes joined by +, or track:7; ahead=500ms looks ahead\n"
        "  --clock           draw a clock that programs read, to measure delays\n"
        "  --lines FILE      detections as JSON lines; - is standard output\n"
        "  --size WxH        of the picture that is encoded; the source's by default\n"
        "  --fps N           at most; the source's by default\n"
        "  --bitrate N       such as 4M; by default by size for the net, by quality for files\n"
        "  --codec NAME      libavcodec's encoder; libx264 by default\n"
        "  --preset NAME     of the encoder\n"
        "  --no-sound        leave the sound out; else it is passed through\n"
        "  --realtime        keep the source's time, also from a file to files\n"
        "  --loop            a file from the start again at its end\n"
        "  --delay TIME      a picture waits for its detections so long; 200ms by default\n"
        "  --transport T     RTSP over tcp (default) or udp\n"
        "  --trace FILE      what each stage did when, for ui.perfetto.dev\n"
        "  --json            how it goes, as a JSON line a second\n" SC_CLI_MODEL_HELP,
    .run = run,
};
