// What a decoded frame is (family, depth, colour, HDR), and its planes in planar form.
//
// Three ways to the planes, tried in this order: they are used as they are; they are unpacked
// sample by sample (semi-planar, packed, palette, bit-packed, big-endian: whatever libavutil's
// format descriptors describe); libswscale makes planar RGB or gray of the rest.
#include <math.h>
#include <string.h>

#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "media/picture_internal.h"

enum { HOW_DIRECT, HOW_STRIDED, HOW_READ, HOW_PALETTE, HOW_SWSCALE };

static bool is_yuvj(int format)
{
    return format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P ||
           format == AV_PIX_FMT_YUVJ444P || format == AV_PIX_FMT_YUVJ440P ||
           format == AV_PIX_FMT_YUVJ411P;
}

static bool same_depths(const AVPixFmtDescriptor *desc, int colours)
{
    for (int c = 1; c < colours; c++)
        if (desc->comp[c].depth != desc->comp[0].depth)
            return false;
    return true;
}

// Whether the samples are whole bytes or native words, one step apart.
static bool is_strided(const AVPixFmtDescriptor *desc, int colours)
{
    if (!same_depths(desc, colours) || (desc->flags & AV_PIX_FMT_FLAG_BITSTREAM))
        return false;
    for (int c = 0; c < colours; c++) {
        const AVComponentDescriptor *comp = &desc->comp[c];
        if (comp->depth < 8 || (comp->depth == 8 && comp->shift))
            return false;
        if (comp->depth > 8 && ((desc->flags & AV_PIX_FMT_FLAG_BE) || comp->step % 2 ||
                                comp->offset % 2 || comp->shift + comp->depth > 16))
            return false;
    }
    return true;
}

static bool is_direct(const AVPixFmtDescriptor *desc, int colours)
{
    for (int c = 0; c < colours; c++) {
        const AVComponentDescriptor *comp = &desc->comp[c];
        if (comp->step != (comp->depth > 8 ? 2 : 1) || comp->offset || comp->shift)
            return false;
    }
    return is_strided(desc, colours);
}

static int how_to_read(const AVPixFmtDescriptor *desc, int colours)
{
    const uint64_t opaque = AV_PIX_FMT_FLAG_FLOAT | AV_PIX_FMT_FLAG_BAYER;
    if ((desc->flags & opaque) || !strncmp(desc->name, "xyz", 3) || desc->comp[0].depth > 16)
        return HOW_SWSCALE;
    if (desc->flags & AV_PIX_FMT_FLAG_PAL)
        return HOW_PALETTE;
    if (is_direct(desc, colours))
        return HOW_DIRECT;
    return is_strided(desc, colours) ? HOW_STRIDED : HOW_READ;
}

static int matrix_of(const AVFrame *av)
{
    switch (av->colorspace) {
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_FCC:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_SMPTE240M:
    case AVCOL_SPC_YCGCO:
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return av->colorspace;
    case AVCOL_SPC_ICTCP:
        if (av->color_trc == AVCOL_TRC_SMPTE2084)
            return av->colorspace;
        break;
    default:
        break;
    }
    return av->height >= 720 || av->width >= 1280 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
}

static int siting_of(const AVFrame *av)
{
    switch (av->chroma_location) {
    case AVCHROMA_LOC_CENTER:
        return ZIMG_CHROMA_CENTER;
    case AVCHROMA_LOC_TOPLEFT:
        return ZIMG_CHROMA_TOP_LEFT;
    case AVCHROMA_LOC_TOP:
        return ZIMG_CHROMA_TOP;
    case AVCHROMA_LOC_BOTTOMLEFT:
        return ZIMG_CHROMA_BOTTOM_LEFT;
    case AVCHROMA_LOC_BOTTOM:
        return ZIMG_CHROMA_BOTTOM;
    case AVCHROMA_LOC_UNSPECIFIED:
        return is_yuvj(av->format) ? ZIMG_CHROMA_CENTER : ZIMG_CHROMA_LEFT;
    default:
        return ZIMG_CHROMA_LEFT;
    }
}

// The brightest level an HDR frame may hold: what its mastering display or its content light
// level says, else 1000 cd/m2, the usual display HDR is graded on.
static double peak_of(const AVFrame *av)
{
    double peak = 0;
    AVFrameSideData *side = av_frame_get_side_data(av, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
    if (side)
        peak = ((AVContentLightMetadata *)side->data)->MaxCLL;
    side = av_frame_get_side_data(av, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
    AVMasteringDisplayMetadata *display = side ? (void *)side->data : NULL;
    if (display && display->has_luminance && display->max_luminance.den) {
        double nits = av_q2d(display->max_luminance);
        peak = peak > 0 && peak < nits ? peak : nits;
    }
    if (!(peak > 0))
        peak = 1000;
    return fmin(fmax(peak, 203), 10000);
}

static void describe_colour(struct sc_source *src, const AVFrame *av,
                            const AVPixFmtDescriptor *desc)
{
    struct sc_image *img = &src->img;
    img->full = img->family != SC_FAMILY_YUV || is_yuvj(av->format);
    if (av->color_range != AVCOL_RANGE_UNSPECIFIED)
        img->full = av->color_range == AVCOL_RANGE_JPEG;
    if (desc->comp[0].depth < 8 || (desc->flags & AV_PIX_FMT_FLAG_PAL))
        img->full = true; // bits and palettes have no footroom
    img->matrix = img->family == SC_FAMILY_YUV ? matrix_of(av) : AVCOL_SPC_RGB;
    img->siting = img->ss_w || img->ss_h ? siting_of(av) : ZIMG_CHROMA_LEFT;
    src->transfer = av->color_trc;
    src->primaries = av->color_primaries;
    src->hdr = img->family != SC_FAMILY_GRAY && (av->color_trc == AVCOL_TRC_SMPTE2084 ||
                                                 av->color_trc == AVCOL_TRC_ARIB_STD_B67);
    src->peak_nits = src->hdr ? peak_of(av) : 0;
}

int sc_source_describe(struct sc_source *src, const AVFrame *av, sc_err *err)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av->format);
    *src = (struct sc_source){0};
    if (!desc || (desc->flags & AV_PIX_FMT_FLAG_HWACCEL))
        return sc_fail(err, SC_EUNSUPPORTED, "pixel format %s cannot be shown",
                       desc ? desc->name : "unknown");
    if (av->width <= 0 || av->height <= 0 || av->width > 65536 || av->height > 65536)
        return sc_fail(err, SC_EUNSUPPORTED, "frame size %dx%d cannot be shown", av->width,
                       av->height);
    struct sc_image *img = &src->img;
    int colours = desc->nb_components >= 3 ? 3 : 1;
    img->w = av->width;
    img->h = av->height;
    src->how = how_to_read(desc, colours);
    bool rgb = (desc->flags & AV_PIX_FMT_FLAG_RGB) || (src->how == HOW_SWSCALE && colours == 3);
    img->family = rgb || src->how == HOW_PALETTE ? SC_FAMILY_RGB
                  : colours == 3                 ? SC_FAMILY_YUV
                                                 : SC_FAMILY_GRAY;
    img->ss_w = img->family == SC_FAMILY_YUV ? desc->log2_chroma_w : 0;
    img->ss_h = img->family == SC_FAMILY_YUV ? desc->log2_chroma_h : 0;
    img->depth = 0;
    for (int c = 0; c < colours; c++)
        img->depth = desc->comp[c].depth > img->depth ? desc->comp[c].depth : img->depth;
    if (src->how == HOW_SWSCALE)
        img->depth = 16;
    if (img->depth < 8 || src->how == HOW_PALETTE)
        img->depth = 8;
    describe_colour(src, av, desc);
    return 0;
}

int sc_picture_get_colour(struct sc_picture_colour *colour, const AVFrame *av, sc_err *err)
{
    struct sc_source src;
    int ret = sc_source_describe(&src, av, err);
    *colour = (struct sc_picture_colour){
        .rgb = src.img.family == SC_FAMILY_RGB,
        .gray = src.img.family == SC_FAMILY_GRAY,
        .full = src.img.full,
        .hdr = src.hdr,
        .matrix = src.img.matrix,
        .transfer = src.transfer,
        .primaries = src.primaries,
    };
    return ret;
}

bool sc_source_strided(const struct sc_source *src)
{
    return src->how == HOW_DIRECT || src->how == HOW_STRIDED;
}

// Repeats the last column and row of plane p out to the padded size.
static void pad_plane(struct sc_image *img, int p)
{
    int w = sc_image_plane_w(img, p), h = sc_image_plane_h(img, p);
    int pad_w = AV_CEIL_RSHIFT(img->pad_w, p ? img->ss_w : 0);
    int pad_h = AV_CEIL_RSHIFT(img->pad_h, p ? img->ss_h : 0);
    size_t bytes = img->depth > 8 ? 2 : 1;
    for (int y = 0; y < pad_h; y++) {
        uint8_t *row = img->data[p] + y * img->stride[p];
        if (y >= h) {
            memcpy(row, img->data[p] + (h - 1) * img->stride[p], (size_t)pad_w * bytes);
            continue;
        }
        for (int x = w; x < pad_w; x++)
            memcpy(row + (size_t)x * bytes, row + (size_t)(w - 1) * bytes, bytes);
    }
}

SC_CLONES static void unpack8(const uint8_t *restrict in, int step, int n,
                              uint8_t *restrict out)
{
    for (int x = 0; x < n; x++)
        out[x] = in[x * step];
}

SC_CLONES static void unpack16(const uint16_t *restrict in, int step, int shift, int mask,
                               int n, uint16_t *restrict out)
{
    for (int x = 0; x < n; x++)
        out[x] = (uint16_t)((in[x * step] >> shift) & mask);
}

static void load_strided(struct sc_image *img, int p, const AVFrame *av,
                         const AVComponentDescriptor *comp)
{
    for (int y = 0; y < sc_image_plane_h(img, p); y++) {
        const uint8_t *in =
            av->data[comp->plane] + (ptrdiff_t)y * av->linesize[comp->plane] + comp->offset;
        uint8_t *out = img->data[p] + y * img->stride[p];
        int n = sc_image_plane_w(img, p);
        if (comp->depth == 8 && comp->step == 1)
            memcpy(out, in, (size_t)n);
        else if (comp->depth == 8)
            unpack8(in, comp->step, n, out);
        else
            unpack16((const uint16_t *)(const void *)in, comp->step / 2, comp->shift,
                     (1 << comp->depth) - 1, n, (uint16_t *)(void *)out);
    }
}

// Stretches samples of depth bits to the image's depth, so that full stays full.
static unsigned widen(unsigned v, int depth, int to)
{
    if (depth == to)
        return v;
    unsigned max = (1u << depth) - 1, top = (1u << to) - 1;
    return (v * top + max / 2) / max;
}

static int load_read(struct sc_image *img, int p, const AVFrame *av,
                     const AVPixFmtDescriptor *desc)
{
    int n = sc_image_plane_w(img, p);
    uint16_t *line = sc_try_calloc((size_t)n, sizeof(*line));
    if (!line)
        return SC_ENOMEM;
    for (int y = 0; y < sc_image_plane_h(img, p); y++) {
        uint8_t *out = img->data[p] + y * img->stride[p];
        av_read_image_line2(line, (const uint8_t **)av->data, av->linesize, desc, 0, y, p, n, 0,
                            sizeof(*line));
        for (int x = 0; x < n; x++) {
            unsigned v = av->format == AV_PIX_FMT_MONOWHITE ? !line[x] : line[x];
            v = widen(v, desc->comp[p].depth, img->depth);
            if (img->depth > 8)
                ((uint16_t *)(void *)out)[x] = (uint16_t)v;
            else
                out[x] = (uint8_t)v;
        }
    }
    free(line);
    return 0;
}

static void load_palette(struct sc_image *img, int p, const AVFrame *av)
{
    uint8_t value[256];
    for (int i = 0; i < 256; i++) {
        uint32_t argb;
        memcpy(&argb, av->data[1] + 4 * i, 4);
        value[i] = (uint8_t)(argb >> (16 - 8 * p));
    }
    for (int y = 0; y < img->h; y++)
        for (int x = 0; x < img->w; x++)
            img->data[p][y * img->stride[p] + x] =
                value[av->data[0][(ptrdiff_t)y * av->linesize[0] + x]];
}

// data and stride of planes in libswscale's order: G B R.
static int load_swscale(struct sc_image *img, const AVFrame *av)
{
    bool gray = img->family == SC_FAMILY_GRAY;
    struct SwsContext *sws =
        sws_getContext(img->w, img->h, av->format, img->w, img->h,
                       gray ? AV_PIX_FMT_GRAY16 : AV_PIX_FMT_GBRP16,
                       SWS_BILINEAR | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND, NULL, NULL, NULL);
    if (!sws)
        return SC_EUNSUPPORTED;
    uint8_t *data[4] = {img->data[gray ? 0 : 1], img->data[2], img->data[0]};
    int stride[4] = {(int)img->stride[gray ? 0 : 1], (int)img->stride[2], (int)img->stride[0]};
    int rows =
        sws_scale(sws, (const uint8_t *const *)av->data, av->linesize, 0, img->h, data, stride);
    sws_freeContext(sws);
    return rows == img->h ? 0 : SC_EUNSUPPORTED;
}

static int load_planes(struct sc_source *src, const AVFrame *av, const AVPixFmtDescriptor *desc)
{
    int ret = 0;
    if (src->how == HOW_SWSCALE)
        ret = load_swscale(&src->img, av);
    for (int p = 0; p < sc_image_planes(&src->img) && ret >= 0; p++) {
        if (src->how == HOW_PALETTE)
            load_palette(&src->img, p, av);
        else if (src->how == HOW_READ)
            ret = load_read(&src->img, p, av, desc);
        else if (src->how != HOW_SWSCALE)
            load_strided(&src->img, p, av, &desc->comp[p]);
        pad_plane(&src->img, p);
    }
    return ret;
}

static bool use_own_planes(struct sc_image *img, const AVFrame *av,
                           const AVPixFmtDescriptor *desc, int min_align)
{
    if (img->pad_w != img->w || img->pad_h != img->h)
        return false;
    for (int p = 0; p < sc_image_planes(img); p++) {
        int from = desc->comp[p].plane;
        if ((uintptr_t)av->data[from] % (unsigned)min_align || av->linesize[from] % min_align)
            return false;
        img->data[p] = av->data[from];
        img->stride[p] = av->linesize[from];
    }
    return true;
}

int sc_source_planes(struct sc_source *src, const AVFrame *av, int min_align, int min_pad,
                     struct sc_scratch *scratch)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av->format);
    struct sc_image *img = &src->img;
    // Without a demand on padding the rounded-up chroma planes are all there is to read.
    int unit_w = min_pad ? 1 << img->ss_w : 1, unit_h = min_pad ? 1 << img->ss_h : 1;
    img->pad_w = SC_ALIGN(img->w > min_pad ? img->w : min_pad, unit_w);
    img->pad_h = SC_ALIGN(img->h > min_pad ? img->h : min_pad, unit_h);
    if (src->how == HOW_DIRECT && use_own_planes(img, av, desc, min_align))
        return 0;
    int ret = sc_image_alloc(img, scratch);
    return ret < 0 ? ret : load_planes(src, av, desc);
}
