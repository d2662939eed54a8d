#include "base/cancel.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "test.h"

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

static void test_children_follow_their_parent(void **state)
{
    (void)state;
    sc_cancel *root = sc_cancel_new(NULL);
    sc_cancel *a = sc_cancel_new(root), *b = sc_cancel_new(root), *leaf = sc_cancel_new(a);
    sc_cancel_request(a);
    assert_true(sc_cancel_requested(a));
    assert_true(sc_cancel_requested(leaf));
    assert_false(sc_cancel_requested(root));
    assert_false(sc_cancel_requested(b));
    sc_cancel_request(root);
    sc_cancel_request(root);
    assert_true(sc_cancel_requested(b));
    sc_cancel_free(&leaf);
    sc_cancel_free(&a);
    sc_cancel_free(&b);
    sc_cancel_free(&root);
    assert_null(root);
}

static void test_late_child_is_born_cancelled(void **state)
{
    (void)state;
    sc_cancel *root = sc_cancel_new(NULL);
    sc_cancel_request(root);
    sc_cancel *child = sc_cancel_new(root);
    assert_true(sc_cancel_requested(child));
    assert_true(readable(sc_cancel_fd(child)));
    sc_cancel_free(&child);
    sc_cancel_free(&root);
}

static void test_descriptor_becomes_readable(void **state)
{
    (void)state;
    sc_cancel *root = sc_cancel_new(NULL), *child = sc_cancel_new(root);
    int fd = sc_cancel_fd(child);
    assert_true(fd >= 0);
    assert_int_equal(sc_cancel_fd(child), fd);
    assert_false(readable(fd));
    sc_cancel_request(root);
    assert_true(readable(fd));
    sc_cancel_free(&child);
    sc_cancel_free(&root);
}

static void test_null_is_never_cancelled(void **state)
{
    (void)state;
    sc_cancel_request(NULL);
    assert_false(sc_cancel_requested(NULL));
    assert_int_equal(sc_cancel_fd(NULL), -1);
    sc_cancel_free(NULL);
}

static void count_call(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_tells_once(void **state)
{
    (void)state;
    atomic_int calls = 0, late = 0;
    sc_cancel *root = sc_cancel_new(NULL), *child = sc_cancel_new(root);
    sc_cancel_on_request(child, count_call, &calls);
    assert_int_equal(calls, 0);
    sc_cancel_request(root);
    sc_cancel_request(root);
    sc_cancel_request(child);
    assert_int_equal(calls, 1);
    sc_cancel_on_request(root, count_call, &late); // cancelled already
    assert_int_equal(late, 1);
    sc_cancel *other = sc_cancel_new(NULL);
    sc_cancel_on_request(other, count_call, &late);
    sc_cancel_on_request(other, NULL, NULL);
    sc_cancel_request(other);
    assert_int_equal(late, 1);
    sc_cancel_free(&other);
    sc_cancel_free(&child);
    sc_cancel_free(&root);
}

static void *churn(void *arg)
{
    for (int i = 0; i < 200; i++) {
        sc_cancel *child = sc_cancel_new(arg);
        sc_cancel_fd(child);
        sc_cancel_request(child);
        sc_cancel_free(&child);
    }
    return NULL;
}

static void test_threads_make_and_drop_children(void **state)
{
    (void)state;
    sc_cancel *root = sc_cancel_new(NULL);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, churn, root);
    sc_cancel_request(root);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(sc_cancel_requested(root));
    sc_cancel_free(&root); // requires that no child is left
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children_follow_their_parent),
        cmocka_unit_test(test_late_child_is_born_cancelled),
        cmocka_unit_test(test_descriptor_becomes_readable),
        cmocka_unit_test(test_tells_once),
        cmocka_unit_test(test_null_is_never_cancelled),
        cmocka_unit_test(test_threads_make_and_drop_children),
    };
    return cmocka_run_group_tests_name("base/cancel", tests, NULL, NULL);
}
