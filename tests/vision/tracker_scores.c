// Scores of the trackers on the made-up match, whose truth is known; the metrics on cases whose
// scores are known.
//
// With an argument it prints the number of courses and the table of docs/tracking.md instead.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/mem.h"
#include "media/scene.h"
#include "mot.h"
#include "vision/tracker_internal.h"

// --- metrics on hand-made cases ---------------------------------------------------------------

static struct mot_box at(int id, double x)
{
    return (struct mot_box){.id = id, .box = {x, 0, x + 10, 10}};
}

static void add(mot *m, int truths, const struct mot_box *truth, int count,
                const struct mot_box *tracks)
{
    mot_add(m, truth, truths, tracks, count);
}

static void near(double got, double want)
{
    if (fabs(got - want) > 1e-9)
        print_error("got %.9f, not %.9f\n", got, want);
    assert_true(fabs(got - want) <= 1e-9);
}

static void scores_are(mot *m, double hota, double mota, double idf1)
{
    struct mot_scores s = mot_scores(m);
    near(s.hota, hota);
    near(s.mota, mota);
    near(s.idf1, idf1);
    mot_free(&m);
}

static void perfect_and_empty(void **state)
{
    (void)state;
    mot *m = mot_new();
    for (int n = 0; n < 10; n++)
        add(m, 2, (struct mot_box[]){at(1, n), at(2, 100 - n)}, 2,
            (struct mot_box[]){at(7, 100 - n), at(9, n)});
    scores_are(m, 1, 1, 1);
    m = mot_new();
    for (int n = 0; n < 10; n++)
        add(m, 1, (struct mot_box[]){at(1, n)}, 0, NULL);
    scores_are(m, 0, 0, 0);
    m = mot_new();
    for (int n = 0; n < 10; n++)
        add(m, 1, (struct mot_box[]){at(1, n)}, 1, (struct mot_box[]){at(1, n + 50)});
    scores_are(m, 0, -1, 0);
}

// One object of 10 frames, two ids of 5 each: AssA 5/10, IDTP 5 of 10 and 10.
static void one_switch(void **state)
{
    (void)state;
    mot *m = mot_new();
    for (int n = 0; n < 10; n++)
        add(m, 1, (struct mot_box[]){at(1, n)}, 1, (struct mot_box[]){at(n < 5 ? 1 : 2, n)});
    assert_int_equal(mot_scores(m).switches, 1);
    scores_are(m, sqrt(0.5), 0.9, 0.5);
}

// 10 frames, 4 missed, and one false box in each of 3: DetA 6/13; AssA 6/10.
static void misses_and_false(void **state)
{
    (void)state;
    mot *m = mot_new();
    for (int n = 0; n < 10; n++)
        add(m, 1, (struct mot_box[]){at(1, n)},
            n < 6   ? 1
            : n < 9 ? 1
                    : 0,
            (struct mot_box[]){at(n < 6 ? 1 : 2, n < 6 ? n : 500)});
    struct mot_scores s = mot_scores(m);
    assert_int_equal(s.misses, 4);
    assert_int_equal(s.wrong, 3);
    near(s.deta, 6.0 / 13);
    near(s.assa, 6.0 / 10);
    scores_are(m, sqrt(6.0 / 13 * 0.6), 0.3, 12.0 / 19);
}

// Boxes of IoU 2/3 count at thresholds up to 0.65: 13 of 19.
static void inexact_boxes(void **state)
{
    (void)state;
    mot *m = mot_new();
    for (int n = 0; n < 10; n++)
        add(m, 1, (struct mot_box[]){at(1, n)}, 1, (struct mot_box[]){at(1, n + 2)});
    scores_are(m, 13.0 / 19, 1, 1);
}

// Who is near two keeps the one he had, though the other is nearer; no switch.
static void keeps_his_own(void **state)
{
    (void)state;
    mot *m = mot_new();
    add(m, 1, (struct mot_box[]){at(1, 0)}, 1, (struct mot_box[]){at(1, 1)});
    add(m, 1, (struct mot_box[]){at(1, 0)}, 2, (struct mot_box[]){at(1, 3), at(2, 0)});
    struct mot_scores s = mot_scores(m);
    assert_int_equal(s.switches, 0);
    assert_int_equal(s.wrong, 1);
    mot_free(&m);
}

// Neither found nor missed; classes do not meet.
static void ignored_and_classes(void **state)
{
    (void)state;
    struct mot_box hidden = at(2, 50), other = at(1, 0);
    hidden.ignore = true;
    other.class = 1;
    mot *m = mot_new();
    add(m, 2, (struct mot_box[]){at(1, 0), hidden}, 1, (struct mot_box[]){at(1, 0)});
    add(m, 2, (struct mot_box[]){at(1, 0), hidden}, 2, (struct mot_box[]){at(1, 0), at(5, 51)});
    scores_are(m, 1, 1, 1);
    m = mot_new();
    add(m, 1, (struct mot_box[]){at(1, 0)}, 1, (struct mot_box[]){other});
    scores_are(m, 0, -1, 0);
}

// --- a detector made of the truth -------------------------------------------------------------

// What is played, how often the detector looks, and how bad it is.
struct course {
    uint64_t seed;
    double zoom, pan_x;
    int fps, every, frames;
    double noise; // as a factor
};

static const struct course courses[] = {
    {1, 1.0, 0.0, 30, 1, 250, 1},  {2, 1.6, 0.3, 30, 1, 250, 2}, {3, 2.4, -0.4, 30, 1, 250, 1},
    {4, 1.3, -0.2, 30, 2, 250, 1}, {5, 1.8, 0.0, 60, 1, 400, 2}, {6, 1.0, 0.0, 15, 1, 200, 1},
    {7, 3.2, 0.1, 30, 1, 250, 2},  {8, 1.5, 0.5, 30, 3, 250, 1}, {9, 1.2, 0.1, 30, 1, 250, 2},
};

static uint64_t noise_state;

static double uniform(void)
{
    noise_state = noise_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(noise_state >> 11) * 0x1p-53;
}

// Normal enough: of mean 0 and deviation 1.
static double normal(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += uniform();
    return sum;
}

// Scores fall, and errors and misses grow, as less of somebody shows. False where he is missed.
static bool detect(const struct sc_scene_box *b, double noise, struct sc_detection *d)
{
    bool ball = b->cls == SC_SCENE_BALL;
    double hidden = 1 - b->clear, w = b->x2 - b->x1, h = b->y2 - b->y1;
    double error = noise * (0.03 + 0.09 * hidden),
           missed = 0.03 * noise + 0.5 * hidden * hidden;
    double score = 0.88 - 0.75 * hidden + 0.07 * noise * normal() - (ball ? 0.1 : 0);
    double dx = error * w * normal() + 0.3 * normal(), dy = error * h * normal() * 0.6;
    double dw = error * w * normal(), dh = error * h * normal() * 0.6;
    bool seen = uniform() >= missed + (ball ? 0.1 : 0);
    *d = (struct sc_detection){
        .x1 = (float)(b->x1 + dx - dw),
        .y1 = (float)(b->y1 + dy - dh),
        .x2 = (float)(b->x2 + dx + dw),
        .y2 = (float)(b->y2 + dy + dh),
        .score = (float)fmin(score, 0.99),
        .class = b->cls,
    };
    return seen && b->clear > 0.08f && score > 0.05 && d->x2 > d->x1 && d->y2 > d->y1;
}

// About one false box in three frames, most of them weak.
static bool imagine(const struct sc_scene_params *p, struct sc_detection *d)
{
    double x = uniform() * p->width, y = uniform() * p->height, w = 8 + 20 * uniform();
    *d = (struct sc_detection){.x1 = (float)x,
                               .y1 = (float)y,
                               .x2 = (float)(x + w),
                               .y2 = (float)(y + 2.4 * w),
                               .score = (float)(0.1 + 0.75 * uniform() * uniform())};
    return uniform() < 0.33;
}

static int by_score(const void *a, const void *b)
{
    const struct sc_detection *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

// Of two boxes nearly in one place the better suppresses the other, as after every detector.
static int suppress(struct sc_detection *items, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        bool hidden = false;
        for (int k = 0; k < kept && !hidden; k++) {
            struct mot_box a = {.box = {items[i].x1, items[i].y1, items[i].x2, items[i].y2}};
            struct mot_box b = {.box = {items[k].x1, items[k].y1, items[k].x2, items[k].y2}};
            hidden = items[i].class == items[k].class && sc_box_iou(&a.box, &b.box) > 0.65;
        }
        if (!hidden)
            items[kept++] = items[i];
    }
    return kept;
}

static sc_detections *detections_of(const struct sc_scene_params *p,
                                    const struct sc_scene_box *boxes, int count, double noise)
{
    sc_detections *list = sc_detections_new(count + 1);
    int found = 0;
    for (int i = 0; i < count; i++)
        found += detect(&boxes[i], noise, &list->items[found]);
    found += imagine(p, &list->items[found]);
    qsort(list->items, (size_t)found, sizeof(*list->items), by_score);
    list->width = p->width;
    list->height = p->height;
    list->count = suppress(list->items, found);
    return list;
}

// The truth and the detections of a moment.
struct moment {
    struct sc_scene_box truth[SC_SCENE_MAX_BOXES];
    int truths;
    sc_detections *found;
};

struct record {
    struct moment *moments;
    int count;
};

static struct record record(const struct course *course)
{
    sc_scene *scene = NULL;
    struct sc_scene_params p = {.width = 640,
                                .height = 360,
                                .fps = {course->fps, 1},
                                .seed = course->seed,
                                .zoom = course->zoom,
                                .pan_x = course->pan_x};
    assert_int_equal(sc_scene_open(&scene, &p, NULL), 0);
    struct record r = {.count = course->frames / course->every};
    r.moments = sc_xcalloc((size_t)r.count, sizeof(*r.moments));
    noise_state = course->seed;
    for (int i = 0; i < r.count; i++) {
        struct moment *m = &r.moments[i];
        m->truths = sc_scene_boxes(scene, i * course->every, m->truth);
        m->found = detections_of(&p, m->truth, m->truths, course->noise);
    }
    sc_scene_close(&scene);
    return r;
}

static int record_all(void **state)
{
    static struct record records[SC_COUNT(courses)];
    for (size_t i = 0; i < SC_COUNT(courses); i++)
        records[i] = record(&courses[i]);
    *state = records;
    return 0;
}

static int forget_all(void **state)
{
    struct record *records = *state;
    for (size_t i = 0; i < SC_COUNT(courses); i++) {
        for (int k = 0; k < records[i].count; k++)
            sc_detections_unref(&records[i].moments[k].found);
        free(records[i].moments);
    }
    return 0;
}

static void compare(mot *m, int number, const struct moment *moment,
                    const sc_detections *tracks)
{
    struct mot_box truth[SC_SCENE_MAX_BOXES], found[SC_SCENE_MAX_BOXES + 1];
    int count = 0;
    for (int i = 0; i < moment->truths; i++) {
        const struct sc_scene_box *b = &moment->truth[i];
        truth[i] = (struct mot_box){.id = number * 100 + b->id,
                                    .class = b->cls,
                                    .box = {b->x1, b->y1, b->x2, b->y2},
                                    .ignore = b->clear < SC_SCENE_CLEAR};
    }
    for (int i = 0; i < tracks->count; i++) {
        const struct sc_detection *d = &tracks->items[i];
        if (d->track)
            found[count++] = (struct mot_box){.id = number * 100000 + (int)d->track,
                                              .class = d->class,
                                              .box = {d->x1, d->y1, d->x2, d->y2}};
    }
    mot_add(m, truth, moment->truths, found, count);
}

static void play(mot *m, int number, const struct record *r,
                 const struct sc_tracker_params *params)
{
    const struct course *course = &courses[number];
    sc_tracker *tracker = sc_tracker_open(params);
    for (int i = 0; i < r->count; i++) {
        int64_t pts_ns = i * course->every * INT64_C(1000000000) / course->fps;
        sc_detections *tracks = sc_tracker_update(tracker, r->moments[i].found, pts_ns, false);
        compare(m, number, &r->moments[i], tracks);
        sc_detections_unref(&tracks);
    }
    sc_tracker_close(&tracker);
}

static struct mot_scores play_all(const struct record *records,
                                  const struct sc_tracker_params *params)
{
    mot *m = mot_new();
    for (size_t i = 0; i < SC_COUNT(courses); i++)
        play(m, (int)i, &records[i], params);
    struct mot_scores scores = mot_scores(m);
    mot_free(&m);
    return scores;
}

static struct mot_scores play_kind(const struct record *records, enum sc_tracker_kind kind)
{
    return play_all(records, &(struct sc_tracker_params){.kind = kind});
}

static void better_than_plain(void **state)
{
    struct mot_scores plain = play_kind(*state, SC_TRACKER_SORT);
    for (int kind = SC_TRACKER_BYTETRACK; kind <= SC_TRACKER_OCSORT; kind++) {
        struct mot_scores s = play_kind(*state, (enum sc_tracker_kind)kind);
        assert_true(s.hota >= plain.hota);
        assert_true(s.mota >= plain.mota);
        assert_true(s.idf1 >= plain.idf1);
    }
}

static void print_row(const char *name, const struct mot_scores *s)
{
    printf("| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %d | %d | %d | %d |\n", name,
           100 * s->hota, 100 * s->deta, 100 * s->assa, 100 * s->mota, 100 * s->idf1, s->misses,
           s->wrong, s->switches, s->ids);
}

static int print_table(void)
{
    static const char *const names[] = {"ByteTrack", "OC-SORT", "SORT"};
    void *records = NULL;
    record_all(&records);
    printf("%zu\n| tracker | HOTA | DetA | AssA | MOTA | IDF1 | missed | false | switches | "
           "ids |\n"
           "|---|---|---|---|---|---|---|---|---|---|\n",
           SC_COUNT(courses));
    for (int kind = 0; kind < 3; kind++) {
        struct mot_scores s = play_kind(records, (enum sc_tracker_kind)kind);
        print_row(names[kind], &s);
    }
    struct sc_tracker_params impatient = {.kind = SC_TRACKER_SORT, .max_lost_ns = 70000000};
    struct mot_scores s = play_all(records, &impatient);
    print_row("SORT, one miss allowed", &s);
    forget_all(&records);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perfect_and_empty), cmocka_unit_test(one_switch),
        cmocka_unit_test(misses_and_false),  cmocka_unit_test(inexact_boxes),
        cmocka_unit_test(keeps_his_own),     cmocka_unit_test(ignored_and_classes),
        cmocka_unit_test(better_than_plain),
    };
    (void)argv;
    return argc > 1 ? print_table() : cmocka_run_group_tests(tests, record_all, forget_all);
}
