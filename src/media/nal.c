#include "media/nal.h"

#include <string.h>

int sc_start_code_find(const uint8_t *data, int size, int from)
{
    while (from + 3 <= size) {
        const uint8_t *one = memchr(data + from + 2, 1, (size_t)(size - from - 2));
        if (!one)
            return -1;
        int at = (int)(one - data) - 2;
        if (!data[at] && !data[at + 1])
            return at;
        from = at + 1;
    }
    return -1;
}

static bool next_with_length(int length_size, const uint8_t *data, int size, int *pos,
                             struct sc_nal *nal, bool *broken)
{
    if (*pos >= size)
        return false;
    if (size - *pos < length_size) {
        *broken = true;
        return false;
    }
    uint32_t length = 0;
    for (int i = 0; i < length_size; i++)
        length = length << 8 | data[(*pos)++];
    if (length > (uint32_t)(size - *pos)) {
        *broken = true;
        length = (uint32_t)(size - *pos);
    }
    *nal = (struct sc_nal){data + *pos, (int)length};
    *pos += (int)length;
    return true;
}

bool sc_nal_next(int length_size, const uint8_t *data, int size, int *pos, struct sc_nal *nal,
                 bool *broken)
{
    if (length_size)
        return next_with_length(length_size, data, size, pos, nal, broken);
    int at = sc_start_code_find(data, size, *pos);
    if (at < 0 || at + 3 >= size)
        return false;
    *nal = (struct sc_nal){data + at + 3, size - at - 3};
    *pos = at + 3;
    return true;
}

// `count` units, each behind its length in 16 bits. False when they do not fit.
static bool hand_out(const uint8_t *data, int size, int *pos, int count, sc_nal_fn *fn,
                     void *arg)
{
    for (int i = 0; i < count && *pos + 2 <= size; i++) {
        int length = data[*pos] << 8 | data[*pos + 1];
        *pos += 2;
        if (length > size - *pos)
            return false;
        fn(arg, &(struct sc_nal){data + *pos, length});
        *pos += length;
    }
    return true;
}

int sc_nal_avcc(const uint8_t *data, int size, sc_nal_fn *fn, void *arg)
{
    int pos = 5;
    for (int list = 0; list < 2 && pos < size; list++) {
        int count = data[pos++] & (list ? 255 : 31);
        if (!hand_out(data, size, &pos, count, fn, arg))
            break;
    }
    return (data[4] & 3) + 1;
}

int sc_nal_hvcc(const uint8_t *data, int size, sc_nal_fn *fn, void *arg)
{
    int pos = 23, arrays = data[22];
    for (int a = 0; a < arrays && pos + 3 <= size; a++) {
        int count = data[pos + 1] << 8 | data[pos + 2];
        pos += 3;
        if (!hand_out(data, size, &pos, count, fn, arg))
            break;
    }
    return (data[21] & 3) + 1;
}
