// The packet scan: what index_build.c knows of each packet before frames are numbered.
//
// Thread-safety: Unsafe.
#pragma once

#include "media/bitstream.h"
#include "media/index_internal.h"
#include "media/input.h"

struct sc_scanned {
    int64_t pts, dts; // in the stream's time base; AV_NOPTS_VALUE if missing
    int64_t duration; // 0 if unknown
    int64_t pos;      // in the file, as the demuxer says; -1 unknown
    int64_t payload;  // of the bytes themselves, -1 where they are not contiguous
    int32_t size;
    uint32_t crc;
    uint8_t flags; // SC_PACKET_*
    struct sc_au au;
};

struct sc_scan {
    struct sc_scanned *packets;
    int64_t count, room;
    struct sc_side_rec *sides;
    int64_t side_count;
    uint8_t *side_data;
    int64_t side_bytes;
    bool direct; // every payload was found contiguous in the file
    int locate_delta;
};

// Reads every packet of input's video stream. The scan must be released whatever comes.
int sc_scan_run(struct sc_scan *scan, sc_input *input, const struct sc_index_params *params,
                sc_err *err);
void sc_scan_release(struct sc_scan *scan);

// Fills in what the stream's parameters say: sizes, colour, codec, orientation.
void sc_index_describe(const sc_input *input, struct sc_index_header *h);
// The content's identity: every packet's bytes, size and time, and the parameters before them.
void sc_index_hash_content(const sc_input *input, const struct sc_scan *scan,
                           struct sc_index_header *h);
