#include "http/router.h"

#include "../base/test.h"
#include "base/mem.h"

static const sc_param id_rows[] = {
    {"t", SC_IN_QUERY, SC_PARAM_DECIMAL},
    {"id", SC_IN_PATH, SC_PARAM_STRING, .required = true},
    {0},
};
static const sc_endpoint list = {.method = "GET", .path = "/videos"};
static const sc_endpoint make = {.method = "POST", .path = "/videos"};
static const sc_endpoint upload = {.method = "POST", .path = "/videos/upload"};
static const sc_endpoint get = {.method = "GET", .path = "/videos/{id}", .params = id_rows};
static const sc_endpoint drop = {.method = "DELETE", .path = "/videos/{id}", .params = id_rows};
static const sc_endpoint frame = {
    .method = "GET", .path = "/videos/{id}/frame", .params = id_rows};
static const sc_endpoint page = {.method = "GET", .path = "/", .flags = SC_ENDPOINT_FALLBACK};
static const sc_endpoint *const table[] = {&list, &make,  &upload, &get,
                                           &drop, &frame, &page,   NULL};

// Finds, and keeps the path alive in buf.
static int find(sc_router *router, const char *method, const char *path, struct sc_route *route)
{
    static char buf[512];
    snprintf(buf, sizeof(buf), "%s", path);
    return sc_router_find(router, method, buf, route, NULL);
}

static void test_match(void **state)
{
    struct sc_route route;
    assert_int_equal(find(*state, "GET", "/videos", &route), SC_OK);
    assert_ptr_equal(route.endpoint, &list);
    assert_int_equal(find(*state, "HEAD", "/videos", &route), SC_OK);
    assert_ptr_equal(route.endpoint, &list);
    assert_int_equal(find(*state, "POST", "/videos/upload", &route), SC_OK);
    assert_ptr_equal(route.endpoint, &upload);
    assert_int_equal(find(*state, "GET", "/videos/a-1/frame", &route), SC_OK);
    assert_ptr_equal(route.endpoint, &frame);
    assert_int_equal(route.index, 5);
    assert_string_equal(route.args.v[1], "a-1");
    assert_null(route.args.v[0]);
}

static void test_methods(void **state)
{
    struct sc_route route;
    assert_int_equal(find(*state, "PUT", "/videos/a", &route), SC_EUNSUPPORTED);
    assert_string_equal(route.allow, "GET, HEAD, DELETE");
    assert_int_equal(find(*state, "POST", "/videos/upload", &route), SC_OK);
    assert_int_equal(find(*state, "GET", "/videos/upload", &route), SC_OK); // a video's name
    assert_ptr_equal(route.endpoint, &get);
    assert_int_equal(find(*state, "get", "/videos", &route), SC_EUNSUPPORTED);
}

static void test_fallback(void **state)
{
    struct sc_route route;
    assert_int_equal(find(*state, "GET", "/app.js", &route), SC_OK);
    assert_ptr_equal(route.endpoint, &page);
    assert_int_equal(find(*state, "GET", "/videos/", &route), SC_OK); // no empty argument
    assert_ptr_equal(route.endpoint, &page);
    assert_int_equal(find(*state, "POST", "/app.js", &route), SC_ENOTFOUND);
    assert_int_equal(find(*state, "GET", "", &route), SC_ENOTFOUND);
    assert_int_equal(find(*state, "GET", "*", &route), SC_ENOTFOUND);
    assert_int_equal(find(*state, "POST", "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", &route),
                     SC_ENOTFOUND);
}

static void test_escapes(void **state)
{
    struct sc_route route;
    assert_int_equal(find(*state, "GET", "/videos/%2e%2e%2Fx/frame", &route), SC_OK);
    assert_string_equal(route.args.v[1], "../x"); // one argument, not two folders
    assert_int_equal(find(*state, "GET", "/videos/a+b", &route), SC_OK);
    assert_string_equal(route.args.v[1], "a+b");
    assert_int_equal(find(*state, "GET", "/videos/%zz", &route), SC_EARG);
    assert_int_equal(find(*state, "GET", "/videos/%00", &route), SC_EARG);
    assert_int_equal(find(*state, "GET", "/videos/%ff", &route), SC_EARG);
    assert_int_equal(find(*state, "GET", "/videos/%", &route), SC_EARG);
}

static int setup(void **state)
{
    *state = sc_router_new(table);
    return 0;
}

static int teardown(void **state)
{
    sc_router *router = *state;
    sc_router_free(&router);
    return router ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_fallback),
        cmocka_unit_test(test_escapes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
