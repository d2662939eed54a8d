#include "vision/half.h"

#include <string.h>

// 2^112 moves the exponent from half's bias to single's, subnormals included; what had the greatest
// exponent (infinity, NaN) gets single's greatest.
void sc_half_widen(float *out, const uint16_t *in, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t half = in[i], magnitude = (half & 0x7fff) << 13;
        float value;
        memcpy(&value, &magnitude, sizeof(value));
        value *= 0x1p112f;
        uint32_t bits;
        memcpy(&bits, &value, sizeof(bits));
        bits |= (half & 0x7c00) == 0x7c00 ? 0x7f800000u : 0;
        bits |= (half & 0x8000) << 16;
        memcpy(&out[i], &bits, sizeof(bits));
    }
}
