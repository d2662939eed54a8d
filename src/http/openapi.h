// OpenAPI 3.1 and a readable page, both made from the endpoints' rows.
//
// Thread-safety: pure.
#pragma once

#include "base/str.h"
#include "http/endpoint.h"

// Appends the OpenAPI document as JSON.
void sc_openapi_print(sc_str *out, const sc_endpoint *const *table);
// Appends the same as one HTML page that loads nothing.
void sc_openapi_print_html(sc_str *out, const sc_endpoint *const *table);
