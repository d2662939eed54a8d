#include "pipeline/stage_rung.h"

#include <math.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/crop.h"
#include "media/encoder.h"
#include "pipeline/rung_wait.h"
#include "pipeline/shot.h"

#define KEY_PAUSE_NS (SC_NS_PER_S / 2) // between keyframes that were wished for
#define IDLE_NS      (2 * SC_NS_PER_S) // an encoder that nobody taps is kept so long
#define REOPEN_NS    (2 * SC_NS_PER_S) // between changes of rate that cost a keyframe
#define GOP_S        10
#define FINDINGS     1 // the input

struct stage {
    struct sc_stage_rung_params params; // immutable
    // The stage's own.
    sc_encoder *encoder; // NULL while nobody taps
    sc_cropper *cropper; // NULL where pictures have the size already
    struct sc_crop part; // of them that is seen
    int in_width, in_height;
    AVRational in_aspect;         // of the pictures that all this is for
    int width, height;            // of what leaves
    int64_t bitrate, own_bitrate; // that the encoder has; the one by size
    int64_t opened_ns;            // the encoder
    int64_t key_ns;               // of the last keyframe
    int64_t tapped_ns;            // when somebody was there last
    int64_t next_ns;              // with a limit of the rate: the next picture is due
    int64_t last_pts_ns;          // of the last picture that was due
    double step_ns;               // between such pictures, on average
    struct sc_rung_wait wait;     // for what is found beside
};

// --- what is to be made of a picture ----------------------------------------------------------

// Keeps at most one picture of each 1/fps; a quarter of that is forgiven, so that pictures of just that
// rate are all kept.
static bool is_due(struct stage *s, int64_t pts_ns)
{
    if (s->params.wanted.fps <= 0)
        return true;
    int64_t step_ns = (int64_t)((double)SC_NS_PER_S / s->params.wanted.fps);
    bool near = pts_ns > s->next_ns - 2 * step_ns && pts_ns < s->next_ns + step_ns;
    if (near && pts_ns < s->next_ns - step_ns / 4)
        return false;
    s->next_ns = (near ? s->next_ns : pts_ns) + step_ns;
    return true;
}

// Learns the rate, for sources that do not tell theirs.
static void watch_rate(struct stage *s, int64_t pts_ns)
{
    double step_ns = (double)(pts_ns - s->last_pts_ns);
    if (s->last_pts_ns && step_ns > 0 && step_ns < (double)SC_NS_PER_S)
        s->step_ns = s->step_ns > 0 ? s->step_ns + (step_ns - s->step_ns) / 8 : step_ns;
    s->last_pts_ns = pts_ns;
}

static double rate_of(const struct stage *s)
{
    AVRational rate = sc_live_facts_rate(s->params.facts);
    double fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    if (fps < 1 || fps > 240)
        fps = s->step_ns > 0 ? (double)SC_NS_PER_S / s->step_ns : 30;
    if (s->params.fps > 0)
        fps = fmin(fps, s->params.fps);
    if (s->params.wanted.fps > 0)
        fps = fmin(fps, s->params.wanted.fps);
    return fmax(fps, 1);
}

static int even(double side)
{
    return FFMAX(2 * (int)lround(side / 2), 2);
}

// In square pixels, as browsers look at no others, in shape and never larger than it came.
static void choose_size(struct stage *s, const AVFrame *av)
{
    const struct sc_live_rung *wanted = &s->params.wanted;
    double stretch = av->sample_aspect_ratio.num > 0 ? av_q2d(av->sample_aspect_ratio) : 1;
    double w = stretch < 1 ? av->width * stretch : av->width;
    double h = stretch > 1 ? av->height / stretch : av->height;
    double scale = 1;
    if (wanted->width)
        scale = fmin(scale, wanted->width / w);
    if (wanted->height)
        scale = fmin(scale, wanted->height / h);
    s->part = (struct sc_crop){.w = (float)av->width, .h = (float)av->height};
    s->width = even(w * scale);
    s->height = even(h * scale);
    if (scale < 1 || w < av->width || h < av->height)
        return;
    // An odd last column or line is left out, which is better than to scale by so little.
    s->width = FFMAX(av->width & ~1, 2);
    s->height = FFMAX(av->height & ~1, 2);
    s->part = (struct sc_crop){.w = (float)s->width, .h = (float)s->height};
}

// The levels of H.264 by macroblocks a picture and a second (ITU-T H.264, table A-1), from 3.1 on, which
// is what all browsers take.
static int level_of(int width, int height, double fps)
{
    static const struct {
        int level, size, rate;
    } levels[] = {{31, 3600, 108000},  {32, 5120, 216000},  {40, 8192, 245760},
                  {42, 8704, 522240},  {50, 22080, 589824}, {51, 36864, 983040},
                  {52, 36864, 2073600}};
    int size = ((width + 15) / 16) * ((height + 15) / 16);
    for (size_t i = 0; i < SC_COUNT(levels); i++)
        if (size <= levels[i].size && size * fps <= levels[i].rate * 1.001)
            return levels[i].level;
    return 0; // the encoder knows larger ones
}

const char *sc_live_codec_encoder(enum sc_live_codec codec)
{
    return codec == SC_LIVE_VP8 ? "libvpx" : "libx264";
}

// --- the encoder ------------------------------------------------------------------------------

static void close_encoder(struct stage *s)
{
    sc_encoder_close(&s->encoder);
    sc_cropper_close(&s->cropper);
}

// The bitrate that is wished for now.
static int64_t wished_bitrate(const struct stage *s)
{
    int64_t bitrate = atomic_load(&s->params.rung->bitrate);
    if (!bitrate)
        bitrate = s->params.wanted.bitrate;
    return bitrate ? bitrate : s->own_bitrate;
}

static void note_bitrate(struct stage *s, int64_t bitrate)
{
    s->bitrate = bitrate;
    pthread_mutex_lock(&s->params.rung->lock);
    s->params.rung->figures.bitrate = bitrate;
    pthread_mutex_unlock(&s->params.rung->lock);
}

// Presets by what a picture costs: at 720p superfast takes two thirds longer than ultrafast for the same
// bits, and gains 0.3 dB.
//
// One thread, in the step itself: libavcodec's own would add a picture's delay or, in H.264, cut pictures into
// slices, which cost bits and bring nothing where a picture takes a few milliseconds. Other rungs and other
// stages use the other cores.
static int open_encoder(struct stage *s, const AVFrame *like, sc_err *err)
{
    bool h264 = s->params.wanted.codec == SC_LIVE_H264;
    double fps = rate_of(s);
    s->own_bitrate = sc_encoder_suiting_bitrate(s->width, s->height, fps);
    struct sc_encoder_params params = {
        .like = like,
        .codec = sc_live_codec_encoder(s->params.wanted.codec),
        .frame_rate = av_d2q(fps, 100000),
        .sample_aspect = {1, 1},
        .bitrate = wished_bitrate(s),
        .gop = (int)ceil(GOP_S * fps),
        .threads = 1,
        .steady = true,
        .in_band = true,
        .live = true,
        .narrow = true,
    };
    bool large = s->width * s->height > 640 * 360;
    if (h264) {
        params.preset = large ? "ultrafast" : "superfast";
        params.profile = "baseline"; // x264's is the constrained one
        params.level = level_of(s->width, s->height, fps);
        params.buffer_ms = 120;
    } else {
        params.preset = large ? "-8" : "-6";
        params.buffer_ms = 300;
    }
    int ret = sc_encoder_open(&s->encoder, &params, err);
    s->opened_ns = sc_clock_now();
    note_bitrate(s, params.bitrate);
    return ret;
}

// What was made for pictures of another size goes.
static int prepare(struct stage *s, const AVFrame *av, sc_err *err)
{
    if (s->in_width == av->width && s->in_height == av->height &&
        !av_cmp_q(s->in_aspect, av->sample_aspect_ratio) && s->encoder)
        return SC_OK;
    close_encoder(s);
    s->in_width = av->width;
    s->in_height = av->height;
    s->in_aspect = av->sample_aspect_ratio;
    choose_size(s, av);
    if (s->width == av->width && s->height == av->height)
        return SC_OK;
    const struct sc_cropper_params params = {.width = s->width, .height = s->height};
    return sc_cropper_open(&s->cropper, &params, err);
}

// libavcodec cannot tell libvpx another rate: it is opened anew, with a keyframe, so not all the time.
static void follow_bitrate(struct stage *s)
{
    int64_t bitrate = wished_bitrate(s);
    if (!s->encoder || bitrate == s->bitrate)
        return;
    if (sc_encoder_set_bitrate(s->encoder, bitrate, 0) >= 0)
        note_bitrate(s, bitrate);
    else if (sc_clock_now() - s->opened_ns >= REOPEN_NS &&
             llabs(bitrate - s->bitrate) * 20 > s->bitrate)
        sc_encoder_close(&s->encoder);
}

// --- a picture --------------------------------------------------------------------------------

static struct sc_live_sample sample_of(const struct stage *s, const sc_shot *shot,
                                       sc_packet *packet)
{
    const AVFrame *av = shot->frame->av;
    double stretch = av->sample_aspect_ratio.num > 0 ? av_q2d(av->sample_aspect_ratio) : 1;
    return (struct sc_live_sample){
        .packet = packet,
        .width = s->width,
        .height = s->height,
        .found = shot->found,
        .source_width = (int)lround(av->width * stretch),
        .source_height = av->height,
        .crop = shot->part.crop,
        .wide_width = shot->part.width,
        .wide_height = shot->part.height,
        .detected = shot->detected,
        .model = s->params.model,
        .threshold = s->params.threshold,
        .n = shot->frame->n,
        .pts_ns = shot->frame->pts_ns,
        .arrival_ns = shot->arrival_ns,
    };
}

static void give(struct stage *s, struct sc_live_sample *sample)
{
    if (sample->found) {
        sample->source_width = sample->found->width;
        sample->source_height = sample->found->height;
    }
    sample->ready_ns = sc_clock_now();
    sc_rung_give(s->params.rung, sample);
}

// Those that wait for nothing any more.
static void give_waiting(struct stage *s, bool all)
{
    struct sc_live_sample sample;
    while (sc_rung_wait_take(&s->wait, all, &sample)) {
        give(s, &sample);
        sc_packet_unref(&sample.packet);
        sc_detections_unref(&sample.found);
    }
}

static void take_packet(struct stage *s, const sc_shot *shot, sc_packet *packet)
{
    struct sc_live_sample sample = sample_of(s, shot, packet);
    if (packet->key)
        s->key_ns = sc_clock_now();
    if (!s->params.beside) {
        give(s, &sample);
        return;
    }
    sc_rung_wait_put(&s->wait, &sample);
    give_waiting(s, false);
}

// A wish that comes too early is kept, and so is one that the encoder did not follow.
static int encode(struct stage *s, const sc_shot *shot, const AVFrame *av, sc_err *err)
{
    sc_packet *packet = NULL;
    sc_rung *rung = s->params.rung;
    bool wanted = atomic_exchange(&rung->want_key, false), got = false;
    bool alone = atomic_exchange(&rung->alone, false);
    if (wanted && (alone || sc_clock_now() - s->key_ns >= KEY_PAUSE_NS))
        sc_encoder_want_key(s->encoder);
    int ret = sc_encoder_put(s->encoder, av, shot->frame->pts_ns, 0, err);
    while (ret >= 0 && (ret = sc_encoder_get(s->encoder, &packet, err)) >= 0) {
        got |= packet->key;
        take_packet(s, shot, packet);
        sc_packet_unref(&packet);
    }
    if (alone && !got)
        atomic_store(&rung->alone, true);
    if (wanted && !got)
        atomic_store(&rung->want_key, true);
    return ret == SC_EAGAIN ? SC_OK : ret;
}

// Scales and encodes.
static int work(struct stage *s, const sc_shot *shot, sc_err *err)
{
    AVFrame *scaled = NULL, *av = shot->frame->av;
    follow_bitrate(s);
    int ret = prepare(s, av, err);
    if (ret >= 0 && s->cropper)
        ret = sc_cropper_run(s->cropper, &scaled, av, &s->part, err);
    if (ret >= 0 && !s->encoder)
        ret = open_encoder(s, scaled ? scaled : av, err);
    if (ret >= 0)
        ret = encode(s, shot, scaled ? scaled : av, err);
    av_frame_free(&scaled);
    return ret;
}

static int64_t cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * SC_NS_PER_S + now.tv_nsec;
}

static void rest(struct stage *s)
{
    if (sc_clock_now() - s->tapped_ns < IDLE_NS)
        return;
    close_encoder(s);
    sc_rung_wait_clear(&s->wait);
    sc_rung_forget(s->params.rung);
}

static void count(struct stage *s, const struct sc_item *item)
{
    const sc_shot *shot = item->data;
    if (s->params.counts)
        sc_live_facts_show(s->params.facts, shot->frame->av->width, shot->frame->av->height,
                           item->born_ns);
}

static void take_finding(struct stage *s, const sc_shot *shot)
{
    if (!sc_rung_taps(s->params.rung))
        return;
    sc_rung_wait_find(&s->wait, shot->frame->pts_ns, shot->found, shot->detected);
    give_waiting(s, false);
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct stage *s = self;
    sc_shot *shot = item.data;
    int ret = SC_OK;
    if (in == FINDINGS) {
        take_finding(s, shot);
        count(s, &item);
        sc_shot_unref(&shot);
        return SC_OK;
    }
    bool due = is_due(s, shot->frame->pts_ns);
    if (due)
        watch_rate(s, shot->frame->pts_ns);
    if (!sc_rung_taps(s->params.rung)) {
        rest(s);
    } else if (due) {
        int64_t begin_ns = cpu_now();
        s->tapped_ns = sc_clock_now();
        ret = work(s, shot, err);
        sc_rung_spend(s->params.rung, cpu_now() - begin_ns);
    }
    if (ret < 0)
        return ret;
    if (!s->params.beside)
        count(s, &item);
    sc_shot_unref(&shot);
    return SC_OK;
}

static int flush(void *self, sc_err *err)
{
    (void)err;
    give_waiting(self, true);
    return SC_EEOF;
}

static void close_stage(void *self)
{
    struct stage *s = self;
    sc_rung_end(s->params.rung);
    close_encoder(s);
    sc_rung_wait_clear(&s->wait);
    sc_rung_unref(&s->params.rung);
    free(s);
}

static const struct sc_stage_ops ops = {
    .kind = "rung", .push = push, .flush = flush, .close = close_stage};

int sc_stage_rung_add(sc_graph *graph, const struct sc_stage_rung_params *params,
                      sc_stage **pstage, sc_err *err)
{
    struct stage *s = sc_new(struct stage);
    *s = (struct stage){.params = *params, .key_ns = INT64_MIN / 2};
    sc_rung_ref(params->rung);
    const struct sc_stage_params stage = {
        .name = params->name,
        .ops = &ops,
        .self = s,
        .in = {&sc_shot_item, params->beside ? &sc_shot_item : NULL},
        .optional = true};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0) {
        sc_rung_unref(&s->params.rung);
        free(s);
    }
    return ret;
}
