// From method and path to an endpoint.
//
// Thread-safety: immutable once made.
#pragma once

#include "http/params.h"

typedef struct sc_router sc_router;

// A match. args holds the path parameters at their rows' places.
struct sc_route {
    const sc_endpoint *endpoint;
    int index; // of the endpoint in the table, for metrics
    struct sc_param_values args;
    // Of a path that has other methods only:
    char allow[64];          // those, "GET, HEAD, DELETE"
    const char *accept_post; // what its POST takes; NULL = it has none
    bool cors;               // whether one of them has SC_ENDPOINT_CORS; also of a match
};

// table: NULL-terminated, must outlive the router. Aborts on a bad table (a caller bug).
sc_router *sc_router_new(const sc_endpoint *const *table);
void sc_router_free(sc_router **prouter);
int sc_router_count(const sc_router *router);
const sc_endpoint *sc_router_endpoint(const sc_router *router, int index);

// path: still escaped, without the query; it is split and decoded in place and args point into
// it. SC_ENOTFOUND; SC_EUNSUPPORTED: the path exists but not with this method (allow is set);
// SC_EARG: a broken escape.
int sc_router_find(const sc_router *router, const char *method, char *path,
                   struct sc_route *route, sc_err *err);
