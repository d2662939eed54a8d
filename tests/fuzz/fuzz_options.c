// Option files: any text is taken or refused with a reason; what is refused changes nothing.
#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "fuzz.h"

struct settings {
    int64_t port, size, delay, mode;
    double gain;
    char *host;
    bool on;
};

static const sc_option rows[] = {
    {"port", SC_OPT_INT, offsetof(struct settings, port), "80", "port", .min = 0, .max = 65535},
    {"size", SC_OPT_SIZE, offsetof(struct settings, size), "1M", "size"},
    {"delay", SC_OPT_DURATION, offsetof(struct settings, delay), "1s", "delay"},
    {"mode", SC_OPT_CHOICE, offsetof(struct settings, mode), "a", "mode", .choices = "a|bc"},
    {"gain", SC_OPT_NUM, offsetof(struct settings, gain), "1", "gain"},
    {"host", SC_OPT_STRING, offsetof(struct settings, host), "", "host"},
    {"on", SC_OPT_BOOL, offsetof(struct settings, on), "no", "on"},
};
static const sc_option_group group = SC_OPTION_GROUP("group", rows, struct settings);
static const sc_option_group *const groups[] = {&group, NULL};

static char *print_all(const sc_options *opts)
{
    sc_str out = {0};
    sc_options_print(opts, &out);
    sc_options_print_json(opts, &out);
    return sc_str_detach(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sc_options *opts = sc_options_new(groups);
    sc_err err = {0};
    char *before = print_all(opts);
    int ret = sc_options_load_text(opts, "fuzz.yaml", (const char *)data, size, &err);
    char *after = print_all(opts);
    if (ret < 0)
        sc_require(err.code == ret && err.text[0] && strcmp(before, after) == 0);
    else
        sc_require(ret == SC_OK && err.code == SC_OK);
    free(before);
    free(after);
    sc_options_free(&opts);
    return 0;
}
