// What the stage graph itself costs: stages that do nothing; see answer.h for how it is driven.
//
//   busy COUNT      so many items through STAGES stages, as fast as they go    -> ms of CPU time
//   paced COUNT     the same, an item each 1/100 s                              -> ms of CPU time
#include <stdlib.h>
#include <time.h>

#include "answer.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/ref.h"
#include "pipeline/graph.h"

#define STAGES  8 // with the source and the sink
#define STEP_NS (SC_NS_PER_S / 100)

struct thing {
    sc_ref ref;
};

struct idle {
    sc_stage *stage;
    // Of the source:
    int left;
    int64_t next_ns; // 0 = not paced
};

static double cpu_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void *ref(void *data)
{
    sc_ref_inc(&((struct thing *)data)->ref);
    return data;
}

static void unref(void *data)
{
    if (sc_ref_dec(&((struct thing *)data)->ref))
        free(data);
}

static const struct sc_item_type thing_type = {.name = "thing", .ref = ref, .unref = unref};

static int open_idle(void *self, sc_stage *stage, sc_err *err)
{
    (void)err;
    ((struct idle *)self)->stage = stage;
    return SC_OK;
}

static int pull(void *self, sc_err *err)
{
    struct idle *source = self;
    (void)err;
    if (!source->left)
        return SC_EEOF;
    if (source->next_ns && sc_clock_now() < source->next_ns) {
        sc_stage_wake_at(source->stage, source->next_ns);
        return SC_EAGAIN;
    }
    source->next_ns += source->next_ns ? STEP_NS : 0;
    source->left--;
    struct thing *thing = sc_new(struct thing);
    sc_ref_init(&thing->ref);
    sc_stage_emit(source->stage, 0, (struct sc_item){.data = thing});
    return SC_OK;
}

static int pass(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)in;
    (void)err;
    sc_stage_emit(((struct idle *)self)->stage, 0, item);
    return SC_OK;
}

static int drop(void *self, int in, struct sc_item item, sc_err *err)
{
    (void)self;
    (void)in;
    (void)err;
    unref(item.data);
    return SC_OK;
}

static int build(sc_graph *graph, struct idle *idles, sc_err *err)
{
    static const struct sc_stage_ops source = {
        .kind = "source", .open = open_idle, .pull = pull};
    static const struct sc_stage_ops middle = {.kind = "pass", .open = open_idle, .push = pass};
    static const struct sc_stage_ops sink = {.kind = "sink", .push = drop};
    sc_stage *last = NULL;
    int ret = SC_OK;
    for (int i = 0; i < STAGES && ret >= 0; i++) {
        char name[16];
        snprintf(name, sizeof(name), "stage-%d", i);
        struct sc_stage_params params = {.name = name, .ops = &middle, .self = &idles[i]};
        if (i > 0)
            params.in[0] = &thing_type;
        else
            params.ops = &source;
        if (i < STAGES - 1)
            params.out[0] = &thing_type;
        else
            params.ops = &sink;
        sc_stage *stage;
        ret = sc_graph_add(graph, &params, &stage, err);
        if (ret >= 0 && last)
            ret = sc_graph_link(
                graph, &(struct sc_link_params){.from = last, .to = stage, .max_items = 4},
                err);
        last = stage;
    }
    return ret;
}

static int run(const char *argument, bool paced, double *number, char error[256])
{
    struct idle idles[STAGES] = {{.left = atoi(argument)}};
    sc_graph *graph;
    sc_err err = {0};
    if (idles[0].left <= 0)
        return answer_fail(error, "a number of items is wanted");
    int ret = sc_graph_open(&graph, &(struct sc_graph_params){0}, &err);
    if (ret < 0)
        return answer_fail(error, "%s", sc_err_text(&err, ret));
    ret = build(graph, idles, &err);
    idles[0].next_ns = paced ? sc_clock_now() : 0;
    double start = cpu_now_ms();
    if (ret >= 0)
        ret = sc_graph_start(graph, &err);
    if (ret >= 0)
        ret = sc_graph_wait(graph, -1, &err);
    *number = cpu_now_ms() - start;
    sc_graph_close(&graph);
    return ret < 0 ? answer_fail(error, "%s", sc_err_text(&err, ret)) : 0;
}

static int verb_busy(void *state, const char *argument, double *number, char error[256])
{
    (void)state;
    return run(argument, false, number, error);
}

static int verb_paced(void *state, const char *argument, double *number, char error[256])
{
    (void)state;
    return run(argument, true, number, error);
}

int main(void)
{
    static const struct answer_verb verbs[] = {{"busy", verb_busy}, {"paced", verb_paced}, {0}};
    answer_loop(verbs, NULL);
    return 0;
}
