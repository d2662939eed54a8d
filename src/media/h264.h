// H.264 headers: parameter sets and slice headers (ITU-T H.264, 7.3 and 7.4), read and not judged.
//
// What a decoder needs for the pictures themselves is passed over; what says which picture refers
// to which is kept. Every byte is taken as hostile.
//
// Thread-safety: Unsafe; embedded values.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "media/nal.h"

#define SC_H264_MAX_SPS  32
#define SC_H264_MAX_PPS  256
#define SC_H264_MAX_REFS 32 // entries of a reference list (8.2.4: 32 where fields are coded)

enum sc_h264_nal { SC_H264_SLICE = 1, SC_H264_IDR = 5, SC_H264_SEI = 6, SC_H264_SPS = 7 };
enum { SC_H264_PPS = 8 };
enum sc_h264_slice_type { SC_H264_P, SC_H264_B, SC_H264_I, SC_H264_SP, SC_H264_SI };

struct sc_h264_sps {
    bool known, frame_mbs_only, separate_planes, gaps_allowed;
    int chroma; // chroma_format_idc: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4
    int frame_num_bits;
    int poc_type, poc_lsb_bits; // the latter for type 0
    int max_refs;               // max_num_ref_frames
    int mbs;                    // macroblocks of a frame, of a field where not frame_mbs_only
};

struct sc_h264_pps {
    bool known;
    uint8_t sps;
    bool bottom_poc, weighted_p, redundant, slice_groups;
    uint8_t weighted_b, active[2]; // weighted_bipred_idc; default sizes of the lists
};

struct sc_h264_sets {
    struct sc_h264_sps sps[SC_H264_MAX_SPS];
    struct sc_h264_pps pps[SC_H264_MAX_PPS];
};

// One change of a reference list (op 0, 1: short-term, 2: long-term) or one marking operation.
struct sc_h264_op {
    uint8_t op;
    uint32_t value;
};

struct sc_h264_slice {
    const struct sc_h264_sps *sps;
    const struct sc_h264_pps *pps;
    enum sc_h264_slice_type type;
    uint32_t first_mb;
    bool idr, reference;  // of the unit around it
    int frame_num, field; // field: 0 frame, 1 top, 2 bottom
    uint32_t poc_lsb;
    int32_t poc_bottom; // delta_pic_order_cnt_bottom
    bool redundant;     // a redundant coding of a picture that is there anyway
    int active[2];      // entries of the lists in use
    struct sc_h264_op changes[2][SC_H264_MAX_REFS + 1];
    int change_count[2];
    bool long_term;                // an IDR picture marked so
    bool adaptive;                 // marking operations follow; else the sliding window
    struct sc_h264_op marking[66]; // value: difference_of_pic_nums_minus1 and its like
    int marking_count;
};

// Take a parameter set (a whole unit of type 7 or 8). What cannot be read leaves the old one.
void sc_h264_take_sps(struct sc_h264_sets *sets, const struct sc_nal *nal);
void sc_h264_take_pps(struct sc_h264_sets *sets, const struct sc_nal *nal);

// The head of a slice (unit of type 1, 2 or 5), up to where the fields of a picture pair. False
// where it cannot be read or names parameter sets nobody sent. slice borrows from sets.
bool sc_h264_slice_head(const struct sc_h264_sets *sets, const struct sc_nal *nal,
                        struct sc_h264_slice *slice);

// The whole of it but the quantiser and the filter, for frames (no fields, no slice groups).
bool sc_h264_slice_whole(const struct sc_h264_sets *sets, const struct sc_nal *nal,
                         struct sc_h264_slice *slice);
