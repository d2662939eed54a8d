// JPEG by libjpeg(-turbo), fed with Y'CbCr rows: full-range BT.601 with centred chroma, as JFIF
// wants. Rows are converted a band at a time, so they are still in the cache when encoded.
//
// A large picture is cut into strips with a restart marker between them, where entropy coding
// starts anew. Each strip is encoded as a picture of its own, by whichever thread takes it, and
// their scans are joined under the first one's header. Cuts depend on the picture alone, so the
// bytes do not depend on the number of threads.
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h> // jpeglib.h wants it
#include <string.h>

#include <jpeglib.h>

#include "media/picture_internal.h"

// The fast integer DCT is what libjpeg-turbo's own API takes below this quality, for there its
// rounding is far below the quantisation.
#define ACCURATE_QUALITY 96
#define BAND_ROWS        (2 * DCTSIZE)

#define LARGE_PICTURE    (512 * 1024) // pixels from which a picture is cut
#define STRIPS           4            // or more, where RESTART_MAX makes them shorter
#define STRIPS_MAX       32           // a picture that would need more is not cut
#define RESTART_MAX      65535        // MCUs from marker to marker, by its 16-bit field
#define MARKER_SIZE      2

// One thread's encoder and memory.
struct sc_jpeg {
    struct jpeg_compress_struct lib;
    struct jpeg_error_mgr error;
    struct jpeg_destination_mgr dest;
    jmp_buf on_error;
    struct sc_scratch band;
    struct sc_scratch output; // the strips it encoded, one after the other
    size_t used;              // of output, by finished strips
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
    jpeg->dest.next_output_byte = jpeg->output.data + used;
    jpeg->dest.free_in_buffer = jpeg->output.size - used;
}

static void dest_init(j_compress_ptr lib)
{
    struct sc_jpeg *jpeg = lib->client_data;
    dest_at(jpeg, jpeg->used);
}

static boolean dest_grow(j_compress_ptr lib)
{
    struct sc_jpeg *jpeg = lib->client_data;
    size_t used = jpeg->output.size; // the whole buffer is full, whatever free_in_buffer says
    struct sc_scratch larger = {0};
    if (sc_scratch_need(&larger, 2 * used) < 0) {
        jpeg->out_of_memory = true;
        on_error((j_common_ptr)lib);
    }
    memcpy(larger.data, jpeg->output.data, used);
    sc_scratch_release(&jpeg->output);
    jpeg->output = larger;
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
    sc_scratch_release(&(*pjpeg)->band);
    sc_scratch_release(&(*pjpeg)->output);
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

static int band_init(struct band *band, struct sc_jpeg *jpeg, const struct sc_image *img)
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
    int ret = sc_scratch_need(&jpeg->band, size + sc_matrix_scratch(img->w));
    if (ret < 0)
        return ret;
    for (int p = 0; p < sc_image_planes(img); p++)
        band->data[p] = jpeg->band.data + offset[p];
    band->scratch = jpeg->band.data + size;
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

// A picture on its way, shared by the threads that encode it.
struct work {
    // Immutable.
    const struct sc_image *img;
    int quality;
    int strips, strip_rows; // luma rows of each but the last
    unsigned restart;       // MCUs of a strip; 0 = a single strip, no markers

    atomic_int next; // strip to be taken
    struct strip {
        const struct sc_jpeg *jpeg; // has it in its output
        size_t offset, size;
    } strip[STRIPS_MAX]; // each owned by who took it, then by who joins them
};

struct worker {
    struct work *work;
    struct sc_jpeg *jpeg;
    pthread_t thread;
    const cpu_set_t *cores; // those of the caller
    int ret;
};

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

static void cut(struct work *work)
{
    const struct sc_image *img = work->img;
    int mcu_rows = divide_up(img->h, DCTSIZE << img->ss_h);
    int in_row = divide_up(img->w, DCTSIZE << img->ss_w);
    int rows = divide_up(mcu_rows, STRIPS), most = RESTART_MAX / in_row;
    if (rows > most)
        rows = most;
    work->strips = 1;
    work->strip_rows = img->h;
    if ((int64_t)img->w * img->h < LARGE_PICTURE || !rows ||
        divide_up(mcu_rows, rows) > STRIPS_MAX)
        return;
    work->strips = divide_up(mcu_rows, rows);
    work->strip_rows = rows * (DCTSIZE << img->ss_h);
    work->restart = (unsigned)(rows * in_row);
}

static void configure(struct sc_jpeg *jpeg, const struct work *work, int rows)
{
    struct jpeg_compress_struct *lib = &jpeg->lib;
    const struct sc_image *img = work->img;
    bool gray = img->family == SC_FAMILY_GRAY;
    lib->image_width = (JDIMENSION)img->w;
    lib->image_height = (JDIMENSION)rows;
    lib->input_components = gray ? 1 : 3;
    lib->in_color_space = gray ? JCS_GRAYSCALE : JCS_YCbCr;
    jpeg_set_defaults(lib);
    jpeg_set_quality(lib, work->quality, TRUE);
    lib->raw_data_in = TRUE;
    lib->dct_method = work->quality >= ACCURATE_QUALITY ? JDCT_ISLOW : JDCT_FASTEST;
    lib->restart_interval = work->restart; // for the header: a strip has no marker inside
    lib->comp_info[0].h_samp_factor = gray ? 1 : 1 << img->ss_w;
    lib->comp_info[0].v_samp_factor = gray ? 1 : 1 << img->ss_h;
}

// setjmp's frame: nothing in here changes a local after it.
static int compress(struct sc_jpeg *jpeg, struct band *band, const struct work *work, int index)
{
    const int y = index * work->strip_rows, left = work->img->h - y;
    if (setjmp(jpeg->on_error)) {
        jpeg_abort_compress(&jpeg->lib);
        return jpeg->out_of_memory ? SC_ENOMEM : SC_EINTERNAL;
    }
    configure(jpeg, work, left < work->strip_rows ? left : work->strip_rows);
    jpeg_start_compress(&jpeg->lib, TRUE);
    JSAMPARRAY planes[3] = {band->row[0], band->row[1], band->row[2]};
    while (jpeg->lib.next_scanline < jpeg->lib.image_height) {
        band_load(band, y + (int)jpeg->lib.next_scanline);
        jpeg_write_raw_data(&jpeg->lib, planes, (JDIMENSION)band->rows);
    }
    jpeg_finish_compress(&jpeg->lib);
    return 0;
}

// Takes strips until there are no more.
static void *work_off(void *arg)
{
    struct worker *worker = arg;
    struct work *work = worker->work;
    struct sc_jpeg *jpeg = worker->jpeg;
    struct band band;
    jpeg->used = 0;
    jpeg->out_of_memory = false;
    worker->ret = band_init(&band, jpeg, work->img);
    for (int i; !worker->ret && (i = atomic_fetch_add(&work->next, 1)) < work->strips;) {
        worker->ret = compress(jpeg, &band, work, i);
        size_t end = jpeg->output.size - jpeg->dest.free_in_buffer;
        work->strip[i] = (struct strip){jpeg, jpeg->used, end - jpeg->used};
        jpeg->used = end;
    }
    return NULL;
}

static bool worker_init(struct worker *worker, struct work *work, struct sc_jpeg **pjpeg)
{
    if (!*pjpeg)
        *pjpeg = jpeg_new();
    *worker = (struct worker){.work = work, .jpeg = *pjpeg};
    size_t guess = (size_t)work->img->w * (size_t)work->img->h / 4 + 4096;
    return *pjpeg && !sc_scratch_need(&(*pjpeg)->output, guess);
}

static void *helper(void *arg)
{
    struct worker *worker = arg;
    pthread_setaffinity_np(pthread_self(), sizeof(*worker->cores), worker->cores);
    return work_off(worker);
}

// Starts a helper on any core but this one. In virtual machines the kernel often takes a core
// that sleeps for one that the host took away, and would leave the helper behind this thread
// for milliseconds: the time that it is to save. Once it runs, it may go anywhere.
static bool start_helper(struct worker *worker, const cpu_set_t *cores)
{
    cpu_set_t others = *cores;
    pthread_attr_t attr;
    int here = sched_getcpu();
    worker->cores = cores;
    if (here >= 0)
        CPU_CLR((size_t)here, &others);
    if (!CPU_COUNT(&others) || pthread_attr_init(&attr))
        return false;
    bool started = !pthread_attr_setaffinity_np(&attr, sizeof(others), &others) &&
                   !pthread_create(&worker->thread, &attr, helper, worker);
    pthread_attr_destroy(&attr);
    return started;
}

static int wait_for(struct worker *worker)
{
    // It need not wait for another core any more: this one is free.
    pthread_setaffinity_np(worker->thread, sizeof(*worker->cores), worker->cores);
    pthread_join(worker->thread, NULL);
    return worker->ret;
}

// Helpers that cannot be had are done without.
static int encode_strips(sc_picture_ctx *ctx, struct work *work)
{
    struct worker workers[SC_JPEG_THREADS];
    cpu_set_t cores = {0};
    int threads = ctx->threads < SC_JPEG_THREADS ? ctx->threads : SC_JPEG_THREADS, count = 1;
    if (!worker_init(&workers[0], work, &ctx->jpeg[0]))
        return SC_ENOMEM;
    if (threads > 1 && sched_getaffinity(0, sizeof(cores), &cores)) // more cores than it holds
        threads = 1;
    while (count < threads && count < work->strips &&
           worker_init(&workers[count], work, &ctx->jpeg[count]) &&
           start_helper(&workers[count], &cores))
        count++;
    work_off(&workers[0]);
    int ret = workers[0].ret;
    for (int i = 1; i < count; i++) {
        int other = wait_for(&workers[i]);
        ret = ret ? ret : other;
    }
    return ret;
}

// Where the scan's data begins and, in the frame header, the picture's height stands.
static size_t find_scan(const uint8_t *bytes, size_t *height_at)
{
    size_t at = MARKER_SIZE; // SOI
    int marker;
    do {
        marker = bytes[at + 1];
        if (marker == 0xc0) // SOF0; behind it length and precision
            *height_at = at + MARKER_SIZE + 3;
        at += MARKER_SIZE + (size_t)(bytes[at + 2] << 8 | bytes[at + 3]);
    } while (marker != 0xda); // SOS
    return at;
}

static int join(sc_buf **out, const struct work *work)
{
    size_t height_at = 0, size = 0;
    const uint8_t *first = work->strip[0].jpeg->output.data + work->strip[0].offset;
    size_t header = find_scan(first, &height_at); // as long in all strips
    sc_require(height_at);
    for (int i = 0; i < work->strips; i++)
        size += work->strip[i].size - header;
    *out = sc_buf_new(header + size);
    if (!*out)
        return SC_ENOMEM;
    uint8_t *to = (*out)->data;
    memcpy(to, first, header);
    to[height_at] = (uint8_t)(work->img->h >> 8);
    to[height_at + 1] = (uint8_t)work->img->h;
    to += header;
    for (int i = 0; i < work->strips; i++) {
        const struct strip *strip = &work->strip[i];
        memcpy(to, strip->jpeg->output.data + strip->offset + header, strip->size - header);
        to += strip->size - header;
        if (i < work->strips - 1)
            to[-1] = (uint8_t)(0xd0 + i % 8); // RSTi in place of EOI
    }
    return 0;
}

static int encode(sc_picture_ctx *ctx, sc_buf **out, const struct sc_image *img, int quality)
{
    struct work work = {.img = img, .quality = quality};
    cut(&work);
    int ret = encode_strips(ctx, &work);
    return ret < 0 ? ret : join(out, &work);
}

const struct sc_picture_codec sc_picture_jpeg = {
    .mime = "image/jpeg",
    .target = SC_TARGET_YUV,
    .encode = encode,
};
