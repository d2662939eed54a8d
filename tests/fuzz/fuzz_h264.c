// H.264 references: any extradata and packets give numbers of packets that came before, and
// stand-ins and fillers that can be read back, or nothing.
//
// An input is pieces, each behind its length in 16 bits: the extradata, then packets. The highest
// bit of a packet's length resets before it, the next one says that it is new extradata.
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "media/h264_refs.h"

#define MAX_PACKETS 200

struct piece {
    const uint8_t *data;
    int size;
    bool reset, extradata;
};

static bool next_piece(const uint8_t **data, size_t *left, struct piece *piece)
{
    if (*left < 2)
        return false;
    int head = (*data)[0] << 8 | (*data)[1], size = head & 0x3fff;
    *data += 2;
    *left -= 2;
    if ((size_t)size > *left)
        size = (int)*left;
    *piece = (struct piece){*data, size, head & 0x8000, head & 0x4000};
    *data += size;
    *left -= (size_t)size;
    return true;
}

// A copy as large as the piece, so that overreads are caught.
static uint8_t *exact(const struct piece *piece)
{
    uint8_t *data = sc_xcalloc(1, (size_t)piece->size + !piece->size);
    memcpy(data, piece->data, (size_t)piece->size);
    return data;
}

// Two units whose lengths fit, with the first bytes of a parameter set and of a slice.
static void check_grey(const AVPacket *pkt, int length_size)
{
    struct sc_nal nal;
    int pos = 0, units = 0;
    bool broken = false;
    while (sc_nal_next(length_size, pkt->data, pkt->size, &pos, &nal, &broken)) {
        sc_require(nal.size > 1 && (nal.data[0] & 31) == (units ? SC_H264_SLICE : SC_H264_PPS));
        sc_require(nal.data[nal.size - 1] != 0); // the stop bit
        units++;
    }
    sc_require(!broken && units == 2);
}

static void make(sc_h264_refs *refs, const struct piece *piece, int length_size, bool added)
{
    AVPacket *pkt = av_packet_alloc();
    sc_require(pkt && av_new_packet(pkt, piece->size) == 0);
    memcpy(pkt->data, piece->data, (size_t)piece->size);
    if (sc_h264_refs_stand_in(refs, pkt))
        check_grey(pkt, length_size);
    else
        sc_require(pkt->size == piece->size);
    if (sc_h264_refs_filler(refs, pkt)) {
        sc_require(added);
        check_grey(pkt, length_size);
    }
    av_packet_free(&pkt);
}

static bool add(sc_h264_refs *refs, const struct piece *piece, int64_t number, int64_t first)
{
    int64_t to[SC_H264_MAX_REFS];
    uint8_t *data = exact(piece);
    int count = sc_h264_refs_add(refs, number, data, piece->size, to);
    free(data);
    sc_require(count == SC_H264_REFS_UNKNOWN || (count >= 0 && count <= SC_H264_MAX_REFS));
    for (int i = 0; i < count; i++) {
        sc_require(to[i] >= first && to[i] < number);
        for (int k = 0; k < i; k++)
            sc_require(to[k] != to[i]);
    }
    return count >= 0;
}

static void follow(sc_h264_refs *refs, int length_size, const uint8_t *data, size_t left)
{
    struct piece piece;
    int64_t first = 0;
    for (int64_t number = 0; number < MAX_PACKETS && next_piece(&data, &left, &piece);
         number++) {
        if (piece.reset) {
            sc_h264_refs_reset(refs);
            first = number;
        }
        if (!piece.extradata) {
            make(refs, &piece, length_size, add(refs, &piece, number, first));
            continue;
        }
        uint8_t *extradata = exact(&piece);
        sc_h264_refs_extradata(refs, extradata, piece.size);
        if (piece.size >= 7 && extradata[0] == 1)
            length_size = (extradata[4] & 3) + 1;
        free(extradata);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct piece piece;
    if (!next_piece(&data, &size, &piece))
        return 0;
    uint8_t *extradata = exact(&piece);
    AVCodecParameters par = {
        .codec_id = AV_CODEC_ID_H264, .extradata = extradata, .extradata_size = piece.size};
    sc_h264_refs *refs = sc_h264_refs_open(&par);
    sc_require(!refs == !sc_h264_refs_possible(&par));
    if (refs)
        follow(refs, (extradata[4] & 3) + 1, data, size);
    sc_h264_refs_close(&refs);
    free(extradata);
    return 0;
}
