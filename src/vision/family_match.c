// Looking at what a model declares.
#include "vision/family_internal.h"

#include <limits.h>

#include "base/mem.h"
#include "base/str.h"
#include "vision/labels.h"

#define MAX_SIDE  8192
#define MAX_BATCH 1024

int sc_match_size(int64_t size, int max)
{
    return size > 0 && size <= max ? (int)size : 0;
}

static const struct sc_tensor_info *find(const struct sc_tensor_info *list, int count,
                                         const char *name, int *number)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(list[i].name, name)) {
            *number = i;
            return &list[i];
        }
    return NULL;
}

// Sides: both fixed, or both open.
static bool match_sides(const struct sc_tensor_info *t, int multiple, struct sc_contract *c)
{
    int h = sc_match_size(t->dims[2], MAX_SIDE), w = sc_match_size(t->dims[3], MAX_SIDE);
    c->any_size = t->dims[2] < 0 && t->dims[3] < 0;
    if (c->any_size)
        w = h = SC_FAMILY_OPEN_SIDE;
    c->prepare.width = w;
    c->prepare.height = h;
    return w && h && w % multiple == 0 && h % multiple == 0;
}

bool sc_match_image(const struct sc_model_facts *facts, const char *name, int multiple,
                    struct sc_contract *contract)
{
    const struct sc_session_info *info = facts->session;
    const struct sc_tensor_info *t = find(info->input, info->inputs, name, &contract->image);
    if (!t || t->rank != 4 || t->dims[1] != 3 ||
        (t->type != SC_FLOAT32 && t->type != SC_FLOAT16))
        return false;
    contract->batch = sc_match_size(t->dims[0], MAX_BATCH);
    contract->prepare.type = t->type;
    contract->prepare.scale = 1.0f / 255;
    return (contract->batch || t->dims[0] < 0) && match_sides(t, multiple, contract);
}

// An open batch becomes what another tensor fixes; two fixed ones must be equal.
static bool agree_batch(int64_t declared, struct sc_contract *c)
{
    if (declared < 0)
        return true;
    int batch = sc_match_size(declared, MAX_BATCH);
    if (!c->batch)
        c->batch = batch;
    return batch && batch == c->batch;
}

const struct sc_tensor_info *sc_match_output(const struct sc_model_facts *facts,
                                             const char *name, int rank, enum sc_element type,
                                             struct sc_contract *contract, int *number)
{
    const struct sc_session_info *info = facts->session;
    const struct sc_tensor_info *t = find(info->output, info->outputs, name, number);
    if (!t || t->rank != rank)
        return NULL;
    bool fits = type ? t->type == type : t->type == SC_FLOAT32 || t->type == SC_FLOAT16;
    return fits && agree_batch(t->dims[0], contract) ? t : NULL;
}

int64_t sc_anchors(int width, int height, int first, int last)
{
    int64_t count = 0;
    for (int stride = first; stride <= last; stride *= 2)
        count += (int64_t)(width / stride) * (height / stride);
    return count;
}

// "[480, 640]" (height, width) or "640".
static void read_size(const char *text, struct sc_ultralytics *u)
{
    int h = 0, w = 0, used = 0;
    if (sscanf(text, " [ %5d , %5d ] %n", &h, &w, &used) == 2 && used && !text[used]) {
        u->height = h;
        u->width = w;
    }
    bool good = u->width >= SC_FAMILY_SIDE && u->height >= SC_FAMILY_SIDE &&
                u->width <= MAX_SIDE && u->height <= MAX_SIDE &&
                u->width % SC_FAMILY_SIDE == 0 && u->height % SC_FAMILY_SIDE == 0;
    if (!good)
        u->width = u->height = 0;
}

void sc_ultralytics_read(const struct sc_model_facts *facts, struct sc_ultralytics *u)
{
    const char *(*get)(const void *, const char *) = facts->metadata;
    const char *task = get(facts->arg, "task"), *end2end = get(facts->arg, "end2end");
    const char *args = get(facts->arg, "args"), *names = get(facts->arg, "names");
    const char *about = get(facts->arg, "description"), *size = get(facts->arg, "imgsz");
    char nms[8] = "";
    *u = (struct sc_ultralytics){.detect = !task || !strcmp(task, "detect")};
    if ((end2end && !strcmp(end2end, "True")) ||
        (args && sc_python_get(args, "nms", nms, sizeof(nms)) && !strcmp(nms, "True")))
        u->end2end = SC_YES;
    else if (end2end)
        u->end2end = SC_NO;
    u->rtdetr = about && strcasestr(about, "rtdetr");
    if (size)
        read_size(size, u);
    if (names) {
        u->labels_text = sc_labels_from_python(names, &u->names);
        u->unreadable = !u->labels_text;
    }
}

bool sc_ultralytics_names(struct sc_ultralytics *u, struct sc_contract *contract, int classes)
{
    if (u->names && classes && u->names != classes)
        return false;
    contract->classes = classes ? classes : u->names;
    contract->unreadable = u->unreadable;
    contract->labels_text = u->labels_text;
    u->labels_text = NULL;
    return true;
}

void sc_ultralytics_size(const struct sc_ultralytics *u, struct sc_contract *contract)
{
    if (!contract->any_size || !u->width)
        return;
    contract->prepare.width = u->width;
    contract->prepare.height = u->height;
}

void sc_ultralytics_release(struct sc_ultralytics *u)
{
    free(u->labels_text);
    *u = (struct sc_ultralytics){0};
}
