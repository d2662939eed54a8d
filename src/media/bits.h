// A bit reader for headers: big-endian bits, Exp-Golomb, optional removal of emulation
// prevention bytes. Reading past the end gives zeros and is remembered.
//
// Thread-safety: Unsafe; an embedded value.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct sc_bits {
    uint8_t buf[512]; // the unescaped head of the unit: headers are shorter than that
    int64_t pos, end; // in bits
} sc_bits;

static inline void sc_bits_init(sc_bits *b, const uint8_t *data, int size)
{
    int n = size < 0 ? 0 : size > (int)sizeof(b->buf) ? (int)sizeof(b->buf) : size;
    for (int i = 0; i < n; i++)
        b->buf[i] = data[i];
    b->pos = 0;
    b->end = (int64_t)n * 8;
}

// As init, dropping each 03 of a 00 00 03 (H.264 7.4.1, HEVC 7.3.1.1).
static inline void sc_bits_init_escaped(sc_bits *b, const uint8_t *data, int size)
{
    int n = 0, zeros = 0;
    for (int i = 0; i < size && n < (int)sizeof(b->buf); i++) {
        if (zeros >= 2 && data[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = data[i] ? 0 : zeros + 1;
        b->buf[n++] = data[i];
    }
    b->pos = 0;
    b->end = (int64_t)n * 8;
}

// count in 0..32
static inline uint32_t sc_bits_get(sc_bits *b, int count)
{
    uint32_t v = 0;
    for (int i = 0; i < count; i++, b->pos++) {
        uint32_t bit = b->pos < b->end ? b->buf[b->pos >> 3] >> (7 - (b->pos & 7)) & 1 : 0;
        v = v << 1 | bit;
    }
    return v;
}

static inline uint32_t sc_bits_ue(sc_bits *b)
{
    int zeros = 0;
    while (zeros < 32 && !sc_bits_get(b, 1))
        zeros++;
    if (b->pos > b->end || zeros == 32)
        return UINT32_MAX;
    return (uint32_t)((UINT64_C(1) << zeros) - 1 + sc_bits_get(b, zeros));
}

static inline int32_t sc_bits_se(sc_bits *b)
{
    uint32_t k = sc_bits_ue(b);
    return k & 1 ? (int32_t)(k / 2 + 1) : -(int32_t)(k / 2);
}

static inline void sc_bits_skip(sc_bits *b, int64_t count)
{
    b->pos += count;
}

static inline int64_t sc_bits_left(const sc_bits *b)
{
    return b->end - b->pos;
}

static inline bool sc_bits_overrun(const sc_bits *b)
{
    return b->pos > b->end;
}
