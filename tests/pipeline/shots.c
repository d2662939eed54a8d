#include "shots.h"

#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/mem.h"
#include "vision/model_batch.h"

// --- source and sink ----------------------------------------------------------------------------

static int source_pull(void *self, sc_err *err)
{
    (void)err;
    struct shots *shots = self;
    pthread_mutex_lock(&shots->lock);
    int at = shots->emitted, ret = shots->ended ? SC_EEOF : SC_EAGAIN;
    sc_shot *shot = NULL;
    if (at < shots->sent_count) {
        shot = shots->sent[at];
        shots->sent_ns[at] = sc_clock_now();
        shots->emitted++;
        ret = SC_OK;
    }
    pthread_mutex_unlock(&shots->lock);
    if (shot)
        sc_stage_emit(shots->source, 0,
                      (struct sc_item){.data = shot, .pts_ns = shot->frame->pts_ns});
    return ret;
}

static const struct sc_stage_ops source_ops = {.kind = "source", .pull = source_pull};

static int sink_push(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)in;
    (void)err;
    struct shots *shots = self;
    sc_clock_sleep(shots->sink_ns);
    pthread_mutex_lock(&shots->lock);
    assert_true(shots->seen_count < SHOTS_MOST);
    shots->seen_ns[shots->seen_count] = sc_clock_now();
    shots->seen[shots->seen_count++] = item.data;
    pthread_cond_broadcast(&shots->changed);
    pthread_mutex_unlock(&shots->lock);
    return SC_OK;
}

static const struct sc_stage_ops sink_ops = {.kind = "sink", .push = sink_push};

void shots_open(struct shots *shots)
{
    memset(shots, 0, sizeof(*shots));
    pthread_mutex_init(&shots->lock, NULL);
    pthread_cond_init(&shots->changed, NULL);
    struct sc_graph_params params = {.threads = 2};
    assert_int_equal(sc_graph_open(&shots->graph, &params, NULL), SC_OK);
    struct sc_stage_params source = {.ops = &source_ops, .self = shots, .out = {&sc_shot_item}};
    struct sc_stage_params sink = {.ops = &sink_ops, .self = shots, .in = {&sc_shot_item}};
    assert_int_equal(sc_graph_add(shots->graph, &source, &shots->source, NULL), SC_OK);
    assert_int_equal(sc_graph_add(shots->graph, &sink, &shots->sink, NULL), SC_OK);
}

void shots_start(struct shots *shots, sc_stage *stage)
{
    struct sc_link_params in = {.from = shots->source, .to = stage};
    struct sc_link_params out = {.from = stage, .to = shots->sink};
    assert_int_equal(sc_graph_link(shots->graph, &in, NULL), SC_OK);
    assert_int_equal(sc_graph_link(shots->graph, &out, NULL), SC_OK);
    assert_int_equal(sc_graph_start(shots->graph, NULL), SC_OK);
}

sc_shot *shots_make(int n)
{
    return sc_shot_new(sc_frame_wrap(av_frame_alloc(), n, n * 10 * MS), sc_clock_now());
}

void shots_send(struct shots *shots, sc_shot *shot)
{
    pthread_mutex_lock(&shots->lock);
    assert_true(shots->sent_count < SHOTS_MOST);
    shots->sent[shots->sent_count++] = shot;
    pthread_mutex_unlock(&shots->lock);
    sc_stage_wake(shots->source);
}

void shots_send_some(struct shots *shots, int first, int count)
{
    for (int i = 0; i < count; i++)
        shots_send(shots, shots_make(first + i));
}

void shots_end(struct shots *shots)
{
    pthread_mutex_lock(&shots->lock);
    shots->ended = true;
    pthread_mutex_unlock(&shots->lock);
    sc_stage_wake(shots->source);
}

// At most 20 s.
static void wait_for(int *value, int least, pthread_mutex_t *lock, pthread_cond_t *changed)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 20;
    pthread_mutex_lock(lock);
    while (*value < least)
        if (pthread_cond_timedwait(changed, lock, &end)) {
            int had = *value;
            pthread_mutex_unlock(lock);
            fail_msg("%d came of %d", had, least);
        }
    pthread_mutex_unlock(lock);
}

void shots_wait_seen(struct shots *shots, int count)
{
    wait_for(&shots->seen_count, count, &shots->lock, &shots->changed);
}

void shots_wait_taken(struct shots *shots, const char *stage, int count)
{
    for (int tries = 0, taken = 0; taken < count; tries++) {
        assert_true(tries < 20000);
        struct sc_graph_stats stats;
        sc_graph_get_stats(shots->graph, &stats);
        for (int i = 0; i < stats.stage_count; i++)
            if (!strcmp(stats.stages[i].name, stage))
                taken = (int)stats.stages[i].taken;
        sc_graph_stats_release(&stats);
        if (taken < count)
            sc_clock_sleep(MS);
    }
}

static void check_order(struct shots *shots)
{
    assert_true(shots->seen_count <= shots->sent_count);
    for (int i = 0; i < shots->seen_count; i++)
        assert_int_equal(shots->seen[i]->frame->n, i);
}

void shots_close(struct shots *shots)
{
    sc_graph_close(&shots->graph);
    check_order(shots);
    for (int i = shots->emitted; i < shots->sent_count; i++)
        sc_shot_unref(&shots->sent[i]);
    for (int i = 0; i < shots->seen_count; i++)
        sc_shot_unref(&shots->seen[i]);
    pthread_cond_destroy(&shots->changed);
    pthread_mutex_destroy(&shots->lock);
}

// --- the model ----------------------------------------------------------------------------------

// Waits for its turn; what it answers.
static int look_at(struct model *model, int n)
{
    pthread_mutex_lock(&model->lock);
    assert_true(model->begun_count < SHOTS_MOST);
    model->begun[model->begun_count++] = n;
    pthread_cond_broadcast(&model->changed);
    while (model->held && !model->let[n])
        pthread_cond_wait(&model->changed, &model->lock);
    int ret = model->ret[n];
    if (model->fail_one_in && rand_r(&model->seed) % model->fail_one_in == 0)
        ret = SC_EDATA;
    int64_t sleep_ns = model->most_ns ? rand_r(&model->seed) % model->most_ns : 0;
    pthread_mutex_unlock(&model->lock);
    sc_clock_sleep(sleep_ns);
    return ret;
}

static int detect(void *arg, int lane, sc_frame *const *frames, const struct sc_view *views,
                  int count, sc_detections **out, sc_err *err)
{
    (void)lane;
    (void)views;
    int ret = SC_OK;
    for (int i = 0; i < count; i++) {
        int one = look_at(arg, (int)frames[i]->n);
        ret = one < 0 ? one : ret;
    }
    if (ret < 0)
        return sc_fail(err, ret, "this picture cannot be looked at");
    for (int i = 0; i < count; i++) {
        out[i] = sc_detections_new(1);
        out[i]->items[0] =
            (struct sc_detection){.x2 = 1, .y2 = 1, .score = 1, .class = (int)frames[i]->n};
    }
    return SC_OK;
}

static int run(void *arg, const struct sc_batch_turn *turn, struct sc_batch_work *work,
               int count, sc_err *err)
{
    int ret = sc_model_run_items(detect, arg, 0, turn, work, count, err);
    return ret < 0 ? ret : SC_OK;
}

void model_open(struct model *model, struct sc_batcher_params params)
{
    memset(model, 0, sizeof(*model));
    pthread_mutex_init(&model->lock, NULL);
    pthread_cond_init(&model->changed, NULL);
    params.run = run;
    params.arg = model;
    assert_int_equal(sc_batcher_open(&model->batcher, &params, NULL), SC_OK);
}

void model_let(struct model *model, int n)
{
    pthread_mutex_lock(&model->lock);
    model->let[n] = true;
    pthread_cond_broadcast(&model->changed);
    pthread_mutex_unlock(&model->lock);
}

void model_let_all(struct model *model)
{
    pthread_mutex_lock(&model->lock);
    model->held = false;
    pthread_cond_broadcast(&model->changed);
    pthread_mutex_unlock(&model->lock);
}

void model_wait_begun(struct model *model, int count)
{
    wait_for(&model->begun_count, count, &model->lock, &model->changed);
}

void model_close(struct model *model)
{
    model_let_all(model);
    sc_batcher_close(&model->batcher);
    pthread_cond_destroy(&model->changed);
    pthread_mutex_destroy(&model->lock);
}
