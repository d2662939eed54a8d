// Decoding and inference, each on its own thread, before the output.
#include <pthread.h>

#include "base/cancel.h"
#include "base/mem.h"
#include "base/queue.h"
#include "cli/detect.h"
#include "vision/model_batch.h"

#define AHEAD_BYTES (96 << 20) // decoded pictures waiting for the model
#define FAR_APART   24         // frames; beyond, each is reached by itself

struct outcome {
    int ret;
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
    sc_batcher *batcher;
    sc_cancel *cancel; // ours, also cancelled by the command's
    sc_queue *decoded, *found;
    pthread_t decoder, detector;
    bool decoding, detecting; // threads to join
    // The decoding thread's own until it is joined:
    struct outcome decode;

    pthread_mutex_t lock;
    pthread_cond_t done; // one of the flights
};

// An item at the model, or behind it.
struct flight {
    struct sc_detect_item item; // first: the output frees it as such
    struct sc_detect_stages *stages;
    struct sc_model_item request;
    // Under the stages' lock.
    bool landed;
    struct outcome outcome;
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
    struct flight *flight = sc_new(struct flight);
    flight->item.frame = sc_frame_ref(frame);
    flight->item.n = frame->n;
    int ret = sc_queue_push(s->decoded, flight, frame->bytes, -1);
    if (ret < 0)
        sc_detect_item_free(flight);
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

// On a thread of the batcher.
static void land(void *arg, int ret, void *out, const sc_err *err)
{
    struct flight *flight = arg;
    struct sc_detect_stages *s = flight->stages;
    pthread_mutex_lock(&s->lock);
    flight->item.found = out;
    flight->outcome.ret = ret;
    if (ret < 0 && err)
        flight->outcome.err = *err;
    if (!s->keep_frames)
        sc_frame_unref(&flight->item.frame);
    flight->landed = true;
    pthread_cond_broadcast(&s->done);
    pthread_mutex_unlock(&s->lock);
}

static void take_off(struct sc_detect_stages *s, struct flight *flight)
{
    sc_err err = {0};
    flight->stages = s;
    flight->request = (struct sc_model_item){.frame = flight->item.frame, .view = s->view};
    const struct sc_batch_request request = {
        .in = &flight->request, .priority = SC_PRIORITY_JOB, .done = land, .arg = flight};
    int ret = sc_batcher_submit(s->batcher, &request, NULL, NULL, &err);
    if (ret < 0)
        land(flight, ret, NULL, &err);
}

static void await(struct sc_detect_stages *s, const struct flight *flight)
{
    pthread_mutex_lock(&s->lock);
    while (!flight->landed)
        pthread_cond_wait(&s->done, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

// How many are in flight is bounded by the room of the queue behind.
static void *detect(void *arg)
{
    struct sc_detect_stages *s = arg;
    int ret = SC_OK;
    void *item;
    while (ret >= 0 && !sc_cancel_requested(s->cancel) &&
           sc_queue_pop(s->decoded, &item, -1) >= 0) {
        struct flight *flight = item;
        size_t bytes = flight->item.frame->bytes;
        take_off(s, flight);
        ret = sc_queue_push(s->found, flight, bytes, -1);
        if (ret < 0) {
            await(s, flight);
            sc_detect_item_free(flight);
        }
    }
    sc_queue_abort(s->decoded);
    sc_queue_finish(s->found);
    return NULL;
}

// --- both -------------------------------------------------------------------------------------

// Frames at the model and behind it: enough for all its lanes, or two of its batches.
static struct sc_queue_params room_behind(const struct sc_detect_stages *s)
{
    const struct sc_model_info *model = s->model->info;
    const struct sc_index_info *video = sc_index_get_info(s->index);
    size_t busy =
        2 * (size_t)(model->lanes > model->max_batch ? model->lanes : model->max_batch);
    return (struct sc_queue_params){
        .max_items = busy > 32 ? busy : 32,
        .max_bytes = AHEAD_BYTES / 4 + busy * 2 * (size_t)video->width * (size_t)video->height,
        .drop = sc_detect_item_free};
}

static int start(struct sc_detect_stages *s, const char *video, sc_err *err)
{
    s->engine = sc_reader_engine_open(&(struct sc_reader_engine_params){.no_prefetch = true});
    if (!s->engine)
        return sc_fail(err, SC_EINTERNAL, "no thread can be started");
    s->reader = sc_reader_open(s->engine, s->index, video);
    int ret = sc_model_batcher_open(&s->batcher, s->model->model, NULL, NULL, err);
    if (ret < 0)
        return ret;
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
    struct sc_queue_params behind = room_behind(s);
    s->found = sc_queue_new(&behind);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->done, NULL);
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
    *pitem = NULL;
    int ret = sc_queue_pop(s->found, &item, -1);
    if (ret == SC_EEOF) {
        join(s);
        ret = s->decode.ret;
        return ret < 0 ? sc_fail(err, ret, "%s", sc_err_text(&s->decode.err, ret)) : SC_EEOF;
    }
    struct flight *flight = item;
    await(s, flight);
    ret = flight->outcome.ret;
    if (ret < 0) {
        sc_fail(err, ret, "%s", sc_err_text(&flight->outcome.err, ret));
        sc_detect_item_free(flight);
        return ret;
    }
    *pitem = &flight->item;
    return SC_OK;
}

void sc_detect_stages_close(struct sc_detect_stages **pstages)
{
    struct sc_detect_stages *s = pstages ? *pstages : NULL;
    if (!s)
        return;
    *pstages = NULL;
    sc_cancel_request(s->cancel);
    sc_queue_abort(s->decoded);
    if (s->batcher)
        sc_batcher_stop(s->batcher); // so that whatever flies has landed
    sc_queue_abort(s->found);
    join(s);
    sc_batcher_close(&s->batcher);
    sc_reader_close(&s->reader);
    sc_reader_engine_close(&s->engine);
    sc_queue_free(&s->decoded);
    sc_queue_free(&s->found);
    sc_index_unref(&s->index);
    sc_cancel_free(&s->cancel);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
