// What the parts of `saccade detect` share.
//
//   reader (decodes ahead) -> queue -> [ read -> detect -> write ]
//
// The brackets are a graph (pipeline/graph.h); write draws, encodes and writes. Items are in order all the
// way. The main thread shows how far it is.
//
// Thread-safety: as said at each part.
#pragma once

#include "cli/model.h"
#include "media/reader.h"
#include "vision/tracker.h"

enum sc_detect_format { SC_DETECT_JSON, SC_DETECT_CSV, SC_DETECT_NONE };

struct sc_detect_args {
    const char *video, *output;
    struct sc_cli_model_args model;
    const char *frames, *from, *to; // as given, NULL = not
    int64_t every;                  // 0 = 1
    const char **classes;           // names or numbers, class_count of them; none = all
    int class_count;
    enum sc_detect_format format; // of lines
    bool format_set;
    bool track;
    enum sc_tracker_kind tracker; // where track is set
    bool annotate;                // output is a video
};

// Which frames, in what order; made once the index is there.
struct sc_detect_selection {
    int64_t from, to, every; // where list is NULL
    int64_t *list;           // owned
    int64_t count;
};

// A frame and what was found in it; borrowed.
struct sc_detect_item {
    sc_frame *frame;
    int64_t n;
    sc_detections *found;
};

struct sc_detect_output;
struct sc_detect_totals {
    int64_t frames, objects, tracks;
};

// --- output: lines, or a video with boxes. One thread.

// Names that are no class: SC_EARG.
int sc_detect_output_open(struct sc_detect_output **pout, const struct sc_detect_args *args,
                          const struct sc_detect_selection *selection, sc_index *index,
                          const struct sc_cli_model *model, sc_err *err);
int sc_detect_output_put(struct sc_detect_output *out, const struct sc_detect_item *item,
                         sc_err *err);
// complete: not interrupted. Afterwards close only.
int sc_detect_output_finish(struct sc_detect_output *out, bool complete, sc_err *err);
void sc_detect_output_close(struct sc_detect_output **pout);
const struct sc_detect_totals *sc_detect_output_totals(const struct sc_detect_output *out);
// What became of the file, on standard error.
void sc_detect_output_say(const struct sc_detect_output *out);

// --- stages: reading, inference and the output, off the main thread

struct sc_detect_stages;
// Begins. selection, model and output outlive the stages. SC_EINTERNAL: no thread.
int sc_detect_stages_open(struct sc_detect_stages **pstages, const char *video, sc_index *index,
                          const struct sc_detect_selection *selection,
                          const struct sc_cli_model *model, struct sc_detect_output *output,
                          sc_err *err);
int64_t sc_detect_stages_written(const struct sc_detect_stages *stages); // frames so far
// SC_EAGAIN: not done after timeout_ms; SC_OK: all is written; or what failed.
int sc_detect_stages_wait(struct sc_detect_stages *stages, int timeout_ms, sc_err *err);
void sc_detect_stages_close(struct sc_detect_stages **pstages); // stops what still runs
