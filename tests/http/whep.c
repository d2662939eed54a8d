// WHEP and WHIP over real sockets, line by line of RFC 9725 and draft-ietf-wish-whep, on WebRTC by script.
#include "fake_webrtc.h"

#include "env.h"

#define WHEP     "/api/v1/streams/door/whep"
#define WHIP     "/api/v1/streams/inlet/whip"
#define SESSION  WHEP "/" FAKE_SESSION
#define SDP      "Content-Type: application/sdp\r\n"
#define FRAGMENT "Content-Type: application/trickle-ice-sdpfrag\r\n"
#define OFFER    "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"

static void open_all(struct env *env, const char *const *flags)
{
    fake_webrtc = (struct fake_webrtc){0};
    assert_int_equal(open_env(env, flags, NULL), 0);
}

static struct answer send_to(struct env *env, const char *method, const char *path,
                             const char *headers, const char *body)
{
    sc_str request = {0};
    sc_str_addf(&request, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method, path, headers);
    if (body)
        sc_str_addf(&request, "Content-Length: %zu\r\n", strlen(body));
    sc_str_addf(&request, "\r\n%s", body ? body : "");
    struct answer a = ask(env, request.s);
    sc_str_release(&request);
    return a;
}

static void assert_answer(struct env *env, const char *method, const char *path,
                          const char *headers, const char *body, int status, const char *part)
{
    struct answer a = send_to(env, method, path, headers, body);
    if (a.status != status || !strstr(sc_str_get(&a.body), part))
        fail_msg("%s %s %s: %d %s", method, path, headers, a.status, sc_str_get(&a.body));
    if (a.status >= 400)
        assert_header(a, "Content-Type", "application/problem+json");
    assert_header(a, "Access-Control-Allow-Origin", "*");
    assert_header(a, "Access-Control-Expose-Headers",
                  "Location, ETag, Link, Accept-Patch, Retry-After");
    answer_release(&a);
}

static void lacks_header(const struct answer *a, const char *name)
{
    char value[300];
    if (answer_header(a, name, value, sizeof(value)))
        fail_msg("%s: %s", name, value);
}

// --- POST ---------------------------------------------------------------------------------

static void assert_made(struct env *env, const char *path, const char *session)
{
    struct answer a = send_to(env, "POST", path, SDP "Accept-Encoding: gzip\r\n", OFFER);
    assert_int_equal(a.status, 201);
    assert_header(a, "Content-Type", "application/sdp");
    assert_header(a, "Location", session);
    assert_header(a, "ETag", "\"e1\"");
    assert_header(a, "Accept-Patch", "application/trickle-ice-sdpfrag");
    assert_header(a, "Cache-Control", "no-store");
    assert_header(a, "Access-Control-Allow-Origin", "*");
    assert_has(a.head, "\r\nLink: <stun:stun.example:3478>; rel=\"ice-server\"\r\n");
    assert_has(a.head,
               "\r\nLink: <turn:turn.example:3478>; rel=\"ice-server\"; "
               "username=\"me\"; credential=\"hush\"; credential-type=\"password\"\r\n");
    lacks_header(&a, "Content-Encoding");
    assert_int_equal(a.body.len, 2999);
    assert_memory_equal(a.body.s, "v=0\r\n", 5);
    assert_string_equal(fake_webrtc.said, OFFER);
    answer_release(&a);
}

static void test_an_offer_is_answered(void **state)
{
    (void)state;
    struct env env;
    open_all(&env, NULL);
    assert_made(&env, WHEP, SESSION);
    fake_webrtc.offers = 0;
    assert_made(&env, WHIP, WHIP "/" FAKE_SESSION);
    assert_answer(&env, "POST", WHEP, "Content-Type: Application/SDP; charset=utf-8\r\n", OFFER,
                  201, "v=0");
    close_env(&env);
}

static void test_bad_offers_are_refused(void **state)
{
    (void)state;
    struct env env;
    open_all(&env, NULL);
    assert_answer(&env, "POST", WHEP, "", OFFER, 415, "send application/sdp");
    assert_answer(&env, "POST", WHEP, "Content-Type: application/json\r\n", "{}", 415,
                  "\"field\":\"Content-Type\"");
    assert_answer(&env, "POST", WHEP, "Content-Type: application/sdpx\r\n", OFFER, 415, "");
    assert_answer(&env, "POST", WHIP, "Content-Type: text/plain\r\n", OFFER, 415, "");
    assert_answer(&env, "POST", WHEP, SDP, "hello", 400, "line 1: v= must be here");
    assert_answer(&env, "POST", WHEP, SDP, "", 400, "line 1");
    assert_answer(&env, "POST", "/api/v1/streams/none/whep", SDP, OFFER, 404,
                  "\"field\":\"id\"");
    assert_answer(&env, "POST", "/api/v1/streams/a%20b/whip", SDP, OFFER, 404, "no stream a b");
    assert_answer(&env, "POST", WHEP "?x=1", SDP, OFFER, 400, "\"field\":\"x\"");
    assert_int_equal(fake_webrtc.offers, 0);
    close_env(&env);
}

static void test_failures_have_their_status(void **state)
{
    static const struct {
        int ret;
        const char *field;
        int status;
        bool retry;
    } cases[] = {
        {SC_EARG, NULL, 400, false},      {SC_EUNSUPPORTED, NULL, 422, false},
        {SC_ENOTFOUND, "id", 404, false}, {SC_EUNSUPPORTED, "webrtc", 501, false},
        {SC_EAGAIN, NULL, 409, true},     {SC_EEXISTS, NULL, 409, true},
        {SC_EBUSY, NULL, 503, true},      {SC_ETIMEOUT, NULL, 503, true},
        {SC_ECANCELLED, NULL, 503, true}, {SC_ENOMEM, NULL, 503, true},
        {SC_EINTERNAL, NULL, 500, false},
    };
    (void)state;
    struct env env;
    open_all(&env, NULL);
    for (size_t i = 0; i < 2 * SC_COUNT(cases); i++) {
        size_t k = i / 2;
        char seconds[20];
        fake_webrtc.ret = cases[k].ret;
        fake_webrtc.field = cases[k].field;
        struct answer a = send_to(&env, "POST", i % 2 ? WHIP : WHEP, SDP, OFFER);
        assert_int_equal(a.status, cases[k].status);
        assert_header(a, "Content-Type", "application/problem+json");
        assert_header(a, "Access-Control-Allow-Origin", "*");
        assert_has(a.body, "as the script says");
        assert_int_equal(answer_header(&a, "Retry-After", seconds, sizeof(seconds)) != NULL,
                         cases[k].retry);
        const char *once = strstr(a.head.s, "\r\nRetry-After: ");
        assert_true(!once || !strstr(once + 1, "\r\nRetry-After: "));
        lacks_header(&a, "Location");
        lacks_header(&a, "Link");
        answer_release(&a);
    }
    close_env(&env);
}

static void test_large_bodies_are_refused(void **state)
{
    (void)state;
    struct env env;
    open_all(&env, NULL);
    char *large = sc_xcalloc(1, (64 << 10) + 2);
    memset(large, 'v', (64 << 10) + 1);
    assert_answer(&env, "POST", WHEP, SDP, large, 413, "larger than 65536 bytes");
    large[64 << 10] = 0;
    assert_answer(&env, "POST", WHEP, SDP, large, 400, "line 1");
    large[(16 << 10) + 1] = 0;
    assert_answer(&env, "PATCH", SESSION, FRAGMENT "If-Match: *\r\n", large, 413,
                  "larger than 16384 bytes");
    // Without a length it is counted as it comes.
    sc_str chunk = {0};
    sc_str_addf(&chunk,
                "PATCH " SESSION " HTTP/1.1\r\nHost: x\r\n" FRAGMENT
                "If-Match: *\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n0\r\n\r\n",
                strlen(large), large);
    struct answer a = ask(&env, chunk.s);
    assert_int_equal(a.status, 413);
    assert_header(a, "Access-Control-Allow-Origin", "*");
    answer_release(&a);
    sc_str_release(&chunk);
    free(large);
    close_env(&env);
}

// --- PATCH, DELETE ------------------------------------------------------------------------

static void test_candidates_are_trickled(void **state)
{
    (void)state;
    struct env env;
    open_all(&env, NULL);
    assert_answer(&env, "POST", WHEP, SDP, OFFER, 201, "v=0");
    struct answer a =
        send_to(&env, "PATCH", SESSION, FRAGMENT "If-Match: \"e1\"\r\n", "a=mid:0\r\n");
    assert_int_equal(a.status, 204);
    assert_string_equal(fake_webrtc.said, "a=mid:0\r\n");
    lacks_header(&a, "ETag");
    assert_header(a, "Access-Control-Allow-Origin", "*");
    answer_release(&a);
    assert_answer(&env, "PATCH", SESSION, FRAGMENT, "a=mid:0\r\n", 428,
                  "\"field\":\"If-Match\"");
    assert_answer(&env, "PATCH", SESSION, FRAGMENT "If-Match: \"e2\"\r\n", "a=b", 412,
                  "Precondition Failed");
    assert_answer(&env, "PATCH", SESSION, FRAGMENT "If-Match: e1\r\n", "a=b", 412, "");
    assert_answer(&env, "PATCH", SESSION, FRAGMENT "If-Match: W/\"e1\"\r\n", "a=b", 412, "");
    assert_answer(&env, "PATCH", SESSION,
                  FRAGMENT "If-Match: \"0123456789012345678901234567890123456789\"\r\n", "a=b",
                  412, "");
    assert_answer(&env, "PATCH", SESSION, FRAGMENT "If-Match: \"\r\n", "a=b", 412, "");
    assert_answer(&env, "PATCH", SESSION, SDP "If-Match: \"e1\"\r\n", "a=b", 415,
                  "send application/trickle-ice-sdpfrag");
    assert_answer(&env, "PATCH", SESSION, FRAGMENT "If-Match: \"e1\"\r\n", "", 400, "empty");
    assert_answer(&env, "PATCH", WHEP "/other", FRAGMENT "If-Match: \"e1\"\r\n", "a=b", 404,
                  "no such session");
    close_env(&env);
}

static void test_ice_restarts(void **state)
{
    (void)state;
    struct env env;
    open_all(&env, NULL);
    assert_answer(&env, "POST", WHIP, SDP, OFFER, 201, "v=0");
    struct answer a = send_to(&env, "PATCH", WHIP "/" FAKE_SESSION,
                              FRAGMENT "If-Match: \"*\"\r\n", "a=ice-ufrag:abcd\r\n");
    assert_int_equal(a.status, 200);
    assert_header(a, "Content-Type", "application/trickle-ice-sdpfrag");
    assert_header(a, "ETag", "\"r1\"");
    assert_string_equal(sc_str_get(&a.body), "a=ice-ufrag:new1\r\n");
    answer_release(&a);
    assert_answer(&env, "PATCH", WHIP "/" FAKE_SESSION, FRAGMENT "If-Match: \"e1\"\r\n", "a=b",
                  412, "");
    assert_answer(&env, "PATCH", WHIP "/" FAKE_SESSION, FRAGMENT "If-Match: \"r1\"\r\n", "a=b",
                  204, "");
    static const int refusals[][2] = {{SC_EUNSUPPORTED, 422}, {SC_EARG, 400}, {SC_EAGAIN, 409}};
    for (size_t i = 0; i < SC_COUNT(refusals); i++) {
        fake_webrtc.ret = refusals[i][0];
        assert_answer(&env, "PATCH", WHIP "/" FAKE_SESSION, FRAGMENT "If-Match: *\r\n", "a=b",
                      refusals[i][1], "as the script says");
    }
    close_env(&env);
}

// The stream would do: only the path's last word is the other kind's.
static void test_sessions_are_of_their_kind(void **state)
{
    (void)state;
    static const char *const others[] = {"/api/v1/streams/door/whip/" FAKE_SESSION,
                                         "/api/v1/streams/inlet/whep/" FAKE_SESSION};
    struct env env;
    open_all(&env, NULL);
    assert_answer(&env, "POST", WHEP, SDP, OFFER, 201, "v=0");
    for (int i = 0; i < 2; i++) {
        assert_answer(&env, "PATCH", others[i], FRAGMENT "If-Match: \"e1\"\r\n", "a=b", 404,
                      "");
        assert_answer(&env, "PATCH", others[i], FRAGMENT "If-Match: *\r\n", "a=b", 404, "");
        assert_answer(&env, "DELETE", others[i], "", NULL, 404, "\"field\":\"session\"");
    }
    assert_answer(&env, "DELETE", SESSION, "", NULL, 200, "");
    close_env(&env);
}

static void test_sessions_end_once(void **state)
{
    (void)state;
    struct env env;
    open_all(&env, NULL);
    assert_answer(&env, "POST", WHEP, SDP, OFFER, 201, "v=0");
    assert_answer(&env, "DELETE", SESSION, "If-Match: \"other\"\r\n", NULL, 200, "");
    assert_false(fake_webrtc.session);
    assert_answer(&env, "DELETE", SESSION, "", NULL, 404, "\"field\":\"session\"");
    assert_answer(&env, "PATCH", SESSION, FRAGMENT "If-Match: \"e1\"\r\n", "a=b", 404, "");
    close_env(&env);
}

// --- OPTIONS, other methods ---------------------------------------------------------------

static void assert_preflight(struct env *env, const char *path, const char *allow,
                             const char *accept)
{
    struct answer a = send_to(env, "OPTIONS", path,
                              "Origin: http://other\r\nAccess-Control-Request-Method: POST\r\n"
                              "Access-Control-Request-Headers: authorization\r\n",
                              NULL);
    assert_int_equal(a.status, 204);
    assert_header(a, "Allow", allow);
    assert_header(a, "Access-Control-Allow-Origin", "*");
    assert_header(a, "Access-Control-Allow-Methods", "POST, PATCH, DELETE, OPTIONS");
    assert_header(a, "Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match");
    assert_header(a, "Access-Control-Expose-Headers",
                  "Location, ETag, Link, Accept-Patch, Retry-After");
    if (accept)
        assert_header(a, "Accept-Post", accept);
    else
        lacks_header(&a, "Accept-Post");
    lacks_header(&a, "Link");
    assert_null(strstr(a.head.s, "hush"));
    answer_release(&a);
}

static void test_preflights(void **state)
{
    static const char *const flags[] = {"token=hush", NULL};
    (void)state;
    struct env env;
    open_all(&env, flags); // which nobody asks for here
    assert_preflight(&env, WHEP, "POST, OPTIONS", "application/sdp");
    assert_preflight(&env, WHIP, "POST, OPTIONS", "application/sdp");
    assert_preflight(&env, SESSION, "PATCH, DELETE, OPTIONS", NULL);
    struct answer a = send_to(&env, "OPTIONS", "/api/v1/streams", "", NULL);
    assert_int_equal(a.status, 204);
    assert_header(a, "Accept-Post", "application/json");
    lacks_header(&a, "Access-Control-Allow-Origin"); // where it was not asked for
    answer_release(&a);
    a = send_to(&env, "OPTIONS", "/api/v1/videos", "", NULL);
    assert_header(a, "Accept-Post", "video/*, application/octet-stream, multipart/form-data");
    answer_release(&a);
    close_env(&env);
}

static void test_other_methods_are_refused(void **state)
{
    static const char *const methods[] = {"GET", "PUT", "PATCH", "DELETE", "HEAD"};
    (void)state;
    struct env env;
    open_all(&env, NULL);
    for (size_t i = 0; i < SC_COUNT(methods); i++) {
        struct answer a = send_to(&env, methods[i], WHEP, "", NULL);
        assert_int_equal(a.status, 405);
        assert_header(a, "Allow", "POST, OPTIONS");
        assert_header(a, "Access-Control-Allow-Origin", "*");
        answer_release(&a);
    }
    struct answer a = send_to(&env, "GET", SESSION, "", NULL);
    assert_int_equal(a.status, 405);
    assert_header(a, "Allow", "PATCH, DELETE, OPTIONS");
    answer_release(&a);
    close_env(&env);
}

static void test_all_but_preflights_need_the_token(void **state)
{
    static const char *const flags[] = {"token=hush", NULL};
    (void)state;
    struct env env;
    open_all(&env, flags);
    static const char *const paths[][2] = {{"POST", WHEP},
                                           {"POST", WHIP},
                                           {"PATCH", SESSION},
                                           {"DELETE", SESSION},
                                           {"POST", "/api/webrtc/start"}};
    for (size_t i = 0; i < SC_COUNT(paths); i++) {
        struct answer a = send_to(&env, paths[i][0], paths[i][1], SDP, OFFER);
        assert_int_equal(a.status, 401);
        assert_header(a, "WWW-Authenticate", "Bearer realm=\"saccade\"");
        if (i < 4)
            assert_header(a, "Access-Control-Allow-Origin", "*");
        answer_release(&a);
        a = send_to(&env, paths[i][0], paths[i][1], SDP "Authorization: Bearer no\r\n", OFFER);
        assert_int_equal(a.status, 401);
        answer_release(&a);
    }
    assert_int_equal(fake_webrtc.offers, 0);
    assert_answer(&env, "POST", WHEP, SDP "Authorization: Bearer hush\r\n", OFFER, 201, "v=0");
    close_env(&env);
}

// What is refused before anything is looked at has headers for other origins, too.
static void test_limits_tell_other_origins(void **state)
{
    static const char *const flags[] = {"rate=1", "rate-burst=1", NULL};
    (void)state;
    struct env env;
    open_all(&env, flags);
    assert_answer(&env, "POST", WHEP, SDP, OFFER, 201, "v=0");
    assert_answer(&env, "POST", WHEP, SDP, OFFER, 429, "");
    assert_answer(&env, "GET", WHEP, "", NULL, 429, "");
    close_env(&env);
}

// --- without WebRTC, and elsewhere --------------------------------------------------------

static void test_without_webrtc(void **state)
{
    (void)state;
    struct env env;
    open_all(&env, NULL);
    fake_webrtc.off = true;
    assert_answer(&env, "POST", WHEP, SDP, OFFER, 501, "\"field\":\"webrtc\"");
    assert_answer(&env, "POST", WHIP, SDP, OFFER, 501, "\"field\":\"webrtc\"");
    assert_answer(&env, "PATCH", SESSION, FRAGMENT "If-Match: *\r\n", "a=b", 501, "webrtc");
    assert_answer(&env, "DELETE", SESSION, "", NULL, 501, "webrtc");
    struct answer a = ask(&env, GET("/api/gpu/stats"));
    assert_has(a.body, "\"webrtc_sessions\":0");
    assert_has(a.body, "\"webrtc_enabled\":false");
    answer_release(&a);
    close_env(&env);
}

static struct answer add_stream(struct env *env)
{
    return send_to(env, "POST", "/api/v1/streams", "Content-Type: application/json\r\n",
                   "{\"input\":\"testsrc:\",\"id\":\"door\"}");
}

static void test_streams_tell_where_to_watch(void **state)
{
    (void)state;
    struct env env;
    open_all(&env, NULL);
    fake_webrtc.missing = true;
    struct answer a = add_stream(&env);
    assert_int_equal(a.status, 201);
    assert_null(strstr(a.body.s, "whep_url"));
    answer_release(&a);
    fake_webrtc.missing = false;
    a = ask(&env, GET("/api/v1/streams/door"));
    assert_has(a.body, "\"whep_url\":\"" WHEP "\"");
    answer_release(&a);
    a = ask(&env, GET("/api/v1/streams"));
    assert_has(a.body, "\"whep_url\":\"" WHEP "\"");
    answer_release(&a);
    a = ask(&env, GET("/api/v1/streams/door/stats?once=1"));
    assert_has(a.body, "\"viewers_webrtc\":[]");
    answer_release(&a);
    assert_answer(&env, "POST", WHEP, SDP, OFFER, 201, "v=0");
    a = ask(&env, GET("/api/v1/streams/door/stats?once=1"));
    assert_has(a.body, "\"viewers_webrtc\":[{\"session\":\"012345\",\"stream\":\"door\"}]");
    answer_release(&a);
    a = ask(&env, GET("/api/gpu/stats"));
    assert_has(a.body, "\"webrtc_sessions\":1");
    assert_has(a.body, "\"webrtc_enabled\":true");
    answer_release(&a);
    a = ask(&env, GET("/openapi.json"));
    assert_has(a.body, "\"/api/v1/streams/{id}/whep/{session}\":{\"patch\":");
    assert_has(a.body,
               "\"application/trickle-ice-sdpfrag\":{\"schema\":{\"type\":\"string\"}}");
    answer_release(&a);
    close_env(&env);
}

static int start(struct env *env, const char *body, const char *part)
{
    struct answer a =
        send_to(env, "POST", "/api/webrtc/start", "Content-Type: application/json\r\n", body);
    int status = a.status;
    if (!strstr(sc_str_get(&a.body), part))
        fail_msg("%s: %d %s", body, status, sc_str_get(&a.body));
    answer_release(&a);
    return status;
}

static void test_videos_become_streams(void **state)
{
    (void)state;
    struct env env;
    open_all(&env, NULL);
    struct answer a = add_stream(&env);
    answer_release(&a);
    const char *good = "{\"video_id\":\"clip\",\"fps\":30}";
    assert_int_equal(start(&env, good, "\"whep_url\":\"" WHEP "\""), 200);
    assert_int_equal(start(&env, good, "\"id\":\"door\""), 200);
    assert_int_equal(start(&env, "{", "\"field\":\"body\""), 400);
    assert_int_equal(start(&env, "{}", "\"field\":\"video_id\""), 400);
    fake_webrtc.ret = SC_ENOTFOUND;
    fake_webrtc.field = "video_id";
    assert_int_equal(start(&env, good, "\"field\":\"video_id\""), 404);
    fake_webrtc.ret = SC_EUNSUPPORTED;
    fake_webrtc.field = "webrtc";
    assert_int_equal(start(&env, good, "\"field\":\"webrtc\""), 501);
    fake_webrtc.ret = SC_EBUSY;
    assert_int_equal(start(&env, good, ""), 503);
    fake_webrtc.off = true;
    assert_int_equal(start(&env, good, "\"field\":\"webrtc\""), 501);
    close_env(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_offer_is_answered),
        cmocka_unit_test(test_bad_offers_are_refused),
        cmocka_unit_test(test_failures_have_their_status),
        cmocka_unit_test(test_large_bodies_are_refused),
        cmocka_unit_test(test_candidates_are_trickled),
        cmocka_unit_test(test_ice_restarts),
        cmocka_unit_test(test_sessions_are_of_their_kind),
        cmocka_unit_test(test_sessions_end_once),
        cmocka_unit_test(test_preflights),
        cmocka_unit_test(test_other_methods_are_refused),
        cmocka_unit_test(test_all_but_preflights_need_the_token),
        cmocka_unit_test(test_limits_tell_other_origins),
        cmocka_unit_test(test_without_webrtc),
        cmocka_unit_test(test_streams_tell_where_to_watch),
        cmocka_unit_test(test_videos_become_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
