// The index's layout, for media/index*.c, source.c and decoder.c only.
//
// In memory and on disk an index is the same bytes: a header, then sections in a fixed order,
// each 8-byte aligned, little-endian. Building makes those bytes; loading maps them.
#pragma once

#include "base/ref.h"
#include "media/index.h"

#define SC_INDEX_MAGIC       "SCINDEX"
#define SC_INDEX_VERSION     1
#define SC_INDEX_MAX_SIDE    16384
#define SC_INDEX_MAX_SECONDS INT64_C(9000000000) // 285 years: nanoseconds still fit int64_t

struct sc_index_header {
    char magic[8];
    uint32_t version, header_size;
    uint64_t total_size;
    uint64_t checksum; // XXH3-64 of everything after this field
    uint64_t file_size;
    int64_t mtime_ns;
    uint64_t content_hash[2];
    int64_t frames, packets, entries, sides, side_bytes, extradata_bytes;
    int64_t duration_ticks, differing;
    int32_t has_hash, direct, decoded, verdict;
    int32_t tb_num, tb_den, rate_num, rate_den, sar_num, sar_den;
    int32_t variable_rate, has_audio;
    int32_t width, height, rotation, hflip, vflip;
    int32_t color_range, color_primaries, color_trc, color_space, chroma_location;
    int32_t video_delay, profile, level, field_order, bits_coded, bits_raw;
    uint32_t codec_tag, byte_seek;
    char codec_name[32], format_name[64], pix_fmt_name[32];
};

enum { SC_FRAME_DIFFERS = 1 }; // random access gave another picture: linear decode only

struct sc_frame_rec {
    int64_t ticks;
    uint32_t packet, flags;
};

struct sc_packet_rec {
    int64_t pos;
    int32_t size, frame;
    uint32_t crc, flags;
};

struct sc_entry_rec {
    uint32_t packet, first_exact;
};

// Side data of one packet: AVPacketSideDataType in type, bytes at offset of the side section.
struct sc_side_rec {
    uint32_t packet, type, offset, size;
};

struct sc_index {
    sc_ref ref;
    struct sc_index_info info;
    const struct sc_index_header *header;
    const struct sc_frame_rec *frames;
    const uint64_t *hashes; // NULL when none
    const struct sc_packet_rec *packets;
    const int64_t *dts; // NULL when direct
    const struct sc_entry_rec *entries;
    const struct sc_side_rec *sides;
    const uint8_t *extradata, *side_data;
    AVCodecParameters *par; // for opening decoders
    void *owned;            // malloc'ed bytes, or
    void *map;              // mapped bytes of map_size
    size_t map_size;
};

// What a builder hands over; sc_index_assemble() lays it out. Arrays are borrowed.
struct sc_index_parts {
    struct sc_index_header header; // counts and facts; sizes, magic and checksum are filled in
    const struct sc_frame_rec *frames;
    const uint64_t *hashes;
    const struct sc_packet_rec *packets;
    const int64_t *dts;
    const struct sc_entry_rec *entries;
    const struct sc_side_rec *sides;
    const uint8_t *extradata, *side_data;
};
int sc_index_assemble(sc_index **pix, const struct sc_index_parts *parts, sc_err *err);
// The same index for the same content under another modification time.
int sc_index_restamp(sc_index **pix, const sc_index *ix, int64_t mtime_ns);
