// The names of a model's classes: from a text, from a model's metadata, or COCO's.
//
// Thread-safety: values of one owner; immutable once made.
#pragma once

#include <stdbool.h>

#include "base/error.h"

#define SC_LABEL_MAX  255       // bytes of one
#define SC_LABELS_MAX (1 << 20) // bytes of all

struct sc_labels {
    char *text;         // owned, what names point into
    const char **names; // owned, count of them
    int count;
};

// One a line; CRLF, a byte order mark and blank lines at the end are allowed. SC_EARG: a blank line
// in between, control characters, more than SC_MODEL_MAX_CLASSES, too long; err names the line.
int sc_labels_parse(struct sc_labels *labels, const char *text, sc_err *err);
// COCO's 80 names, its 91 category numbers, else "0", "1", ...; never COCO's where plain is set.
void sc_labels_default(struct sc_labels *labels, int count, bool plain);
void sc_labels_release(struct sc_labels *labels); // zeroes it

// Python's text of {0: 'person', 1: "bird's"} or ['person', ...] as one label a line; numbers not
// named, and empty names, become the number; control characters become spaces. NULL where the text
// is anything else, or beyond the limits. *count: the greatest number + 1. free() the result.
char *sc_labels_from_python(const char *text, int *count);

// The JSON of an RF-DETR export: object class_id_to_name {"1": "person"} or array class_names.
// As above; keys beyond SC_MODEL_MAX_CLASSES are refused.
struct json_t;
char *sc_labels_from_json(const struct json_t *names, int *count);

// The value of a top-level key of a Python dict's text, as written ("True", "'detect'"), into buf.
// False where the text is no such dict, or has no such key.
bool sc_python_get(const char *text, const char *key, char *buf, int size);
