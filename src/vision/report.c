#include "vision/report.h"

#include <inttypes.h>
#include <string.h>

static const char *label_of(const char *const *labels, int count, int class, char number[16])
{
    if (labels && class >= 0 && class < count && labels[class])
        return labels[class];
    snprintf(number, 16, "%d", class);
    return number;
}

// With as many decimals as are worth it, and no zeros behind them.
static void add_number(sc_str *out, double v, int decimals)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%.*f", decimals, v);
    while (n > 0 && text[n - 1] == '0')
        n--;
    if (n > 0 && text[n - 1] == '.')
        n--;
    sc_str_addn(out, text, (size_t)n);
}

static void add_box(sc_str *out, const struct sc_detection *d)
{
    const float side[4] = {d->x1, d->y1, d->x2, d->y2};
    for (int i = 0; i < 4; i++) {
        if (i)
            sc_str_addc(out, ',');
        add_number(out, side[i], 2);
    }
}

void sc_report_add_detection(sc_str *out, const struct sc_detection *d,
                             const char *const *labels, int label_count)
{
    char number[16];
    sc_str_addf(out, "{\"class\":%d,\"label\":", d->class);
    sc_str_add_json(out, label_of(labels, label_count, d->class, number));
    sc_str_add(out, ",\"score\":");
    add_number(out, d->score, 4);
    sc_str_add(out, ",\"box\":[");
    add_box(out, d);
    sc_str_addc(out, ']');
    if (d->track)
        sc_str_addf(out, ",\"track\":%" PRId64, d->track);
    sc_str_addc(out, '}');
}

void sc_report_add_json(sc_str *out, const struct sc_report *r)
{
    sc_str_addf(out, "{\"n\":%" PRId64 ",\"t\":%s,\"width\":%d,\"height\":%d,\"model\":", r->n,
                r->t, r->detections->width, r->detections->height);
    sc_str_add_json(out, r->model);
    sc_str_add(out, ",\"detections\":[");
    for (int i = 0; i < r->count; i++) {
        if (i)
            sc_str_addc(out, ',');
        sc_report_add_detection(out, &r->detections->items[i], r->labels, r->label_count);
    }
    sc_str_add(out, "]}\n");
}

// RFC 4180: quoted where it must be.
static void add_field(sc_str *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        sc_str_add(out, text);
        return;
    }
    sc_str_addc(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            sc_str_addc(out, '"');
        sc_str_addc(out, *text);
    }
    sc_str_addc(out, '"');
}

void sc_report_add_csv(sc_str *out, const struct sc_report *r)
{
    char number[16];
    for (int i = 0; i < r->count; i++) {
        const struct sc_detection *d = &r->detections->items[i];
        sc_str_addf(out, "%" PRId64 ",%s,%d,", r->n, r->t, d->class);
        add_field(out, label_of(r->labels, r->label_count, d->class, number));
        sc_str_addc(out, ',');
        add_number(out, d->score, 4);
        sc_str_addc(out, ',');
        add_box(out, d);
        if (r->tracks)
            sc_str_addc(out, ',');
        if (r->tracks && d->track)
            sc_str_addf(out, "%" PRId64, d->track);
        sc_str_addc(out, '\n');
    }
}
