#include "http/problem.h"

#include <jansson.h>

#include "../base/test.h"
#include "base/mem.h"

static void test_status(void **state)
{
    (void)state;
    assert_int_equal(sc_problem_status(SC_ENOTFOUND), 404);
    assert_int_equal(sc_problem_status(SC_EEXISTS), 409);
    assert_int_equal(sc_problem_status(SC_EARG), 400);
    assert_int_equal(sc_problem_status(SC_ERANGE), 416);
    assert_int_equal(sc_problem_status(SC_ELIMIT), 413);
    assert_int_equal(sc_problem_status(SC_EDATA), 422);
    assert_int_equal(sc_problem_status(SC_ENOSPACE), 507);
    assert_int_equal(sc_problem_status(SC_EBUSY), 503);
    assert_int_equal(sc_problem_status(SC_ECANCELLED), 410);
    assert_int_equal(sc_problem_status(-7), 500);
}

// Every code has a status that has a title.
static void test_titles(void **state)
{
    (void)state;
#define CHECK(name, text, after)                                                               \
    assert_string_not_equal(sc_problem_title(sc_problem_status(SC_E##name)), "Unknown");
    SC_ERRORS(CHECK)
#undef CHECK
}

static void test_print(void **state)
{
    (void)state;
    sc_str out = {0};
    sc_problem_print(&out, 400, "t", "a \"quoted\" <b>\n", "id-1");
    json_t *json = json_loads(out.s, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "detail")),
                        "a \"quoted\" <b>\n");
    assert_string_equal(json_string_value(json_object_get(json, "field")), "t");
    assert_string_equal(json_string_value(json_object_get(json, "title")), "Bad Request");
    assert_string_equal(json_string_value(json_object_get(json, "type")),
                        "/docs#problem-bad-request");
    assert_int_equal(json_integer_value(json_object_get(json, "status")), 400);
    json_decref(json);
    sc_str_clear(&out);
    sc_problem_print(&out, 404, "", "gone", NULL);
    json = json_loads(out.s, 0, NULL);
    assert_null(json_object_get(json, "field"));
    assert_null(json_object_get(json, "request_id"));
    json_decref(json);
    sc_str_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_titles),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
