// Query strings and path arguments, checked against an endpoint's rows.
//
// Thread-safety: pure.
#pragma once

#include "base/error.h"
#include "http/endpoint.h"

// One value a row, NULL where none was given; they point into the parsed text.
struct sc_param_values {
    const char *v[SC_PARAMS_MAX];
};

// Decodes %XX (and + as a space in queries) in place. SC_EARG: a broken escape, a NUL, or a
// result that is not UTF-8; s is then undefined.
int sc_percent_decode(char *s, bool plus, sc_err *err);

// Splits and decodes query ("a=1&b=2", may be NULL) in place and checks every value. SC_EARG
// with field: an unknown or repeated name, or an ill-typed value. Rows that are path parameters
// are taken as given in values already.
int sc_params_parse(const sc_param *rows, char *query, struct sc_param_values *values,
                    sc_err *err);

// Checks one value. SC_EARG with field.
int sc_param_check(const sc_param *row, const char *text, sc_err *err);

// Index of text in choices "a|b|c", -1 if it is none.
int sc_choice_find(const char *choices, const char *text);
