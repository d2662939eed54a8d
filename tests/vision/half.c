// Half precision: every value, against arithmetic on its parts.
#include "vision/half.h"

#include <math.h>

#include "../base/test.h"

static double value_of(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double v = exponent == 31 ? (fraction ? NAN : INFINITY)
               : exponent     ? ldexp(1024 + fraction, exponent - 25)
                              : ldexp(fraction, -24);
    return half & 0x8000 ? -v : v;
}

static void every_value(void **state)
{
    (void)state;
    static uint16_t in[65536];
    static float out[65536];
    for (int i = 0; i < 65536; i++)
        in[i] = (uint16_t)i;
    sc_half_widen(out, in, 65536);
    for (int i = 0; i < 65536; i++) {
        double wanted = value_of(in[i]);
        assert_true(isnan(wanted) ? isnan(out[i]) : out[i] == wanted);
        assert_int_equal(!!signbit(out[i]), i >> 15);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_value)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
