#include "vision/detection.h"

#include <inttypes.h>

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

size_t sc_detections_bytes(const sc_detections *detections)
{
    return sizeof(*detections) + (size_t)detections->count * sizeof(struct sc_detection);
}

static void print_one(sc_str *out, const struct sc_detection *d, const char *label)
{
    sc_str_addf(out, "{\"class\":%d,\"label\":", d->class);
    if (label)
        sc_str_add_json(out, label);
    else
        sc_str_addf(out, "\"%d\"", d->class);
    sc_str_addf(out, ",\"score\":%.4f,\"box\":[%.2f,%.2f,%.2f,%.2f]", (double)d->score,
                (double)d->x1, (double)d->y1, (double)d->x2, (double)d->y2);
    if (d->track)
        sc_str_addf(out, ",\"track\":%" PRId64, d->track);
    sc_str_addc(out, '}');
}

void sc_detections_print(sc_str *out, const sc_detections *detections, double threshold,
                         const char *const *labels, int count)
{
    int above = sc_detections_above(detections, threshold);
    for (int i = 0; i < above; i++) {
        const struct sc_detection *d = &detections->items[i];
        if (i)
            sc_str_addc(out, ',');
        print_one(out, d, d->class >= 0 && d->class < count ? labels[d->class] : NULL);
    }
}
