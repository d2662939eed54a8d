// Names of classes: texts, metadata of two kinds, defaults.
#include "vision/labels.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/str.h"
#include "vision/family.h"

static void a_text_is_cut_into_lines(void **state)
{
    (void)state;
    struct sc_labels l;
    assert_int_equal(
        sc_labels_parse(&l, "\xef\xbb\xbfperson\r\ntraffic light\r\nb\n\r\n \n", NULL), SC_OK);
    assert_int_equal(l.count, 3);
    assert_string_equal(l.names[0], "person");
    assert_string_equal(l.names[1], "traffic light");
    assert_string_equal(l.names[2], "b");
    sc_labels_release(&l);
    assert_int_equal(sc_labels_parse(&l, "one", NULL), SC_OK);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.names[0], "one");
    sc_labels_release(&l);
    sc_labels_release(&l);
}

static void bad_texts_are_refused(void **state)
{
    (void)state;
    struct sc_labels l;
    sc_err err = {0};
    assert_int_equal(sc_labels_parse(&l, "a\n\nb\n", &err), SC_EARG);
    assert_non_null(strstr(err.text, "line 2"));
    assert_string_equal(err.field, "labels");
    assert_int_equal(sc_labels_parse(&l, "", NULL), SC_EARG);
    assert_int_equal(sc_labels_parse(&l, " \r\n", NULL), SC_EARG);
    assert_int_equal(sc_labels_parse(&l, "a\x01", NULL), SC_EARG);
    assert_int_equal(sc_labels_parse(&l, "a\rb\n", NULL), SC_EARG);
    sc_str text = {0};
    for (int i = 0; i < SC_LABEL_MAX; i++)
        sc_str_addc(&text, 'x');
    assert_int_equal(sc_labels_parse(&l, text.s, NULL), SC_OK);
    sc_labels_release(&l);
    sc_str_addc(&text, 'x');
    assert_int_equal(sc_labels_parse(&l, text.s, NULL), SC_EARG);
    sc_str_clear(&text);
    for (int i = 0; i < SC_MODEL_MAX_CLASSES; i++)
        sc_str_add(&text, "x\n");
    assert_int_equal(sc_labels_parse(&l, text.s, NULL), SC_OK);
    assert_int_equal(l.count, SC_MODEL_MAX_CLASSES);
    sc_labels_release(&l);
    sc_str_add(&text, "x\n");
    assert_int_equal(sc_labels_parse(&l, text.s, NULL), SC_EARG);
    sc_str_release(&text);
}

static void defaults(void **state)
{
    (void)state;
    struct sc_labels l;
    sc_labels_default(&l, 80, false);
    assert_string_equal(l.names[0], "person");
    assert_string_equal(l.names[39], "bottle");
    assert_string_equal(l.names[79], "toothbrush");
    sc_labels_release(&l);
    sc_labels_default(&l, 91, false);
    assert_string_equal(l.names[0], "0");
    assert_string_equal(l.names[1], "person");
    assert_string_equal(l.names[12], "12");
    assert_string_equal(l.names[13], "stop sign");
    assert_string_equal(l.names[44], "bottle");
    assert_string_equal(l.names[90], "toothbrush");
    sc_labels_release(&l);
    sc_labels_default(&l, 80, true);
    assert_string_equal(l.names[79], "79");
    sc_labels_release(&l);
    sc_labels_default(&l, 2, false);
    assert_string_equal(l.names[1], "1");
    sc_labels_release(&l);
}

static void python_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *labels;
        int count;
    } rows[] = {
        {"{0: 'person', 1: 'bicycle'}", "person\nbicycle\n", 2},
        {" { 0 : \"a\" , } ", "a\n", 1},
        {"['a', \"b\"]", "a\nb\n", 2},
        {"{0: 'it\\'s', 1: \"x\\\"y\", 2: 'back\\\\slash'}", "it's\nx\"y\nback\\slash\n", 3},
        {"{0: 'caf\\xe9', 1: '\\u4eba', 2: '\\U0001f600', 3: 'h\xc3\xa9'}",
         "caf\xc3\xa9\n\xe4\xba\xba\n\xf0\x9f\x98\x80\nh\xc3\xa9\n", 4},
        {"{2: 'c', 0: 'a'}", "a\n1\nc\n", 3},
        {"{0: 'a\\nb', 1: '', 2: ' '}", "a b\n1\n2\n", 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int count;
        char *labels = sc_labels_from_python(rows[i].text, &count);
        assert_non_null(labels);
        assert_string_equal(labels, rows[i].labels);
        assert_int_equal(count, rows[i].count);
        free(labels);
    }
}

static void bad_python_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "{}",
        "[]",
        "{0: 'a'",
        "{0: 'a'} x",
        "{0: 'a' 1: 'b'}",
        "{0: a}",
        "{-1: 'a'}",
        "{4096: 'a'}",
        "{0: 'a', 0: 'b'}",
        "{0: 'a\\q'}",
        "{0: 'a\\",
        "{0: 'a\\x4'}",
        "{0: '\\x00'}",
        "{0: '\\ud800'}",
        "{0: '\\U00110000'}",
        "{'a': 0}",
        "['a', , 'b']",
        "['a' 'b']",
        "{0: 'a\nb'}",
        "{99999999999: 'a'}",
        "dict(a=1)",
        "{0: 'a']",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        int count = -1;
        char *labels = sc_labels_from_python(bad[i], &count);
        if (labels)
            fail_msg("accepted: %s", bad[i]);
        assert_int_equal(count, 0);
    }
}

static void python_values(void **state)
{
    (void)state;
    const char *text = "{'batch': 1, 'imgsz': [640, {'a': (1, 2)}], 'nms': True, 'x': 'y\\'z'}";
    char buf[32];
    assert_true(sc_python_get(text, "nms", buf, sizeof(buf)));
    assert_string_equal(buf, "True");
    assert_true(sc_python_get(text, "imgsz", buf, sizeof(buf)));
    assert_string_equal(buf, "[640, {'a': (1, 2)}]");
    assert_true(sc_python_get(text, "x", buf, sizeof(buf)));
    assert_string_equal(buf, "'y\\'z'");
    assert_false(sc_python_get(text, "imgsz", buf, 5));
    assert_false(sc_python_get(text, "y", buf, sizeof(buf)));
    assert_false(sc_python_get("{'a': [1, 'nms': True}", "nms", buf, sizeof(buf)));
    assert_false(sc_python_get("{'a': ((((((((((((((((((1))))))))))))))))), 'nms': True}",
                               "nms", buf, sizeof(buf)));
}

static void json_names(void **state)
{
    (void)state;
    static const struct {
        const char *text, *labels;
    } rows[] = {
        {"{\"1\": \"a\", \"0\": \"b\"}", "b\na\n"},
        {"[\"a\", \"\"]", "a\n1\n"},
        {"{}", NULL},
        {"{\"4096\": \"a\"}", NULL},
        {"{\"x\": \"a\"}", NULL},
        {"[1]", NULL},
        {"{\"1\": \"a\", \"01\": \"b\"}", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int count;
        json_t *json = json_loads(rows[i].text, 0, NULL);
        char *labels = sc_labels_from_json(json, &count);
        assert_true(!labels == !rows[i].labels);
        if (labels)
            assert_string_equal(labels, rows[i].labels);
        free(labels);
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_cut_into_lines),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(defaults),
        cmocka_unit_test(python_names),
        cmocka_unit_test(bad_python_is_refused),
        cmocka_unit_test(python_values),
        cmocka_unit_test(json_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
