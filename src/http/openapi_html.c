// The readable page of the API.
#include <string.h>

#include "http/openapi.h"
#include "http/problem.h"

static const char head[] =
    "<!doctype html><html lang=en><meta charset=utf-8>"
    "<meta name=viewport content='width=device-width,initial-scale=1'>"
    "<title>Saccade API</title><style>"
    ":root{color-scheme:light dark;--line:#8884;--soft:#8881}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}"
    "code,pre{font:14px/1.5 ui-monospace,monospace;background:var(--soft);border-radius:4px;"
    "padding:.1em .3em;overflow-wrap:anywhere}pre{padding:.6em;white-space:pre-wrap}"
    "section{border:1px solid var(--line);border-radius:8px;padding:0 1rem 1rem;margin:1rem 0}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid var(--line);padding:.3em .6em .3em 0;text-align:left;"
    "vertical-align:top}nav a{display:block}.m{font-weight:700}"
    "</style><h1>Saccade API</h1><p>Version " SC_VERSION
    ". The same as <a href=/openapi.json>OpenAPI 3.1</a>. Failures are problem documents "
    "(RFC 9457); every answer carries <code>X-Request-Id</code>.</p>";

static void add_text(sc_str *out, const char *text)
{
    for (const char *s = text ? text : ""; *s; s++) {
        const char *entity = *s == '<'   ? "&lt;"
                             : *s == '>' ? "&gt;"
                             : *s == '&' ? "&amp;"
                                         : NULL;
        if (entity)
            sc_str_add(out, entity);
        else
            sc_str_addc(out, *s);
    }
}

static void add_kind(sc_str *out, const sc_param *row)
{
    switch (row->type) {
    case SC_PARAM_INT:
        sc_str_addf(out, "integer %.0f to %.0f", row->min, row->max);
        break;
    case SC_PARAM_NUM:
        sc_str_addf(out, "number %g to %g", row->min, row->max);
        break;
    case SC_PARAM_BOOL:
        sc_str_add(out, "true or false");
        break;
    case SC_PARAM_DECIMAL:
        sc_str_add(out, "decimal, 0 or more");
        break;
    case SC_PARAM_CHOICE:
        add_text(out, row->choices);
        break;
    case SC_PARAM_STRING:
        sc_str_add(out, "text");
        break;
    }
    if (row->value)
        sc_str_addf(out, ", default %s", row->value);
}

static void add_params(sc_str *out, const sc_param *rows)
{
    if (!rows || !rows[0].name)
        return;
    sc_str_add(out, "<table><tr><th>parameter<th>in<th>value<th>meaning");
    for (int i = 0; rows[i].name; i++) {
        sc_str_addf(out, "<tr><td><code>%s</code><td>%s<td>", rows[i].name,
                    rows[i].in == SC_IN_PATH ? "path" : "query");
        add_kind(out, &rows[i]);
        sc_str_add(out, "<td>");
        add_text(out, rows[i].help);
    }
    sc_str_add(out, "</table>");
}

static void add_responses(sc_str *out, const sc_response_row *rows)
{
    sc_str_add(out, "<table><tr><th>status<th>type<th>meaning");
    for (int i = 0; rows && rows[i].status; i++) {
        sc_str_addf(out, "<tr><td>%d<td>", rows[i].status);
        add_text(out, rows[i].mime);
        sc_str_add(out, "<td>");
        add_text(out, rows[i].help);
    }
    sc_str_add(out, "</table>");
}

static void add_endpoint(sc_str *out, const sc_endpoint *endpoint, int number)
{
    sc_str_addf(out, "<section id=e%d><h2><span class=m>%s</span> <code>", number,
                endpoint->method);
    add_text(out, endpoint->path);
    sc_str_add(out, "</code></h2><p><b>");
    add_text(out, endpoint->summary);
    sc_str_add(out, ".</b> ");
    add_text(out, endpoint->help);
    sc_str_add(out, "</p>");
    add_params(out, endpoint->params);
    if (endpoint->body != SC_BODY_NONE) {
        sc_str_add(out, "<p>Body: <code>");
        add_text(out, endpoint->body_mime ? endpoint->body_mime : "application/json");
        sc_str_add(out, "</code></p>");
        if (endpoint->body_schema) {
            sc_str_add(out, "<pre>");
            add_text(out, endpoint->body_schema);
            sc_str_add(out, "</pre>");
        }
    }
    add_responses(out, endpoint->responses);
    sc_str_add(out, "</section>");
}

static void add_problems(sc_str *out)
{
    int status;
    const char *kind, *help;
    sc_str_add(out, "<section><h2>Problems</h2><table><tr><th>status<th>kind<th>meaning");
    for (int i = 0; sc_problem_row(i, &status, &kind, &help); i++) {
        sc_str_addf(out, "<tr id=problem-%s><td>%d<td>%s<td>", kind, status, kind);
        add_text(out, help);
    }
    sc_str_add(out, "</table></section>");
}

static bool listed(const sc_endpoint *endpoint)
{
    return !(endpoint->flags & (SC_ENDPOINT_HIDDEN | SC_ENDPOINT_FALLBACK));
}

void sc_openapi_print_html(sc_str *out, const sc_endpoint *const *table)
{
    sc_str_add(out, head);
    sc_str_add(out, "<nav>");
    for (int i = 0; table[i]; i++) {
        if (!listed(table[i]))
            continue;
        sc_str_addf(out, "<a href=#e%d>%s ", i, table[i]->method);
        add_text(out, table[i]->path);
        sc_str_add(out, "</a>");
    }
    sc_str_add(out, "</nav>");
    for (int i = 0; table[i]; i++) {
        if (listed(table[i]))
            add_endpoint(out, table[i], i);
    }
    add_problems(out);
    sc_str_add(out, "</html>\n");
}
