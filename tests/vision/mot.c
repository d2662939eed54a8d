#include "mot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vision/assignment.h"
#include "vision/tracker_internal.h"

#define ALPHAS 19 // 0.05, 0.10 .. 0.95
#define EVEN   1e-9

struct frame {
    struct mot_box *truth, *tracks; // ids renumbered from 0
    int truths, count;
    double *iou; // truths x count, 0 for different classes
};

struct names {
    int *known;
    int count;
};

struct mot {
    struct frame *frames;
    int frame_count;
    struct names truth, tracks;
};

mot *mot_new(void)
{
    return sc_new(mot);
}

void mot_free(mot **pmot)
{
    mot *m = pmot ? *pmot : NULL;
    if (!m)
        return;
    *pmot = NULL;
    for (int f = 0; f < m->frame_count; f++) {
        free(m->frames[f].truth);
        free(m->frames[f].tracks);
        free(m->frames[f].iou);
    }
    free(m->frames);
    free(m->truth.known);
    free(m->tracks.known);
    free(m);
}

// --- frames -----------------------------------------------------------------------------------

static int number_of(struct names *names, int id)
{
    for (int i = names->count - 1; i >= 0; i--) {
        if (names->known[i] == id)
            return i;
    }
    names->known = sc_xrealloc(names->known, (size_t)(names->count + 1) * sizeof(int));
    names->known[names->count] = id;
    return names->count++;
}

static void assign(const double *gain, int rows, int columns, int *column_of)
{
    void *work = sc_xcalloc(1, sc_assign_work_size(rows, columns) + 1);
    sc_assign(gain, rows, columns, column_of, work);
    free(work);
}

static double similarity(const struct mot_box *a, const struct mot_box *b)
{
    return a->class == b->class ? sc_box_iou(&a->box, &b->box) : 0;
}

// Which tracks are on truth that is to be ignored, by a matching over all truth.
static void find_ignored(const struct mot_box *truth, int truths, const struct mot_box *tracks,
                         int count, bool *ignored)
{
    double *gain = sc_xcalloc((size_t)truths * (size_t)count + 1, sizeof(*gain));
    int *column_of = sc_xcalloc((size_t)truths + 1, sizeof(*column_of));
    for (int i = 0; i < truths; i++)
        for (int j = 0; j < count; j++) {
            double iou = similarity(&truth[i], &tracks[j]);
            gain[i * count + j] = iou >= 0.5 ? iou : 0;
        }
    assign(gain, truths, count, column_of);
    for (int i = 0; i < truths; i++) {
        if (truth[i].ignore && column_of[i] >= 0)
            ignored[column_of[i]] = true;
    }
    free(gain);
    free(column_of);
}

void mot_add(mot *m, const struct mot_box *truth, int truths, const struct mot_box *tracks,
             int count)
{
    bool *ignored = sc_xcalloc((size_t)count + 1, sizeof(*ignored));
    struct frame f = {.truth = sc_xcalloc((size_t)truths + 1, sizeof(*f.truth)),
                      .tracks = sc_xcalloc((size_t)count + 1, sizeof(*f.tracks))};
    find_ignored(truth, truths, tracks, count, ignored);
    for (int i = 0; i < truths; i++) {
        if (truth[i].ignore)
            continue;
        f.truth[f.truths] = truth[i];
        f.truth[f.truths++].id = number_of(&m->truth, truth[i].id);
    }
    for (int j = 0; j < count; j++) {
        if (ignored[j])
            continue;
        f.tracks[f.count] = tracks[j];
        f.tracks[f.count++].id = number_of(&m->tracks, tracks[j].id);
    }
    f.iou = sc_xcalloc((size_t)f.truths * (size_t)f.count + 1, sizeof(*f.iou));
    for (int i = 0; i < f.truths; i++)
        for (int j = 0; j < f.count; j++)
            f.iou[i * f.count + j] = similarity(&f.truth[i], &f.tracks[j]);
    m->frames = sc_xrealloc(m->frames, (size_t)(m->frame_count + 1) * sizeof(f));
    m->frames[m->frame_count++] = f;
    free(ignored);
}

// --- tables of truth by track -----------------------------------------------------------------

static double *table(const mot *m)
{
    return sc_xcalloc((size_t)m->truth.count * (size_t)m->tracks.count + 1, sizeof(double));
}

static size_t cell(const mot *m, const struct frame *f, int i, int j)
{
    return (size_t)f->truth[i].id * (size_t)m->tracks.count + (size_t)f->tracks[j].id;
}

// In how many frames each truth and each track is.
struct seen {
    double *truth, *tracks;
    double all_truth, all_tracks;
};

static struct seen count_seen(const mot *m)
{
    struct seen seen = {.truth = sc_xcalloc((size_t)m->truth.count + 1, sizeof(double)),
                        .tracks = sc_xcalloc((size_t)m->tracks.count + 1, sizeof(double))};
    for (int k = 0; k < m->frame_count; k++) {
        const struct frame *f = &m->frames[k];
        for (int i = 0; i < f->truths; i++)
            seen.truth[f->truth[i].id]++;
        for (int j = 0; j < f->count; j++)
            seen.tracks[f->tracks[j].id]++;
        seen.all_truth += f->truths;
        seen.all_tracks += f->count;
    }
    return seen;
}

static void free_seen(struct seen *seen)
{
    free(seen->truth);
    free(seen->tracks);
}

// --- HOTA -------------------------------------------------------------------------------------

// How much truth and track overlap over all frames: potential matches by those of either.
static void add_alignment(const mot *m, const struct frame *f, double *align)
{
    for (int i = 0; i < f->truths; i++)
        for (int j = 0; j < f->count; j++) {
            double both = f->iou[i * f->count + j], row = 0, column = 0;
            for (int k = 0; k < f->count; k++)
                row += f->iou[i * f->count + k];
            for (int k = 0; k < f->truths; k++)
                column += f->iou[k * f->count + j];
            if (both > 0)
                align[cell(m, f, i, j)] += both / (row + column - both);
        }
}

static double *alignment(const mot *m, const struct seen *seen)
{
    double *align = table(m);
    for (int k = 0; k < m->frame_count; k++)
        add_alignment(m, &m->frames[k], align);
    for (int i = 0; i < m->truth.count; i++)
        for (int j = 0; j < m->tracks.count; j++) {
            double *a = &align[(size_t)i * (size_t)m->tracks.count + (size_t)j];
            *a /= seen->truth[i] + seen->tracks[j] - *a;
        }
    return align;
}

// Adds the pairs of a frame to each threshold's table.
static void count_matches(const mot *m, const struct frame *f, const double *align,
                          double *matches[ALPHAS])
{
    double *gain = sc_xcalloc((size_t)f->truths * (size_t)f->count + 1, sizeof(*gain));
    int *column_of = sc_xcalloc((size_t)f->truths + 1, sizeof(*column_of));
    for (int i = 0; i < f->truths; i++)
        for (int j = 0; j < f->count; j++)
            gain[i * f->count + j] = f->iou[i * f->count + j] * align[cell(m, f, i, j)];
    assign(gain, f->truths, f->count, column_of);
    for (int i = 0; i < f->truths; i++) {
        int j = column_of[i];
        for (int a = 0; a < ALPHAS && j >= 0; a++) {
            if (f->iou[i * f->count + j] >= 0.05 * (a + 1) - EVEN)
                matches[a][cell(m, f, i, j)]++;
        }
    }
    free(gain);
    free(column_of);
}

static void add_hota(const mot *m, const struct seen *seen, const double *matches,
                     struct mot_scores *scores)
{
    double hits = 0, sum = 0;
    for (int i = 0; i < m->truth.count; i++)
        for (int j = 0; j < m->tracks.count; j++) {
            double both = matches[(size_t)i * (size_t)m->tracks.count + (size_t)j];
            hits += both;
            if (both > 0)
                sum += both * both / (seen->truth[i] + seen->tracks[j] - both);
        }
    double deta = hits / fmax(seen->all_truth + seen->all_tracks - hits, 1);
    double assa = sum / fmax(hits, 1);
    scores->deta += deta / ALPHAS;
    scores->assa += assa / ALPHAS;
    scores->hota += sqrt(deta * assa) / ALPHAS;
}

static void score_hota(const mot *m, const struct seen *seen, struct mot_scores *scores)
{
    double *align = alignment(m, seen), *matches[ALPHAS];
    for (int a = 0; a < ALPHAS; a++)
        matches[a] = table(m);
    for (int k = 0; k < m->frame_count; k++)
        count_matches(m, &m->frames[k], align, matches);
    for (int a = 0; a < ALPHAS; a++) {
        add_hota(m, seen, matches[a], scores);
        free(matches[a]);
    }
    free(align);
}

// --- MOTA and IDF1 ----------------------------------------------------------------------------

// Who was matched in the frame before stays so where he can; last: by truth, the track, -1 = none.
static int mota_frame(const struct frame *f, int *last, int *before, int truth_ids,
                      int *switches)
{
    double *gain = sc_xcalloc((size_t)f->truths * (size_t)f->count + 1, sizeof(*gain));
    int *column_of = sc_xcalloc((size_t)f->truths + 1, sizeof(*column_of));
    int hits = 0;
    for (int i = 0; i < f->truths; i++)
        for (int j = 0; j < f->count; j++) {
            double iou = f->iou[i * f->count + j];
            bool stays = before[f->truth[i].id] == f->tracks[j].id;
            gain[i * f->count + j] = iou >= 0.5 - EVEN ? iou + (stays ? 1000 : 0) : 0;
        }
    assign(gain, f->truths, f->count, column_of);
    for (int i = 0; i < truth_ids; i++)
        before[i] = -1;
    for (int i = 0; i < f->truths; i++) {
        int id = f->truth[i].id;
        if (column_of[i] < 0)
            continue;
        int track = f->tracks[column_of[i]].id;
        *switches += last[id] >= 0 && last[id] != track;
        last[id] = before[id] = track;
        hits++;
    }
    free(gain);
    free(column_of);
    return hits;
}

static void score_mota(const mot *m, const struct seen *seen, struct mot_scores *scores)
{
    int *last = sc_xcalloc((size_t)m->truth.count + 1, sizeof(*last)), hits = 0;
    int *before = sc_xcalloc((size_t)m->truth.count + 1, sizeof(*before));
    for (int i = 0; i < m->truth.count; i++)
        last[i] = before[i] = -1;
    for (int k = 0; k < m->frame_count; k++)
        hits += mota_frame(&m->frames[k], last, before, m->truth.count, &scores->switches);
    scores->truth = (int)seen->all_truth;
    scores->misses = scores->truth - hits;
    scores->wrong = (int)seen->all_tracks - hits;
    scores->mota =
        1 - (scores->misses + scores->wrong + scores->switches) / fmax(seen->all_truth, 1);
    free(last);
    free(before);
}

static void score_idf1(const mot *m, const struct seen *seen, struct mot_scores *scores)
{
    double *both = table(m), hits = 0;
    int *column_of = sc_xcalloc((size_t)m->truth.count + 1, sizeof(*column_of));
    for (int k = 0; k < m->frame_count; k++) {
        const struct frame *f = &m->frames[k];
        for (int i = 0; i < f->truths; i++)
            for (int j = 0; j < f->count; j++)
                both[cell(m, f, i, j)] += f->iou[i * f->count + j] >= 0.5 - EVEN;
    }
    assign(both, m->truth.count, m->tracks.count, column_of);
    for (int i = 0; i < m->truth.count; i++) {
        if (column_of[i] >= 0)
            hits += both[(size_t)i * (size_t)m->tracks.count + (size_t)column_of[i]];
    }
    scores->idf1 = 2 * hits / fmax(seen->all_truth + seen->all_tracks, 1);
    free(both);
    free(column_of);
}

struct mot_scores mot_scores(const mot *m)
{
    struct mot_scores scores = {.ids = m->tracks.count};
    struct seen seen = count_seen(m);
    score_hota(m, &seen, &scores);
    score_mota(m, &seen, &scores);
    score_idf1(m, &seen, &scores);
    free_seen(&seen);
    return scores;
}
