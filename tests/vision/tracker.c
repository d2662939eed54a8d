// Tracks over made-up courses: ids that stay, gaps, crossings, cuts, uneven steps, hostile input.
#include "vision/tracker.h"

#include <math.h>
#include <string.h>

#include "../base/test.h"
#include "base/error.h"
#include "vision/tracker_internal.h"

#define FRAME_NS 33333333

#define KINDS    3 // of enum sc_tracker_kind

static const int hits[] = {2, 3, 3}; // until a track is confirmed

struct thing {
    double x, y, w, h, score;
    int class;
};

static sc_detections *list_of(const struct thing *things, int count)
{
    sc_detections *list = sc_detections_new(count);
    list->width = 1280;
    list->height = 720;
    for (int i = 0; i < count; i++) {
        const struct thing *t = &things[i];
        list->items[i] = (struct sc_detection){
            .x1 = (float)(t->x - t->w / 2),
            .y1 = (float)(t->y - t->h / 2),
            .x2 = (float)(t->x + t->w / 2),
            .y2 = (float)(t->y + t->h / 2),
            .score = (float)t->score,
            .class = t->class,
        };
    }
    return list;
}

// One update; writes the ids.
static void step(sc_tracker *tracker, const struct thing *things, int count, int64_t pts_ns,
                 bool cut, int64_t *ids)
{
    sc_detections *found = list_of(things, count);
    sc_detections *tracks = sc_tracker_update(tracker, found, pts_ns, cut);
    assert_non_null(tracks);
    assert_int_equal(tracks->count, count);
    assert_int_equal(tracks->width, 1280);
    for (int i = 0; i < count; i++) {
        assert_true(tracks->items[i].x1 == found->items[i].x1);
        assert_true(tracks->items[i].score == found->items[i].score);
        ids[i] = tracks->items[i].track;
    }
    sc_detections_unref(&tracks);
    sc_detections_unref(&found);
}

static sc_tracker *open_kind(int kind)
{
    return sc_tracker_open(&(struct sc_tracker_params){.kind = (enum sc_tracker_kind)kind});
}

// Three that walk, at frame n.
static void walkers(double n, struct thing things[3])
{
    things[0] = (struct thing){100 + 5 * n, 200, 30, 80, 0.9, 0};
    things[1] = (struct thing){700 - 4 * n, 300 + 2 * n, 30, 80, 0.85, 0};
    things[2] = (struct thing){400, 600 - 3 * n, 30, 80, 0.8, 0};
}

static void names(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++)
        assert_int_equal(sc_tracker_kind_find(sc_tracker_kind_name((enum sc_tracker_kind)k)),
                         k);
    assert_int_equal(sc_tracker_kind_find("OcSort"), SC_TRACKER_OCSORT);
    assert_int_equal(sc_tracker_kind_find("deep"), SC_ENOTFOUND);
    assert_null(sc_tracker_kind_name((enum sc_tracker_kind)7));
    sc_tracker *none = NULL;
    sc_tracker_close(&none);
    sc_tracker_close(NULL);
}

static void ids_stay(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        for (int n = 0; n < 60; n++) {
            struct thing things[3];
            int64_t ids[3];
            walkers(n, things);
            step(tracker, things, 3, n * (int64_t)FRAME_NS, false, ids);
            for (int i = 0; i < 3; i++)
                assert_int_equal(ids[i], i + 1);
        }
        struct sc_tracker_stats stats;
        sc_tracker_get_stats(tracker, &stats);
        assert_int_equal(stats.updates, 60);
        assert_int_equal(stats.ids, 3);
        assert_int_equal(stats.found, 3);
        assert_int_equal(stats.lost + stats.fresh, 0);
        sc_tracker_close(&tracker);
        assert_null(tracker);
    }
}

// A new object has no id at first; one seen once never gets one.
static void confirmed_only(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        for (int n = 0; n < 10; n++) {
            struct thing things[3];
            int64_t ids[3] = {0};
            walkers(n, things);
            bool ghost = n == 3;
            if (ghost)
                things[2] = (struct thing){900, 100, 40, 40, 0.95, 0};
            int count = n < 3 ? 1 : ghost ? 3 : 2;
            step(tracker, things, count, n * (int64_t)FRAME_NS, false, ids);
            assert_int_equal(ids[0], 1);
            assert_int_equal(ids[1], n - 3 + 1 >= hits[k] ? 2 : 0);
            assert_int_equal(ids[2], 0);
        }
        sc_tracker_close(&tracker);
    }
}

// Ids over gaps in the detections, up to the patience; another id beyond.
static void gaps(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        struct thing things[3];
        int64_t ids[3];
        for (int n = 0; n < 160; n++) {
            walkers(n, things);
            bool missing = (n >= 30 && n < 42) || (n >= 100 && n < 140);
            step(tracker, things, missing ? 1 : 3, n * (int64_t)FRAME_NS, false, ids);
            assert_int_equal(ids[0], 1);
            for (int i = 1; i < 3 && !missing; i++)
                assert_int_equal(ids[i], n < 100 ? i + 1 : n < 139 + hits[k] ? 0 : i + 3);
        }
        sc_tracker_close(&tracker);
    }
}

// Steps of 1 to 6 frames: what counts is time.
static void uneven_steps(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        double n = 0;
        for (int i = 0; i < 60; i++) {
            struct thing things[3];
            int64_t ids[3];
            walkers(n, things);
            step(tracker, things, 3, (int64_t)(n * FRAME_NS), false, ids);
            for (int j = 0; j < 3; j++)
                assert_int_equal(ids[j], j + 1);
            n += i < 10 ? 1 : 1 + i * 5 % 6; // 6 frames are 30 pixels: a whole width
        }
        sc_tracker_close(&tracker);
    }
}

// Two that cross: each goes on straight.
static void crossing(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        for (int n = 0; n < 80; n++) {
            struct thing things[2] = {{200 + 5 * n, 300, 40, 90, 0.9, 0},
                                      {600 - 5 * n, 312, 40, 90, 0.88, 0}};
            int64_t ids[2];
            step(tracker, things, 2, n * (int64_t)FRAME_NS, false, ids);
            assert_int_equal(ids[0], 1);
            assert_int_equal(ids[1], 2);
        }
        sc_tracker_close(&tracker);
    }
}

// Scores fall while somebody is half hidden: only SORT lets him go.
static void weak_detections(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        for (int n = 0; n < 40; n++) {
            struct thing things[2] = {{100 + 4 * n, 200, 30, 80, 0.9, 0},
                                      {500, 200, 30, 80, 0.15, 0}};
            int64_t ids[2];
            bool weak = n >= 20 && n < 30;
            things[0].score = weak ? 0.2 : 0.9;
            step(tracker, things, 2, n * (int64_t)FRAME_NS, false, ids);
            assert_int_equal(ids[0], weak && k == SC_TRACKER_SORT ? 0 : 1);
            assert_int_equal(ids[1], 0); // begins nothing
        }
        sc_tracker_close(&tracker);
    }
}

// Somebody walks to where another was lost: he was known for longer, so the other is forgotten.
static void meets_a_lost_one(void **state)
{
    (void)state;
    sc_tracker *tracker = open_kind(SC_TRACKER_BYTETRACK);
    for (int n = 0; n < 30; n++) {
        struct thing things[2] = {{400 - 10 * n, 300, 40, 90, 0.9, 0},
                                  {203, 300, 40, 90, 0.9, 0}};
        struct sc_tracker_stats stats;
        int64_t ids[2];
        step(tracker, things, n < 5 ? 2 : 1, n * (int64_t)FRAME_NS, false, ids);
        assert_int_equal(ids[0], 1);
        sc_tracker_get_stats(tracker, &stats);
        assert_int_equal(stats.found + stats.lost, n < 20 ? 2 : 1);
    }
    sc_tracker_close(&tracker);
}

// Of two who could be it, OC-SORT takes the one straight on, though the other overlaps a bit more.
static void momentum(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        int64_t ids[2];
        for (int n = 0; n < 30; n++) {
            struct thing thing = {100 + 4 * n, 300, 40, 40, 0.9, 0};
            step(tracker, &thing, 1, n * (int64_t)FRAME_NS, false, ids);
        }
        struct thing things[2] = {{220, 309.5, 40, 40, 0.9, 0}, {230, 300, 40, 40, 0.9, 0}};
        step(tracker, things, 2, 30 * (int64_t)FRAME_NS, false, ids);
        assert_int_equal(ids[0], k == SC_TRACKER_OCSORT ? 0 : 1);
        assert_int_equal(ids[1], k == SC_TRACKER_OCSORT ? 1 : 0);
        sc_tracker_close(&tracker);
    }
}

// Stops while hidden: OC-SORT finds it where it was last seen, the others look ahead of it.
static void recovery(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        int64_t id;
        for (int n = 0; n < 30; n++) {
            struct thing thing = {100 + 6 * n, 300, 30, 80, 0.9, 0};
            step(tracker, &thing, n < 20 ? 1 : 0, n * (int64_t)FRAME_NS, false, &id);
        }
        struct thing thing = {216, 300, 30, 80, 0.9, 0};
        step(tracker, &thing, 1, 30 * (int64_t)FRAME_NS, false, &id);
        assert_int_equal(id, k == SC_TRACKER_OCSORT ? 1 : 0);
        sc_tracker_close(&tracker);
    }
}

// After a gap OC-SORT's filter is as if the object had been seen on the line between.
static void update_over_a_gap(void **state)
{
    (void)state;
    sc_tracker *tracker = open_kind(SC_TRACKER_OCSORT);
    struct sc_kalman filter;
    int64_t id;
    for (int n = 0; n <= 40; n++) {
        double x = n < 30 ? 100 + 6 * n : 274 + (n - 29) * 10 / 11.0; // slower while hidden
        struct thing thing = {x, 300, 120, 120, 0.9, 0};
        struct sc_box box = {(float)(x - 60), 240, (float)(x + 60), 360};
        step(tracker, &thing, n < 30 || n == 40, n * (int64_t)FRAME_NS, false, &id);
        if (!n) {
            sc_kalman_init(&filter, SC_KALMAN_AREA, &box);
            continue;
        }
        sc_kalman_predict(&filter, FRAME_NS / SC_FRAME_NS, false);
        sc_kalman_update(&filter, &box);
    }
    assert_int_equal(id, 1);
    for (int i = 0; i < 4; i++) {
        const struct sc_kalman_axis *got = &tracker->tracks[0].filter.axis[i];
        assert_true(fabs(got->x - filter.axis[i].x) < 0.01);
        assert_true(fabs(got->v - filter.axis[i].v) < 0.01);
        assert_true(fabs(got->xx - filter.axis[i].xx) < 0.01);
    }
    sc_tracker_close(&tracker);
}

// A small thing that is kicked is near, and overlaps hardly.
static void kicked(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        int64_t id;
        for (int n = 0; n < 30; n++) {
            struct thing thing = {300 + (n < 10 ? 0 : 6 * (n - 9)), 300, 8, 8, 0.9, 0};
            step(tracker, &thing, 1, n * (int64_t)FRAME_NS, false, &id);
            assert_int_equal(id, n < 10 || k != SC_TRACKER_SORT);
        }
        sc_tracker_close(&tracker);
    }
}

static void classes(void **state)
{
    (void)state;
    for (int agnostic = 0; agnostic < 2; agnostic++) {
        struct sc_tracker_params params = {.class_agnostic = agnostic};
        sc_tracker *tracker = sc_tracker_open(&params);
        struct thing thing = {100, 100, 50, 50, 0.9, 3};
        int64_t id;
        for (int n = 0; n < 6; n++) {
            thing.class = n < 3 ? 3 : 4;
            step(tracker, &thing, 1, n * (int64_t)FRAME_NS, false, &id);
            assert_int_equal(id, agnostic || n < 3 ? 1 : n == 3 ? 0 : 2);
        }
        sc_tracker_close(&tracker);
    }
}

static void cuts_and_steps_back(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        struct thing thing = {100, 100, 50, 50, 0.9, 0};
        struct sc_tracker_stats stats;
        int64_t id;
        step(tracker, &thing, 1, 1000, false, &id);
        assert_int_equal(id, 1);
        step(tracker, &thing, 1, 1000, false, &id); // the same time again
        assert_int_equal(id, 1);
        step(tracker, &thing, 1, 2000, true, &id);
        assert_int_equal(id, 2);
        step(tracker, &thing, 1, 1999, false, &id);
        assert_int_equal(id, 3);
        step(tracker, &thing, 1, INT64_MIN, false, &id);
        assert_int_equal(id, 4);
        step(tracker, &thing, 1, INT64_MAX, false, &id);
        assert_int_equal(id, 0); // as after any long pause
        step(tracker, &thing, 1, INT64_MAX, false, &id);
        step(tracker, &thing, 1, INT64_MAX, false, &id);
        assert_int_equal(id, 5);
        sc_tracker_get_stats(tracker, &stats);
        assert_int_equal(stats.cuts, 1);
        assert_int_equal(stats.backs, 2);
        sc_detections *ahead = sc_tracker_predict(tracker, INT64_MAX);
        assert_int_equal(ahead->count, 1);
        sc_detections_unref(&ahead);
        ahead = sc_tracker_predict(tracker, INT64_MIN);
        assert_int_equal(ahead->count, 1);
        sc_detections_unref(&ahead);
        sc_tracker_close(&tracker);
    }
}

static const struct sc_detection *with_id(const sc_detections *list, int64_t id)
{
    for (int i = 0; i < list->count; i++) {
        if (list->items[i].track == id)
            return &list->items[i];
    }
    return NULL;
}

static void prediction(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = sc_tracker_open(&(struct sc_tracker_params){
            .kind = (enum sc_tracker_kind)k, .coast_ns = 100000000});
        sc_detections *ahead = sc_tracker_predict(tracker, 5);
        assert_int_equal(ahead->count, 0);
        sc_detections_unref(&ahead);
        struct thing things[3];
        int64_t ids[3];
        int n = 0;
        for (; n <= 40; n++) {
            walkers(n, things);
            step(tracker, things, 3, n * (int64_t)FRAME_NS, false, ids);
        }
        for (int again = 0; again < 2; again++) { // changes nothing
            ahead = sc_tracker_predict(tracker, 44 * (int64_t)FRAME_NS);
            assert_int_equal(ahead->count, 3);
            assert_int_equal(ahead->width, 1280);
            walkers(44, things);
            for (int i = 0; i < 3; i++) {
                const struct sc_detection *d = &ahead->items[i];
                assert_int_equal(d->track, i + 1); // by falling score
                assert_true(fabs((double)(d->x1 + d->x2) / 2 - things[i].x) < 3);
                assert_true(fabs((double)(d->y1 + d->y2) / 2 - things[i].y) < 3);
                assert_true(fabs((double)(d->y2 - d->y1) - 80) < 3);
            }
            sc_detections_unref(&ahead);
        }
        for (; n < 46; n++) { // the second and third are not found: they coast for 100 ms
            walkers(n, things);
            step(tracker, things, 1, n * (int64_t)FRAME_NS, false, ids);
            ahead = sc_tracker_predict(tracker, n * (int64_t)FRAME_NS);
            assert_int_equal(ahead->count, n - 40 <= 3 ? 3 : 1);
            assert_non_null(with_id(ahead, 1));
            sc_detections_unref(&ahead);
        }
        ahead = sc_tracker_predict(tracker, n * (int64_t)FRAME_NS + 1100000000);
        assert_int_equal(ahead->count, 0); // too far
        sc_detections_unref(&ahead);
        sc_tracker_close(&tracker);
    }
}

// Boxes are cut at the picture, and left out behind it.
static void prediction_at_the_edge(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        int64_t id;
        for (int n = 0; n < 20; n++) {
            struct thing thing = {1060 + 10 * n, 100, 40, 80, 0.9, 0};
            step(tracker, &thing, 1, n * (int64_t)FRAME_NS, false, &id);
        }
        sc_detections *ahead = sc_tracker_predict(tracker, 21 * (int64_t)FRAME_NS);
        assert_int_equal(ahead->count, 1);
        assert_true(ahead->items[0].x2 == 1280 && ahead->items[0].x1 < 1275);
        sc_detections_unref(&ahead);
        ahead = sc_tracker_predict(tracker, 32 * (int64_t)FRAME_NS);
        assert_int_equal(ahead->count, 0);
        sc_detections_unref(&ahead);
        sc_tracker_close(&tracker);
    }
}

// --- hostile input ----------------------------------------------------------------------------

static uint64_t seed = 7;

static uint64_t random_bits(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return seed >> 33;
}

static float random_float(void)
{
    static const float odd[] = {0, -1, 1e30f, -1e30f, 1e-30f, NAN, INFINITY, -INFINITY, 1e6f};
    uint64_t bits = random_bits();
    return bits % 4 ? (float)(bits % 2000) : odd[bits / 4 % 9];
}

static void nonsense(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        int64_t pts_ns = 0;
        for (int round = 0; round < 400; round++) {
            sc_detections *found = sc_detections_new((int)(random_bits() % 40));
            found->width = (int)(random_bits() % 2000);
            found->height = (int)(random_bits() % 2000);
            for (int i = 0; i < found->count; i++)
                found->items[i] = (struct sc_detection){random_float(),
                                                        random_float(),
                                                        random_float(),
                                                        random_float(),
                                                        random_float() / 2,
                                                        (int)(random_bits() % 3),
                                                        -5};
            pts_ns += (int64_t)(random_bits() % 500000000) - 10000000;
            sc_detections *tracks =
                sc_tracker_update(tracker, found, pts_ns, random_bits() % 50 == 0);
            for (int i = 0; i < tracks->count; i++)
                assert_true(tracks->items[i].track >= 0);
            sc_detections *ahead = sc_tracker_predict(tracker, pts_ns + (int64_t)random_bits());
            for (int i = 0; i < ahead->count; i++) {
                const struct sc_detection *d = &ahead->items[i];
                assert_true(d->x1 >= 0 && d->x1 < d->x2 && d->x2 <= (float)found->width);
                assert_true(d->y1 >= 0 && d->y1 < d->y2 && d->y2 <= (float)found->height);
                assert_true(d->track > 0);
            }
            sc_detections_unref(&ahead);
            sc_detections_unref(&tracks);
            sc_detections_unref(&found);
        }
        sc_tracker_close(&tracker);
    }
}

// Ten thousand boxes: as many as there may be get tracks, the best; the rest are left out.
static void crowds(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        sc_detections *found = sc_detections_new(10000);
        found->width = found->height = 4000;
        for (int n = 0; n < 3; n++) {
            for (int i = 0; i < found->count; i++) {
                float x = (float)(i % 100 * 40 + n), y = (float)(i / 100 * 40 + n);
                found->items[i] = (struct sc_detection){x, y, x + 30, y + 30, 0.9f, 0, 0};
            }
            sc_detections *tracks =
                sc_tracker_update(tracker, found, n * (int64_t)FRAME_NS, false);
            for (int i = 0; i < found->count; i++)
                assert_int_equal(tracks->items[i].track, i < SC_TRACKER_MOST ? i + 1 : 0);
            sc_detections_unref(&tracks);
        }
        struct sc_tracker_stats stats;
        sc_tracker_get_stats(tracker, &stats);
        assert_int_equal(stats.found, SC_TRACKER_MOST);
        assert_int_equal(stats.left_out, 3 * (10000 - SC_TRACKER_MOST));
        for (int i = 0; i < found->count; i++) // elsewhere: those lost make room
            found->items[i].x1 = (found->items[i].x2 += 100000) - 20;
        for (int n = 3; n < 6; n++) {
            sc_detections *tracks =
                sc_tracker_update(tracker, found, n * (int64_t)FRAME_NS, false);
            sc_detections_unref(&tracks);
        }
        sc_tracker_get_stats(tracker, &stats);
        assert_int_equal(stats.found, SC_TRACKER_MOST);
        assert_int_equal(stats.ids, 2 * SC_TRACKER_MOST);
        sc_detections_unref(&found);
        sc_tracker_close(&tracker);
    }
}

// All in one place, the dearest table to solve: still done in little time (the test's limit).
static void a_heap(void **state)
{
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        sc_tracker *tracker = open_kind(k);
        sc_detections *found = sc_detections_new(10000);
        found->width = found->height = 4000;
        for (int n = 0; n < 3; n++) {
            for (int i = 0; i < found->count; i++) {
                float x = (float)(random_bits() % 100) / 10,
                      y = (float)(random_bits() % 100) / 10;
                found->items[i] = (struct sc_detection){x, y, x + 300, y + 300, 0.9f, 0, 0};
            }
            sc_detections *tracks =
                sc_tracker_update(tracker, found, n * (int64_t)FRAME_NS, false);
            assert_non_null(tracks);
            sc_detections_unref(&tracks);
        }
        sc_detections_unref(&found);
        sc_tracker_close(&tracker);
    }
}

static void odd_params(void **state)
{
    (void)state;
    struct sc_tracker_params params = {.high = NAN,
                                       .low = 7,
                                       .fresh = -1,
                                       .match = 2,
                                       .match_low = -INFINITY,
                                       .max_lost_ns = INT64_MAX,
                                       .coast_ns = INT64_MAX,
                                       .min_hits = -3};
    for (int k = 0; k < KINDS; k++) {
        params.kind = (enum sc_tracker_kind)k;
        sc_tracker *tracker = sc_tracker_open(&params);
        struct thing things[3];
        int64_t ids[3];
        for (int n = 0; n < 20; n++) {
            walkers(n, things);
            step(tracker, things, n % 4, n * (int64_t)1000000000000, false, ids);
            sc_detections *ahead = sc_tracker_predict(tracker, INT64_MAX);
            sc_detections_unref(&ahead);
        }
        sc_tracker_close(&tracker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(ids_stay),
        cmocka_unit_test(confirmed_only),
        cmocka_unit_test(gaps),
        cmocka_unit_test(uneven_steps),
        cmocka_unit_test(crossing),
        cmocka_unit_test(weak_detections),
        cmocka_unit_test(meets_a_lost_one),
        cmocka_unit_test(momentum),
        cmocka_unit_test(recovery),
        cmocka_unit_test(update_over_a_gap),
        cmocka_unit_test(kicked),
        cmocka_unit_test(classes),
        cmocka_unit_test(cuts_and_steps_back),
        cmocka_unit_test(prediction),
        cmocka_unit_test(prediction_at_the_edge),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(crowds),
        cmocka_unit_test(a_heap),
        cmocka_unit_test(odd_params),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
