// Encoded pictures of what runs.
#include "app/streams_internal.h"

// Finds the stream and, where its run is the wanted one (0 = any), keeps it from being closed until
// let_go(). *pentry is NULL on failure.
static int hold(sc_streams *streams, const char *id, int64_t run,
                struct sc_streams_entry **pentry, sc_err *err)
{
    struct sc_live_status status;
    bool has_live;
    struct sc_streams_entry *entry = *pentry = sc_streams_find(streams, id);
    if (!entry)
        return sc_fail_field(err, SC_ENOTFOUND, "id", "there is no stream %s", id);
    enum sc_streams_state state = sc_streams_ask(entry, &status, &has_live);
    pthread_mutex_lock(&entry->live_lock);
    if (entry->live && (!run || run == entry->runs))
        return SC_OK;
    int ret = entry->live ? sc_fail(err, SC_EAGAIN, "the stream was started anew")
                          : sc_streams_not_running(err, state);
    pthread_mutex_unlock(&entry->live_lock);
    sc_streams_entry_unref(pentry);
    return ret;
}

static void let_go(struct sc_streams_entry **pentry)
{
    pthread_mutex_unlock(&(*pentry)->live_lock);
    sc_streams_entry_unref(pentry);
}

int sc_streams_get_run(sc_streams *streams, const char *id, struct sc_streams_run *run,
                       sc_err *err)
{
    struct sc_streams_entry *entry;
    *run = (struct sc_streams_run){0};
    int ret = hold(streams, id, 0, &entry, err);
    if (ret)
        return ret;
    run->number = entry->runs;
    run->threshold = entry->spec.threshold;
    if (entry->instance) {
        run->model = sc_instance_ref(entry->instance);
        if (run->threshold <= 0)
            run->threshold = sc_instance_get_info(run->model)->threshold;
    }
    let_go(&entry);
    return SC_OK;
}

void sc_streams_run_release(struct sc_streams_run *run)
{
    sc_instance_unref(&run->model);
    *run = (struct sc_streams_run){0};
}

int sc_streams_tap(sc_streams *streams, const char *id, int64_t run, int rung,
                   sc_live_tap **ptap,
                   void (*take)(void *arg, const struct sc_live_sample *sample), void *arg,
                   sc_err *err)
{
    struct sc_streams_entry *entry;
    *ptap = NULL;
    int ret = hold(streams, id, run, &entry, err);
    if (ret)
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
    int count = 0, ret = hold(streams, id, 0, &entry, NULL);
    if (ret)
        return ret;
    for (; count < max && count < streams->rung_count; count++)
        streams->ops->get_rung(entry->live, count, &figures[count]);
    let_go(&entry);
    return count;
}
