// Encoded pictures of what runs.
#include "app/streams_internal.h"

// Finds the stream and keeps its run from being closed until let_go(). *pentry is NULL on failure.
static int hold(sc_streams *streams, const char *id, struct sc_streams_entry **pentry,
                sc_err *err)
{
    struct sc_live_status status;
    bool has_live;
    struct sc_streams_entry *entry = *pentry = sc_streams_find(streams, id);
    if (!entry)
        return sc_fail_field(err, SC_ENOTFOUND, "id", "there is no stream %s", id);
    pthread_mutex_lock(&entry->live_lock);
    if (entry->live)
        return SC_OK;
    pthread_mutex_unlock(&entry->live_lock);
    enum sc_streams_state state = sc_streams_ask(entry, &status, &has_live);
    sc_streams_entry_unref(pentry);
    return sc_streams_not_running(err, state);
}

static void let_go(struct sc_streams_entry **pentry)
{
    pthread_mutex_unlock(&(*pentry)->live_lock);
    sc_streams_entry_unref(pentry);
}

int sc_streams_tap(sc_streams *streams, const char *id, int rung, sc_live_tap **ptap,
                   void (*take)(void *arg, const struct sc_live_sample *sample), void *arg,
                   sc_err *err)
{
    struct sc_streams_entry *entry;
    *ptap = NULL;
    int ret = hold(streams, id, &entry, err);
    if (!entry)
        return ret;
    ret = streams->ops->tap(entry->live, rung, ptap, take, arg, err);
    let_go(&entry);
    return ret;
}

const struct sc_live_ops *sc_streams_ops(const sc_streams *streams)
{
    return streams->ops;
}

int sc_streams_get_rungs(sc_streams *streams, const char *id,
                         struct sc_live_rung_figures *figures, int max)
{
    struct sc_streams_entry *entry;
    int count = 0, ret = hold(streams, id, &entry, NULL);
    if (!entry)
        return ret;
    for (; count < max && count < streams->rung_count; count++)
        streams->ops->get_rung(entry->live, count, &figures[count]);
    let_go(&entry);
    return count;
}
