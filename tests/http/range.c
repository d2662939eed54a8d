#include "http/range.h"

#include "../base/test.h"
#include "base/mem.h"

static void test_range(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int64_t size;
        enum sc_range_kind kind;
        int64_t first, last;
    } cases[] = {
        {NULL, 10, SC_RANGE_WHOLE},
        {"bytes=0-3", 10, SC_RANGE_PART, 0, 3},
        {"bytes=3-", 10, SC_RANGE_PART, 3, 9},
        {"bytes=9-9", 10, SC_RANGE_PART, 9, 9},
        {"bytes=0-99", 10, SC_RANGE_PART, 0, 9},
        {"Bytes=-4", 10, SC_RANGE_PART, 6, 9},
        {"bytes=-99", 10, SC_RANGE_PART, 0, 9},
        {"bytes=10-", 10, SC_RANGE_BAD},
        {"bytes=10-12", 10, SC_RANGE_BAD},
        {"bytes=-0", 10, SC_RANGE_BAD},
        {"bytes=-1", 0, SC_RANGE_BAD},
        {"bytes=0-", 0, SC_RANGE_BAD},
        {"bytes=5-3", 10, SC_RANGE_WHOLE},
        {"bytes=0-1,3-4", 10, SC_RANGE_WHOLE},
        {"bytes=a-b", 10, SC_RANGE_WHOLE},
        {"bytes=", 10, SC_RANGE_WHOLE},
        {"items=0-3", 10, SC_RANGE_WHOLE},
        {"bytes=9999999999999999999-", 10, SC_RANGE_WHOLE},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        int64_t first = -1, last = -1;
        assert_int_equal(sc_range_parse(cases[i].header, cases[i].size, &first, &last),
                         cases[i].kind);
        if (cases[i].kind == SC_RANGE_PART) {
            assert_int_equal(first, cases[i].first);
            assert_int_equal(last, cases[i].last);
        }
    }
}

static void test_etag(void **state)
{
    (void)state;
    assert_false(sc_etag_listed(NULL, "\"a\""));
    assert_true(sc_etag_listed("\"a\"", "\"a\""));
    assert_true(sc_etag_listed("\"b\", W/\"a\"", "\"a\""));
    assert_true(sc_etag_listed(" *", "\"a\""));
    assert_false(sc_etag_listed("\"ab\"", "\"a\""));
    assert_false(sc_etag_listed("a", "\"a\""));
    assert_false(sc_etag_listed("", "\"a\""));
}

static void test_encoding(void **state)
{
    (void)state;
    assert_true(sc_encoding_accepted("gzip", "gzip"));
    assert_true(sc_encoding_accepted("br, GZip;q=0.5", "gzip"));
    assert_true(sc_encoding_accepted("deflate,gzip ;q=1", "gzip"));
    assert_false(sc_encoding_accepted("gzip;q=0", "gzip"));
    assert_false(sc_encoding_accepted("gzip; q=0.000, br", "gzip"));
    assert_false(sc_encoding_accepted("xgzip, gzipx", "gzip"));
    assert_false(sc_encoding_accepted("", "gzip"));
    assert_false(sc_encoding_accepted(NULL, "gzip"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_etag),
        cmocka_unit_test(test_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
