// The virtual camera: shots in, shots with a crop out, perhaps later.
//
// Thread-safety: as sc_graph_add().
#pragma once

#include "pipeline/graph.h"
#include "vision/camera.h"

// params: size 0 (that of the pictures counts); its lists are copied. Pictures of another size are a
// new scene.
int sc_stage_camera_add(sc_graph *graph, const struct sc_camera_params *params,
                        sc_stage **pstage, sc_err *err);
