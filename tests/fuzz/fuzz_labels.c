// Names of classes: a model's metadata in Python's words or JSON, and label files.
#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "vision/family.h"
#include "vision/labels.h"

// What is taken holds what the header promises.
static void check(const char *text, int count)
{
    struct sc_labels labels = {0};
    sc_err err = {0};
    int ret = sc_labels_parse(&labels, text, &err);
    sc_require(ret == SC_OK || (ret == SC_EARG && err.text[0]));
    sc_require(count < 0 || (ret == SC_OK && labels.count == count));
    for (int i = 0; i < labels.count; i++) {
        sc_require(labels.names[i][0] && strlen(labels.names[i]) <= SC_LABEL_MAX);
        for (const char *c = labels.names[i]; *c; c++)
            sc_require((unsigned char)*c >= ' ');
    }
    sc_labels_release(&labels);
}

static void check_names(char *names, int count)
{
    if (!names)
        return;
    sc_require(count >= 0 && count <= SC_MODEL_MAX_CLASSES);
    if (count)
        check(names, count);
    free(names);
}

static void python(const char *text)
{
    static const char *const keys[] = {"names", "batch", "end2end", "0"};
    char value[32];
    int count = 0;
    char *names = sc_labels_from_python(text, &count);
    check_names(names, count);
    for (size_t i = 0; i < SC_COUNT(keys); i++)
        if (sc_python_get(text, keys[i], value, sizeof(value)))
            sc_require(memchr(value, 0, sizeof(value)));
}

static void json(const char *text)
{
    json_t *root = json_loads(text, JSON_DECODE_ANY, NULL);
    int count = 0;
    if (root) {
        char *names = sc_labels_from_json(root, &count);
        check_names(names, count);
    }
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    check(text, -1);
    python(text);
    json(text);
    free(text);
    return 0;
}
