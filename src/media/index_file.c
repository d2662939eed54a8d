// The index as bytes: layout, checks, mapping, saving.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media/hash.h"
#include <libavutil/pixdesc.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/index_internal.h"

#define CHECKED_FROM (offsetof(struct sc_index_header, checksum) + sizeof(uint64_t))
#define BESIDE       (1 << 20) // bytes from which a second thread pays
#define MAX_COUNT    (INT64_C(1) << 31)

enum section { FRAMES, HASHES, PACKETS, DTS, ENTRIES, SIDES, EXTRADATA, SIDE_DATA, SECTIONS };

// Offsets of all sections and, behind the last, the total size.
static void lay_out(const struct sc_index_header *h, uint64_t offset[SECTIONS + 1])
{
    const uint64_t size[SECTIONS] = {
        [FRAMES] = (uint64_t)h->frames * sizeof(struct sc_frame_rec),
        [HASHES] = h->has_hash ? (uint64_t)h->frames * sizeof(uint64_t) : 0,
        [PACKETS] = (uint64_t)h->packets * sizeof(struct sc_packet_rec),
        [DTS] = h->direct ? 0 : (uint64_t)h->packets * sizeof(int64_t),
        [ENTRIES] = (uint64_t)h->entries * sizeof(struct sc_entry_rec),
        [SIDES] = (uint64_t)h->sides * sizeof(struct sc_side_rec),
        [EXTRADATA] = (uint64_t)h->extradata_bytes,
        [SIDE_DATA] = (uint64_t)h->side_bytes,
    };
    uint64_t at = sizeof(*h);
    for (int i = 0; i < SECTIONS; i++) {
        offset[i] = at;
        at += (size[i] + 7) & ~UINT64_C(7);
    }
    offset[SECTIONS] = at;
}

static int broken(sc_err *err, const char *what)
{
    return sc_fail(err, SC_EDATA, "the index file is damaged (%s)", what);
}

static bool in_count(int64_t v)
{
    return v >= 0 && v < MAX_COUNT;
}

static bool check_facts(const struct sc_index_header *h)
{
    return h->tb_num > 0 && h->tb_den > 0 && h->rate_num >= 0 && h->rate_den > 0 &&
           h->sar_num > 0 && h->sar_den > 0 && h->sar_num <= 1000 * (int64_t)h->sar_den &&
           h->sar_den <= 1000 * (int64_t)h->sar_num && h->width > 0 && h->height > 0 &&
           h->width <= SC_INDEX_MAX_SIDE && h->height <= SC_INDEX_MAX_SIDE &&
           h->rotation >= 0 && h->rotation < 360 && h->rotation % 90 == 0 && h->verdict >= 0 &&
           h->verdict <= SC_VERDICT_DIFFERS && h->differing >= 0 && h->differing <= h->frames &&
           h->duration_ticks > 0 && h->file_size <= INT64_MAX &&
           (__int128)h->duration_ticks * h->tb_num <=
               SC_INDEX_MAX_SECONDS * (__int128)h->tb_den;
}

static int check_header(const struct sc_index_header *h, size_t size, sc_err *err)
{
    if (size < sizeof(*h) || memcmp(h->magic, SC_INDEX_MAGIC, 8))
        return broken(err, "no index");
    if (h->version != SC_INDEX_VERSION || h->header_size != sizeof(*h))
        return sc_fail(err, SC_ESTALE, "the index file has another version");
    if (!in_count(h->frames) || !in_count(h->packets) || !in_count(h->entries) ||
        !in_count(h->sides) || !in_count(h->side_bytes) || !in_count(h->extradata_bytes))
        return broken(err, "counts");
    uint64_t offset[SECTIONS + 1];
    lay_out(h, offset);
    if (h->total_size != size || offset[SECTIONS] != size)
        return broken(err, "size");
    if (!h->frames || !h->packets || !h->entries || h->frames > h->packets ||
        h->entries > h->packets)
        return broken(err, "counts");
    if (!check_facts(h))
        return broken(err, "facts");
    if (!memchr(h->codec_name, 0, sizeof(h->codec_name)) ||
        !memchr(h->format_name, 0, sizeof(h->format_name)) ||
        !memchr(h->pix_fmt_name, 0, sizeof(h->pix_fmt_name)))
        return broken(err, "names");
    return SC_OK;
}

// The two big tables are checked without a branch an entry: every rule is a difference that must
// not be negative, and one broken rule leaves the top bit of `bad` set. Loading a two-hour index is
// to take less than 2 ms.
static bool holds(uint64_t bad)
{
    return !(bad >> 63);
}

static int check_frames(const sc_index *ix, sc_err *err)
{
    const struct sc_index_header *h = ix->header;
    uint64_t bad = 0, last = UINT64_MAX, packets = (uint64_t)h->packets;
    for (int64_t i = 0; i < h->frames; i++) {
        const struct sc_frame_rec *f = &ix->frames[i];
        uint64_t ticks = (uint64_t)f->ticks;
        bad |= ticks | (ticks - last - 1) | (packets - 1 - f->packet);
        last = ticks;
    }
    if (!holds(bad) || ix->frames[0].ticks || last >= (uint64_t)h->duration_ticks)
        return broken(err, "frames");
    return SC_OK;
}

static int check_packets(const sc_index *ix, sc_err *err)
{
    const struct sc_index_header *h = ix->header;
    uint64_t bad = 0, frames = (uint64_t)h->frames;
    uint64_t slack = h->direct ? 0 : 1; // position -1 is unknown
    uint64_t end = h->direct ? h->file_size : INT64_MAX;
    for (int64_t i = 0; i < h->packets; i++) {
        const struct sc_packet_rec *p = &ix->packets[i];
        uint64_t pos = (uint64_t)p->pos, size = (uint64_t)(int64_t)p->size;
        uint64_t frame = (uint64_t)(int64_t)p->frame;
        bad |= size | (frame + 1) | (frames - 1 - frame) | (pos + slack) | (end - size - pos);
    }
    uint64_t wrong = 0;
    for (int64_t i = 0; i < h->frames && holds(bad); i++)
        wrong |= (uint64_t)ix->packets[ix->frames[i].packet].frame ^ (uint64_t)i;
    return holds(bad) && !wrong ? SC_OK : broken(err, "packets");
}

static int check_rest(const sc_index *ix, sc_err *err)
{
    const struct sc_index_header *h = ix->header;
    bool good = !ix->entries[0].packet && !ix->entries[0].first_exact;
    for (int64_t i = 0; i < h->entries; i++) {
        const struct sc_entry_rec *e = &ix->entries[i];
        good &= e->packet < (uint64_t)h->packets && e->first_exact < (uint64_t)h->frames;
        if (i)
            good &= e->packet > e[-1].packet && e->first_exact >= e[-1].first_exact;
    }
    for (int64_t i = 0; i < h->sides; i++) {
        const struct sc_side_rec *s = &ix->sides[i];
        good &= s->packet < (uint64_t)h->packets &&
                (uint64_t)s->offset + s->size <= (uint64_t)h->side_bytes;
        if (i)
            good &= s->packet >= s[-1].packet;
    }
    return good ? SC_OK : broken(err, "entries");
}

static int fill_par(sc_index *ix, sc_err *err)
{
    const struct sc_index_header *h = ix->header;
    const AVCodecDescriptor *desc = avcodec_descriptor_get_by_name(h->codec_name);
    AVCodecParameters *par = ix->par = avcodec_parameters_alloc();
    if (!par)
        return sc_fail(err, SC_ENOMEM, "out of memory");
    if (!desc)
        return sc_fail(err, SC_ESTALE, "the codec %s is not known here", h->codec_name);
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = desc->id;
    par->codec_tag = h->codec_tag;
    par->format = h->pix_fmt_name[0] ? av_get_pix_fmt(h->pix_fmt_name) : AV_PIX_FMT_NONE;
    par->width = h->width;
    par->height = h->height;
    par->video_delay = h->video_delay;
    par->profile = h->profile;
    par->level = h->level;
    par->field_order = h->field_order;
    par->bits_per_coded_sample = h->bits_coded;
    par->bits_per_raw_sample = h->bits_raw;
    par->sample_aspect_ratio = (AVRational){h->sar_num, h->sar_den};
    par->color_range = h->color_range;
    par->color_primaries = h->color_primaries;
    par->color_trc = h->color_trc;
    par->color_space = h->color_space;
    par->chroma_location = h->chroma_location;
    if (h->extradata_bytes) {
        par->extradata = av_mallocz((size_t)h->extradata_bytes + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!par->extradata)
            return sc_fail(err, SC_ENOMEM, "out of memory");
        memcpy(par->extradata, ix->extradata, (size_t)h->extradata_bytes);
        par->extradata_size = (int)h->extradata_bytes;
    }
    return SC_OK;
}

static void fill_info(sc_index *ix)
{
    const struct sc_index_header *h = ix->header;
    struct sc_index_info *info = &ix->info;
    *info = (struct sc_index_info){
        .frames = h->frames,
        .packets = h->packets,
        .entries = h->entries,
        .time_base = {h->tb_num, h->tb_den},
        .duration_ticks = h->duration_ticks,
        .frame_rate = {h->rate_num, h->rate_den},
        .variable_rate = h->variable_rate,
        .codec_id = ix->par->codec_id,
        .codec_name = h->codec_name,
        .format_name = h->format_name,
        .pix_fmt_name = h->pix_fmt_name,
        .width = h->width,
        .height = h->height,
        .sample_aspect = {h->sar_num, h->sar_den},
        .rotation = h->rotation,
        .hflip = h->hflip,
        .vflip = h->vflip,
        .color_range = h->color_range,
        .color_primaries = h->color_primaries,
        .color_trc = h->color_trc,
        .color_space = h->color_space,
        .has_audio = h->has_audio,
        .direct = h->direct,
        .decoded = h->decoded,
        .verdict = (enum sc_verdict)h->verdict,
        .differing = h->differing,
        .file_size = (int64_t)h->file_size,
        .content_hash = {h->content_hash[0], h->content_hash[1]},
    };
    // Aspect widens the picture or heightens it, whichever does not shrink; then it is turned.
    int64_t w = h->width, hh = h->height;
    if (h->sar_num > h->sar_den)
        w = av_rescale(w, h->sar_num, h->sar_den);
    else
        hh = av_rescale(hh, h->sar_den, h->sar_num);
    bool turned = h->rotation == 90 || h->rotation == 270;
    info->display_width = (int)(turned ? hh : w);
    info->display_height = (int)(turned ? w : hh);
}

struct sum {
    const struct sc_index_header *header;
    uint64_t value;
};

static void *add_up(void *arg)
{
    struct sum *sum = arg;
    sum->value = XXH3_64bits((const char *)sum->header + CHECKED_FROM,
                             sum->header->total_size - CHECKED_FROM);
    return NULL;
}

static int check_tables(const sc_index *ix, sc_err *err)
{
    int ret = check_frames(ix, err);
    if (ret >= 0)
        ret = check_packets(ix, err);
    return ret < 0 ? ret : check_rest(ix, err);
}

// Checksum and rules hold independently of each other: a large index is read for both at once.
static int check_bytes(const sc_index *ix, sc_err *err)
{
    struct sum sum = {.header = ix->header};
    pthread_t thread;
    bool beside =
        ix->header->total_size > BESIDE && !pthread_create(&thread, NULL, add_up, &sum);
    int ret = check_tables(ix, err);
    if (beside)
        pthread_join(thread, NULL);
    else
        add_up(&sum);
    if (ret < 0)
        return ret;
    return sum.value == ix->header->checksum ? SC_OK : broken(err, "checksum");
}

static int take(sc_index *ix, const void *data, size_t size, sc_err *err)
{
    const char *bytes = data;
    uint64_t offset[SECTIONS + 1];
    int ret = check_header(data, size, err);
    if (ret < 0)
        return ret;
    ix->header = data;
    lay_out(ix->header, offset);
    ix->frames = (const void *)(bytes + offset[FRAMES]);
    ix->hashes = ix->header->has_hash ? (const void *)(bytes + offset[HASHES]) : NULL;
    ix->packets = (const void *)(bytes + offset[PACKETS]);
    ix->dts = ix->header->direct ? NULL : (const void *)(bytes + offset[DTS]);
    ix->entries = (const void *)(bytes + offset[ENTRIES]);
    ix->sides = (const void *)(bytes + offset[SIDES]);
    ix->extradata = (const void *)(bytes + offset[EXTRADATA]);
    ix->side_data = (const void *)(bytes + offset[SIDE_DATA]);
    if ((ret = check_bytes(ix, err)) < 0 || (ret = fill_par(ix, err)) < 0)
        return ret;
    fill_info(ix);
    return SC_OK;
}

static sc_index *new_index(void)
{
    sc_index *ix = sc_new(sc_index);
    sc_ref_init(&ix->ref);
    return ix;
}

int sc_index_parse(sc_index **pix, const void *data, size_t size, sc_err *err)
{
    sc_index *ix = new_index();
    int ret = take(ix, data, size, err);
    if (ret < 0)
        sc_index_unref(&ix);
    *pix = ix;
    return ret;
}

static void put(char *bytes, uint64_t offset, const void *data, size_t size)
{
    if (size)
        memcpy(bytes + offset, data, size);
}

int sc_index_assemble(sc_index **pix, const struct sc_index_parts *parts, sc_err *err)
{
    struct sc_index_header h = parts->header;
    uint64_t offset[SECTIONS + 1];
    *pix = NULL;
    lay_out(&h, offset);
    memcpy(h.magic, SC_INDEX_MAGIC, 8);
    h.version = SC_INDEX_VERSION;
    h.header_size = sizeof(h);
    h.total_size = offset[SECTIONS];
    char *bytes = sc_try_calloc(1, h.total_size);
    if (!bytes)
        return sc_fail(err, SC_ENOMEM, "out of memory for an index of %" PRIu64 " bytes",
                       h.total_size);
    put(bytes, offset[FRAMES], parts->frames, (size_t)h.frames * sizeof(*parts->frames));
    if (h.has_hash)
        put(bytes, offset[HASHES], parts->hashes, (size_t)h.frames * sizeof(uint64_t));
    put(bytes, offset[PACKETS], parts->packets, (size_t)h.packets * sizeof(*parts->packets));
    if (!h.direct)
        put(bytes, offset[DTS], parts->dts, (size_t)h.packets * sizeof(int64_t));
    put(bytes, offset[ENTRIES], parts->entries, (size_t)h.entries * sizeof(*parts->entries));
    put(bytes, offset[SIDES], parts->sides, (size_t)h.sides * sizeof(*parts->sides));
    put(bytes, offset[EXTRADATA], parts->extradata, (size_t)h.extradata_bytes);
    put(bytes, offset[SIDE_DATA], parts->side_data, (size_t)h.side_bytes);
    memcpy(bytes, &h, sizeof(h));
    h.checksum = XXH3_64bits(bytes + CHECKED_FROM, h.total_size - CHECKED_FROM);
    memcpy(bytes, &h, sizeof(h));

    sc_index *ix = new_index();
    ix->owned = bytes;
    int ret = take(ix, bytes, h.total_size, err);
    if (ret < 0)
        sc_index_unref(&ix);
    *pix = ix;
    return ret;
}

int sc_index_restamp(sc_index **pix, const sc_index *ix, int64_t mtime_ns)
{
    struct sc_index_parts parts = {
        .header = *ix->header,
        .frames = ix->frames,
        .hashes = ix->hashes,
        .packets = ix->packets,
        .dts = ix->dts,
        .entries = ix->entries,
        .sides = ix->sides,
        .extradata = ix->extradata,
        .side_data = ix->side_data,
    };
    parts.header.mtime_ns = mtime_ns;
    return sc_index_assemble(pix, &parts, NULL);
}

int sc_index_load(sc_index **pix, const char *path, sc_err *err)
{
    struct stat st;
    int ret = SC_OK;
    sc_index *ix = new_index();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        ret = sc_fail(err, sc_error_from_errno(errno), "%s: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(st.st_mode) || (size_t)st.st_size < sizeof(struct sc_index_header)) {
        ret = broken(err, "too short");
        goto out;
    }
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (map == MAP_FAILED) {
        ret = sc_fail(err, SC_EIO, "%s: %s", path, strerror(errno));
        goto out;
    }
    ix->map = map;
    ix->map_size = (size_t)st.st_size;
    ret = take(ix, map, ix->map_size, err);
out:
    if (fd >= 0)
        close(fd);
    if (ret < 0)
        sc_index_unref(&ix);
    *pix = ix;
    return ret;
}

static int write_all(int fd, const void *data, size_t size)
{
    const char *p = data;
    while (size) {
        ssize_t n = write(fd, p, size < (1 << 30) ? size : 1 << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

static void sync_folder(const char *path)
{
    char *folder = sc_xstrdup(path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

int sc_index_save(const sc_index *ix, const char *path, sc_err *err)
{
    size_t length = strlen(path) + 64;
    char *temporary = sc_xcalloc(1, length);
    // Threads and processes may save to one path at once.
    snprintf(temporary, length, "%s.%d.%" PRIx64 ".tmp", path, (int)gettid(),
             (uint64_t)sc_clock_now());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    int ret = SC_OK;
    if (fd < 0 || write_all(fd, ix->header, ix->header->total_size) < 0 || fsync(fd) < 0 ||
        rename(temporary, path) < 0) {
        ret = sc_fail(err, sc_error_from_errno(errno), "%s: %s", path, strerror(errno));
        if (fd >= 0)
            unlink(temporary);
    } else {
        sync_folder(path);
    }
    if (fd >= 0)
        close(fd);
    free(temporary);
    return ret;
}

sc_index *sc_index_ref(sc_index *ix)
{
    if (ix)
        sc_ref_inc(&ix->ref);
    return ix;
}

void sc_index_unref(sc_index **pix)
{
    sc_index *ix = pix ? *pix : NULL;
    if (!ix)
        return;
    *pix = NULL;
    if (!sc_ref_dec(&ix->ref))
        return;
    avcodec_parameters_free(&ix->par);
    if (ix->map)
        munmap(ix->map, ix->map_size);
    free(ix->owned);
    free(ix);
}
