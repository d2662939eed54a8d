#include "media/picture.h"

#include <libavutil/pixdesc.h>

#include "media/picture_internal.h"

static const struct sc_picture_codec *const codecs[] = {
    [SC_PICTURE_JPEG] = &sc_picture_jpeg,
    [SC_PICTURE_PNG] = &sc_picture_png,
    [SC_PICTURE_WEBP] = &sc_picture_webp,
    [SC_PICTURE_NPY] = &sc_picture_npy,
};

const char *sc_picture_mime(enum sc_picture_format format)
{
    sc_require((size_t)format < SC_COUNT(codecs));
    return codecs[format]->mime;
}

sc_picture_ctx *sc_picture_ctx_new(void)
{
    sc_picture_ctx *ctx = sc_new(sc_picture_ctx);
    ctx->scaler = sc_scaler_new();
    return ctx;
}

void sc_picture_ctx_free(sc_picture_ctx **pctx)
{
    sc_picture_ctx *ctx = pctx ? *pctx : NULL;
    if (!ctx)
        return;
    struct sc_scratch *const scratch[] = {&ctx->staged,   &ctx->scaled, &ctx->toned,
                                          &ctx->coloured, &ctx->turned, &ctx->band,
                                          &ctx->packed,   &ctx->output};
    for (size_t i = 0; i < SC_COUNT(scratch); i++)
        sc_scratch_release(scratch[i]);
    sc_scaler_free(&ctx->scaler);
    sc_hdr_free(&ctx->hdr);
    for (size_t i = 0; i < SC_COUNT(ctx->jpeg); i++)
        sc_jpeg_free(&ctx->jpeg[i]);
    free(ctx);
    *pctx = NULL;
}

static int check_side(const char *field, int side, sc_err *err)
{
    if (side >= 0 && side <= SC_PICTURE_MAX_SIDE)
        return 0;
    return sc_fail_field(err, SC_EARG, field,
                         "%s must be from 1 to %d, or 0 for automatic; it is %d", field,
                         SC_PICTURE_MAX_SIDE, side);
}

static int check_params(const struct sc_picture_params *params, sc_err *err)
{
    int ret = check_side("w", params->w, err);
    if (ret >= 0)
        ret = check_side("h", params->h, err);
    if (ret < 0)
        return ret;
    if (params->quality < 0 || params->quality > 100)
        return sc_fail_field(err, SC_EARG, "quality", "quality must be from 1 to 100; it is %d",
                             params->quality);
    if (params->rotation % 90 || params->rotation < 0 || params->rotation > 270)
        return sc_fail_field(err, SC_EARG, "rotation",
                             "rotation must be 0, 90, 180 or 270 degrees; it is %d",
                             params->rotation);
    if ((unsigned)params->fit > SC_FIT_FILL)
        return sc_fail_field(err, SC_EARG, "fit", "fit must be contain, cover or fill");
    if ((size_t)params->format >= SC_COUNT(codecs))
        return sc_fail_field(err, SC_EARG, "format", "format must be jpeg, png, webp or npy");
    return 0;
}

// One picture on its way.
struct job {
    sc_picture_ctx *ctx;
    const AVFrame *av;
    const struct sc_picture_params *params;
    struct sc_source source;
    struct sc_geometry geo;
    bool oriented; // will be rotated or flipped
};

static void set_colour(struct sc_image *img, enum sc_family family, int matrix, bool full)
{
    img->family = family;
    img->matrix = matrix;
    img->full = full;
}

// Subsampling survives where JPEG knows it. Mirrored or turned, an odd side would shift chroma
// against luma by half a sample, so such pictures get full chroma.
static void choose_subsampling(const struct job *job, struct sc_image *want,
                               enum sc_target target)
{
    const struct sc_image *img = &job->source.img;
    bool lossy420 = target == SC_TARGET_YUV420;
    want->ss_w = lossy420 || img->ss_w > 0;
    want->ss_h = lossy420 || img->ss_h > 0;
    if (job->oriented && !lossy420) {
        want->ss_w = want->ss_w && want->w % 2 == 0;
        want->ss_h = want->ss_h && want->h % 2 == 0;
    }
}

static void set_padding(struct sc_image *img)
{
    img->pad_w = SC_ALIGN(img->w, 1 << img->ss_w);
    img->pad_h = SC_ALIGN(img->h, 1 << img->ss_h);
}

// The image that the encoder or the rotation gets.
static struct sc_image wanted(const struct job *job, enum sc_target target)
{
    const struct sc_image *img = &job->source.img;
    struct sc_matrix matrix;
    struct sc_image want = {.w = job->geo.w, .h = job->geo.h, .depth = 8};
    want.siting = ZIMG_CHROMA_CENTER;
    if (img->family == SC_FAMILY_GRAY) {
        set_colour(&want, SC_FAMILY_GRAY, img->matrix, target == SC_TARGET_RGB || img->full);
    } else if (target == SC_TARGET_RGB) {
        set_colour(&want, SC_FAMILY_RGB, AVCOL_SPC_RGB, true);
    } else {
        choose_subsampling(job, &want, target);
        set_colour(&want, img->family, img->matrix, img->full);
        if (job->source.hdr || !sc_matrix_init(&matrix, &want, true))
            set_colour(&want, SC_FAMILY_YUV, AVCOL_SPC_SMPTE170M, true);
    }
    set_padding(&want);
    return want;
}

// Whether the frame's samples are what is wanted but for chroma siting, which the encoder's
// matrix step moves from left to centre.
static bool is_wanted(const struct job *job, const struct sc_image *want)
{
    const struct sc_image *img = &job->source.img;
    bool siting = img->siting == want->siting || (!img->ss_w && !img->ss_h) ||
                  (img->siting == ZIMG_CHROMA_LEFT && (!img->ss_w || !job->oriented));
    return siting && !job->source.hdr && img->depth == want->depth &&
           img->family == want->family && img->ss_w == want->ss_w && img->ss_h == want->ss_h &&
           img->full == want->full && img->matrix == want->matrix && img->w == want->w &&
           img->h == want->h && job->geo.crop_w == img->w && job->geo.crop_h == img->h;
}

static int scale_to(struct job *job, struct sc_image *want, struct sc_scratch *memory)
{
    const int zimg_align = 32, zimg_least = 16;
    int ret =
        sc_source_planes(&job->source, job->av, zimg_align, zimg_least, &job->ctx->staged);
    if (ret >= 0)
        ret = sc_image_alloc(want, memory);
    return ret < 0 ? ret : sc_scaler_run(job->ctx->scaler, &job->source.img, &job->geo, want);
}

// Scales in the signal's own coding, then maps to SDR, then, for Y'CbCr, to what is wanted.
static int tone_map_to(struct job *job, struct sc_image *want)
{
    sc_picture_ctx *ctx = job->ctx;
    struct sc_image wide = {.w = want->w, .h = want->h, .depth = 16}, sdr;
    set_colour(&wide, SC_FAMILY_RGB, AVCOL_SPC_RGB, true);
    // Pairs of samples, for a later step to 4:2:0.
    wide.ss_w = wide.ss_h = 1;
    set_padding(&wide);
    wide.ss_w = wide.ss_h = 0;
    int ret = scale_to(job, &wide, &ctx->scaled);
    if (ret < 0)
        return ret;
    sdr = wide;
    sdr.depth = 8;
    ret = sc_image_alloc(&sdr, &ctx->toned);
    if (ret < 0)
        return ret;
    wide.w = wide.pad_w;
    wide.h = wide.pad_h;
    sc_hdr_tone_map(&ctx->hdr, &job->source, &wide, &sdr);
    if (want->family == SC_FAMILY_RGB) {
        *want = sdr;
        return 0;
    }
    ret = sc_image_alloc(want, &ctx->coloured);
    if (ret < 0)
        return ret;
    struct sc_geometry same = {.crop_w = want->w, .crop_h = want->h};
    return sc_scaler_run(ctx->scaler, &sdr, &same, want);
}

static int render(sc_picture_ctx *ctx, struct sc_image *out, struct sc_picture_info *info,
                  sc_frame *frame, const struct sc_picture_params *params,
                  enum sc_target target, sc_err *err)
{
    struct job job = {.ctx = ctx, .av = frame->av, .params = params};
    int ret = sc_source_describe(&job.source, frame->av, err);
    if (ret < 0)
        return ret;
    sc_geometry_compute(&job.geo, params, frame->av->width, frame->av->height,
                        frame->av->sample_aspect_ratio);
    job.oriented = params->rotation || params->hflip || params->vflip;
    *out = wanted(&job, target);
    if (is_wanted(&job, out)) {
        ret = sc_source_planes(&job.source, job.av, 1, 0, &ctx->staged);
        *out = job.source.img;
    } else {
        ret = job.source.hdr ? tone_map_to(&job, out) : scale_to(&job, out, &ctx->scaled);
    }
    if (ret >= 0)
        ret = sc_orient(out, params->rotation, params->hflip, params->vflip, &ctx->turned);
    if (ret < 0)
        return sc_fail(err, ret, "a %s picture of %dx%d could not be made from %s: %s",
                       codecs[params->format]->mime, job.geo.out_w, job.geo.out_h,
                       av_get_pix_fmt_name(frame->av->format), sc_strerror(ret));
    if (target == SC_TARGET_RGB && out->family == SC_FAMILY_GRAY)
        for (int p = 1; p < 3; p++) {
            out->data[p] = out->data[0];
            out->stride[p] = out->stride[0];
        }
    *info = (struct sc_picture_info){out->w, out->h, job.source.hdr};
    return 0;
}

int sc_picture_encode(sc_picture_ctx *ctx, sc_buf **out, struct sc_picture_info *info,
                      sc_frame *frame, const struct sc_picture_params *params, sc_err *err)
{
    struct sc_picture_info ignored;
    struct sc_image img;
    *out = NULL;
    int ret = check_params(params, err);
    if (ret < 0)
        return ret;
    const struct sc_picture_codec *codec = codecs[params->format];
    ret = render(ctx, &img, info ? info : &ignored, frame, params, codec->target, err);
    if (ret < 0)
        return ret;
    ctx->threads = params->threads;
    ret = codec->encode(ctx, out, &img, params->quality ? params->quality : 85);
    return ret < 0 ? sc_fail(err, ret, "%s of %dx%d could not be encoded: %s", codec->mime,
                             img.w, img.h, sc_strerror(ret))
                   : 0;
}

int sc_picture_rgb(sc_picture_ctx *ctx, sc_buf **out, struct sc_picture_info *info,
                   sc_frame *frame, const struct sc_picture_params *params, sc_err *err)
{
    struct sc_picture_info ignored;
    struct sc_image img;
    *out = NULL;
    int ret = check_params(params, err);
    if (ret >= 0)
        ret = render(ctx, &img, info ? info : &ignored, frame, params, SC_TARGET_RGB, err);
    if (ret < 0)
        return ret;
    *out = sc_buf_new((size_t)img.w * (size_t)img.h * 3);
    if (!*out)
        return sc_fail(err, SC_ENOMEM, "no memory for a picture of %dx%d", img.w, img.h);
    sc_pack_rgb(&img, 0, img.h, (*out)->data);
    return 0;
}
