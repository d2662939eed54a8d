#include "media/live_input.h"

#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "media/codec_owner.h"
#include "media/live_input_internal.h"

#define DEFAULT_CONNECT (10 * SC_NS_PER_S)
#define DEFAULT_READ    (10 * SC_NS_PER_S)
#define DEFAULT_WEB     (30 * SC_NS_PER_S) // HLS gives segments of up to so long
#define GOODBYE         SC_NS_PER_S        // that taking leave of a server may last
#define QUEUE_ITEMS     8                  // made by one step besides sound that was held
#define MAX_HELD        256                // packets of sound before the first picture

enum phase { CLOSED, OPENING, OPEN, WAITING, DONE };

struct sc_live_input {
    struct sc_live_input_params params; // url and transport point to what is owned below
    char *transport;                    // owned; NULL = default
    struct sc_live_address address;
    struct sc_live_deadline deadline;

    enum phase phase;
    int final;           // DONE: what read() returns
    sc_err why;          // likewise
    void *source;        // of address.kind->ops; NULL unless OPEN
    int64_t patience_ns; // OPEN: time left to wait for a picture
    int64_t opened_ns, until_ns;
    int failures; // in a row
    int64_t pause_ns;
    bool connected; // ever

    sc_live_streams *streams; // the last given; NULL = none yet
    AVCodecParameters *video; // as it is now
    struct sc_live_watch *watch;
    sc_timeline *timeline;
    bool fresh[SC_TIMELINE_TRACKS]; // no packet since the source was opened again
    bool finite;                    // of the first opening

    struct sc_live_item queue[QUEUE_ITEMS + MAX_HELD]; // to be given, from `first` on
    int first, count;
    struct { // sound that waits for the first picture
        AVPacket *pkt;
        int64_t arrival_ns;
    } held[MAX_HELD];
    int held_count;
    struct sc_live_input_info info;
};

// --- time and chance ---------------------------------------------------------------------------

static int64_t now(const sc_live_input *in)
{
    return in->params.seams.now ? in->params.seams.now(in->params.seams.arg) : sc_clock_now();
}

static double chance(const sc_live_input *in)
{
    if (in->params.seams.chance)
        return in->params.seams.chance(in->params.seams.arg);
    uint64_t mixed = ((uint64_t)sc_clock_now() ^ (uintptr_t)in) * 0x9e3779b97f4a7c15u;
    return (double)(mixed >> 11) / 0x1p53; // that many sources do not come back all at once
}

static void wait_until(const sc_live_input *in, int64_t until_ns)
{
    if (in->params.seams.wait) {
        in->params.seams.wait(in->params.seams.arg, until_ns);
        return;
    }
    struct pollfd fd = {.fd = sc_cancel_fd(in->params.cancel), .events = POLLIN};
    while (!sc_cancel_requested(in->params.cancel)) {
        int64_t left = until_ns - sc_clock_now();
        if (left <= 0)
            return;
        poll(&fd, 1, (int)(left / SC_NS_PER_MS) + 1);
    }
}

int64_t sc_live_pause(const struct sc_live_retry *retry, int failures, double chance)
{
    int64_t pause = retry->first_ns > 0 ? retry->first_ns : SC_NS_PER_S / 2;
    int64_t most = retry->max_ns > 0 ? retry->max_ns : 15 * SC_NS_PER_S;
    double jitter = retry->jitter == 0 ? 0.5 : retry->jitter < 0 ? 0 : retry->jitter;
    for (int i = 1; i < failures && pause < most; i++)
        pause *= 2;
    pause = pause < most ? pause : most;
    return pause - (int64_t)((double)pause * (jitter < 1 ? jitter : 1) * chance);
}

// --- items -------------------------------------------------------------------------------------

const char *sc_live_state_name(enum sc_live_state state)
{
    static const char *const names[] = {"connecting", "connected", "lost", "waiting"};
    return names[state];
}

void sc_live_item_release(struct sc_live_item *item)
{
    sc_live_streams_unref(&item->streams);
    sc_packet_unref(&item->packet);
    *item = (struct sc_live_item){0};
}

static void give(sc_live_input *in, struct sc_live_item item)
{
    sc_require(in->first + in->count < (int)SC_COUNT(in->queue));
    in->queue[in->first + in->count++] = item;
}

static void give_state(sc_live_input *in, enum sc_live_state state)
{
    give(in,
         (struct sc_live_item){.type = SC_LIVE_STATE, .state = state, .attempt = in->failures});
}

static bool take(sc_live_input *in, struct sc_live_item *item)
{
    if (!in->count)
        return false;
    *item = in->queue[in->first++];
    if (--in->count == 0)
        in->first = 0;
    return true;
}

// --- opening and closing the source ------------------------------------------------------------

static void drop_held(sc_live_input *in)
{
    in->info.left_out += in->held_count;
    while (in->held_count)
        av_packet_free(&in->held[--in->held_count].pkt);
}

static void close_source(sc_live_input *in)
{
    in->deadline.at_ns = sc_clock_now() + GOODBYE;
    in->address.kind->ops->close(&in->source);
    sc_live_watch_free(&in->watch);
    drop_held(in);
}

static int end(sc_live_input *in, int code)
{
    close_source(in);
    in->phase = DONE;
    in->final = code;
    if (code == SC_EEOF || code == SC_ECANCELLED)
        in->why = (sc_err){0}; // an earlier loss is not the reason
    return SC_OK;
}

// Waiting does not help where the address, the password or the codec is wrong from the start.
static bool is_final(const sc_live_input *in, int code)
{
    const struct sc_live_retry *retry = &in->params.retry;
    if (!in->address.kind->live || code == SC_ECANCELLED || code == SC_ENOMEM)
        return true;
    if (!in->connected && (code == SC_EDENIED || code == SC_EUNSUPPORTED || code == SC_EARG))
        return true;
    return retry->attempts && in->failures >= retry->attempts;
}

static int lose(sc_live_input *in, int code, const sc_err *why)
{
    bool lasted = in->phase == OPEN && now(in) - in->opened_ns > in->pause_ns;
    close_source(in);
    in->why = *why;
    in->failures = lasted ? 1 : in->failures + 1;
    if (sc_cancel_requested(in->params.cancel))
        code = SC_ECANCELLED;
    if (code == SC_ECANCELLED)
        return end(in, code);
    give(in, (struct sc_live_item){.type = SC_LIVE_STATE,
                                   .state = SC_LIVE_LOST,
                                   .err = *why,
                                   .attempt = in->failures});
    if (is_final(in, code))
        return end(in, code);
    in->pause_ns = sc_live_pause(&in->params.retry, in->failures, chance(in));
    in->until_ns = now(in) + in->pause_ns;
    in->phase = WAITING;
    give(in, (struct sc_live_item){.type = SC_LIVE_STATE,
                                   .state = SC_LIVE_WAITING,
                                   .until_ns = in->until_ns,
                                   .attempt = in->failures});
    return SC_OK;
}

static int give_streams(sc_live_input *in, const struct sc_live_facts *facts)
{
    int generation = in->streams ? in->streams->generation + 1 : 1;
    sc_live_streams *streams = sc_live_streams_new(facts, generation, in->address.kind);
    if (!streams)
        return SC_ENOMEM;
    if (in->streams && sc_live_streams_equal(in->streams, streams)) {
        sc_live_streams_unref(&streams);
        return SC_OK;
    }
    sc_live_streams_unref(&in->streams);
    in->streams = streams;
    give(in, (struct sc_live_item){.type = SC_LIVE_STREAMS,
                                   .streams = sc_live_streams_ref(streams)});
    return SC_OK;
}

// The source is open: what it has is told, and time goes on from here.
static int begin(sc_live_input *in, const struct sc_live_facts *facts)
{
    if (!in->timeline)
        in->timeline =
            sc_timeline_new(&(struct sc_timeline_params){in->address.kind->live, facts->jumps});
    else
        sc_timeline_resume(in->timeline);
    for (int i = 0; i < SC_TIMELINE_TRACKS; i++) {
        sc_timeline_set_track(in->timeline, i, &facts->format[i]);
        in->fresh[i] = in->connected;
    }
    avcodec_parameters_free(&in->video);
    in->video = avcodec_parameters_alloc();
    if (!in->video || avcodec_parameters_copy(in->video, facts->video) < 0)
        return SC_ENOMEM;
    in->watch = sc_live_watch_new(facts->video);
    in->info.reconnects += in->connected && in->address.kind->live;
    if (!in->connected)
        in->finite = facts->finite;
    in->connected = true;
    in->phase = OPEN;
    in->opened_ns = now(in);
    in->patience_ns = in->params.read_timeout_ns;
    return give_streams(in, facts);
}

static int open_source(sc_live_input *in)
{
    const struct sc_live_source_ops *ops = in->address.kind->ops;
    sc_err why = {0};
    in->deadline.at_ns =
        in->address.listens ? 0 : sc_clock_now() + in->params.connect_timeout_ns;
    int ret = ops->open(&in->source, &in->address, &in->params, &in->deadline, &why);
    if (ret < 0)
        return lose(in, ret, &why);
    const struct sc_live_facts *facts = ops->facts(in->source);
    if (facts->finite && in->connected && !in->finite)
        return end(in, SC_EEOF); // the broadcast became a recording while it was away
    if (!in->connected || in->address.kind->live)
        give_state(in, SC_LIVE_CONNECTED);
    return begin(in, facts);
}

// --- packets -----------------------------------------------------------------------------------

// Hands pkt's contents on with its repaired times.
static int give_packet(sc_live_input *in, AVPacket *pkt, enum sc_timeline_track track,
                       const struct sc_timeline_out *t, int64_t arrival_ns)
{
    AVPacket *av = av_packet_alloc();
    if (!av)
        return SC_ENOMEM;
    av_packet_move_ref(av, pkt);
    av->time_base = (AVRational){1, SC_NS_PER_S};
    av->pts = t->pts_guessed ? AV_NOPTS_VALUE : t->pts_ns;
    av->dts = t->dts_ns;
    av->duration = t->duration_ns;
    av->stream_index = (int)track;
    bool picture = track == SC_TIMELINE_PICTURE;
    sc_packet *packet = sc_packet_wrap(av, picture ? SC_MEDIA_VIDEO : SC_MEDIA_SOUND);
    if (!packet) {
        av_packet_free(&av);
        return SC_ENOMEM;
    }
    in->info.packets[track]++;
    in->info.bytes += av->size;
    give(in, (struct sc_live_item){.type = SC_LIVE_PACKET,
                                   .packet = packet,
                                   .arrival_ns = arrival_ns,
                                   .resumed = in->fresh[track]});
    in->fresh[track] = false;
    return SC_OK;
}

static int place(sc_live_input *in, AVPacket *pkt, enum sc_timeline_track track,
                 int64_t arrival_ns)
{
    struct sc_timeline_in times = {pkt->pts, pkt->dts, pkt->duration, arrival_ns};
    struct sc_timeline_out out;
    int ret = sc_timeline_place(in->timeline, track, &times, &out);
    if (ret == SC_OK)
        return give_packet(in, pkt, track, &out, arrival_ns);
    if (ret == SC_ERANGE)
        in->info.left_out++;
    return ret == SC_ERANGE ? SC_OK : ret;
}

static int hold(sc_live_input *in, AVPacket *pkt, int64_t arrival_ns)
{
    if (in->held_count == MAX_HELD)
        drop_held(in); // no picture for long: it would lie before its start
    AVPacket *copy = av_packet_alloc();
    if (!copy)
        return SC_ENOMEM;
    av_packet_move_ref(copy, pkt);
    in->held[in->held_count].pkt = copy;
    in->held[in->held_count++].arrival_ns = arrival_ns;
    return SC_OK;
}

static int place_held(sc_live_input *in)
{
    int ret = SC_OK;
    for (int i = 0; i < in->held_count; i++) {
        if (ret >= 0)
            ret = place(in, in->held[i].pkt, SC_TIMELINE_SOUND, in->held[i].arrival_ns);
        av_packet_free(&in->held[i].pkt);
    }
    in->held_count = 0;
    return ret;
}

static int take_picture(sc_live_input *in, AVPacket *pkt, int64_t arrival_ns)
{
    int ret = SC_OK;
    in->patience_ns = in->params.read_timeout_ns;
    if (sc_live_watch_packet(in->watch, pkt, in->video)) {
        struct sc_live_facts facts = *in->address.kind->ops->facts(in->source);
        facts.video = in->video;
        ret = give_streams(in, &facts);
    }
    if (ret >= 0)
        ret = place(in, pkt, SC_TIMELINE_PICTURE, arrival_ns);
    return ret >= 0 ? place_held(in) : ret;
}

static int take_packet(sc_live_input *in, AVPacket *pkt, enum sc_timeline_track track)
{
    int64_t arrival = now(in);
    in->info.damaged += pkt->flags & AV_PKT_FLAG_CORRUPT ? 1 : 0;
    if (track == SC_TIMELINE_PICTURE)
        return take_picture(in, pkt, arrival);
    int ret = place(in, pkt, SC_TIMELINE_SOUND, arrival);
    return ret == SC_EAGAIN ? hold(in, pkt, arrival) : ret;
}

// The source has come to its end.
static int finish(sc_live_input *in)
{
    sc_err why = {0};
    bool live = in->address.kind->live;
    bool gave = in->info.packets[SC_TIMELINE_PICTURE] && !in->fresh[SC_TIMELINE_PICTURE];
    if (!live && in->params.loop && gave) {
        close_source(in);
        in->phase = CLOSED;
        return SC_OK;
    }
    if (!live || in->finite)
        return end(in, SC_EEOF);
    return lose(in, sc_live_explain(&in->address, AVERROR_EOF, &in->deadline, &why), &why);
}

static int lose_stalled(sc_live_input *in)
{
    sc_err why = {0};
    int ret = sc_fail(&why, SC_ETIMEOUT, "%s: no picture came for %g s; the source hangs",
                      in->address.shown, (double)in->params.read_timeout_ns / SC_NS_PER_S);
    return lose(in, ret, &why);
}

static int read_source(sc_live_input *in)
{
    enum sc_timeline_track track = SC_TIMELINE_PICTURE;
    sc_err why = {0};
    AVPacket *pkt = av_packet_alloc();
    int64_t start = sc_clock_now();
    in->deadline.at_ns = in->address.kind->live ? start + in->patience_ns : 0;
    int ret = pkt ? in->address.kind->ops->read(in->source, pkt, &track, &why) : SC_ENOMEM;
    in->patience_ns -= sc_clock_now() - start;
    if (ret == SC_EEOF)
        ret = finish(in);
    else if (ret == SC_ETIMEOUT)
        ret = lose_stalled(in);
    else if (ret < 0)
        ret = lose(in, ret, &why);
    else
        ret = take_packet(in, pkt, track);
    av_packet_free(&pkt);
    return ret;
}

// --- the whole ---------------------------------------------------------------------------------

static void fill_defaults(struct sc_live_input_params *p, const struct sc_live_kind *kind)
{
    if (p->connect_timeout_ns <= 0)
        p->connect_timeout_ns = DEFAULT_CONNECT;
    if (p->read_timeout_ns <= 0)
        p->read_timeout_ns = strcmp(kind->name, "http") ? DEFAULT_READ : DEFAULT_WEB;
}

int sc_live_input_open(sc_live_input **pinput, const struct sc_live_input_params *params,
                       sc_err *err)
{
    sc_live_input *in = sc_new(sc_live_input);
    sc_codec_listen();
    *pinput = NULL;
    int ret = sc_live_address_parse(&in->address, params, err);
    if (ret >= 0 && in->address.kind->ops->check)
        ret = in->address.kind->ops->check(&in->address, err);
    if (ret < 0) {
        sc_live_input_close(&in);
        return ret;
    }
    in->params = *params;
    in->transport = params->transport ? sc_xstrdup(params->transport) : NULL;
    in->params.transport = in->transport;
    in->params.url = in->address.url;
    in->deadline.cancel = params->cancel;
    fill_defaults(&in->params, in->address.kind);
    *pinput = in;
    return SC_OK;
}

void sc_live_input_close(sc_live_input **pinput)
{
    sc_live_input *in = pinput ? *pinput : NULL;
    struct sc_live_item item;
    if (!in)
        return;
    if (in->address.kind)
        close_source(in);
    while (take(in, &item))
        sc_live_item_release(&item);
    sc_timeline_free(&in->timeline);
    avcodec_parameters_free(&in->video);
    sc_live_streams_unref(&in->streams);
    free(in->address.url);
    free(in->transport);
    free(in);
    *pinput = NULL;
}

static int step(sc_live_input *in)
{
    if (in->phase == OPEN)
        return read_source(in);
    if (in->phase == OPENING)
        return open_source(in);
    if (in->phase == WAITING)
        wait_until(in, in->until_ns);
    in->phase = OPENING;
    if (!in->connected || in->address.kind->live) // a file that loops just goes on
        give_state(in, SC_LIVE_CONNECTING);
    return SC_OK;
}

int sc_live_input_read(sc_live_input *in, struct sc_live_item *item, sc_err *err)
{
    *item = (struct sc_live_item){0};
    while (!take(in, item)) {
        int ret = SC_OK;
        if (in->phase == DONE)
            return sc_fail(err, in->final, "%s", sc_err_text(&in->why, in->final));
        if (sc_cancel_requested(in->params.cancel))
            end(in, SC_ECANCELLED);
        else
            ret = step(in);
        if (ret < 0) {
            in->why = (sc_err){0};
            end(in, ret);
        }
    }
    return SC_OK;
}

void sc_live_input_get_info(const sc_live_input *in, struct sc_live_input_info *info)
{
    *info = in->info;
    info->jumps = in->timeline ? sc_timeline_jumps(in->timeline) : 0;
}
