// A decoded frame as planes that kernels can read: in place for whatever has whole bytes or native
// words one step apart (planar, semi-planar, packed), else as a converted copy.
#include <libavutil/pixdesc.h>

#include "base/mem.h"
#include "vision/prepare_internal.h"

void sc_input_memory_release(struct sc_input_memory *memory)
{
    sc_scratch_release(&memory->staged);
    sc_scratch_release(&memory->converted);
    sc_scaler_free(&memory->scaler);
}

static void use_in_place(struct sc_input *input, const AVFrame *av)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get(av->format);
    const struct sc_image *img = &input->source.img;
    int bytes = img->depth > 8 ? 2 : 1;
    input->depth = desc->comp[0].depth + desc->comp[0].shift;
    for (int p = 0; p < sc_image_planes(img); p++) {
        const AVComponentDescriptor *comp = &desc->comp[p];
        input->planes[p] = (struct sc_plane){
            .data = av->data[comp->plane],
            .stride = av->linesize[comp->plane],
            .w = sc_image_plane_w(img, p),
            .h = sc_image_plane_h(img, p),
            .step = comp->step / bytes,
            .offset = comp->offset / bytes,
        };
    }
}

static void use_image(struct sc_input *input, const struct sc_image *img)
{
    input->depth = img->depth;
    for (int p = 0; p < sc_image_planes(img); p++)
        input->planes[p] = (struct sc_plane){
            .data = img->data[p],
            .stride = img->stride[p],
            .w = sc_image_plane_w(img, p),
            .h = sc_image_plane_h(img, p),
            .step = 1,
        };
}

// Matrices that are not made of luma weights (YCgCo, BT.2020 constant luminance, ICtCp).
static int convert_to_rgb(struct sc_input *input, const AVFrame *av,
                          struct sc_input_memory *memory)
{
    const int zimg_align = 32, zimg_least = 16;
    struct sc_image *img = &input->source.img;
    struct sc_image rgb = {
        .family = SC_FAMILY_RGB,
        .w = img->w,
        .h = img->h,
        .depth = 16,
        .matrix = AVCOL_SPC_RGB,
        .full = true,
        .siting = ZIMG_CHROMA_LEFT,
        .pad_w = img->w,
        .pad_h = img->h,
    };
    struct sc_geometry same = {.crop_w = img->w, .crop_h = img->h};
    if (!memory->scaler)
        memory->scaler = sc_scaler_new();
    int ret = sc_source_planes(&input->source, av, zimg_align, zimg_least, &memory->staged);
    if (ret >= 0)
        ret = sc_image_alloc(&rgb, &memory->converted);
    if (ret >= 0)
        ret = sc_scaler_run(memory->scaler, img, &same, &rgb);
    *img = rgb;
    return ret;
}

static bool has_weights(const struct sc_image *img)
{
    double kr, kb;
    return img->family != SC_FAMILY_YUV || sc_luma_weights(img->matrix, &kr, &kb);
}

int sc_input_take(struct sc_input *input, const AVFrame *av, struct sc_input_memory *memory,
                  sc_err *err)
{
    *input = (struct sc_input){0};
    int ret = sc_source_describe(&input->source, av, err);
    if (ret < 0)
        return ret;
    if (has_weights(&input->source.img) && sc_source_strided(&input->source)) {
        use_in_place(input, av);
        return 0;
    }
    if (has_weights(&input->source.img))
        ret = sc_source_planes(&input->source, av, 1, 0, &memory->staged);
    else
        ret = convert_to_rgb(input, av, memory);
    if (ret < 0)
        return sc_fail(err, ret, "a frame of %s, %dx%d, could not be converted: %s",
                       av_get_pix_fmt_name(av->format), av->width, av->height,
                       sc_strerror(ret));
    use_image(input, &input->source.img);
    return 0;
}
