// saccade demo: makes a clip, serves it, and does the main job on it through HTTP.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "app/models.h"
#include "app/streams.h"
#include "app/videos.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/demo_detect.h"
#include "cli/demo_live.h"
#include "cli/settings.h"
#include "http/server.h"
#include "media/clip.h"

extern const struct sc_command sc_cmd_demo;

#define DEMO_ID "demo"
#define FRAMES  12 // fetched and checked

struct demo {
    const char *clip; // a file of the user's, or NULL: one is made
    int64_t seconds, seed;
    bool once, json;
    char folder[64]; // temporary, removed at the end
    char *made;      // the clip made there
    sc_options *options;
    sc_log *log;
    sc_app *app;
    sc_http *http;
    sc_client *client;
    char model[65]; // that the page and the live stream use
    bool live;      // the stream is there
    int failures;
};

// --- the clip -----------------------------------------------------------------------------------

static void clip_progress(void *arg, int64_t done, int64_t frames)
{
    sc_progress_update(arg, (double)done / (double)frames);
}

static int make_clip(struct demo *demo, sc_err *err)
{
    struct sc_progress progress;
    sc_str path = {0};
    if (demo->clip)
        return SC_OK;
    sc_str_addf(&path, "%s/match.mp4", demo->folder);
    demo->made = sc_str_detach(&path);
    demo->clip = demo->made;
    sc_progress_init(&progress, "making a clip", demo->json);
    int64_t started = sc_clock_now();
    int ret = sc_clip_write(demo->made,
                            &(struct sc_clip_params){
                                .scene.seed = (uint64_t)demo->seed,
                                .frames = demo->seconds * 30,
                                .progress = clip_progress,
                                .progress_arg = &progress,
                                .cancel = sc_cli_cancel(),
                            },
                            err);
    sc_progress_done(&progress);
    if (ret >= 0 && !demo->json)
        printf("made a clip     %" PRId64 " s of a football match, 1280x720, in %.1f s\n",
               demo->seconds, (double)(sc_clock_now() - started) / 1e9);
    return ret;
}

// --- the main job, through HTTP --------------------------------------------------------------

static int refused(const struct sc_reply *reply, const char *what, sc_err *err)
{
    return sc_fail(err, SC_EIO, "%s: the server answered %d: %.200s", what, reply->status,
                   sc_str_get(&reply->body));
}

static int upload(struct demo *demo, sc_err *err)
{
    struct sc_progress progress;
    struct sc_reply reply;
    const char *name = strrchr(demo->clip, '/');
    sc_str path = {0};
    name = name ? name + 1 : demo->clip;
    sc_str_add(&path, "/api/v1/videos?id=" DEMO_ID "&name=");
    for (const char *p = name; *p; p++) // everything escaped is right, if not pretty
        sc_str_addf(&path, "%%%02X", (unsigned char)*p);
    sc_progress_init(&progress, "uploading", demo->json);
    int ret = sc_client_upload(demo->client, path.s, demo->clip, sc_progress_update, &progress,
                               &reply, err);
    sc_progress_done(&progress);
    sc_str_release(&path);
    if (ret < 0)
        return ret;
    if (reply.status == 409)
        printf("uploaded before video %s is there already\n", DEMO_ID);
    else if (reply.status != 201)
        ret = refused(&reply, "upload", err);
    else if (!demo->json)
        printf("uploaded it     stored and indexed in %.0f ms\n", reply.seconds * 1000);
    sc_client_release(&reply);
    return ret;
}

// The frame number stamped into the picture of a made clip, from a (h, w, 3) npy; -1 none.
static int read_stamp(const sc_str *npy, int width, int height)
{
    size_t pixels = (size_t)width * (size_t)height;
    AVFrame *grey = av_frame_alloc();
    int n = -1;
    if (grey && npy->len >= pixels * 3) {
        grey->format = AV_PIX_FMT_GRAY8;
        grey->width = width;
        grey->height = height;
        if (av_frame_get_buffer(grey, 0) >= 0) {
            const char *rgb = npy->s + npy->len - pixels * 3;
            for (size_t i = 0; i < pixels; i++) // the stamp is grey: green stands for luma
                grey->data[0][i / (size_t)width * (size_t)grey->linesize[0] +
                              i % (size_t)width] = (uint8_t)rgb[i * 3 + 1];
            n = sc_scene_read_stamp(grey);
        }
    }
    av_frame_free(&grey);
    return n;
}

struct row {
    int64_t n;
    char time[32], cold_cache[16], warm_cache[16];
    double cold_ms, warm_ms;
    size_t bytes;
    const char *verdict;
};

static int get_frame(struct demo *demo, int64_t n, const char *query, struct sc_reply *reply,
                     sc_err *err)
{
    char path[128];
    snprintf(path, sizeof(path), "/api/v1/videos/" DEMO_ID "/frame?n=%" PRId64 "%s", n, query);
    int ret = sc_client_get(demo->client, path, reply, err);
    if (ret >= 0 && reply->status != 200) {
        ret = refused(reply, path, err);
        sc_client_release(reply);
    }
    return ret;
}

static const char *judge(const struct demo *demo, int64_t n, const struct sc_reply *cold,
                         const struct sc_reply *warm, const struct sc_reply *npy, int width,
                         int height)
{
    char number[32];
    sc_client_header(cold, "X-Frame-Number", number, sizeof(number));
    if (strtoll(number, NULL, 10) != n)
        return "WRONG NUMBER";
    if (cold->body.len != warm->body.len || memcmp(cold->body.s, warm->body.s, cold->body.len))
        return "CACHE DIFFERS";
    if (demo->made && read_stamp(&npy->body, width, height) != (int)(n & 0xffff))
        return "WRONG PICTURE";
    return "exact";
}

static int check_frame(struct demo *demo, int64_t n, int width, int height, struct row *row,
                       sc_err *err)
{
    struct sc_reply cold = {0}, warm = {0}, npy = {0};
    int ret = get_frame(demo, n, "", &cold, err);
    if (ret >= 0)
        ret = get_frame(demo, n, "", &warm, err);
    if (ret >= 0)
        ret = get_frame(demo, n, "&format=npy", &npy, err);
    if (ret >= 0) {
        *row = (struct row){.n = n,
                            .cold_ms = cold.seconds * 1000,
                            .bytes = cold.body.len,
                            .warm_ms = warm.seconds * 1000,
                            .verdict = judge(demo, n, &cold, &warm, &npy, width, height)};
        sc_client_header(&cold, "X-Frame-Time", row->time, sizeof(row->time));
        sc_client_header(&cold, "X-Cache-Status", row->cold_cache, sizeof(row->cold_cache));
        sc_client_header(&warm, "X-Cache-Status", row->warm_cache, sizeof(row->warm_cache));
        demo->failures += strcmp(row->verdict, "exact") != 0;
    }
    sc_client_release(&cold);
    sc_client_release(&warm);
    sc_client_release(&npy);
    return ret;
}

static void print_row(const struct demo *demo, const struct row *row)
{
    if (demo->json)
        printf("{\"n\":%" PRId64 ",\"t\":%s,\"bytes\":%zu,\"first_ms\":%.3f,\"again_ms\":%.3f,"
               "\"first\":\"%s\",\"again\":\"%s\",\"result\":\"%s\"}\n",
               row->n, row->time, row->bytes, row->cold_ms, row->warm_ms, row->cold_cache,
               row->warm_cache, row->verdict);
    else
        printf("%8" PRId64 "  %10s s  %8zu  %8.1f ms %-4s  %8.2f ms %-4s  %s\n", row->n,
               row->time, row->bytes, row->cold_ms, row->cold_cache, row->warm_ms,
               row->warm_cache, row->verdict);
}

static int check_frames(struct demo *demo, sc_err *err)
{
    sc_video *video = sc_videos_get(sc_app_videos(demo->app), DEMO_ID);
    if (!video)
        return sc_fail(err, SC_ENOTFOUND, "the uploaded video is gone");
    sc_index *ix = sc_video_index(video);
    const struct sc_index_info *info = sc_index_get_info(ix);
    uint64_t state = 88172645463325252u + (uint64_t)demo->seed;
    int ret = SC_OK;
    if (!demo->json)
        printf(
            "\n   frame        time     bytes   first time         again            picture\n");
    for (int i = 0; i < FRAMES && ret >= 0 && !sc_cancel_requested(sc_cli_cancel()); i++) {
        struct row row;
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        int64_t n = i == 0 ? info->frames - 1 : (int64_t)(state % (uint64_t)info->frames);
        ret = check_frame(demo, n, info->display_width, info->display_height, &row, err);
        if (ret >= 0)
            print_row(demo, &row);
    }
    sc_index_unref(&ix);
    sc_video_unref(&video);
    if (ret >= 0 && !demo->json)
        printf("%s\n\n",
               demo->failures ? "some frames are WRONG" : "every frame is the right one");
    return ret;
}

// --- the server -----------------------------------------------------------------------------------

static int start(struct demo *demo, sc_err *err)
{
    sc_cli_cancel(); // before any thread: they inherit the signal mask
    int ret = sc_app_open(
        &demo->app, &(struct sc_app_params){.options = demo->options, .log = demo->log}, err);
    if (ret >= 0)
        ret = sc_http_open(&demo->http,
                           &(struct sc_http_params){.app = demo->app, .options = demo->options},
                           err);
    if (ret < 0)
        return ret;
    demo->client = sc_client_open(sc_http_url(demo->http), sc_http_token(demo->http));
    return demo->client ? SC_OK : sc_fail(err, SC_EINTERNAL, "libcurl cannot start");
}

// The default one where the options name it, else the one that knows made clips.
static void choose_model(struct demo *demo)
{
    const struct sc_models_settings *settings =
        sc_options_get(demo->options, &sc_models_options);
    struct sc_model_status *list = sc_xcalloc(SC_MODELS_MAX, sizeof(*list));
    int count = sc_models_list(sc_app_models(demo->app), list, SC_MODELS_MAX);
    snprintf(demo->model, sizeof(demo->model), "%s", SC_DEMO_MODEL);
    for (int i = 0; i < count; i++) {
        if (list[i].is_default && settings->model[0])
            memcpy(demo->model, list[i].name, sizeof(demo->model));
        sc_model_status_release(&list[i]);
    }
    free(list);
}

static void serve_until_stopped(struct demo *demo)
{
    sc_cancel *cancel = sc_cli_cancel();
    struct pollfd pfd = {.fd = sc_cancel_fd(cancel), .events = POLLIN};
    const char *url = sc_http_url(demo->http);
    printf("listening on %s\n\n", url);
    if (demo->live)
        printf("  %s/#/live/" SC_DEMO_STREAM "    the match, live, with boxes\n", url);
    printf("  %s/#/v/" DEMO_ID "?model=%s    the page: scrub, upload\n"
           "  %s/docs        the API\n"
           "  curl -o frame.jpg '%s/api/v1/videos/" DEMO_ID "/frame?t=5.2'\n\n"
           "Ctrl-C ends it.\n",
           url, demo->model, url, url);
    fflush(stdout);
    while (!sc_cancel_requested(cancel))
        poll(&pfd, 1, -1);
}

static int detect(struct demo *demo, sc_err *err)
{
    const struct sc_demo_match match = {.client = demo->client,
                                        .video = DEMO_ID,
                                        .frames = demo->seconds * 30,
                                        .seed = (uint64_t)demo->seed,
                                        .json = demo->json};
    return sc_demo_detect(&match, &demo->failures, err);
}

static int stream(struct demo *demo, sc_err *err)
{
    const struct sc_demo_live live = {
        .client = demo->client, .video = DEMO_ID, .model = demo->model, .json = demo->json};
    // Perhaps a demo that was killed left it.
    sc_streams_delete(sc_app_streams(demo->app), SC_DEMO_STREAM);
    return sc_demo_live(&live, &demo->live, &demo->failures, err);
}

static int run_demo(struct demo *demo, sc_err *err)
{
    int ret = make_clip(demo, err);
    if (ret >= 0 && (ret = start(demo, err)) >= 0 && (ret = upload(demo, err)) >= 0)
        ret = check_frames(demo, err);
    if (ret >= 0 && demo->made)
        ret = detect(demo, err);
    if (ret >= 0) {
        choose_model(demo);
        ret = stream(demo, err);
    }
    if (ret >= 0 && !demo->once)
        serve_until_stopped(demo);
    return ret;
}

static void clean_up(struct demo *demo)
{
    if (demo->live) // else it would be back with the next server
        sc_streams_delete(sc_app_streams(demo->app), SC_DEMO_STREAM);
    sc_client_close(&demo->client);
    sc_http_close(&demo->http);
    sc_app_close(&demo->app);
    if (demo->made)
        unlink(demo->made);
    sc_cli_remove_tree(demo->folder);
    free(demo->made);
}

// --- arguments ------------------------------------------------------------------------------------

static int parse(struct demo *demo, int argc, char **argv)
{
    static const struct option flags[] = {
        {"once", no_argument, NULL, '1'},       {"json", no_argument, NULL, 'j'},
        {"clip", required_argument, NULL, 'c'}, {"seconds", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'S'}, {0},
    };
    int c;
    demo->seconds = 20;
    while ((c = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (c == '1')
            demo->once = true;
        else if (c == 'j')
            demo->json = true;
        else if (c == 'c')
            demo->clip = optarg;
        else if (c == 's' && !sc_parse_int(optarg, 1, 3600, &demo->seconds))
            return sc_cli_usage(&sc_cmd_demo, "--seconds %s: must be 1 to 3600", optarg);
        else if (c == 'S' && !sc_parse_int(optarg, 0, INT64_MAX, &demo->seed))
            return sc_cli_usage(&sc_cmd_demo, "--seed %s: must be a number", optarg);
        else if (c == '?')
            return sc_cli_usage(&sc_cmd_demo, "unknown or incomplete option");
    }
    if (optind < argc)
        return sc_cli_usage(&sc_cmd_demo, "unknown argument %s", argv[optind]);
    return 0;
}

// A demo that ends by itself leaves no trace and takes any port.
static int isolate(struct demo *demo, sc_err *err)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(demo->folder, sizeof(demo->folder), "%s/saccade-demo-XXXXXX",
             tmp && *tmp && strlen(tmp) < 32 ? tmp : "/tmp");
    if (!mkdtemp(demo->folder))
        return sc_fail(err, sc_error_from_errno(errno), "%s: %s", demo->folder,
                       strerror(errno));
    if (!demo->once)
        return SC_OK;
    char data[80];
    snprintf(data, sizeof(data), "%s/data", demo->folder);
    int ret = sc_options_set(demo->options, "data-dir", data, "demo", err);
    return ret < 0 ? ret : sc_options_set(demo->options, "port", "0", "demo", err);
}

static int run(int argc, char **argv)
{
    struct demo demo = {0};
    sc_err err = {0};
    int status = sc_cli_settings(&sc_cmd_demo, &demo.options, &argc, argv);
    if (!status)
        status = parse(&demo, argc, argv);
    if (!status) {
        demo.log = sc_cli_log();
        int ret = isolate(&demo, &err);
        if (ret >= 0)
            ret = run_demo(&demo, &err);
        clean_up(&demo);
        status = ret < 0 ? sc_cli_fail(&sc_cmd_demo, &err, ret) : demo.failures > 0;
        sc_log_close(&demo.log);
    }
    sc_options_free(&demo.options);
    return status;
}

const struct sc_command sc_cmd_demo = {
    .name = "demo",
    .summary = "makes a small clip, serves it and does the main job on it",
    .help =
        "usage: saccade demo [--once] [--clip FILE] [SERVER OPTIONS]\n\n"
        "Makes 20 seconds of a football match, uploads it through HTTP, fetches frames at\n"
        "random, checks each, counts players with the model that comes with the program,\n"
        "starts a live stream of it with boxes (" SC_DEMO_STREAM ", gone at the end), prints\n"
        "tables, and serves the page until Ctrl-C.\n\n"
        "  --once         in a temporary folder on a free port; ends after the table\n"
        "  --clip FILE    a video of yours instead\n"
        "  --seconds N    length of the clip made, default 20\n"
        "  --seed N       another match\n"
        "  --model MODEL  a file or name, for the page and the live stream; default pitch\n"
        "  --json         JSON lines\n\n"
        "Takes the options of `saccade serve` too (--port, --data-dir, ...).\n",
    .run = run,
};
