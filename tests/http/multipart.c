#include "http/multipart.h"

#include "../base/test.h"
#include "base/mem.h"
#include "base/str.h"

// What came out, as text: "[name|filename|type]data;".
static int on_begin(void *arg, const struct sc_multipart_part *part, sc_err *err)
{
    (void)err;
    sc_str_addf(arg, "[%s|%s|%s]", part->name, part->filename ? part->filename : "-",
                part->type);
    return 0;
}

static int on_data(void *arg, const char *data, size_t size, sc_err *err)
{
    (void)err;
    sc_str_addn(arg, data, size);
    return 0;
}

static int on_end(void *arg, sc_err *err)
{
    (void)err;
    sc_str_addc(arg, ';');
    return 0;
}

static const struct sc_multipart_events events = {on_begin, on_data, on_end};
#define TYPE "multipart/form-data; boundary=XyZ"

// Pushes body in two pieces, cut at `cut`, and the second one byte by byte if asked.
static int parse(const char *type, const char *body, size_t size, size_t cut, bool bytes,
                 sc_str *out, sc_err *err)
{
    sc_multipart *mp;
    sc_str_clear(out);
    int ret = sc_multipart_open(&mp, type, &events, out, err);
    if (ret)
        return ret;
    ret = sc_multipart_push(mp, body, cut, err);
    for (size_t i = cut; !ret && i < size; i += bytes ? 1 : size - cut)
        ret = sc_multipart_push(mp, body + i, bytes ? 1 : size - cut, err);
    if (!ret)
        ret = sc_multipart_finish(mp, err);
    sc_multipart_close(&mp);
    return ret;
}

static const char body[] = "--XyZ\r\n"
                           "Content-Disposition: form-data; name=\"id\"\r\n\r\n"
                           "demo\r\n"
                           "--XyZ \t\r\n"
                           "content-disposition:form-data; filename=\"a;b.mp4\"; name=file\r\n"
                           "X-Other: 1\r\n"
                           "Content-Type: video/mp4\r\n\r\n"
                           "\r\n--Xy\r\r\n--XyY\r\n--\r\nend\r\n"
                           "\r\n--XyZ--\r\nafter";
static const char expected[] = "[id|-|]demo;[file|a;b.mp4|video/mp4]"
                               "\r\n--Xy\r\r\n--XyY\r\n--\r\nend\r\n;";

static void test_every_split(void **state)
{
    (void)state;
    sc_str out = {0};
    for (size_t cut = 0; cut < sizeof(body); cut++) {
        for (int bytes = 0; bytes < 2; bytes++) {
            sc_err err = {0};
            assert_int_equal(parse(TYPE, body, sizeof(body) - 1,
                                   cut < sizeof(body) - 1 ? cut : 0, bytes, &out, &err),
                             SC_OK);
            assert_string_equal(sc_str_get(&out), expected);
        }
    }
    sc_str_release(&out);
}

static int whole(const char *type, const char *text, sc_str *out)
{
    sc_err err = {0};
    int ret = parse(type, text, strlen(text), 0, false, out, &err);
    if (ret)
        assert_true(err.text[0]);
    return ret;
}

static void test_forms(void **state)
{
    (void)state;
    sc_str out = {0};
    // a preamble, an empty part, no header but the name, a quoted boundary
    assert_int_equal(
        whole("multipart/form-data; charset=utf-8; boundary=\"a b\"",
              "hello\r\n--a b\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n"
              "--a b--",
              &out),
        SC_OK);
    assert_string_equal(sc_str_get(&out), "[x|-|];");
    assert_int_equal(whole(TYPE,
                           "--XyZ\r\nContent-Disposition: form-data; name=\"f\"; "
                           "filename=\"C:\\\\d\\\\q\\\".mp4\""
                           "\r\n\r\n1\r\n--XyZ--",
                           &out),
                     SC_OK);
    assert_string_equal(sc_str_get(&out), "[f|q\".mp4|]1;");
    assert_int_equal(whole(TYPE,
                           "--XyZ\r\nContent-Disposition: form-data; name=f; filename=x; "
                           "filename*=UTF-8''%C3%A4.mp4\r\n\r\n1\r\n--XyZ--",
                           &out),
                     SC_OK);
    assert_string_equal(sc_str_get(&out), "[f|\xc3\xa4.mp4|]1;");
    assert_int_equal(whole(TYPE, "--XyZ--", &out), SC_OK); // no part at all
    assert_string_equal(sc_str_get(&out), "");
    sc_str_release(&out);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "no boundary",
        "--XyZ",
        "--XyZ\r\n",
        "--XyZ\r\n\r\nno header\r\n--XyZ--",
        "--XyZ\r\nContent-Disposition: form-data; name=x\r\n\r\nno end",
        "--XyZ\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--XyZ",
        "--XyZ\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--XyZ-",
        "--XyZ\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--XyZoops--",
        "--XyZ\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XyZ--",
        "--XyZ\r\nContent-Disposition: attachment; name=x\r\n\r\n1\r\n--XyZ--",
        "--XyZ\r\nno colon\r\n\r\n1\r\n--XyZ--",
        "--XyZ\r\n: empty\r\n\r\n1\r\n--XyZ--",
        "--XyZ\r\nContent-Disposition: form-data; name=\"x\r\n\r\n1\r\n--XyZ--",
        "--XyZ\r\nContent-Disposition: form-data; name=x\r\nContent-Type: multipart/mixed; "
        "boundary=q\r\n\r\n--q--\r\n--XyZ--",
        "--XyZ\nContent-Disposition: form-data; name=x\n\n1\n--XyZ--",
        "--XyZ-\r\n",
    };
    sc_str out = {0};
    for (size_t i = 0; i < SC_COUNT(bodies); i++)
        assert_int_equal(whole(TYPE, bodies[i], &out), SC_EARG);
    sc_str_release(&out);
}

static void test_boundaries(void **state)
{
    (void)state;
    static const char *const types[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"open",
        "multipart/form-data; bound=x",
        "multipart/form-data; "
        "boundary=12345678901234567890123456789012345678901234567890123456789012345678901",
    };
    sc_str out = {0};
    for (size_t i = 0; i < SC_COUNT(types); i++)
        assert_int_equal(whole(types[i], "--x--", &out), SC_EARG);
    assert_true(sc_multipart_is("Multipart/Form-Data; boundary=x"));
    assert_false(sc_multipart_is("multipart/mixed"));
    assert_false(sc_multipart_is(NULL));
    sc_str_release(&out);
}

static void test_huge(void **state)
{
    (void)state;
    sc_str text = {0}, out = {0};
    sc_str_add(&text, "--XyZ\r\nContent-Disposition: form-data; name=x\r\nX: ");
    for (int i = 0; i < 9000; i++)
        sc_str_addc(&text, 'y');
    sc_str_add(&text, "\r\n\r\n1\r\n--XyZ--");
    assert_int_equal(whole(TYPE, text.s, &out), SC_EARG);
    sc_str_clear(&text);
    for (int i = 0; i < 5000; i++)
        sc_str_addc(&text, 'p');
    sc_str_add(&text, "\r\n--XyZ--");
    assert_int_equal(whole(TYPE, text.s, &out), SC_EARG);
    sc_str_clear(&text);
    sc_str_add(&text, "--XyZ");
    for (int i = 0; i < 200; i++)
        sc_str_addc(&text, ' ');
    assert_int_equal(whole(TYPE, text.s, &out), SC_EARG);
    sc_str_release(&text);
    sc_str_release(&out);
}

static int refuse(void *arg, const char *data, size_t size, sc_err *err)
{
    (void)arg, (void)data, (void)size;
    return sc_fail(err, SC_ENOSPACE, "full");
}

static void test_callback_error(void **state)
{
    (void)state;
    static const struct sc_multipart_events refusing = {on_begin, refuse, on_end};
    sc_str out = {0};
    sc_multipart *mp;
    sc_err err = {0};
    assert_int_equal(sc_multipart_open(&mp, TYPE, &refusing, &out, NULL), SC_OK);
    assert_int_equal(sc_multipart_push(mp, body, sizeof(body) - 1, &err), SC_ENOSPACE);
    assert_string_equal(err.text, "full");
    assert_int_equal(sc_multipart_push(mp, "x", 1, NULL), SC_EARG); // finished
    sc_multipart_close(&mp);
    assert_null(mp);
    sc_str_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split), cmocka_unit_test(test_forms),
        cmocka_unit_test(test_malformed),   cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_huge),        cmocka_unit_test(test_callback_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
