#include "vision/family.h"

#include "base/mem.h"
#include "base/str.h"

extern const struct sc_family sc_family_rfdetr, sc_family_yolo, sc_family_yolo_e2e,
    sc_family_yolox, sc_family_detr, sc_family_rtdetr_ultra;

// A model fits one of these at most, so the order is only that of the error's text.
const struct sc_family *const sc_families[] = {
    &sc_family_rfdetr,
    &sc_family_yolo,
    &sc_family_yolo_e2e,
    &sc_family_yolox,
    &sc_family_detr,
    &sc_family_rtdetr_ultra,
    NULL,
};

static void add_type(sc_str *out, enum sc_element type)
{
    static const char *const names[] = {
        [SC_FLOAT32] = "float32", [SC_UINT8] = "uint8",     [SC_INT32] = "int32",
        [SC_INT64] = "int64",     [SC_FLOAT16] = "float16",
    };
    if (type > 0 && type < SC_COUNT(names) && names[type])
        sc_str_add(out, names[type]);
    else
        sc_str_addf(out, "type%d", (int)type);
}

static void add_tensors(sc_str *out, const struct sc_tensor_info *list, int count)
{
    for (int i = 0; i < count; i++) {
        sc_str_addf(out, "%s%.40s ", i ? ", " : "", list[i].name);
        add_type(out, list[i].type);
        for (int k = 0; k < list[i].rank; k++) {
            sc_str_add(out, k ? "," : "(");
            if (list[i].dims[k] < 0)
                sc_str_addc(out, '?');
            else
                sc_str_addf(out, "%lld", (long long)list[i].dims[k]);
        }
        sc_str_add(out, list[i].rank > 0 ? ")" : list[i].rank ? "(any)" : "()");
    }
}

static int fail_none(const struct sc_session_info *info, sc_err *err)
{
    sc_str text = {0};
    add_tensors(&text, info->input, info->inputs);
    sc_str_add(&text, " -> ");
    add_tensors(&text, info->output, info->outputs);
    sc_str_add(&text, "; what would fit: ");
    for (int i = 0; sc_families[i]; i++)
        sc_str_addf(&text, "%s%s %s", i ? "; " : "", sc_families[i]->name,
                    sc_families[i]->wants);
    sc_fail(err, SC_EUNSUPPORTED, "this model is of no known detector family: %s",
            sc_str_get(&text));
    sc_str_release(&text);
    return SC_EUNSUPPORTED;
}

static bool try_family(const struct sc_family *family, const struct sc_model_facts *facts,
                       struct sc_contract *contract)
{
    *contract = (struct sc_contract){
        .family = family, .sizes = -1, .boxes = -1, .scores = -1, .labels = -1, .most = 300};
    if (family->match(facts, contract))
        return true;
    sc_contract_release(contract);
    return false;
}

int sc_family_find(const struct sc_model_facts *facts, struct sc_contract *contract,
                   sc_err *err)
{
    *contract = (struct sc_contract){0};
    for (int i = 0; sc_families[i]; i++) {
        struct sc_contract found;
        if (!try_family(sc_families[i], facts, &found))
            continue;
        if (contract->family) {
            sc_contract_release(&found);
            return sc_fail(err, SC_EUNSUPPORTED,
                           "this model could be of the families %s and %s: export it with its "
                           "metadata",
                           contract->family->name, sc_families[i]->name);
        }
        *contract = found;
    }
    return contract->family ? SC_OK : fail_none(facts->session, err);
}

void sc_contract_release(struct sc_contract *contract)
{
    if (!contract)
        return;
    free(contract->labels_text);
    *contract = (struct sc_contract){0};
}
