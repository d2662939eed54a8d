// What a muxer must know of a picture's codec, read from a packet that holds its parameter sets.
//
// Thread-safety: Safe.
#pragma once

#include <libavcodec/codec_par.h>

#include "media/packet.h"

// Of H.264 as Annex B: a keyframe with SPS and PPS in band. The caller's (avcodec_parameters_free). NULL:
// there are none, or memory is out.
AVCodecParameters *sc_parameter_sets_describe(const sc_packet *packet, int width, int height);
