#include "vision/labels.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "vision/family.h"

static const char *const coco[] = {
    "person",        "bicycle",      "car",
    "motorcycle",    "airplane",     "bus",
    "train",         "truck",        "boat",
    "traffic light", "fire hydrant", "stop sign",
    "parking meter", "bench",        "bird",
    "cat",           "dog",          "horse",
    "sheep",         "cow",          "elephant",
    "bear",          "zebra",        "giraffe",
    "backpack",      "umbrella",     "handbag",
    "tie",           "suitcase",     "frisbee",
    "skis",          "snowboard",    "sports ball",
    "kite",          "baseball bat", "baseball glove",
    "skateboard",    "surfboard",    "tennis racket",
    "bottle",        "wine glass",   "cup",
    "fork",          "knife",        "spoon",
    "bowl",          "banana",       "apple",
    "sandwich",      "orange",       "broccoli",
    "carrot",        "hot dog",      "pizza",
    "donut",         "cake",         "chair",
    "couch",         "potted plant", "bed",
    "dining table",  "toilet",       "tv",
    "laptop",        "mouse",        "remote",
    "keyboard",      "cell phone",   "microwave",
    "oven",          "toaster",      "sink",
    "refrigerator",  "book",         "clock",
    "vase",          "scissors",     "teddy bear",
    "hair drier",    "toothbrush",
};

// COCO's category numbers go from 1 to 90; these are not in use.
static const unsigned char coco_gaps[] = {0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83};

#define COCO_CATEGORIES 91

static bool is_gap(int category)
{
    for (size_t i = 0; i < SC_COUNT(coco_gaps); i++)
        if (coco_gaps[i] == category)
            return true;
    return false;
}

static void add_default(sc_str *text, int class, int count, bool plain, int *next)
{
    bool named = !plain && ((size_t)count == SC_COUNT(coco) ||
                            (count == COCO_CATEGORIES && !is_gap(class)));
    if (named)
        sc_str_addf(text, "%s\n", coco[(*next)++]);
    else
        sc_str_addf(text, "%d\n", class);
}

// Cuts text (owned) into its lines.
static void split(struct sc_labels *labels, char *text, int count)
{
    labels->text = text;
    labels->names = sc_xcalloc((size_t)count + 1, sizeof(*labels->names));
    labels->count = count;
    for (int i = 0; i < count; i++) {
        labels->names[i] = text;
        text += strcspn(text, "\n");
        if (*text)
            *text++ = 0;
    }
}

void sc_labels_default(struct sc_labels *labels, int count, bool plain)
{
    sc_require(count >= 0 && count <= SC_MODEL_MAX_CLASSES);
    sc_str text = {0};
    for (int i = 0, next = 0; i < count; i++)
        add_default(&text, i, count, plain, &next);
    split(labels, sc_str_detach(&text), count);
}

static int check_line(const char *line, size_t len, int number, sc_err *err)
{
    if (number > SC_MODEL_MAX_CLASSES)
        return sc_fail_field(err, SC_EARG, "labels", "more than %d labels",
                             SC_MODEL_MAX_CLASSES);
    if (len > SC_LABEL_MAX)
        return sc_fail_field(err, SC_EARG, "labels", "line %d of the labels is longer than %d",
                             number, SC_LABEL_MAX);
    if (strspn(line, " \t") >= len)
        return sc_fail_field(err, SC_EARG, "labels",
                             "line %d of the labels is blank: one label a line, in order",
                             number);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            return sc_fail_field(err, SC_EARG, "labels",
                                 "line %d of the labels holds a control character", number);
    return SC_OK;
}

// The length of the text without blank lines at its end.
static size_t trimmed(const char *text)
{
    size_t len = strlen(text);
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    return len;
}

int sc_labels_parse(struct sc_labels *labels, const char *text, sc_err *err)
{
    *labels = (struct sc_labels){0};
    if (sc_starts_with(text, "\xef\xbb\xbf"))
        text += 3;
    size_t left = trimmed(text);
    if (left > SC_LABELS_MAX)
        return sc_fail_field(err, SC_EARG, "labels", "the labels are longer than %d bytes",
                             SC_LABELS_MAX);
    if (!left)
        return sc_fail_field(err, SC_EARG, "labels", "the labels are empty");
    sc_str out = {0};
    int count = 0;
    while (left) {
        const char *end = memchr(text, '\n', left);
        size_t line = end ? (size_t)(end - text) : left;
        size_t len = line && text[line - 1] == '\r' ? line - 1 : line;
        int ret = check_line(text, len, ++count, err);
        if (ret < 0) {
            sc_str_release(&out);
            return ret;
        }
        sc_str_addn(&out, text, len);
        sc_str_addc(&out, '\n');
        text += line + !!end;
        left -= line + !!end;
    }
    split(labels, sc_str_detach(&out), count);
    return SC_OK;
}

void sc_labels_release(struct sc_labels *labels)
{
    free(labels->text);
    free(labels->names);
    *labels = (struct sc_labels){0};
}
