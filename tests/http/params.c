#include "http/params.h"

#include "../base/test.h"
#include "base/mem.h"

static const sc_param rows[] = {
    {"id", SC_IN_PATH, SC_PARAM_STRING, .required = true},
    {"w", SC_IN_QUERY, SC_PARAM_INT, 1, 8192},
    {"fps", SC_IN_QUERY, SC_PARAM_NUM, 0.1, 120},
    {"t", SC_IN_QUERY, SC_PARAM_DECIMAL},
    {"on", SC_IN_QUERY, SC_PARAM_BOOL},
    {"fit", SC_IN_QUERY, SC_PARAM_CHOICE, .choices = "contain|cover|fill"},
    {"name", SC_IN_QUERY, SC_PARAM_STRING, .max = 8},
    {0},
};

static sc_err err;

static int parse(const char *query, struct sc_param_values *values)
{
    static char buf[1024];
    *values = (struct sc_param_values){.v[0] = "clip"};
    err = (sc_err){0};
    snprintf(buf, sizeof(buf), "%s", query);
    return sc_params_parse(rows, buf, values, &err);
}

static void test_good(void **state)
{
    (void)state;
    struct sc_param_values v;
    assert_int_equal(parse("", &v), SC_OK);
    assert_int_equal(parse("&&w=640&t=1.50&&on=true&fit=cover&name=a%20b+c&fps=29.97", &v),
                     SC_OK);
    assert_string_equal(v.v[1], "640");
    assert_string_equal(v.v[2], "29.97");
    assert_string_equal(v.v[3], "1.50"); // the text stays as it is
    assert_string_equal(v.v[5], "cover");
    assert_string_equal(v.v[6], "a b c");
    v = (struct sc_param_values){0};
    assert_int_equal(sc_params_parse(NULL, NULL, &v, NULL), SC_OK);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *query, *field;
    } cases[] = {
        {"w=0", "w"},
        {"w=8193", "w"},
        {"w=100000", "w"},
        {"w=", "w"},
        {"w", "w"},
        {"w=1.5", "w"},
        {"w=0x10", "w"},
        {"w= 1", "w"},
        {"w=1&w=2", "w"},
        {"t=abc", "t"},
        {"t=-1", "t"},
        {"t=1e308", "t"},
        {"t=.", "t"},
        {"t=", "t"},
        {"t=1.2.3", "t"},
        {"t=nan", "t"},
        {"t=+1", "t"},
        {"fps=0", "fps"},
        {"fps=inf", "fps"},
        {"on=maybe", "on"},
        {"fit=conta", "fit"},
        {"fit=contain|cover", "fit"},
        {"name=123456789", "name"},
        {"id=x", "id"}, // a path parameter is none of the query
        {"x=1", "x"},
        {"W=1", "W"},
        {"=1", "(query)"},
        {"<b>=1", "(query)"},
    };
    struct sc_param_values v;
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        assert_int_equal(parse(cases[i].query, &v), SC_EARG);
        assert_string_equal(err.field, cases[i].field);
        assert_true(err.text[0]);
    }
}

static void test_long_decimal(void **state)
{
    (void)state;
    struct sc_param_values v;
    char query[300] = "t=";
    memset(query + 2, '1', 101);
    assert_int_equal(parse(query, &v), SC_EARG);
    query[102] = 0;
    assert_int_equal(parse(query, &v), SC_OK);
}

static void test_required(void **state)
{
    (void)state;
    static const sc_param needed[] = {{"q", SC_IN_QUERY, SC_PARAM_STRING, .required = true},
                                      {0}};
    struct sc_param_values v = {0};
    sc_err cause = {0};
    assert_int_equal(sc_params_parse(needed, NULL, &v, &cause), SC_EARG);
    assert_string_equal(cause.field, "q");
}

static void test_decode(void **state)
{
    (void)state;
    char good[] = "%C3%A4%20+%F0%9F%98%80";
    assert_int_equal(sc_percent_decode(good, false, NULL), SC_OK);
    assert_string_equal(good, "\xc3\xa4 +\xf0\x9f\x98\x80");
    const char *const bad[] = {"%",      "%1",           "%g0",       "%0g",
                               "%00",    "%80",          "%C3",       "%ED%A0%80",
                               "%C0%AF", "%F4%90%80%80", "%E0%80%80", "\xff"};
    for (size_t i = 0; i < SC_COUNT(bad); i++) {
        char text[32];
        snprintf(text, sizeof(text), "%s", bad[i]);
        assert_int_equal(sc_percent_decode(text, false, NULL), SC_EARG);
    }
}

static void test_choices(void **state)
{
    (void)state;
    assert_int_equal(sc_choice_find("a|bc|d", "a"), 0);
    assert_int_equal(sc_choice_find("a|bc|d", "bc"), 1);
    assert_int_equal(sc_choice_find("a|bc|d", "d"), 2);
    assert_int_equal(sc_choice_find("a|bc|d", "b"), -1);
    assert_int_equal(sc_choice_find("a|bc|d", ""), -1);
    assert_int_equal(sc_choice_find("a|bc|d", "bc|d"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),     cmocka_unit_test(test_bad),
        cmocka_unit_test(test_required), cmocka_unit_test(test_long_decimal),
        cmocka_unit_test(test_decode),   cmocka_unit_test(test_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
