// The core and the endpoints over real sockets, on an app without video.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "env.h"

#define MIB (1 << 20)

static void test_basics(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    struct client c = client_open(env.port);
    for (int i = 0; i < 3; i++) { // the connection is kept
        client_send(&c, "GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine-1\r\n\r\n");
        struct answer a = client_read(&c, false);
        assert_int_equal(a.status, 200);
        assert_header(a, "X-Request-Id", "mine-1");
        assert_has(a.body, "\"status\":\"healthy\"");
        answer_release(&a);
    }
    client_send(&c, "HEAD /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: no spaces\r\n\r\n");
    struct answer a = client_read(&c, true);
    char value[64];
    assert_int_equal(a.status, 200);
    assert_int_equal(strlen(answer_header(&a, "X-Request-Id", value, sizeof(value))), 16);
    answer_release(&a);
    client_send(&c, "DELETE /health HTTP/1.1\r\nHost: x\r\n\r\n");
    a = client_read(&c, false);
    assert_int_equal(a.status, 405);
    assert_header(a, "Allow", "GET, HEAD, OPTIONS");
    assert_header(a, "Content-Type", "application/problem+json");
    answer_release(&a);
    client_close(&c);
    assert_int_equal(ask_status(&env, GET("/nowhere")), 404);
    assert_int_equal(ask_status(&env, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), 204);
    assert_int_equal(ask_status(&env, GET("/openapi.json")), 200);
    assert_int_equal(ask_status(&env, GET("/docs")), 200);
    assert_int_equal(ask_status(&env, GET("/metrics")), 200);
    assert_int_equal(ask_status(&env, GET("http://host/ready")), 200);
    close_env(&env);
}

static void test_frame(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    for (int i = 0; i < 2; i++) {
        struct answer a = ask(&env, GET("/api/v1/videos/clip/frame?t=0.08"));
        assert_int_equal(a.status, 200);
        assert_int_equal(a.body.len, 30000);
        assert_int_equal(a.body.s[0], 'C');
        assert_header(a, "X-Frame-Number", "2");
        assert_header(a, "X-Frame-Time", "0.08");
        assert_header(a, "X-Cache-Status", i ? "HIT" : "MISS");
        assert_header(a, "ETag", "\"f2\"");
        answer_release(&a);
    }
    assert_int_equal(fake.pictures, 1);
    assert_int_equal(ask_status(&env,
                                "GET /api/v1/videos/clip/frame?n=2 HTTP/1.1\r\nHost: x\r\n"
                                "If-None-Match: \"f2\"\r\n\r\n"),
                     304);
    struct answer a = ask(&env, GET("/api/gpu/video/clip/frame?t=0.08&inference=false"));
    assert_int_equal(a.status, 200);
    assert_header(a, "X-Count", "0");
    assert_header(a, "X-GPU-Enabled", "False");
    assert_header(a, "X-Cache-Status", "HIT");
    answer_release(&a);
    fake.picture_ret = SC_EDATA;
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/frame?n=50")), 422);
    fake.picture_ret = SC_ECANCELLED;
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/frame?n=50")), 410);
    fake.picture_ret = 0;
    fake.busy = 1;
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/frame?n=50")), 503);
    close_env(&env);
}

static void test_bad_frames(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int status;
        const char *field;
    } cases[] = {
        {"?t=abc", 400, "t"},
        {"?t=-1", 400, "t"},
        {"?t=1e308", 400, "t"},
        {"?t=4", 416, "t"},
        {"?n=100", 416, "n"},
        {"?n=-1", 400, "n"},
        {"?n=1&t=1", 400, "n"},
        {"?w=100000", 400, "w"},
        {"?quality=0", 400, "quality"},
        {"?format=gif", 400, "format"},
        {"?modl=x", 400, "modl"},
        {"?t=%zz", 400, NULL},
        {"?n=99999999999999999999", 400, "n"},
    };
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        char request[256], field[64];
        snprintf(request, sizeof(request), GET("/api/v1/videos/clip/frame%s"), cases[i].query);
        struct answer a = ask(&env, request);
        assert_int_equal(a.status, cases[i].status);
        if (cases[i].field) {
            snprintf(field, sizeof(field), "\"field\":\"%s\"", cases[i].field);
            assert_has(a.body, field);
        }
        answer_release(&a);
    }
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/none/frame")), 404);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/..%2f..%2fetc/frame")), 400);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/../clip/frame")), 404);
    assert_int_equal(ask_status(&env, GET("/api/gpu/video/clip/frame?inference=true")), 501);
    close_env(&env);
}

static void test_frames(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    fake.picture_bytes = 10;
    const char *request = "POST /api/v1/videos/clip/frames HTTP/1.1\r\nHost: x\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s";
    static const struct {
        const char *body;
        int status;
        const char *wanted;
    } cases[] = {
        {"{\"n\":[5,1,99,5]}", 200, "X-Frame-Number: 5\r\n"},
        {"{\"t\":[0.2,\"0.04\",3.96]}", 200, "X-Frame-Time: 3.96\r\n"},
        {"{\"t\":[0.2,4]}", 416, "\"field\":\"t[1]\""},
        {"{\"n\":[0,-1]}", 400, "\"field\":\"n[1]\""},
        {"{\"n\":[0],\"t\":[0]}", 400, "not both"},
        {"{\"n\":[]}", 400, "\"field\":\"n\""},
        {"{\"n\":[0],\"w\":0}", 400, "\"field\":\"w\""},
        {"{\"n\":[0],\"w\":\"10\"}", 400, "\"field\":\"w\""},
        {"{\"n\":[0],\"quality\":101}", 400, "\"field\":\"quality\""},
        {"{\"n\":[0],\"frames\":1}", 400, "\"field\":\"frames\""},
        {"{\"t\":[null]}", 400, "\"field\":\"t[0]\""},
        {"{\"n\":[0]", 400, "not valid JSON"},
        {"[1]", 400, "object"},
        {"{}", 400, "\"field\":\"t\""},
        {"{\"n\":[3,4],\"format\":\"npy\"}", 200, "NPY 2 10 10"},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_str text = {0};
        sc_str_addf(&text, request, strlen(cases[i].body), cases[i].body);
        struct answer a = ask(&env, text.s);
        assert_int_equal(a.status, cases[i].status);
        assert_has(a.body, cases[i].wanted);
        answer_release(&a);
        sc_str_release(&text);
    }
    close_env(&env);
}

// More frames than the window, in the order asked, some refused for a while.
static void test_frames_order(void **state)
{
    (void)state;
    struct env env;
    sc_str body = {0}, text = {0};
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    fake.delay_ns = SC_NS_PER_MS;
    sc_str_add(&body, "{\"n\":[0");
    for (int i = 1; i < 60; i++)
        sc_str_addf(&body, ",%d", i * 37 % 100);
    sc_str_add(&body, "]}");
    sc_str_addf(&text,
                "POST /api/v1/videos/clip/frames HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
                "\r\n%s",
                body.len, body.s);
    struct answer a = ask(&env, text.s);
    assert_int_equal(a.status, 200);
    const char *at = a.body.s;
    for (int i = 0; i < 60; i++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "X-Frame-Number: %d\r\n", i * 37 % 100);
        const char *next = strstr(at, "X-Frame-Number: ");
        assert_non_null(next);
        assert_memory_equal(next, wanted, strlen(wanted));
        at = next + 1;
    }
    assert_has(a.body, "--saccade-part--");
    answer_release(&a);
    sc_str_release(&body);
    sc_str_release(&text);
    close_env(&env);
}

// --- uploads ------------------------------------------------------------------------------

// Sends a header and size bytes of body; false when the server closed early.
static bool send_body(struct client *c, const char *head, size_t size)
{
    static char block[MIB];
    bool open = client_send(c, head);
    for (size_t done = 0; open && done < size; done += sizeof(block))
        open = client_send_bytes(c, block,
                                 size - done < sizeof(block) ? size - done : sizeof(block));
    return open;
}

static void test_upload(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    fake.write_ns = 2 * SC_NS_PER_MS; // the disk is slower than the network
    struct client c = client_open(env.port);
    assert_true(send_body(&c,
                          "POST /api/v1/videos?id=up HTTP/1.1\r\nHost: x\r\n"
                          "Content-Type: video/mp4\r\nContent-Length: 12345678\r\n\r\n",
                          12345678));
    struct answer a = client_read(&c, false);
    assert_int_equal(a.status, 201);
    assert_header(a, "Location", "/api/v1/videos/up");
    assert_int_equal(fake.written, 12345678);
    answer_release(&a);
    // the same id again, on the same connection: told before the body, which is dropped
    send_body(
        &c, "POST /api/v1/videos?id=up HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n",
        3000000);
    a = client_read(&c, false);
    assert_int_equal(a.status, 409);
    answer_release(&a);
    client_send(&c, "DELETE /api/v1/videos/up HTTP/1.1\r\nHost: x\r\n\r\n");
    a = client_read(&c, false);
    assert_int_equal(a.status, 204);
    answer_release(&a);
    client_close(&c);
    close_env(&env);
}

#define PART_ID "--B\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\nform\r\n"
#define PART_FILE                                                                              \
    "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp4\"\r\n\r\ndata\r\n"

static void test_form(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body;
        int status;
        const char *wanted;
    } cases[] = {
        {"/api/gpu/video/upload", PART_ID PART_FILE "--B--", 200, "\"id\":\"form\""},
        {"/api/gpu/video/upload", PART_FILE PART_ID "--B--", 409, "\"field\":\"id\""},
        {"/api/v1/videos?id=q2", PART_FILE "--B--", 201, "\"name\":\"a.mp4\""},
        {"/api/v1/videos?id=q3", PART_ID PART_FILE "--B--", 400, "\"field\":\"id\""},
        {"/api/v1/videos", PART_ID "--B--", 400, "\"field\":\"file\""},
        {"/api/v1/videos?id=q4", PART_FILE PART_FILE "--B--", 400, "more than one"},
        {"/api/v1/videos?id=q5", PART_FILE, 400, "last boundary"},
        {"/api/v1/videos?id=q6", "junk", 400, "malformed"},
        {"/api/v1/videos/upload", PART_FILE "--B--", 400, "unknown form field"},
        {"/api/v1/videos?id=a/b", PART_FILE "--B--", 400, "\"field\":\"id\""},
        {"/api/v1/videos?size=1", PART_FILE "--B--", 400, "\"field\":\"size\""},
    };
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        sc_str text = {0};
        sc_str_addf(&text,
                    "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
                    "Content-Type: multipart/form-data; boundary=B\r\n\r\n%s",
                    cases[i].path, strlen(cases[i].body), cases[i].body);
        struct answer a = ask(&env, text.s);
        assert_int_equal(a.status, cases[i].status);
        assert_has(a.body, cases[i].wanted);
        answer_release(&a);
        sc_str_release(&text);
    }
    assert_int_equal(fake.finished, 2);
    assert_int_equal(fake.open_uploads, 0);
    close_env(&env);
}

static void wait_for(const atomic_int *value, int wanted)
{
    for (int i = 0; i < 5000 && atomic_load(value) != wanted; i++)
        sc_clock_sleep(SC_NS_PER_MS);
    assert_int_equal(atomic_load(value), wanted);
}

static void test_upload_cut(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    fake.write_ns = 20 * SC_NS_PER_MS;
    for (int i = 0; i < 4; i++) { // the client leaves while the writer waits, or works
        struct client c = client_open(env.port);
        send_body(&c,
                  "POST /api/v1/videos?id=cut HTTP/1.1\r\nHost: x\r\n"
                  "Content-Length: 20000000\r\n\r\n",
                  i % 2 ? 5 * MIB : 1000);
        client_close(&c);
        wait_for(&fake.aborted, i + 1);
    }
    assert_int_equal(fake.finished, 0);
    close_env(&env);
}

static void test_upload_fails(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    struct client c = client_open(env.port);
    fake.write_ret = SC_ENOSPACE; // a client that reads only at the end still gets the answer
    assert_true(send_body(&c,
                          "POST /api/v1/videos?id=full HTTP/1.1\r\nHost: x\r\n"
                          "Content-Length: 9000000\r\n\r\n",
                          9000000));
    struct answer a = client_read(&c, false);
    assert_int_equal(a.status, 507);
    answer_release(&a);
    assert_int_equal(fake.open_uploads, 0);
    fake.write_ret = 0;
    fake.finish_ret = SC_EDATA;
    assert_true(send_body(
        &c, "POST /api/v1/videos?id=bad HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 9));
    a = client_read(&c, false);
    assert_int_equal(a.status, 422);
    answer_release(&a);
    fake.finish_ret = 0;
    client_send(
        &c, "POST /api/v1/videos?id=empty HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    a = client_read(&c, false);
    assert_int_equal(a.status, 422);
    answer_release(&a);
    client_close(&c);
    close_env(&env);
}

static void test_refused_early(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    struct client c = client_open(env.port);
    send_body(&c,
              "POST /api/v1/videos HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000\r\n\r\n",
              1000);
    struct answer a = client_read(&c, false);
    assert_int_equal(a.status, 413);
    assert_header(a, "Connection", "close");
    answer_release(&a);
    client_close(&c);
    // nobody says "continue" to what will be refused
    assert_int_equal(ask_status(&env, "POST /api/v1/videos?x=1 HTTP/1.1\r\nHost: x\r\n"
                                      "Expect: 100-continue\r\nContent-Length: 99\r\n\r\n"),
                     400);
    assert_int_equal(ask_status(&env, "POST /api/v1/videos HTTP/1.1\r\nHost: x\r\n"
                                      "Content-Type: text/html\r\nExpect: 100-continue\r\n"
                                      "Content-Length: 99\r\n\r\n"),
                     415);
    assert_int_equal(ask_status(&env, "POST /api/v1/videos/clip/frames HTTP/1.1\r\nHost: x\r\n"
                                      "Content-Length: 999999999\r\n\r\n"),
                     413);
    close_env(&env);
}

// --- limits -------------------------------------------------------------------------------

static void test_token(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, (const char *[]){"token=s3cret", NULL}, NULL), 0);
    struct answer a = ask(&env, GET("/api/v1/videos"));
    assert_int_equal(a.status, 401);
    assert_header(a, "WWW-Authenticate", "Bearer realm=\"saccade\"");
    answer_release(&a);
    static const struct {
        const char *value;
        int status;
    } cases[] = {
        {"Bearer s3cret", 200},  {"bearer s3cret", 200}, {"Bearer s3cre", 401},
        {"Bearer s3crets", 401}, {"Bearer ", 401},       {"Basic s3cret", 401},
        {"s3cret", 401},
    };
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        char request[256];
        snprintf(request, sizeof(request),
                 "GET /api/v1/videos HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n",
                 cases[i].value);
        assert_int_equal(ask_status(&env, request), cases[i].status);
    }
    assert_int_equal(ask_status(&env, GET("/health")), 200);
    assert_int_equal(ask_status(&env, GET("/api/v1/videos?token=s3cret")), 401);
    close_env(&env);
}

static void test_rate(void **state)
{
    (void)state;
    struct env env;
    char value[16];
    assert_int_equal(open_env(&env, (const char *[]){"rate=0.5", "rate-burst=2", NULL}, NULL),
                     0);
    assert_int_equal(ask_status(&env, GET("/ready")), 200);
    assert_int_equal(ask_status(&env, GET("/ready")), 200);
    struct answer a = ask(&env, GET("/ready"));
    assert_int_equal(a.status, 429);
    assert_in_range(atoi(answer_header(&a, "Retry-After", value, sizeof(value))), 1, 2);
    answer_release(&a);
    close_env(&env);
}

static bool answered_within(const struct client *c, int timeout_ms)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

// Who comes when all places are taken waits for one, and is neither refused nor forgotten.
static void test_max_connections(void **state)
{
    (void)state;
    struct env env;
    const char *const options[] = {"max-connections=2", "io-threads=2", NULL};
    assert_int_equal(open_env(&env, options, NULL), 0);
    struct client c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = client_open(env.port);
        client_send(&c[i], GET("/ready"));
        assert_int_equal(answered_within(&c[i], i < 2 ? 10000 : 100), i < 2);
    }
    client_close(&c[1]);
    assert_true(answered_within(&c[2], 10000));
    client_close(&c[0]);
    client_close(&c[2]);
    close_env(&env);
}

// Opening and closing under clients that come and go: nobody is taken by what is gone.
static void *knock(void *arg)
{
    const atomic_int *port = arg;
    for (int p; (p = atomic_load(port)) >= 0;) {
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)p),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (p && !connect(fd, (struct sockaddr *)&at, sizeof(at)))
            (void)!write(fd, GET("/ready"), strlen(GET("/ready")));
        close(fd);
    }
    return NULL;
}

static void test_closing_while_clients_come(void **state)
{
    (void)state;
    atomic_int port = 0;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, knock, &port);
    for (int i = 0; i < 20; i++) {
        struct env env;
        assert_int_equal(open_env(&env, NULL, NULL), 0);
        atomic_store(&port, env.port);
        sc_clock_sleep(5 * SC_NS_PER_MS);
        close_env(&env);
    }
    atomic_store(&port, -1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void test_slow_clients(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, (const char *[]){"idle-timeout=400ms", NULL}, NULL), 0);
    struct client header = client_open(env.port), body = client_open(env.port);
    client_send(&header, "GET /ready HTTP/1.1\r\nHost: x\r\n");
    client_send(&body, "POST /api/v1/videos?id=slow HTTP/1.1\r\nHost: x\r\n"
                       "Content-Length: 1000\r\n\r\n");
    int64_t start = sc_clock_now();
    bool header_open = true, body_open = true;
    while ((header_open || body_open) && sc_clock_now() - start < 5 * SC_NS_PER_S) {
        header_open = header_open && client_send(&header, "X"); // a drop now and then
        body_open = body_open && client_send(&body, "x");
        sc_clock_sleep(50 * SC_NS_PER_MS);
    }
    assert_false(header_open || body_open);
    client_close(&header);
    client_close(&body);
    wait_for(&fake.aborted, 1);
    close_env(&env);
}

static void test_big_header(void **state)
{
    (void)state;
    struct env env;
    sc_str text = {0};
    assert_int_equal(open_env(&env, (const char *[]){"max-header=2K", NULL}, NULL), 0);
    sc_str_add(&text, "GET /ready HTTP/1.1\r\nHost: x\r\nX-Long: ");
    for (int i = 0; i < 3000; i++)
        sc_str_addc(&text, 'a');
    sc_str_add(&text, "\r\n\r\n");
    assert_int_equal(ask_status(&env, text.s), 431);
    sc_str_release(&text);
    close_env(&env);
}

// --- open and close -----------------------------------------------------------------------

static void test_refuses_to_open(void **state)
{
    (void)state;
    struct env env, other;
    char port[32];
    sc_err err = {0};
    assert_int_equal(open_env(&env, (const char *[]){"host=0.0.0.0", NULL}, &err), SC_EARG);
    assert_string_equal(err.field, "token");
    close_env(&env);
    err = (sc_err){0};
    assert_int_equal(
        open_env(&env, (const char *[]){"host=no.such.host.invalid", "token=x", NULL}, &err),
        SC_EARG);
    assert_string_equal(err.field, "host");
    close_env(&env);
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    snprintf(port, sizeof(port), "port=%d", env.port);
    err = (sc_err){0};
    other = (struct env){.options = sc_options_new(groups), .app = env.app};
    sc_require(!sc_options_set(other.options, "port", port + 5, "test", NULL));
    assert_int_equal(
        sc_http_open(&other.http, &(struct sc_http_params){env.app, other.options}, &err),
        SC_EBUSY);
    assert_string_equal(err.field, "port");
    assert_null(other.http);
    sc_options_free(&other.options);
    close_env(&env);
}

static void *close_later(void *arg)
{
    sc_clock_sleep(100 * SC_NS_PER_MS);
    sc_http_close(arg);
    return NULL;
}

// What is under way ends well; what comes later finds nobody.
static void test_drain(void **state)
{
    (void)state;
    struct env env;
    pthread_t thread;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    fake.delay_ns = 500 * SC_NS_PER_MS;
    struct client c = client_open(env.port), live = client_open(env.port);
    client_send(&live, GET("/api/v1/videos/clip/stream.mjpeg")); // would take four seconds
    client_send(&c, GET("/api/v1/videos/clip/frame?n=70"));
    pthread_create(&thread, NULL, close_later, &env.http);
    struct answer a = client_read(&c, false);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body.len, 30000);
    answer_release(&a);
    int64_t start = sc_clock_now();
    pthread_join(thread, NULL);
    assert_true(sc_clock_now() - start < 2 * SC_NS_PER_S);
    client_close(&c);
    client_close(&live);
    close_env(&env);
}

// A client that never ends its request cannot hold the server for longer than drain-timeout.
static void test_drain_timeout(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, (const char *[]){"drain-timeout=200ms", NULL}, NULL), 0);
    struct client c = client_open(env.port);
    send_body(
        &c, "POST /api/v1/videos?id=u HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n", 10);
    sc_clock_sleep(50 * SC_NS_PER_MS);
    int64_t start = sc_clock_now();
    sc_http_close(&env.http);
    assert_in_range(sc_clock_now() - start, 150 * SC_NS_PER_MS, 3 * SC_NS_PER_S);
    client_close(&c);
    wait_for(&fake.aborted, 1);
    close_env(&env);
}

static void test_stream(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    int64_t start = sc_clock_now();
    struct answer a = ask(&env, GET("/api/v1/videos/clip/stream.mjpeg?t=3.2&fps=50"));
    double took = (double)(sc_clock_now() - start) / 1e9;
    assert_int_equal(a.status, 200);
    assert_has(a.body, "X-Frame-Number: 80\r\n");
    assert_has(a.body, "--saccade-frame--");
    assert_true(took > 0.7 && took < 3); // 0.8 s of video at the pace of time
    answer_release(&a);
    for (int i = 0; i < 3; i++) { // a client that leaves ends its stream
        struct client c = client_open(env.port);
        client_send(&c, GET("/api/gpu/video/clip/stream"));
        client_more(&c);
        client_close(&c);
    }
    assert_int_equal(ask_status(&env, GET("/api/v1/videos/clip/stream.mjpeg?t=4")), 416);
    close_env(&env);
}

static void test_original(void **state)
{
    (void)state;
    struct env env;
    assert_int_equal(open_env(&env, NULL, NULL), 0);
    struct answer a = ask(&env, "GET /api/v1/videos/clip/original HTTP/1.1\r\nHost: x\r\n"
                                "Range: bytes=26-28\r\n\r\n");
    assert_int_equal(a.status, 206);
    assert_string_equal(a.body.s, "abc");
    assert_header(a, "Content-Range", "bytes 26-28/1000");
    answer_release(&a);
    a = ask(&env, "GET /api/v1/videos/clip/original HTTP/1.1\r\nHost: x\r\n"
                  "Range: bytes=1000-\r\n\r\n");
    assert_int_equal(a.status, 416);
    assert_header(a, "Content-Range", "bytes */1000");
    answer_release(&a);
    a = ask(&env, "HEAD /api/v1/videos/clip/original HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_header(a, "Content-Length", "1000");
    answer_release(&a);
    close_env(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basics),
        cmocka_unit_test(test_frame),
        cmocka_unit_test(test_bad_frames),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_frames_order),
        cmocka_unit_test(test_upload),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_upload_cut),
        cmocka_unit_test(test_upload_fails),
        cmocka_unit_test(test_refused_early),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_max_connections),
        cmocka_unit_test(test_closing_while_clients_come),
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_big_header),
        cmocka_unit_test(test_refuses_to_open),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_timeout),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
