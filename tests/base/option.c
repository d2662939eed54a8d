#include "base/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "test.h"

struct web {
    int64_t port;
    char *host;
    bool tls;
    char *token;
};

struct media {
    int64_t budget, timeout, mode;
    double gain;
};

static const sc_option web_rows[] = {
    {"port", SC_OPT_INT, offsetof(struct web, port), "8000", "port to listen on", .min = 0,
     .max = 65535},
    {"host", SC_OPT_STRING, offsetof(struct web, host), "127.0.0.1", "address"},
    {"tls", SC_OPT_BOOL, offsetof(struct web, tls), "false", "encrypt"},
    {"token", SC_OPT_STRING, offsetof(struct web, token), "", "bearer token", .secret = true},
};
static const sc_option media_rows[] = {
    {"frame-cache", SC_OPT_SIZE, offsetof(struct media, budget), "64M", "budget", .min = 0,
     .max = 1 << 30},
    {"timeout", SC_OPT_DURATION, offsetof(struct media, timeout), "30s", "limit"},
    {"mode", SC_OPT_CHOICE, offsetof(struct media, mode), "auto", "which",
     .choices = "auto|cpu|gpu"},
    {"gain", SC_OPT_NUM, offsetof(struct media, gain), "0.5", "how much", .min = 0, .max = 1},
};
static const sc_option_group web_group = SC_OPTION_GROUP("http", web_rows, struct web);
static const sc_option_group media_group = SC_OPTION_GROUP("media", media_rows, struct media);
static const sc_option_group *const groups[] = {&web_group, &media_group, NULL};

static int setup(void **state)
{
    *state = sc_options_new(groups);
    return 0;
}

static int teardown(void **state)
{
    sc_options *opts = *state;
    sc_options_free(&opts);
    return opts != NULL;
}

static const struct web *web_of(sc_options *opts)
{
    return sc_options_get(opts, &web_group);
}

static const struct media *media_of(sc_options *opts)
{
    return sc_options_get(opts, &media_group);
}

static int load(sc_options *opts, const char *text, sc_err *err)
{
    *err = (sc_err){0};
    return sc_options_load_text(opts, "saccade.yaml", text, strlen(text), err);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no <%s> in <%s>", part, text);
}

static void test_defaults(void **state)
{
    assert_int_equal(web_of(*state)->port, 8000);
    assert_string_equal(web_of(*state)->host, "127.0.0.1");
    assert_false(web_of(*state)->tls);
    assert_int_equal(media_of(*state)->budget, 64 << 20);
    assert_true(media_of(*state)->timeout == 30 * SC_NS_PER_S);
    assert_int_equal(media_of(*state)->mode, 0);
    assert_true(media_of(*state)->gain == 0.5);
}

static void test_file(void **state)
{
    sc_err err;
    int ret = load(*state,
                   "# comment\nport: 81\nhttp:\n  host: \"\"\n  tls: yes\nmedia:\n"
                   "frame-cache: 1.5M\nmode: gpu\ngain: 1\ntimeout: '250ms'\n",
                   &err);
    assert_string_equal(err.text, "");
    assert_int_equal(ret, SC_OK);
    assert_int_equal(web_of(*state)->port, 81);
    assert_string_equal(web_of(*state)->host, "");
    assert_true(web_of(*state)->tls);
    assert_int_equal(media_of(*state)->budget, 3 << 19);
    assert_int_equal(media_of(*state)->mode, 2);
    assert_true(media_of(*state)->timeout == 250 * SC_NS_PER_MS);
}

static void test_empty_files_are_fine(void **state)
{
    sc_err err;
    assert_int_equal(load(*state, "", &err), SC_OK);
    assert_int_equal(load(*state, "# nothing\n", &err), SC_OK);
    assert_int_equal(load(*state, "---\n", &err), SC_OK);
    assert_int_equal(load(*state, "{}\n", &err), SC_OK);
}

static void test_errors_name_the_line(void **state)
{
    static const struct {
        const char *text, *message;
        int code;
    } rows[] = {
        {"port: 1\nhots: x\n", "saccade.yaml:2: unknown option 'hots'", SC_EARG},
        {"\n\nport: abc\n",
         "saccade.yaml:3: option 'port' takes an integer from 0 to 65535, not 'abc'", SC_EARG},
        {"port: 70000\n", "saccade.yaml:1: option 'port'", SC_EARG},
        {"http:\n  tls: maybe\n", "saccade.yaml:2: option 'tls' takes true or false", SC_EARG},
        {"mode: tpu\n", "one of auto|cpu|gpu, not 'tpu'", SC_EARG},
        {"frame-cache: 2G\n", "a size such as 64M from 0 to 1G", SC_EARG},
        {"media:\n  port: 1\n", "saccade.yaml:2: unknown option 'port'", SC_EARG},
        {"html:\n  port: 1\n", "saccade.yaml:1: unknown group 'html'", SC_EARG},
        {"http:\n  http:\n    port: 1\n", "saccade.yaml:2: unknown group", SC_EARG},
        {"port: 1\nport: 2\n", "saccade.yaml:2: a second value for option 'port'", SC_EARG},
        {"port:\n", "saccade.yaml:1: no value", SC_EARG},
        {"port: [1]\n", "saccade.yaml:1: one plain value", SC_EARG},
        {"- port\n", "saccade.yaml:1: lines of the form", SC_EARG},
        {"just text\n", "saccade.yaml:1: lines of the form", SC_EARG},
        {"? [a]\n: b\n", "an option's name is wanted", SC_EARG},
        {"port: 1\n---\nport: 2\n", "second document", SC_EARG},
        {"port: &a 1\ntimeout: *a\n", "saccade.yaml:2: one plain value", SC_EARG},
        {"port: 1\nhost: \"a\n", "saccade.yaml:", SC_EDATA},
        {"host: \"a\\0b\"\n", "NUL character", SC_EDATA},
        {"port: \xff\n", "bad YAML", SC_EDATA},
        {"token: {}\n", "saccade.yaml:1: unknown group 'token'", SC_EARG},
    };
    for (size_t i = 0; i < SC_COUNT(rows); i++) {
        sc_err err;
        assert_int_equal(load(*state, rows[i].text, &err), rows[i].code);
        assert_has(err.text, rows[i].message);
    }
}

static void test_nothing_of_a_broken_file_is_applied(void **state)
{
    sc_err err;
    assert_int_equal(load(*state, "port: 9\nhost: other\ngain: 2\n", &err), SC_EARG);
    assert_string_equal(err.field, "gain");
    assert_int_equal(web_of(*state)->port, 8000);
    assert_string_equal(web_of(*state)->host, "127.0.0.1");
    assert_int_equal(load(*state, "port: 9\nhost: [\n", &err), SC_EARG);
    assert_int_equal(web_of(*state)->port, 8000);
}

static void test_files_on_disk(void **state)
{
    char path[] = "/tmp/saccade-test-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    fputs("port: 83\n", f);
    fclose(f);
    sc_err err = {0};
    assert_int_equal(sc_options_load_file(*state, path, &err), SC_OK);
    assert_int_equal(web_of(*state)->port, 83);
    f = fopen(path, "w");
    for (int i = 0; i < 70000; i++)
        fputs("# sixteen chars\n", f);
    fclose(f);
    assert_int_equal(sc_options_load_file(*state, path, &err), SC_ELIMIT);
    unlink(path);
    err = (sc_err){0};
    assert_int_equal(sc_options_load_file(*state, path, &err), SC_ENOTFOUND);
    assert_has(err.text, path);
    assert_int_equal(sc_options_load_file(*state, "/", &err), SC_EIO);
}

static void test_environment(void **state)
{
    sc_err err = {0};
    const char *good[] = {"PATH=/bin", "SACCADE_PORT=82", "SACCADE_FRAME_CACHE=1K",
                          "XSACCADE_Y=1", NULL};
    assert_int_equal(sc_options_load_env(*state, (char **)good, &err), SC_OK);
    assert_int_equal(web_of(*state)->port, 82);
    assert_int_equal(media_of(*state)->budget, 1024);
    const char *unknown[] = {"SACCADE_PORT=83", "SACCADE_NOPE=1", NULL};
    assert_int_equal(sc_options_load_env(*state, (char **)unknown, &err), SC_EARG);
    assert_has(err.text, "SACCADE_NOPE: unknown option");
    assert_int_equal(web_of(*state)->port, 82);
    const char *ill[] = {"SACCADE_TIMEOUT=soon", NULL};
    err = (sc_err){0};
    assert_int_equal(sc_options_load_env(*state, (char **)ill, &err), SC_EARG);
    assert_has(err.text, "SACCADE_TIMEOUT: option 'timeout' takes a duration");
}

static void test_flags(void **state)
{
    sc_err err = {0};
    const char *argv[] = {"saccade", "serve",   "--port=1", "--host",     "::1",
                          "file",    "--other", "--tls",    "--no-color", "--",
                          "--port",  "x",       NULL};
    int argc = 12;
    assert_int_equal(sc_options_load_args(*state, &argc, (char **)argv, &err), SC_OK);
    const char *const left[] = {"saccade",    "serve", "file",   "--other",
                                "--no-color", "--",    "--port", "x"};
    assert_int_equal(argc, SC_COUNT(left));
    for (int i = 0; i < argc; i++)
        assert_string_equal(argv[i], left[i]);
    assert_null(argv[argc]);
    assert_int_equal(web_of(*state)->port, 1);
    assert_string_equal(web_of(*state)->host, "::1");
    assert_true(web_of(*state)->tls);
    const char *more[] = {"saccade", "--no-tls", NULL};
    argc = 2;
    assert_int_equal(sc_options_load_args(*state, &argc, (char **)more, &err), SC_OK);
    assert_false(web_of(*state)->tls);
}

static void test_broken_flags(void **state)
{
    sc_err err = {0};
    const char *missing[] = {"saccade", "--tls", "--port", NULL};
    int argc = 3;
    assert_int_equal(sc_options_load_args(*state, &argc, (char **)missing, &err), SC_EARG);
    assert_has(err.text, "--port needs a value");
    assert_int_equal(argc, 3);
    assert_false(web_of(*state)->tls);
    const char *ill[] = {"saccade", "--no-port", "--gain=3", NULL};
    err = (sc_err){0};
    assert_int_equal(sc_options_load_args(*state, &argc, (char **)ill, &err), SC_EARG);
    assert_has(err.text, "--gain: option 'gain' takes a number from 0 to 1, not '3'");
}

static void test_precedence(void **state)
{
    sc_err err = {0};
    const char *env[] = {"SACCADE_PORT=2", "SACCADE_HOST=env", NULL};
    const char *argv[] = {"saccade", "--port=3", NULL};
    int argc = 2;
    assert_int_equal(load(*state, "port: 1\nhost: file\ntls: on\n", &err), SC_OK);
    assert_int_equal(sc_options_load_env(*state, (char **)env, &err), SC_OK);
    assert_int_equal(sc_options_load_args(*state, &argc, (char **)argv, &err), SC_OK);
    assert_int_equal(web_of(*state)->port, 3);
    assert_string_equal(web_of(*state)->host, "env");
    assert_true(web_of(*state)->tls);
    sc_str out = {0};
    sc_options_print(*state, &out);
    assert_has(out.s, "--port int = 3  (--port; default 8000)");
    assert_has(out.s, "--host string = env  (SACCADE_HOST; default 127.0.0.1)");
    assert_has(out.s, "--tls bool = true  (saccade.yaml:3; default false)");
    sc_str_release(&out);
}

static void test_secrets_are_not_told(void **state)
{
    sc_err err = {0};
    assert_int_equal(sc_options_set(*state, "token", "hunter2", "flag", &err), SC_OK);
    sc_str out = {0};
    sc_options_print(*state, &out);
    sc_options_print_json(*state, &out);
    assert_null(strstr(out.s, "hunter2"));
    assert_has(out.s, "--token string = ***");
    assert_string_equal(web_of(*state)->token, "hunter2");
    sc_str_release(&out);
}

static void test_json(void **state)
{
    sc_str out = {0};
    sc_options_print_json(*state, &out);
    assert_has(out.s,
               "{\"name\":\"port\",\"group\":\"http\",\"type\":\"int\",\"default\":\"8000\","
               "\"value\":8000,\"from\":\"default\","
               "\"allowed\":\"an integer from 0 to 65535\",\"help\":\"port to listen on\"}");
    assert_has(out.s, "\"value\":\"64M\"");
    assert_has(out.s, "\"value\":\"30s\"");
    assert_has(out.s, "\"value\":\"auto\"");
    sc_str_release(&out);
}

static void test_set_unknown(void **state)
{
    sc_err err = {0};
    assert_int_equal(sc_options_set(*state, "nope", "1", "here", &err), SC_EARG);
    assert_string_equal(err.field, "nope");
    assert_has(err.text, "here: unknown option 'nope'");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_file),
        TEST(test_empty_files_are_fine),
        TEST(test_errors_name_the_line),
        TEST(test_nothing_of_a_broken_file_is_applied),
        TEST(test_files_on_disk),
        TEST(test_environment),
        TEST(test_flags),
        TEST(test_broken_flags),
        TEST(test_precedence),
        TEST(test_secrets_are_not_told),
        TEST(test_json),
        TEST(test_set_unknown),
    };
    return cmocka_run_group_tests_name("base/option", tests, NULL, NULL);
}
