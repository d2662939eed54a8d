// Decoding and inference, each on its own thread, before the output.
#include <pthread.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/queue.h"
#include "cli/detect.h"

#define AHEAD_BYTES (96 << 20) // decoded pictures waiting for the model
#define FAR_APART   24         // frames; beyond, each is reached by itself

struct outcome {
    int ret; // written by one thread, read after it was joined
    sc_err err;
};

struct sc_detect_stages {
    // Immutable once the threads run:
    sc_index *index;
    const struct sc_detect_selection *selection;
    const struct sc_cli_model *model;
    sc_reader_engine *engine;
    sc_reader *reader;
    bool keep_frames;
    struct sc_view view;
    sc_cancel *cancel; // ours, also cancelled by the command's
    sc_queue *decoded, *found;
    pthread_t decoder, detector;
    bool decoding, detecting; // threads to join
    // The threads' own until they are joined:
    struct outcome decode, detect;
};

void sc_detect_item_free(void *p)
{
    struct sc_detect_item *item = p;
    if (!item)
        return;
    sc_frame_unref(&item->frame);
    sc_detections_unref(&item->found);
    free(item);
}

// --- decoding ---------------------------------------------------------------------------------

// Takes a reference of its own.
static int push_frame(void *arg, sc_frame *frame)
{
    struct sc_detect_stages *s = arg;
    const struct sc_detect_selection *sel = s->selection;
    if (!sel->list && (frame->n - sel->from) % sel->every)
        return SC_OK;
    struct sc_detect_item *item = sc_new(struct sc_detect_item);
    item->frame = sc_frame_ref(frame);
    item->n = frame->n;
    int ret = sc_queue_push(s->decoded, item, frame->bytes, -1);
    if (ret < 0)
        sc_detect_item_free(item);
    return ret;
}

static int push_one(struct sc_detect_stages *s, int64_t n, sc_err *err)
{
    sc_frame *frame = NULL;
    if (sc_cancel_requested(s->cancel))
        return SC_ECANCELLED;
    int ret = sc_reader_get_sync(s->reader, n, 0, &frame, err);
    if (ret >= 0)
        ret = push_frame(s, frame);
    sc_frame_unref(&frame);
    return ret;
}

static void *decode(void *arg)
{
    struct sc_detect_stages *s = arg;
    const struct sc_detect_selection *sel = s->selection;
    struct outcome *o = &s->decode;
    if (sel->list) {
        for (int64_t i = 0; i < sel->count && o->ret >= 0; i++)
            o->ret = push_one(s, sel->list[i], &o->err);
    } else if (sel->every > FAR_APART) {
        for (int64_t n = sel->from; n < sel->to && o->ret >= 0; n += sel->every)
            o->ret = push_one(s, n, &o->err);
    } else {
        o->ret = sc_reader_each(s->reader, sel->from, sel->to, s->cancel, push_frame, s);
    }
    if (o->ret == SC_EEOF ||
        o->ret == SC_ECANCELLED) // the other side is done, or we are told to be
        o->ret = SC_OK;
    sc_queue_finish(s->decoded);
    return NULL;
}

// --- detecting --------------------------------------------------------------------------------

// What waits, at least one and at most `most`; SC_EEOF at the end.
static int take_batch(struct sc_detect_stages *s, struct sc_detect_item **items, int most)
{
    int count = 0, ret = SC_OK;
    while (count < most && ret >= 0) {
        void *item = NULL;
        ret = sc_queue_pop(s->decoded, &item, count ? 0 : -1);
        if (ret >= 0)
            items[count++] = item;
    }
    return count ? count : ret;
}

static int run_batch(struct sc_detect_stages *s, struct sc_detect_item **items, int count,
                     sc_err *err)
{
    sc_frame *frames[SC_DETECT_MAX_BATCH];
    struct sc_view views[SC_DETECT_MAX_BATCH];
    sc_detections *found[SC_DETECT_MAX_BATCH];
    for (int i = 0; i < count; i++) {
        frames[i] = items[i]->frame;
        views[i] = s->view;
    }
    int ret = sc_model_detect(s->model->model, frames, views, count, found, err);
    for (int i = 0; i < count && ret >= 0; i++) {
        items[i]->found = found[i];
        if (!s->keep_frames)
            sc_frame_unref(&items[i]->frame);
    }
    return ret;
}

// Hands all of them on, or frees what cannot be handed on.
static int push_batch(struct sc_detect_stages *s, struct sc_detect_item **items, int count,
                      int ret)
{
    for (int i = 0; i < count; i++) {
        size_t bytes = items[i]->frame ? items[i]->frame->bytes : 0;
        if (ret >= 0)
            ret = sc_queue_push(s->found, items[i], bytes, -1);
        if (ret < 0)
            sc_detect_item_free(items[i]);
    }
    return ret;
}

static void *detect(void *arg)
{
    struct sc_detect_stages *s = arg;
    struct outcome *o = &s->detect;
    struct sc_detect_item *items[SC_DETECT_MAX_BATCH];
    int most = s->model->info->max_batch;
    most = most < 1 ? 1 : most > SC_DETECT_MAX_BATCH ? SC_DETECT_MAX_BATCH : most;
    while (o->ret >= 0 && !sc_cancel_requested(s->cancel)) {
        int count = take_batch(s, items, most);
        if (count < 0)
            break;
        o->ret = run_batch(s, items, count, &o->err);
        o->ret = push_batch(s, items, count, o->ret);
    }
    if (o->ret == SC_EEOF)
        o->ret = SC_OK;
    sc_queue_abort(s->decoded);
    sc_queue_finish(s->found);
    return NULL;
}

// --- both -------------------------------------------------------------------------------------

static int start(struct sc_detect_stages *s, const char *video, sc_err *err)
{
    s->engine = sc_reader_engine_open(&(struct sc_reader_engine_params){.no_prefetch = true});
    if (!s->engine)
        return sc_fail(err, SC_EINTERNAL, "no thread can be started");
    s->reader = sc_reader_open(s->engine, s->index, video);
    s->detecting = !pthread_create(&s->detector, NULL, detect, s);
    s->decoding = s->detecting && !pthread_create(&s->decoder, NULL, decode, s);
    if (!s->decoding)
        return sc_fail(err, SC_EINTERNAL, "no thread can be started");
    return SC_OK;
}

int sc_detect_stages_open(struct sc_detect_stages **pstages, const char *video, sc_index *index,
                          const struct sc_detect_selection *selection,
                          const struct sc_cli_model *model, bool keep_frames, sc_err *err)
{
    const struct sc_index_info *info = sc_index_get_info(index);
    struct sc_detect_stages *s = sc_new(struct sc_detect_stages);
    struct sc_queue_params ahead = {
        .max_items = 64, .max_bytes = AHEAD_BYTES, .drop = sc_detect_item_free};
    struct sc_queue_params behind = {
        .max_items = 32, .max_bytes = AHEAD_BYTES / 4, .drop = sc_detect_item_free};
    s->index = sc_index_ref(index);
    s->selection = selection;
    s->model = model;
    s->keep_frames = keep_frames;
    s->view = (struct sc_view){.rotation = info->rotation,
                               .hflip = info->hflip,
                               .vflip = info->vflip,
                               .sample_aspect = info->sample_aspect};
    s->cancel = sc_cancel_new(sc_cli_cancel());
    s->decoded = sc_queue_new(&ahead);
    s->found = sc_queue_new(&behind);
    int ret = start(s, video, err);
    if (ret < 0)
        sc_detect_stages_close(&s);
    *pstages = s;
    return ret;
}

static void join(struct sc_detect_stages *s)
{
    if (s->decoding)
        pthread_join(s->decoder, NULL);
    if (s->detecting)
        pthread_join(s->detector, NULL);
    s->decoding = s->detecting = false;
}

int sc_detect_stages_next(struct sc_detect_stages *s, struct sc_detect_item **pitem,
                          sc_err *err)
{
    void *item = NULL;
    int ret = sc_queue_pop(s->found, &item, -1);
    *pitem = item;
    if (ret != SC_EEOF)
        return ret;
    join(s);
    const struct outcome *o = s->detect.ret < 0 ? &s->detect : &s->decode;
    return o->ret < 0 ? sc_fail(err, o->ret, "%s", sc_err_text(&o->err, o->ret)) : SC_EEOF;
}

void sc_detect_stages_close(struct sc_detect_stages **pstages)
{
    struct sc_detect_stages *s = pstages ? *pstages : NULL;
    if (!s)
        return;
    *pstages = NULL;
    sc_cancel_request(s->cancel);
    sc_queue_abort(s->found);
    sc_queue_abort(s->decoded);
    join(s);
    sc_reader_close(&s->reader);
    sc_reader_engine_close(&s->engine);
    sc_queue_free(&s->decoded);
    sc_queue_free(&s->found);
    sc_index_unref(&s->index);
    sc_cancel_free(&s->cancel);
    free(s);
}
