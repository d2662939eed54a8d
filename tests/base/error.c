#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "test.h"

static void test_codes_have_text_and_name(void **state)
{
    (void)state;
    assert_string_equal(sc_strerror(SC_OK), "success");
    assert_string_equal(sc_strerror(SC_ENOTFOUND), "not found");
    assert_string_equal(sc_error_name(SC_ENOTFOUND), "NOTFOUND");
    assert_string_equal(sc_error_name(SC_EEOF), "EOF");
    assert_string_equal(sc_strerror(-5), "unknown error");
    assert_string_equal(sc_error_name(12345), "UNKNOWN");
}

static void test_errno_maps_to_codes(void **state)
{
    (void)state;
    assert_int_equal(sc_error_from_errno(0), SC_OK);
    assert_int_equal(sc_error_from_errno(ENOSPC), SC_ENOSPACE);
    assert_int_equal(sc_error_from_errno(EDQUOT), SC_ENOSPACE);
    assert_int_equal(sc_error_from_errno(ENOENT), SC_ENOTFOUND);
    assert_int_equal(sc_error_from_errno(EACCES), SC_EDENIED);
    assert_int_equal(sc_error_from_errno(EBADF), SC_EIO);
}

static void test_first_cause_wins(void **state)
{
    (void)state;
    sc_err err = {0};
    assert_int_equal(sc_fail_field(&err, SC_ERANGE, "n", "n is %d", 7), SC_ERANGE);
    assert_int_equal(sc_fail(&err, SC_EIO, "later"), SC_EIO);
    assert_int_equal(err.code, SC_ERANGE);
    assert_string_equal(err.field, "n");
    assert_string_equal(err.text, "n is 7");
}

static void test_long_causes_are_cut(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    sc_err err = {0};
    sc_fail_field(&err, SC_EARG, text, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(strlen(err.field), sizeof(err.field) - 1);
}

static void test_text_falls_back_to_the_code(void **state)
{
    (void)state;
    sc_err err = {0};
    assert_string_equal(sc_err_text(&err, SC_EBUSY), "busy");
    assert_string_equal(sc_err_text(NULL, SC_EBUSY), "busy");
    assert_int_equal(sc_fail(NULL, SC_EBUSY, "nobody listens"), SC_EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_have_text_and_name),
        cmocka_unit_test(test_errno_maps_to_codes),
        cmocka_unit_test(test_first_cause_wins),
        cmocka_unit_test(test_long_causes_are_cut),
        cmocka_unit_test(test_text_falls_back_to_the_code),
    };
    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
