// Options for people and for programs.
#include "base/mem.h"
#include "base/option_internal.h"

static void add_value(const sc_options *opts, const struct sc_option_entry *entry, sc_str *out)
{
    const void *field = sc_option_field(opts, entry);
    if (entry->row->secret)
        sc_str_add(out, **(char *const *)field ? "***" : "");
    else
        sc_option_format(entry->row, field, out);
}

static void print_entry(const sc_options *opts, const struct sc_option_entry *entry,
                        sc_str *out)
{
    const sc_option *row = entry->row;
    sc_str_addf(out, "  --%s %s = ", row->name, sc_option_type_name(row->type));
    sc_str value = {0};
    add_value(opts, entry, &value);
    sc_str_addf(out, "%s  (%s; default %s)\n      %s; ",
                value.len ? sc_str_get(&value) : "\"\"", entry->where,
                row->value && row->value[0] ? row->value : "\"\"", row->help);
    sc_str_release(&value);
    sc_option_describe(row, out);
    sc_str_addc(out, '\n');
}

void sc_options_print(const sc_options *opts, sc_str *out)
{
    for (size_t i = 0; i < opts->entry_count; i++) {
        const struct sc_option_entry *entry = &opts->entries[i];
        if (i == 0 || entry->group != entry[-1].group)
            sc_str_addf(out, "%s%s:\n", i ? "\n" : "", opts->groups[entry->group]->name);
        print_entry(opts, entry, out);
    }
}

static void add_member(sc_str *out, const char *key, const char *text)
{
    sc_str_addf(out, ",\"%s\":", key);
    sc_str_add_json(out, text);
}

static void print_entry_json(const sc_options *opts, const struct sc_option_entry *entry,
                             sc_str *out)
{
    const sc_option *row = entry->row;
    sc_str value = {0}, allowed = {0};
    add_value(opts, entry, &value);
    sc_option_describe(row, &allowed);
    sc_str_add(out, "{\"name\":");
    sc_str_add_json(out, row->name);
    add_member(out, "group", opts->groups[entry->group]->name);
    add_member(out, "type", sc_option_type_name(row->type));
    add_member(out, "default", row->value ? row->value : "");
    bool bare = row->type == SC_OPT_BOOL || row->type == SC_OPT_INT || row->type == SC_OPT_NUM;
    if (bare)
        sc_str_addf(out, ",\"value\":%s", sc_str_get(&value));
    else
        add_member(out, "value", sc_str_get(&value));
    add_member(out, "from", entry->where);
    add_member(out, "allowed", sc_str_get(&allowed));
    add_member(out, "help", row->help);
    sc_str_addc(out, '}');
    sc_str_release(&value);
    sc_str_release(&allowed);
}

void sc_options_print_json(const sc_options *opts, sc_str *out)
{
    sc_str_addc(out, '[');
    for (size_t i = 0; i < opts->entry_count; i++) {
        sc_str_add(out, i ? ",\n" : "\n");
        print_entry_json(opts, &opts->entries[i], out);
    }
    sc_str_add(out, "\n]\n");
}
