// What a detector may say of a picture: any numbers, made into boxes inside the picture.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "vision/family.h"

// A candidate: x1, y1, x2, y2, score, and a byte of class.
#define CANDIDATE (5 * sizeof(float) + 1)

static void check(const sc_detections *found, const struct sc_contract *contract)
{
    sc_require(found->count <= contract->most);
    for (int i = 0; i < found->count; i++) {
        const struct sc_detection *d = &found->items[i];
        sc_require(d->x1 >= 0 && d->x1 <= d->x2 && d->x2 <= (float)found->width);
        sc_require(d->y1 >= 0 && d->y1 <= d->y2 && d->y2 <= (float)found->height);
        sc_require(isfinite(d->score) && (!i || d->score <= d[-1].score));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct sc_contract contract = {.classes = 256, .iou = data[0] / 255.0, .most = 1 + data[1]};
    struct sc_mapping mapping = {.x0 = (float)(int8_t)data[2],
                                 .y0 = (float)(int8_t)data[3],
                                 .step_x = 1.5F,
                                 .step_y = 0.75F,
                                 .width = 640,
                                 .height = 360};
    struct sc_candidates candidates = {.most = 1 + data[1] * 4};
    const uint8_t *p = data + 4, *end = data + size;
    for (; (size_t)(end - p) >= CANDIDATE; p += CANDIDATE) {
        float v[5];
        memcpy(v, p, sizeof(v));
        sc_require(
            sc_candidates_add(&candidates, v[0], v[1], v[2], v[3], v[4], p[CANDIDATE - 1]));
    }
    sc_detections *found = sc_candidates_finish(&candidates, &contract, &mapping);
    sc_require(found && !candidates.count);
    check(found, &contract);
    sc_detections_unref(&found);
    sc_candidates_release(&candidates);
    return 0;
}
