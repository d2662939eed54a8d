#include "http/router.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define MAX_SEGMENTS 16

struct segment {
    const char *text; // literal, or NULL for an argument
    size_t length;
    int row; // of the argument
};

struct entry {
    const sc_endpoint *endpoint;
    struct segment segments[MAX_SEGMENTS];
    int count;
};

struct sc_router {
    struct entry *entries;
    int count;
};

static int path_row(const sc_endpoint *endpoint, const char *name, size_t length)
{
    for (int i = 0; endpoint->params && endpoint->params[i].name; i++) {
        const sc_param *row = &endpoint->params[i];
        sc_require(i < SC_PARAMS_MAX);
        if (row->in == SC_IN_PATH && strlen(row->name) == length &&
            !memcmp(row->name, name, length))
            return i;
    }
    sc_require(!"a path argument has no row");
    return -1;
}

static void compile(struct entry *entry, const sc_endpoint *endpoint)
{
    entry->endpoint = endpoint;
    for (const char *s = endpoint->path; *s;) {
        s++; // the slash
        size_t length = strcspn(s, "/");
        sc_require(entry->count < MAX_SEGMENTS);
        struct segment *segment = &entry->segments[entry->count++];
        segment->length = length;
        if (length > 2 && s[0] == '{')
            segment->row = path_row(endpoint, s + 1, length - 2);
        else
            segment->text = s;
        s += length;
    }
}

sc_router *sc_router_new(const sc_endpoint *const *table)
{
    sc_router *router = sc_new(sc_router);
    while (table[router->count])
        router->count++;
    router->entries = sc_xcalloc((size_t)router->count, sizeof(*router->entries));
    for (int i = 0; i < router->count; i++)
        compile(&router->entries[i], table[i]);
    return router;
}

void sc_router_free(sc_router **prouter)
{
    if (!prouter || !*prouter)
        return;
    free((*prouter)->entries);
    free(*prouter);
    *prouter = NULL;
}

int sc_router_count(const sc_router *router)
{
    return router->count;
}

const sc_endpoint *sc_router_endpoint(const sc_router *router, int index)
{
    return router->entries[index].endpoint;
}

// Splits at slashes and decodes each part, so that an escaped slash never makes a segment.
static int split(char *path, char *parts[MAX_SEGMENTS], int *count, sc_err *err)
{
    *count = 0;
    if (*path++ != '/')
        return SC_ENOTFOUND;
    for (char *next = path; next; path = next) {
        next = strchr(path, '/');
        if (next)
            *next++ = 0;
        if (*count == MAX_SEGMENTS)
            return SC_ENOTFOUND;
        parts[(*count)++] = path;
    }
    for (int i = 0; i < *count; i++) {
        int ret = sc_percent_decode(parts[i], false, err);
        if (ret)
            return ret;
    }
    return SC_OK;
}

static bool matches(const struct entry *entry, char *const *parts, int count)
{
    if (entry->count != count)
        return false;
    for (int i = 0; i < count; i++) {
        const struct segment *segment = &entry->segments[i];
        bool same = segment->text ? strlen(parts[i]) == segment->length &&
                                        !memcmp(parts[i], segment->text, segment->length)
                                  : parts[i][0] != 0;
        if (!same)
            return false;
    }
    return true;
}

static void allow(struct sc_route *route, const sc_endpoint *endpoint)
{
    const char *method = endpoint->method;
    size_t used = strlen(route->allow);
    const char *head = !strcmp(method, "GET") ? ", HEAD" : "";
    if (!strstr(route->allow, method))
        snprintf(route->allow + used, sizeof(route->allow) - used, "%s%s%s", used ? ", " : "",
                 method, head);
    if (!strcmp(method, "POST"))
        route->accept_post = endpoint->body_mime ? endpoint->body_mime : "application/json";
}

static void take(const sc_router *router, int index, char *const *parts, struct sc_route *route)
{
    const struct entry *entry = &router->entries[index];
    route->endpoint = entry->endpoint;
    route->index = index;
    for (int i = 0; i < entry->count; i++) {
        if (!entry->segments[i].text)
            route->args.v[entry->segments[i].row] = parts[i];
    }
}

int sc_router_find(const sc_router *router, const char *method, char *path,
                   struct sc_route *route, sc_err *err)
{
    char *parts[MAX_SEGMENTS];
    int count, fallback = -1;
    const char *wanted = !strcmp(method, "HEAD") ? "GET" : method;
    *route = (struct sc_route){.index = -1};
    int ret = split(path, parts, &count, err);
    for (int i = 0; !ret && i < router->count; i++) {
        const sc_endpoint *endpoint = router->entries[i].endpoint;
        if (endpoint->flags & SC_ENDPOINT_FALLBACK) {
            fallback = i;
        } else if (matches(&router->entries[i], parts, count)) {
            route->cors |= (endpoint->flags & SC_ENDPOINT_CORS) != 0;
            if (!strcmp(endpoint->method, wanted)) {
                take(router, i, parts, route);
                return SC_OK;
            }
            allow(route, endpoint);
        }
    }
    if (!ret && route->allow[0])
        return sc_fail(err, SC_EUNSUPPORTED, "this path answers %s only", route->allow);
    if (!ret && fallback >= 0 && !strcmp(wanted, "GET")) {
        route->endpoint = router->entries[fallback].endpoint;
        route->index = fallback;
        return SC_OK;
    }
    return ret ? ret : sc_fail(err, SC_ENOTFOUND, "there is nothing at this path");
}
