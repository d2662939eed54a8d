#include "media/bitstream.h"

#include <string.h>

#include "base/mem.h"
#include "media/bits.h"
#include "media/h264.h"

struct sc_bitstream {
    enum AVCodecID codec_id;
    int nal_length_size; // 0 = Annex B
    struct sc_h264_sets h264;
    bool hevc_pps[64];
    bool divx_packed;
};

// --- H.264 ----------------------------------------------------------------------------------

// Looks for a recovery point (payload type 6) among the SEI messages.
static void h264_sei(const struct sc_nal *nal, struct sc_au *au)
{
    sc_bits b;
    sc_bits_init_escaped(&b, nal->data + 1, nal->size - 1);
    while (sc_bits_left(&b) > 16) {
        uint32_t type = 0, size = 0, byte;
        while ((byte = sc_bits_get(&b, 8)) == 255 && !sc_bits_overrun(&b))
            type += 255;
        type += byte;
        while ((byte = sc_bits_get(&b, 8)) == 255 && !sc_bits_overrun(&b))
            size += 255;
        size += byte;
        if (type == 6) {
            au->rap = sc_bits_ue(&b) ? SC_RAP_RECOVERY : SC_RAP_OPEN;
            return;
        }
        if ((int64_t)size * 8 > sc_bits_left(&b))
            return;
        sc_bits_skip(&b, (int64_t)size * 8);
    }
}

static void h264_slice(const sc_bitstream *bs, const struct sc_nal *nal, struct sc_au *au)
{
    struct sc_h264_slice slice;
    if (!sc_h264_slice_head(&bs->h264, nal, &slice)) {
        au->broken = true;
        return;
    }
    au->frame_num = slice.frame_num;
    au->field = slice.field;
}

// True once the picture's first slice was seen: nothing more is needed from this packet.
static bool h264_nal(sc_bitstream *bs, const struct sc_nal *nal, struct sc_au *au)
{
    int type = nal->data[0] & 31;
    switch (type) {
    case 7:
        sc_h264_take_sps(&bs->h264, nal);
        return false;
    case 8:
        sc_h264_take_pps(&bs->h264, nal);
        return false;
    case 6:
        h264_sei(nal, au);
        return false;
    case 5:
        au->rap = SC_RAP_CLEAN;
        break;
    case 1:
    case 2:
        au->disposable = !(nal->data[0] & 0x60);
        break;
    default:
        return false;
    }
    h264_slice(bs, nal, au);
    return true;
}

// --- HEVC -----------------------------------------------------------------------------------

enum { HEVC_RASL_N = 8, HEVC_RASL_R = 9, HEVC_BLA_W_LP = 16, HEVC_IDR_W_RADL = 19 };
enum { HEVC_CRA = 21, HEVC_PPS = 34 };

static void hevc_slice(const sc_bitstream *bs, const struct sc_nal *nal, int type,
                       struct sc_au *au)
{
    sc_bits b;
    sc_bits_init_escaped(&b, nal->data + 2, nal->size - 2);
    sc_bits_get(&b, 1); // first slice segment in picture
    if (type >= HEVC_BLA_W_LP)
        sc_bits_get(&b, 1);
    uint32_t pps = sc_bits_ue(&b);
    au->broken = au->broken || sc_bits_overrun(&b) || pps >= 64 || !bs->hevc_pps[pps] ||
                 (nal->data[0] & 0x80);
}

static bool hevc_nal(sc_bitstream *bs, const struct sc_nal *nal, struct sc_au *au)
{
    int type = nal->data[0] >> 1 & 63;
    if (nal->size < 3)
        return false;
    if (type == HEVC_PPS) {
        sc_bits b;
        sc_bits_init_escaped(&b, nal->data + 2, nal->size - 2);
        uint32_t id = sc_bits_ue(&b);
        if (id < 64 && !sc_bits_overrun(&b))
            bs->hevc_pps[id] = true;
        return false;
    }
    if (type > HEVC_CRA || (type > HEVC_RASL_R && type < HEVC_BLA_W_LP))
        return false;
    au->layer = (nal->data[1] & 7) - 1;
    au->rasl = type == HEVC_RASL_N || type == HEVC_RASL_R;
    au->cra = type == HEVC_CRA;
    au->bla = type >= HEVC_BLA_W_LP && type < HEVC_IDR_W_RADL;
    au->disposable = type < HEVC_BLA_W_LP && !(type & 1);
    if (type >= HEVC_BLA_W_LP)
        au->rap = au->cra || au->bla ? SC_RAP_OPEN : SC_RAP_CLEAN;
    hevc_slice(bs, nal, type, au);
    return true;
}

static void inspect_nals(sc_bitstream *bs, const uint8_t *data, int size, struct sc_au *au)
{
    bool hevc = bs->codec_id == AV_CODEC_ID_HEVC, picture = false;
    struct sc_nal nal;
    int pos = 0;
    au->rap = SC_RAP_NONE;
    while (sc_nal_next(bs->nal_length_size, data, size, &pos, &nal, &au->broken)) {
        if (nal.size < 2 || picture)
            continue; // with lengths the chain is still walked: it shows truncation
        picture = hevc ? hevc_nal(bs, &nal, au) : h264_nal(bs, &nal, au);
        if (picture && !bs->nal_length_size)
            break;
    }
    au->broken = au->broken || !picture;
}

// --- MPEG-1, MPEG-2, MPEG-4 part 2 ------------------------------------------------------------

static void inspect_mpeg12(const uint8_t *data, int size, struct sc_au *au)
{
    for (int at = 0; (at = sc_start_code_find(data, size, at)) >= 0 && at + 6 <= size;
         at += 3) {
        if (data[at + 3])
            continue;
        int type = data[at + 5] >> 3 & 7;
        au->rap = type == 1 ? SC_RAP_OPEN : SC_RAP_NONE;
        au->disposable = type == 3;
        au->broken = type < 1 || type > 3;
        return;
    }
    au->broken = true;
}

static bool is_divx_packed(const uint8_t *data, int size)
{
    char text[64] = "";
    memcpy(text, data, size < 63 ? (size_t)size : 63);
    int version, build, used = 0;
    return sscanf(text, "DivX%dBuild%d%n", &version, &build, &used) == 2
               ? text[used] == 'p'
               : sscanf(text, "DivX%db%d%n", &version, &build, &used) == 2 && text[used] == 'p';
}

static void inspect_mpeg4(sc_bitstream *bs, const uint8_t *data, int size, struct sc_au *au)
{
    int vops = 0;
    au->rap = SC_RAP_NONE;
    for (int at = 0; (at = sc_start_code_find(data, size, at)) >= 0 && at + 5 <= size;
         at += 3) {
        if (data[at + 3] == 0xb2 && is_divx_packed(data + at + 4, size - at - 4))
            bs->divx_packed = true;
        if (data[at + 3] != 0xb6)
            continue;
        int type = data[at + 4] >> 6;
        if (!vops++) {
            au->rap = type == 0 ? SC_RAP_OPEN : SC_RAP_NONE;
            au->disposable = type == 2;
        }
    }
    au->packed = vops > 1 || bs->divx_packed || size < 8;
    au->disposable = au->disposable && !au->packed;
    au->broken = !vops;
}

// --- VP8, VP9 -------------------------------------------------------------------------------

static void inspect_vp8(const uint8_t *data, int size, struct sc_au *au)
{
    if (size < 3) {
        au->broken = true;
        return;
    }
    au->rap = data[0] & 1 ? SC_RAP_NONE : SC_RAP_CLEAN;
    au->hidden = !(data[0] & 0x10);
}

static void inspect_vp9(const uint8_t *data, int size, struct sc_au *au)
{
    // A superframe (marker byte at its end) always holds one shown frame, its last; the first
    // frame's header then says nothing about it.
    if (size < 1 || data[0] >> 6 != 2) {
        au->broken = true;
        return;
    }
    bool superframe = (data[size - 1] & 0xe0) == 0xc0;
    sc_bits b;
    sc_bits_init(&b, data, size);
    sc_bits_get(&b, 2);
    int profile = (int)sc_bits_get(&b, 1);
    profile |= (int)sc_bits_get(&b, 1) << 1;
    if (profile == 3)
        sc_bits_get(&b, 1);
    if (sc_bits_get(&b, 1)) { // show_existing_frame
        au->rap = SC_RAP_NONE;
        return;
    }
    bool inter = sc_bits_get(&b, 1), show = sc_bits_get(&b, 1);
    au->rap = inter ? SC_RAP_NONE : SC_RAP_CLEAN;
    au->hidden = !show && !superframe;
}

// --------------------------------------------------------------------------------------------

void sc_bitstream_inspect(sc_bitstream *bs, const uint8_t *data, int size, struct sc_au *au)
{
    *au = (struct sc_au){.rap = SC_RAP_UNKNOWN, .frame_num = -1};
    switch (bs->codec_id) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
        inspect_nals(bs, data, size, au);
        break;
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
        inspect_mpeg12(data, size, au);
        break;
    case AV_CODEC_ID_MPEG4:
        inspect_mpeg4(bs, data, size, au);
        break;
    case AV_CODEC_ID_VP8:
        inspect_vp8(data, size, au);
        break;
    case AV_CODEC_ID_VP9:
        inspect_vp9(data, size, au);
        break;
    default:
        au->broken = size <= 0;
        break;
    }
}

static void take_nal(void *arg, const struct sc_nal *nal)
{
    sc_bitstream *bs = arg;
    struct sc_au au = {0};
    if (nal->size < 2)
        return;
    if (bs->codec_id == AV_CODEC_ID_HEVC)
        hevc_nal(bs, nal, &au);
    else
        h264_nal(bs, nal, &au);
}

void sc_bitstream_extradata(sc_bitstream *bs, const uint8_t *data, int size)
{
    bool hevc = bs->codec_id == AV_CODEC_ID_HEVC;
    if (bs->codec_id == AV_CODEC_ID_MPEG4) {
        struct sc_au au = {0};
        inspect_mpeg4(bs, data, size, &au);
        return;
    }
    if (!hevc && bs->codec_id != AV_CODEC_ID_H264)
        return;
    if (!hevc && size >= 7 && data[0] == 1) {
        bs->nal_length_size = sc_nal_avcc(data, size, take_nal, bs);
    } else if (hevc && size >= 23 && (data[0] || data[1] || data[2] > 1)) {
        bs->nal_length_size = sc_nal_hvcc(data, size, take_nal, bs);
    } else if (!bs->nal_length_size) {
        struct sc_nal nal;
        bool broken = false;
        for (int pos = 0; sc_nal_next(bs->nal_length_size, data, size, &pos, &nal, &broken);)
            take_nal(bs, &nal);
    }
}

sc_bitstream *sc_bitstream_open(const AVCodecParameters *par)
{
    sc_bitstream *bs = sc_new(sc_bitstream);
    bs->codec_id = par->codec_id;
    if (par->extradata_size > 0)
        sc_bitstream_extradata(bs, par->extradata, par->extradata_size);
    return bs;
}

void sc_bitstream_close(sc_bitstream **pbs)
{
    if (!pbs)
        return;
    free(*pbs);
    *pbs = NULL;
}
