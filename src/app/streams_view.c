// What is seen of a stream from outside: its state, and its pictures.
#include <string.h>

#include "app/streams_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/url.h"

// --- text ---------------------------------------------------------------------------------

static void replace(char *text, size_t size, const char *what, const char *with)
{
    size_t len = strlen(what);
    sc_str out = {0};
    const char *at = text;
    for (const char *hit; len && (hit = strstr(at, what)); at = hit + len) {
        sc_str_addn(&out, at, (size_t)(hit - at));
        sc_str_add(&out, with);
    }
    sc_str_add(&out, at);
    snprintf(text, size, "%s", sc_str_get(&out));
    sc_str_release(&out);
}

// Where the server keeps its files is not told, nor are secrets.
void sc_streams_clean(const struct sc_streams_entry *entry, char *text, size_t size)
{
    char shown[sizeof(((sc_err *)NULL)->text)];
    for (size_t i = 0; i < SC_COUNT(entry->urls); i++) {
        const char *given = i ? entry->spec.outputs[i - 1] : entry->spec.input;
        const char *path = entry->urls[i];
        if (path && given && strcmp(path, given))
            replace(text, size, path + (sc_starts_with(path, "file:") ? 5 : 0), given);
    }
    sc_url_hide(text, shown, sizeof(shown));
    snprintf(text, size, "%s", shown);
}

// --- state --------------------------------------------------------------------------------

static enum sc_streams_state state_of(enum sc_live_phase phase)
{
    switch (phase) {
    case SC_LIVE_PHASE_STARTING:
        return SC_STREAMS_STARTING;
    case SC_LIVE_PHASE_RUNNING:
        return SC_STREAMS_RUNNING;
    case SC_LIVE_PHASE_RECONNECTING:
        return SC_STREAMS_RECONNECTING;
    default: // it ends; how, is decided when it has been closed
        return SC_STREAMS_STOPPING;
    }
}

// Under live_lock, while there is a run: its addresses stay as they are.
static void ask_live(struct sc_streams_entry *entry, struct sc_live_status *status)
{
    entry->streams->ops->get_status(entry->live, status);
    sc_streams_clean(entry, status->reason, sizeof(status->reason));
    for (int i = 0; i < status->output_count && i < SC_LIVE_OUTPUTS; i++)
        sc_streams_clean(entry, status->outputs[i].info.reason,
                         sizeof(status->outputs[i].info.reason));
}

enum sc_streams_state sc_streams_ask(struct sc_streams_entry *entry,
                                     struct sc_live_status *status, bool *has_live)
{
    pthread_mutex_lock(&entry->streams->lock);
    enum sc_streams_state state = entry->state;
    pthread_mutex_unlock(&entry->streams->lock);
    pthread_mutex_lock(&entry->live_lock);
    *has_live = entry->live != NULL;
    if (*has_live)
        ask_live(entry, status);
    pthread_mutex_unlock(&entry->live_lock);
    return *has_live && state != SC_STREAMS_STOPPING ? state_of(status->phase) : state;
}

static void read_state(struct sc_streams_entry *entry, struct sc_streams_status *status)
{
    int64_t now = sc_clock_now();
    pthread_mutex_lock(&entry->streams->lock);
    status->restarts = entry->restarts;
    snprintf(status->reason, sizeof(status->reason), "%s", entry->reason);
    if (entry->state == SC_STREAMS_WAITING && entry->next_ns > now)
        status->retry_ns = entry->next_ns - now;
    pthread_mutex_unlock(&entry->streams->lock);
}

static void read_graph(struct sc_streams_entry *entry, struct sc_streams_status *status)
{
    pthread_mutex_lock(&entry->live_lock);
    if (entry->live)
        entry->streams->ops->get_graph_stats(entry->live, &status->graph);
    pthread_mutex_unlock(&entry->live_lock);
}

// Outputs are told as they were given: where the folder for files lies is not.
static void rename_outputs(const json_t *shown, struct sc_live_status *live)
{
    const json_t *outputs = json_object_get(shown, "outputs");
    for (int i = 0; i < live->output_count && i < SC_LIVE_OUTPUTS; i++) {
        const char *url = json_string_value(json_array_get(outputs, (size_t)i));
        if (url)
            snprintf(live->outputs[i].url, sizeof(live->outputs[i].url), "%s", url);
    }
}

int sc_streams_get(sc_streams *streams, const char *id, bool figures,
                   struct sc_streams_status *status)
{
    struct sc_streams_entry *entry = sc_streams_find(streams, id);
    *status = (struct sc_streams_status){0};
    if (!entry)
        return SC_ENOTFOUND;
    memcpy(status->id, entry->id, sizeof(status->id));
    status->created_ns = entry->created_ns;
    status->spec = sc_streams_spec_shown(entry->json);
    status->state = sc_streams_ask(entry, &status->live, &status->has_live);
    read_state(entry, status);
    if (status->has_live && !status->reason[0])
        snprintf(status->reason, sizeof(status->reason), "%s", status->live.reason);
    rename_outputs(status->spec, &status->live);
    if (status->has_live && figures)
        read_graph(entry, status);
    sc_streams_entry_unref(&entry);
    return SC_OK;
}

void sc_streams_status_release(struct sc_streams_status *status)
{
    json_decref(status->spec);
    sc_graph_stats_release(&status->graph);
    *status = (struct sc_streams_status){0};
}

// --- viewers ------------------------------------------------------------------------------

static void take(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns)
{
    sc_streams_viewer *viewer = arg;
    viewer->told |= !jpeg;
    viewer->take(viewer->arg, jpeg, n, pts_ns);
}

int sc_streams_not_running(sc_err *err, enum sc_streams_state state)
{
    return sc_fail(err, SC_EAGAIN, "the stream is %s: there are no pictures now",
                   sc_streams_state_name(state));
}

int sc_streams_view(sc_streams *streams, const char *id, enum sc_live_view view,
                    sc_streams_viewer **pviewer,
                    void (*fn)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns), void *arg,
                    sc_err *err)
{
    struct sc_live_status status;
    bool has_live;
    *pviewer = NULL;
    struct sc_streams_entry *entry = sc_streams_find(streams, id);
    if (!entry)
        return sc_fail_field(err, SC_ENOTFOUND, "id", "there is no stream %s", id);
    enum sc_streams_state state = sc_streams_ask(entry, &status, &has_live);
    sc_streams_viewer *viewer = sc_new(sc_streams_viewer);
    *viewer = (sc_streams_viewer){.entry = entry, .take = fn, .arg = arg};
    pthread_mutex_lock(&entry->live_lock);
    int ret = entry->live
                  ? streams->ops->view(entry->live, view, &viewer->live, take, viewer, err)
                  : sc_streams_not_running(err, state);
    if (!ret) {
        viewer->next = entry->viewers;
        entry->viewers = viewer;
    }
    pthread_mutex_unlock(&entry->live_lock);
    if (ret) {
        free(viewer);
        sc_streams_entry_unref(&entry);
        return ret;
    }
    *pviewer = viewer;
    return SC_OK;
}

void sc_streams_unview(sc_streams_viewer **pviewer)
{
    sc_streams_viewer *viewer = pviewer ? *pviewer : NULL;
    if (!viewer)
        return;
    *pviewer = NULL;
    struct sc_streams_entry *entry = viewer->entry;
    pthread_mutex_lock(&entry->live_lock);
    sc_streams_viewer **p = &entry->viewers;
    while (*p && *p != viewer)
        p = &(*p)->next;
    if (*p)
        *p = viewer->next;
    // Under the lock, so that the run is not closed meanwhile.
    if (viewer->live)
        entry->streams->ops->unview(&viewer->live);
    pthread_mutex_unlock(&entry->live_lock);
    free(viewer);
    sc_streams_entry_unref(&entry);
}

sc_live *sc_streams_detach(struct sc_streams_entry *entry)
{
    pthread_mutex_lock(&entry->live_lock);
    for (sc_streams_viewer *viewer = entry->viewers; viewer; viewer = viewer->next) {
        entry->streams->ops->unview(&viewer->live);
        viewer->live = NULL;
        if (!viewer->told)
            take(viewer, NULL, 0, 0);
    }
    entry->viewers = NULL;
    sc_live *live = entry->live;
    entry->live = NULL;
    pthread_mutex_unlock(&entry->live_lock);
    return live;
}
