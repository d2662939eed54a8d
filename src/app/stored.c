// Videos on disk: their rows, and what is put right when the store is opened.
//
// A row names a blob; the index file is named after the blob. The row is written last and removed
// first, so after a crash there may be blobs and index files without a row, which are removed
// here; a row without a blob means that somebody else removed the file.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <jansson.h>

#include "app/videos_internal.h"
#include "base/clock.h"
#include "base/mem.h"

// --- rows ---------------------------------------------------------------------------------

int sc_video_insert_row(sc_video *video, sc_err *err)
{
    const struct sc_video_info *info = &video->info;
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:I, s:I}", "key", video->key, "name", info->name, "size",
                  (json_int_t)info->size, "created_ns", (json_int_t)info->created_ns,
                  "index_ns", (json_int_t)info->index_ns);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        return sc_fail(err, SC_ENOMEM, "out of memory");
    int ret = sc_rows_insert(video->videos->rows, SC_VIDEOS_TABLE, info->id, text);
    free(text);
    if (ret == SC_ENOSPACE)
        return sc_fail(err, ret, "the server's disk is full: nothing was stored");
    return ret ? sc_fail(err, ret, "the video cannot be stored: %s", sc_strerror(ret)) : 0;
}

static bool key_valid(const char *key)
{
    size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789");
    return n && n <= 64 && !key[n];
}

// The video of a row, without index, or NULL when the row makes no sense.
static sc_video *parse_row(sc_videos *videos, const sc_row *row)
{
    struct sc_video_info info = {0};
    const char *key, *name;
    json_int_t size, created_ns, index_ns;
    sc_video *video = NULL;
    json_t *json = json_loads(row->value, 0, NULL);
    bool good = json &&
                !json_unpack(json, "{s:s, s:s, s:I, s:I, s:I}", "key", &key, "name", &name,
                             "size", &size, "created_ns", &created_ns, "index_ns", &index_ns) &&
                key_valid(key) && sc_video_id_valid(row->key);
    if (good) {
        snprintf(info.id, sizeof(info.id), "%s", row->key);
        snprintf(info.name, sizeof(info.name), "%s", name);
        info.size = size;
        info.created_ns = created_ns;
        info.index_ns = index_ns;
        video = sc_video_new(videos, &info, key);
    } else {
        SC_ERROR(videos->log, "a stored video's row is damaged", SC_S("id", row->key));
    }
    json_decref(json);
    return video;
}

// --- what the store holds -----------------------------------------------------------------

struct stored {
    sc_videos *videos;
    sc_video **by_id, **by_key; // the same videos, sorted
    size_t count, cap;
    bool damaged;   // some row could not be read: which blob it owns is unknown
    char **orphans; // keys of blobs that no row names
    size_t orphan_count, orphan_cap;
};

static void add_video(struct stored *st, sc_video *video)
{
    if (st->count == st->cap) {
        st->cap = st->cap ? 2 * st->cap : 64;
        st->by_id = sc_xrealloc(st->by_id, st->cap * sizeof(*st->by_id));
    }
    st->by_id[st->count++] = video;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp((*(sc_video *const *)a)->key, (*(sc_video *const *)b)->key);
}

static int compare_key(const void *key, const void *video)
{
    return strcmp(key, (*(sc_video *const *)video)->key);
}

static sc_video *find_key(const struct stored *st, const char *key)
{
    sc_video **found = bsearch(key, st->by_key, st->count, sizeof(sc_video *), compare_key);
    return found ? *found : NULL;
}

static int read_rows(struct stored *st, sc_err *err)
{
    char after[256] = "";
    for (;;) {
        sc_row *page;
        int n = sc_rows_list(st->videos->rows, SC_VIDEOS_TABLE, after, 256, &page);
        if (n < 0)
            return sc_fail(err, n, "cannot read the list of videos: %s", sc_strerror(n));
        for (int i = 0; i < n; i++) {
            sc_video *video = parse_row(st->videos, &page[i]);
            snprintf(after, sizeof(after), "%s", page[i].key);
            sc_row_release(&page[i]);
            if (video)
                add_video(st, video);
            else
                st->damaged = true;
        }
        free(page);
        if (!n)
            break;
    }
    st->by_key = sc_xcalloc(st->count, sizeof(*st->by_key));
    if (st->count)
        memcpy(st->by_key, st->by_id, st->count * sizeof(*st->by_key));
    qsort(st->by_key, st->count, sizeof(*st->by_key), compare_keys);
    return 0;
}

static int see_blob(void *arg, const char *key, int64_t size)
{
    struct stored *st = arg;
    sc_video *video = find_key(st, key);
    (void)size;
    if (video) {
        video->present = true;
        return 0;
    }
    if (st->orphan_count == st->orphan_cap) {
        st->orphan_cap = st->orphan_cap ? 2 * st->orphan_cap : 64;
        st->orphans = sc_xrealloc(st->orphans, st->orphan_cap * sizeof(*st->orphans));
    }
    st->orphans[st->orphan_count++] = sc_xstrdup(key);
    return 0;
}

// --- putting it right ---------------------------------------------------------------------

static size_t count_missing(const struct stored *st)
{
    size_t missing = 0;
    for (size_t i = 0; i < st->count; i++)
        missing += !st->by_id[i]->present;
    return missing;
}

// No crash loses the database or every blob: then a restore or a mount went wrong, and tidying
// up would destroy what is left.
static int check_sane(const struct stored *st, bool fresh, sc_err *err)
{
    const char *dir = st->videos->settings->data_dir;
    if (fresh && st->orphan_count)
        return sc_fail(err, SC_EDATA,
                       "%s/blobs holds %zu files but %s/saccade.db was missing: restore it, or "
                       "move the files away",
                       dir, st->orphan_count, dir);
    if (st->count > 1 && count_missing(st) == st->count)
        return sc_fail(
            err, SC_EDATA,
            "none of the %zu stored videos has its file in %s/blobs: is a volume not "
            "mounted? To start afresh move %s/saccade.db away",
            st->count, dir, dir);
    return 0;
}

static void remove_orphans(struct stored *st)
{
    for (size_t i = 0; i < st->orphan_count && !st->damaged; i++) {
        int ret = sc_blobs_delete(st->videos->blobs, st->orphans[i]);
        SC_WARN(st->videos->log, "removed a file that belongs to no video",
                SC_S("key", st->orphans[i]), SC_S("result", ret ? sc_strerror(ret) : "ok"));
    }
}

// Rows whose blob somebody removed.
static int remove_missing(struct stored *st, sc_err *err)
{
    size_t kept = 0;
    int ret = 0;
    for (size_t i = 0; i < st->count; i++) {
        sc_video *video = st->by_id[i];
        if (video->present || ret) {
            st->by_id[kept++] = video;
            continue;
        }
        SC_WARN(st->videos->log, "removed a video whose file is gone",
                SC_S("id", video->info.id), SC_S("key", video->key));
        ret = sc_rows_delete(st->videos->rows, SC_VIDEOS_TABLE, video->info.id);
        sc_video_unref(&video);
    }
    st->count = kept;
    return ret ? sc_fail(err, ret, "cannot remove a row: %s", sc_strerror(ret)) : 0;
}

// Does this index file belong to a video? Temporary names do not.
static bool index_wanted(const struct stored *st, const char *name)
{
    char key[SC_BLOB_KEY_SIZE];
    size_t n = strcspn(name, ".");
    if (n >= sizeof(key) || strcmp(name + n, ".sci"))
        return false;
    snprintf(key, sizeof(key), "%.*s", (int)n, name);
    sc_video *video = find_key(st, key);
    return video && video->present;
}

static void remove_index_files(const struct stored *st)
{
    struct dirent *entry;
    DIR *dir = opendir(st->videos->index_dir);
    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' && (!entry->d_name[1] || !strcmp(entry->d_name, "..")))
            continue;
        if (!index_wanted(st, entry->d_name) && !unlinkat(dirfd(dir), entry->d_name, 0))
            SC_DEBUG(st->videos->log, "removed a leftover index file",
                     SC_S("name", entry->d_name));
    }
    closedir(dir);
}

// --- indexes ------------------------------------------------------------------------------

// All workers take the next video until none is left.
struct loading {
    struct stored *st;
    atomic_size_t next;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t done, rebuilt, broken; // under lock
    int workers;                  // running, under lock
};

static void load_one(struct loading *ld, sc_video *video)
{
    sc_videos *videos = video->videos;
    sc_index *index = NULL;
    sc_err err = {0};
    bool built = false;
    int ret = sc_index_open(
        &index, video->path, video->index_path,
        &(struct sc_index_params){.log = videos->log, .cancel = videos->cancel, .threads = 1},
        &built, &err);
    if (ret)
        SC_ERROR(videos->log, "video unusable: its file cannot be indexed any more",
                 SC_S("id", video->info.id), SC_S("error", sc_err_text(&err, ret)));
    else
        sc_video_attach(video, index);
    if (built)
        SC_INFO(videos->log, "index rebuilt", SC_S("id", video->info.id));
    pthread_mutex_lock(&ld->lock);
    ld->done++;
    ld->rebuilt += built;
    ld->broken += ret != 0;
    pthread_mutex_unlock(&ld->lock);
}

static void load_some(void *arg)
{
    struct loading *ld = arg;
    size_t i;
    while ((i = atomic_fetch_add(&ld->next, 1)) < ld->st->count)
        load_one(ld, ld->st->by_id[i]);
    pthread_mutex_lock(&ld->lock);
    ld->workers--;
    pthread_cond_signal(&ld->changed);
    pthread_mutex_unlock(&ld->lock);
}

static void wait_loaded(struct loading *ld)
{
    sc_log *log = ld->st->videos->log;
    pthread_mutex_lock(&ld->lock);
    while (ld->workers) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 2;
        if (pthread_cond_timedwait(&ld->changed, &ld->lock, &until) == ETIMEDOUT)
            SC_INFO(log, "opening videos", SC_I("done", ld->done), SC_I("of", ld->st->count),
                    SC_I("rebuilt", ld->rebuilt));
    }
    pthread_mutex_unlock(&ld->lock);
}

static void load_indexes(struct stored *st)
{
    struct loading ld = {.st = st, .workers = sc_pool_threads(st->videos->pool)};
    int64_t start = sc_clock_now();
    pthread_mutex_init(&ld.lock, NULL);
    pthread_cond_init(&ld.changed, NULL);
    for (int i = ld.workers; i > 0; i--)
        if (sc_pool_post(st->videos->pool, SC_PRIO_NORMAL, load_some, &ld))
            load_some(&ld);
    wait_loaded(&ld);
    if (st->count)
        SC_INFO(st->videos->log, "videos opened", SC_I("count", ld.done - ld.broken),
                SC_I("rebuilt", ld.rebuilt), SC_I("unusable", ld.broken),
                SC_F("seconds", (double)(sc_clock_now() - start) / (double)SC_NS_PER_S));
    pthread_cond_destroy(&ld.changed);
    pthread_mutex_destroy(&ld.lock);
}

// --- all of it ----------------------------------------------------------------------------

static int reconcile(struct stored *st, bool fresh, sc_err *err)
{
    int ret = sc_blobs_each(st->videos->blobs, see_blob, st);
    if (ret)
        return sc_fail(err, ret, "cannot read %s/blobs: %s", st->videos->settings->data_dir,
                       sc_strerror(ret));
    ret = check_sane(st, fresh, err);
    if (ret)
        return ret;
    if (st->damaged && st->orphan_count)
        SC_WARN(st->videos->log, "files kept because a damaged row may own them",
                SC_I("count", st->orphan_count));
    remove_orphans(st);
    remove_index_files(st);
    return remove_missing(st, err);
}

int sc_videos_load(sc_videos *videos, bool fresh, sc_err *err)
{
    struct stored st = {.videos = videos};
    int ret = read_rows(&st, err);
    if (!ret)
        ret = reconcile(&st, fresh, err);
    if (!ret)
        load_indexes(&st);
    for (size_t i = 0; i < st.count; i++) {
        if (!ret)
            sc_videos_publish(videos, st.by_id[i]);
        sc_video_unref(&st.by_id[i]);
    }
    for (size_t i = 0; i < st.orphan_count; i++)
        free(st.orphans[i]);
    free(st.orphans);
    free(st.by_id);
    free(st.by_key);
    return ret;
}
