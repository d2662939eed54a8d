// The JSON body of POST .../frames, checked.
#pragma once

#include "http/api/video.h"

#define SC_FRAMES_MAX 1000 // frames a request may ask for

struct sc_frames_query {
    int64_t *ns; // frame numbers in the order asked, malloc'ed
    size_t count;
    struct sc_picture_query picture; // without its instance
    bool inference;                  // a model is wanted:
    char model[65];                  // this one, "" = the default
    double threshold;                // -1 = the model's own
    bool detections;                 // told as JSON, too
};

// {"t": [...] | "n": [...], "w", "h", "fit", "format", "quality", "inference", "model",
// "threshold", "overlay", "detections"}. SC_EARG, SC_ERANGE, SC_ELIMIT with field ("t[3]"); then
// nothing is to be freed.
int sc_frames_query_parse(struct sc_frames_query *query, sc_video *video, const char *body,
                          size_t size, sc_err *err);
// [0.5, "1.25", ...] as frame numbers, malloc'ed. Errors likewise.
int sc_times_parse(sc_video *video, const char *body, size_t size, int64_t **ns, size_t *count,
                   sc_err *err);
// A JSON number or string as decimal text that names the same number, as written where it has up
// to 15 digits. False for anything else.
bool sc_json_decimal(const json_t *value, char *text, size_t size);
