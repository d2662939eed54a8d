// Tone mapping: PQ or HLG to SDR BT.709, for looking at.
//
// Light is taken relative to 203 cd/m2, the diffuse white of ITU-R BT.2408: what lies well below
// it keeps its place in SDR, what lies above is rolled off by the EETF of ITU-R BT.2390-8
// (section 5.4.1) from the content's peak to 203. The curve is applied to max(R, G, B) and the
// colour is scaled along, so hues stay; what BT.709 cannot hold after that is clipped.
#include <math.h>

#include <libavutil/pixfmt.h>

#include "media/picture_internal.h"

#define WHITE_NITS 203.0
#define STEPS      4096

struct sc_hdr {
    int transfer;            // of the tables; 0 = none yet
    double peak_nits;        // likewise
    float eotf[65536];       // code to cd/m2 (PQ) or to scene light 0..1 (HLG)
    float scale[STEPS + 1];  // by sqrt(cd/m2 / 10000): the factor the curve applies
    uint8_t code[STEPS + 1]; // by sqrt(linear): BT.709 for a BT.1886 display, 8 bits
};

// SMPTE ST 2084, equations 4.1 and 5.1 (ITU-R BT.2100 table 4).
static const double pq_m1 = 2610.0 / 16384, pq_m2 = 2523.0 / 4096 * 128, pq_c1 = 3424.0 / 4096,
                    pq_c2 = 2413.0 / 4096 * 32, pq_c3 = 2392.0 / 4096 * 32;

static double pq_to_nits(double code)
{
    double p = pow(code, 1 / pq_m2);
    return 10000 * pow(fmax(p - pq_c1, 0) / (pq_c2 - pq_c3 * p), 1 / pq_m1);
}

static double nits_to_pq(double nits)
{
    double y = pow(nits / 10000, pq_m1);
    return pow((pq_c1 + pq_c2 * y) / (1 + pq_c3 * y), pq_m2);
}

// The inverse OETF of ITU-R BT.2100 table 5.
static double hlg_to_scene(double code)
{
    const double a = 0.17883277, b = 1 - 4 * a, c = 0.5 - a * log(4 * a);
    return code <= 0.5 ? code * code / 3 : (exp((code - c) / a) + b) / 12;
}

// BT.2390-8 5.4.1.1: E1 to E2, both PQ codes relative to the source's peak, black at 0.
static double eetf(double e, double max_lum)
{
    double knee = 1.5 * max_lum - 0.5;
    if (e < knee || knee >= 1)
        return e;
    double t = (e - knee) / (1 - knee), t2 = t * t, t3 = t2 * t;
    return (2 * t3 - 3 * t2 + 1) * knee + (t3 - 2 * t2 + t) * (1 - knee) +
           (-2 * t3 + 3 * t2) * max_lum;
}

static void make_tables(struct sc_hdr *hdr, int transfer, double peak)
{
    double top = nits_to_pq(peak), max_lum = nits_to_pq(WHITE_NITS) / top;
    for (int i = 0; i < 65536; i++)
        hdr->eotf[i] = (float)(transfer == AVCOL_TRC_SMPTE2084 ? pq_to_nits(i / 65535.0)
                                                               : hlg_to_scene(i / 65535.0));
    for (int i = 0; i <= STEPS; i++) {
        double root = (double)i / STEPS, nits = fmin(10000 * root * root, peak);
        double shown = pq_to_nits(top * eetf(nits_to_pq(nits) / top, max_lum));
        hdr->scale[i] =
            (float)(i ? shown / (10000 * root * root) / WHITE_NITS : 1 / WHITE_NITS);
        hdr->code[i] = (uint8_t)lrint(255 * pow(root * root, 1 / 2.4));
    }
    hdr->transfer = transfer;
    hdr->peak_nits = peak;
}

// Linear BT.2020 to BT.709 (ITU-R BT.2087); P3 and BT.709 content is taken as it is.
static void to_bt709(float rgb[3])
{
    float r = rgb[0], g = rgb[1], b = rgb[2];
    rgb[0] = 1.6605f * r - 0.5876f * g - 0.0728f * b;
    rgb[1] = -0.1246f * r + 1.1329f * g - 0.0083f * b;
    rgb[2] = -0.0182f * r - 0.1006f * g + 1.1187f * b;
}

static float at_root(const float *table, float x)
{
    float at = sqrtf(x) * STEPS;
    int i = (int)at;
    if (i >= STEPS)
        return table[STEPS];
    return table[i] + (table[i + 1] - table[i]) * (at - (float)i);
}

// The OOTF of BT.2100 for a 1000 cd/m2 display: gamma 1.2 on scene luminance.
static void hlg_ootf(float rgb[3])
{
    float luma = 0.2627f * rgb[0] + 0.6780f * rgb[1] + 0.0593f * rgb[2];
    float gain = 1000 * powf(luma, 0.2f);
    for (int c = 0; c < 3; c++)
        rgb[c] *= gain;
}

static void map_row(const struct sc_hdr *hdr, bool wide, const uint16_t *const in[3], int n,
                    uint8_t *const out[3])
{
    for (int x = 0; x < n; x++) {
        float rgb[3];
        for (int c = 0; c < 3; c++)
            rgb[c] = hdr->eotf[in[c][x]];
        if (hdr->transfer != AVCOL_TRC_SMPTE2084)
            hlg_ootf(rgb);
        float most = fmaxf(fmaxf(rgb[0], rgb[1]), rgb[2]);
        float gain = at_root(hdr->scale, most / 10000);
        for (int c = 0; c < 3; c++)
            rgb[c] *= gain;
        if (wide)
            to_bt709(rgb);
        for (int c = 0; c < 3; c++)
            out[c][x] = hdr->code[(int)(sqrtf(fminf(fmaxf(rgb[c], 0), 1)) * STEPS + 0.5f)];
    }
}

void sc_hdr_tone_map(struct sc_hdr **phdr, const struct sc_source *kind,
                     const struct sc_image *src, struct sc_image *dst)
{
    // HLG's display, and with it the peak, is chosen by the OOTF.
    double peak = kind->transfer == AVCOL_TRC_SMPTE2084 ? kind->peak_nits : 1000;
    if (!*phdr)
        *phdr = sc_new(struct sc_hdr);
    if ((*phdr)->transfer != kind->transfer || (*phdr)->peak_nits != peak)
        make_tables(*phdr, kind->transfer, peak);
    bool wide = kind->primaries == AVCOL_PRI_BT2020 || kind->primaries == AVCOL_PRI_UNSPECIFIED;
    for (int y = 0; y < src->h; y++) {
        const uint16_t *in[3];
        uint8_t *out[3];
        for (int p = 0; p < 3; p++) {
            in[p] = (const uint16_t *)(const void *)(src->data[p] + y * src->stride[p]);
            out[p] = dst->data[p] + y * dst->stride[p];
        }
        map_row(*phdr, wide, in, src->w, out);
    }
}

void sc_hdr_free(struct sc_hdr **phdr)
{
    if (!phdr)
        return;
    free(*phdr);
    *phdr = NULL;
}
