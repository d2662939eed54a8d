// saccade probe: what is in a video file.
#include <getopt.h>
#include <inttypes.h>

#include <libavutil/pixdesc.h>

#include "base/str.h"
#include "cli/command.h"

extern const struct sc_command sc_cmd_probe;

static void print_json(const char *path, const sc_index *ix)
{
    const struct sc_index_info *i = sc_index_get_info(ix);
    char duration[64];
    sc_str out = {0};
    sc_str_add(&out, "{\"file\":");
    sc_str_add_json(&out, path);
    sc_str_add(&out, ",\"format\":");
    sc_str_add_json(&out, i->format_name);
    sc_str_addf(&out,
                ",\"codec\":\"%s\",\"pix_fmt\":\"%s\",\"width\":%d,\"height\":%d,"
                "\"display_width\":%d,\"display_height\":%d,\"sample_aspect\":\"%d:%d\","
                "\"rotation\":%d,\"hflip\":%s,\"vflip\":%s,",
                i->codec_name, i->pix_fmt_name, i->width, i->height, i->display_width,
                i->display_height, i->sample_aspect.num, i->sample_aspect.den, i->rotation,
                i->hflip ? "true" : "false", i->vflip ? "true" : "false");
    sc_str_addf(&out,
                "\"frames\":%" PRId64 ",\"duration\":%s,\"fps\":%.6g,\"variable_rate\":%s,"
                "\"entries\":%" PRId64 ",\"audio\":%s,\"size\":%" PRId64 "}",
                i->frames, sc_index_format_duration(ix, duration, sizeof(duration)),
                av_q2d(i->frame_rate), i->variable_rate ? "true" : "false", i->entries,
                i->has_audio ? "true" : "false", i->file_size);
    puts(out.s);
    sc_str_release(&out);
}

static void print_text(const char *path, const sc_index *ix)
{
    const struct sc_index_info *i = sc_index_get_info(ix);
    char duration[64], size[32];
    printf("%s: %s, %s%s\n", path, sc_format_size(size, sizeof(size), i->file_size),
           i->format_name, i->has_audio ? ", with audio" : "");
    printf("  picture   %dx%d %s %s", i->width, i->height, i->codec_name, i->pix_fmt_name);
    if (i->display_width != i->width || i->display_height != i->height)
        printf(", shown as %dx%d", i->display_width, i->display_height);
    if (i->rotation)
        printf(", turned %d degrees", i->rotation);
    if (i->hflip || i->vflip)
        printf(", mirrored");
    printf("\n  colour    %s, %s, %s, %s range\n", av_color_space_name(i->color_space),
           av_color_primaries_name(i->color_primaries), av_color_transfer_name(i->color_trc),
           av_color_range_name(i->color_range));
    printf("  time      %" PRId64 " frames in %s s, %.6g frames a second%s\n", i->frames,
           sc_index_format_duration(ix, duration, sizeof(duration)), av_q2d(i->frame_rate),
           i->variable_rate ? " on average, variable" : "");
    printf("  access    %" PRId64 " entry points, one in %.1f frames; packets are read %s\n",
           i->entries, (double)i->frames / (double)i->entries,
           i->direct ? "straight from the file" : "through the demuxer");
}

static int run(int argc, char **argv)
{
    static const struct option flags[] = {{"json", no_argument, NULL, 'j'}, {0}};
    bool json = false, built;
    int c, status = 0;
    while ((c = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (c != 'j')
            return sc_cli_usage(&sc_cmd_probe, "unknown option");
        json = true;
    }
    if (optind == argc)
        return sc_cli_usage(&sc_cmd_probe, "a FILE is needed");
    for (int i = optind; i < argc; i++) {
        sc_index *ix = NULL;
        sc_err err = {0};
        int ret = sc_cli_open_index(&ix, argv[i], NULL, json, &built, &err);
        if (ret < 0)
            status = sc_cli_fail(&sc_cmd_probe, &err, ret);
        else if (json)
            print_json(argv[i], ix);
        else
            print_text(argv[i], ix);
        sc_index_unref(&ix);
    }
    return status;
}

const struct sc_command sc_cmd_probe = {
    .name = "probe",
    .summary = "what is in a file",
    .help = "usage: saccade probe FILE... [--json]\n\n"
            "Says what is in each video: picture, colour, time, and how it can be accessed.\n",
    .run = run,
};
