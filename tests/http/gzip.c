#include "http/gzip.h"

#include <zlib.h>

#include "../base/test.h"

static void test_round_trip(void **state)
{
    (void)state;
    char text[20000], back[sizeof(text)];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "frame,0.04\n"[i % 11];
    sc_buf *packed = sc_gzip(text, sizeof(text));
    assert_non_null(packed);
    assert_true(packed->size < 1000);
    z_stream z = {.next_in = packed->data,
                  .avail_in = (uInt)packed->size,
                  .next_out = (Bytef *)back,
                  .avail_out = sizeof(back)};
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, sizeof(text));
    inflateEnd(&z);
    assert_memory_equal(text, back, sizeof(text));
    sc_buf_unref(&packed);
}

static void test_not_worth_it(void **state)
{
    (void)state;
    unsigned char noise[1024];
    unsigned x = 12345;
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
    assert_null(sc_gzip(noise, sizeof(noise)));
    assert_null(sc_gzip("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_not_worth_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
