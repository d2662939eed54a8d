#include "base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "test.h"

static void assert_printed(sc_metrics *m, const char *want)
{
    sc_str out = {0};
    sc_metrics_print(m, &out);
    assert_string_equal(sc_str_get(&out), want);
    sc_str_release(&out);
}

static double read_seven(void *arg)
{
    (void)arg;
    return 7;
}

static void test_counters_and_gauges(void **state)
{
    (void)state;
    sc_metrics *m = sc_metrics_new();
    sc_counter_add(sc_metrics_counter(m, "req_total", "code=\"200\"", "Requests.\\\nAll"), 2);
    sc_gauge *g = sc_metrics_gauge(m, "temp", "", "Now.");
    sc_counter_add(sc_metrics_counter(m, "req_total", "code=\"404\"", "ignored"), 1);
    sc_counter_add(sc_metrics_counter(m, "req_total", "code=\"200\"", ""), 1);
    sc_gauge_set(g, 0.1);
    sc_gauge_add(g, 0.2);
    sc_metrics_gauge_fn(m, "seven", "", "Always.", read_seven, NULL);
    assert_printed(m, "# HELP req_total Requests.\\\\\\nAll\n# TYPE req_total counter\n"
                      "req_total{code=\"200\"} 3\nreq_total{code=\"404\"} 1\n"
                      "# HELP temp Now.\n# TYPE temp gauge\ntemp 0.30000000000000004\n"
                      "# HELP seven Always.\n# TYPE seven gauge\nseven 7\n");
    sc_metrics_free(&m);
    assert_null(m);
}

static void test_histogram(void **state)
{
    (void)state;
    sc_metrics *m = sc_metrics_new();
    const double bounds[] = {0.5, 1};
    sc_histogram *h = sc_metrics_histogram(m, "d_seconds", "r=\"/\"", "D.", bounds, 2);
    sc_histogram_observe(h, 0.25);
    sc_histogram_observe(h, 0.5); // bounds are inclusive
    sc_histogram_observe(h, 0.75);
    sc_histogram_observe(h, 100);
    assert_int_equal(sc_histogram_count(h), 4);
    assert_true(sc_histogram_sum(h) == 101.5);
    assert_printed(m, "# HELP d_seconds D.\n# TYPE d_seconds histogram\n"
                      "d_seconds_bucket{r=\"/\",le=\"0.5\"} 2\n"
                      "d_seconds_bucket{r=\"/\",le=\"1\"} 3\n"
                      "d_seconds_bucket{r=\"/\",le=\"+Inf\"} 4\n"
                      "d_seconds_sum{r=\"/\"} 101.5\nd_seconds_count{r=\"/\"} 4\n");
    sc_metrics_free(&m);
}

static void test_default_bounds(void **state)
{
    (void)state;
    sc_metrics *m = sc_metrics_new();
    sc_histogram_observe(sc_metrics_histogram(m, "d", "", "D.", NULL, 0), 0.002);
    sc_str out = {0};
    sc_metrics_print(m, &out);
    assert_non_null(strstr(out.s, "d_bucket{le=\"0.0005\"} 0\n"));
    assert_non_null(strstr(out.s, "d_bucket{le=\"0.0025\"} 1\n"));
    assert_non_null(strstr(out.s, "d_bucket{le=\"10\"} 1\n"));
    sc_str_release(&out);
    sc_metrics_free(&m);
}

static void test_odd_numbers(void **state)
{
    (void)state;
    sc_metrics *m = sc_metrics_new();
    sc_gauge_set(sc_metrics_gauge(m, "a", "", "A."), NAN);
    sc_gauge_set(sc_metrics_gauge(m, "b", "", "B."), -INFINITY);
    assert_printed(m,
                   "# HELP a A.\n# TYPE a gauge\na NaN\n# HELP b B.\n# TYPE b gauge\nb -Inf\n");
    sc_metrics_free(&m);
}

static void test_null_registry(void **state)
{
    (void)state;
    sc_str out = {0};
    assert_null(sc_metrics_counter(NULL, "c_total", "", ""));
    sc_counter_add(NULL, 1);
    sc_gauge_set(NULL, 1);
    sc_gauge_add(NULL, 1);
    sc_histogram_observe(NULL, 1);
    sc_metrics_gauge_fn(NULL, "g", "", "", read_seven, NULL);
    assert_int_equal(sc_counter_get(NULL) + sc_histogram_count(NULL), 0);
    sc_metrics_print(NULL, &out);
    assert_int_equal(out.len, 0);
}

static void *update_many(void *arg)
{
    sc_metrics *m = arg;
    sc_histogram *h = sc_metrics_histogram(m, "h", "", "H.", NULL, 0);
    sc_str out = {0};
    for (int i = 0; i < 1000; i++) {
        sc_counter_add(sc_metrics_counter(m, "c_total", "", "C."), 1);
        sc_gauge_add(sc_metrics_gauge(m, "g", "", "G."), 0.5);
        sc_histogram_observe(h, 1);
        if (i % 100 == 0)
            sc_metrics_print(m, &out);
    }
    sc_str_release(&out);
    return NULL;
}

static void test_threads_count_right(void **state)
{
    (void)state;
    sc_metrics *m = sc_metrics_new();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, update_many, m);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(sc_counter_get(sc_metrics_counter(m, "c_total", "", "")), 4000);
    assert_true(sc_gauge_get(sc_metrics_gauge(m, "g", "", "")) == 2000);
    assert_true(sc_histogram_sum(sc_metrics_histogram(m, "h", "", "", NULL, 0)) == 4000);
    sc_metrics_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_and_gauges), cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_default_bounds),      cmocka_unit_test(test_odd_numbers),
        cmocka_unit_test(test_null_registry),       cmocka_unit_test(test_threads_count_right),
    };
    return cmocka_run_group_tests_name("base/metrics", tests, NULL, NULL);
}
