// Live outputs to files and to peers that are not there: nothing is lost that need not be, and nobody
// waits for anybody.
#include "media/live_output.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/str.h"
#include "clips.h"
#include "live_feed.h"
#include "media/live_output_internal.h"

#define ZERO (INT64_C(5000) * SC_NS_PER_S) // where the tests' streams begin

// Reads a file back: times in ns, in the order of the file.
struct track {
    int count;
    int64_t pts[2000];
};

static void read_tracks(const char *path, struct track tracks[2])
{
    AVFormatContext *av = NULL;
    AVPacket *packet = av_packet_alloc();
    memset(tracks, 0, 2 * sizeof(*tracks));
    if (avformat_open_input(&av, path, NULL, NULL) < 0)
        fail_msg("%s cannot be read", path);
    assert_true(avformat_find_stream_info(av, NULL) >= 0);
    while (av_read_frame(av, packet) >= 0) {
        const AVStream *stream = av->streams[packet->stream_index];
        struct track *t = &tracks[stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO];
        assert_true(t->count < (int)SC_COUNT(t->pts));
        t->pts[t->count++] =
            av_rescale_q(packet->pts, stream->time_base, (AVRational){1, 1000000000});
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    avformat_close_input(&av);
}

static struct sc_live_output_params params_for(const char *url, const struct feed *f)
{
    return (struct sc_live_output_params){
        .url = url,
        .video = sc_encoder_codec(f->encoder),
        .sound = f->sound_codec,
        .frame_rate = {FEED_FPS, 1},
        .retry_ms = 20,
        .retry_max_ms = 100,
    };
}

static sc_live_output *open_output(const struct sc_live_output_params *params)
{
    sc_live_output *o = NULL;
    sc_err err = {0};
    if (sc_live_output_open(&o, params, &err) < 0)
        fail_msg("%s", err.text);
    return o;
}

static struct sc_live_output_info info_of(sc_live_output *o)
{
    struct sc_live_output_info info;
    sc_live_output_get_info(o, &info);
    return info;
}

// Waits until the output is in that state, at most ten seconds.
static struct sc_live_output_info wait_for(sc_live_output *o, enum sc_live_output_state state)
{
    struct sc_live_output_info info = info_of(o);
    for (int i = 0; i < 1000 && info.state != state; i++) {
        sc_clock_sleep(10 * SC_NS_PER_MS);
        info = info_of(o);
    }
    if (info.state != state)
        fail_msg("state is %s (%s), not %s", sc_live_output_state_name(info.state), info.reason,
                 sc_live_output_state_name(state));
    return info;
}

// Gives frames pictures, and the sound that belongs to them, which is `ahead_ns` before them.
static void feed_outputs(struct feed *f, int frames, int64_t ahead_ns, sc_live_output **outputs,
                         int count)
{
    for (int n = 0; n < frames; n++) {
        sc_packet *packet;
        int64_t until = ZERO + f->painted * FEED_NS + ahead_ns;
        while ((packet = feed_sound(f, ZERO, until))) {
            for (int i = 0; i < count; i++)
                sc_live_output_put(outputs[i], packet);
            sc_packet_unref(&packet);
        }
        packet = feed_picture(f, ZERO);
        for (int i = 0; i < count; i++)
            sc_live_output_put(outputs[i], packet);
        sc_packet_unref(&packet);
    }
}

static void open_feed(struct feed *f, const char *codec, int gop, bool sound)
{
    sc_err err = {0};
    if (feed_open(f, codec, gop, sound, &err) < 0)
        fail_msg("%s", err.text);
}

// --- addresses --------------------------------------------------------------------------------

static void addresses_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url, *kind, *format;
    } good[] = {
        {"rtmp://host/live/key", "rtmp", "flv"},
        {"RTMPS://host/app", "rtmp", "flv"},
        {"srt://1.2.3.4:9000?mode=caller", "srt", "mpegts"},
        {"rtsp://host/a", "rtsp", "rtsp"},
        {"udp://239.0.0.1:1234", "udp", "mpegts"},
        {"a.mp4", "file", "mp4"},
        {"x/y:z.MKV", "file", "matroska"},
        {"a.ts", "file", "mpegts"},
        {"hls/index.m3u8", "hls", "mp4"},
        {"a.webm", "file", "webm"},
    };
    static const char *const bad[] = {"",
                                      "rtmp://",
                                      ".mp4",
                                      "a.avi",
                                      "http://host/a.mp4",
                                      "tcp://host:1",
                                      "file:///etc/passwd",
                                      "https://h/i.m3u8"};
    const struct sc_output_kind *kind = NULL;
    for (size_t i = 0; i < SC_COUNT(good); i++) {
        assert_int_equal(sc_output_kind_find(&kind, good[i].url, NULL), SC_OK);
        assert_string_equal(kind->name, good[i].kind);
        assert_string_equal(kind->format, good[i].format);
    }
    for (size_t i = 0; i < SC_COUNT(bad); i++) {
        sc_err err = {0};
        assert_int_equal(sc_output_kind_find(&kind, bad[i], &err), SC_EARG);
        assert_string_equal(err.field, "url");
    }
}

static void what_does_not_fit_is_said(void **state)
{
    struct feed f;
    char path[128];
    sc_live_output *o = NULL;
    sc_err err = {0};
    open_feed(&f, "vp8", 25, true);
    struct sc_live_output_params params = params_for("rtmp://127.0.0.1:1/app/SECRET", &f);
    assert_int_equal(sc_live_output_open(&o, &params, &err), SC_EUNSUPPORTED);
    assert_null(o);
    assert_non_null(strstr(err.text, "vp8"));
    assert_non_null(strstr(err.text, "h264"));
    assert_null(strstr(err.text, "SECRET"));
    params = params_for(folder_file(state, "fit.webm", path), &f); // no AAC there
    o = open_output(&params);
    assert_string_equal(info_of(o).sound, "none: aac does not fit there");
    feed_outputs(&f, 10, 0, &o, 1);
    sc_live_output_finish(o);
    assert_int_equal(wait_for(o, SC_OUTPUT_DONE).sounds, 0);
    sc_live_output_close(&o, 0);
    feed_close(&f);
}

// A camera's G.711 beside the picture: MPEG-TS holds it as AAC, in step.
static void foreign_sound_becomes_aac(void **state)
{
    struct feed f;
    char path[128];
    struct track *tracks = calloc(2, sizeof(*tracks));
    AVCodecParameters *alaw = avcodec_parameters_alloc();
    alaw->codec_type = AVMEDIA_TYPE_AUDIO;
    alaw->codec_id = AV_CODEC_ID_PCM_ALAW;
    alaw->sample_rate = 8000;
    av_channel_layout_default(&alaw->ch_layout, 1);
    open_feed(&f, NULL, 25, false);
    struct sc_live_output_params params = params_for(folder_file(state, "alaw.ts", path), &f);
    params.sound = alaw;
    sc_live_output *o = open_output(&params);
    assert_string_equal(info_of(o).sound, "aac, encoded from pcm_alaw");
    for (int n = 0; n < 50; n++) {
        AVPacket *av = av_packet_alloc();
        assert_int_equal(av_new_packet(av, 320), 0); // 40 ms
        memset(av->data, 0xd5, 320);
        av->pts = av->dts = ZERO + n * FEED_NS;
        sc_packet *packet = sc_packet_wrap(av, SC_MEDIA_SOUND);
        sc_live_output_put(o, packet);
        sc_packet_unref(&packet);
        feed_outputs(&f, 1, 0, &o, 1);
    }
    sc_live_output_finish(o);
    struct sc_live_output_info info = wait_for(o, SC_OUTPUT_DONE);
    sc_live_output_close(&o, 0);
    read_tracks(path, tracks);
    assert_int_equal(tracks[0].count, 50);
    assert_int_equal(tracks[1].count, info.sounds);
    assert_int_equal(info.sounds, 16); // of 128 ms: the last one, half empty, too
    assert_in_range(tracks[1].pts[0] - tracks[0].pts[0], 0, 128 * SC_NS_PER_MS);
    avcodec_parameters_free(&alaw);
    free(tracks);
    feed_close(&f);
}

// --- the queue --------------------------------------------------------------------------------

static sc_packet *make_packet(enum sc_media media, int64_t pts_ns, bool key, int size)
{
    AVPacket *av = av_packet_alloc();
    assert_int_equal(av_new_packet(av, size), 0);
    av->pts = av->dts = pts_ns;
    av->flags = key ? AV_PKT_FLAG_KEY : 0;
    return sc_packet_wrap(av, media);
}

static bool put(struct sc_output_queue *q, enum sc_media media, int64_t pts_ns, bool key)
{
    sc_packet *packet = make_packet(media, pts_ns, key, 100);
    bool good = sc_output_queue_put(q, packet);
    sc_packet_unref(&packet);
    return good;
}

static int64_t get(struct sc_output_queue *q)
{
    sc_packet *packet = sc_output_queue_get(q);
    int64_t pts_ns = packet ? packet->pts_ns : -1;
    sc_packet_unref(&packet);
    return pts_ns;
}

static void a_full_queue_drops_up_to_a_keyframe(void **state)
{
    (void)state;
    struct sc_output_queue q;
    int64_t drops = 0;
    assert_int_equal(sc_output_queue_init(&q, 6, 1 << 20, &drops), SC_OK);
    put(&q, SC_MEDIA_VIDEO, 1, false); // nothing can be done with it
    assert_int_equal(drops, 1);
    put(&q, SC_MEDIA_VIDEO, 10, true);
    put(&q, SC_MEDIA_VIDEO, 20, false);
    put(&q, SC_MEDIA_SOUND, 25, true);
    put(&q, SC_MEDIA_SOUND, 45, true); // ahead of its picture
    put(&q, SC_MEDIA_VIDEO, 40, true);
    put(&q, SC_MEDIA_VIDEO, 50, false);
    assert_true(put(&q, SC_MEDIA_VIDEO, 60, false));
    assert_int_equal(drops, 3);
    assert_int_equal(get(&q), 45);
    assert_int_equal(get(&q), 40);
    assert_int_equal(get(&q), 50);
    assert_int_equal(get(&q), 60);
    assert_int_equal(get(&q), -1);
    sc_output_queue_release(&q);
}

static void without_a_keyframe_it_waits_for_one(void **state)
{
    (void)state;
    struct sc_output_queue q;
    int64_t drops = 0;
    assert_int_equal(sc_output_queue_init(&q, 4, 1 << 20, &drops), SC_OK);
    for (int64_t n = 0; n < 4; n++)
        assert_true(put(&q, SC_MEDIA_VIDEO, n, n == 0));
    assert_false(put(&q, SC_MEDIA_VIDEO, 4, false)); // asks for one, once
    assert_true(put(&q, SC_MEDIA_VIDEO, 5, false));
    assert_int_equal(drops, 6);
    assert_int_equal(get(&q), -1);
    put(&q, SC_MEDIA_VIDEO, 6, true);
    assert_int_equal(get(&q), 6);
    sc_output_queue_release(&q);
}

static void bytes_are_bounded(void **state)
{
    (void)state;
    struct sc_output_queue q;
    int64_t drops = 0;
    assert_int_equal(sc_output_queue_init(&q, 100, 5000, &drops), SC_OK);
    for (int64_t n = 0; n < 90; n++) {
        put(&q, SC_MEDIA_VIDEO, n, n % 3 == 0);
        assert_true(q.bytes <= 5000);
    }
    assert_true(q.count > 3 && drops == 90 - q.count);
    assert_int_equal(get(&q) % 3, 0);
    sc_packet *large = make_packet(SC_MEDIA_VIDEO, 100, true, 1 << 20);
    sc_output_queue_put(&q, large); // larger than the bound: alone
    sc_packet_unref(&large);
    assert_int_equal(get(&q), 100);
    assert_int_equal(q.bytes, 0);
    sc_output_queue_release(&q);
}

static void it_starts_at_a_keyframe(void **state)
{
    (void)state;
    for (int newest = 0; newest < 2; newest++) {
        struct sc_output_queue q;
        int64_t drops = 0, zero = 0;
        assert_int_equal(sc_output_queue_init(&q, 20, 1 << 20, &drops), SC_OK);
        put(&q, SC_MEDIA_SOUND, 5, true);
        put(&q, SC_MEDIA_SOUND, 15, true);
        assert_false(sc_output_queue_start(&q, newest, &zero));
        put(&q, SC_MEDIA_VIDEO, 10, true);
        put(&q, SC_MEDIA_VIDEO, 20, false);
        put(&q, SC_MEDIA_VIDEO, 30, true);
        assert_true(sc_output_queue_start(&q, newest, &zero));
        assert_int_equal(zero, newest ? 30 : 10);
        assert_int_equal(get(&q), newest ? 30 : 15);
        sc_output_queue_release(&q);
    }
}

// --- files ------------------------------------------------------------------------------------

static void files_hold_everything(void **state)
{
    static const char *const names[] = {"all.mp4", "all.mkv", "all.ts"};
    struct feed f;
    sc_live_output *outputs[SC_COUNT(names)];
    struct track *tracks = calloc(2, sizeof(*tracks));
    char path[SC_COUNT(names)][128];
    open_feed(&f, NULL, 20, true);
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        struct sc_live_output_params params =
            params_for(folder_file(state, names[i], path[i]), &f);
        outputs[i] = open_output(&params);
    }
    feed_outputs(&f, 90, 300 * SC_NS_PER_MS, outputs, SC_COUNT(names));
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        sc_live_output_finish(outputs[i]);
        struct sc_live_output_info info = wait_for(outputs[i], SC_OUTPUT_DONE);
        assert_int_equal(info.frames, 90);
        assert_int_equal(info.drops, 0);
        sc_live_output_close(&outputs[i], 0);
        read_tracks(path[i], tracks);
        assert_int_equal(tracks[0].count, 90);
        assert_int_equal(tracks[1].count, info.sounds);
        // The first whole piece of sound, the stream's own times being multiples of its length.
        int64_t sound_at = tracks[1].pts[0] - tracks[0].pts[0];
        if (sound_at < 0 || sound_at > 1024 * SC_NS_PER_S / FEED_RATE + SC_NS_PER_MS)
            fail_msg("%s: sound begins %d us late", names[i], (int)(sound_at / 1000));
        for (int n = 0; n < 90; n++)
            assert_in_range(tracks[0].pts[n] - tracks[0].pts[0] + 500000,
                            n * FEED_NS - 500000 + 500000, n * FEED_NS + 1000000);
    }
    free(tracks);
    feed_close(&f);
}

// The frames' own numbers, through the product's index and reader of such files.
static void pictures_are_the_right_ones(void **state)
{
    static const char *const names[] = {"all.mp4", "all.mkv"};
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        char path[128];
        sc_index *ix = build_index(folder_file(state, names[i], path));
        assert_int_equal(sc_index_get_info(ix)->frames, 90);
        sc_index_unref(&ix);
        for (int n = 0; n < 90; n += 44) {
            AVFrame *frame = clip_decode(path, n);
            assert_non_null(frame);
            assert_int_equal(sc_scene_read_stamp(frame), n);
            av_frame_free(&frame);
        }
    }
}

// The first piece of sound is no exception: it is where it belongs, not where the picture begins.
static void late_sound_is_late(void **state)
{
    static const char *const names[] = {"late.mp4", "late.mkv", "late/index.m3u8"};
    const int64_t late = 400 * SC_NS_PER_MS, piece = 1024 * SC_NS_PER_S / FEED_RATE;
    struct feed f;
    sc_live_output *outputs[SC_COUNT(names)];
    struct track *tracks = calloc(2, sizeof(*tracks));
    char path[SC_COUNT(names)][128];
    open_feed(&f, NULL, 10, true);
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        struct sc_live_output_params params =
            params_for(folder_file(state, names[i], path[i]), &f);
        outputs[i] = open_output(&params);
    }
    for (int n = 0; n < 40; n++) {
        sc_packet *packet = feed_picture(&f, ZERO);
        for (size_t i = 0; i < SC_COUNT(names); i++)
            sc_live_output_put(outputs[i], packet);
        sc_packet_unref(&packet);
        while ((packet = feed_sound(&f, ZERO + late, ZERO + n * FEED_NS))) {
            for (size_t i = 0; i < SC_COUNT(names); i++)
                sc_live_output_put(outputs[i], packet);
            sc_packet_unref(&packet);
        }
    }
    for (size_t i = 0; i < SC_COUNT(names); i++) {
        sc_live_output_close(&outputs[i], 5000);
        read_tracks(path[i], tracks);
        assert_int_equal(tracks[0].count, 40);
        int64_t at = tracks[1].pts[0] - tracks[0].pts[0];
        assert_in_range(at, late - 2 * piece,
                        late + piece); // an encoder starts before its zero
        assert_in_range(tracks[1].pts[1] - tracks[1].pts[0], piece - SC_NS_PER_MS,
                        piece + SC_NS_PER_MS);
    }
    free(tracks);
    feed_close(&f);
}

// Half the stream is missing in the middle; what follows must not move.
static void gaps_stay_gaps(void **state)
{
    static const char *const names[] = {"gap.mp4", "gap.mkv"};
    struct feed f;
    sc_live_output *outputs[2];
    struct track *tracks = calloc(2, sizeof(*tracks));
    char path[2][128];
    open_feed(&f, NULL, 10, true);
    for (int i = 0; i < 2; i++) {
        struct sc_live_output_params params =
            params_for(folder_file(state, names[i], path[i]), &f);
        outputs[i] = open_output(&params);
    }
    feed_outputs(&f, 30, 0, outputs, 2);
    feed_outputs(&f, 30, 0, NULL, 0);
    feed_outputs(&f, 30, 0, outputs, 2);
    for (int i = 0; i < 2; i++) {
        sc_live_output_close(&outputs[i], 5000);
        read_tracks(path[i], tracks);
        assert_int_equal(tracks[0].count, 60);
        assert_in_range(tracks[0].pts[30] + 1, 60 * FEED_NS, 60 * FEED_NS + 2);
        assert_in_range(tracks[0].pts[59] + 1, 89 * FEED_NS, 89 * FEED_NS + 2);
        int64_t sound_end = tracks[1].pts[tracks[1].count - 1];
        assert_in_range(sound_end, 89 * FEED_NS - 65 * SC_NS_PER_MS, 90 * FEED_NS);
    }
    free(tracks);
    feed_close(&f);
}

static void push_and_die(char path[2][128])
{
    struct feed f;
    sc_live_output *outputs[2];
    if (feed_open(&f, NULL, 250, true, NULL) < 0) // fragments do not wait for keyframes
        _exit(1);
    for (int i = 0; i < 2; i++) {
        struct sc_live_output_params params = params_for(path[i], &f);
        if (sc_live_output_open(&outputs[i], &params, NULL) < 0)
            _exit(1);
    }
    feed_outputs(&f, 90, 0, outputs, 2);
    while (info_of(outputs[0]).frames < 90 || info_of(outputs[1]).frames < 90)
        sc_clock_sleep(SC_NS_PER_MS);
    raise(SIGKILL);
}

static void a_killed_recording_plays(void **state)
{
    char path[2][128];
    int status;
    folder_file(state, "killed.mp4", path[0]);
    folder_file(state, "killed.mkv", path[1]);
    pid_t child = fork();
    if (!child)
        push_and_die(path);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (int i = 0; i < 2; i++) {
        sc_index *ix = build_index(path[i]);
        int64_t frames = sc_index_get_info(ix)->frames;
        if (frames < 65 || frames > 90) // a second is 25
            fail_msg("%s has %d frames", path[i], (int)frames);
        sc_index_unref(&ix);
        AVFrame *frame = clip_decode(path[i], (int)frames - 1);
        assert_non_null(frame);
        assert_int_equal(sc_scene_read_stamp(frame), frames - 1);
        av_frame_free(&frame);
    }
}

// --- failures ---------------------------------------------------------------------------------

static void files_that_cannot_be_written_fail(void **state)
{
    static const struct {
        const char *name, *reason;
    } cases[] = {{"none/a.mp4", "make the folder first"}, {"full.mp4", "free some space"}};
    struct feed f;
    char path[128];
    open_feed(&f, NULL, 10, false);
    assert_int_equal(symlink("/dev/full", folder_file(state, "full.mp4", path)), 0);
    for (size_t i = 0; i < SC_COUNT(cases); i++) {
        struct sc_live_output_params params =
            params_for(folder_file(state, cases[i].name, path), &f);
        sc_live_output *o = open_output(&params);
        feed_outputs(&f, 40, 0, &o, 1);
        struct sc_live_output_info info = wait_for(o, SC_OUTPUT_FAILED);
        if (!strstr(info.reason, cases[i].reason) || !strstr(info.reason, path))
            fail_msg("reason is: %s", info.reason);
        feed_outputs(&f, 5, 0, &o, 1); // goes on for the others
        assert_int_equal(info_of(o).frames + info_of(o).drops, 45);
        sc_live_output_close(&o, 0);
    }
    feed_close(&f);
}

static void a_disk_that_fills_up_leaves_what_fits(void **state)
{
    struct feed f;
    char path[128];
    struct rlimit old, small;
    open_feed(&f, NULL, 10, true);
    struct sc_live_output_params params = params_for(folder_file(state, "limit.mp4", path), &f);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 100 << 10;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    sc_live_output *o = open_output(&params);
    feed_outputs(&f, 150, 0, &o, 1);
    struct sc_live_output_info info = wait_for(o, SC_OUTPUT_FAILED);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_non_null(strstr(info.reason, "larger files"));
    sc_live_output_close(&o, 0);
    sc_index *ix = build_index(path);
    assert_in_range(sc_index_get_info(ix)->frames, 10, 149);
    sc_index_unref(&ix);
    feed_close(&f);
}

// A port that nobody listens on, or where connections are never taken; the descriptor, or -1.
static int make_port(int *port, bool listening)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &size), 0);
    if (listening)
        assert_int_equal(listen(fd, 1), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

static void a_broken_output_hurts_nobody(void **state)
{
    struct feed f;
    char path[128], silent_url[128], dead_url[128];
    int port;
    int silent = make_port(&port, true);
    snprintf(silent_url, sizeof(silent_url), "rtmp://127.0.0.1:%d/app/SECRET", port);
    int dead = make_port(&port, false);
    snprintf(dead_url, sizeof(dead_url), "rtsp://user:SECRET@127.0.0.1:%d/app", port);
    open_feed(&f, NULL, 25, true);
    struct sc_live_output_params params[] = {
        params_for(silent_url, &f), params_for(dead_url, &f),
        params_for(folder_file(state, "well.mp4", path), &f)};
    sc_live_output *outputs[3];
    for (int i = 0; i < 3; i++)
        outputs[i] = open_output(&params[i]);
    int64_t began = 0, putting = 0;
    for (int n = 0; n < 100; n++) {
        sc_packet *packet = feed_picture(&f, ZERO);
        began = sc_clock_now();
        for (int i = 0; i < 3; i++)
            sc_live_output_put(outputs[i], packet);
        putting += sc_clock_now() - began;
        sc_packet_unref(&packet);
    }
    assert_true(putting < 4 * SC_NS_PER_S); // a busy machine; a peer would have cost ten
    sc_live_output_finish(outputs[2]);
    assert_int_equal(wait_for(outputs[2], SC_OUTPUT_DONE).frames, 100);
    struct sc_live_output_info info = info_of(outputs[1]);
    for (int i = 0; i < 500 && info.retries < 2; i++) { // it goes on trying
        sc_clock_sleep(10 * SC_NS_PER_MS);
        info = info_of(outputs[1]);
    }
    assert_true(info.retries >= 2);
    assert_non_null(strstr(info.reason, "refused"));
    assert_null(strstr(info.reason, "SECRET"));
    assert_int_equal(info_of(outputs[0]).state, SC_OUTPUT_CONNECTING);
    began = sc_clock_now();
    for (int i = 0; i < 3; i++)
        sc_live_output_close(&outputs[i], i == 0 ? 200 : 0);
    assert_true(sc_clock_now() - began < 3 * SC_NS_PER_S / 2);
    close(silent);
    close(dead);
    feed_close(&f);
}

static void silence_is_a_failure_too(void **state)
{
    (void)state;
    struct feed f;
    char url[128];
    int port;
    int silent = make_port(&port, true);
    snprintf(url, sizeof(url), "rtmp://127.0.0.1:%d/app/SECRET", port);
    open_feed(&f, NULL, 25, false);
    struct sc_live_output_params params = params_for(url, &f);
    params.timeout_ms = 150;
    params.no_retry = true;
    sc_live_output *o = open_output(&params);
    struct sc_live_output_info info = wait_for(o, SC_OUTPUT_FAILED);
    assert_non_null(strstr(info.reason, "no answer in time"));
    assert_null(strstr(info.reason, "SECRET"));
    sc_live_output_close(&o, 0);
    sc_live_output_close(&o, 0); // nothing left
    close(silent);
    feed_close(&f);
}

int __real_avio_open2(AVIOContext **pb, const char *url, int flags, const AVIOInterruptCB *cb,
                      AVDictionary **options);
int __wrap_avio_open2(AVIOContext **pb, const char *url, int flags, const AVIOInterruptCB *cb,
                      AVDictionary **options);
static atomic_int hanging;

// As a name server that does not answer: nothing interrupts it.
int __wrap_avio_open2(AVIOContext **pb, const char *url, int flags, const AVIOInterruptCB *cb,
                      AVDictionary **options)
{
    if (!strstr(url, "hangs"))
        return __real_avio_open2(pb, url, flags, cb, options);
    hanging++;
    sc_clock_sleep(2600 * SC_NS_PER_MS);
    hanging--;
    return AVERROR(EIO);
}

static void what_hangs_is_left_behind(void **state)
{
    (void)state;
    struct feed f;
    open_feed(&f, NULL, 25, false);
    struct sc_live_output_params params = params_for("rtmp://hangs/app/key", &f);
    sc_live_output *o = open_output(&params);
    while (!hanging)
        sc_clock_sleep(SC_NS_PER_MS);
    int64_t began = sc_clock_now();
    sc_live_output_close(&o, 0);
    assert_in_range(sc_clock_now() - began, 19 * SC_NS_PER_S / 10, 5 * SC_NS_PER_S / 2);
    feed_close(&f);
    while (hanging)
        sc_clock_sleep(SC_NS_PER_MS);
    sc_clock_sleep(100 * SC_NS_PER_MS); // it cleans up after itself
}

static void repeated_times_do_no_harm(void **state)
{
    struct feed f;
    char path[128];
    open_feed(&f, NULL, 25, false);
    struct sc_live_output_params params = params_for(folder_file(state, "twice.mp4", path), &f);
    sc_live_output *o = open_output(&params);
    feed_outputs(&f, 3, 0, &o, 1);
    sc_packet *packet = feed_picture(&f, ZERO);
    sc_live_output_put(o, packet);
    sc_live_output_put(o, packet);
    sc_packet_unref(&packet);
    feed_outputs(&f, 3, 0, &o, 1);
    sc_live_output_finish(o);
    assert_int_equal(wait_for(o, SC_OUTPUT_DONE).frames, 8);
    sc_live_output_close(&o, 0);
    feed_close(&f);
}

static void wish(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

static void a_late_output_asks_for_a_keyframe(void **state)
{
    struct feed f;
    char path[128];
    atomic_bool wished = false;
    open_feed(&f, NULL, 100, false);
    struct sc_live_output_params params = params_for(folder_file(state, "late.mp4", path), &f);
    params.want_key = wish;
    params.want_key_arg = &wished;
    feed_outputs(&f, 5, 0, NULL, 0);
    sc_live_output *o = open_output(&params);
    for (int i = 0; i < 500 && !wished; i++)
        sc_clock_sleep(10 * SC_NS_PER_MS);
    assert_true(wished);
    feed_outputs(&f, 5, 0, &o, 1);
    sc_encoder_want_key(f.encoder);
    feed_outputs(&f, 5, 0, &o, 1);
    sc_live_output_finish(o);
    struct sc_live_output_info info = wait_for(o, SC_OUTPUT_DONE);
    assert_int_equal(info.frames, 5);
    assert_int_equal(info.drops, 5);
    sc_live_output_close(&o, 0);
    AVFrame *frame = clip_decode(path, 0);
    assert_int_equal(sc_scene_read_stamp(frame), 10);
    av_frame_free(&frame);
    feed_close(&f);
}

// --- HLS --------------------------------------------------------------------------------------

static char *read_text(void **state, const char *name)
{
    char path[128];
    size_t size;
    char *text = (char *)read_file(folder_file(state, name, path), &size);
    text[size] = '\0';
    return text;
}

static int count_files(void **state, const char *folder, const char *ending)
{
    char path[128];
    int count = 0;
    DIR *dir = opendir(folder_file(state, folder, path));
    struct dirent *entry;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        size_t size = strlen(entry->d_name), tail = strlen(ending);
        count += size > tail && !strcmp(entry->d_name + size - tail, ending);
    }
    closedir(dir);
    return count;
}

static int count_in(const char *text, const char *what)
{
    int count = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        count++;
    return count;
}

static void hls_keeps_a_window(void **state)
{
    struct feed f;
    char path[128];
    for (int run = 0; run < 2; run++) { // the second removes what the first left
        open_feed(&f, NULL, 5, true);
        struct sc_live_output_params params =
            params_for(folder_file(state, "win/live.m3u8", path), &f);
        params.segment_ms = 200;
        params.window = 3;
        sc_live_output *o = open_output(&params);
        feed_outputs(&f, 60, 100 * SC_NS_PER_MS, &o, 1);
        sc_live_output_finish(o);
        assert_int_equal(wait_for(o, SC_OUTPUT_DONE).frames, 60);
        sc_live_output_close(&o, 0);
        feed_close(&f);
        char *text = read_text(state, "win/live.m3u8");
        assert_int_equal(count_in(text, "#EXTINF:0.200000,"), 3);
        assert_non_null(strstr(text, "#EXT-X-MEDIA-SEQUENCE:9\n"));
        assert_non_null(strstr(text, "#EXT-X-TARGETDURATION:1\n"));
        assert_non_null(strstr(text, "#EXT-X-ENDLIST\n"));
        free(text);
        // Segments and as many for late readers, and the parts of six segments, one each.
        assert_int_equal(count_files(state, "win", ".m4s"), 6 + 6);
        assert_int_equal(count_files(state, "win", "-init.mp4"), 1);
        assert_int_equal(count_files(state, "win", ".part"), 0);
    }
}

// Each file that the playlist names, but for the one that comes next, is there; how many that are.
static int assert_all_there(void **state, const char *folder, const char *playlist)
{
    int count = 0;
    char *copy = strdup(playlist), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *uri = strstr(line, "URI=\""), name[64], path[128];
        if (sc_starts_with(line, "#EXT-X-PRELOAD-HINT") || !*line || (*line == '#' && !uri))
            continue;
        uri = uri ? uri + strlen("URI=\"") : line;
        snprintf(name, sizeof(name), "%s/%.*s", folder, (int)strcspn(uri, "\""), uri);
        if (access(folder_file(state, name, path), R_OK) < 0)
            fail_msg("%s is listed, but not there", name);
        count++;
    }
    free(copy);
    return count;
}

static void hls_has_parts_while_it_is_live(void **state)
{
    struct feed f;
    char path[128];
    open_feed(&f, NULL, 25, true);
    struct sc_live_output_params params =
        params_for(folder_file(state, "parts/live.m3u8", path), &f);
    sc_live_output *o = open_output(&params);
    feed_outputs(&f, 20, 100 * SC_NS_PER_MS, &o, 1);
    while (info_of(o).frames < 20)
        sc_clock_sleep(SC_NS_PER_MS);
    assert_int_equal(access(path, R_OK), -1); // other players want a whole segment
    feed_outputs(&f, 70, 100 * SC_NS_PER_MS, &o, 1);
    while (info_of(o).frames < 90)
        sc_clock_sleep(SC_NS_PER_MS);
    char *text = read_text(state, "parts/live.m3u8");
    assert_int_equal(count_in(text, "#EXTINF:1.000000,"), 3);
    assert_int_equal(count_in(text, "#EXT-X-PART:DURATION=0.360000,"), 3 * 2 + 1);
    assert_int_equal(count_in(text, "#EXT-X-PART:DURATION=0.280000,"), 3);
    assert_int_equal(count_in(text, ",INDEPENDENT=YES"), 4);
    assert_non_null(strstr(text, "#EXT-X-PART-INF:PART-TARGET=0.378\n"));
    assert_non_null(strstr(text, "#EXT-X-SERVER-CONTROL:PART-HOLD-BACK=1.756\n"));
    const char *hint = strstr(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"live-");
    assert_non_null(hint);
    assert_non_null(strstr(hint, "-00003.1.m4s\"\n"));
    assert_int_equal(assert_all_there(state, "parts", text), 1 + 3 + 10);
    free(text);
    char *same = clip_run("cd '%s/parts' && cat *-00001.?.m4s | cmp - *-00001.m4s && echo same",
                          ((struct folder *)*state)->path);
    assert_string_equal(same, "same\n");
    free(same);
    sc_live_output_finish(o);
    wait_for(o, SC_OUTPUT_DONE);
    sc_live_output_close(&o, 0);
    text = read_text(state, "parts/live.m3u8");
    assert_null(strstr(text, "#EXT-X-PRELOAD-HINT"));
    assert_non_null(strstr(text, "#EXT-X-ENDLIST\n"));
    free(text);
    feed_close(&f);
}

static void push_until_killed(const char *path)
{
    struct feed f;
    if (feed_open(&f, NULL, 25, true, NULL) < 0)
        _exit(1);
    struct sc_live_output_params params = params_for(path, &f);
    sc_live_output *o = NULL;
    if (sc_live_output_open(&o, &params, NULL) < 0)
        _exit(1);
    for (;;) {
        feed_outputs(&f, 1, 0, &o, 1);
        sc_clock_sleep(SC_NS_PER_MS);
    }
}

static void a_killed_hls_names_what_is_there(void **state)
{
    for (int run = 0; run < 3; run++) {
        char name[32], path[128];
        int status;
        snprintf(name, sizeof(name), "killed%d/live.m3u8", run);
        folder_file(state, name, path);
        pid_t child = fork();
        if (!child)
            push_until_killed(path);
        while (access(path, R_OK) < 0)
            sc_clock_sleep(SC_NS_PER_MS);
        sc_clock_sleep((100 + run * 37) * SC_NS_PER_MS);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        char *text = read_text(state, name);
        name[strlen("killed0")] = '\0';
        assert_true(assert_all_there(state, name, text) >= 1 + 1 + 3);
        free(text);
        // It plays, to a player that does not wait for more.
        struct track *tracks = calloc(2, sizeof(*tracks));
        FILE *end = fopen(path, "a");
        fputs("#EXT-X-ENDLIST\n", end);
        fclose(end);
        read_tracks(path, tracks);
        assert_true(tracks[0].count >= 25 && tracks[0].count % 25 == 0);
        free(tracks);
    }
}

static void hls_kept_whole_is_whole(void **state)
{
    struct feed f;
    char path[128];
    struct track *tracks = calloc(2, sizeof(*tracks));
    open_feed(&f, NULL, 25, true);
    struct sc_live_output_params params = params_for(folder_file(state, "vod.m3u8", path), &f);
    params.window = -1;
    params.cues = true;
    sc_live_output *o = open_output(&params);
    for (int n = 0; n < 90; n++) {
        if (n == 20)
            sc_live_output_cue(o, ZERO + n * FEED_NS, 2 * SC_NS_PER_S, "a < b\n\n& \"c\"\n");
        feed_outputs(&f, 1, 200 * SC_NS_PER_MS, &o, 1);
    }
    sc_live_output_finish(o);
    struct sc_live_output_info info = wait_for(o, SC_OUTPUT_DONE);
    sc_live_output_close(&o, 0);
    read_tracks(folder_file(state, "vod-video.m3u8", path), tracks);
    assert_int_equal(tracks[0].count, 90);
    assert_int_equal(tracks[1].count, info.sounds);
    assert_in_range(tracks[1].pts[0] - tracks[0].pts[0], 0, 1024 * SC_NS_PER_S / FEED_RATE);
    char *text = read_text(state, "vod.m3u8");
    assert_non_null(strstr(text, "RESOLUTION=320x180"));
    assert_non_null(strstr(text, "CODECS=\"avc1."));
    free(text);
    text = clip_run("cat '%s'/vod-*-0000[0-3].vtt", ((struct folder *)*state)->path);
    // It lasts into the third second, and is in each segment that it touches.
    assert_int_equal(count_in(text, "00:00:00.800 --> 00:00:02.800\na &lt; b\n&amp; \"c\"\n"),
                     3);
    assert_int_equal(count_in(text, "WEBVTT"), 4);
    free(text);
    free(tracks);
    feed_close(&f);
}

int main(void)
{
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_told_apart),
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(foreign_sound_becomes_aac),
        cmocka_unit_test(a_full_queue_drops_up_to_a_keyframe),
        cmocka_unit_test(without_a_keyframe_it_waits_for_one),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(it_starts_at_a_keyframe),
        cmocka_unit_test(files_hold_everything),
        cmocka_unit_test(pictures_are_the_right_ones),
        cmocka_unit_test(late_sound_is_late),
        cmocka_unit_test(gaps_stay_gaps),
        cmocka_unit_test(a_killed_recording_plays),
        cmocka_unit_test(files_that_cannot_be_written_fail),
        cmocka_unit_test(a_disk_that_fills_up_leaves_what_fits),
        cmocka_unit_test(a_broken_output_hurts_nobody),
        cmocka_unit_test(silence_is_a_failure_too),
        cmocka_unit_test(what_hangs_is_left_behind),
        cmocka_unit_test(repeated_times_do_no_harm),
        cmocka_unit_test(a_late_output_asks_for_a_keyframe),
        cmocka_unit_test(hls_keeps_a_window),
        cmocka_unit_test(hls_has_parts_while_it_is_live),
        cmocka_unit_test(a_killed_hls_names_what_is_there),
        cmocka_unit_test(hls_kept_whole_is_whole),
    };
    return cmocka_run_group_tests(tests, folder_open, folder_close);
}
