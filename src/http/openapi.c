#include "http/openapi.h"

#include <ctype.h>
#include <string.h>

#include "http/problem.h"

static void add_pair(sc_str *out, const char *name, const char *text)
{
    sc_str_addf(out, "\"%s\":", name);
    sc_str_add_json(out, text ? text : "");
}

static void add_choices(sc_str *out, const char *choices)
{
    sc_str_add(out, "\"type\":\"string\",\"enum\":[");
    for (const char *s = choices; *s;) {
        size_t size = strcspn(s, "|");
        sc_str_addf(out, "%s\"%.*s\"", s == choices ? "" : ",", (int)size, s);
        s += size + (s[size] == '|');
    }
    sc_str_addc(out, ']');
}

static void add_type(sc_str *out, const sc_param *row)
{
    switch (row->type) {
    case SC_PARAM_INT:
        sc_str_addf(out, "\"type\":\"integer\",\"minimum\":%.0f,\"maximum\":%.0f", row->min,
                    row->max);
        break;
    case SC_PARAM_NUM:
        sc_str_addf(out, "\"type\":\"number\",\"minimum\":%g,\"maximum\":%g", row->min,
                    row->max);
        break;
    case SC_PARAM_BOOL:
        sc_str_add(out, "\"type\":\"boolean\"");
        break;
    case SC_PARAM_DECIMAL:
        sc_str_add(out, "\"type\":\"number\",\"minimum\":0");
        break;
    case SC_PARAM_CHOICE:
        add_choices(out, row->choices);
        break;
    case SC_PARAM_STRING:
        sc_str_addf(out, "\"type\":\"string\",\"maxLength\":%.0f",
                    row->max > 0 ? row->max : 255);
        break;
    }
    if (!row->value)
        return;
    bool quoted = row->type == SC_PARAM_STRING || row->type == SC_PARAM_CHOICE;
    sc_str_addf(out, ",\"default\":%s%s%s", quoted ? "\"" : "", row->value, quoted ? "\"" : "");
}

static void add_params(sc_str *out, const sc_param *rows)
{
    sc_str_add(out, ",\"parameters\":[");
    for (int i = 0; rows && rows[i].name; i++) {
        bool path = rows[i].in == SC_IN_PATH;
        sc_str_addf(out, "%s{\"name\":\"%s\",\"in\":\"%s\",\"required\":%s,", i ? "," : "",
                    rows[i].name, path ? "path" : "query",
                    path || rows[i].required ? "true" : "false");
        add_pair(out, "description", rows[i].help);
        sc_str_add(out, ",\"schema\":{");
        add_type(out, &rows[i]);
        sc_str_add(out, "}}");
    }
    sc_str_addc(out, ']');
}

static void add_content(sc_str *out, const char *mimes, const char *schema)
{
    sc_str_add(out, "\"content\":{");
    for (const char *s = mimes; *s;) {
        size_t size = strcspn(s, "|");
        sc_str_addf(out, "%s\"%.*s\":{\"schema\":%s}", s == mimes ? "" : ",", (int)size, s,
                    schema ? schema : "{\"type\":\"string\",\"format\":\"binary\"}");
        s += size + (s[size] == '|');
    }
    sc_str_addc(out, '}');
}

static void add_responses(sc_str *out, const sc_response_row *rows)
{
    sc_str_add(out, ",\"responses\":{");
    for (int i = 0; rows && rows[i].status; i++) {
        sc_str_addf(out, "\"%d\":{", rows[i].status);
        add_pair(out, "description", rows[i].help);
        if (rows[i].mime) {
            sc_str_addc(out, ',');
            add_content(out, rows[i].mime, rows[i].schema);
        }
        sc_str_add(out, "},");
    }
    sc_str_add(out, "\"default\":{\"$ref\":\"#/components/responses/Problem\"}}");
}

// "GET /api/v1/videos/{id}/frame" -> "get_api_v1_videos_id_frame".
static void add_operation_id(sc_str *out, const sc_endpoint *endpoint)
{
    sc_str_add(out, "\"operationId\":\"");
    for (const char *s = endpoint->method; *s; s++)
        sc_str_addc(out, (char)tolower((unsigned char)*s));
    bool gap = true;
    for (const char *s = endpoint->path; *s; s++) {
        bool word = isalnum((unsigned char)*s);
        if (word && gap)
            sc_str_addc(out, '_');
        if (word)
            sc_str_addc(out, *s);
        gap = !word;
    }
    sc_str_add(out, "\",");
}

static void add_operation(sc_str *out, const sc_endpoint *endpoint)
{
    for (const char *s = (sc_str_addc(out, '"'), endpoint->method); *s; s++)
        sc_str_addc(out, (char)tolower((unsigned char)*s));
    sc_str_addf(out, "\":{\"tags\":[\"%s\"],", endpoint->tag);
    add_operation_id(out, endpoint);
    add_pair(out, "summary", endpoint->summary);
    sc_str_addc(out, ',');
    add_pair(out, "description", endpoint->help);
    if (endpoint->flags & SC_ENDPOINT_PUBLIC)
        sc_str_add(out, ",\"security\":[]");
    add_params(out, endpoint->params);
    if (endpoint->body != SC_BODY_NONE) {
        sc_str_add(out, ",\"requestBody\":{\"required\":true,");
        add_content(out, endpoint->body_mime ? endpoint->body_mime : "application/json",
                    endpoint->body_schema);
        sc_str_addc(out, '}');
    }
    add_responses(out, endpoint->responses);
    sc_str_addc(out, '}');
}

static bool listed(const sc_endpoint *endpoint)
{
    return !(endpoint->flags & (SC_ENDPOINT_HIDDEN | SC_ENDPOINT_FALLBACK));
}

static bool first_of_path(const sc_endpoint *const *table, int i)
{
    for (int k = 0; k < i; k++) {
        if (listed(table[k]) && !strcmp(table[k]->path, table[i]->path))
            return false;
    }
    return listed(table[i]);
}

static void add_path(sc_str *out, const sc_endpoint *const *table, int first)
{
    sc_str_addf(out, "\"%s\":{", table[first]->path);
    for (int i = first, count = 0; table[i]; i++) {
        if (!listed(table[i]) || strcmp(table[i]->path, table[first]->path))
            continue;
        if (count++)
            sc_str_addc(out, ',');
        add_operation(out, table[i]);
    }
    sc_str_addc(out, '}');
}

static const char components[] =
    "\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}}"
    ","
    "\"schemas\":{\"Problem\":{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\","
    "\"detail\"],\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"}"
    ","
    "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
    "\"field\":{\"type\":\"string\"},\"request_id\":{\"type\":\"string\"}}}},"
    "\"responses\":{\"Problem\":{\"description\":\"A problem document (RFC 9457)\","
    "\"content\":{\"application/problem+json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/Problem\"}}}}}}";

void sc_openapi_print(sc_str *out, const sc_endpoint *const *table)
{
    sc_str_add(
        out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Saccade\",\"version\":\"" SC_VERSION
             "\",\"description\":\"Upload a video, get any frame, exact and at once.\"},"
             "\"security\":[{},{\"bearer\":[]}],\"paths\":{");
    for (int i = 0, count = 0; table[i]; i++) {
        if (!first_of_path(table, i))
            continue;
        if (count++)
            sc_str_addc(out, ',');
        add_path(out, table, i);
    }
    sc_str_add(out, "},");
    sc_str_add(out, components);
    sc_str_add(out, "}\n");
}
