// saccade bench: measures this machine with a clip made for it, writes performance_results.json.
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/str.h"
#include "cli/command.h"
#include "media/clip.h"
#include "media/picture.h"
#include "media/reader.h"

extern const struct sc_command sc_cmd_bench;

#define COLD_FRAMES 30
#define REPEATS     9

struct bench {
    const char *clip, *output;
    bool json;
    char folder[64];
    char *made;
    sc_index *ix;
    sc_reader_engine *engine;
    sc_reader *reader;
    sc_picture_ctx *ctx;
    struct sc_picture_params picture;
    sc_str results;
};

static double ms_since(int64_t started)
{
    return (double)(sc_clock_now() - started) / 1e6;
}

static int compare(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), compare);
    return values[count / 2];
}

static void report(struct bench *b, const char *name, double value, const char *unit)
{
    sc_str_addf(&b->results, "%s{\"name\":\"%s\",\"ours\":%.4g,\"unit\":\"%s\"}",
                b->results.len ? "," : "", name, value, unit);
    if (b->json)
        printf("{\"name\":\"%s\",\"ours\":%.4g,\"unit\":\"%s\"}\n", name, value, unit);
    else
        printf("%-20s %10.3f %s\n", name, value, unit);
    fflush(stdout);
}

static int bench_index(struct bench *b, sc_err *err)
{
    double times[REPEATS];
    for (int i = 0; i < REPEATS; i++) {
        int64_t started = sc_clock_now();
        sc_index_unref(&b->ix);
        int ret = sc_index_build(&b->ix, b->clip, NULL, err);
        if (ret < 0)
            return ret;
        times[i] = ms_since(started);
    }
    report(b, "index_build", median(times, REPEATS), "ms");
    return SC_OK;
}

static int open_reader(struct bench *b, sc_err *err)
{
    sc_reader_close(&b->reader);
    sc_reader_engine_close(&b->engine);
    b->engine = sc_reader_engine_open(&(struct sc_reader_engine_params){.no_prefetch = true});
    if (!b->engine)
        return sc_fail(err, SC_EINTERNAL, "no thread can be started");
    b->reader = sc_reader_open(b->engine, b->ix, b->clip);
    return SC_OK;
}

static int bench_cold(struct bench *b, sc_err *err)
{
    double decode[COLD_FRAMES], whole[COLD_FRAMES];
    int64_t frames = sc_index_get_info(b->ix)->frames;
    uint64_t state = 1;
    int ret = open_reader(b, err);
    for (int i = 0; i < COLD_FRAMES && ret >= 0; i++) {
        sc_frame *frame = NULL;
        sc_buf *jpeg = NULL;
        struct sc_picture_info info;
        state = state * 6364136223846793005u + 1442695040888963407u;
        int64_t n = (int64_t)(state >> 33) % frames, started = sc_clock_now();
        ret = sc_reader_get_sync(b->reader, n, 0, &frame, err);
        decode[i] = ms_since(started);
        if (ret >= 0)
            ret = sc_picture_encode(b->ctx, &jpeg, &info, frame, &b->picture, err);
        whole[i] = ms_since(started);
        sc_buf_unref(&jpeg);
        sc_frame_unref(&frame);
    }
    if (ret < 0)
        return ret;
    report(b, "cold_random_frame", median(decode, COLD_FRAMES), "ms");
    report(b, "cold_random_jpeg", median(whole, COLD_FRAMES), "ms");
    return SC_OK;
}

static int count_frame(void *arg, sc_frame *frame)
{
    (void)frame;
    ++*(int64_t *)arg;
    return 0;
}

static int bench_sequential(struct bench *b, sc_err *err)
{
    double rates[3];
    int ret = open_reader(b, err);
    for (int i = 0; i < 3 && ret >= 0; i++) {
        int64_t count = 0, started = sc_clock_now();
        ret = sc_reader_each(b->reader, 0, INT64_MAX, sc_cli_cancel(), count_frame, &count);
        rates[i] = (double)count / ms_since(started) * 1000;
    }
    if (ret < 0)
        return sc_fail(err, ret, "sequential decode: %s", sc_strerror(ret));
    report(b, "sequential_decode", median(rates, 3), "fps");
    return SC_OK;
}

static int bench_jpeg(struct bench *b, sc_err *err)
{
    double times[REPEATS];
    sc_frame *frame = NULL;
    int ret = sc_reader_get_sync(b->reader, 0, 0, &frame, err);
    for (int i = 0; i < REPEATS && ret >= 0; i++) {
        sc_buf *jpeg = NULL;
        struct sc_picture_info info;
        int64_t started = sc_clock_now();
        ret = sc_picture_encode(b->ctx, &jpeg, &info, frame, &b->picture, err);
        times[i] = ms_since(started);
        sc_buf_unref(&jpeg);
    }
    sc_frame_unref(&frame);
    if (ret >= 0)
        report(b, "jpeg", median(times, REPEATS), "ms");
    return ret;
}

static int make_clip(struct bench *b, sc_err *err)
{
    sc_str path = {0};
    snprintf(b->folder, sizeof(b->folder), "/tmp/saccade-bench-XXXXXX");
    if (!mkdtemp(b->folder))
        return sc_fail(err, SC_EIO, "no temporary folder can be made in /tmp");
    sc_str_addf(&path, "%s/clip.mp4", b->folder);
    b->made = sc_str_detach(&path);
    b->clip = b->made;
    fprintf(stderr, "making a 10 s 1920x1080 clip ...\n");
    return sc_clip_write(b->made,
                         &(struct sc_clip_params){
                             .scene = {.width = 1920, .height = 1080},
                             .frames = 300,
                             .gop = 150,
                             .cancel = sc_cli_cancel(),
                         },
                         err);
}

static int write_results(struct bench *b, sc_err *err)
{
    struct utsname un;
    FILE *f = fopen(b->output, "w");
    uname(&un);
    if (!f)
        return sc_fail(err, SC_EIO, "%s cannot be written", b->output);
    fprintf(f,
            "{\"machine\":{\"cores\":%d,\"system\":\"%s %s\",\"arch\":\"%s\"},"
            "\"version\":\"" SC_VERSION "\",\"clip\":\"%s\",\"results\":[%s]}\n",
            sc_cpu_count(), un.sysname, un.release, un.machine, b->made ? "made" : b->clip,
            sc_str_get(&b->results));
    if (fclose(f))
        return sc_fail(err, SC_EIO, "%s cannot be written", b->output);
    fprintf(stderr, "written to %s\n", b->output);
    return SC_OK;
}

static int run_all(struct bench *b, sc_err *err)
{
    int ret = b->clip ? SC_OK : make_clip(b, err);
    if (ret >= 0 && (ret = bench_index(b, err)) >= 0 && (ret = bench_cold(b, err)) >= 0 &&
        (ret = bench_sequential(b, err)) >= 0 && (ret = bench_jpeg(b, err)) >= 0)
        ret = write_results(b, err);
    return ret;
}

static int run(int argc, char **argv)
{
    static const struct option flags[] = {{"clip", required_argument, NULL, 'c'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"json", no_argument, NULL, 'j'},
                                          {0}};
    struct bench b = {.output = "performance_results.json",
                      .picture = {.threads = sc_cpu_count()}};
    sc_err err = {0};
    int c;
    while ((c = getopt_long(argc, argv, "o:", flags, NULL)) != -1) {
        if (c == 'c')
            b.clip = optarg;
        else if (c == 'o')
            b.output = optarg;
        else if (c == 'j')
            b.json = true;
        else
            return sc_cli_usage(&sc_cmd_bench, "unknown or incomplete option");
    }
    if (optind < argc)
        return sc_cli_usage(&sc_cmd_bench, "unknown argument %s", argv[optind]);
    sc_cli_cancel();
    b.ctx = sc_picture_ctx_new();
    int ret = run_all(&b, &err);
    sc_reader_close(&b.reader);
    sc_reader_engine_close(&b.engine);
    sc_picture_ctx_free(&b.ctx);
    sc_index_unref(&b.ix);
    sc_str_release(&b.results);
    if (b.made)
        unlink(b.made);
    sc_cli_remove_tree(b.folder);
    free(b.made);
    return ret < 0 ? sc_cli_fail(&sc_cmd_bench, &err, ret) : 0;
}

const struct sc_command sc_cmd_bench = {
    .name = "bench",
    .summary = "measures this machine, writes performance_results.json",
    .help =
        "usage: saccade bench [--clip FILE] [-o FILE] [--json]\n\n"
        "Measures indexing, cold random frames, sequential decoding and JPEG encoding on a\n"
        "1920x1080 clip made for it, or on yours, and writes the medians as JSON.\n",
    .run = run,
};
