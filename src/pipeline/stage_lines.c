#include "pipeline/stage_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pipeline/shot.h"
#include "vision/report.h"

struct lines {
    struct sc_stage_lines_params params; // immutable
    char *path;
    // The stage's own.
    FILE *file;
    int64_t first_ns; // time of the first picture, that all are told from
    bool begun;
};

static int complain(const struct lines *l, int number, sc_err *err)
{
    return sc_fail(err, sc_error_from_errno(number), "cannot write %s: %s",
                   strcmp(l->path, "-") ? l->path : "to standard output", strerror(number));
}

// The time in seconds, to the microsecond, without zeros that say nothing.
static void print_time(char *out, size_t size, int64_t ns)
{
    int len = snprintf(out, size, "%.6f", (double)ns / 1e9);
    while (len > 1 && out[len - 1] == '0')
        out[--len] = '\0';
    if (out[len - 1] == '.')
        out[--len] = '\0';
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct lines *l = self;
    sc_shot *shot = item.data;
    (void)in;
    if (!l->begun)
        l->first_ns = shot->frame->pts_ns;
    l->begun = true;
    if (shot->found) {
        char t[40];
        sc_str text = {0};
        print_time(t, sizeof(t), shot->frame->pts_ns - l->first_ns);
        int above = sc_detections_above(shot->found, l->params.threshold);
        sc_report_add_json(&text, &(struct sc_report){.n = shot->frame->n,
                                                      .t = t,
                                                      .model = l->params.model,
                                                      .labels = l->params.labels,
                                                      .label_count = l->params.label_count,
                                                      .detections = shot->found,
                                                      .count = above});
        bool ok = fwrite(text.s, 1, text.len, l->file) == text.len && !fflush(l->file);
        sc_str_release(&text);
        if (!ok)
            return complain(l, errno, err);
    }
    sc_shot_unref(&shot);
    return SC_OK;
}

static void close_lines(void *self)
{
    struct lines *l = self;
    if (l->file && l->file != stdout)
        fclose(l->file);
    free(l->path);
    free(l);
}

static const struct sc_stage_ops ops = {
    .kind = "lines", .blocking = true, .push = push, .close = close_lines};

int sc_stage_lines_add(sc_graph *graph, const struct sc_stage_lines_params *params,
                       sc_stage **pstage, sc_err *err)
{
    struct lines *l = sc_new(struct lines);
    l->params = *params;
    l->path = sc_xstrdup(params->path);
    l->file = strcmp(l->path, "-") ? fopen(l->path, "we") : stdout;
    int ret = l->file ? SC_OK : complain(l, errno, err);
    const struct sc_stage_params stage = {.ops = &ops, .self = l, .in = {&sc_shot_item}};
    if (ret >= 0)
        ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0)
        close_lines(l);
    return ret;
}
