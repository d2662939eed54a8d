// Fragments of candidates: what makes sense is taken, the rest is left out, nonsense as a whole is refused.
#include "rtc/offer.h"

#include <stdio.h>
#include <string.h>

#include "../base/test.h"
#include "base/mem.h"

static int parse(sc_rtc_fragment *fragment, const char *text, sc_err *err)
{
    return sc_rtc_fragment_parse(fragment, text, strlen(text), err);
}

static void a_whole_fragment(void **state)
{
    sc_rtc_fragment f;
    (void)state;
    assert_int_equal(
        parse(&f,
              "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
              "a=group:BUNDLE v d\r\n"
              "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\n"
              "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host generation 0\r\n"
              "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:x\r\n"
              "a=candidate:2 1 UDP 1 192.0.2.2 5001 typ srflx raddr 10.0.0.1 rport 9\r\n"
              "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n"
              "a=candidate:3 1 UDP 7 fd00::1 5002 typ relay\r\na=end-of-candidates\r\n",
              NULL),
        0);
    assert_string_equal(f.ufrag, "EsAw");
    assert_string_equal(f.pwd, "P2uYro0UCOQ4zxjKXaWCBui1");
    assert_true(f.ended);
    assert_int_equal(f.count, 3);
    assert_string_equal(f.candidates[0].text,
                        "candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host");
    assert_string_equal(f.candidates[1].text, "candidate:2 1 UDP 1 192.0.2.2 5001 typ srflx "
                                              "raddr 10.0.0.1 rport 9");
    assert_string_equal(f.candidates[2].text,
                        "candidate:3 1 UDP 7 fd00::1 5002 typ relay raddr 0.0.0.0 rport 0");
}

static void candidates_are_taken_of_any_medium(void **state)
{
    sc_rtc_fragment f;
    (void)state;
    assert_int_equal(parse(&f,
                           "a=mid:d\na=candidate:1 1 UDP 1 192.0.2.1 1 typ host\n"
                           "m=audio 9 X 0\na=candidate:1 1 UDP 1 192.0.2.1 2 typ host\n"
                           "a=mid:nobody\na=candidate:1 1 UDP 1 192.0.2.1 3 typ host",
                           NULL),
                     0);
    assert_int_equal(f.count, 3);
    assert_false(f.ended);
    assert_string_equal(f.ufrag, "");
}

static void bad_candidates_are_left_out(void **state)
{
    static const char *const texts[] = {
        "",
        "1",
        "1 1 UDP 1 192.0.2.1",
        "1 1 UDP 1 192.0.2.1 5000",
        "1 1 UDP 1 192.0.2.1 5000 typ",
        "1 1 UDP 1 192.0.2.1 5000 typ strange",
        "1 1 UDP 1 192.0.2.1 5000 Typ host",
        "1 2 UDP 1 192.0.2.1 5000 typ host", // RTCP of its own
        "1 1 TCP 1 192.0.2.1 9 typ host tcptype active",
        "1 1 UDP 1 7f2b2e6a-3d5e-4f2a.local 5000 typ host",
        "1 1 UDP 1 example.com 5000 typ host",
        "1 1 UDP 1 192.0.2 5000 typ host",
        "1 1 UDP 1 0.0.0.0 5000 typ host",
        "1 1 UDP 1 224.0.0.1 5000 typ host",
        "1 1 UDP 1 255.255.255.255 5000 typ host",
        "1 1 UDP 1 :: 5000 typ host",
        "1 1 UDP 1 ff02::1 5000 typ host",
        "1 1 UDP 1 192.0.2.1 0 typ host",
        "1 1 UDP 1 192.0.2.1 65536 typ host",
        "1 1 UDP -1 192.0.2.1 5000 typ host",
        "1 1 UDP 4294967296 192.0.2.1 5000 typ host",
        "123456789012345678901234567890123 1 UDP 1 192.0.2.1 5000 typ host",
        "a;b 1 UDP 1 192.0.2.1 5000 typ host",
    };
    (void)state;
    for (size_t i = 0; i < SC_COUNT(texts); i++) {
        char text[300];
        sc_rtc_fragment f;
        snprintf(text, sizeof(text), "a=candidate:%s\r\n", texts[i]);
        assert_int_equal(parse(&f, text, NULL), 0);
        if (f.count)
            fail_msg("taken: %s", f.candidates[0].text);
    }
}

static void so_many_and_no_more(void **state)
{
    char text[8000] = "";
    sc_rtc_fragment f;
    (void)state;
    for (int i = 0; i < SC_RTC_CANDIDATES + 5; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text),
                 "a=candidate:1 1 UDP 1 192.0.2.1 %d typ host\n", i + 1);
    assert_int_equal(parse(&f, text, NULL), 0);
    assert_int_equal(f.count, SC_RTC_CANDIDATES);
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "the text is empty"},
        {"\r\n", "the text is empty"},
        {"hello", "line 1: not of the form x=value"},
        {"a=mid:v\nA=b", "line 2: not of the form x=value"},
        {"a=mid:v\n\na=mid:x", "line 2: empty"},
        {"a=mid:v\na=b\tc", "line 2: control characters"},
        {"a=ice-ufrag:EsAw", "come together"},
        {"a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", "come together"},
        {"a=ice-ufrag:abc\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", "4 to 256"},
        {"a=ice-ufrag:abcd\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCB", "22 to 256"},
        {"a=ice-ufrag:ab d\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1", "4 to 256"},
    };
    (void)state;
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_rtc_fragment f;
        sc_err err = {0};
        assert_int_equal(parse(&f, cases[i].text, &err), SC_EARG);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static void too_much_and_zeroes_are_refused(void **state)
{
    static char text[SC_RTC_FRAGMENT_MAX + 1];
    sc_rtc_fragment f;
    sc_err err = {0};
    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(sc_rtc_fragment_parse(&f, text, sizeof(text), &err), SC_EARG);
    assert_non_null(strstr(err.text, "larger than 16384 bytes"));
    err = (sc_err){0};
    assert_int_equal(sc_rtc_fragment_parse(&f, "a=b\0c", 5, &err), SC_EARG);
    assert_non_null(strstr(err.text, "zero byte"));
    err = (sc_err){0};
    text[1] = '=';
    assert_int_equal(sc_rtc_fragment_parse(&f, text, 5000, &err), SC_EARG);
    assert_string_equal(err.text, "line 1: too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_fragment),
        cmocka_unit_test(candidates_are_taken_of_any_medium),
        cmocka_unit_test(bad_candidates_are_left_out),
        cmocka_unit_test(so_many_and_no_more),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(too_much_and_zeroes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
