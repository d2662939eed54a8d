// Writes headers of packets bit by bit, for the tests of what reads them.
#pragma once

#include <stdint.h>

// All zero is an empty one. What is put there must fit.
struct writer {
    uint8_t data[1024];
    int bits;
};

static inline void put(struct writer *w, uint32_t value, int count)
{
    for (int i = count - 1; i >= 0; i--, w->bits++)
        w->data[w->bits >> 3] |= (uint8_t)((value >> i & 1) << (7 - (w->bits & 7)));
}

static inline void put_ue(struct writer *w, uint32_t value)
{
    int length = 31 - __builtin_clz(value + 1);
    put(w, 0, length);
    put(w, value + 1, length + 1);
}

static inline void put_se(struct writer *w, int32_t value)
{
    put_ue(w, value > 0 ? 2 * (uint32_t)value - 1 : 2 * (uint32_t)-value);
}

// Bytes of what was written, the last one filled up.
static inline int bytes(const struct writer *w)
{
    return (w->bits + 7) / 8;
}
