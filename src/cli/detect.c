// saccade detect: what a model finds in a video, as lines or as a video with boxes.
#include "cli/detect.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

extern const struct sc_command sc_cmd_detect;

// --- which frames -----------------------------------------------------------------------------

static int add_range(void *arg, int64_t from, int64_t to, sc_err *err)
{
    struct sc_detect_selection *sel = arg;
    int64_t more = to - from + 1;
    if (from < 0 || to >= sel->to)
        return sc_fail(err, SC_ERANGE,
                       "--frames: there is no frame %" PRId64 ": valid are 0 to %" PRId64,
                       from < 0 || from >= sel->to ? from : to, sel->to - 1);
    if (sel->count > sel->to) // every one of them twice is enough for anybody
        return sc_fail(err, SC_ELIMIT, "--frames: more frames than the video has");
    int64_t *list = sc_try_realloc(sel->list, (size_t)(sel->count + more), sizeof(*list));
    if (!list)
        return sc_fail(err, SC_ENOMEM, "out of memory");
    sel->list = list;
    while (from <= to)
        list[sel->count++] = from++;
    return SC_OK;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// A video goes forward only.
static void sort_list(struct sc_detect_selection *sel)
{
    int64_t kept = 0;
    qsort(sel->list, (size_t)sel->count, sizeof(*sel->list), compare);
    for (int64_t i = 0; i < sel->count; i++) {
        if (!kept || sel->list[kept - 1] != sel->list[i])
            sel->list[kept++] = sel->list[i];
    }
    sel->count = kept;
}

// The frame on screen at t, or `beyond` for a time behind the end where that is allowed.
static int at_time(sc_index *ix, const char *name, const char *t, int64_t beyond, int64_t *n,
                   sc_err *err)
{
    char end[64];
    int ret = sc_index_find_time(ix, t, n);
    if (ret == SC_ERANGE && beyond >= 0) {
        *n = beyond;
        return SC_OK;
    }
    if (ret == SC_EARG)
        return sc_fail(err, ret, "%s %s: not a time in seconds such as 5.2", name, t);
    if (ret < 0)
        return sc_fail(err, ret, "%s %s: beyond the end; valid are times from 0 to below %s",
                       name, t, sc_index_format_duration(ix, end, sizeof(end)));
    return SC_OK;
}

static int select_frames(struct sc_detect_selection *sel, const struct sc_detect_args *args,
                         sc_index *ix, sc_err *err)
{
    int64_t frames = sc_index_get_info(ix)->frames;
    *sel = (struct sc_detect_selection){.to = frames, .every = args->every ? args->every : 1};
    int ret = SC_OK;
    if (args->frames) {
        ret = sc_cli_numbers("--frames", args->frames, add_range, sel, err);
        if (ret >= 0 && args->annotate)
            sort_list(sel);
        return ret;
    }
    if (args->from)
        ret = at_time(ix, "--from", args->from, -1, &sel->from, err);
    if (ret >= 0 && args->to)
        ret = at_time(ix, "--to", args->to, frames, &sel->to, err);
    if (ret >= 0 && sel->from >= sel->to)
        ret = sc_fail(err, SC_ERANGE, "--from and --to: there is no frame between them");
    sel->count = (sel->to - sel->from + sel->every - 1) / sel->every;
    return ret;
}

// --- the work ---------------------------------------------------------------------------------

static void say_totals(const struct sc_cli_model *model, const struct sc_detect_totals *totals,
                       bool tracked, double seconds)
{
    const struct sc_model_info *info = model->info;
    const char *reason = info->session->reason;
    char tracks[64] = "";
    if (tracked)
        snprintf(tracks, sizeof(tracks), ", %" PRId64 " tracks", totals->tracks);
    fprintf(stderr,
            "%" PRId64 " frames, %" PRId64 " objects%s in %.2f s (%.1f fps), %s (%s) by %s\n",
            totals->frames, totals->objects, tracks, seconds,
            seconds > 0 ? (double)totals->frames / seconds : 0.0, info->name, info->family,
            info->session->provider_name);
    if (model->chosen && *reason && sc_provider_gpu_seen()) // else nobody wonders
        fprintf(stderr, "why this provider: %.200s%s\n", reason,
                strlen(reason) > 200 ? "..." : "");
}

struct job {
    const struct sc_detect_args *args;
    sc_index *ix;
    struct sc_cli_model model;
    struct sc_detect_selection selection;
    struct sc_detect_stages *stages;
    struct sc_detect_output *output;
};

// Until all is written.
static int await(struct job *job, int64_t started, sc_err *err)
{
    struct sc_progress progress;
    int ret;
    sc_progress_init(&progress, "detecting", false);
    do {
        ret = sc_detect_stages_wait(job->stages, 100, err);
        double done = (double)sc_detect_stages_written(job->stages);
        progress.rate = done * 1e9 / (double)(sc_clock_now() - started + 1);
        sc_progress_update(&progress, done / (double)job->selection.count);
    } while (ret == SC_EAGAIN);
    sc_progress_done(&progress);
    return ret;
}

static int detect(struct job *job, sc_err *err)
{
    const struct sc_detect_args *args = job->args;
    int ret =
        sc_detect_output_open(&job->output, args, &job->selection, job->ix, &job->model, err);
    if (ret < 0)
        return ret;
    int64_t started = sc_clock_now();
    ret = sc_detect_stages_open(&job->stages, args->video, job->ix, &job->selection,
                                &job->model, job->output, err);
    if (ret >= 0)
        ret = await(job, started, err);
    bool interrupted = sc_cancel_requested(sc_cli_cancel());
    const struct sc_detect_totals *totals = sc_detect_output_totals(job->output);
    if (ret >= 0 && interrupted && !totals->frames)
        return sc_fail(err, SC_ECANCELLED, "interrupted before the first frame");
    if (ret >= 0)
        ret = sc_detect_output_finish(job->output, !interrupted, err);
    if (ret < 0)
        return ret;
    sc_detect_output_say(job->output);
    say_totals(&job->model, totals, args->track, (double)(sc_clock_now() - started) / 1e9);
    if (interrupted)
        return sc_fail(err, SC_ECANCELLED,
                       "interrupted after %" PRId64 " of %" PRId64 " frames", totals->frames,
                       job->selection.count);
    return SC_OK;
}

// Writing over what is being read would leave neither.
static int check_output(const struct sc_detect_args *args, sc_err *err)
{
    struct stat in, out;
    if (args->output && args->video && !stat(args->video, &in) && !stat(args->output, &out) &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return sc_fail(err, SC_EARG, "-o %s: that is the video itself", args->output);
    return SC_OK;
}

static int run_job(struct job *job, sc_err *err)
{
    bool built;
    int ret = check_output(job->args, err);
    if (ret >= 0)
        ret = sc_cli_open_index(&job->ix, job->args->video, NULL, false, &built, err);
    if (ret >= 0)
        ret = select_frames(&job->selection, job->args, job->ix, err);
    if (ret >= 0)
        ret = sc_cli_model_open(&job->model, &job->args->model, err);
    return ret < 0 ? ret : detect(job, err);
}

// --- arguments --------------------------------------------------------------------------------

static int tracker_flag(struct sc_detect_args *args, const char *name)
{
    int kind = sc_tracker_kind_find(name);
    if (kind < 0)
        return sc_cli_usage(&sc_cmd_detect, "--tracker %s: must be bytetrack, ocsort or sort",
                            name);
    args->tracker = (enum sc_tracker_kind)kind;
    args->track = true;
    return 0;
}

static int one_flag(struct sc_detect_args *args, int c, char *value)
{
    if (c >= SC_MODEL_FLAG && c < SC_MODEL_FLAG_END)
        return sc_cli_model_flag(&sc_cmd_detect, &args->model, c, value);
    switch (c) {
    case 'o':
        args->output = value;
        return 0;
    case 'f':
        args->frames = value;
        return 0;
    case 'e':
        return sc_parse_int(value, 1, INT32_MAX, &args->every)
                   ? 0
                   : sc_cli_usage(&sc_cmd_detect, "--every %s: must be 1 or more", value);
    case 'a':
        args->from = value;
        return 0;
    case 'b':
        args->to = value;
        return 0;
    case 'c':
        args->classes[args->class_count++] = value;
        return 0;
    case 't':
        args->track = true;
        return 0;
    case 'T':
        return tracker_flag(args, value);
    case 'J':
    case 'C':
        args->format = c == 'J' ? SC_DETECT_JSON : SC_DETECT_CSV;
        args->format_set = true;
        return 0;
    default:
        return sc_cli_usage(&sc_cmd_detect, "unknown or incomplete option");
    }
}

// Lines or a video, by the ending; lines beside a video only where they are asked for.
static int judge_output(struct sc_detect_args *args)
{
    static const struct {
        const char *ending;
        bool video;
        enum sc_detect_format format;
    } endings[] = {
        {".jsonl", false, SC_DETECT_JSON}, {".ndjson", false, SC_DETECT_JSON},
        {".json", false, SC_DETECT_JSON},  {".csv", false, SC_DETECT_CSV},
        {".mp4", true, SC_DETECT_NONE},    {".mkv", true, SC_DETECT_NONE},
        {".mov", true, SC_DETECT_NONE},    {".m4v", true, SC_DETECT_NONE},
    };
    const char *dot = args->output ? strrchr(args->output, '.') : NULL;
    if (!args->output || !strcmp(args->output, "-"))
        return 0;
    for (size_t i = 0; dot && i < SC_COUNT(endings); i++) {
        if (strcasecmp(dot, endings[i].ending))
            continue;
        args->annotate = endings[i].video;
        if (!args->format_set)
            args->format = endings[i].format;
        return 0;
    }
    if (args->format_set)
        return 0;
    return sc_cli_usage(&sc_cmd_detect, "-o %s: must end in .jsonl, .csv, .mp4, .mkv or .mov",
                        args->output);
}

static int check(struct sc_detect_args *args, int argc, char **argv)
{
    if (optind + 1 != argc)
        return sc_cli_usage(&sc_cmd_detect, "exactly one FILE is needed");
    args->video = argv[optind];
    if (!args->model.path)
        return sc_cli_usage(&sc_cmd_detect,
                            "--model is needed: an .onnx file, or the name of a fetched one");
    if (args->frames && (args->every || args->from || args->to))
        return sc_cli_usage(&sc_cmd_detect,
                            "--frames goes with neither --every, --from nor --to");
    return judge_output(args);
}

static int parse(struct sc_detect_args *args, int argc, char **argv)
{
    static const struct option flags[] = {
        SC_CLI_MODEL_FLAGS,
        {"output", required_argument, NULL, 'o'},
        {"frames", required_argument, NULL, 'f'},
        {"every", required_argument, NULL, 'e'},
        {"from", required_argument, NULL, 'a'},
        {"to", required_argument, NULL, 'b'},
        {"class", required_argument, NULL, 'c'},
        {"track", no_argument, NULL, 't'},
        {"tracker", required_argument, NULL, 'T'},
        {"json", no_argument, NULL, 'J'},
        {"csv", no_argument, NULL, 'C'},
        {0},
    };
    int c, status = 0;
    args->classes = sc_xcalloc((size_t)argc + 1, sizeof(*args->classes));
    while (!status && (c = getopt_long(argc, argv, "o:", flags, NULL)) != -1)
        status = one_flag(args, c, optarg);
    return status ? status : check(args, argc, argv);
}

static int run(int argc, char **argv)
{
    struct sc_detect_args args = {0};
    sc_err err = {0};
    int status = parse(&args, argc, argv);
    if (!status) {
        struct job job = {.args = &args};
        sc_cli_cancel(); // before any thread
        int ret = run_job(&job, &err);
        if (ret < 0)
            status = sc_cli_fail(&sc_cmd_detect, &err, ret);
        sc_detect_stages_close(&job.stages);
        sc_detect_output_close(&job.output);
        sc_cli_model_close(&job.model);
        sc_index_unref(&job.ix);
        free(job.selection.list);
    }
    free(args.classes);
    return status;
}

const struct sc_command sc_cmd_detect = {
    .name = "detect",
    .summary = "what a model finds in a video: JSON lines, CSV, or a video with boxes",
    .help = "usage: saccade detect FILE --model MODEL [-o OUT] [OPTIONS]\n\n"
            "Writes a JSON line a frame, CSV, or the video with boxes and labels drawn (H.264, "
            "sound\n"
            "copied, times and view kept). Boxes are in pixels of the displayed picture.\n\n"
            "  --model MODEL     an .onnx file, or a name that `saccade models` shows as here\n"
            "  -o OUT            .jsonl, .csv, .mp4, .mkv or .mov; standard output without\n"
            "  --json, --csv     the form of lines; beside a video they go to standard output\n"
            "  --frames LIST     numbers from 0, such as 0,20,40 or 10-19\n"
            "  --every K         every K-th frame\n"
            "  --from S, --to S  from the frame on screen at S seconds to before that at S\n"
            "  --track           gives objects ids that stay; weak boxes that continue one are "
            "shown too\n"
            "  --tracker T       bytetrack (default), ocsort or sort; implies --track\n"
            "  --class NAME      only this class, by name or number; may be given "
            "again\n" SC_CLI_MODEL_HELP,
    .run = run,
};
