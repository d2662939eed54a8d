// From resampled planes to normalised channels: one matrix that undoes range and Y'CbCr, and the
// element types.
#include <math.h>
#include <string.h>

#include "vision/prepare_internal.h"

// Rows of v = m . (y, cb, cr, 1) in the order R, G, B; y, cb and cr in 0..1 of their full scale.
static void matrix_yuv(double m[3][4], double kr, double kb)
{
    double kg = 1 - kr - kb, r = 2 * (1 - kr), b = 2 * (1 - kb);
    const double rows[3][4] = {{1, 0, r, 0}, {1, -b * kb / kg, -r * kr / kg, 0}, {1, b, 0, 0}};
    memcpy(m, rows, sizeof(rows));
}

static void matrix_of(double m[3][4], const struct sc_image *img)
{
    double kr, kb;
    memset(m, 0, 12 * sizeof(m[0][0]));
    if (img->family == SC_FAMILY_YUV && sc_luma_weights(img->matrix, &kr, &kb))
        matrix_yuv(m, kr, kb);
    for (int c = 0; c < 3 && img->family != SC_FAMILY_YUV; c++)
        m[c][img->family == SC_FAMILY_RGB ? c : 0] = 1;
}

// 255 times what a plane's sample stands for is gain * sample + bias, the sample in 0..1 of 2^depth.
static void range_of(const struct sc_image *img, bool chroma, double *gain, double *bias)
{
    double steps = ldexp(1, img->depth), unit = ldexp(1, img->depth - 8);
    double range = img->full ? steps - 1 : (chroma ? 224 : 219) * unit;
    double zero = chroma ? steps / 2 : img->full ? 0 : 16 * unit;
    *gain = 255 * steps / range;
    *bias = -255 * zero / range;
}

void sc_colour_init(struct sc_colour *colour, const struct sc_input *input,
                    const struct sc_prepare_params *params)
{
    const struct sc_image *img = &input->source.img;
    double m[3][4], scale = params->scale != 0 ? (double)params->scale : 1;
    matrix_of(m, img);
    for (int p = 0; p < 3; p++) {
        double gain, bias;
        range_of(img, p > 0 && img->family == SC_FAMILY_YUV, &gain, &bias);
        for (int c = 0; c < 3; c++) {
            m[c][3] += m[c][p] * bias;
            m[c][p] *= ldexp(gain, -29);
        }
    }
    for (int c = 0; c < 3; c++) {
        int rgb = params->bgr ? 2 - c : c;
        double std = params->std[rgb] != 0 ? (double)params->std[rgb] : 1;
        for (int k = 0; k < 4; k++)
            colour->m[c][k] = (float)m[rgb][k];
        colour->gain[c] = (float)(scale / std);
        colour->bias[c] = (float)(-(double)params->mean[rgb] / std);
    }
}

// To the nearest, ties to even, as F16C does.
static uint16_t half_bits(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    uint32_t sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    if (rest < 0x38800000) { // subnormal: units of 2^-24, rounded by an addition
        float units = fabsf(v) * 0x1p24f + 0x1p23f;
        memcpy(&rest, &units, sizeof(rest));
        return (uint16_t)(sign | (rest & 0x7fffff));
    }
    rest += 0xfff + (rest >> 13 & 1);
    rest = rest < 0x47800000 ? (rest >> 13) - (112 << 10) : 0x7c00;
    return (uint16_t)(sign | rest);
}

uint32_t sc_element_bits(float v, enum sc_element type)
{
    uint32_t bits;
    if (type == SC_FLOAT16)
        return half_bits(v);
    if (type == SC_UINT8) {
        v = v < 0 ? 0 : v > 255 ? 255 : v;
        v += 0x1.8p23f; // to the nearest, ties to even
    }
    memcpy(&bits, &v, sizeof(bits));
    return type == SC_UINT8 ? bits & 0xff : bits;
}
