// Passes: who could be whom, and the best of all ways to pair them.
#include <math.h>

#include "base/error.h"
#include "base/mem.h"
#include "vision/assignment.h"
#include "vision/tracker_internal.h"

// Buffered IoU (Yang et al. 2023, arXiv:2211.14317).
#define GROW 0.5 // of the side, at each end
#define NEAR 0.3 // least IoU of the grown boxes

double sc_box_iou(const struct sc_box *a, const struct sc_box *b)
{
    // Not fmin() and fmax(), which are calls for the sake of NaN.
    double w = (a->x2 < b->x2 ? a->x2 : b->x2) - (a->x1 > b->x1 ? a->x1 : b->x1);
    double h = (a->y2 < b->y2 ? a->y2 : b->y2) - (a->y1 > b->y1 ? a->y1 : b->y1);
    if (w <= 0 || h <= 0)
        return 0;
    double both = w * h, either = (a->x2 - a->x1) * (a->y2 - a->y1) +
                                  (b->x2 - b->x1) * (b->y2 - b->y1) - both;
    return both / either;
}

// Memory at *p for at least need bytes; *psize is what there is.
static int reserve(void *p, size_t *psize, size_t need)
{
    void **pmemory = p;
    if (*psize >= need)
        return SC_OK;
    void *more = sc_try_realloc(*pmemory, need, 1);
    if (!more)
        return SC_ENOMEM;
    *pmemory = more;
    *psize = need;
    return SC_OK;
}

static int reserve_tracks(sc_tracker *t, int count)
{
    if (t->track_room >= count)
        return SC_OK;
    struct sc_track *tracks = sc_try_realloc(t->tracks, (size_t)count, sizeof(*tracks));
    if (tracks)
        t->tracks = tracks;
    int *rows = sc_try_realloc(t->rows, (size_t)count, sizeof(*rows));
    if (rows)
        t->rows = rows;
    int *column_of = sc_try_realloc(t->column_of, (size_t)count, sizeof(*column_of));
    if (column_of)
        t->column_of = column_of;
    if (!tracks || !rows || !column_of)
        return SC_ENOMEM;
    t->track_room = count;
    return SC_OK;
}

static int reserve_found(sc_tracker *t, int count)
{
    if (t->found_room >= count)
        return SC_OK;
    struct sc_found *found = sc_try_realloc(t->found, (size_t)count, sizeof(*found));
    if (found)
        t->found = found;
    int *columns = sc_try_realloc(t->columns, (size_t)count, sizeof(*columns));
    if (columns)
        t->columns = columns;
    if (!found || !columns)
        return SC_ENOMEM;
    t->found_room = count;
    return SC_OK;
}

int sc_tracker_reserve(sc_tracker *t, int found)
{
    int most = t->track_count + found;
    most = most < SC_TRACKER_MOST ? most : SC_TRACKER_MOST;
    int ret = reserve_tracks(t, most);
    if (ret >= 0)
        ret = reserve_found(t, found);
    if (ret >= 0)
        ret = reserve(&t->gain, &t->gain_size, sizeof(double) * (size_t)most * (size_t)found);
    if (ret >= 0)
        ret = reserve(&t->work, &t->work_size, sc_assign_work_size(most, found));
    return ret;
}

static int list_tracks(sc_tracker *t, const struct sc_tracker_pass *pass)
{
    int count = 0;
    for (int i = 0; i < t->track_count; i++) {
        const struct sc_track *track = &t->tracks[i];
        if (track->item < 0 && (!pass->track || pass->track(t, track)))
            t->rows[count++] = i;
    }
    return count;
}

static int list_found(sc_tracker *t, const struct sc_tracker_pass *pass)
{
    int count = 0;
    for (int i = 0; i < t->found_count; i++) {
        const struct sc_found *found = &t->found[i];
        if (!found->taken && found->score >= pass->from && found->score < pass->below)
            t->columns[count++] = i;
    }
    return count;
}

static bool fill_gains(sc_tracker *t, const struct sc_tracker_pass *pass, int rows, int columns)
{
    bool any = false;
    double *gain = t->gain;
    for (int i = 0; i < rows; i++) {
        const struct sc_track *track = &t->tracks[t->rows[i]];
        for (int j = 0; j < columns; j++) {
            const struct sc_found *found = &t->found[t->columns[j]];
            bool same = t->params.class_agnostic || track->class == found->class;
            *gain = same ? pass->gain(t, track, found) : 0;
            any = any || *gain > 0;
            gain++;
        }
    }
    return any;
}

void sc_tracker_pass(sc_tracker *t, const struct sc_tracker_pass *pass)
{
    int rows = list_tracks(t, pass), columns = rows ? list_found(t, pass) : 0;
    if (!columns || !fill_gains(t, pass, rows, columns))
        return;
    sc_assign(t->gain, rows, columns, t->column_of, t->work);
    for (int i = 0; i < rows; i++) {
        if (t->column_of[i] >= 0)
            sc_track_hit(t, &t->tracks[t->rows[i]], &t->found[t->columns[t->column_of[i]]]);
    }
}

static struct sc_box grow(const struct sc_box *b)
{
    double x = GROW * (b->x2 - b->x1), y = GROW * (b->y2 - b->y1);
    return (struct sc_box){b->x1 - x, b->y1 - y, b->x2 + x, b->y2 + y};
}

static double gain_near(const sc_tracker *t, const struct sc_track *track,
                        const struct sc_found *found)
{
    (void)t;
    struct sc_box a = grow(&track->ahead), b = grow(&found->box);
    double iou = sc_box_iou(&a, &b);
    return iou >= NEAR ? iou : 0;
}

static bool is_confirmed(const sc_tracker *t, const struct sc_track *track)
{
    (void)t;
    return track->id != 0;
}

void sc_tracker_pass_near(sc_tracker *t)
{
    sc_tracker_pass(
        t, &(struct sc_tracker_pass){is_confirmed, t->params.high, INFINITY, gain_near});
}
