// What a fuzzer defines: tries one input, returns 0, aborts where something is wrong.
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
