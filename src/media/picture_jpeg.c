// JPEG by libjpeg(-turbo), fed with Y'CbCr rows: full-range BT.601 with centred chroma, as JFIF
// wants. Rows are converted a band at a time, so they are still in the cache when encoded.
#include <setjmp.h>
#include <stdio.h> // jpeglib.h wants it
#include <string.h>

#include <jpeglib.h>

#include "media/picture_internal.h"

// The fast integer DCT is what libjpeg-turbo's own API takes below this quality, for there its
// rounding is far below the quantisation.
#define ACCURATE_QUALITY 96
#define BAND_ROWS        (2 * DCTSIZE)

struct sc_jpeg {
    struct jpeg_compress_struct lib;
    struct jpeg_error_mgr error;
    struct jpeg_destination_mgr dest;
    jmp_buf on_error;
    struct sc_scratch *output; // the context's
    bool out_of_memory;
};

static void on_error(j_common_ptr lib)
{
    struct sc_jpeg *jpeg = lib->client_data;
    longjmp(jpeg->on_error, 1);
}

static void on_message(j_common_ptr lib)
{
    (void)lib; // warnings about what we made ourselves; never printed
}

static void dest_at(struct sc_jpeg *jpeg, size_t used)
{
    jpeg->dest.next_output_byte = jpeg->output->data + used;
    jpeg->dest.free_in_buffer = jpeg->output->size - used;
}

static void dest_init(j_compress_ptr lib)
{
    dest_at(lib->client_data, 0);
}

static boolean dest_grow(j_compress_ptr lib)
{
    struct sc_jpeg *jpeg = lib->client_data;
    size_t used = jpeg->output->size; // the whole buffer is full, whatever free_in_buffer says
    struct sc_scratch larger = {0};
    if (sc_scratch_need(&larger, 2 * used) < 0) {
        jpeg->out_of_memory = true;
        on_error((j_common_ptr)lib);
    }
    memcpy(larger.data, jpeg->output->data, used);
    sc_scratch_release(jpeg->output);
    *jpeg->output = larger;
    dest_at(jpeg, used);
    return TRUE;
}

static void dest_term(j_compress_ptr lib)
{
    (void)lib;
}

static struct sc_jpeg *jpeg_new(void)
{
    struct sc_jpeg *jpeg = sc_new(struct sc_jpeg);
    jpeg->lib.err = jpeg_std_error(&jpeg->error);
    jpeg->error.error_exit = on_error;
    jpeg->error.output_message = on_message;
    jpeg->lib.client_data = jpeg;
    if (setjmp(jpeg->on_error)) {
        free(jpeg);
        return NULL;
    }
    jpeg_create_compress(&jpeg->lib); // keeps client_data and err
    jpeg->dest.init_destination = dest_init;
    jpeg->dest.empty_output_buffer = dest_grow;
    jpeg->dest.term_destination = dest_term;
    jpeg->lib.dest = &jpeg->dest;
    return jpeg;
}

void sc_jpeg_free(struct sc_jpeg **pjpeg)
{
    if (!pjpeg || !*pjpeg)
        return;
    jpeg_destroy_compress(&(*pjpeg)->lib);
    free(*pjpeg);
    *pjpeg = NULL;
}

// The rows of one band as libjpeg takes them, and the memory they are converted into.
struct band {
    struct sc_matrix matrix;
    const struct sc_image *img;
    bool direct;   // the image's own rows do: nothing to convert, and whole blocks wide
    int rows;      // luma rows of a band
    int padded[3]; // width of each plane in whole blocks
    uint8_t *data[3];
    ptrdiff_t stride[3];
    void *scratch;
    JSAMPROW row[3][BAND_ROWS];
};

static int band_init(struct band *band, sc_picture_ctx *ctx, const struct sc_image *img)
{
    *band = (struct band){.img = img, .rows = DCTSIZE << img->ss_h};
    if (!sc_matrix_init(&band->matrix, img, true))
        return SC_EUNSUPPORTED;
    int mcu = DCTSIZE << img->ss_w;
    size_t size = 0;
    size_t offset[3] = {0};
    for (int p = 0; p < sc_image_planes(img); p++) {
        band->padded[p] = SC_ALIGN(img->w, mcu) >> (p ? img->ss_w : 0);
        band->stride[p] = SC_ALIGN(band->padded[p] + 32, 64);
        offset[p] = size;
        size += (size_t)band->stride[p] * BAND_ROWS;
    }
    band->direct = band->matrix.identity && img->w == band->padded[0];
    int ret = sc_scratch_need(&ctx->band, size + sc_matrix_scratch(img->w));
    if (ret < 0)
        return ret;
    for (int p = 0; p < sc_image_planes(img); p++)
        band->data[p] = ctx->band.data + offset[p];
    band->scratch = ctx->band.data + size;
    return 0;
}

static void band_pad(struct band *band, int p, int rows)
{
    int w = sc_image_plane_w(band->img, p);
    for (int i = 0; i < rows; i++) {
        uint8_t *row = band->data[p] + i * band->stride[p];
        memset(row + w, row[w - 1], (size_t)(band->padded[p] - w));
    }
}

static void band_load(struct band *band, int y)
{
    const struct sc_image *img = band->img;
    if (!band->direct)
        sc_matrix_rows(&band->matrix, img, y, band->rows, band->data, band->stride,
                       band->scratch);
    for (int p = 0; p < sc_image_planes(img); p++) {
        int shift = p ? img->ss_h : 0, last = sc_image_plane_h(img, p) - 1;
        int rows = band->rows >> shift;
        if (!band->direct)
            band_pad(band, p, rows);
        for (int i = 0; i < rows; i++) {
            int from = (y >> shift) + i < last ? (y >> shift) + i : last;
            band->row[p][i] = band->direct ? img->data[p] + from * img->stride[p]
                                           : band->data[p] + i * band->stride[p];
        }
    }
}

static void configure(struct sc_jpeg *jpeg, const struct sc_image *img, int quality)
{
    struct jpeg_compress_struct *lib = &jpeg->lib;
    bool gray = img->family == SC_FAMILY_GRAY;
    lib->image_width = (JDIMENSION)img->w;
    lib->image_height = (JDIMENSION)img->h;
    lib->input_components = gray ? 1 : 3;
    lib->in_color_space = gray ? JCS_GRAYSCALE : JCS_YCbCr;
    jpeg_set_defaults(lib);
    jpeg_set_quality(lib, quality, TRUE);
    lib->raw_data_in = TRUE;
    lib->dct_method = quality >= ACCURATE_QUALITY ? JDCT_ISLOW : JDCT_FASTEST;
    lib->comp_info[0].h_samp_factor = gray ? 1 : 1 << img->ss_w;
    lib->comp_info[0].v_samp_factor = gray ? 1 : 1 << img->ss_h;
}

// setjmp's frame: nothing in here changes a local after it.
static int compress(struct sc_jpeg *jpeg, struct band *band, int quality)
{
    if (setjmp(jpeg->on_error)) {
        jpeg_abort_compress(&jpeg->lib);
        return jpeg->out_of_memory ? SC_ENOMEM : SC_EINTERNAL;
    }
    configure(jpeg, band->img, quality);
    jpeg_start_compress(&jpeg->lib, TRUE);
    JSAMPARRAY planes[3] = {band->row[0], band->row[1], band->row[2]};
    while (jpeg->lib.next_scanline < jpeg->lib.image_height) {
        band_load(band, (int)jpeg->lib.next_scanline);
        jpeg_write_raw_data(&jpeg->lib, planes, (JDIMENSION)band->rows);
    }
    jpeg_finish_compress(&jpeg->lib);
    return 0;
}

static int encode(sc_picture_ctx *ctx, sc_buf **out, const struct sc_image *img, int quality)
{
    struct band band;
    int ret = band_init(&band, ctx, img);
    if (ret < 0)
        return ret;
    if (!ctx->jpeg && !(ctx->jpeg = jpeg_new()))
        return SC_ENOMEM;
    struct sc_jpeg *jpeg = ctx->jpeg;
    ret = sc_scratch_need(&ctx->output, (size_t)img->w * (size_t)img->h / 4 + 4096);
    if (ret < 0)
        return ret;
    jpeg->output = &ctx->output;
    jpeg->out_of_memory = false;
    ret = compress(jpeg, &band, quality);
    if (ret < 0)
        return ret;
    size_t size = ctx->output.size - jpeg->dest.free_in_buffer;
    *out = sc_buf_new(size);
    if (!*out)
        return SC_ENOMEM;
    memcpy((*out)->data, ctx->output.data, size);
    return 0;
}

const struct sc_picture_codec sc_picture_jpeg = {
    .mime = "image/jpeg",
    .target = SC_TARGET_YUV,
    .encode = encode,
};
