// Hiding secrets: none may come through, and what is none stays readable.
#include "base/url.h"

#include <string.h>

#include "test.h"

static void becomes(const char *text, const char *expected)
{
    char out[512];
    assert_ptr_equal(sc_url_hide(text, out, sizeof(out)), out);
    assert_string_equal(out, expected);
}

static void passwords_are_hidden(void **state)
{
    (void)state;
    becomes("rtsp://cam:s3cret@10.0.0.1:554/a/b?c=d", "rtsp://cam:***@10.0.0.1:554/a/b?c=d");
    becomes("http://TOKEN@host/", "http://***@host/");
    becomes("rtsp://:s3cret@host/", "rtsp://:***@host/");
    becomes("rtsp://u:a@b:c@host/", "rtsp://u:***@host/");
    becomes("rtsp://u:pa/s?s@host/x", "rtsp://u:***@host/x");
    becomes("rtsp://u:p@[fe80::1]:554/x", "rtsp://u:***@[fe80::1]:554/x");
    becomes("from 'rtsp://u:p@h/x' to \"srt://h:1?passphrase=abc\"",
            "from 'rtsp://u:***@h/x' to \"srt://h:1?passphrase=***\"");
}

static void values_of_secret_keys_are_hidden(void **state)
{
    (void)state;
    becomes("https://h/x.m3u8?Token=abc&n=3&X-Amz-Signature=12#end",
            "https://h/x.m3u8?Token=***&n=3&X-Amz-Signature=***");
    becomes("srt://h:9000?streamid=#!::u=me,r=x&latency=20",
            "srt://h:9000?streamid=***&latency=20");
    becomes("api_key=1 apikey='2 3' key=\"4 5\" pw=6",
            "api_key=*** apikey=***' key=***\" pw=***");
    becomes("?token=&a=1", "?token=&a=1");
    becomes("GET / HTTP/1.1\r\nAuthorization: Digest a=b, c=d\r\nHost: h",
            "GET / HTTP/1.1\r\nAuthorization:***\r\nHost: h");
}

static void keys_of_streams_are_hidden(void **state)
{
    (void)state;
    becomes("rtmp://h:1935/live/KEY", "rtmp://h:1935/live/***");
    becomes("RTMPS://u:p@h/live/a/KEY?b=c d", "RTMPS://u:***@h/live/*** d");
    becomes("rtmp://h/live", "rtmp://h/live");
    becomes("rtmp://h", "rtmp://h");
}

static void what_is_no_secret_stays(void **state)
{
    static const char *const texts[] = {"",
                                        "a",
                                        "://",
                                        "x://",
                                        "no address here",
                                        "http://host:8000/a@b?mail=c@d",
                                        "udp://@239.0.0.1:1234",
                                        "udp://239.0.0.1:1234?fifo_size=5",
                                        "codec=h264 size=3x4",
                                        "srt://[::1]:9000?mode=listener",
                                        "/tmp/a b.mp4",
                                        "monkey business: none"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        becomes(texts[i], texts[i]);
}

static void small_buffers_get_no_secret(void **state)
{
    const char *text = "rtsp://cam:s3cret@h/?token=s3cret rtmp://h/a/s3cret";
    char out[80];
    (void)state;
    for (size_t size = 1; size < sizeof(out); size++) {
        memset(out, 'x', sizeof(out));
        sc_url_hide(text, out, size);
        assert_true(strlen(out) < size);
        assert_null(strstr(out, "s3"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_are_hidden),
        cmocka_unit_test(values_of_secret_keys_are_hidden),
        cmocka_unit_test(keys_of_streams_are_hidden),
        cmocka_unit_test(what_is_no_secret_stays),
        cmocka_unit_test(small_buffers_get_no_secret),
    };
    return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
