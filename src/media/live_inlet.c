#include "media/live_inlet.h"

#include <pthread.h>
#include <time.h>

#include <libavcodec/avcodec.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/live_input_internal.h"

#define MOST_BYTES   (16u << 20)
#define MOST_PACKETS 1024
#define POLL_NS      (50 * SC_NS_PER_MS) // a cancel is noticed within it

struct sc_live_inlet {
    sc_ref ref;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    // Under lock.
    int publisher; // number of the one that there is, or was
    bool present;
    enum AVCodecID video, sound;
    struct sc_live_inlet_params params;
    bool wants_key; // what comes up to the next keyframe is left out
    int readers;
    AVPacket *packets[MOST_PACKETS]; // a ring; stream_index is the track
    int first, count;
    size_t bytes;
};

// --- the queue ----------------------------------------------------------------------------

sc_live_inlet *sc_live_inlet_new(void)
{
    sc_live_inlet *inlet = sc_new(sc_live_inlet);
    pthread_condattr_t attr;
    sc_ref_init(&inlet->ref);
    pthread_mutex_init(&inlet->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&inlet->changed, &attr);
    pthread_condattr_destroy(&attr);
    return inlet;
}

sc_live_inlet *sc_live_inlet_ref(sc_live_inlet *inlet)
{
    sc_ref_inc(&inlet->ref);
    return inlet;
}

// Under lock.
static AVPacket *take_first(sc_live_inlet *inlet)
{
    if (!inlet->count)
        return NULL;
    AVPacket *pkt = inlet->packets[inlet->first];
    inlet->first = (inlet->first + 1) % MOST_PACKETS;
    inlet->count--;
    inlet->bytes -= (size_t)pkt->size;
    return pkt;
}

// Under lock.
static void clear(sc_live_inlet *inlet)
{
    for (AVPacket *pkt; (pkt = take_first(inlet));)
        av_packet_free(&pkt);
    inlet->wants_key = true;
}

void sc_live_inlet_unref(sc_live_inlet **pinlet)
{
    sc_live_inlet *inlet = pinlet ? *pinlet : NULL;
    if (!inlet)
        return;
    *pinlet = NULL;
    if (!sc_ref_dec(&inlet->ref))
        return;
    clear(inlet);
    pthread_cond_destroy(&inlet->changed);
    pthread_mutex_destroy(&inlet->lock);
    free(inlet);
}

// --- the publisher ------------------------------------------------------------------------

bool sc_live_inlet_begin(sc_live_inlet *inlet, enum AVCodecID video, enum AVCodecID sound,
                         const struct sc_live_inlet_params *params)
{
    pthread_mutex_lock(&inlet->lock);
    bool free_now = !inlet->present;
    if (free_now) {
        clear(inlet);
        inlet->present = true;
        inlet->publisher++;
        inlet->video = video;
        inlet->sound = sound;
        inlet->params = *params;
        pthread_cond_broadcast(&inlet->changed);
    }
    pthread_mutex_unlock(&inlet->lock);
    return free_now;
}

// Under lock.
static void ask_for_key(sc_live_inlet *inlet)
{
    inlet->wants_key = true;
    if (inlet->present && inlet->params.want_key)
        inlet->params.want_key(inlet->params.arg);
}

// Under lock.
static bool put(sc_live_inlet *inlet, const sc_packet *packet)
{
    bool video = packet->media == SC_MEDIA_VIDEO;
    if (!inlet->present || !inlet->readers)
        return false;
    if (inlet->wants_key && !(video && packet->key))
        return false;
    if (inlet->count == MOST_PACKETS || inlet->bytes + (size_t)packet->av->size > MOST_BYTES) {
        clear(inlet);
        ask_for_key(inlet);
        return false;
    }
    AVPacket *pkt = av_packet_alloc();
    if (!pkt || av_packet_ref(pkt, packet->av) < 0) {
        av_packet_free(&pkt);
        ask_for_key(inlet);
        return false;
    }
    inlet->wants_key = false;
    pkt->pts = packet->pts_ns;
    pkt->dts = packet->dts_ns;
    pkt->duration = packet->duration_ns;
    pkt->flags = packet->key ? pkt->flags | AV_PKT_FLAG_KEY : pkt->flags & ~AV_PKT_FLAG_KEY;
    pkt->stream_index = video ? SC_TIMELINE_PICTURE : SC_TIMELINE_SOUND;
    inlet->packets[(inlet->first + inlet->count++) % MOST_PACKETS] = pkt;
    inlet->bytes += (size_t)pkt->size;
    pthread_cond_signal(&inlet->changed);
    return true;
}

bool sc_live_inlet_packet(sc_live_inlet *inlet, const sc_packet *packet)
{
    pthread_mutex_lock(&inlet->lock);
    bool ok = put(inlet, packet);
    pthread_mutex_unlock(&inlet->lock);
    return ok;
}

void sc_live_inlet_end(sc_live_inlet *inlet)
{
    pthread_mutex_lock(&inlet->lock);
    inlet->present = false;
    inlet->params = (struct sc_live_inlet_params){0};
    pthread_cond_broadcast(&inlet->changed);
    pthread_mutex_unlock(&inlet->lock);
}

bool sc_live_inlet_is_read(sc_live_inlet *inlet)
{
    pthread_mutex_lock(&inlet->lock);
    bool read = inlet->readers > 0;
    pthread_mutex_unlock(&inlet->lock);
    return read;
}

// --- the source ---------------------------------------------------------------------------

struct inflow {
    sc_live_inlet *inlet;              // a reference
    struct sc_live_deadline *deadline; // borrowed
    int publisher;                     // whose packets are read
    AVPacket *first;                   // that told the format
    AVCodecParameters *video, *sound;
    struct sc_live_facts facts;
};

// Returns now and then anyway, so that a cancel is noticed. Under lock.
static void await_change(sc_live_inlet *inlet)
{
    int64_t at = sc_clock_now() + POLL_NS;
    struct timespec until = {.tv_sec = at / SC_NS_PER_S, .tv_nsec = at % SC_NS_PER_S};
    pthread_cond_timedwait(&inlet->changed, &inlet->lock, &until);
}

// The next packet of this publisher; NULL on failure. SC_EIO: it has left.
static int next_packet(struct inflow *p, AVPacket **ppkt, sc_err *err)
{
    sc_live_inlet *inlet = p->inlet;
    int ret = SC_EAGAIN;
    pthread_mutex_lock(&inlet->lock);
    while (ret == SC_EAGAIN) {
        *ppkt = inlet->publisher == p->publisher ? take_first(inlet) : NULL;
        if (*ppkt) {
            ret = SC_OK;
        } else if (sc_live_deadline_passed(p->deadline)) {
            ret = sc_cancel_requested(p->deadline->cancel)
                      ? SC_ECANCELLED
                      : sc_fail(err, SC_ETIMEOUT, "the publisher sends no pictures");
        } else if (!inlet->present || inlet->publisher != p->publisher) {
            ret = sc_fail(err, SC_EIO, "the publisher has left");
        } else {
            await_change(inlet);
        }
    }
    pthread_mutex_unlock(&inlet->lock);
    return ret;
}

// Waits for a publisher.
static int await_publisher(struct inflow *p)
{
    sc_live_inlet *inlet = p->inlet;
    int ret = SC_OK;
    pthread_mutex_lock(&inlet->lock);
    while (!ret && !inlet->present) {
        await_change(inlet);
        if (sc_cancel_requested(p->deadline->cancel))
            ret = SC_ECANCELLED;
    }
    p->publisher = inlet->publisher;
    if (!ret)
        ask_for_key(inlet); // what it sent before is of no use without one
    p->video->codec_id = inlet->video;
    p->sound->codec_id = inlet->sound;
    pthread_mutex_unlock(&inlet->lock);
    return ret;
}

// Size and profile from the keyframe itself.
static int read_format(struct inflow *p, const AVPacket *pkt, sc_err *err)
{
    AVCodecParserContext *parser = av_parser_init(p->video->codec_id);
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_decoder(p->video->codec_id));
    uint8_t *out;
    int size, ret = parser && codec ? SC_OK : SC_ENOMEM;
    if (!ret) {
        parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
        av_parser_parse2(parser, codec, &out, &size, pkt->data, pkt->size, AV_NOPTS_VALUE,
                         AV_NOPTS_VALUE, 0);
        p->video->codec_type = AVMEDIA_TYPE_VIDEO;
        p->video->width = parser->width > 0 ? parser->width : codec->width;
        p->video->height = parser->height > 0 ? parser->height : codec->height;
        p->video->format = parser->format >= 0 ? parser->format : AV_PIX_FMT_YUV420P;
        p->video->profile = codec->profile;
        p->video->level = codec->level;
        if (p->video->width <= 0 || p->video->height <= 0)
            ret = sc_fail(err, SC_EDATA, "the publisher's first keyframe makes no sense");
    }
    av_parser_close(parser);
    avcodec_free_context(&codec);
    return ret;
}

static int open_inflow(void **pself, const struct sc_live_address *address,
                       const struct sc_live_input_params *params,
                       struct sc_live_deadline *deadline, sc_err *err)
{
    struct inflow *p = *pself = sc_new(struct inflow);
    (void)address;
    p->inlet = sc_live_inlet_ref(params->inlet);
    p->deadline = deadline;
    p->video = avcodec_parameters_alloc();
    p->sound = avcodec_parameters_alloc();
    if (!p->video || !p->sound)
        return SC_ENOMEM;
    pthread_mutex_lock(&p->inlet->lock);
    p->inlet->readers++;
    pthread_mutex_unlock(&p->inlet->lock);
    int ret = await_publisher(p);
    if (!ret)
        ret = next_packet(p, &p->first, err);
    if (!ret)
        ret = read_format(p, p->first, err);
    const struct sc_timeline_format ns = {.time_base = {1, 1000000000}};
    p->facts.video = p->video;
    p->facts.format[SC_TIMELINE_PICTURE] = p->facts.format[SC_TIMELINE_SOUND] = ns;
    p->facts.format[SC_TIMELINE_PICTURE].frame_ns = SC_NS_PER_S / 30;
    if (p->sound->codec_id != AV_CODEC_ID_NONE) {
        p->sound->codec_type = AVMEDIA_TYPE_AUDIO;
        p->sound->sample_rate = 48000;
        av_channel_layout_default(&p->sound->ch_layout, 2);
        p->facts.sound = p->sound;
    }
    return ret;
}

static const struct sc_live_facts *facts(const void *self)
{
    const struct inflow *p = self;
    return &p->facts;
}

static int read_inflow(void *self, AVPacket *pkt, enum sc_timeline_track *track, sc_err *err)
{
    struct inflow *p = self;
    AVPacket *next = p->first;
    int ret = next ? SC_OK : next_packet(p, &next, err);
    p->first = NULL;
    if (!next)
        return ret;
    *track = (enum sc_timeline_track)next->stream_index;
    next->stream_index = 0;
    av_packet_move_ref(pkt, next);
    av_packet_free(&next);
    return SC_OK;
}

static void close_inflow(void **pself)
{
    struct inflow *p = *pself;
    if (!p)
        return;
    if (p->video && p->sound) {
        pthread_mutex_lock(&p->inlet->lock);
        p->inlet->readers--;
        pthread_mutex_unlock(&p->inlet->lock);
    }
    av_packet_free(&p->first);
    avcodec_parameters_free(&p->video);
    avcodec_parameters_free(&p->sound);
    sc_live_inlet_unref(&p->inlet);
    free(p);
    *pself = NULL;
}

const struct sc_live_source_ops sc_live_inflow = {open_inflow, facts, read_inflow, close_inflow,
                                                  NULL};
