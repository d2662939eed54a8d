// Writes a video file: one encoder, one muxer, and the sound of another file copied beside it.
//
// Pictures come with their times, so variable rates are kept. Where the encoder does not take their
// pixel format or size they are converted (a picture with an odd side gets full chroma on it). Sound
// is copied packet by packet, never encoded; what the container cannot hold is left out and counted.
// Rotation and flips are written as the container's display matrix, not done.
//
// Thread-safety: Unsafe; one thread at a time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "media/index.h"

typedef struct sc_writer sc_writer;

struct sc_writer_params {
    const char *path;
    const char *format;    // libavformat's name of the container; NULL = by path's ending
    const AVFrame *like;   // size, pixel format, colour and sample aspect of the pictures
    AVRational time_base;  // seconds; of times and durations given to put
    AVRational frame_rate; // average; for the encoder's rate control
    // The encoder.
    const char *codec;  // libavcodec's name; NULL = "libx264"
    const char *preset; // of x264, x265, SVT-AV1; NULL = "veryfast" for x264 and x265
    int crf;            // constant quality, 1..63; 0 = 23. Encoders without one ignore it
    int gop;            // frames between keyframes at most; 0 = the encoder's own choice
    int bframes;        // in a row at most; 0 = the encoder's own choice, < 0 = none
    int threads;        // 0 = the encoder's own choice (the cores)
    bool reproducible;  // the same input gives the same bytes
    // The view.
    int rotation;             // clockwise degrees: 0, 90, 180, 270
    bool hflip, vflip;        // after the rotation
    AVRational sample_aspect; // 0/x = like's
    // The sound.
    const char *sound;  // a video file whose sound is copied; NULL = none
    sc_index *index;    // of that file
    int64_t sound_from; // frame of it that is written first
};

struct sc_writer_info {
    const char *encoder, *format; // "libx264", "mp4"
    int sounds, sounds_left_out;  // streams
    int64_t frames, bytes;        // written; bytes is known once it is finished
};

// Creates path, replacing a file there. SC_EARG (err names the field), SC_EUNSUPPORTED (no such
// encoder or container, or the container cannot hold it), SC_ENOSPACE, SC_EDENIED, SC_ENOTFOUND (no
// such folder), SC_EIO, SC_ENOMEM.
int sc_writer_open(sc_writer **pwriter, const struct sc_writer_params *params, sc_err *err);

// Encodes one picture, which is borrowed. pts must grow; one that does not is moved just behind its
// predecessor. Blocks while the encoder is busy. Errors as for opening; then only close is left.
int sc_writer_put(sc_writer *writer, const AVFrame *picture, int64_t pts, int64_t duration,
                  sc_err *err);

// Writes what the encoder holds, sound up to the end of the last picture (all of it with
// whole_sound), and the index. SC_EDATA where nothing was put.
int sc_writer_finish(sc_writer *writer, bool whole_sound, sc_err *err);

// Removes the file unless it was finished well.
void sc_writer_close(sc_writer **pwriter);

void sc_writer_get_info(const sc_writer *writer, struct sc_writer_info *info);
