// Finds scene cuts: the first picture of a new shot.
//
// Each picture is reduced to a grid of mean luma and a histogram; a cut is a change of both that is
// large in itself and against those just before. Motion, pans and fades are none; a flash (a picture or two
// unlike those around) may be one when it comes, but its end is none.
//
// Thread-safety: an sc_cut belongs to one thread at a time.
#pragma once

#include <stdbool.h>

#include <libavutil/frame.h>

#include "base/error.h"

typedef struct sc_cut sc_cut;

sc_cut *sc_cut_open(void);        // never NULL
void sc_cut_close(sc_cut **pcut); // NULL and &NULL allowed; writes NULL

// Whether av, the next picture in display order, starts a new scene; the first one does not. A change of
// size does. Takes 0.1 ms or so, whatever the size. SC_EUNSUPPORTED (pixel format; err says which).
int sc_cut_put(sc_cut *cut, const AVFrame *av, bool *is_cut, sc_err *err);
