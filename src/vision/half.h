// IEEE half precision to single, for outputs of models that compute in it.
//
// Thread-safety: Safe.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Exact for every value, subnormals and infinities included; NaN stays NaN.
void sc_half_widen(float *out, const uint16_t *in, size_t count);
