// NAL units in the packets and parameter sets of H.264 and HEVC: where each begins and ends.
//
// Every byte is taken as hostile: no unit ever reaches outside the data it was found in.
//
// Thread-safety: Safe.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sc_nal {
    const uint8_t *data;
    int size;
};

// The first 00 00 01 at or after `from`, -1 if there is none.
int sc_start_code_find(const uint8_t *data, int size, int from);

// Takes the unit at *pos and moves on; false at the end. length_size: bytes of the length before
// each unit, 0 for start codes. *broken is set where lengths do not fit. Units behind start codes
// reach to the end of the data, not to the next start code: headers are all we look at.
bool sc_nal_next(int length_size, const uint8_t *data, int size, int *pos, struct sc_nal *nal,
                 bool *broken);

// Hands the parameter sets of an avcC (ISO/IEC 14496-15, 5.2.4.1; at least 7 bytes) or hvcC box
// (8.3.3.1; at least 23 bytes) to fn. The length size of the stream's units is returned.
typedef void sc_nal_fn(void *arg, const struct sc_nal *nal);
int sc_nal_avcc(const uint8_t *data, int size, sc_nal_fn *fn, void *arg);
int sc_nal_hvcc(const uint8_t *data, int size, sc_nal_fn *fn, void *arg);
