#include "app/play.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct sc_plays {
    // Immutable after open.
    sc_models *models;
    sc_pool *pool;
    sc_gauge *active;
    sc_counter *pictures, *skipped;

    pthread_mutex_t lock;
    pthread_cond_t none;
    // under lock
    sc_play *first;
    bool stopping;
};

struct sc_play {
    sc_ref ref; // one is the graph's, one that of each picture being made

    // Immutable once it plays; video is let go of at the end.
    sc_plays *plays;
    struct sc_play_params params;
    char model[65]; // params.model
    sc_stage *source, *sink;
    sc_waker *waker; // of source
    struct sc_pool_task closing;

    atomic_bool stopping;
    sc_play *next, *prev; // under the lock of plays

    pthread_mutex_t lock;
    // under lock
    sc_graph *graph; // NULL once it has ended
    bool made;       // the picture asked for has come, or cannot be had:
    int ret;
    sc_answer *answer;

    // The source's.
    struct sc_picture_query query; // its instance is a reference
    int64_t start_ns;              // of tick 0
    int64_t k, due_ns;             // the next tick
    int64_t asked_ns;              // since when the picture is being made; 0 = none is
};

// --- items ------------------------------------------------------------------------------------

static void *ref_answer(void *data)
{
    return sc_answer_ref(data);
}

static void unref_answer(void *data)
{
    sc_answer *answer = data;
    sc_answer_unref(&answer);
}

static size_t answer_bytes(const void *data)
{
    return ((const sc_answer *)data)->body->size;
}

static const struct sc_item_type answer_item = {
    .name = "answer", .ref = ref_answer, .unref = unref_answer, .bytes = answer_bytes};

// --- source -----------------------------------------------------------------------------------

static int source_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)stage;
    (void)err;
    sc_play *play = self;
    play->start_ns = play->due_ns = sc_clock_now();
    return SC_OK;
}

static void count_skipped(sc_play *play, int64_t ticks)
{
    if (ticks <= 0)
        return;
    sc_stage_count_drop(play->source, SC_DROP_LATE, (uint64_t)ticks);
    sc_counter_add(play->plays->skipped, (uint64_t)ticks);
}

// Sleeps until the next tick that is not over yet.
static int wait_for_next(sc_play *play)
{
    double elapsed = (double)(sc_clock_now() - play->start_ns) / (double)SC_NS_PER_S;
    int64_t now = (int64_t)ceil(elapsed * play->params.fps);
    count_skipped(play, now - (play->k + 1));
    play->k = now > play->k + 1 ? now : play->k + 1;
    play->due_ns =
        play->start_ns + (int64_t)((double)play->k / play->params.fps * (double)SC_NS_PER_S);
    sc_stage_wake_at(play->source, play->due_ns);
    return SC_EAGAIN;
}

// Takes the answer over.
static int show(sc_play *play, sc_answer *answer, int64_t asked_ns)
{
    double t = play->params.from + (double)play->k / play->params.fps;
    sc_stage_emit(play->source, 0,
                  (struct sc_item){.data = answer,
                                   .pts_ns = (int64_t)(t * (double)SC_NS_PER_S),
                                   .born_ns = asked_ns});
    sc_counter_add(play->plays->pictures, 1);
    return wait_for_next(play);
}

// On a worker of the pictures'.
static void on_picture(void *arg, int ret, sc_answer *answer, const sc_err *err)
{
    sc_play *play = arg;
    (void)err;
    pthread_mutex_lock(&play->lock);
    play->made = true;
    play->ret = ret;
    play->answer = answer;
    pthread_mutex_unlock(&play->lock);
    sc_waker_wake(play->waker);
    sc_play_unref(&play);
}

static int take_made(sc_play *play, sc_err *err)
{
    int64_t asked_ns = play->asked_ns;
    pthread_mutex_lock(&play->lock);
    bool made = play->made;
    int ret = play->ret;
    sc_answer *answer = play->answer;
    play->answer = NULL;
    play->made = false;
    pthread_mutex_unlock(&play->lock);
    if (!made)
        return SC_EAGAIN;
    play->asked_ns = 0;
    if (ret == SC_ECANCELLED)
        return sc_fail(err, ret, "the video was deleted, or the app stops");
    if (!ret)
        return show(play, answer, asked_ns);
    sc_stage_count_drop(play->source, SC_DROP_FAILED, 1);
    return wait_for_next(play);
}

// The instance that answers now.
static int choose_model(sc_play *play, sc_err *err)
{
    struct sc_picture_query *query = &play->query;
    sc_instance_unref(&query->instance);
    if (!play->params.model)
        return SC_OK;
    int ret = sc_models_acquire(play->plays->models, play->params.model, &query->instance, err);
    if (ret < 0)
        return ret;
    double own = sc_instance_get_info(query->instance)->threshold;
    query->threshold = play->params.threshold >= 0 ? play->params.threshold : own;
    return SC_OK;
}

static int ask(sc_play *play, int64_t n, sc_err *err)
{
    int64_t now = sc_clock_now();
    sc_answer *answer = sc_video_peek(play->params.video, n, &play->query);
    if (answer)
        return show(play, answer, now);
    sc_ref_inc(&play->ref);
    play->asked_ns = now;
    int ret = sc_video_picture(play->params.video, n, &play->query, SC_READ_SEQUENTIAL,
                               on_picture, play, err);
    if (!ret)
        return SC_EAGAIN;   // on_picture wakes
    sc_ref_dec(&play->ref); // never the last: the graph has one
    play->asked_ns = 0;
    if (ret == SC_ECANCELLED)
        return ret;
    count_skipped(play, 1); // too much waits
    return wait_for_next(play);
}

static int tick(sc_play *play, sc_err *err)
{
    const struct sc_play_params *p = &play->params;
    char t[64];
    int64_t n;
    snprintf(t, sizeof(t), "%.9f", p->from + (double)play->k / p->fps);
    if (sc_video_find(p->video, t, &n, NULL))
        return SC_EEOF;
    if (p->ready && !p->ready(p->arg)) {
        count_skipped(play, 1);
        return wait_for_next(play);
    }
    int ret = choose_model(play, err);
    if (ret != SC_EAGAIN)
        return ret < 0 ? ret : ask(play, n, err);
    count_skipped(play, 1); // it is being loaded
    return wait_for_next(play);
}

static int source_pull(void *self, sc_err *err)
{
    sc_play *play = self;
    if (atomic_load(&play->stopping))
        return SC_EEOF;
    if (play->asked_ns)
        return take_made(play, err);
    if (sc_clock_now() >= play->due_ns)
        return tick(play, err);
    sc_stage_wake_at(play->source, play->due_ns); // woken for something that is done already
    return SC_EAGAIN;
}

static void source_close(void *self)
{
    sc_play *play = self;
    sc_instance_unref(&play->query.instance);
}

static const struct sc_stage_ops source_ops = {
    .kind = "source", .open = source_open, .pull = source_pull, .close = source_close};

// --- sink -------------------------------------------------------------------------------------

static int sink_push(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)in;
    (void)err;
    sc_play *play = self;
    if (!play->params.take(play->params.arg, item.data))
        return SC_EEOF;
    unref_answer(item.data);
    return SC_OK;
}

static const struct sc_stage_ops sink_ops = {.kind = "sink", .push = sink_push};

// --- life -------------------------------------------------------------------------------------

void sc_play_unref(sc_play **pplay)
{
    sc_play *play = pplay ? *pplay : NULL;
    if (!play)
        return;
    *pplay = NULL;
    if (!sc_ref_dec(&play->ref))
        return;
    sc_answer_unref(&play->answer);
    sc_waker_unref(&play->waker);
    pthread_mutex_destroy(&play->lock);
    // References are counted, which the analyzer does not follow. NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
    free(play);
}

// Takes it out of the list and gives back what only a play that runs needs, and its reference.
static void finish(sc_play *play)
{
    sc_plays *plays = play->plays;
    pthread_mutex_lock(&play->lock);
    sc_graph *graph = play->graph;
    play->graph = NULL;
    pthread_mutex_unlock(&play->lock);
    sc_graph_close(&graph);
    sc_video_unref(&play->params.video);
    sc_gauge_add(plays->active, -1);
    pthread_mutex_lock(&plays->lock);
    if (play->prev)
        play->prev->next = play->next;
    else
        plays->first = play->next;
    if (play->next)
        play->next->prev = play->prev;
    if (!plays->first)
        pthread_cond_broadcast(&plays->none);
    pthread_mutex_unlock(&plays->lock);
    sc_play_unref(&play);
}

static void run_closing(void *arg)
{
    finish(arg);
}

// A graph is not closed from its own call: the pool does it next.
static void on_end(void *arg, int ret, const sc_err *err)
{
    (void)err;
    sc_play *play = arg;
    play->params.on_end(play->params.arg, ret);
    play->closing = (struct sc_pool_task){.fn = run_closing, .arg = play};
    sc_pool_post_task(play->plays->pool, SC_PRIO_NORMAL, &play->closing);
}

static int build(sc_play *play, sc_err *err)
{
    const struct sc_graph_params graph = {
        .name = "play", .pool = play->plays->pool, .on_end = on_end, .arg = play};
    const struct sc_stage_params source = {
        .ops = &source_ops, .self = play, .out = {&answer_item}};
    const struct sc_stage_params sink = {.ops = &sink_ops, .self = play, .in = {&answer_item}};
    int ret = sc_graph_open(&play->graph, &graph, err);
    if (ret >= 0)
        ret = sc_graph_add(play->graph, &source, &play->source, err);
    if (ret >= 0)
        ret = sc_graph_add(play->graph, &sink, &play->sink, err);
    if (ret >= 0)
        ret = sc_graph_link(
            play->graph,
            &(struct sc_link_params){.from = play->source, .to = play->sink, .max_items = 1},
            err);
    if (ret >= 0)
        play->waker = sc_stage_waker(play->source);
    return ret;
}

static sc_play *new_play(sc_plays *plays, const struct sc_play_params *params)
{
    sc_play *play = sc_new(sc_play);
    sc_ref_init(&play->ref);
    pthread_mutex_init(&play->lock, NULL);
    play->plays = plays;
    play->params = *params;
    play->query = params->query;
    play->query.instance = NULL;
    play->query.priority = SC_PRIORITY_LIVE;
    snprintf(play->model, sizeof(play->model), "%s", params->model ? params->model : "");
    play->params.model = params->model ? play->model : NULL;
    return play;
}

// False: none begins any more.
static bool join(sc_plays *plays, sc_play *play)
{
    pthread_mutex_lock(&plays->lock);
    bool open = !plays->stopping;
    if (open) {
        play->next = plays->first;
        if (play->next)
            play->next->prev = play;
        plays->first = play;
    }
    pthread_mutex_unlock(&plays->lock);
    return open;
}

int sc_play_new(sc_play **pplay, sc_plays *plays, const struct sc_play_params *params,
                sc_err *err)
{
    sc_require(params->video && params->fps > 0 && params->take && params->on_end);
    sc_play *play = new_play(plays, params);
    *pplay = NULL;
    int ret = build(play, err);
    if (ret >= 0 && !join(plays, play))
        ret = sc_fail(err, SC_ECANCELLED, "the server is stopping");
    if (ret < 0) {
        sc_graph_close(&play->graph);
        sc_play_unref(&play);
        return ret;
    }
    sc_video_ref(params->video);
    sc_gauge_add(plays->active, 1);
    sc_ref_inc(&play->ref); // the caller's
    *pplay = play;
    ret = sc_graph_start(play->graph, err);
    if (ret < 0) { // none of its stages has a thread, so there is nothing that ends
        finish(play);
        sc_play_unref(pplay);
    }
    return ret;
}

void sc_play_stop(sc_play *play)
{
    atomic_store(&play->stopping, true);
    sc_waker_wake(play->waker);
}

void sc_play_get_stats(sc_play *play, struct sc_graph_stats *stats)
{
    *stats = (struct sc_graph_stats){0};
    pthread_mutex_lock(&play->lock);
    if (play->graph)
        sc_graph_get_stats(play->graph, stats);
    pthread_mutex_unlock(&play->lock);
}

// --- all of them ------------------------------------------------------------------------------

int sc_plays_open(sc_plays **pplays, const struct sc_plays_params *params, sc_err *err)
{
    sc_plays *plays = sc_new(sc_plays);
    *pplays = NULL;
    plays->models = params->models;
    plays->active = sc_metrics_gauge(params->metrics, "saccade_plays", "",
                                     "Stored videos being played as MJPEG.");
    plays->pictures = sc_metrics_counter(params->metrics, "saccade_play_pictures_total", "",
                                         "Pictures handed on by plays.");
    plays->skipped = sc_metrics_counter(params->metrics, "saccade_play_skipped_total", "",
                                        "Ticks of plays that were too late for a picture.");
    pthread_mutex_init(&plays->lock, NULL);
    pthread_cond_init(&plays->none, NULL);
    // Steps are short and never wait, so one thread is enough, and nothing else is in their way.
    plays->pool = sc_pool_open(
        &(struct sc_pool_params){.threads = 1, .name = "play", .keeps_time = true});
    if (!plays->pool) {
        sc_plays_close(&plays);
        return sc_fail(err, SC_ENOMEM, "cannot start a thread: the system refuses");
    }
    *pplays = plays;
    return SC_OK;
}

void sc_plays_stop(sc_plays *plays)
{
    pthread_mutex_lock(&plays->lock);
    plays->stopping = true;
    for (sc_play *play = plays->first; play; play = play->next)
        sc_play_stop(play);
    pthread_mutex_unlock(&plays->lock);
}

void sc_plays_close(sc_plays **pplays)
{
    sc_plays *plays = pplays ? *pplays : NULL;
    if (!plays)
        return;
    *pplays = NULL;
    sc_plays_stop(plays);
    pthread_mutex_lock(&plays->lock);
    while (plays->first)
        pthread_cond_wait(&plays->none, &plays->lock);
    pthread_mutex_unlock(&plays->lock);
    sc_pool_close(&plays->pool);
    pthread_cond_destroy(&plays->none);
    pthread_mutex_destroy(&plays->lock);
    free(plays);
}
