// Models for the families to look at, written down as text: no file, no session.
#pragma once

#include <stdio.h>
#include <string.h>

#include "vision/family.h"

struct facts {
    struct sc_session_info info;
    const char *metadata[8]; // key, value, key, value, ...
};

static inline const char *facts_get(const void *arg, const char *key)
{
    const struct facts *facts = arg;
    for (int i = 0; i < 8 && facts->metadata[i]; i += 2)
        if (!strcmp(facts->metadata[i], key))
            return facts->metadata[i + 1];
    return NULL;
}

static inline enum sc_element facts_type(const char *name)
{
    return !strcmp(name, "f32")   ? SC_FLOAT32
           : !strcmp(name, "f16") ? SC_FLOAT16
           : !strcmp(name, "i64") ? SC_INT64
           : !strcmp(name, "i32") ? SC_INT32
                                  : SC_UINT8;
}

// "images f32 1,3,640,640; orig_target_sizes i64 -1,2"
static inline int facts_tensors(const char *text, struct sc_tensor_info *out)
{
    int count = 0;
    while (*text) {
        char type[8];
        int used;
        if (sscanf(text, " %127s %7s %n", out[count].name, type, &used) != 2)
            abort();
        text += used;
        out[count].type = facts_type(type);
        out[count].rank = 0;
        while (*text && *text != ';') {
            char *end;
            out[count].dims[out[count].rank++] = strtoll(text, &end, 10);
            text = *end == ',' ? end + 1 : end;
        }
        text += *text == ';';
        count++;
    }
    return count;
}

static inline struct facts facts_make(const char *inputs, const char *outputs)
{
    struct facts facts = {0};
    facts.info.inputs = facts_tensors(inputs, facts.info.input);
    facts.info.outputs = facts_tensors(outputs, facts.info.output);
    return facts;
}

static inline int facts_find(const struct facts *facts, struct sc_contract *contract,
                             sc_err *err)
{
    struct sc_model_facts model = {
        .session = &facts->info, .metadata = facts_get, .arg = facts};
    return sc_family_find(&model, contract, err);
}
