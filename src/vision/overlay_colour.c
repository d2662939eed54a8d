// Which colours boxes get, and what they are in a frame's own matrix, range and transfer.
#include <math.h>

#include <libavutil/csp.h>
#include <libavutil/pixfmt.h>

#include "vision/overlay_internal.h"

#define WHITE_NITS 203   // diffuse white in HDR, ITU-R BT.2408
#define HLG_WHITE  0.265 // its scene light in HLG: a signal of 75 %

static double from_linear(double v)
{
    v = fmin(fmax(v, 0), 1);
    return v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
}

static double to_linear(double v)
{
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

// OKLCh to sRGB, by the matrices of Ottosson, "A perceptual color space for image processing".
static struct sc_rgb from_oklch(double lightness, double chroma, double hue)
{
    double a = chroma * cos(hue), b = chroma * sin(hue);
    double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    return (struct sc_rgb){
        (float)from_linear(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
        (float)from_linear(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
        (float)from_linear(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s),
    };
}

struct sc_rgb sc_rgb_distinct(uint64_t key)
{
    static const double lightness[] = {0.80, 0.66, 0.73};
    // Golden angle: key / phi modulo one turn, in 1/2^32 of it.
    uint32_t turn = (uint32_t)key * 2654435769u;
    double hue = 0.45 + turn / 4294967296.0 * 2 * M_PI;
    return from_oklch(lightness[key % 3], 0.19, hue);
}

struct sc_rgb sc_rgb_ink(struct sc_rgb on)
{
    double luminance =
        0.2126 * to_linear(on.r) + 0.7152 * to_linear(on.g) + 0.0722 * to_linear(on.b);
    // Where WCAG's contrast (L1 + .05) / (L2 + .05) to black and to white is the same.
    float v = luminance > sqrt(1.05 * 0.05) - 0.05 ? 0 : 1;
    return (struct sc_rgb){v, v, v};
}

// SMPTE ST 2084, its inverse EOTF.
static double pq(double nits)
{
    double y = pow(fmax(nits, 0) / 10000, 0.1593017578125);
    return pow((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y), 78.84375);
}

// ITU-R BT.2100 OETF.
static double hlg(double light)
{
    if (light <= 1.0 / 12)
        return sqrt(3 * fmax(light, 0));
    return 0.17883277 * log(12 * light - 0.28466892) + 0.55991073;
}

// SDR colours as they look in an HDR picture beside diffuse white.
static void to_hdr(double rgb[3], bool is_hlg)
{
    static const double to_2020[3][3] = {{0.6274, 0.3293, 0.0433},
                                         {0.0691, 0.9195, 0.0114},
                                         {0.0164, 0.0880, 0.8956}}; // ITU-R BT.2087
    double light[3] = {to_linear(rgb[0]), to_linear(rgb[1]), to_linear(rgb[2])};
    for (int i = 0; i < 3; i++) {
        const double *k = to_2020[i];
        double v = k[0] * light[0] + k[1] * light[1] + k[2] * light[2];
        rgb[i] = is_hlg ? hlg(v * HLG_WHITE) : pq(v * WHITE_NITS);
    }
}

// Luma in 0..1, chroma in -0.5..0.5.
static void to_ycc(double v[3], int matrix)
{
    double r = v[0], g = v[1], b = v[2];
    if (matrix == AVCOL_SPC_YCGCO) {
        v[0] = r / 4 + g / 2 + b / 4;
        v[1] = -r / 4 + g / 2 - b / 4;
        v[2] = r / 2 - b / 2;
        return;
    }
    const AVLumaCoefficients *k = av_csp_luma_coeffs_from_avcsp((enum AVColorSpace)matrix);
    double kr = k ? av_q2d(k->cr) : 0.2627, kb = k ? av_q2d(k->cb) : 0.0593; // else BT.2020's
    double y = kr * r + (1 - kr - kb) * g + kb * b;
    v[0] = y;
    v[1] = (b - y) / (2 * (1 - kb));
    v[2] = (r - y) / (2 * (1 - kr));
}

void sc_rgb_encode(struct sc_rgb rgb, const struct sc_picture_colour *as, int depth, int out[3])
{
    double v[3] = {rgb.r, rgb.g, rgb.b}, top = (1 << depth) - 1, unit = (1 << depth) / 256.0;
    if (as->hdr)
        to_hdr(v, as->transfer == AVCOL_TRC_ARIB_STD_B67);
    if (!as->rgb)
        to_ycc(v, as->gray ? AVCOL_SPC_BT709 : as->matrix);
    for (int i = 0; i < 3; i++) {
        bool chroma = i && !as->rgb;
        double span = as->full ? top : (chroma ? 224 : 219) * unit;
        double zero = chroma ? 128 * unit : as->full ? 0 : 16 * unit;
        out[i] = (int)lrint(fmin(fmax(zero + v[i] * span, 0), top));
    }
}
