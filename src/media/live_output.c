#include "media/live_output.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/url.h"
#include "media/live_output_internal.h"
#include "media/sound_coder.h"

#define MAX_CUES  256
#define LEAVE_NS  (2 * SC_NS_PER_S)  // for a thread to end once it was interrupted
#define PROVEN_NS (10 * SC_NS_PER_S) // running so long makes the next pause a short one again

struct sc_live_output {
    sc_ref ref; // the handle's and the thread's
    // Immutable.
    struct sc_live_output_params params; // url, video, sound are copies
    const struct sc_output_kind *kind;
    char shown[256];
    struct sc_output_guard guard;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    // Under lock.
    struct sc_output_queue queue;
    struct sc_cue cues[MAX_CUES];
    int cue_count;
    bool finished, closing; // no more packets; no more tries
    bool thread_done;       // it has left its loop
    struct sc_live_output_info info;
    int64_t retry_at; // while it waits
    // The thread's.
    sc_sound_coder *aac; // makes sound fit; NULL = it does as it is
    unsigned attempts;   // failures in a row
    uint64_t random;
    int64_t zero_ns;

    pthread_mutex_t outside; // held around calls to what is not ours
    bool alone;              // under outside: the handle is gone
};

// --- making and unmaking ----------------------------------------------------------------------

static void destroy(sc_live_output *o)
{
    struct sc_live_output_params *p = &o->params;
    sc_output_queue_release(&o->queue);
    sc_sound_coder_close(&o->aac);
    for (int i = 0; i < o->cue_count; i++)
        free(o->cues[i].text);
    avcodec_parameters_free((AVCodecParameters **)&p->video);
    avcodec_parameters_free((AVCodecParameters **)&p->sound);
    free((char *)p->url);
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->lock);
    pthread_mutex_destroy(&o->outside);
    free(o);
}

static void release(sc_live_output *o)
{
    if (sc_ref_dec(&o->ref))
        destroy(o);
}

static AVCodecParameters *copy_codec(const AVCodecParameters *par)
{
    AVCodecParameters *copy = par ? avcodec_parameters_alloc() : NULL;
    if (copy && avcodec_parameters_copy(copy, par) < 0)
        avcodec_parameters_free(&copy);
    return copy;
}

// What the container does not take is made AAC, or else left out.
static void fit_sound(sc_live_output *o, const char *name)
{
    const AVCodecParameters *sound = o->params.sound;
    char *said = o->info.sound;
    bool good = !o->params.aac || sound->codec_id == AV_CODEC_ID_AAC;
    if (good && sc_output_holds(o->kind->sound, sound->codec_id)) {
        snprintf(said, sizeof(o->info.sound), "%s", name);
        return;
    }
    if (sc_output_holds(o->kind->sound, AV_CODEC_ID_AAC))
        sc_sound_coder_open(&o->aac, sound, SC_SOUND_AAC);
    avcodec_parameters_free((AVCodecParameters **)&o->params.sound);
    if (o->aac)
        o->params.sound = copy_codec(sc_sound_coder_codec(o->aac));
    snprintf(said, sizeof(o->info.sound),
             o->params.sound ? "aac, encoded from %s" : "none: %s does not fit there", name);
}

static int check_codecs(sc_live_output *o, sc_err *err)
{
    const AVCodecParameters *sound = o->params.sound;
    if (!sc_output_holds(o->kind->video, o->params.video->codec_id))
        return sc_fail_field(err, SC_EUNSUPPORTED, "codec",
                             "%s cannot carry %s to %s; encode it as %s", o->kind->format,
                             avcodec_get_name(o->params.video->codec_id), o->shown,
                             avcodec_get_name(o->kind->video[0]));
    if (sound)
        fit_sound(o, avcodec_get_name(sound->codec_id));
    return SC_OK;
}

static int set_up(sc_live_output *o, const struct sc_live_output_params *params, sc_err *err)
{
    struct sc_live_output_params *p = &o->params;
    int ret = sc_output_kind_find(&o->kind, p->url, err);
    if (ret < 0)
        return ret;
    sc_url_hide(p->url, o->shown, sizeof(o->shown));
    p->timeout_ms = p->timeout_ms > 0 ? p->timeout_ms : 10000;
    p->retry_ms = p->retry_ms > 0 ? p->retry_ms : 500;
    p->retry_max_ms = p->retry_max_ms > 0 ? p->retry_max_ms : 15000;
    p->video = copy_codec(params->video);
    p->sound = copy_codec(params->sound);
    if (!p->video || (params->sound && !p->sound))
        return SC_ENOMEM;
    o->info.kind = o->kind->name;
    o->guard.until = o->guard.stop_at = INT64_MAX;
    o->random = (uint64_t)sc_clock_wall() | 1;
    ret = sc_output_queue_init(&o->queue, p->max_items > 0 ? p->max_items : 600,
                               p->max_bytes ? p->max_bytes : 16 << 20, &o->info.drops);
    return ret < 0 ? ret : check_codecs(o, err);
}

static void *run(void *arg);

static int start_thread(sc_live_output *o, sc_err *err)
{
    pthread_t thread;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sc_ref_inc(&o->ref);
    int error = pthread_create(&thread, &detached, run, o);
    pthread_attr_destroy(&detached);
    if (!error)
        return SC_OK;
    sc_ref_dec(&o->ref);
    return sc_fail(err, SC_ENOMEM, "no thread for %s: %s", o->shown, strerror(error));
}

int sc_live_output_open(sc_live_output **poutput, const struct sc_live_output_params *params,
                        sc_err *err)
{
    pthread_condattr_t monotonic;
    sc_live_output *o = sc_new(sc_live_output);
    pthread_mutex_init(&o->lock, NULL);
    pthread_mutex_init(&o->outside, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&o->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    o->params = *params;
    o->params.url = sc_xstrdup(params->url);
    o->params.video = o->params.sound = NULL;
    int ret = set_up(o, params, err);
    sc_ref_init(&o->ref);
    if (ret >= 0)
        ret = start_thread(o, err);
    if (ret < 0) {
        destroy(o);
        o = NULL;
    }
    *poutput = o;
    return ret;
}

// False once `at` (sc_clock_now) has passed.
static bool wait_until(sc_live_output *o, int64_t at)
{
    if (at == INT64_MAX)
        return pthread_cond_wait(&o->changed, &o->lock) == 0;
    struct timespec when = {at / SC_NS_PER_S, at % SC_NS_PER_S};
    return pthread_cond_timedwait(&o->changed, &o->lock, &when) != ETIMEDOUT;
}

void sc_live_output_close(sc_live_output **poutput, int flush_ms)
{
    sc_live_output *o = poutput ? *poutput : NULL;
    if (!o)
        return;
    *poutput = NULL;
    // The end of a file is written in any case; it takes no time unless the disk hangs.
    int64_t grace = o->kind->network ? 0 : SC_NS_PER_S;
    int64_t stop_at = sc_clock_now() + FFMAX(flush_ms * SC_NS_PER_MS, grace);
    pthread_mutex_lock(&o->lock);
    if (flush_ms <= 0)
        sc_output_queue_clear(&o->queue);
    o->finished = o->closing = true;
    o->guard.stop_at = stop_at;
    pthread_cond_broadcast(&o->changed);
    while (!o->thread_done && wait_until(o, stop_at + LEAVE_NS))
        ;
    pthread_mutex_unlock(&o->lock);
    pthread_mutex_lock(&o->outside);
    o->alone = true;
    pthread_mutex_unlock(&o->outside);
    release(o);
}

// --- giving -----------------------------------------------------------------------------------

static void want_key(sc_live_output *o)
{
    pthread_mutex_lock(&o->outside);
    if (!o->alone && o->params.want_key)
        o->params.want_key(o->params.want_key_arg);
    pthread_mutex_unlock(&o->outside);
}

static bool takes(const sc_live_output *o, const sc_packet *packet)
{
    return packet->media == SC_MEDIA_VIDEO || o->params.sound;
}

void sc_live_output_put(sc_live_output *o, sc_packet *packet)
{
    bool good = true;
    pthread_mutex_lock(&o->lock);
    if (o->info.state == SC_OUTPUT_FAILED) {
        o->info.drops += packet->media == SC_MEDIA_VIDEO;
    } else if (!o->finished && takes(o, packet)) {
        good = sc_output_queue_put(&o->queue, packet);
        pthread_cond_signal(&o->changed);
    }
    pthread_mutex_unlock(&o->lock);
    if (!good)
        want_key(o);
}

void sc_live_output_cue(sc_live_output *o, int64_t pts_ns, int64_t duration_ns,
                        const char *text)
{
    if (!o->kind->ops->cue || !o->params.cues)
        return;
    pthread_mutex_lock(&o->lock);
    if (o->cue_count < MAX_CUES && !o->finished)
        o->cues[o->cue_count++] =
            (struct sc_cue){pts_ns, pts_ns + duration_ns, sc_xstrdup(text)};
    pthread_mutex_unlock(&o->lock);
}

void sc_live_output_finish(sc_live_output *o)
{
    pthread_mutex_lock(&o->lock);
    o->finished = true;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

void sc_live_output_get_info(sc_live_output *o, struct sc_live_output_info *info)
{
    pthread_mutex_lock(&o->lock);
    *info = o->info;
    info->queued = o->queue.count;
    if (info->state == SC_OUTPUT_WAITING)
        info->wait_ns = FFMAX(o->retry_at - sc_clock_now(), 0);
    pthread_mutex_unlock(&o->lock);
}

const char *sc_live_output_state_name(enum sc_live_output_state state)
{
    static const char *const names[] = {"connecting", "running", "waiting", "failed", "done"};
    return names[state];
}

// --- the thread -------------------------------------------------------------------------------

static void set_state(sc_live_output *o, enum sc_live_output_state state)
{
    pthread_mutex_lock(&o->lock);
    o->info.state = state;
    pthread_mutex_unlock(&o->lock);
}

static void set_limit(sc_live_output *o, bool on)
{
    o->guard.until = on ? sc_clock_now() + o->params.timeout_ms * SC_NS_PER_MS : INT64_MAX;
}

// Who waits to be called cannot say when.
static bool listens(const char *url)
{
    return strstr(url, "mode=listener") || strstr(url, "listen=1");
}

static int open_sink(sc_live_output *o, void **psink, sc_err *err)
{
    const struct sc_sink_setup setup = {
        .kind = o->kind,
        .params = &o->params,
        .shown = o->shown,
        .guard = &o->guard,
        .sound = o->params.sound,
    };
    set_state(o, SC_OUTPUT_CONNECTING);
    set_limit(o, !listens(o->params.url));
    int ret = o->kind->ops->open(psink, &setup, err);
    set_limit(o, false);
    return ret;
}

// Waits for a keyframe to begin with. SC_EEOF: there will be none.
static int find_start(sc_live_output *o)
{
    int ret = SC_OK;
    pthread_mutex_lock(&o->lock);
    bool newest = o->kind->network && !o->finished;
    bool found = sc_output_queue_start(&o->queue, newest, &o->zero_ns);
    if (!found && !o->finished) {
        pthread_mutex_unlock(&o->lock);
        want_key(o);
        pthread_mutex_lock(&o->lock);
    }
    while (!(found = sc_output_queue_start(&o->queue, newest, &o->zero_ns)) && !o->finished)
        wait_until(o, INT64_MAX);
    if (!found) {
        sc_output_queue_clear(&o->queue);
        ret = SC_EEOF;
    }
    pthread_mutex_unlock(&o->lock);
    return ret;
}

// The next packet, and the cues that came before it; NULL at the end.
static sc_packet *next_packet(sc_live_output *o, struct sc_cue *cues, int *count)
{
    sc_packet *packet;
    pthread_mutex_lock(&o->lock);
    while (!(packet = sc_output_queue_get(&o->queue)) && !o->finished)
        wait_until(o, INT64_MAX);
    *count = o->cue_count;
    memcpy(cues, o->cues, (size_t)o->cue_count * sizeof(*cues));
    o->cue_count = 0;
    pthread_mutex_unlock(&o->lock);
    return packet;
}

static void note_written(sc_live_output *o, const sc_packet *packet)
{
    bool video = packet->media == SC_MEDIA_VIDEO;
    pthread_mutex_lock(&o->lock);
    o->info.state = SC_OUTPUT_RUNNING;
    o->info.frames += video;
    o->info.sounds += !video;
    o->info.bytes += packet->av->size;
    pthread_mutex_unlock(&o->lock);
}

static void note_lost(sc_live_output *o, const sc_packet *packet)
{
    pthread_mutex_lock(&o->lock);
    o->info.drops += packet->media == SC_MEDIA_VIDEO;
    pthread_mutex_unlock(&o->lock);
}

static void give_cues(sc_live_output *o, void *sink, struct sc_cue *cues, int count)
{
    for (int i = 0; i < count; i++) {
        o->kind->ops->cue(sink, &cues[i], o->zero_ns);
        free(cues[i].text);
    }
}

static int write_packet(sc_live_output *o, void *sink, const sc_packet *packet, sc_err *err)
{
    const struct sc_sink_ops *ops = o->kind->ops;
    // Sound from before the start may come after it.
    if (packet->media == SC_MEDIA_SOUND && packet->pts_ns < o->zero_ns)
        return SC_OK;
    set_limit(o, true);
    int ret = ops->write(sink, packet, o->zero_ns, err);
    set_limit(o, false);
    if (ret < 0)
        note_lost(o, packet);
    else
        note_written(o, packet);
    if (ret >= 0 && ops->wants_key && ops->wants_key(sink))
        want_key(o);
    return ret;
}

// NULL: the end, what the encoder holds back is written; SC_EEOF then.
static int write_as_aac(sc_live_output *o, void *sink, const sc_packet *packet, sc_err *err)
{
    sc_packet *made = NULL;
    int ret = SC_OK;
    if (packet)
        ret = sc_sound_coder_put(o->aac, packet);
    else
        sc_sound_coder_finish(o->aac);
    while (ret >= 0 && (ret = sc_sound_coder_get(o->aac, &made)) >= 0) {
        ret = write_packet(o, sink, made, err);
        sc_packet_unref(&made);
    }
    return ret == SC_EAGAIN ? SC_OK : ret;
}

// SC_EEOF: all is written.
static int write_one(sc_live_output *o, void *sink, sc_err *err)
{
    struct sc_cue cues[MAX_CUES];
    int count, ret;
    sc_packet *packet = next_packet(o, cues, &count);
    give_cues(o, sink, cues, count);
    if (!packet)
        return o->aac ? write_as_aac(o, sink, NULL, err) : SC_EEOF;
    if (packet->media == SC_MEDIA_SOUND && o->aac)
        ret = write_as_aac(o, sink, packet, err);
    else
        ret = write_packet(o, sink, packet, err);
    sc_packet_unref(&packet);
    return ret;
}

static void note_running(sc_live_output *o)
{
    pthread_mutex_lock(&o->outside);
    if (!o->alone)
        SC_INFO(o->params.log, "output opened", SC_S("output", o->shown));
    pthread_mutex_unlock(&o->outside);
}

// From opening to the end or a failure. SC_EEOF: everything was written.
static int serve(sc_live_output *o, sc_err *err)
{
    void *sink = NULL;
    int ret = open_sink(o, &sink, err);
    int64_t began = sc_clock_now();
    if (ret < 0)
        return ret;
    note_running(o);
    ret = find_start(o);
    while (ret >= 0)
        ret = write_one(o, sink, err);
    set_limit(o, true);
    if (ret == SC_EEOF) {
        int ended = o->kind->ops->finish(sink, err);
        ret = ended < 0 ? ended : ret;
    }
    o->kind->ops->close(sink);
    set_limit(o, false);
    if (sc_clock_now() - began > PROVEN_NS)
        o->attempts = 0;
    return ret;
}

// Half to whole of a pause that doubles, so that many outputs do not come back at once.
static int64_t pause_ns(sc_live_output *o)
{
    int64_t most = o->params.retry_max_ms * SC_NS_PER_MS;
    int64_t pause = o->params.retry_ms * SC_NS_PER_MS << FFMIN(o->attempts, 16U);
    o->attempts++;
    o->random = o->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    pause = FFMIN(pause, most);
    return pause / 2 + (int64_t)(o->random >> 33) % (pause / 2 + 1);
}

static void note_failure(sc_live_output *o, enum sc_live_output_state state, const char *reason)
{
    pthread_mutex_lock(&o->lock);
    o->info.state = state;
    snprintf(o->info.reason, sizeof(o->info.reason), "%s", reason);
    sc_output_queue_clear(&o->queue);
    bool asked_for = o->closing; // it was told to let go
    pthread_mutex_unlock(&o->lock);
    pthread_mutex_lock(&o->outside);
    if (!o->alone && !asked_for)
        SC_WARN(o->params.log, state == SC_OUTPUT_FAILED ? "output failed" : "output lost",
                SC_S("output", o->shown), SC_S("reason", reason));
    pthread_mutex_unlock(&o->outside);
}

// False: there is no next try.
static bool wait_for_retry(sc_live_output *o)
{
    pthread_mutex_lock(&o->lock);
    o->retry_at = sc_clock_now() + pause_ns(o);
    while (!o->finished && wait_until(o, o->retry_at))
        ;
    bool again = !o->finished;
    o->info.retries += again;
    pthread_mutex_unlock(&o->lock);
    return again;
}

static void *run(void *arg)
{
    sc_live_output *o = arg;
    bool again = false;
    do {
        sc_err err = {0};
        int ret = serve(o, &err);
        bool final = !o->kind->network || o->params.no_retry;
        if (ret == SC_EEOF)
            set_state(o, SC_OUTPUT_DONE);
        else
            note_failure(o, final ? SC_OUTPUT_FAILED : SC_OUTPUT_WAITING,
                         sc_err_text(&err, ret));
        again = ret != SC_EEOF && !final && wait_for_retry(o);
    } while (again);
    pthread_mutex_lock(&o->lock);
    if (o->info.state == SC_OUTPUT_WAITING) { // it ended before it came back
        o->info.state = SC_OUTPUT_FAILED;
        sc_output_queue_clear(&o->queue);
    }
    o->thread_done = true;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
    release(o);
    return NULL;
}
