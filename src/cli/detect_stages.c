// The graph of `saccade detect`: frames read, looked at, written.
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/queue.h"
#include "cli/detect.h"
#include "pipeline/shot.h"
#include "pipeline/stage_detect.h"
#include "vision/model_batch.h"

#define AHEAD_BYTES (96 << 20) // decoded pictures waiting for the model
#define FAR_APART   24         // frames; beyond, each is reached by itself

struct sc_detect_stages {
    // Immutable once the threads run:
    sc_index *index;
    const struct sc_detect_selection *selection;
    struct sc_detect_output *output;
    sc_reader_engine *engine;
    sc_reader *reader;
    sc_batcher *batcher;
    sc_graph *graph;
    sc_cancel *cancel; // of decoding: ours, also cancelled by the command's
    sc_queue *decoded;
    pthread_t decoder;
    bool decoding; // a thread to join
    atomic_llong written;
    // The decoding thread's own until it has finished the queue:
    int ret;
    sc_err err;
    // The first stage's own:
    sc_stage *read;
};

static void drop_frame(void *item)
{
    sc_frame *frame = item;
    sc_frame_unref(&frame);
}

// --- decoding ---------------------------------------------------------------------------------

// Takes a reference of its own.
static int push_frame(void *arg, sc_frame *frame)
{
    struct sc_detect_stages *s = arg;
    const struct sc_detect_selection *sel = s->selection;
    if (!sel->list && (frame->n - sel->from) % sel->every)
        return SC_OK;
    int ret = sc_queue_push(s->decoded, sc_frame_ref(frame), frame->bytes, -1);
    if (ret < 0)
        drop_frame(frame);
    return ret;
}

static int push_one(struct sc_detect_stages *s, int64_t n)
{
    sc_frame *frame = NULL;
    if (sc_cancel_requested(s->cancel))
        return SC_ECANCELLED;
    int ret = sc_reader_get_sync(s->reader, n, 0, &frame, &s->err);
    if (ret >= 0)
        ret = push_frame(s, frame);
    sc_frame_unref(&frame);
    return ret;
}

static void *decode(void *arg)
{
    struct sc_detect_stages *s = arg;
    const struct sc_detect_selection *sel = s->selection;
    int ret = SC_OK;
    if (sel->list) {
        for (int64_t i = 0; i < sel->count && ret >= 0; i++)
            ret = push_one(s, sel->list[i]);
    } else if (sel->every > FAR_APART) {
        for (int64_t n = sel->from; n < sel->to && ret >= 0; n += sel->every)
            ret = push_one(s, n);
    } else {
        ret = sc_reader_each(s->reader, sel->from, sel->to, s->cancel, push_frame, s);
    }
    // The other side is done, or we are told to be.
    s->ret = ret == SC_EEOF || ret == SC_ECANCELLED ? SC_OK : ret;
    sc_queue_finish(s->decoded);
    return NULL;
}

// --- stages -----------------------------------------------------------------------------------

static int open_read(void *self, sc_stage *stage, sc_err *err)
{
    struct sc_detect_stages *s = self;
    (void)err;
    s->read = stage;
    return SC_OK;
}

static int read_frame(void *self, sc_err *err)
{
    struct sc_detect_stages *s = self;
    void *item = NULL;
    if (sc_queue_pop(s->decoded, &item, -1) < 0)
        return s->ret < 0 ? sc_fail(err, s->ret, "%s", sc_err_text(&s->err, s->ret)) : SC_EEOF;
    sc_frame *frame = item;
    sc_stage_emit(s->read, 0,
                  (struct sc_item){.data = sc_shot_new(frame, 0), .pts_ns = frame->pts_ns});
    return SC_OK;
}

static void stop_reading(void *self)
{
    struct sc_detect_stages *s = self;
    sc_cancel_request(s->cancel);
    sc_queue_abort(s->decoded);
}

// Drawing, encoding, the disk.
static int write_shot(void *self, int in, struct sc_item item, sc_err *err)
{
    struct sc_detect_stages *s = self;
    sc_shot *shot = item.data;
    const struct sc_detect_item found = {
        .frame = shot->frame, .n = shot->frame->n, .found = shot->found};
    (void)in;
    int ret = sc_detect_output_put(s->output, &found, err);
    if (ret < 0)
        return ret;
    atomic_fetch_add(&s->written, 1);
    sc_shot_unref(&shot);
    return SC_OK;
}

static const struct sc_stage_ops read_ops = {.kind = "read",
                                             .blocking = true,
                                             .open = open_read,
                                             .pull = read_frame,
                                             .interrupt = stop_reading};
static const struct sc_stage_ops write_ops = {
    .kind = "write", .blocking = true, .push = write_shot};

// --- the graph --------------------------------------------------------------------------------

static int link_two(struct sc_detect_stages *s, sc_stage *from, sc_stage *to, sc_err *err)
{
    const struct sc_link_params link = {
        .from = from, .to = to, .max_items = 16, .max_bytes = AHEAD_BYTES / 4};
    return sc_graph_link(s->graph, &link, err);
}

static int build(struct sc_detect_stages *s, sc_err *err)
{
    const struct sc_index_info *info = sc_index_get_info(s->index);
    const struct sc_stage_params read = {.ops = &read_ops, .self = s, .out = {&sc_shot_item}};
    const struct sc_stage_params write = {.ops = &write_ops, .self = s, .in = {&sc_shot_item}};
    const struct sc_stage_detect_params detect = {
        .batcher = s->batcher,
        .priority = SC_PRIORITY_JOB,
        .view = {.rotation = info->rotation,
                 .hflip = info->hflip,
                 .vflip = info->vflip,
                 .sample_aspect = info->sample_aspect}};
    sc_stage *stages[3];
    int ret = sc_graph_add(s->graph, &read, &stages[0], err);
    if (ret >= 0)
        ret = sc_stage_detect_add(s->graph, NULL, &detect, &stages[1], err);
    if (ret >= 0)
        ret = sc_graph_add(s->graph, &write, &stages[2], err);
    for (int i = 0; i < 2 && ret >= 0; i++)
        ret = link_two(s, stages[i], stages[i + 1], err);
    return ret;
}

static int start(struct sc_detect_stages *s, const char *video, sc_model *model, sc_err *err)
{
    s->engine = sc_reader_engine_open(&(struct sc_reader_engine_params){.no_prefetch = true});
    if (!s->engine)
        return sc_fail(err, SC_EINTERNAL, "no thread can be started");
    s->reader = sc_reader_open(s->engine, s->index, video);
    int ret = sc_model_batcher_open(&s->batcher, model, NULL, NULL, err);
    if (ret >= 0)
        ret = sc_graph_open(&s->graph, &(struct sc_graph_params){.name = "detect"}, err);
    if (ret >= 0)
        ret = build(s, err);
    if (ret < 0)
        return ret;
    s->decoding = !pthread_create(&s->decoder, NULL, decode, s);
    if (!s->decoding)
        return sc_fail(err, SC_EINTERNAL, "no thread can be started");
    return sc_graph_start(s->graph, err);
}

int sc_detect_stages_open(struct sc_detect_stages **pstages, const char *video, sc_index *index,
                          const struct sc_detect_selection *selection,
                          const struct sc_cli_model *model, struct sc_detect_output *output,
                          sc_err *err)
{
    struct sc_detect_stages *s = sc_new(struct sc_detect_stages);
    const struct sc_queue_params ahead = {
        .max_items = 64, .max_bytes = AHEAD_BYTES, .drop = drop_frame};
    s->index = sc_index_ref(index);
    s->selection = selection;
    s->output = output;
    s->cancel = sc_cancel_new(sc_cli_cancel());
    s->decoded = sc_queue_new(&ahead);
    int ret = start(s, video, model->model, err);
    if (ret < 0)
        sc_detect_stages_close(&s);
    *pstages = s;
    return ret;
}

int64_t sc_detect_stages_written(const struct sc_detect_stages *stages)
{
    return atomic_load(&stages->written);
}

int sc_detect_stages_wait(struct sc_detect_stages *stages, int timeout_ms, sc_err *err)
{
    sc_err why = {0};
    int ret = sc_graph_wait(stages->graph, timeout_ms, &why);
    if (ret >= 0 || ret == SC_EAGAIN)
        return ret;
    const char *text =
        strchr(why.text, ':'); // behind the stage's name, which tells users nothing
    return sc_fail(err, ret, "%s", text ? text + 2 : sc_err_text(&why, ret));
}

void sc_detect_stages_close(struct sc_detect_stages **pstages)
{
    struct sc_detect_stages *s = pstages ? *pstages : NULL;
    if (!s)
        return;
    *pstages = NULL;
    stop_reading(s);
    sc_graph_close(&s->graph);
    if (s->decoding)
        pthread_join(s->decoder, NULL);
    sc_batcher_close(&s->batcher);
    sc_reader_close(&s->reader);
    sc_reader_engine_close(&s->engine);
    sc_queue_free(&s->decoded);
    sc_index_unref(&s->index);
    sc_cancel_free(&s->cancel);
    free(s);
}
