// Where detections go: lines of text, a video with boxes, or both.
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/detect.h"
#include "media/writer.h"
#include "vision/overlay.h"
#include "vision/report.h"

struct sc_detect_output {
    const struct sc_detect_args *args;
    const struct sc_detect_selection *selection;
    sc_index *index;
    const struct sc_cli_model *model;
    bool *wanted;           // by class; NULL = all
    FILE *lines;            // NULL = none
    bool own_lines, remove; // close it; it is a file that goes where we fail
    sc_str line;
    sc_tracker *tracker; // NULL = none
    sc_overlay *overlay;
    sc_writer *writer;
    int64_t first; // frame of the video
    bool finished;
    struct sc_detect_totals totals;
};

static int want_class(struct sc_detect_output *out, const char *name, sc_err *err)
{
    const struct sc_model_info *info = out->model->info;
    int64_t number = -1;
    bool known = sc_parse_int(name, 0, info->classes - 1, &number);
    if (known)
        out->wanted[number] = true;
    for (int i = 0; i < info->classes; i++) {
        if (strcasecmp(info->labels[i], name))
            continue;
        out->wanted[i] = known = true;
    }
    if (known)
        return SC_OK;
    return sc_fail(err, SC_EARG, "--class %s: %s has no such class; its %d begin with %s", name,
                   info->name, info->classes, info->classes ? info->labels[0] : "nothing");
}

static int open_lines(struct sc_detect_output *out, sc_err *err)
{
    const struct sc_detect_args *args = out->args;
    if (args->format == SC_DETECT_NONE)
        return SC_OK;
    out->lines = stdout;
    if (args->output && !args->annotate && strcmp(args->output, "-")) {
        out->lines = fopen(args->output, "wb");
        out->own_lines = true;
        struct stat st;
        out->remove = out->lines && !fstat(fileno(out->lines), &st) && S_ISREG(st.st_mode);
    }
    if (!out->lines)
        return sc_fail(err, sc_error_from_errno(errno), "%s: %s", args->output,
                       strerror(errno));
    if (args->format == SC_DETECT_CSV)
        fputs(args->track ? SC_REPORT_CSV_HEADER_TRACK : SC_REPORT_CSV_HEADER, out->lines);
    return SC_OK;
}

// Objects begin at the score from which they are shown.
static sc_tracker *open_tracker(enum sc_tracker_kind kind, double threshold)
{
    return sc_tracker_open(
        &(struct sc_tracker_params){.kind = kind, .high = threshold, .fresh = threshold});
}

int sc_detect_output_open(struct sc_detect_output **pout, const struct sc_detect_args *args,
                          const struct sc_detect_selection *selection, sc_index *index,
                          const struct sc_cli_model *model, sc_err *err)
{
    struct sc_detect_output *out = sc_new(struct sc_detect_output);
    out->args = args;
    out->selection = selection;
    out->index = sc_index_ref(index);
    out->model = model;
    if (args->track)
        out->tracker = open_tracker(args->tracker, model->threshold);
    int ret = SC_OK;
    if (args->class_count)
        out->wanted = sc_xcalloc((size_t)model->info->classes + 1, sizeof(*out->wanted));
    for (int i = 0; i < args->class_count && ret >= 0; i++)
        ret = want_class(out, args->classes[i], err);
    if (ret >= 0)
        ret = open_lines(out, err);
    if (args->annotate)
        out->overlay = sc_overlay_open(NULL);
    if (ret < 0)
        sc_detect_output_close(&out);
    *pout = out;
    return ret;
}

void sc_detect_output_close(struct sc_detect_output **pout)
{
    struct sc_detect_output *out = pout ? *pout : NULL;
    if (!out)
        return;
    *pout = NULL;
    if (out->own_lines && out->lines)
        fclose(out->lines);
    if (out->remove && !out->finished)
        unlink(out->args->output);
    sc_writer_close(&out->writer);
    sc_tracker_close(&out->tracker);
    sc_overlay_close(&out->overlay);
    sc_str_release(&out->line);
    sc_index_unref(&out->index);
    free(out->wanted);
    free(out);
}

// A list of the wanted ones; weak ones only where they continue a track. NULL when memory is out.
static sc_detections *filter(const struct sc_detect_output *out, const sc_detections *found)
{
    int above = sc_detections_above(found, out->model->threshold), count = 0;
    sc_detections *kept = sc_detections_new(found->count);
    if (!kept)
        return NULL;
    kept->width = found->width;
    kept->height = found->height;
    for (int i = 0; i < found->count; i++) {
        int class = found->items[i].class;
        bool strong = i < above || found->items[i].track;
        if (strong && (!out->wanted ||
                       (class >= 0 && class < out->model->info->classes && out->wanted[class])))
            kept->items[count++] = found->items[i];
    }
    kept->count = count;
    return kept;
}

// What is to be shown of an item, with ids where objects are tracked. NULL when memory is out.
static sc_detections *pick(struct sc_detect_output *out, const struct sc_detect_item *item)
{
    struct sc_tracker_stats stats;
    if (!out->tracker)
        return filter(out, item->found);
    int64_t pts_ns = sc_index_pts_ns(out->index, item->n);
    sc_detections *tracked = sc_tracker_update(out->tracker, item->found, pts_ns, false);
    sc_detections *kept = tracked ? filter(out, tracked) : NULL;
    sc_tracker_get_stats(out->tracker, &stats);
    out->totals.tracks = stats.ids;
    sc_detections_unref(&tracked);
    return kept;
}

static int put_line(struct sc_detect_output *out, int64_t n, const sc_detections *kept,
                    sc_err *err)
{
    const struct sc_model_info *info = out->model->info;
    char t[64];
    struct sc_report report = {
        .n = n,
        .t = sc_index_format_time(out->index, n, t, sizeof(t)),
        .model = info->name,
        .labels = info->labels,
        .label_count = info->classes,
        .detections = kept,
        .count = kept->count,
        .tracks = out->tracker != NULL,
    };
    sc_str_clear(&out->line);
    if (out->args->format == SC_DETECT_CSV)
        sc_report_add_csv(&out->line, &report);
    else
        sc_report_add_json(&out->line, &report);
    if (fwrite(sc_str_get(&out->line), 1, out->line.len, out->lines) != out->line.len ||
        (!out->own_lines && fflush(out->lines)))
        return sc_fail(err, sc_error_from_errno(errno), "%s: %s",
                       out->own_lines ? out->args->output : "standard output", strerror(errno));
    return SC_OK;
}

// --- video ------------------------------------------------------------------------------------

static int open_writer(struct sc_detect_output *out, const AVFrame *like, int64_t first,
                       sc_err *err)
{
    const struct sc_index_info *info = sc_index_get_info(out->index);
    out->first = first;
    return sc_writer_open(&out->writer,
                          &(struct sc_writer_params){
                              .path = out->args->output,
                              .like = like,
                              .time_base = info->time_base,
                              .frame_rate = info->frame_rate,
                              .rotation = info->rotation,
                              .hflip = info->hflip,
                              .vflip = info->vflip,
                              .sample_aspect = info->sample_aspect,
                              .sound = out->args->video,
                              .index = out->index,
                              .sound_from = first,
                          },
                          err);
}

static int put_picture(struct sc_detect_output *out, const struct sc_detect_item *item,
                       const sc_detections *kept, sc_err *err)
{
    const struct sc_index_info *info = sc_index_get_info(out->index);
    const struct sc_model_info *model = out->model->info;
    struct sc_view view = {.rotation = info->rotation,
                           .hflip = info->hflip,
                           .vflip = info->vflip,
                           .sample_aspect = info->sample_aspect};
    struct sc_overlay_labels labels = {model->labels, model->classes, true};
    sc_frame *drawn = NULL;
    int ret = sc_overlay_draw(out->overlay, &drawn, item->frame, &view, kept, kept->count,
                              &labels, err);
    if (ret >= 0 && !out->writer)
        ret = open_writer(out, drawn->av, item->n, err);
    if (ret >= 0) {
        int64_t at = sc_index_ticks(out->index, item->n);
        int64_t end = item->n + 1 < info->frames ? sc_index_ticks(out->index, item->n + 1)
                                                 : info->duration_ticks;
        int64_t zero = sc_index_ticks(out->index, out->first);
        ret = sc_writer_put(out->writer, drawn->av, at - zero, end - at, err);
    }
    sc_frame_unref(&drawn);
    return ret;
}

int sc_detect_output_put(struct sc_detect_output *out, const struct sc_detect_item *item,
                         sc_err *err)
{
    sc_detections *kept = pick(out, item);
    int ret = SC_OK;
    if (!kept)
        return sc_fail(err, SC_ENOMEM, "out of memory");
    if (out->lines)
        ret = put_line(out, item->n, kept, err);
    if (ret >= 0 && out->args->annotate)
        ret = put_picture(out, item, kept, err);
    if (ret >= 0) {
        out->totals.frames++;
        out->totals.objects += kept->count;
    }
    sc_detections_unref(&kept);
    return ret;
}

int sc_detect_output_finish(struct sc_detect_output *out, bool complete, sc_err *err)
{
    const struct sc_detect_selection *sel = out->selection;
    bool whole = complete && !sel->list && sel->from == 0 &&
                 sel->to == sc_index_get_info(out->index)->frames;
    int ret = SC_OK;
    if (out->writer)
        ret = sc_writer_finish(out->writer, whole, err);
    if (ret >= 0 && out->lines && fflush(out->lines))
        ret = sc_fail(err, sc_error_from_errno(errno), "%s: %s",
                      out->own_lines ? out->args->output : "standard output", strerror(errno));
    out->finished = ret >= 0;
    return ret;
}

const struct sc_detect_totals *sc_detect_output_totals(const struct sc_detect_output *out)
{
    return &out->totals;
}

void sc_detect_output_say(const struct sc_detect_output *out)
{
    struct sc_writer_info info;
    char size[32];
    if (out->own_lines)
        fprintf(stderr, "%s: lines of %" PRId64 " frames\n", out->args->output,
                out->totals.frames);
    if (!out->writer)
        return;
    sc_writer_get_info(out->writer, &info);
    fprintf(stderr, "%s: %" PRId64 " frames, %s, by %s, ", out->args->output, info.frames,
            sc_format_size(size, sizeof(size), info.bytes), info.encoder);
    if (info.sounds)
        fprintf(stderr, "sound copied\n");
    else
        fprintf(stderr, "%s\n", info.sounds_left_out ? "without sound" : "no sound");
    if (info.sounds_left_out)
        fprintf(stderr, "%s: a %s file cannot hold %d of the sound streams as they are\n",
                out->args->output, info.format, info.sounds_left_out);
}
