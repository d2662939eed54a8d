// The thread that starts, watches, stops and starts again.
//
// Each stream is looked at when something is due: it says that it has ended, a time has come, somebody
// asks. What is done about one stream never waits for its source, so the others hardly wait for it.
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "app/models_internal.h"
#include "app/streams_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/url.h"

#define WATCH_NS    SC_NS_PER_S
#define MODEL_NS    (SC_NS_PER_S / 2) // between looks whether a model is there
#define GOOD_RUN_NS (60 * SC_NS_PER_S)
#define END_MS      2000
#define LONGEST     60 // pauses

// --- what a run is made from --------------------------------------------------------------

static int find_video(struct sc_streams_entry *entry, const char *id, sc_err *err)
{
    sc_str url = {0};
    entry->video = sc_videos_get(entry->streams->videos, id);
    if (!entry->video)
        return sc_fail_field(err, SC_ENOTFOUND, "input", "there is no video %s", id);
    sc_str_addf(&url, "file:%s", sc_video_path(entry->video));
    entry->urls[0] = sc_str_detach(&url);
    return SC_OK;
}

static int find_urls(struct sc_streams_entry *entry, sc_err *err)
{
    const struct sc_streams_spec *spec = &entry->spec;
    const char *files = entry->streams->settings->files;
    int ret = sc_starts_with(spec->input, "video:")
                  ? find_video(entry, spec->input + strlen("video:"), err)
                  : sc_streams_source(files, spec->input, &entry->urls[0], err);
    for (int i = 0; !ret && i < SC_LIVE_OUTPUTS && spec->outputs[i]; i++) {
        char field[32];
        snprintf(field, sizeof(field), "outputs[%d]", i);
        ret = sc_streams_sink(files, spec->outputs[i], field, &entry->urls[1 + i], err);
    }
    return ret;
}

static int find_model(struct sc_streams_entry *entry, struct sc_live_model *model, sc_err *err)
{
    if (!entry->spec.model)
        return SC_OK;
    int ret =
        sc_models_acquire(entry->streams->models, entry->spec.model, &entry->instance, err);
    if (ret)
        return ret;
    const struct sc_instance_info *info = sc_instance_get_info(entry->instance);
    *model = (struct sc_live_model){
        .batcher = entry->instance->batcher,
        .name = info->name,
        .labels = (const char *const *)info->labels,
        .classes = info->classes,
        .threshold = info->threshold,
    };
    return SC_OK;
}

static void on_end(void *arg)
{
    struct sc_streams_entry *entry = arg;
    pthread_mutex_lock(&entry->streams->lock);
    entry->ended = true;
    sc_streams_poke(entry->streams);
    pthread_mutex_unlock(&entry->streams->lock);
}

static void fill(struct sc_streams_entry *entry, struct sc_live_params *params)
{
    const struct sc_streams_spec *spec = &entry->spec;
    params->name = entry->id;
    params->input.url = entry->urls[0];
    params->input.transport = spec->transport;
    params->input.loop = spec->loop;
    params->input.inlet = entry->inlet;
    for (int i = 0; i < SC_LIVE_OUTPUTS; i++)
        params->outputs[i] = entry->urls[1 + i];
    params->threshold = spec->threshold;
    params->track = spec->track;
    params->tracker = (enum sc_tracker_kind)spec->tracker;
    params->camera = spec->camera;
    params->overlay = spec->overlay;
    params->clock = spec->clock;
    params->width = (int)spec->width;
    params->height = (int)spec->height;
    params->fps = spec->fps;
    params->codec = spec->codec;
    params->preset = spec->preset;
    params->bitrate = spec->bitrate;
    params->no_sound = spec->no_sound;
    params->realtime = spec->realtime;
    params->delay_ns = spec->delay_ns;
    params->quality = (int)spec->quality;
    params->viewers = true;
    params->rung_count = entry->streams->rung_count;
    memcpy(params->rungs, entry->streams->rungs, sizeof(params->rungs));
    params->pool = entry->streams->pool;
    params->log = entry->streams->log;
    params->on_end = on_end;
    params->arg = entry;
}

static void release_parts(struct sc_streams_entry *entry)
{
    sc_instance_unref(&entry->instance);
    sc_video_unref(&entry->video);
    for (size_t i = 0; i < SC_COUNT(entry->urls); i++) {
        free(entry->urls[i]);
        entry->urls[i] = NULL;
    }
}

static void set_state(struct sc_streams_entry *entry, enum sc_streams_state state,
                      const char *reason)
{
    pthread_mutex_lock(&entry->streams->lock);
    entry->state = state;
    snprintf(entry->reason, sizeof(entry->reason), "%.599s", reason);
    pthread_mutex_unlock(&entry->streams->lock);
}

// --- the end of a run ---------------------------------------------------------------------

// May it be started once more within this hour? Then it is noted.
static bool take_restart(struct sc_streams_entry *entry, int64_t now)
{
    int64_t max = entry->spec.max_restarts, hour = 3600 * SC_NS_PER_S;
    int64_t oldest = 0;
    for (int64_t i = 1; i < max; i++)
        if (entry->starts[i] < entry->starts[oldest])
            oldest = i;
    if (!max || (entry->starts[oldest] && now - entry->starts[oldest] < hour))
        return false;
    entry->starts[oldest] = now;
    return true;
}

static int64_t next_pause(struct sc_streams_entry *entry)
{
    int64_t pause = entry->streams->pause_ns, most = LONGEST * pause;
    for (int i = 0; i < entry->failures && pause < most; i++)
        pause *= 2;
    entry->failures++;
    return pause < most ? pause : most;
}

static void start_later(struct sc_streams_entry *entry, int64_t now, const char *reason)
{
    int64_t pause = next_pause(entry);
    SC_WARN(entry->streams->log, "stream ended, it is started again", SC_S("id", entry->id),
            SC_S("reason", reason), SC_F("pause_s", (double)pause / (double)SC_NS_PER_S));
    set_state(entry, SC_STREAMS_WAITING, reason);
    pthread_mutex_lock(&entry->streams->lock);
    entry->next_ns = now + pause;
    entry->restarts++;
    pthread_mutex_unlock(&entry->streams->lock);
    sc_counter_add(entry->streams->restarts, 1);
}

static void give_up(struct sc_streams_entry *entry, const char *reason)
{
    SC_ERROR(entry->streams->log, "stream failed", SC_S("id", entry->id),
             SC_S("reason", reason));
    set_state(entry, SC_STREAMS_FAILED, reason);
}

// What was asked for cannot be: time does not help.
static bool is_wrong(int ret)
{
    return ret == SC_EARG || ret == SC_EUNSUPPORTED;
}

// What comes after a run, or after a start that failed.
static void conclude(struct sc_streams_entry *entry, int ret, sc_err *err)
{
    enum sc_streams_restart restart = (enum sc_streams_restart)entry->spec.restart;
    int64_t now = sc_clock_now();
    char reason[sizeof(entry->reason)], full[sizeof(entry->reason)];
    snprintf(reason, sizeof(reason), "%.590s",
             ret ? sc_err_text(err, ret) : "the source has ended");
    if (!ret && restart != SC_RESTART_ALWAYS) {
        SC_INFO(entry->streams->log, "stream ended", SC_S("id", entry->id));
        set_state(entry, SC_STREAMS_ENDED, reason);
        sc_streams_note_end(entry);
    } else if (ret == SC_ECANCELLED || restart == SC_RESTART_NEVER ||
               (is_wrong(ret) && restart != SC_RESTART_ALWAYS)) {
        give_up(entry, reason);
    } else if (take_restart(entry, now)) {
        start_later(entry, now, reason);
    } else {
        snprintf(full, sizeof(full), "%.500s (given up after %lld restarts within an hour)",
                 reason, (long long)entry->spec.max_restarts);
        give_up(entry, full);
    }
}

// How the run ended. SC_ECANCELLED: it is not to be started again.
static int judge(struct sc_streams_entry *entry, int ret, sc_err *err)
{
    if (entry->video && sc_video_is_deleted(entry->video)) {
        *err = (sc_err){0};
        return sc_fail(err, SC_ECANCELLED, "its video was deleted");
    }
    if (ret == SC_ECANCELLED) // somebody else's: of a model that was taken away
        ret = err->code = SC_EIO;
    if (ret == SC_EAGAIN) {
        *err = (sc_err){0};
        ret = sc_fail(err, SC_ETIMEOUT, "it did not stop in time and was cut");
    }
    return ret;
}

static void finish(struct sc_streams_entry *entry)
{
    sc_streams *streams = entry->streams;
    struct sc_live_status status;
    sc_err err = {0};
    sc_live *live = sc_streams_detach(entry);
    pthread_mutex_lock(&streams->lock);
    bool ended = entry->ended; // and its last call may not have returned yet
    pthread_mutex_unlock(&streams->lock);
    int ret = streams->ops->wait(live, ended ? END_MS : 0, &err);
    streams->ops->get_status(live, &status);
    sc_streams_count(entry, &status);
    streams->ops->close(&live);
    ret = judge(entry, ret, &err);
    sc_streams_clean(entry, err.text, sizeof(err.text));
    if (sc_clock_now() - entry->opened_ns > GOOD_RUN_NS)
        entry->failures = 0;
    release_parts(entry);
    entry->stop_until_ns = 0;
    pthread_mutex_lock(&streams->lock);
    bool over = entry->deleting || streams->closing;
    entry->ended = false;
    pthread_mutex_unlock(&streams->lock);
    if (over)
        set_state(entry, SC_STREAMS_ENDED, "it was stopped");
    else
        conclude(entry, ret, &err);
}

// --- the start of a run -------------------------------------------------------------------

static int open_run(struct sc_streams_entry *entry, sc_err *err)
{
    struct sc_live_params params = {0};
    sc_live *live = NULL;
    int ret = find_model(entry, &params.model, err);
    if (!ret)
        ret = find_urls(entry, err);
    if (ret)
        return ret;
    fill(entry, &params);
    entry->seen_frames = entry->seen_late = entry->seen_detected = 0;
    entry->opened_ns = sc_clock_now();
    ret = entry->streams->ops->open(&live, &params, err);
    if (ret) {
        pthread_mutex_lock(&entry->streams->lock);
        entry->ended = false; // of what was built halfway
        pthread_mutex_unlock(&entry->streams->lock);
        return ret;
    }
    pthread_mutex_lock(&entry->live_lock);
    entry->live = live;
    pthread_mutex_unlock(&entry->live_lock);
    return SC_OK;
}

// A model that is still being loaded is no failure.
static void wait_for_model(struct sc_streams_entry *entry, const char *reason)
{
    set_state(entry, SC_STREAMS_STARTING, reason);
    pthread_mutex_lock(&entry->streams->lock);
    entry->next_ns = sc_clock_now() + MODEL_NS;
    pthread_mutex_unlock(&entry->streams->lock);
}

// True where it was a client's first try, who is told instead.
static bool tell_client(struct sc_streams_entry *entry, int ret, const sc_err *err)
{
    sc_streams *streams = entry->streams;
    pthread_mutex_lock(&streams->lock);
    bool fresh = entry->fresh;
    if (fresh) {
        entry->ret = ret;
        entry->err = *err;
        entry->fresh = false;
        if (ret)
            entry->state = SC_STREAMS_FAILED; // and is about to be removed
        pthread_cond_broadcast(&streams->done);
    }
    pthread_mutex_unlock(&streams->lock);
    return fresh;
}

static void start(struct sc_streams_entry *entry)
{
    sc_err err = {0};
    char shown[2 * SC_STREAMS_URL_MAX];
    int ret = open_run(entry, &err);
    sc_streams_clean(entry, err.text, sizeof(err.text));
    if (!strcmp(err.field, "url")) // as the input itself calls it
        snprintf(err.field, sizeof(err.field), "input");
    if (ret) {
        release_parts(entry);
    } else {
        SC_INFO(entry->streams->log, "stream started", SC_S("id", entry->id),
                SC_S("input", sc_url_hide(entry->spec.input, shown, sizeof(shown))));
        set_state(entry, SC_STREAMS_RUNNING, "");
    }
    if (tell_client(entry, ret, &err) || !ret)
        return;
    if (ret == SC_EAGAIN && !strcmp(err.field, "model"))
        wait_for_model(entry, err.text);
    else
        conclude(entry, ret == SC_ECANCELLED ? SC_EIO : ret, &err);
}

// --- the thread ---------------------------------------------------------------------------

static void stop(struct sc_streams_entry *entry, int64_t now)
{
    entry->stop_until_ns = now + entry->streams->flush_ns;
    set_state(entry, SC_STREAMS_STOPPING, "");
    entry->streams->ops->stop(entry->live);
}

static void let_go(struct sc_streams_entry *entry)
{
    pthread_mutex_lock(&entry->streams->lock);
    sc_streams_unlist(entry);
    pthread_mutex_unlock(&entry->streams->lock);
}

// What is asked of a stream, read at once.
struct wish {
    bool over, deleting, ended, fresh, startable;
    int64_t next_ns;
};

static struct wish read_wish(struct sc_streams_entry *entry)
{
    sc_streams *streams = entry->streams;
    pthread_mutex_lock(&streams->lock);
    struct wish wish = {
        .over = streams->closing || entry->deleting,
        .deleting = entry->deleting,
        .ended = entry->ended,
        .fresh = entry->fresh,
        .startable = entry->state == SC_STREAMS_STARTING || entry->state == SC_STREAMS_WAITING,
        .next_ns = entry->next_ns,
    };
    pthread_mutex_unlock(&streams->lock);
    return wish;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Does what is due; returns when to look again at the latest.
static int64_t step(struct sc_streams_entry *entry)
{
    struct wish wish = read_wish(entry);
    int64_t now = sc_clock_now();
    bool orphan = entry->video && sc_video_is_deleted(entry->video);
    if (entry->live && (wish.ended || (entry->stop_until_ns && now >= entry->stop_until_ns))) {
        finish(entry);
        return 0;
    }
    if (entry->live) {
        if ((wish.over || orphan) && !entry->stop_until_ns)
            stop(entry, now);
        return entry->stop_until_ns ? entry->stop_until_ns : INT64_MAX;
    }
    if (wish.deleting) {
        let_go(entry);
        return INT64_MAX;
    }
    if (!wish.startable || (wish.over && !wish.fresh))
        return INT64_MAX;
    if (wish.next_ns > now)
        return wish.next_ns;
    if (wish.over) {
        sc_err err = {0};
        int ret = sc_fail(&err, SC_ECANCELLED, "the server is shutting down");
        tell_client(entry, ret, &err);
        return INT64_MAX;
    }
    start(entry);
    return 0;
}

static bool all_closed(struct sc_streams_entry *const *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (all[i]->live)
            return false;
    return true;
}

// Steps all; *next_ns is when something is due again. True: nothing runs.
static bool step_all(sc_streams *streams, int64_t *next_ns)
{
    size_t n;
    struct sc_streams_entry **all = sc_streams_copy(streams, &n);
    *next_ns = n ? sc_clock_now() + WATCH_NS : INT64_MAX;
    for (size_t i = 0; i < n; i++)
        *next_ns = least(*next_ns, step(all[i]));
    bool closed = all_closed(all, n);
    for (size_t i = 0; i < n; i++)
        sc_streams_entry_unref(&all[i]);
    free(all);
    return closed;
}

// Under lock.
static void sleep_until(sc_streams *streams, int64_t until_ns)
{
    if (until_ns == INT64_MAX) {
        pthread_cond_wait(&streams->wake, &streams->lock);
        return;
    }
    struct timespec until = {.tv_sec = until_ns / SC_NS_PER_S,
                             .tv_nsec = until_ns % SC_NS_PER_S};
    pthread_cond_timedwait(&streams->wake, &streams->lock, &until);
}

void sc_streams_poke(sc_streams *streams)
{
    streams->poked = true;
    pthread_cond_signal(&streams->wake);
}

void *sc_streams_thread(void *arg)
{
    sc_streams *streams = arg;
    int64_t watch_ns = 0, next_ns = 0;
    pthread_setname_np(pthread_self(), "streams");
    for (;;) {
        bool closed = step_all(streams, &next_ns);
        if (sc_clock_now() >= watch_ns || next_ns == INT64_MAX) {
            sc_streams_watch(streams);
            watch_ns = sc_clock_now() + WATCH_NS;
        }
        pthread_mutex_lock(&streams->lock);
        bool quit = streams->quit && closed;
        if (!quit && next_ns > sc_clock_now() && !streams->poked)
            sleep_until(streams, next_ns);
        streams->poked = false;
        pthread_mutex_unlock(&streams->lock);
        if (quit)
            break;
    }
    sc_streams_watch(streams);
    return NULL;
}
