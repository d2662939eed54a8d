// From candidates in tensor pixels to detections in the displayed picture.
#include <math.h>

#include "base/mem.h"
#include "vision/family.h"

#define FIRST_ROOM 256

// By falling score; equal scores as they came.
static int by_score(const void *pa, const void *pb)
{
    const struct sc_detection *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return (a->track > b->track) - (a->track < b->track);
}

// Keeps the best `most`; what comes later must beat the last of them.
static void prune(struct sc_candidates *c)
{
    qsort(c->items, (size_t)c->count, sizeof(*c->items), by_score);
    c->count = c->most;
    c->floor = c->items[c->most - 1].score;
}

static bool make_room(struct sc_candidates *c)
{
    if (c->count < c->room)
        return true;
    if (c->count >= 2 * c->most) {
        prune(c);
        return true;
    }
    int room = c->room ? c->room * 2 : FIRST_ROOM;
    if (room > 2 * c->most)
        room = 2 * c->most;
    struct sc_detection *items = sc_try_realloc(c->items, (size_t)room, sizeof(*items));
    if (!items)
        return false;
    c->items = items;
    c->room = room;
    return true;
}

bool sc_candidates_add(struct sc_candidates *c, float x1, float y1, float x2, float y2,
                       float score, int class)
{
    // Written so that NaN fails; the finite width and height bound both corners.
    if (!(x2 > x1) || !(y2 > y1) || !isfinite(x1) || !isfinite(y1) || !isfinite(x2) ||
        !isfinite(y2) || !(score > c->floor))
        return true;
    if (!isfinite(score))
        return true;
    if (!make_room(c))
        return false;
    c->items[c->count++] = (struct sc_detection){.x1 = x1,
                                                 .y1 = y1,
                                                 .x2 = x2,
                                                 .y2 = y2,
                                                 .score = score > 1 ? 1 : score,
                                                 .class = class,
                                                 .track = c->seen++};
    return true;
}

// Intersection over union above iou, without the division.
static bool overlaps(const struct sc_detection *a, const struct sc_detection *b, double iou)
{
    float w = fminf(a->x2, b->x2) - fmaxf(a->x1, b->x1);
    float h = fminf(a->y2, b->y2) - fmaxf(a->y1, b->y1);
    if (!(w > 0) || !(h > 0))
        return false;
    double both = (double)w * h;
    double areas =
        (double)(a->x2 - a->x1) * (a->y2 - a->y1) + (double)(b->x2 - b->x1) * (b->y2 - b->y1);
    return both > iou * (areas - both);
}

static bool suppressed(const struct sc_detection *kept, int count,
                       const struct sc_detection *item, double iou)
{
    if (iou <= 0)
        return false;
    for (int i = 0; i < count; i++)
        if (kept[i].class == item->class && overlaps(&kept[i], item, iou))
            return true;
    return false;
}

// In pixels of the displayed picture and inside it; false where nothing is left.
static bool map(struct sc_detection *out, const struct sc_detection *in,
                const struct sc_mapping *m)
{
    *out = *in;
    out->track = 0;
    out->x1 = fmaxf(m->x0 + in->x1 * m->step_x, 0);
    out->y1 = fmaxf(m->y0 + in->y1 * m->step_y, 0);
    out->x2 = fminf(m->x0 + in->x2 * m->step_x, (float)m->width);
    out->y2 = fminf(m->y0 + in->y2 * m->step_y, (float)m->height);
    return out->x2 > out->x1 && out->y2 > out->y1;
}

sc_detections *sc_candidates_finish(struct sc_candidates *c, const struct sc_contract *contract,
                                    const struct sc_mapping *mapping)
{
    int most = c->count < contract->most ? c->count : contract->most, kept = 0;
    sc_detections *d = sc_detections_new(most);
    if (!d)
        return NULL;
    if (c->count)
        qsort(c->items, (size_t)c->count, sizeof(*c->items), by_score);
    // What is kept moves to the front of the candidates, still in tensor pixels. What lies in the
    // padding only neither counts nor suppresses.
    for (int i = 0; i < c->count && kept < most; i++) {
        if (suppressed(c->items, kept, &c->items[i], contract->iou) ||
            !map(&d->items[kept], &c->items[i], mapping))
            continue;
        c->items[kept++] = c->items[i];
    }
    d->count = kept;
    d->width = mapping->width;
    d->height = mapping->height;
    c->count = 0;
    c->seen = 0;
    c->floor = 0;
    return d;
}

void sc_candidates_release(struct sc_candidates *c)
{
    free(c->items);
    *c = (struct sc_candidates){0};
}
