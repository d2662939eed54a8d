// What the parts of the writer share.
//
// Thread-safety: as sc_writer.
#pragma once

#include <libavformat/avformat.h>

#include "media/writer.h"

// Whether the container has edit lists and display matrices.
bool sc_muxer_edits(const AVFormatContext *muxer);

// --- sound: packets of another file's audio streams

struct sc_sound;

// Adds a stream to muxer for each of the file's that it can hold. NULL in *psound where there is none.
int sc_sound_open(struct sc_sound **psound, AVFormatContext *muxer,
                  const struct sc_writer_params *params, sc_err *err);
void sc_sound_close(struct sc_sound **psound);
int sc_sound_streams(const struct sc_sound *sound, int *left_out); // NULL allowed: 0

// Writes packets that begin before `until` (ns from the first picture written). 0, an AVERROR of
// the muxer.
int sc_sound_copy(struct sc_sound *sound, AVFormatContext *muxer, int64_t until);
