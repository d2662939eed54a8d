#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

static void test_growing(void **state)
{
    (void)state;
    sc_str s = {0};
    assert_string_equal(sc_str_get(&s), "");
    for (int i = 0; i < 1000; i++)
        sc_str_addf(&s, "%d,", i);
    assert_int_equal(s.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_int_equal(strlen(s.s), s.len);
    sc_str_clear(&s);
    sc_str_add(&s, "ab");
    sc_str_addc(&s, 'c');
    sc_str_addn(&s, "\0d", 2);
    assert_int_equal(s.len, 5);
    assert_memory_equal(s.s, "abc\0d", 6);
    sc_str_release(&s);
    assert_null(s.s);
}

static void test_detach(void **state)
{
    (void)state;
    sc_str s = {0};
    char *empty = sc_str_detach(&s);
    assert_string_equal(empty, "");
    free(empty);
    sc_str_add(&s, "text");
    char *text = sc_str_detach(&s);
    assert_string_equal(text, "text");
    assert_null(s.s);
    free(text);
}

static void assert_json(const char *text, const char *want)
{
    sc_str s = {0};
    sc_str_add_json(&s, text);
    assert_string_equal(sc_str_get(&s), want);
    sc_str_release(&s);
}

static void test_json_strings(void **state)
{
    (void)state;
    assert_json("", "\"\"");
    assert_json("a\"b\\c/\b\f\n\r\t", "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\"");
    assert_json("\x01\x1f", "\"\\u0001\\u001f\"");
    assert_json("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xac",
                "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8e\xac\"");
}

static void test_json_replaces_invalid_utf8(void **state)
{
    (void)state;
#define BAD "\xef\xbf\xbd"
    assert_json("\x80", "\"" BAD "\"");
    assert_json("\xc0\xaf", "\"" BAD BAD "\"");         // overlong
    assert_json("\xe0\x80\x80", "\"" BAD BAD BAD "\""); // overlong
    assert_json("\xed\xa0\x80", "\"" BAD BAD BAD "\""); // surrogate
    assert_json("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\"");
    assert_json("\xe2\x82", "\"" BAD BAD "\""); // cut short
}

static void test_prefix(void **state)
{
    (void)state;
    assert_true(sc_starts_with("abc", "ab"));
    assert_true(sc_starts_with("abc", ""));
    assert_false(sc_starts_with("a", "ab"));
}

static void assert_size_text(int64_t bytes, const char *want)
{
    char buf[32];
    assert_string_equal(sc_format_size(buf, sizeof(buf), bytes), want);
}

static void test_size_text(void **state)
{
    (void)state;
    assert_size_text(0, "0 B");
    assert_size_text(1023, "1023 B");
    assert_size_text(1024, "1.0 KiB");
    assert_size_text(3 * (INT64_C(1) << 29), "1.5 GiB");
    assert_size_text((1 << 20) - 1, "1.0 MiB");
    assert_size_text(INT64_MAX, "8.0 EiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing),      cmocka_unit_test(test_detach),
        cmocka_unit_test(test_json_strings), cmocka_unit_test(test_json_replaces_invalid_utf8),
        cmocka_unit_test(test_prefix),       cmocka_unit_test(test_size_text),
    };
    return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}
