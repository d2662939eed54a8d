#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

enum { OUT_SIZE = 32768 };

// A log into a pipe, and what came out of it.
struct capture {
    int fds[2];
    sc_log *log;
    char out[OUT_SIZE];
};

static int setup(void **state)
{
    struct capture *c = calloc(1, sizeof(*c));
    *state = c;
    return pipe(c->fds);
}

static int teardown(void **state)
{
    struct capture *c = *state;
    sc_log_close(&c->log);
    close(c->fds[0]);
    close(c->fds[1]);
    free(c);
    return 0;
}

static void open_log(struct capture *c, enum sc_log_level level, enum sc_log_format format)
{
    struct sc_log_params params = {.fd = c->fds[1], .level = level, .format = format};
    c->log = sc_log_open(&params);
}

static const char *read_out(struct capture *c)
{
    ssize_t n = read(c->fds[0], c->out, sizeof(c->out) - 1);
    c->out[n > 0 ? n : 0] = '\0';
    return c->out;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no <%s> in <%s>", part, text);
}

static void test_logfmt_quotes_what_needs_it(void **state)
{
    struct capture *c = *state;
    open_log(c, SC_LOG_INFO, SC_LOG_LOGFMT);
    SC_INFO(c->log, "upload stored", SC_S("id", "demo"), SC_S("q", "a\"b=c\n"), SC_S("e", NULL),
            SC_I("bytes", 1048576), SC_F("s", 0.25), SC_B("ok", true));
    const char *out = read_out(c);
    assert_true(strncmp(out, "time=2", 6) == 0);
    assert_has(out, "Z level=info obj=saccade msg=\"upload stored\" id=demo "
                    "q=\"a\\\"b=c\\n\" e=\"\" bytes=1048576 s=0.25 ok=true\n");
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

static void test_json_escapes(void **state)
{
    struct capture *c = *state;
    open_log(c, SC_LOG_INFO, SC_LOG_JSON);
    SC_ERROR(c->log, "m", SC_S("t", "q\" b\\ n\n c\x01 u\xc3\xa9 bad\xff"), SC_F("nan", NAN),
             SC_I("i", -3), SC_B("b", 0));
    const char *out = read_out(c);
    assert_true(strncmp(out, "{\"time\":\"2", 10) == 0);
    assert_has(out, "\"level\":\"error\",\"obj\":\"saccade\",\"msg\":\"m\","
                    "\"t\":\"q\\\" b\\\\ n\\n c\\u0001 u\xc3\xa9 bad\xef\xbf\xbd\","
                    "\"nan\":null,\"i\":-3,\"b\":false}\n");
}

static void test_level_hides_lines(void **state)
{
    struct capture *c = *state;
    open_log(c, SC_LOG_WARN, SC_LOG_LOGFMT);
    SC_INFO(c->log, "hidden");
    SC_WARN(c->log, "shown");
    const char *out = read_out(c);
    assert_null(strstr(out, "hidden"));
    assert_has(out, "shown");
    assert_false(sc_log_enabled(c->log, SC_LOG_INFO));
}

static void test_children_have_names(void **state)
{
    struct capture *c = *state;
    open_log(c, SC_LOG_TRACE, SC_LOG_LOGFMT);
    sc_log *child = sc_log_child(c->log, "videos");
    SC_TRACE(child, "t");
    assert_has(read_out(c), "level=trace obj=videos msg=t\n");
    sc_log_close(&child);
    assert_null(child);
}

static void test_null_log_is_silent(void **state)
{
    (void)state;
    assert_null(sc_log_child(NULL, "x"));
    SC_ERROR(NULL, "nothing happens", SC_I("i", 1));
    sc_log_close(NULL);
}

static void test_long_text_is_cut(void **state)
{
    struct capture *c = *state;
    open_log(c, SC_LOG_INFO, SC_LOG_LOGFMT);
    char *text = malloc(20001);
    memset(text, 'x', 20000);
    text[20000] = '\0';
    SC_INFO(c->log, "long", SC_S("t", text));
    free(text);
    const char *out = read_out(c);
    assert_has(out, "xxx...\n");
    assert_true(strlen(out) < 4300);
}

static void test_names_parse(void **state)
{
    (void)state;
    assert_int_equal(sc_log_level_parse("error"), SC_LOG_ERROR);
    assert_int_equal(sc_log_level_parse("trace"), SC_LOG_TRACE);
    assert_int_equal(sc_log_level_parse("loud"), -1);
    assert_int_equal(sc_log_format_parse("json"), SC_LOG_JSON);
    assert_int_equal(sc_log_format_parse(""), -1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_logfmt_quotes_what_needs_it),
        TEST(test_json_escapes),
        TEST(test_level_hides_lines),
        TEST(test_children_have_names),
        TEST(test_null_log_is_silent),
        TEST(test_long_text_is_cut),
        TEST(test_names_parse),
    };
    return cmocka_run_group_tests_name("base/log", tests, NULL, NULL);
}
