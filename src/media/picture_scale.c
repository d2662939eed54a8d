// Size, depth, range and matrix by zimg, with the graphs of recent conversions kept.
#include <math.h>
#include <string.h>

#include <libavutil/pixfmt.h>

#include "media/picture_internal.h"

#define GRAPHS 8

// All that a graph depends on; padding is zeroed, so keys compare as bytes.
struct key {
    int32_t w[2], h[2], ss_w[2], ss_h[2], depth[2], family[2], matrix[2], full[2], siting[2];
    double left, top, width, height;
};

struct graph {
    struct key key;
    zimg_filter_graph *zimg;
    uint64_t used; // clock of the last use
};

struct sc_scaler {
    struct graph graphs[GRAPHS];
    uint64_t clock;
    struct sc_scratch work;
};

struct sc_scaler *sc_scaler_new(void)
{
    return sc_new(struct sc_scaler);
}

void sc_scaler_free(struct sc_scaler **pscaler)
{
    struct sc_scaler *scaler = pscaler ? *pscaler : NULL;
    if (!scaler)
        return;
    for (int i = 0; i < GRAPHS; i++)
        zimg_filter_graph_free(scaler->graphs[i].zimg);
    sc_scratch_release(&scaler->work);
    free(scaler);
    *pscaler = NULL;
}

static void key_side(struct key *key, int side, const struct sc_image *img)
{
    key->w[side] = img->pad_w;
    key->h[side] = img->pad_h;
    key->ss_w[side] = img->ss_w;
    key->ss_h[side] = img->ss_h;
    key->depth[side] = img->depth;
    key->family[side] = img->family;
    key->matrix[side] = img->matrix;
    key->full[side] = img->full;
    key->siting[side] = img->siting;
}

static struct key make_key(const struct sc_image *src, const struct sc_geometry *geo,
                           const struct sc_image *dst)
{
    struct key key;
    memset(&key, 0, sizeof(key));
    key_side(&key, 0, src);
    key_side(&key, 1, dst);
    // The padding of dst beyond its visible size shows what lies beyond the crop.
    key.left = geo->left;
    key.top = geo->top;
    key.width = geo->crop_w * dst->pad_w / dst->w;
    key.height = geo->crop_h * dst->pad_h / dst->h;
    return key;
}

static void make_format(zimg_image_format *fmt, const struct key *key, int side)
{
    static const zimg_color_family_e family[] = {
        [SC_FAMILY_GRAY] = ZIMG_COLOR_GREY,
        [SC_FAMILY_YUV] = ZIMG_COLOR_YUV,
        [SC_FAMILY_RGB] = ZIMG_COLOR_RGB,
    };
    zimg_image_format_default(fmt, ZIMG_API_VERSION);
    fmt->width = (unsigned)key->w[side];
    fmt->height = (unsigned)key->h[side];
    fmt->pixel_type = key->depth[side] > 8 ? ZIMG_PIXEL_WORD : ZIMG_PIXEL_BYTE;
    fmt->subsample_w = (unsigned)key->ss_w[side];
    fmt->subsample_h = (unsigned)key->ss_h[side];
    fmt->color_family = family[key->family[side]];
    fmt->depth = (unsigned)key->depth[side];
    fmt->pixel_range = key->full[side] ? ZIMG_RANGE_FULL : ZIMG_RANGE_LIMITED;
    fmt->chroma_location = (zimg_chroma_location_e)key->siting[side];
    if (key->family[side] != SC_FAMILY_GRAY)
        fmt->matrix_coefficients = (zimg_matrix_coefficients_e)key->matrix[side]; // both H.273
    if (key->matrix[0] == AVCOL_SPC_BT2020_CL || key->matrix[0] == AVCOL_SPC_ICTCP) {
        // Matrices that need to know the transfer; it stays what it is.
        fmt->transfer_characteristics =
            key->matrix[0] == AVCOL_SPC_ICTCP ? ZIMG_TRANSFER_ST2084 : ZIMG_TRANSFER_BT709;
        fmt->color_primaries = ZIMG_PRIMARIES_BT2020;
    }
}

// Small sources lack the samples that wide filters want; then the next simpler filter does.
static zimg_filter_graph *build(const struct key *key)
{
    static const zimg_resample_filter_e filters[] = {ZIMG_RESIZE_BICUBIC, ZIMG_RESIZE_BILINEAR,
                                                     ZIMG_RESIZE_POINT};
    zimg_image_format in, out;
    zimg_graph_builder_params params;
    zimg_filter_graph *graph = NULL;
    make_format(&in, key, 0);
    make_format(&out, key, 1);
    in.active_region.left = key->left;
    in.active_region.top = key->top;
    in.active_region.width = key->width;
    in.active_region.height = key->height;
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    for (size_t i = 0; i < SC_COUNT(filters) && !graph; i++) {
        params.resample_filter = params.resample_filter_uv = filters[i];
        graph = zimg_filter_graph_build(&in, &out, &params);
    }
    zimg_clear_last_error();
    return graph;
}

static zimg_filter_graph *find(struct sc_scaler *scaler, const struct key *key)
{
    struct graph *oldest = &scaler->graphs[0];
    for (struct graph *g = scaler->graphs; g < scaler->graphs + GRAPHS; g++) {
        // Keys are made in zeroed memory, so equal ones are equal bytes.
        if (g->zimg && !memcmp(&g->key, key, sizeof(*key))) { // NOLINT(bugprone-*,cert-*)
            g->used = ++scaler->clock;
            return g->zimg;
        }
        if (g->used < oldest->used)
            oldest = g;
    }
    zimg_filter_graph *made = build(key);
    if (!made)
        return NULL;
    zimg_filter_graph_free(oldest->zimg);
    *oldest = (struct graph){.zimg = made, .used = ++scaler->clock};
    memcpy(&oldest->key, key, sizeof(*key));
    return made;
}

int sc_scaler_run(struct sc_scaler *scaler, const struct sc_image *src,
                  const struct sc_geometry *geo, struct sc_image *dst)
{
    struct key key = make_key(src, geo, dst);
    zimg_filter_graph *graph = find(scaler, &key);
    if (!graph)
        return SC_EUNSUPPORTED;
    size_t size = 0;
    zimg_filter_graph_get_tmp_size(graph, &size);
    int ret = sc_scratch_need(&scaler->work, size);
    if (ret < 0)
        return ret;
    zimg_image_buffer_const in = {.version = ZIMG_API_VERSION};
    zimg_image_buffer out = {.version = ZIMG_API_VERSION};
    for (int p = 0; p < 3; p++) {
        in.plane[p].data = src->data[p];
        in.plane[p].stride = src->stride[p];
        out.plane[p].data = dst->data[p];
        out.plane[p].stride = dst->stride[p];
        in.plane[p].mask = out.plane[p].mask = ZIMG_BUFFER_MAX;
    }
    return zimg_filter_graph_process(graph, &in, &out, scaler->work.data, NULL, NULL, NULL,
                                     NULL)
               ? SC_EINTERNAL
               : 0;
}
