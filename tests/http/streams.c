// Live streams over real sockets: runs by script, an app without video.
#include "base/clock.h"
#include "env.h"

static struct answer post(struct env *env, const char *spec)
{
    sc_str body = {0}, request = {0};
    for (; *spec; spec++)
        sc_str_addc(&body, *spec == '\'' ? '"' : *spec);
    sc_str_addf(&request,
                "POST /api/v1/streams HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                "Content-Length: %zu\r\n\r\n%s",
                body.len, sc_str_get(&body));
    struct answer a = ask(env, request.s);
    sc_str_release(&body);
    sc_str_release(&request);
    return a;
}

static void post_good(struct env *env, const char *spec)
{
    struct answer a = post(env, spec);
    if (a.status != 201)
        fail_msg("%s: %d %s", spec, a.status, sc_str_get(&a.body));
    answer_release(&a);
}

static void assert_body(struct env *env, const char *request, int status, const char *part)
{
    struct answer a = ask(env, request);
    if (a.status != status || !strstr(sc_str_get(&a.body), part))
        fail_msg("%s%d %s", request, a.status, sc_str_get(&a.body));
    answer_release(&a);
}

#define DELETE(path) "DELETE " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define HEAD(path)   "HEAD " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_life_of_a_stream(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    assert_body(&env, GET("/api/v1/streams"), 200, "{\"streams\":[],\"next\":null}");
    struct answer a =
        post(&env, "{'input':'rtsp://me:hush@cam/1','id':'door','fps':5,"
                   "'outputs':['rtmp://live/app/hush','srt://h:1?passphrase=hush']}");
    assert_int_equal(a.status, 201);
    assert_header(a, "Location", "/api/v1/streams/door");
    assert_has(a.body, "\"input\":\"rtsp://me:***@cam/1\"");
    assert_null(strstr(a.body.s, "hush"));
    answer_release(&a);
    a = ask(&env, GET("/api/v1/streams/door"));
    assert_int_equal(a.status, 200);
    assert_has(a.body, "\"id\":\"door\"");
    assert_has(a.body, "\"state\":\"running\"");
    assert_has(a.body, "\"fps\":5");
    assert_has(a.body, "\"mjpeg_url\":\"/api/v1/streams/door/stream.mjpeg\"");
    assert_has(a.body, "\"hls_url\":\"/api/v1/streams/door/hls/index.m3u8\"");
    assert_null(strstr(a.body.s, "hush"));
    answer_release(&a);
    post_good(&env, "{'input':'testsrc:','id':'b'}");
    post_good(&env, "{'input':'testsrc:','id':'c'}");
    assert_body(&env, GET("/api/v1/streams?limit=2"), 200, "\"next\":\"c\"");
    assert_body(&env, GET("/api/v1/streams?limit=2&cursor=c"), 200, "\"id\":\"door\"");
    assert_body(&env, DELETE("/api/v1/streams/door"), 204, "");
    assert_body(&env, DELETE("/api/v1/streams/door"), 404, "\"field\":\"id\"");
    assert_body(&env, GET("/api/v1/streams/door"), 404, "no stream door");
    assert_body(&env, GET("/api/v1/streams/a%20b"), 400, "\"field\":\"id\"");
    assert_body(&env, GET("/api/v1/streams/door/stats"), 404, "no stream door");
    assert_body(&env, GET("/api/v1/streams/door/stream.mjpeg"), 404, "no stream door");
    assert_int_equal(ask_status(&env, HEAD("/api/v1/streams/b/stats")), 200);
    assert_int_equal(ask_status(&env, HEAD("/api/v1/streams/b/stream.mjpeg")), 200);
    assert_body(&env, GET("/api/v1/streams/b/stream.mjpeg?view=wide"), 400,
                "\"field\":\"view\"");
    assert_body(&env, GET("/api/v1/streams/b/stream.mjpeg?view=all"), 400,
                "\"field\":\"view\"");
    assert_body(&env, GET("/openapi.json"), 200, "/api/v1/streams/{id}/stats");
    close_env(&env);
}

static void test_bad_bodies_are_refused(void **state)
{
    static const struct {
        const char *spec;
        int status;
        const char *part;
    } cases[] = {
        {"{", 400, "\"field\":\"body\""},
        {"[1]", 400, "\"field\":\"body\""},
        {"{}", 400, "\"field\":\"input\""},
        {"{'input':'testsrc:','input':'testsrc:'}", 400, "\"field\":\"body\""},
        {"{'input':'testsrc:','inputs':1}", 400, "\"field\":\"inputs\""},
        {"{'input':'testsrc:','fps':-1}", 400, "\"field\":\"fps\""},
        {"{'input':'/etc/passwd'}", 403, "\"field\":\"input\""},
        {"{'input':'testsrc:','outputs':['/tmp/x.mp4']}", 403, "\"field\":\"outputs[0]\""},
        {"{'input':'video:none'}", 404, "\"field\":\"input\""},
        {"{'input':'testsrc:','model':'none'}", 404, "\"field\":\"model\""},
        {"{'input':'testsrc:','id':'here'}", 409, "\"field\":\"id\""},
        {"{'input':'testsrc:fail'}", 400, "\"field\":\"input\""},
    };
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    post_good(&env, "{'input':'testsrc:','id':'here'}");
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        struct answer a = post(&env, cases[i].spec);
        if (a.status != cases[i].status || !strstr(sc_str_get(&a.body), cases[i].part))
            fail_msg("%s: %d %s", cases[i].spec, a.status, sc_str_get(&a.body));
        assert_null(strstr(a.body.s, "hush"));
        answer_release(&a);
    }
    post_good(&env, "{'input':'video:clip','id':'b'}");
    post_good(&env, "{'input':'testsrc:','id':'c'}");
    post_good(&env, "{'input':'testsrc:','id':'d'}");
    struct answer a = post(&env, "{'input':'testsrc:','id':'e'}");
    assert_int_equal(a.status, 503);
    assert_header(a, "Retry-After", "1");
    answer_release(&a);
    close_env(&env);
}

static void test_figures_once(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    post_good(&env, "{'input':'testsrc:','id':'a','outputs':['rtmp://live/app/hush']}");
    struct answer a = ask(&env, GET("/api/v1/streams/a/stats?once=true"));
    assert_int_equal(a.status, 200);
    assert_header(a, "Content-Type", "application/json");
    assert_has(a.body, "\"source\":{\"codec\":\"h264\"");
    assert_has(a.body, "\"latency_p50_ms\":20,");
    assert_has(a.body,
               "\"url\":\"rtmp://live/app/***\",\"kind\":\"rtmp\",\"state\":\"running\"");
    assert_has(a.body, "\"name\":\"decode\"");
    assert_has(a.body, "\"busy\":0.25");
    assert_has(a.body, "\"queue\":2,\"queue_max\":8,\"drops\":{\"oldest\":5}");
    assert_null(strstr(a.body.s, "hush"));
    assert_null(strstr(a.body.s, "\"detection\""));
    answer_release(&a);
    assert_body(&env,
                "GET /api/v1/streams/a/stats HTTP/1.1\r\nHost: x\r\n"
                "Accept: application/json\r\n\r\n",
                200, "\"stages\":[");
    close_env(&env);
}

// Until so many of part came in.
static void await_parts(struct client *c, const char *part, int count)
{
    for (;;) {
        int found = 0;
        for (const char *p = c->in.len ? c->in.s : ""; (p = strstr(p, part)); p++)
            found++;
        if (found >= count)
            return;
        if (!client_more(c))
            fail_msg("only %d of %s", found, part);
    }
}

static void test_figures_as_events(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    post_good(&env, "{'input':'testsrc:','id':'a','restart':'never'}");
    struct client c = client_open(env.port), other = client_open(env.port);
    client_send(&c, GET("/api/v1/streams/a/stats"));
    client_send(&other, GET("/api/v1/streams/a/stats"));
    await_parts(&c, "event: stats\ndata: {\"id\":\"a\",\"state\":\"running\"", 2);
    client_close(&other); // leaves in the middle
    fake_app_live_end("a", SC_EIO, "gone to rtsp://u:hush@h/");
    await_parts(&c, "\"state\":\"failed\",\"reason\":\"gone to rtsp://u:***@h/\"", 1);
    struct answer a = client_read(&c, false); // ends well
    assert_int_equal(a.status, 200);
    assert_header(a, "Content-Type", "text/event-stream");
    answer_release(&a);
    client_close(&c);
    close_env(&env);
}

static void await_viewers(int count)
{
    for (int i = 0; fake_app_viewers() != count; i++) {
        assert_true(i < 20000);
        usleep(1000);
    }
}

static void test_many_watch(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    post_good(&env, "{'input':'testsrc:','id':'a','restart':'never'}");
    struct client c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = client_open(env.port);
        client_send(&c[i], GET("/api/v1/streams/a/stream.mjpeg"));
    }
    await_viewers(3);
    fake_app_picture("a", "jpeg-one", 7);
    for (int i = 0; i < 3; i++) {
        await_parts(&c[i], "X-Frame-Number: 7\r\nX-Frame-Time: 0.280000\r\n\r\n", 1);
        await_parts(&c[i], "jpeg-one", 1);
    }
    client_close(&c[2]); // which shows when something is sent
    for (int i = 0; fake_app_viewers() != 2; i++) {
        assert_true(i < 4000);
        fake_app_picture("a", "jpeg-two", 8);
        usleep(5000);
    }
    fake_app_live_end("a", 0, "");
    for (int i = 0; i < 2; i++) {
        struct answer a = client_read(&c[i], false);
        assert_int_equal(a.status, 200);
        assert_header(a, "Content-Type", "multipart/x-mixed-replace; boundary=saccade-frame");
        assert_has(a.body, "--saccade-frame--\r\n");
        answer_release(&a);
        client_close(&c[i]);
    }
    await_viewers(0);
    struct answer a = ask(&env, GET("/api/v1/streams/a/stream.mjpeg"));
    assert_int_equal(a.status, 409);
    assert_header(a, "Retry-After", "1");
    assert_has(a.body, "ended");
    answer_release(&a);
    close_env(&env);
}

#define HLS "/api/v1/streams/a/hls/"

static void test_hls(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    post_good(&env, "{'input':'testsrc:','id':'a'}");
    struct answer a = ask(&env, GET(HLS "index.m3u8?_HLS_msn=7&_HLS_part=2"));
    assert_int_equal(a.status, 200);
    assert_header(a, "Content-Type", "application/vnd.apple.mpegurl");
    assert_header(a, "Cache-Control", "no-store");
    assert_has(a.body, "a 7 2");
    answer_release(&a);
    a = ask(&env, GET(HLS "index-1-init.mp4"));
    assert_header(a, "Content-Type", "video/mp4");
    answer_release(&a);
    a = ask(&env, GET(HLS "index-1-00001.2.m4s"));
    assert_header(a, "Content-Type", "video/iso.segment");
    assert_has(a.body, "a -1 -1");
    answer_release(&a);
    assert_body(&env, GET(HLS "none.m4s"), 404, "as the script says");
    assert_body(&env, GET(HLS "idle.m4s"), 409, "as the script says");
    assert_body(&env, GET(HLS "late.m4s"), 503, "as the script says");
    assert_body(&env, GET(HLS "end.m4s"), 503, "as the script says");
    assert_int_equal(ask_status(&env, GET(HLS "many.m4s")), 503);
    assert_body(&env, GET(HLS "index.m3u8?_HLS_part=2"), 400, "_HLS_msn");
    assert_body(&env, GET(HLS "index.m3u8?_HLS_msn=-1"), 400, "_HLS_msn");
    assert_body(&env, GET("/api/v1/streams/b/hls/index.m3u8"), 404, "no stream b");
    struct client held = client_open(env.port);
    client_send(&held, GET(HLS "held.m4s"));
    usleep(50000);
    assert_body(&env, GET(HLS "index.m3u8"), 200, "a -1 -1");
    while (!held.in.len || !strstr(held.in.s, "held"))
        assert_true(client_more(&held));
    client_close(&held);
    close_env(&env);
}

// Who reads nothing gets no more than what is on its way; whoever reads gets all.
static void test_slow_viewers_skip(void **state)
{
    (void)state;
    struct env env;
    char *big = malloc(1 << 20);
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    post_good(&env, "{'input':'testsrc:','id':'a'}");
    struct client slow = client_open(env.port), quick = client_open(env.port);
    int small = 65536;
    setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    client_send(&slow, GET("/api/v1/streams/a/stream.mjpeg"));
    client_send(&quick, GET("/api/v1/streams/a/stream.mjpeg"));
    await_viewers(2);
    memset(big, 'x', (1 << 20) - 1);
    big[(1 << 20) - 1] = 0;
    for (int i = 0; i < 60; i++) {
        char end[32];
        fake_app_picture("a", big, i);
        snprintf(end, sizeof(end), "X-Frame-Number: %d\r\n", i);
        // All of it, else it is still on its way when the next one comes, and that is skipped.
        const char *at = NULL;
        while (!at || quick.in.len - (size_t)(at - quick.in.s) < (1 << 20)) {
            assert_true(client_more(&quick));
            at = strstr(quick.in.s, end);
        }
        sc_str_clear(&quick.in);
        usleep(2000);
    }
    int count = 0;
    struct timeval limit = {.tv_sec = 1};
    setsockopt(slow.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    while (client_more(&slow))
        ;
    for (const char *p = sc_str_get(&slow.in); (p = strstr(p, "X-Frame-Number")); p++)
        count++;
    assert_true(count > 0 && count < 30);
    client_close(&slow);
    client_close(&quick);
    free(big);
    close_env(&env);
}

static void test_closing_ends_all(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    post_good(&env, "{'input':'testsrc:','id':'a'}");
    struct client view = client_open(env.port), stats = client_open(env.port);
    client_send(&view, GET("/api/v1/streams/a/stream.mjpeg"));
    client_send(&stats, GET("/api/v1/streams/a/stats"));
    await_parts(&stats, "event: stats", 1);
    await_viewers(1);
    int64_t start = sc_clock_now();
    close_env(&env);
    assert_true(sc_clock_now() - start < 9 * SC_NS_PER_S); // the drain-timeout is 10 s
    client_close(&view);
    client_close(&stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_a_stream), cmocka_unit_test(test_bad_bodies_are_refused),
        cmocka_unit_test(test_figures_once),     cmocka_unit_test(test_figures_as_events),
        cmocka_unit_test(test_many_watch),       cmocka_unit_test(test_slow_viewers_skip),
        cmocka_unit_test(test_closing_ends_all), cmocka_unit_test(test_hls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
