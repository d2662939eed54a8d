// Request targets and the headers that are parsed here: any text is routed and taken, or refused.
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "http/api/api.h"
#include "http/range.h"
#include "http/router.h"

static const char *const methods[] = {"GET",   "POST", "DELETE", "HEAD",
                                      "PATCH", "PUT",  "OPTIONS"};

// What the router and the rows let through holds what they promise.
static void check_values(const sc_endpoint *endpoint, const struct sc_param_values *values)
{
    for (int i = 0; endpoint->params && endpoint->params[i].name; i++) {
        const char *text = values->v[i];
        sc_require(text || !endpoint->params[i].required);
        sc_require(!text || !sc_param_check(&endpoint->params[i], text, NULL));
    }
}

static void route(const char *target, size_t size)
{
    static sc_router *router;
    if (!router)
        router = sc_router_new(sc_api_table);
    for (size_t m = 0; m < SC_COUNT(methods); m++) {
        struct sc_route found;
        sc_err err = {0};
        char *path = malloc(size + 1);
        memcpy(path, target, size + 1);
        char *query = strchr(path, '?');
        if (query)
            *query++ = 0;
        int ret = sc_router_find(router, methods[m], path, &found, &err);
        sc_require(ret == SC_OK || ret == SC_ENOTFOUND || ret == SC_EARG ||
                   (ret == SC_EUNSUPPORTED && found.allow[0]));
        if (!ret) {
            ret = sc_params_parse(found.endpoint->params, query, &found.args, &err);
            sc_require(ret == SC_OK || (ret == SC_EARG && err.text[0]));
        }
        if (!ret)
            check_values(found.endpoint, &found.args);
        free(path);
    }
}

static void headers(const char *text)
{
    int64_t first, last, size = 1000;
    if (sc_range_parse(text, size, &first, &last) == SC_RANGE_PART)
        sc_require(first >= 0 && first <= last && last < size);
    sc_etag_listed(text, "\"abc\"");
    sc_encoding_accepted(text, "gzip");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    route(text, strlen(text));
    headers(text);
    free(text);
    return 0;
}
