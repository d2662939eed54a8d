#include "pipeline/stage_detect.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "vision/model_batch.h"

#define MOST_WAITING 256
#define MOST_BYTES   ((size_t)512 << 20)
#define MOST_DEFAULT 32 // window
#define MOST_DELAY   (3600 * SC_NS_PER_S)
#define RECENT       4 // answers that tell how fast the model is

enum look_state {
    LOOK_WAITS,     // for its turn
    LOOK_PASSED,    // has none: a newer one took it
    LOOK_SUBMITTED, // with the batcher
    LOOK_ANSWERED,  // well or not
};

// One shot on its way through the stage, and one picture on its way through the batcher: whichever ends last.
struct look {
    sc_ref ref; // of each list and pointer of the stage, and the batcher's until done()
    struct sc_model_item input;
    sc_waker *waker;
    atomic_bool gone; // nobody wants the answer any more
    // of done(), before it sets `answered`
    int ret;
    sc_err err;
    sc_detections *found;
    int64_t done_ns;
    atomic_bool answered;
    // of the stage
    struct sc_item item; // data is NULL once the shot has left
    uint64_t number;     // 1, 2, ..
    int64_t came_ns, submitted_ns;
    uint64_t ticket;
    enum look_state state;
    struct look *next;
};

struct detect {
    struct sc_stage_detect_params params; // defaults filled in
    struct sc_detect_figures own;         // where nobody looks
    sc_stage *stage;
    struct look *head, **tail; // shots that have not left
    int waiting;
    size_t waiting_bytes;
    uint64_t numbers;
    struct look *flights[SC_DETECT_WINDOW]; // with the batcher
    int flight_count;
    struct look *turn; // who is submitted next; may have left
    int64_t retry_ns;  // the batcher has no room before
    struct look *late; // answered, waits for a shot to go with
    uint64_t handed;   // number of the newest picture whose detections went on
    int64_t took_ns[RECENT];
    uint64_t took_count;
    uint32_t logged; // codes, by their place in the enum
};

// --- looks ------------------------------------------------------------------------------------

static struct look *look_ref(struct look *look)
{
    sc_ref_inc(&look->ref);
    return look;
}

static void look_unref(struct look **plook)
{
    struct look *look = *plook;
    *plook = NULL;
    if (!look || !sc_ref_dec(&look->ref))
        return;
    sc_shot *shot = look->item.data;
    sc_shot_unref(&shot);
    sc_frame_unref(&look->input.frame);
    sc_detections_unref(&look->found);
    sc_waker_unref(&look->waker);
    free(look);
}

static bool look_is_gone(void *arg)
{
    return atomic_load(&((struct look *)arg)->gone);
}

// On a thread of the batcher, or in submit or cancel.
static void look_done(void *arg, int ret, void *out, const sc_err *err)
{
    struct look *look = arg;
    look->ret = ret;
    look->found = out;
    if (err)
        look->err = *err;
    look->done_ns = sc_clock_now();
    atomic_store(&look->answered, true);
    sc_waker_wake(look->waker);
    look_unref(&look);
}

// Takes the item over.
static struct look *look_new(struct detect *detect, struct sc_item item)
{
    struct look *look = sc_new(struct look);
    sc_shot *shot = item.data;
    sc_ref_init(&look->ref);
    look->item = item;
    look->input = (struct sc_model_item){
        .frame = sc_frame_ref(shot->frame),
        .view = detect->params.view,
        .gone = look_is_gone,
        .arg = look,
    };
    look->waker = sc_stage_waker(detect->stage);
    look->number = ++detect->numbers;
    look->came_ns = sc_clock_now();
    return look;
}

// --- answers ----------------------------------------------------------------------------------

static void note_time(struct detect *detect, const struct look *look)
{
    struct sc_detect_figures *figures = detect->params.figures;
    int64_t took_ns = look->done_ns - look->submitted_ns;
    detect->took_ns[detect->took_count++ % RECENT] = took_ns;
    size_t place = (size_t)atomic_load(&figures->answers) % SC_DETECT_LAST;
    atomic_store(&figures->took_ns[place], took_ns);
    atomic_store(&figures->at_ns[place], look->done_ns);
    atomic_fetch_add(&figures->answers, 1);
}

// Keeps the newest, if nothing newer has gone on.
static void take_late(struct detect *detect, struct look *look)
{
    atomic_fetch_add(&detect->params.figures->late, 1);
    // References are counted, which the analyzer does not follow. NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
    if (look->number < (detect->late ? detect->late->number : detect->handed))
        return;
    look_unref(&detect->late);
    detect->late = look_ref(look);
}

static int take_failure(struct detect *detect, const struct look *look, sc_err *err)
{
    const char *text = sc_err_text(&look->err, look->ret);
    atomic_fetch_add(&detect->params.figures->failed, 1);
    if (!detect->params.live || look->ret == SC_ECANCELLED) {
        bool flow = look->ret == SC_EAGAIN || look->ret == SC_EEOF;
        return sc_fail(err, flow ? SC_EINTERNAL : look->ret, "%s", text);
    }
    uint32_t bit = UINT32_C(1) << ((unsigned)(look->ret - SC_E_BASE) % 32);
    if (!(detect->logged & bit))
        SC_WARN(detect->params.log, "pictures go on undetected: the model failed",
                SC_S("why", text));
    detect->logged |= bit;
    return SC_OK;
}

static int take_answer(struct detect *detect, struct look *look, sc_err *err)
{
    look->state = LOOK_ANSWERED;
    if (look->ret < 0)
        return take_failure(detect, look, err);
    note_time(detect, look);
    if (!look->item.data)
        take_late(detect, look);
    return SC_OK;
}

static int take_answers(struct detect *detect, sc_err *err)
{
    int ret = SC_OK;
    for (int i = 0; ret >= 0 && i < detect->flight_count;) {
        struct look *look = detect->flights[i];
        if (!atomic_load(&look->answered)) {
            i++;
            continue;
        }
        detect->flights[i] = detect->flights[--detect->flight_count];
        ret = take_answer(detect, look, err);
        look_unref(&look);
    }
    return ret;
}

// --- submitting -------------------------------------------------------------------------------

// SC_EBUSY: detect->retry_ns says when to come again.
static int submit(struct detect *detect, struct look *look, int64_t now_ns, sc_err *err)
{
    const struct sc_batch_request request = {
        .in = &look->input,
        .priority = detect->params.priority,
        .stream = detect->params.stream,
        .done = look_done,
        .arg = look,
    };
    int64_t retry_ns = 0;
    look->submitted_ns = now_ns;
    look_ref(look);
    int ret =
        sc_batcher_submit(detect->params.batcher, &request, &look->ticket, &retry_ns, err);
    if (ret < 0)
        sc_ref_dec(&look->ref); // never the last: the caller has one
    detect->retry_ns = ret == SC_EBUSY ? now_ns + retry_ns : 0;
    return ret;
}

static int submit_turn(struct detect *detect, sc_err *err)
{
    int64_t now_ns = sc_clock_now();
    struct look *look = detect->turn;
    if (!look || detect->flight_count == detect->params.window || now_ns < detect->retry_ns)
        return SC_OK;
    sc_err why = {0};
    int ret = submit(detect, look, now_ns, &why);
    if (ret == SC_EBUSY)
        return SC_OK;
    if (ret < 0)
        return sc_fail(err, ret, "%s", sc_err_text(&why, ret));
    look->state = LOOK_SUBMITTED;
    detect->flights[detect->flight_count++] = look;
    detect->turn = NULL;
    return SC_OK;
}

// --- leaving ----------------------------------------------------------------------------------

// The least time that an answer takes, as far as is known.
static int64_t fastest_ns(const struct detect *detect)
{
    if (detect->took_count < RECENT)
        return 0;
    int64_t least_ns = detect->took_ns[0];
    for (int i = 1; i < RECENT; i++)
        least_ns = detect->took_ns[i] < least_ns ? detect->took_ns[i] : least_ns;
    return least_ns;
}

// Until when a shot waits for its answer. INT64_MAX: as long as it takes.
static int64_t waits_until(const struct detect *detect, const struct look *look)
{
    bool live = detect->params.live;
    int64_t end_ns = look->came_ns + detect->params.delay_ns, fastest = fastest_ns(detect);
    switch (look->state) {
    case LOOK_WAITS:
        return live ? end_ns - fastest : INT64_MAX;
    case LOOK_SUBMITTED:
        if (!live)
            return INT64_MAX;
        return look->submitted_ns + fastest <= end_ns ? end_ns : look->submitted_ns;
    default:
        return INT64_MIN;
    }
}

static bool is_overfull(const struct detect *detect)
{
    return detect->params.live &&
           (detect->waiting > MOST_WAITING || detect->waiting_bytes > MOST_BYTES);
}

// Gives the late answer to shot. Nothing newer can have gone on since it came: it goes with the first shot.
static void hand_late(struct detect *detect, sc_shot *shot)
{
    struct look *late = detect->late;
    if (late) {
        sc_shot_set_late(shot, sc_detections_ref(late->found), late->item.pts_ns);
        detect->handed = late->number;
    }
    look_unref(&detect->late);
}

static void leave(struct detect *detect, struct look *look)
{
    struct sc_item item = look->item;
    bool found = look->state == LOOK_ANSWERED && look->found;
    look->item.data = NULL;
    if (detect->late || found)
        item.data = sc_shot_own(item.data);
    hand_late(detect, item.data);
    if (found) {
        sc_shot_set_found(item.data, sc_detections_ref(look->found), true);
        detect->handed = look->number;
    } else {
        atomic_fetch_add(&detect->params.figures->undetected, 1);
    }
    sc_stage_emit(detect->stage, 0, item);
}

static void leave_all_that_may(struct detect *detect)
{
    int64_t now_ns = sc_clock_now();
    struct look *look;
    while ((look = detect->head) &&
           (now_ns >= waits_until(detect, look) || is_overfull(detect))) {
        detect->head = look->next;
        if (!detect->head)
            detect->tail = &detect->head;
        detect->waiting--;
        detect->waiting_bytes -= look->input.frame->bytes;
        leave(detect, look);
        look_unref(&look);
    }
}

static void arrange_next_step(struct detect *detect)
{
    if (!detect->params.live)
        sc_stage_hold(detect->stage, 0,
                      detect->waiting >= detect->params.window || detect->turn);
    int64_t when_ns = detect->head ? waits_until(detect, detect->head) : INT64_MAX;
    if (detect->turn && detect->retry_ns && detect->retry_ns < when_ns)
        when_ns = detect->retry_ns;
    if (when_ns < INT64_MAX)
        sc_stage_wake_at(detect->stage, when_ns);
}

// --- the stage --------------------------------------------------------------------------------

static int go_on(struct detect *detect, sc_err *err)
{
    int ret = take_answers(detect, err);
    if (ret >= 0)
        ret = submit_turn(detect, err);
    if (ret < 0)
        return ret;
    leave_all_that_may(detect);
    arrange_next_step(detect);
    return SC_OK;
}

static int detect_open(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct detect *)self)->stage = stage;
    return SC_OK;
}

static int detect_push(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)in;
    struct detect *detect = self;
    struct look *look = look_new(detect, item);
    *detect->tail = look;
    detect->tail = &look->next;
    detect->waiting++;
    detect->waiting_bytes += look->input.frame->bytes;
    if (detect->turn)
        detect->turn->state = LOOK_PASSED;
    look_unref(&detect->turn);
    detect->turn = look_ref(look);
    int ret = go_on(detect, err);
    if (ret < 0) // the graph takes one reference back; a step that fails has emitted nothing
        sc_shot_ref(item.data);
    return ret;
}

static int detect_woken(void *self, sc_err *err)
{
    return go_on(self, err);
}

static int detect_flush(void *self, sc_err *err)
{
    (void)err;
    return ((struct detect *)self)->head ? SC_EAGAIN : SC_EEOF;
}

// What is with the batcher ends by itself: what is not begun at once, the rest when its run does.
static void detect_close(void *self)
{
    struct detect *detect = self;
    for (int i = 0; i < detect->flight_count; i++) {
        struct look *look = detect->flights[i];
        atomic_store(&look->gone, true);
        sc_batcher_cancel(detect->params.batcher, look->ticket);
        look_unref(&look);
    }
    for (struct look *look = detect->head, *next; look; look = next) {
        next = look->next;
        look_unref(&look);
    }
    look_unref(&detect->turn);
    look_unref(&detect->late);
    free(detect);
}

static const struct sc_stage_ops detect_ops = {
    .kind = "detect",
    .open = detect_open,
    .push = detect_push,
    .flush = detect_flush,
    .woken = detect_woken,
    .close = detect_close,
};

static int default_window(const struct sc_stage_detect_params *params)
{
    const struct sc_batcher_params *batcher = sc_batcher_get_params(params->batcher);
    if (params->live)
        return batcher->runners;
    int most = 2 * batcher->runners * batcher->max_batch;
    return most < MOST_DEFAULT ? most : MOST_DEFAULT;
}

static void fill_params(struct detect *detect, const struct sc_stage_detect_params *given)
{
    struct sc_stage_detect_params *params = &detect->params;
    *params = *given;
    int window = given->window > 0 ? given->window : default_window(given);
    params->window = window < SC_DETECT_WINDOW ? window : SC_DETECT_WINDOW;
    params->delay_ns = given->delay_ns < 0 ? 0 : given->delay_ns;
    params->delay_ns = params->delay_ns < MOST_DELAY ? params->delay_ns : MOST_DELAY;
    if (!params->figures)
        params->figures = &detect->own;
}

int sc_stage_detect_add(sc_graph *graph, const char *name,
                        const struct sc_stage_detect_params *params, sc_stage **pstage,
                        sc_err *err)
{
    sc_require(params->batcher);
    struct detect *detect = sc_new(struct detect);
    detect->tail = &detect->head;
    fill_params(detect, params);
    int ret = sc_graph_add(graph,
                           &(struct sc_stage_params){.name = name,
                                                     .ops = &detect_ops,
                                                     .self = detect,
                                                     .in = {&sc_shot_item},
                                                     .out = {&sc_shot_item}},
                           pstage, err);
    if (ret < 0)
        free(detect);
    return ret;
}

// --- figures ----------------------------------------------------------------------------------

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void sc_detect_figures_get(struct sc_detect_figures *figures, int64_t now_ns,
                           struct sc_detect_stats *stats)
{
    *stats = (struct sc_detect_stats){
        .answers = atomic_load(&figures->answers),
        .late = atomic_load(&figures->late),
        .undetected = atomic_load(&figures->undetected),
        .failed = atomic_load(&figures->failed),
    };
    int64_t took_ns[SC_DETECT_LAST];
    int known = stats->answers < SC_DETECT_LAST ? (int)stats->answers : SC_DETECT_LAST;
    int recent = 0;
    for (int i = 0; i < known; i++) {
        took_ns[i] = atomic_load(&figures->took_ns[i]);
        recent += atomic_load(&figures->at_ns[i]) > now_ns - 2 * SC_NS_PER_S;
    }
    if (!known)
        return;
    qsort(took_ns, (size_t)known, sizeof(*took_ns), by_size);
    stats->p50_ns = took_ns[known / 2];
    stats->fps = recent / 2.0;
}
