// PNG by libpng: RGB, one cheap filter and the fastest levels, for pictures made on demand.
#include <setjmp.h>
#include <string.h>

#include <png.h>

#include "media/picture_internal.h"

struct sink {
    struct sc_scratch *output; // the context's
    size_t used;
};

static void write_bytes(png_structp png, png_bytep data, size_t size)
{
    struct sink *sink = png_get_io_ptr(png);
    if (size > sink->output->size - sink->used) {
        struct sc_scratch larger = {0};
        if (sc_scratch_need(&larger, 2 * sink->output->size + size) < 0)
            png_error(png, "out of memory");
        memcpy(larger.data, sink->output->data, sink->used);
        sc_scratch_release(sink->output);
        *sink->output = larger;
    }
    memcpy(sink->output->data + sink->used, data, size);
    sink->used += size;
}

static void flush_bytes(png_structp png)
{
    (void)png;
}

static void on_error(png_structp png, png_const_charp text)
{
    (void)text; // only memory can run out here
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void write_image(png_structp png, png_infop info, const struct sc_image *img,
                        uint8_t *row)
{
    png_set_IHDR(png, info, (png_uint_32)img->w, (png_uint_32)img->h, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    png_set_compression_level(png, 1);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_UP);
    png_write_info(png, info);
    for (int y = 0; y < img->h; y++) {
        sc_pack_rgb(img, y, 1, row);
        png_write_row(png, row);
    }
    png_write_end(png, info);
}

// setjmp's frame: nothing in here changes a local after it.
static int write_png(png_structp png, png_infop info, const struct sc_image *img, uint8_t *row)
{
    if (setjmp(png_jmpbuf(png)))
        return SC_ENOMEM;
    write_image(png, info, img, row);
    return 0;
}

static int encode(sc_picture_ctx *ctx, sc_buf **out, const struct sc_image *img, int quality)
{
    (void)quality;
    struct sink sink = {.output = &ctx->output};
    int ret = sc_scratch_need(&ctx->band, (size_t)img->w * 3);
    if (ret >= 0)
        ret = sc_scratch_need(&ctx->output, (size_t)img->w * (size_t)img->h + 4096);
    if (ret < 0)
        return ret;
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    ret = SC_ENOMEM;
    if (!info)
        goto end;
    png_set_write_fn(png, &sink, write_bytes, flush_bytes);
    ret = write_png(png, info, img, ctx->band.data);
    if (ret < 0)
        goto end;
    *out = sc_buf_new(sink.used);
    if (!*out)
        ret = SC_ENOMEM;
    else
        memcpy((*out)->data, ctx->output.data, sink.used);
end:
    png_destroy_write_struct(&png, &info);
    return ret;
}

const struct sc_picture_codec sc_picture_png = {
    .mime = "image/png",
    .target = SC_TARGET_RGB,
    .encode = encode,
};
