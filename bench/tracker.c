// How fast the tracker is; see answer.h for how it is driven.
//
//   open KIND       bytetrack, ocsort or sort, and a course of 50 objects       -> updates in it
//   updates COUNT   the course from its start, as often as it takes             -> ms of CPU time
//   tracks          ids given in those: more than 50 a course where some were lost -> ids
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "answer.h"
#include "base/error.h"
#include "base/mem.h"
#include "vision/tracker.h"

#define OBJECTS 50
#define FRAMES  600
#define WIDTH   1920
#define HEIGHT  1080

struct bench {
    enum sc_tracker_kind kind;
    sc_detections *frames[FRAMES];
    int64_t ids; // of the last updates
};

// One thread's, so that it is a core's speed whatever else the machine does.
static double cpu_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static uint64_t noise_state = 1;

static double uniform(void)
{
    noise_state = noise_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(noise_state >> 11) * 0x1p-53;
}

static int by_score(const void *a, const void *b)
{
    const struct sc_detection *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

// People who walk in circles that cross, each found with some error and a score of his own; one in
// ten is weak at any time.
static sc_detections *make_frame(int n)
{
    sc_detections *list = sc_detections_new(OBJECTS);
    list->width = WIDTH;
    list->height = HEIGHT;
    for (int i = 0; i < OBJECTS; i++) {
        double turn = n * (0.004 + 0.0002 * i) + i, radius = 60 + i % 7 * 25;
        double x = 240 + i % 10 * 160 + radius * cos(turn);
        double y = 200 + i / 10 * 160 + radius * sin(turn);
        double error = 3 * uniform(), w = 40 + i % 5 * 4 + error, h = 2.4 * w;
        bool weak = (n / 8 + i) % 10 == 0;
        list->items[i] = (struct sc_detection){
            .x1 = (float)(x - w / 2),
            .y1 = (float)(y - h / 2),
            .x2 = (float)(x + w / 2),
            .y2 = (float)(y + h / 2),
            .score = (float)((weak ? 0.3 : 0.75) + 0.2 * uniform()),
        };
    }
    qsort(list->items, OBJECTS, sizeof(*list->items), by_score);
    return list;
}

static int verb_open(void *state, const char *name, double *number, char error[256])
{
    struct bench *b = state;
    int kind = sc_tracker_kind_find(name);
    if (kind < 0)
        return answer_fail(error, "there is no tracker %s", name);
    b->kind = (enum sc_tracker_kind)kind;
    for (int n = 0; n < FRAMES; n++) {
        if (!b->frames[n])
            b->frames[n] = make_frame(n);
    }
    *number = FRAMES;
    return 0;
}

static int verb_updates(void *state, const char *argument, double *number, char error[256])
{
    struct bench *b = state;
    struct sc_tracker_stats stats;
    int count = atoi(argument);
    if (!b->frames[0])
        return answer_fail(error, "nothing is open");
    sc_tracker *tracker = sc_tracker_open(&(struct sc_tracker_params){.kind = b->kind});
    double start = cpu_now_ms();
    for (int n = 0; n < count; n++) {
        sc_detections *tracks = sc_tracker_update(tracker, b->frames[n % FRAMES],
                                                  n * INT64_C(33333333), n % FRAMES == 0);
        sc_detections_unref(&tracks);
    }
    *number = cpu_now_ms() - start;
    sc_tracker_get_stats(tracker, &stats);
    b->ids = stats.ids;
    sc_tracker_close(&tracker);
    return 0;
}

static int verb_tracks(void *state, const char *argument, double *number, char error[256])
{
    (void)argument;
    (void)error;
    *number = (double)((struct bench *)state)->ids;
    return 0;
}

int main(void)
{
    static const struct answer_verb verbs[] = {
        {"open", verb_open}, {"updates", verb_updates}, {"tracks", verb_tracks}, {0}};
    struct bench bench = {0};
    answer_loop(verbs, &bench);
    for (int n = 0; n < FRAMES; n++)
        sc_detections_unref(&bench.frames[n]);
    return 0;
}
