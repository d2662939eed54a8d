// Detections as JSON lines and CSV.
#include "vision/report.h"

#include "../base/test.h"

static sc_detections *two(void)
{
    sc_detections *d = sc_detections_new(2);
    d->width = 768;
    d->height = 432;
    d->items[0] = (struct sc_detection){1.5f, 2, 300.256f, 431.004f, 0.83f, 39, 0};
    d->items[1] = (struct sc_detection){0, 0, 768, 432, 1, 1, 7};
    return d;
}

static void json(void **state)
{
    (void)state;
    const char *labels[40] = {[1] = "a \"b\"\n", [39] = "bottle"};
    sc_detections *d = two();
    struct sc_report r = {20, "0.8", "m", labels, 40, d, 2};
    sc_str out = {0};
    sc_report_add_json(&out, &r);
    assert_string_equal(out.s,
                        "{\"n\":20,\"t\":0.8,\"width\":768,\"height\":432,\"model\":\"m\","
                        "\"detections\":[{\"class\":39,\"label\":\"bottle\",\"score\":0.83,"
                        "\"box\":[1.5,2,300.26,431]},{\"class\":1,\"label\":\"a \\\"b\\\"\\n\","
                        "\"score\":1,\"box\":[0,0,768,432],\"track\":7}]}\n");
    sc_str_clear(&out);
    r.count = 0;
    sc_report_add_json(&out, &r);
    assert_string_equal(out.s, "{\"n\":20,\"t\":0.8,\"width\":768,\"height\":432,\"model\":"
                               "\"m\",\"detections\":[]}\n");
    sc_str_release(&out);
    sc_detections_unref(&d);
}

static void csv(void **state)
{
    (void)state;
    const char *labels[2] = {"", "a \"b\", c"};
    sc_detections *d = two();
    struct sc_report r = {20, "0.8", "m", labels, 2, d, 2};
    sc_str out = {0};
    sc_report_add_csv(&out, &r);
    assert_string_equal(out.s, "20,0.8,39,39,0.83,1.5,2,300.26,431\n"
                               "20,0.8,1,\"a \"\"b\"\", c\",1,0,0,768,432\n");
    sc_str_clear(&out);
    r.tracks = true;
    sc_report_add_csv(&out, &r);
    assert_string_equal(out.s, "20,0.8,39,39,0.83,1.5,2,300.26,431,\n"
                               "20,0.8,1,\"a \"\"b\"\", c\",1,0,0,768,432,7\n");
    sc_str_release(&out);
    sc_detections_unref(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json), cmocka_unit_test(csv)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
