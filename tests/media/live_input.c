// The input of live streams: files, the test picture, and servers that behave badly. Real peers are
// in tests/e2e/live_input.test.mjs.
#include "media/live_input.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "clips.h"
#include "media/live_input_internal.h"

#define MS SC_NS_PER_MS

static sc_live_input *open_input(const struct sc_live_input_params *params)
{
    sc_live_input *in = NULL;
    sc_err err = {0};
    if (sc_live_input_open(&in, params, &err) < 0)
        fail_msg("%s", err.text);
    return in;
}

// What reading to the end gives.
struct heard {
    int ret;
    sc_err err;
    int pictures, sounds, streams, resumed;
    int states[4];
    int width[8]; // of the streams, in order
    int64_t last_dts[2];
    int64_t pauses[16];
};

static void hear_item(struct heard *h, const struct sc_live_item *item, int64_t now)
{
    if (item->type == SC_LIVE_STATE) {
        if (item->state == SC_LIVE_WAITING && h->states[SC_LIVE_WAITING] < 16)
            h->pauses[h->states[SC_LIVE_WAITING]] = item->until_ns - now;
        h->states[item->state]++;
    } else if (item->type == SC_LIVE_STREAMS) {
        assert_in_range(h->streams, 0, 7);
        h->width[h->streams++] = item->streams->video->width;
        assert_int_equal(item->streams->generation, h->streams);
    } else {
        const sc_packet *p = item->packet;
        assert_true(h->streams > 0);
        assert_true(p->dts_ns > h->last_dts[p->media]);
        assert_true(p->pts_ns >= p->dts_ns);
        h->last_dts[p->media] = p->dts_ns;
        h->pictures += p->media == SC_MEDIA_VIDEO;
        h->sounds += p->media == SC_MEDIA_SOUND;
        h->resumed += item->resumed;
    }
}

static struct heard hear(const struct sc_live_input_params *params, int pictures)
{
    struct heard h = {.last_dts = {-1, -1}};
    struct sc_live_item item;
    sc_live_input *in = open_input(params);
    while ((!pictures || h.pictures < pictures) &&
           (h.ret = sc_live_input_read(in, &item, &h.err)) == SC_OK) {
        const struct sc_live_seams *seams = &params->seams;
        hear_item(&h, &item, seams->now ? seams->now(seams->arg) : 0);
        sc_live_item_release(&item);
    }
    if (h.ret != SC_OK)
        assert_int_equal(sc_live_input_read(in, &item, NULL), h.ret); // for ever
    sc_live_input_close(&in);
    assert_null(in);
    return h;
}

static void addresses_are_checked_at_once(void **state)
{
    static const struct {
        const char *url, *transport, *field;
    } bad[] = {{NULL, NULL, "url"},
               {"", NULL, "url"},
               {"ftp://host/x", NULL, "url"},
               {"concat:a|b", NULL, NULL}, // a file of that name
               {"rtsp://", NULL, "url"},
               {"rtsp://host/x", "quic", "transport"},
               {"testsrc:size=3x4", NULL, "url"},
               {"testsrc:size=320x240,rate=-1", NULL, "url"},
               {"testsrc:colour=red", NULL, "url"},
               {"testsrc:duration=10s,,", NULL, "url"}};
    (void)state;
    for (size_t i = 0; i < SC_COUNT(bad); i++) {
        sc_live_input *in = NULL;
        sc_err err = {0};
        struct sc_live_input_params params = {.url = bad[i].url, .transport = bad[i].transport};
        int ret = sc_live_input_open(&in, &params, &err);
        assert_int_equal(ret, bad[i].field ? SC_EARG : SC_OK);
        assert_string_equal(err.field, bad[i].field ? bad[i].field : "");
        sc_live_input_close(&in);
    }
}

static void files_end_and_loop(void **state)
{
    char clip[128], path[128];
    scene_clip(state, "clip.mp4", 50, 12, 2, clip);
    static const char *const names[] = {"a.ts", "a.mkv", "a.mp4", "a.flv"};
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        recode(state, clip, "-f lavfi -i sine=duration=2 -map 0:v -map 1:a -c:v copy -c:a aac",
               names[i], path);
        struct heard h = hear(&(struct sc_live_input_params){.url = path}, 0);
        assert_int_equal(h.ret, SC_EEOF);
        assert_int_equal(h.pictures, 50);
        assert_in_range(h.sounds, 84, 90);
        assert_int_equal(h.streams, 1);
        assert_int_equal(h.last_dts[0] / MS, 1960);
        assert_int_equal(h.resumed, 0);
        h = hear(&(struct sc_live_input_params){.url = path, .loop = true}, 175);
        assert_int_equal(h.pictures, 175);
        assert_int_equal(h.streams, 1);
        assert_in_range(h.resumed, 5, 6); // both tracks, three times
        assert_in_range(h.last_dts[0] / MS, 6960, 7400);
    }
}

static void formats_that_change_are_told(void **state)
{
    char clip[128], a[128], b[128], both[128];
    scene_clip(state, "clip.mp4", 50, 12, 2, clip);
    recode(state, clip, "-c copy", "small.ts", a);
    recode(state, clip, "-vf scale=320:192 -c:v libx264 -preset ultrafast -g 10", "large.ts",
           b);
    folder_file(state, "both.ts", both);
    free(clip_run("cat '%s' '%s' '%s' > '%s'", a, b, a, both));
    struct heard h = hear(&(struct sc_live_input_params){.url = both}, 0);
    assert_int_equal(h.ret, SC_EEOF);
    assert_int_equal(h.pictures, 150);
    assert_int_equal(h.streams, 3);
    assert_int_equal(h.width[0], 160);
    assert_int_equal(h.width[1], 320);
    assert_int_equal(h.width[2], 160);
    assert_in_range(h.last_dts[0] / MS, 5900, 6100); // no jumps come through
}

static void test_pictures_are_made(void **state)
{
    (void)state;
    struct heard h = hear(
        &(struct sc_live_input_params){.url =
                                           "testsrc:size=160x128,rate=30000/1001,duration=1s"},
        0);
    assert_int_equal(h.ret, SC_EEOF);
    assert_int_equal(h.pictures, 30);
    assert_int_equal(h.last_dts[0], av_rescale(29 * SC_NS_PER_S, 1001, 30000));
}

static void what_is_no_video_ends_it(void **state)
{
    char path[128];
    write_file(folder_file(state, "text.mp4", path), "hello", 5);
    struct heard h = hear(&(struct sc_live_input_params){.url = path}, 0);
    assert_int_equal(h.ret, SC_EDATA);
    assert_non_null(strstr(h.err.text, "plain text"));
    assert_non_null(strstr(h.err.text, path));
    h = hear(&(struct sc_live_input_params){.url = "/nonexistent/x.mp4"}, 0);
    assert_int_equal(h.ret, SC_ENOTFOUND);
    assert_int_equal(h.states[SC_LIVE_WAITING], 0);
}

// A clock that pauses move, and no chance.
struct clock {
    int64_t now;
};

static int64_t clock_now(void *arg)
{
    return ((struct clock *)arg)->now;
}

static void clock_wait(void *arg, int64_t until_ns)
{
    ((struct clock *)arg)->now = until_ns;
}

static double no_chance(void *arg)
{
    (void)arg;
    return 0;
}

// A listening socket; port gets its number.
static int listen_somewhere(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int free_port(void)
{
    int port, fd = listen_somewhere(&port);
    close(fd);
    return port;
}

static void pauses_double_up_to_the_longest(void **state)
{
    struct clock clock = {0};
    char url[64];
    (void)state;
    snprintf(url, sizeof(url), "rtmp://127.0.0.1:%d/a/secret", free_port());
    struct heard h = hear(
        &(struct sc_live_input_params){
            .url = url,
            .retry = {.first_ns = 100 * MS, .max_ns = 450 * MS, .attempts = 6},
            .seams = {clock_now, clock_wait, no_chance, &clock},
        },
        0);
    static const int64_t expected[] = {100, 200, 400, 450, 450};
    assert_int_equal(h.ret, SC_EIO);
    assert_non_null(strstr(h.err.text, "connection refused"));
    assert_null(strstr(h.err.text, "secret"));
    assert_int_equal(h.states[SC_LIVE_LOST], 6);
    assert_int_equal(h.states[SC_LIVE_WAITING], 5);
    for (size_t i = 0; i < SC_COUNT(expected); i++)
        assert_int_equal(h.pauses[i] / MS, expected[i]);
    assert_int_equal(clock.now / MS, 1600);
}

static void jitter_shortens_pauses(void **state)
{
    struct sc_live_retry retry = {.first_ns = 1000, .max_ns = 1 << 20};
    (void)state;
    assert_int_equal(sc_live_pause(&retry, 1, 0), 1000);
    assert_in_range(sc_live_pause(&retry, 1, 0.999), 500, 502);
    retry.jitter = 0.1;
    assert_in_range(sc_live_pause(&retry, 2, 0.999), 1800, 1802);
    retry.jitter = -1;
    assert_int_equal(sc_live_pause(&retry, 1000000, 0.999), 1 << 20);
    retry = (struct sc_live_retry){0};
    assert_int_equal(sc_live_pause(&retry, 2, 0), SC_NS_PER_S);
}

// Servers that take the connection and say nothing.
static void silence_ends_with_the_deadline(void **state)
{
    static const char *const schemes[] = {"rtsp", "rtmp", "http"};
    int port, fd = listen_somewhere(&port);
    (void)state;
    for (size_t i = 0; i < SC_COUNT(schemes); i++) {
        char url[64];
        snprintf(url, sizeof(url), "%s://127.0.0.1:%d/a/b", schemes[i], port);
        int64_t start = sc_clock_now();
        struct heard h = hear(&(struct sc_live_input_params){.url = url,
                                                             .connect_timeout_ns = 300 * MS,
                                                             .retry.attempts = -1},
                              0);
        assert_int_equal(h.ret, SC_ETIMEOUT);
        assert_in_range((sc_clock_now() - start) / MS, 290, 1500);
    }
    close(fd);
}

static void *cancel_soon(void *arg)
{
    sc_clock_sleep(200 * MS);
    sc_cancel_request(arg);
    return NULL;
}

static void cancelling_ends_everything_at_once(void **state)
{
    char urls[6][64];
    int port, fd = listen_somewhere(&port);
    (void)state;
    snprintf(urls[0], 64, "rtsp://127.0.0.1:%d/a", port);
    snprintf(urls[1], 64, "rtmp://127.0.0.1:%d/a/b", port);
    snprintf(urls[2], 64, "http://127.0.0.1:%d/a", port);
    snprintf(urls[3], 64, "udp://127.0.0.1:%d", free_port());
    snprintf(urls[4], 64, "srt://127.0.0.1:%d?mode=listener", free_port());
    snprintf(urls[5], 64, "rtmp://127.0.0.1:%d/a/b", free_port()); // a pause between tries
    for (int i = 0; i < 6; i++) {
#ifdef __SANITIZE_THREAD__ // does not bear that libavformat cancels its thread for UDP
        if (sc_starts_with(urls[i], "udp"))
            continue;
#endif
        pthread_t thread;
        sc_cancel *cancel = sc_cancel_new(NULL);
        int64_t start = sc_clock_now();
        pthread_create(&thread, NULL, cancel_soon, cancel);
        struct heard h = hear(
            &(struct sc_live_input_params){
                .url = urls[i], .cancel = cancel, .retry.first_ns = 60 * SC_NS_PER_S},
            0);
        assert_int_equal(h.ret, SC_ECANCELLED);
        assert_in_range((sc_clock_now() - start) / MS, 190, 900);
        pthread_join(thread, NULL);
        sc_cancel_free(&cancel);
    }
    close(fd);
}

static int entries(const char *path)
{
    DIR *dir = opendir(path);
    int count = 0;
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void failing_leaks_neither_threads_nor_descriptors(void **state)
{
    static const char *const schemes[] = {"rtsp", "rtmp", "http"};
    struct clock clock = {0};
    (void)state;
    int fds = 0, threads = 0;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < SC_COUNT(schemes); i++) {
            char url[64];
            snprintf(url, sizeof(url), "%s://127.0.0.1:%d/a/b", schemes[i], free_port());
            struct heard h = hear(
                &(struct sc_live_input_params){
                    .url = url,
                    .retry.attempts = round ? 170 : 1,
                    .seams = {clock_now, clock_wait, no_chance, &clock},
                },
                0);
            assert_int_equal(h.ret, SC_EIO);
            fds = round ? fds : entries("/proc/self/fd");
            threads = round ? threads : entries("/proc/self/task");
        }
    assert_int_equal(entries("/proc/self/fd"), fds);
    assert_int_equal(entries("/proc/self/task"), threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_checked_at_once),
        cmocka_unit_test(files_end_and_loop),
        cmocka_unit_test(formats_that_change_are_told),
        cmocka_unit_test(test_pictures_are_made),
        cmocka_unit_test(what_is_no_video_ends_it),
        cmocka_unit_test(pauses_double_up_to_the_longest),
        cmocka_unit_test(jitter_shortens_pauses),
        cmocka_unit_test(silence_ends_with_the_deadline),
        cmocka_unit_test(cancelling_ends_everything_at_once),
        cmocka_unit_test(failing_leaks_neither_threads_nor_descriptors),
    };
    return cmocka_run_group_tests_name("live_input", tests, folder_open, folder_close);
}
