// Refused files are named for what they look like.
#include "fixture.h"

static void assert_sniff(const char *data, size_t size, const char *what)
{
    const char *got = sc_sniff((const unsigned char *)data, size);
    if (!what)
        assert_null(got);
    else
        assert_string_equal(got, what);
}

static void names_kinds(void **state)
{
    char tar[512] = "name";
    (void)state;
    memcpy(tar + 257, "ustar", 5);
    assert_sniff("", 0, "an empty file");
    assert_sniff("\x89PNG\r\n\x1a\n....", 12, "a PNG image");
    assert_sniff("\x89PNG\r\n\x1a", 7, NULL); // too short to tell
    assert_sniff("\x90\x80\xffx", 4, NULL);
    assert_sniff("RIFF\0\0\0\0WAVEfmt ", 16, "a WAV audio file");
    assert_sniff("RIFF\0\0\0\0AVI LIST", 16, NULL);
    assert_sniff("PK\3\4\0\0", 6, "a ZIP archive");
    assert_sniff(tar, sizeof(tar), "a tar archive");
    assert_sniff("\xef\xbb\xbf \n<HTML><p>", 14, "HTML, a web page");
    assert_sniff("<?xml version=\"1.0\"?>", 21, "XML");
    assert_sniff("[1, 2]", 6, "JSON");
    assert_sniff("a,b\n1,2\n", 8, "plain text");
    assert_sniff("\0\0\0\0", 4, "nothing but zero bytes");
    assert_sniff("\0\0\0\x18"
                 "ftypmp42",
                 12, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
