// saccade index: builds or checks the index of a video.
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"

extern const struct sc_command sc_cmd_index;

struct args {
    const char *video, *output;
    bool verify, rebuild, json;
};

static const char *verdict_name(const struct sc_index_info *info)
{
    return info->verdict == SC_VERDICT_EXACT     ? "exact"
           : info->verdict == SC_VERDICT_DIFFERS ? "differs"
                                                 : "unverified";
}

static void print_index(const sc_index *ix, const struct args *args, bool built, double seconds)
{
    const struct sc_index_info *info = sc_index_get_info(ix);
    char duration[64];
    sc_index_format_duration(ix, duration, sizeof(duration));
    if (args->json) {
        sc_str name = {0};
        sc_str_add_json(&name, args->video);
        printf("{\"file\":%s,\"frames\":%" PRId64 ",\"packets\":%" PRId64
               ",\"entries\":%" PRId64 ",\"duration\":%s,\"direct\":%s,\"decoded\":%s,"
               "\"built\":%s,\"seconds\":%.4f,\"verdict\":\"%s\",\"differing\":%" PRId64 "}\n",
               name.s, info->frames, info->packets, info->entries, duration,
               info->direct ? "true" : "false", info->decoded ? "true" : "false",
               built ? "true" : "false", seconds, verdict_name(info), info->differing);
        sc_str_release(&name);
        return;
    }
    printf("%s: %" PRId64 " frames in %s s, %" PRId64 " packets, %" PRId64 " entry points\n",
           args->video, info->frames, duration, info->packets, info->entries);
    printf("index %s in %.1f ms; packets are read %s%s\n", built ? "built" : "loaded",
           seconds * 1000, info->direct ? "straight from the file" : "through the demuxer",
           info->decoded ? "; doubtful parts were decoded" : "");
    printf("verdict: %s", verdict_name(info));
    if (info->verdict == SC_VERDICT_EXACT)
        printf(", every frame reached at random equals the linear decode");
    if (info->verdict == SC_VERDICT_DIFFERS)
        printf(", %" PRId64
               " frames differ when entered at their keyframe; they are reached from "
               "further back",
               info->differing);
    printf("\n");
}

static void print_differing(const sc_index *ix, const struct args *args)
{
    const struct sc_index_info *info = sc_index_get_info(ix);
    for (int64_t n = 0; n < info->frames && info->differing; n++) {
        if (!sc_index_differs(ix, n))
            continue;
        char t[64];
        sc_index_format_time(ix, n, t, sizeof(t));
        printf(args->json ? "{\"differs\":%" PRId64 ",\"t\":%s}\n"
                          : "differs: frame %" PRId64 " at %s s\n",
               n, t);
    }
}

static int verify(sc_index **pix, const struct args *args, const char *path, sc_err *err)
{
    struct sc_progress progress;
    sc_index *verified = NULL;
    sc_progress_init(&progress, "verifying", args->json);
    int ret = sc_index_verify(&verified, *pix, args->video,
                              &(struct sc_index_params){
                                  .cancel = sc_cli_cancel(),
                                  .progress = sc_progress_update,
                                  .progress_arg = &progress,
                              },
                              err);
    sc_progress_done(&progress);
    if (ret >= 0 && path)
        ret = sc_index_save(verified, path, err);
    if (ret < 0) {
        sc_index_unref(&verified);
        return ret;
    }
    sc_index_unref(pix);
    *pix = verified;
    return SC_OK;
}

static int parse(struct args *args, int argc, char **argv)
{
    static const struct option flags[] = {
        {"verify", no_argument, NULL, 'V'},
        {"rebuild", no_argument, NULL, 'r'},
        {"output", required_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},
        {0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "o:", flags, NULL)) != -1) {
        if (c == 'V')
            args->verify = true;
        else if (c == 'r')
            args->rebuild = true;
        else if (c == 'o')
            args->output = optarg;
        else if (c == 'j')
            args->json = true;
        else
            return sc_cli_usage(&sc_cmd_index, "unknown or incomplete option");
    }
    if (optind + 1 != argc)
        return sc_cli_usage(&sc_cmd_index, "exactly one FILE is needed");
    args->video = argv[optind];
    return 0;
}

static int run(int argc, char **argv)
{
    struct args args = {0};
    sc_err err = {0};
    sc_index *ix = NULL;
    bool built = false;
    int status = parse(&args, argc, argv);
    if (status)
        return status;
    char *path = args.output ? sc_xstrdup(args.output) : sc_cli_index_path(args.video, &err);
    if (path && args.rebuild)
        remove(path);
    int64_t started = sc_clock_now();
    int ret =
        path ? sc_cli_open_index(&ix, args.video, path, args.json, &built, &err) : err.code;
    double seconds = (double)(sc_clock_now() - started) / 1e9;
    if (ret >= 0 && args.verify)
        ret = verify(&ix, &args, path, &err);
    if (ret >= 0) {
        print_index(ix, &args, built, seconds);
        print_differing(ix, &args);
        status = sc_index_get_info(ix)->verdict == SC_VERDICT_DIFFERS;
    } else {
        status = sc_cli_fail(&sc_cmd_index, &err, ret);
    }
    sc_index_unref(&ix);
    free(path);
    return status;
}

const struct sc_command sc_cmd_index = {
    .name = "index",
    .summary = "build or check the index of a video (--verify: hash every frame)",
    .help =
        "usage: saccade index FILE [--verify] [--rebuild] [-o INDEX] [--json]\n\n"
        "Builds the index of a video, or loads it if it was built before, and says what is\n"
        "in it. The index is kept in the user's cache folder unless -o names a place.\n\n"
        "  --verify     decode everything once from the start and again from every entry\n"
        "               point; keep a hash a frame; report frames that differ (exit status 1)\n"
        "  --rebuild    build anew even if a good index is there\n"
        "  -o INDEX     where the index is kept\n"
        "  --json       JSON lines\n",
    .run = run,
};
