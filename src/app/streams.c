// The registry of streams: rows, ids, making, removing, listing.
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "app/ids.h"
#include "app/streams_internal.h"
#include "base/clock.h"
#include "base/mem.h"

#define OPT(field) offsetof(struct sc_streams_settings, field)
static const sc_option rows[] = {
    {"streams-max", SC_OPT_INT, OPT(max), "16", "live streams at most", .min = 0, .max = 1000},
    {"streams-files", SC_OPT_STRING, OPT(files), "",
     "folder below which streams may read and write files; none if not set"},
};
#undef OPT

const sc_option_group sc_streams_options =
    SC_OPTION_GROUP("streams", rows, struct sc_streams_settings);

const char *sc_streams_state_name(enum sc_streams_state state)
{
    static const char *const names[] = {
        [SC_STREAMS_STARTING] = "starting",
        [SC_STREAMS_RUNNING] = "running",
        [SC_STREAMS_RECONNECTING] = "reconnecting",
        [SC_STREAMS_WAITING] = "waiting",
        [SC_STREAMS_STOPPING] = "stopping",
        [SC_STREAMS_ENDED] = "ended",
        [SC_STREAMS_FAILED] = "failed",
    };
    return (size_t)state < SC_COUNT(names) ? names[state] : "unknown";
}

// --- entries ------------------------------------------------------------------------------

// json's "id" is not part of it. SC_EARG.
static int new_entry(sc_streams *streams, const char *id, json_t *json,
                     struct sc_streams_entry **pentry, sc_err *err)
{
    struct sc_streams_entry *entry = sc_new(struct sc_streams_entry);
    sc_ref_init(&entry->ref);
    pthread_mutex_init(&entry->live_lock, NULL);
    entry->streams = streams;
    snprintf(entry->id, sizeof(entry->id), "%s", id);
    entry->json = json_deep_copy(json);
    json_object_del(entry->json, "id");
    entry->created_ns = sc_clock_wall();
    int ret = sc_streams_spec_parse(&entry->spec, entry->json, streams->ops, err);
    if (!ret && !strcmp(entry->spec.input, "whip:"))
        entry->inlet = sc_live_inlet_new();
    entry->starts =
        sc_xcalloc((size_t)entry->spec.max_restarts + 1, sizeof(*entry->starts)); // bounded
    if (ret)
        sc_streams_entry_unref(&entry);
    *pentry = entry;
    return ret;
}

void sc_streams_entry_unref(struct sc_streams_entry **pentry)
{
    struct sc_streams_entry *entry = pentry ? *pentry : NULL;
    if (!entry)
        return;
    *pentry = NULL;
    if (!sc_ref_dec(&entry->ref))
        return;
    json_decref(entry->json);
    sc_live_inlet_unref(&entry->inlet);
    free(entry->starts);
    pthread_mutex_destroy(&entry->live_lock);
    free(entry);
}

// The first place whose id is >= id. Under lock.
static size_t find_place(const sc_streams *streams, const char *id, bool *found)
{
    size_t i = 0;
    while (i < streams->count && strcmp(streams->entries[i]->id, id) < 0)
        i++;
    *found = i < streams->count && !strcmp(streams->entries[i]->id, id);
    return i;
}

struct sc_streams_entry *sc_streams_find(sc_streams *streams, const char *id)
{
    bool found;
    struct sc_streams_entry *entry = NULL;
    pthread_mutex_lock(&streams->lock);
    size_t at = find_place(streams, id, &found);
    if (found && !streams->entries[at]->fresh) {
        entry = streams->entries[at];
        sc_ref_inc(&entry->ref);
    }
    pthread_mutex_unlock(&streams->lock);
    return entry;
}

struct sc_streams_entry **sc_streams_copy(sc_streams *streams, size_t *n)
{
    pthread_mutex_lock(&streams->lock);
    *n = streams->count;
    struct sc_streams_entry **all = sc_xcalloc(*n + 1, sizeof(struct sc_streams_entry *));
    for (size_t i = 0; i < *n; i++) {
        all[i] = streams->entries[i];
        sc_ref_inc(&all[i]->ref);
    }
    pthread_mutex_unlock(&streams->lock);
    return all;
}

// Under lock; takes the caller's reference over.
static void list(struct sc_streams_entry *entry, size_t at)
{
    sc_streams *streams = entry->streams;
    if (streams->count == streams->cap) {
        streams->cap = streams->cap ? 2 * streams->cap : 16;
        streams->entries =
            sc_xrealloc(streams->entries, streams->cap * sizeof(*streams->entries));
    }
    memmove(&streams->entries[at + 1], &streams->entries[at],
            (streams->count - at) * sizeof(*streams->entries));
    streams->entries[at] = entry;
    streams->count++;
}

void sc_streams_unlist(struct sc_streams_entry *entry)
{
    sc_streams *streams = entry->streams;
    bool found;
    size_t at = find_place(streams, entry->id, &found);
    sc_require(found && streams->entries[at] == entry);
    streams->count--;
    memmove(&streams->entries[at], &streams->entries[at + 1],
            (streams->count - at) * sizeof(*streams->entries));
    entry->removed = true;
    sc_streams_entry_unref(&entry);
    pthread_cond_broadcast(&streams->done);
}

// --- rows ---------------------------------------------------------------------------------

static char *row_text(const struct sc_streams_entry *entry, bool ended)
{
    json_t *row = json_pack("{s:O, s:I, s:b}", "spec", entry->json, "created_ns",
                            (json_int_t)entry->created_ns, "ended", ended);
    char *text = row ? json_dumps(row, JSON_COMPACT) : NULL;
    json_decref(row);
    return text;
}

static int insert_row(const struct sc_streams_entry *entry, sc_err *err)
{
    char *text = row_text(entry, false);
    int ret = text ? sc_rows_insert(entry->streams->rows, SC_STREAMS_TABLE, entry->id, text)
                   : SC_ENOMEM;
    free(text);
    if (ret == SC_ENOSPACE)
        return sc_fail(err, ret, "the server's disk is full: the stream was not stored");
    return ret ? sc_fail(err, ret, "the stream cannot be stored: %s", sc_strerror(ret)) : SC_OK;
}

void sc_streams_note_end(struct sc_streams_entry *entry)
{
    if (entry->passing)
        return;
    char *text = row_text(entry, true);
    int ret = text ? sc_rows_update(entry->streams->rows, SC_STREAMS_TABLE, entry->id, text, 0)
                   : SC_ENOMEM;
    free(text);
    if (ret && ret != SC_ENOTFOUND)
        SC_WARN(entry->streams->log, "cannot note that a stream has ended",
                SC_S("id", entry->id), SC_S("error", sc_strerror(ret)));
}

// A row that makes no sense any more (an older or a newer program wrote it) is let be.
static void load_row(sc_streams *streams, const sc_row *row)
{
    json_t *json = json_loads(row->value, 0, NULL), *spec;
    struct sc_streams_entry *entry = NULL;
    json_int_t created_ns;
    int ended, ret = SC_EDATA;
    bool found;
    sc_err err = {0};
    if (sc_id_valid(row->key) && json &&
        !json_unpack(json, "{s:o, s:I, s:b}", "spec", &spec, "created_ns", &created_ns, "ended",
                     &ended))
        ret = new_entry(streams, row->key, spec, &entry, &err);
    if (ret) {
        SC_ERROR(streams->log, "a stored stream cannot be used", SC_S("id", row->key),
                 SC_S("error", sc_err_text(&err, ret)));
    } else {
        entry->created_ns = created_ns;
        entry->state = ended ? SC_STREAMS_ENDED : SC_STREAMS_STARTING;
        list(entry, find_place(streams, entry->id, &found));
    }
    json_decref(json);
}

static int load_rows(sc_streams *streams, sc_err *err)
{
    char after[256] = "";
    for (;;) {
        sc_row *page;
        int count = sc_rows_list(streams->rows, SC_STREAMS_TABLE, after, 100, &page);
        if (count < 0)
            return sc_fail(err, count, "the stored streams cannot be read: %s",
                           sc_strerror(count));
        for (int i = 0; i < count; i++) {
            snprintf(after, sizeof(after), "%s", page[i].key);
            load_row(streams, &page[i]);
            sc_row_release(&page[i]);
        }
        free(page);
        if (count < 100)
            return SC_OK;
    }
}

// --- making and removing ------------------------------------------------------------------

static int choose_id(const json_t *spec, char id[65], sc_err *err)
{
    const json_t *given = json_object_get(spec, "id");
    const char *text = json_string_value(given);
    if (!given)
        return sc_id_random(id, err);
    if (!text || !sc_id_valid(text))
        return sc_fail_field(err, SC_EARG, "id",
                             "an id is 1 to 64 of the characters A-Z a-z 0-9 _ -");
    snprintf(id, 65, "%s", text);
    return SC_OK;
}

// Takes the id, while the row is not yet there. The reference is shared with the caller.
static int reserve(struct sc_streams_entry *entry, sc_err *err)
{
    sc_streams *streams = entry->streams;
    bool found;
    int ret = SC_OK;
    pthread_mutex_lock(&streams->lock);
    size_t at = find_place(streams, entry->id, &found);
    if (streams->closing)
        ret = sc_fail(err, SC_ECANCELLED, "the server is shutting down");
    else if (found)
        ret = sc_fail_field(err, SC_EEXISTS, "id", "there is a stream %s already", entry->id);
    else if (streams->count >= (size_t)streams->settings->max)
        ret = sc_fail(err, SC_EBUSY,
                      "there are %zu streams, as many as streams-max allows: delete one",
                      streams->count);
    if (!ret) {
        entry->fresh = true;
        entry->next_ns = INT64_MAX;
        sc_ref_inc(&entry->ref);
        list(entry, at);
    }
    pthread_mutex_unlock(&streams->lock);
    return ret;
}

// Has it opened, and waits for how that went.
static int start(struct sc_streams_entry *entry, sc_err *err)
{
    sc_streams *streams = entry->streams;
    pthread_mutex_lock(&streams->lock);
    entry->next_ns = 0;
    sc_streams_poke(streams);
    while (entry->fresh)
        pthread_cond_wait(&streams->done, &streams->lock);
    int ret = entry->ret;
    if (ret && err)
        *err = entry->err;
    pthread_mutex_unlock(&streams->lock);
    return ret;
}

// Waits until the thread has closed it and let it go.
static void await_removal(struct sc_streams_entry *entry)
{
    sc_streams *streams = entry->streams;
    pthread_mutex_lock(&streams->lock);
    entry->deleting = true;
    entry->fresh = false;
    sc_streams_poke(streams);
    while (!entry->removed)
        pthread_cond_wait(&streams->done, &streams->lock);
    pthread_mutex_unlock(&streams->lock);
}

static int add(sc_streams *streams, json_t *spec, bool passing, char id[65], sc_err *err)
{
    struct sc_streams_entry *entry = NULL;
    int ret = json_is_object(spec)
                  ? choose_id(spec, id, err)
                  : sc_fail_field(err, SC_EARG, "body", "a JSON object is expected");
    if (!ret)
        ret = new_entry(streams, id, spec, &entry, err);
    if (!ret) {
        entry->passing = passing;
        ret = reserve(entry, err);
    }
    if (ret) {
        sc_streams_entry_unref(&entry);
        return ret;
    }
    ret = passing ? SC_OK : insert_row(entry, err);
    if (!ret) {
        ret = start(entry, err);
        if (ret && !passing)
            sc_rows_delete(streams->rows, SC_STREAMS_TABLE, id);
    }
    if (ret)
        await_removal(entry);
    sc_streams_entry_unref(&entry);
    return ret;
}

int sc_streams_add(sc_streams *streams, json_t *spec, char id[65], sc_err *err)
{
    return add(streams, spec, false, id, err);
}

int sc_streams_add_passing(sc_streams *streams, json_t *spec, char id[65], sc_err *err)
{
    return add(streams, spec, true, id, err);
}

// The right to delete it, which one caller gets.
static struct sc_streams_entry *claim(sc_streams *streams, const char *id)
{
    bool found;
    struct sc_streams_entry *entry = NULL;
    pthread_mutex_lock(&streams->lock);
    size_t at = find_place(streams, id, &found);
    if (found && !streams->entries[at]->fresh && !streams->entries[at]->claimed) {
        entry = streams->entries[at];
        entry->claimed = true;
        sc_ref_inc(&entry->ref);
    }
    pthread_mutex_unlock(&streams->lock);
    return entry;
}

int sc_streams_delete(sc_streams *streams, const char *id)
{
    struct sc_streams_entry *entry = claim(streams, id);
    if (!entry)
        return SC_ENOTFOUND;
    int ret = entry->passing ? SC_OK : sc_rows_delete(streams->rows, SC_STREAMS_TABLE, id);
    if (ret && ret != SC_ENOTFOUND) {
        SC_ERROR(streams->log, "cannot delete stream", SC_S("id", id),
                 SC_S("error", sc_strerror(ret)));
        pthread_mutex_lock(&streams->lock);
        entry->claimed = false;
        pthread_mutex_unlock(&streams->lock);
    } else {
        await_removal(entry);
        SC_INFO(streams->log, "stream deleted", SC_S("id", id));
        ret = SC_OK;
    }
    sc_streams_entry_unref(&entry);
    return ret;
}

int sc_streams_inlet(sc_streams *streams, const char *id, sc_live_inlet **pinlet, sc_err *err)
{
    struct sc_streams_entry *entry = sc_streams_find(streams, id);
    *pinlet = NULL;
    if (!entry)
        return sc_fail_field(err, SC_ENOTFOUND, "id", "there is no stream %s", id);
    int ret = SC_OK;
    if (entry->inlet)
        *pinlet = sc_live_inlet_ref(entry->inlet);
    else
        ret = sc_fail(err, SC_EEXISTS,
                      "stream %s has a source of its own: only one whose input is \"whip:\" "
                      "can be published into",
                      id);
    sc_streams_entry_unref(&entry);
    return ret;
}

int sc_streams_list(sc_streams *streams, const char *after, int max, char (*ids)[65])
{
    bool found;
    int n = 0;
    pthread_mutex_lock(&streams->lock);
    size_t at = find_place(streams, after, &found);
    for (at += found; at < streams->count && n < max; at++)
        if (!streams->entries[at]->fresh)
            memcpy(ids[n++], streams->entries[at]->id, sizeof(ids[0]));
    pthread_mutex_unlock(&streams->lock);
    return n;
}

// --- open and close -----------------------------------------------------------------------

static void add_metrics(sc_streams *streams, sc_metrics *m)
{
    for (int i = 0; i < SC_STREAMS_STATES; i++) {
        char label[40];
        snprintf(label, sizeof(label), "state=\"%s\"",
                 sc_streams_state_name((enum sc_streams_state)i));
        streams->by_state[i] =
            sc_metrics_gauge(m, "saccade_streams", label, "Live streams by state.");
    }
    static const char latency[] = "saccade_stream_latency_seconds",
                      help[] = "From arrival to encoded: of the slowest stream.";
    streams->latency_p50 = sc_metrics_gauge(m, latency, "quantile=\"0.5\"", help);
    streams->latency_p95 = sc_metrics_gauge(m, latency, "quantile=\"0.95\"", help);
    streams->frames = sc_metrics_counter(m, "saccade_stream_frames_total", "",
                                         "Pictures of live streams that were decoded.");
    streams->late = sc_metrics_counter(m, "saccade_stream_drops_total", "reason=\"late\"",
                                       "Pictures of live streams that were left out.");
    streams->detected = sc_metrics_counter(m, "saccade_stream_detected_total", "",
                                           "Pictures of live streams that a model saw.");
    streams->restarts = sc_metrics_counter(m, "saccade_stream_restarts_total", "",
                                           "Live streams started again.");
}

static void init_conds(sc_streams *streams)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&streams->wake, &attr);
    pthread_cond_init(&streams->done, &attr);
    pthread_condattr_destroy(&attr);
}

int sc_streams_open(sc_streams **pstreams, const struct sc_streams_params *params, sc_err *err)
{
    sc_require(params->rung_count >= 0 && params->rung_count <= SC_LIVE_RUNGS);
    sc_streams *streams = sc_new(sc_streams);
    streams->settings = params->settings;
    streams->ops = params->ops;
    streams->log = sc_log_child(params->log, "streams");
    streams->rows = params->rows;
    streams->models = params->models;
    streams->videos = params->videos;
    streams->rung_count = params->rung_count;
    for (int i = 0; i < params->rung_count; i++)
        streams->rungs[i] = params->rungs[i];
    streams->pause_ns = params->pause_ns > 0 ? params->pause_ns : SC_NS_PER_S;
    streams->flush_ns = params->flush_ns > 0 ? params->flush_ns : 5 * SC_NS_PER_S;
    pthread_mutex_init(&streams->lock, NULL);
    init_conds(streams);
    add_metrics(streams, params->metrics);
    int ret = load_rows(streams, err);
    if (!ret) {
        streams->pool =
            sc_pool_open(&(struct sc_pool_params){.threads = params->threads, .name = "live"});
        streams->started = streams->pool &&
                           !pthread_create(&streams->thread, NULL, sc_streams_thread, streams);
        if (!streams->started)
            ret = sc_fail(err, SC_ENOMEM, "cannot start a thread: the system refuses");
    }
    if (ret)
        sc_streams_close(&streams);
    *pstreams = streams;
    return ret;
}

void sc_streams_stop(sc_streams *streams)
{
    pthread_mutex_lock(&streams->lock);
    streams->closing = true;
    sc_streams_poke(streams);
    pthread_mutex_unlock(&streams->lock);
}

void sc_streams_close(sc_streams **pstreams)
{
    sc_streams *streams = pstreams ? *pstreams : NULL;
    if (!streams)
        return;
    *pstreams = NULL;
    pthread_mutex_lock(&streams->lock);
    streams->closing = streams->quit = true;
    sc_streams_poke(streams);
    pthread_mutex_unlock(&streams->lock);
    if (streams->started)
        pthread_join(streams->thread, NULL);
    for (size_t i = 0; i < streams->count; i++)
        sc_streams_entry_unref(&streams->entries[i]);
    free(streams->entries);
    sc_pool_close(&streams->pool);
    pthread_cond_destroy(&streams->wake);
    pthread_cond_destroy(&streams->done);
    pthread_mutex_destroy(&streams->lock);
    sc_log_close(&streams->log);
    free(streams);
}
