// Where labels go, so that they do not hide what the picture is looked at for.
#include "vision/overlay_internal.h"

static int64_t area(struct sc_rect r)
{
    return r.x1 > r.x0 && r.y1 > r.y0 ? (int64_t)(r.x1 - r.x0) * (r.y1 - r.y0) : 0;
}

static int64_t common(struct sc_rect a, struct sc_rect b)
{
    return area((struct sc_rect){a.x0 > b.x0 ? a.x0 : b.x0, a.y0 > b.y0 ? a.y0 : b.y0,
                                 a.x1 < b.x1 ? a.x1 : b.x1, a.y1 < b.y1 ? a.y1 : b.y1});
}

// A tenth of another object may be covered: by a cup's label on the table, or by a corner.
static bool is_free(const struct sc_place *places, int count, int i, struct sc_rect label)
{
    for (int j = 0; j < count; j++)
        if (j != i && (10 * common(label, places[j].box) > area(places[j].box) ||
                       (j < i && common(label, places[j].label))))
            return false;
    return true;
}

void sc_overlay_place(struct sc_place *places, int count, int i, int w, int h, int line,
                      int sheet_w, int sheet_h)
{
    struct sc_rect box = places[i].box, first = {0};
    const int tops[] = {box.y0 + line - h, box.y0, box.y1 - line}; // above, within, below
    int x = box.x0 + w <= sheet_w ? box.x0 : sheet_w - w;
    places[i].label = (struct sc_rect){0};
    for (size_t k = 0; k < sizeof(tops) / sizeof(*tops); k++) {
        struct sc_rect label = {x, tops[k], x + w, tops[k] + h};
        bool within = tops[k] == box.y0;
        if (x < 0 || label.y0 < 0 || label.y1 > sheet_h ||
            (within && 4 * common(label, box) > area(box)))
            continue;
        if (is_free(places, count, i, label)) {
            places[i].label = label;
            return;
        }
        first = area(first) ? first : label;
    }
    if (4 * area(first) <= area(box))
        places[i].label = first;
}
