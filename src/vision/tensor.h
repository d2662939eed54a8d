// Tensors as detectors speak of them.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SC_TENSOR_MAX_RANK 6
#define SC_TENSOR_NAME     128

// Numbers as in ONNX (and in ONNX Runtime's ONNXTensorElementDataType).
enum sc_element {
    SC_FLOAT32 = 1,
    SC_UINT8 = 2,
    SC_INT32 = 6,
    SC_INT64 = 7,
    SC_FLOAT16 = 10,
};

// Bytes of one element, 0 for types that are not listed.
static inline size_t sc_element_size(enum sc_element type)
{
    switch (type) {
    case SC_UINT8:
        return 1;
    case SC_FLOAT16:
        return 2;
    case SC_FLOAT32:
    case SC_INT32:
        return 4;
    case SC_INT64:
        return 8;
    }
    return 0;
}

// A model's input or output as declared; -1 stands for a size that is open.
struct sc_tensor_info {
    char name[SC_TENSOR_NAME];
    enum sc_element type; // any number of ONNX's, also ones not listed above
    int rank;             // -1 where the graph does not say
    int64_t dims[SC_TENSOR_MAX_RANK];
};

// Values: row-major, tight.
struct sc_tensor {
    enum sc_element type;
    int rank;
    int64_t dims[SC_TENSOR_MAX_RANK];
    void *data;
    size_t size; // bytes
};
