#include "base/buf.h"

#include <string.h>

#include "base/mem.h"
#include "test.h"

static int released;

static void count_release(void *data)
{
    released++;
    free(data);
}

static void test_last_reference_frees(void **state)
{
    (void)state;
    released = 0;
    sc_buf *a = sc_buf_wrap(sc_xstrdup("abc"), 3, count_release);
    sc_buf *b = sc_buf_ref(a);
    sc_buf_unref(&a);
    assert_null(a);
    assert_int_equal(released, 0);
    assert_memory_equal(b->data, "abc", 3);
    sc_buf_unref(&b);
    assert_int_equal(released, 1);
}

static void test_null_and_empty(void **state)
{
    (void)state;
    sc_buf *none = NULL;
    assert_null(sc_buf_ref(NULL));
    sc_buf_unref(NULL);
    sc_buf_unref(&none);
    sc_buf *empty = sc_buf_new(0);
    assert_non_null(empty);
    assert_int_equal(empty->size, 0);
    sc_buf_unref(&empty);
}

static void test_oversized_requests_are_refused(void **state)
{
    (void)state;
    assert_null(sc_try_calloc(SIZE_MAX / 2, 3));
    char *p = sc_xstrdup("kept");
    assert_null(sc_try_realloc(p, SIZE_MAX / 2, 3));
    assert_string_equal(p, "kept");
    free(p);
    p = sc_try_calloc(0, 8);
    assert_non_null(p);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_reference_frees),
        cmocka_unit_test(test_null_and_empty),
        cmocka_unit_test(test_oversized_requests_are_refused),
    };
    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
