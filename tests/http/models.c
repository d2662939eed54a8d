// Models and detections over real sockets: a scripted runtime, an app without video.
#include "../app/fake_detector.h"
#include "base/clock.h"
#include "env.h"

// A form of (name, value) pairs that ends with NULL.
static struct answer post_form(struct env *env, const char *const *pairs)
{
    sc_str body = {0}, request = {0};
    for (; *pairs; pairs += 2)
        sc_str_addf(
            &body, "--xyz\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n%s\r\n",
            pairs[0], strcmp(pairs[0], "file") ? "" : "; filename=\"m.onnx\"", pairs[1]);
    sc_str_add(&body, "--xyz--\r\n");
    sc_str_addf(&request,
                "POST /api/v1/models HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
                "Content-Type: multipart/form-data; boundary=xyz\r\n\r\n%s",
                body.len, body.s);
    struct answer a = ask(env, request.s);
    sc_str_release(&body);
    sc_str_release(&request);
    return a;
}

// Until the model is no longer being loaded; the answer tells how it ended.
static struct answer settled(struct env *env, const char *name)
{
    char request[128];
    snprintf(request, sizeof(request), "GET /api/v1/models/%s HTTP/1.1\r\nHost: x\r\n\r\n",
             name);
    for (;;) {
        struct answer a = ask(env, request);
        if (a.status != 200 || !strstr(a.body.s, "\"state\":\"loading\""))
            return a;
        answer_release(&a);
        usleep(1000);
    }
}

static void load_model(struct env *env, const char *name, const char *text)
{
    struct answer a = post_form(env, (const char *[]){"name", name, "file", text, NULL});
    assert_int_equal(a.status, 202);
    answer_release(&a);
    a = settled(env, name);
    assert_has(a.body, "\"state\":\"ready\"");
    answer_release(&a);
}

static void test_life_of_a_model(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    struct answer a = ask(&env, GET("/api/v1/models"));
    assert_int_equal(a.status, 200);
    assert_has(a.body, "{\"models\":[]}");
    answer_release(&a);
    a = post_form(&env, (const char *[]){"file", "good 1", "labels", "cat\ndog\n", "name", "m",
                                         "threshold", "0.25", NULL});
    assert_int_equal(a.status, 202);
    assert_header(a, "Location", "/api/v1/models/m");
    answer_release(&a);
    a = settled(&env, "m");
    assert_has(a.body, "\"state\":\"ready\"");
    assert_has(a.body, "\"default\":true");
    assert_has(a.body, "\"origin\":\"upload\"");
    assert_has(a.body,
               "\"provider\":\"cpu\",\"device\":\"cpu\",\"provider_reason\":\"a fake\"");
    assert_has(a.body, "\"threshold\":0.25");
    assert_has(a.body, "\"labels\":[\"cat\",\"dog\"]");
    answer_release(&a);
    a = ask(&env, GET("/api/v1/models"));
    assert_has(a.body, "\"label_count\":2");
    assert_null(strstr(a.body.s, "\"labels\""));
    answer_release(&a);
    a = post_form(&env, (const char *[]){"name", "m", "file", "garbage", NULL});
    assert_int_equal(a.status, 202);
    answer_release(&a);
    a = settled(&env, "m"); // what was there goes on
    assert_has(a.body, "\"state\":\"failed\",\"reason\":\"this is no model\"");
    assert_has(a.body, "\"serving\":true");
    answer_release(&a);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/frame?n=1&model=m")), 200);
    assert_int_equal(ask_status(&env, "DELETE /api/v1/models/m HTTP/1.1\r\nHost: x\r\n\r\n"),
                     204);
    assert_int_equal(ask_status(&env, "DELETE /api/v1/models/m HTTP/1.1\r\nHost: x\r\n\r\n"),
                     404);
    assert_int_equal(ask_status(&env, GET("/api/v1/models/m")), 404);
    close_env(&env);
}

static void test_bad_uploads(void **state)
{
    (void)state;
    static const struct {
        const char *pairs[8];
        int status;
        const char *field;
    } cases[] = {
        {{"name", "m"}, 400, "file"},
        {{"file", "good 0"}, 400, "name"},
        {{"name", "../m", "file", "good 0"}, 400, "name"},
        {{"name", ".m", "file", "good 0"}, 400, "name"},
        {{"name", "m", "file", ""}, 422, "file"},
        {{"name", "m", "file", "good 0", "name", "n"}, 400, "name"},
        {{"name", "m", "file", "good 0", "file", "good 0"}, 400, "file"},
        {{"name", "m", "file", "good 0", "colour", "red"}, 400, "body"},
        {{"name", "m", "file", "good 0", "threshold", "2"}, 400, "threshold"},
        {{"name", "m", "file", "good 0", "threshold", "nan"}, 400, "threshold"},
        {{"name", "m", "file", "good 0", "size", "33"}, 400, "size"},
    };
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        char wanted[64];
        struct answer a = post_form(&env, cases[i].pairs);
        snprintf(wanted, sizeof(wanted), "\"field\":\"%s\"", cases[i].field);
        assert_int_equal(a.status, cases[i].status);
        assert_has(a.body, wanted);
        answer_release(&a);
    }
    assert_int_equal(ask_status(&env, "POST /api/v1/models HTTP/1.1\r\nHost: x\r\n"
                                      "Content-Length: 2\r\n\r\nhi"),
                     415);
    assert_int_equal(ask_status(&env, "POST /api/v1/models HTTP/1.1\r\nHost: x\r\n"
                                      "Content-Type: multipart/form-data; boundary=xyz\r\n"
                                      "Content-Length: 7\r\n\r\n--xyz--"),
                     400);
    struct answer a = ask(&env, GET("/api/v1/models"));
    assert_has(a.body, "{\"models\":[]}");
    answer_release(&a);
    char *large = sc_xcalloc(1, (1 << 20) + 2);
    memset(large, 'x', 1 << 20);
    a = post_form(&env, (const char *[]){"name", "m", "file", large, NULL});
    assert_int_equal(a.status, 413);
    answer_release(&a);
    free(large);
    close_env(&env);
}

static void test_models_that_do_not_answer(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    struct fake_runtime *rt = fake_app_runtime(env.app);
    assert_int_equal(ask_status(&env, GET("/api/gpu/video/clip/frame?inference=true")), 501);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/detections")), 501);
    rt->start_ret = SC_ENOTFOUND;
    struct answer a = post_form(&env, (const char *[]){"name", "m", "file", "good 0", NULL});
    answer_release(&a);
    a = settled(&env, "m");
    assert_has(a.body, "install the runtime");
    answer_release(&a);
    a = ask(&env, GET("/api/v1/videos/clip/frame?model=m"));
    assert_int_equal(a.status, 501);
    assert_has(a.body, "install the runtime");
    answer_release(&a);
    rt->start_ret = 0;
    a = post_form(&env, (const char *[]){"name", "bad", "file", "bad", NULL});
    answer_release(&a);
    a = settled(&env, "bad");
    answer_release(&a);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/frame?model=bad")), 409);
    rt->load_ns = 300 * SC_NS_PER_MS;
    a = post_form(&env, (const char *[]){"name", "slow", "file", "good 0", NULL});
    answer_release(&a);
    a = ask(&env, GET("/api/v1/videos/clip/frame?model=slow"));
    assert_int_equal(a.status, 503);
    assert_header(a, "Retry-After", "1");
    answer_release(&a);
    a = settled(&env, "slow");
    answer_release(&a);
    a = ask(&env, GET("/api/v1/videos/clip/frame?model=none"));
    assert_int_equal(a.status, 404);
    assert_has(a.body, "\"field\":\"model\"");
    assert_has(a.body, "ready: slow");
    answer_release(&a);
    close_env(&env);
}

static void test_frames(void **state)
{
    (void)state;
    static const char *const paths[] = {"/api/v1/videos/clip/frame?n=3&model=m",
                                        "/api/gpu/video/clip/frame?t=0.12&inference=true"};
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    load_model(&env, "m", "good 0");
    for (int i = 0; i < 2; i++) {
        char request[200];
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", paths[i]);
        struct answer a = ask(&env, request);
        assert_int_equal(a.status, 200);
        assert_header(a, "X-Count", "1");
        assert_header(a, "X-Model", "m");
        assert_header(a, "X-Provider", "cpu");
        assert_header(a, "X-Frame-Number", "3");
        answer_release(&a);
        snprintf(request, sizeof(request), "GET %s&threshold=0.1 HTTP/1.1\r\nHost: x\r\n\r\n",
                 paths[i]);
        a = ask(&env, request);
        assert_header(a, "X-Count", "2");
        answer_release(&a);
        snprintf(request, sizeof(request), "GET %s&threshold=1.1 HTTP/1.1\r\nHost: x\r\n\r\n",
                 paths[i]);
        assert_int_equal(ask_status(&env, request), 400);
    }
    struct answer a = ask(&env, GET("/api/v1/videos/clip/frame?n=3&model=m&inference=false"));
    char value[16];
    assert_null(answer_header(&a, "X-Count", value, sizeof(value)));
    answer_release(&a);
    fake.busy = 1;
    a = ask(&env, GET("/api/v1/videos/clip/frame?n=3&model=m"));
    assert_int_equal(a.status, 429);
    assert_header(a, "Retry-After", "1");
    answer_release(&a);
    const char body[] = "{\"n\":[1,2],\"model\":\"m\",\"detections\":true}";
    char request[300];
    snprintf(
        request, sizeof(request),
        "POST /api/v1/videos/clip/frames HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(body), body);
    a = ask(&env, request);
    assert_int_equal(a.status, 200);
    // Pictures are of letters only, so text finds its way through.
    assert_has(a.body, "X-Count: 1\r\n");
    assert_has(a.body, "{\"n\":1,\"t\":0.04,");
    assert_has(a.body, "{\"n\":2,\"t\":0.08,");
    answer_release(&a);
    close_env(&env);
}

static void test_lines(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    load_model(&env, "m", "good 0");
    fake.detect_busy = 5; // a patient reader does not see it
    struct answer a =
        ask(&env, GET("/api/v1/videos/clip/detections?from=10&to=17&every=3&threshold=0.2"));
    assert_int_equal(a.status, 200);
    assert_header(a, "Content-Type", "application/x-ndjson");
    assert_string_equal(
        a.body.s,
        "{\"n\":10,\"t\":0.4,\"width\":320,\"height\":240,\"model\":\"m\",\"detections\":["
        "{\"class\":0,\"label\":\"cat\",\"score\":0.9,\"box\":[10,1,50,60]},"
        "{\"class\":7,\"label\":\"7\",\"score\":0.3,\"box\":[2,2,30,40]}]}\n"
        "{\"n\":13,\"t\":0.52,\"width\":320,\"height\":240,\"model\":\"m\",\"detections\":["
        "{\"class\":0,\"label\":\"cat\",\"score\":0.9,\"box\":[13,1,50,60]},"
        "{\"class\":7,\"label\":\"7\",\"score\":0.3,\"box\":[2,2,30,40]}]}\n"
        "{\"n\":16,\"t\":0.64,\"width\":320,\"height\":240,\"model\":\"m\",\"detections\":["
        "{\"class\":0,\"label\":\"cat\",\"score\":0.9,\"box\":[16,1,50,60]},"
        "{\"class\":7,\"label\":\"7\",\"score\":0.3,\"box\":[2,2,30,40]}]}\n");
    answer_release(&a);
    a = ask(&env, GET("/api/v1/videos/clip/detections"));
    int lines = 0;
    for (const char *s = a.body.s; (s = strchr(s, '\n')); s++)
        lines++;
    assert_int_equal(lines, 100);
    answer_release(&a);
    fake.detect_ret = SC_EDATA;
    a = ask(&env, GET("/api/v1/videos/clip/detections?to=1"));
    assert_has(a.body, "{\"n\":0,\"t\":0,\"error\":{");
    answer_release(&a);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/detections?from=100")), 416);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/detections?to=101")), 416);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/detections?from=5&to=5")), 400);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/detections?every=0")), 400);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/none/detections")), 404);
    assert_int_equal(
        ask_status(&env, "HEAD /api/v1/videos/clip/detections HTTP/1.1\r\nHost: x\r\n\r\n"),
        200);
    close_env(&env);
}

// Who leaves in the middle takes what was asked for him along.
static void test_lines_of_who_left(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    load_model(&env, "m", "good 0");
    fake.delay_ns = 20 * SC_NS_PER_MS;
    struct client c = client_open(env.port);
    client_send(&c, GET("/api/v1/videos/clip/detections"));
    client_more(&c);
    client_close(&c);
    int64_t end = sc_clock_now() + 5 * SC_NS_PER_S;
    int before;
    do { // until a while passes without a new one
        before = atomic_load(&fake.detected);
        sc_clock_sleep(100 * SC_NS_PER_MS);
    } while (before != atomic_load(&fake.detected) && sc_clock_now() < end);
    assert_true(atomic_load(&fake.detected) < 100);
    close_env(&env);
}

static struct answer post_times(struct env *env, const char *query, const char *body)
{
    char request[600];
    snprintf(request, sizeof(request),
             "POST /api/gpu/video/clip/batch_inference%s HTTP/1.1\r\nHost: x\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             query, strlen(body), body);
    return ask(env, request);
}

static void test_batch(void **state)
{
    (void)state;
    static const struct {
        const char *query, *body;
        int status;
        const char *part;
    } cases[] = {
        {"", "[]", 400, "\"field\":\"t\""},
        {"", "{}", 400, "\"field\":\"t\""},
        {"", "[0.5", 400, "\"field\":\"body\""},
        {"", "[0.5,true]", 400, "\"field\":\"t[1]\""},
        {"", "[0.5,4]", 416, "\"field\":\"t[1]\""},
        {"?model=none", "[0.5]", 404, "\"field\":\"model\""},
        {"?threshold=7", "[0.5]", 400, "\"field\":\"threshold\""},
    };
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    load_model(&env, "m", "good 0");
    struct answer a = post_times(&env, "", "[0.52, 0.0, \"1.0\"]");
    assert_int_equal(a.status, 200);
    assert_has(a.body, "\"status\":\"success\",\"processed_frames\":3,");
    assert_has(a.body, "\"gpu_device\":\"cpu\",\"batch_size\":3,");
    assert_has(a.body, "\"results\":[{\"n\":13,\"t\":0.52,");
    assert_has(a.body, "},{\"n\":0,\"t\":0,");
    assert_has(a.body, "},{\"n\":25,\"t\":1,");
    answer_release(&a);
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        a = post_times(&env, cases[i].query, cases[i].body);
        assert_int_equal(a.status, cases[i].status);
        assert_has(a.body, cases[i].part);
        answer_release(&a);
    }
    fake.detect_busy = 1;
    a = post_times(&env, "", "[0.5]");
    assert_int_equal(a.status, 429);
    answer_release(&a);
    a = ask(&env, GET("/api/gpu/stats"));
    assert_has(a.body, "\"batch_inferences\":2");
    assert_has(a.body, "\"batch_processing\":true");
    assert_has(a.body, "\"pipeline\":\"cpu\",\"pipeline_reason\":\"for tests\"");
    answer_release(&a);
    close_env(&env);
}

static void test_stream(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    assert_int_equal(ask_status(&env, GET("/api/gpu/video/clip/stream?inference=true")), 501);
    load_model(&env, "m", "good 0");
    struct answer a = ask(&env, GET("/api/v1/videos/clip/stream.mjpeg?t=3.8&fps=50&model=m"));
    assert_int_equal(a.status, 200);
    assert_has(a.body, "X-Count: 1\r\n");
    answer_release(&a);
    struct client c = client_open(env.port);
    client_send(&c, GET("/api/gpu/video/clip/stream?fps=20&inference=true"));
    client_more(&c);
    assert_int_equal(ask_status(&env, "DELETE /api/v1/models/m HTTP/1.1\r\nHost: x\r\n\r\n"),
                     204);
    while (client_more(&c)) // the model is gone: so is the stream
        ;
    client_close(&c);
    close_env(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_model),
        cmocka_unit_test(test_bad_uploads),
        cmocka_unit_test(test_models_that_do_not_answer),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_of_who_left),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_stream),
    };
    return cmocka_run_group_tests_name("http/models", tests, NULL, NULL);
}
