// One picture on its way through a live stream, and what is known about it.
//
// A shot belongs to one stage at a time until it is shared: whoever emits it to more than one link, or
// keeps a reference, must not change it afterwards (sc_shot_own() gives a copy that may be changed).
//
// Thread-safety: Safe to ref/unref from any thread.
#pragma once

#include <stdbool.h>

#include "media/crop.h"
#include "media/frame.h"
#include "media/live_input.h"
#include "media/packet.h"
#include "pipeline/stage.h"
#include "vision/detection.h"

// What is seen of a picture, in its pixels as displayed; width 0 = all of it.
struct sc_part {
    int width, height; // of the whole picture
    struct sc_crop crop;
};

typedef struct sc_shot {
    sc_ref ref;         // internal
    sc_frame *frame;    // owned; n and pts_ns are the stream's
    int64_t arrival_ns; // sc_clock_now() when its packet came, or, paced, when its turn came
    bool cut;           // starts a new scene
    bool detected; // the model has looked at this very picture, and `found` is what it found
    sc_detections
        *found; // owned; of this picture, or where tracks are expected; NULL = nothing known
    // What was found in an earlier picture, which had gone on by then; for whoever tracks. Else NULL.
    sc_detections *late; // owned
    int64_t late_pts_ns; // that picture's, before frame's
    bool cropped;        // crop is the camera's choice
    struct sc_crop crop; // in pixels of the frame
    struct sc_part part; // where the frame is what a camera showed of another one: of that one
} sc_shot;

// Takes frame over. Never NULL.
sc_shot *sc_shot_new(sc_frame *frame, int64_t arrival_ns);
sc_shot *sc_shot_ref(sc_shot *shot);
void sc_shot_unref(sc_shot **pshot); // NULL and &NULL allowed; writes NULL
// The shot itself where nobody else has it, else a copy in its place (frame and detections shared).
sc_shot *sc_shot_own(sc_shot *shot);
// What the camera shows of the shot's picture; all of it where there is none.
struct sc_part sc_shot_part(const sc_shot *shot);
// Takes found over.
void sc_shot_set_found(sc_shot *shot, sc_detections *found, bool detected);
// Takes late over; NULL = none.
void sc_shot_set_late(sc_shot *shot, sc_detections *late, int64_t pts_ns);

// An encoded picture or sound as it came from a source, before decoding. Changes of the source's streams
// travel with the first packet after them.
typedef struct sc_chunk {
    sc_ref ref;
    sc_live_streams *streams; // owned
    sc_packet *packet;        // owned
    bool resumed;             // as in struct sc_live_item
    int64_t arrival_ns;
} sc_chunk;

sc_chunk *sc_chunk_new(sc_live_streams *streams, sc_packet *packet); // takes both references
void sc_chunk_unref(sc_chunk **pchunk);

// What flows over links.
extern const struct sc_item_type sc_shot_item;   // sc_shot
extern const struct sc_item_type sc_chunk_item;  // sc_chunk, of the picture or the sound
extern const struct sc_item_type sc_packet_item; // sc_packet, encoded here
