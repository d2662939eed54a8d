// Boxes and labels drawn on a decoded picture, in its own YUV.
//
// Sizes follow the displayed picture's height, so that labels are legible from 240 to 2160 lines.
// Text by FreeType in DejaVu Sans (Debian's fonts-dejavu-core), or a built-in font where it is missing.
// Colours are by class, or by track where there is one, with enough contrast for white or black text.
//
// All boxes are drawn, labels where there is room: above the box, within it at the top, or below it. The
// first detections, which are the best ones, choose first. A label hides no other label, not more than
// a tenth of another object and a quarter of its own; where it would in all three places, it is left
// out, unless its box is at least four times as large as it: then it goes to the first place.
//
// Thread-safety: an sc_overlay belongs to one thread at a time.
#pragma once

#include "media/crop.h"
#include "vision/detection.h"
#include "vision/prepare.h"

typedef struct sc_overlay sc_overlay;

struct sc_overlay_params {
    const char *font; // path; NULL = look for it
};
sc_overlay *sc_overlay_open(const struct sc_overlay_params *params); // never NULL
void sc_overlay_close(sc_overlay **poverlay);
// "DejaVu Sans" or "built-in".
const char *sc_overlay_font(const sc_overlay *overlay);

struct sc_overlay_labels {
    const char *const *names; // by class; NULL = numbers
    int count;
    bool scores; // behind the label
    bool none;   // boxes alone
};

#define SC_OVERLAY_MOST 1000 // detections drawn, the first ones

// A copy of frame with the first `count` detections drawn on it (the frame itself where there are
// none); upright text whatever the view's rotation. Detections are in pixels of the displayed
// picture; the view's crop does not matter. *out is the caller's, NULL on failure. Labels are any
// bytes: cut where they are long, U+FFFD for invalid UTF-8, controls left out. The pixel format
// stays, except for packed bits, palettes, floats and the like, which become planar RGB.
// SC_EUNSUPPORTED (pixel format), SC_ENOMEM.
int sc_overlay_draw(sc_overlay *overlay, sc_frame **out, sc_frame *frame,
                    const struct sc_view *view, const sc_detections *detections, int count,
                    const struct sc_overlay_labels *labels, sc_err *err);
// The same on *pframe, to save the copy: on its own pixels where nobody else has them, else a copy takes
// its place. On failure *pframe is still the caller's and may be drawn on in part.
int sc_overlay_draw_on(sc_overlay *overlay, sc_frame **pframe, const struct sc_view *view,
                       const sc_detections *detections, int count,
                       const struct sc_overlay_labels *labels, sc_err *err);
// Shows where a part of the picture is, on *pframe as above: white edges, and what is around them darker. The part
// is in pixels of the displayed picture, which has this size; what lies outside of that is cut off.
int sc_overlay_outline_on(sc_overlay *overlay, sc_frame **pframe, const struct sc_view *view,
                          const struct sc_crop *part, int width, int height, sc_err *err);
