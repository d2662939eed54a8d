#include "vision/detection.h"

#include "base/mem.h"

#define MOST 100000

sc_detections *sc_detections_new(int count)
{
    if (count < 0 || count > MOST)
        return NULL;
    sc_detections *d =
        sc_try_calloc(1, sizeof(*d) + (size_t)count * sizeof(struct sc_detection));
    if (!d)
        return NULL;
    sc_ref_init(&d->ref);
    d->count = count;
    return d;
}

sc_detections *sc_detections_ref(sc_detections *detections)
{
    if (detections)
        sc_ref_inc(&detections->ref);
    return detections;
}

void sc_detections_unref(sc_detections **pdetections)
{
    sc_detections *d = pdetections ? *pdetections : NULL;
    if (!d)
        return;
    *pdetections = NULL;
    if (sc_ref_dec(&d->ref))
        free(d);
}

int sc_detections_above(const sc_detections *detections, double threshold)
{
    int low = 0, high = detections->count;
    while (low < high) {
        int mid = (low + high) / 2;
        if ((double)detections->items[mid].score >= threshold)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

sc_detections *sc_detections_choose(const sc_detections *detections, double threshold)
{
    sc_detections *chosen = sc_detections_new(detections->count);
    if (!chosen)
        return NULL;
    chosen->width = detections->width;
    chosen->height = detections->height;
    chosen->count = 0;
    for (int i = 0; i < detections->count; i++) {
        const struct sc_detection *d = &detections->items[i];
        if (d->score >= threshold || d->track)
            chosen->items[chosen->count++] = *d;
    }
    return chosen;
}

size_t sc_detections_bytes(const sc_detections *detections)
{
    return sizeof(*detections) + (size_t)detections->count * sizeof(struct sc_detection);
}
