#include "http/api/uploader.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "http/multipart.h"

#define BUFFER_SIZE (1 << 20)
// A form's boundaries, headers and small fields: what its Content-Length has beyond the file.
#define FORM_OVERHEAD (64 << 10)

struct buffer {
    char *data;
    size_t used;
};

enum part { PART_NONE, PART_ID, PART_FILE };

struct uploader {
    sc_ref ref; // the request's and the writing task's

    // immutable
    sc_app *app;
    sc_request *req; // to be resumed while `waiting`; else not to be touched by the writer
    void (*reply)(sc_request *req, sc_video *video);
    char field[16];
    int64_t size_hint;

    // owned by the writer while `writing`, else by the I/O thread
    sc_upload *up;
    sc_multipart *form; // NULL = raw body
    enum part part;
    bool has_file, id_from_query;
    char id[72], name[256]; // id: room to see that it is too long
    size_t id_size;

    pthread_mutex_t lock;
    // under lock
    struct buffer buffers[2];
    int filling;  // the I/O thread's; the other one is the writer's while `writing`
    bool writing; // a task is posted or runs
    bool waiting; // the connection is suspended
    bool ended;   // the whole body is here
    bool gone;    // the request is over
    int ret;      // the first failure
    sc_err err;
};

// --- life ---------------------------------------------------------------------------------

static void destroy(void *arg)
{
    struct uploader *u = arg;
    sc_upload_abort(&u->up);
    sc_multipart_close(&u->form);
    free(u->buffers[0].data);
    free(u->buffers[1].data);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

// On the I/O thread: removing what was written blocks, so the pool does it.
static void release(void *arg)
{
    struct uploader *u = arg;
    pthread_mutex_lock(&u->lock);
    u->gone = true;
    pthread_mutex_unlock(&u->lock);
    if (!sc_ref_dec(&u->ref))
        return;
    if (!u->up || sc_pool_post(sc_app_pool(u->app), SC_PRIO_NORMAL, destroy, u))
        destroy(u);
}

// --- the form -----------------------------------------------------------------------------

static int open_upload(struct uploader *u, sc_err *err)
{
    struct sc_upload_params params = {.id = u->id[0] ? u->id : NULL,
                                      .name = u->name[0] ? u->name : NULL,
                                      .size_hint = u->size_hint};
    return sc_upload_open(&u->up, sc_app_videos(u->app), &params, err);
}

static int begin_file(struct uploader *u, const struct sc_multipart_part *part, sc_err *err)
{
    if (u->has_file)
        return sc_fail_field(err, SC_EARG, u->field, "the form has more than one file");
    u->has_file = true;
    u->part = PART_FILE;
    if (part->filename && !u->name[0])
        snprintf(u->name, sizeof(u->name), "%s", part->filename);
    return open_upload(u, err);
}

static int on_begin(void *arg, const struct sc_multipart_part *part, sc_err *err)
{
    struct uploader *u = arg;
    if (!strcmp(part->name, u->field))
        return begin_file(u, part, err);
    if (strcmp(part->name, "id"))
        return sc_fail_field(err, SC_EARG, "body", "unknown form field; there are id and %s",
                             u->field);
    if (u->id_from_query)
        return sc_fail_field(err, SC_EARG, "id",
                             "id is given both in the address and the form");
    if (u->id_size)
        return sc_fail_field(err, SC_EARG, "id", "id is given more than once");
    u->part = PART_ID;
    return SC_OK;
}

static int on_data(void *arg, const char *data, size_t size, sc_err *err)
{
    struct uploader *u = arg;
    if (u->part == PART_FILE)
        return sc_upload_write(u->up, data, size, err);
    size_t room = sizeof(u->id) - 1 - u->id_size, n = size < room ? size : room;
    memcpy(u->id + u->id_size, data, n);
    u->id_size += n;
    return SC_OK;
}

static int on_end(void *arg, sc_err *err)
{
    struct uploader *u = arg;
    enum part part = u->part;
    u->part = PART_NONE;
    if (part != PART_ID || !u->id_size) // an empty field is the same as none
        return SC_OK;
    if (strlen(u->id) != u->id_size || !sc_video_id_valid(u->id))
        return sc_fail_field(err, SC_EARG, "id", "an id is 1 to 64 letters, digits, _ or -");
    return u->up ? sc_upload_set_id(u->up, u->id, err) : SC_OK;
}

// --- the writer ---------------------------------------------------------------------------

static int write_buffer(struct uploader *u, const struct buffer *buffer, sc_err *err)
{
    return u->form ? sc_multipart_push(u->form, buffer->data, buffer->used, err)
                   : sc_upload_write(u->up, buffer->data, buffer->used, err);
}

static int complete(struct uploader *u, sc_video **video, sc_err *err)
{
    int ret = u->form ? sc_multipart_finish(u->form, err) : SC_OK;
    if (!ret && u->form && !u->has_file)
        ret = sc_fail_field(err, SC_EARG, u->field, "the form has no file field named %s",
                            u->field);
    return ret ? ret : sc_upload_finish(&u->up, video, err);
}

// The request is suspended and waits for exactly this.
static void reply(struct uploader *u)
{
    sc_video *video = NULL;
    sc_err err = u->err;
    int ret = u->ret;
    if (!ret)
        ret = complete(u, &video, &err);
    if (ret) {
        sc_upload_abort(&u->up);
        sc_reply_err(u->req, ret, &err);
    } else {
        u->reply(u->req, video);
    }
    sc_video_unref(&video);
}

// Under lock: is there a buffer that is the writer's to take? Full, or the last one.
static bool take_buffer(struct uploader *u, int *taken)
{
    const struct buffer *filled = &u->buffers[u->filling];
    if (u->gone || u->ret || !(filled->used == BUFFER_SIZE || (u->ended && filled->used)))
        return false;
    *taken = u->filling;
    u->filling = !u->filling;
    return true;
}

static void wake(struct uploader *u)
{
    if (u->waiting)
        sc_request_resume(u->req);
    u->waiting = false;
}

static void write_task(void *arg)
{
    struct uploader *u = arg;
    int mine;
    pthread_mutex_lock(&u->lock);
    while (take_buffer(u, &mine)) {
        if (!u->ended)
            wake(u); // a buffer has become free
        pthread_mutex_unlock(&u->lock);
        sc_err err = {0};
        int ret = write_buffer(u, &u->buffers[mine], &err);
        if (ret)
            sc_upload_abort(&u->up); // nothing is left once the client reads of the failure
        pthread_mutex_lock(&u->lock);
        u->buffers[mine].used = 0;
        if (ret && !u->ret) {
            u->ret = ret;
            u->err = err;
        }
    }
    bool last = u->ended && !u->gone;
    if (last) {
        pthread_mutex_unlock(&u->lock);
        reply(u);
        pthread_mutex_lock(&u->lock);
    }
    u->writing = false;
    wake(u);
    pthread_mutex_unlock(&u->lock);
    if (sc_ref_dec(&u->ref))
        destroy(u);
}

// Under lock, with no task under way.
static void start_writing(struct uploader *u)
{
    sc_ref_inc(&u->ref);
    u->writing = true;
    int ret = sc_pool_post(sc_app_pool(u->app), SC_PRIO_NORMAL, write_task, u);
    if (!ret)
        return;
    sc_ref_dec(&u->ref); // not the last: the request's is there
    u->writing = false;
    u->ret = ret;
}

// --- the I/O thread -----------------------------------------------------------------------

// A taken id is told before the body is sent; two that race find out at the file itself.
static int check_free(struct uploader *u, sc_err *err)
{
    sc_video *video = u->id[0] ? sc_videos_get(sc_app_videos(u->app), u->id) : NULL;
    if (!video)
        return SC_OK;
    sc_video_unref(&video);
    return sc_fail_field(err, SC_EEXISTS, "id",
                         "the id \"%s\" is taken: choose another, or delete that video first",
                         u->id);
}

static int open_form(struct uploader *u, const char *type, int64_t length, sc_err *err)
{
    static const struct sc_multipart_events events = {on_begin, on_data, on_end};
    int64_t max = sc_app_get_settings(u->app)->max_upload;
    if (length - FORM_OVERHEAD > max)
        return sc_fail_field(err, SC_ELIMIT, u->field,
                             "the upload has %lld bytes; at most %lld are taken",
                             (long long)length, (long long)max);
    int ret = sc_multipart_open(&u->form, type, &events, u, err);
    u->size_hint = length > FORM_OVERHEAD ? length - FORM_OVERHEAD : 0;
    return ret ? ret : check_free(u, err);
}

static int open_raw(struct uploader *u, const char *type, int64_t length, sc_err *err)
{
    if (type && strncmp(type, "video/", 6) && strncmp(type, "application/octet-stream", 24) &&
        strncmp(type, "application/x-www-form-urlencoded", 33)) // what curl says unasked
        return sc_fail_field(err, SC_EUNSUPPORTED, "Content-Type",
                             "send the file as video/* or application/octet-stream, or a form "
                             "as multipart/form-data");
    u->size_hint = length > 0 ? length : 0;
    return open_upload(u, err);
}

static int open_uploader(struct uploader *u, const struct sc_uploader_params *params,
                         sc_err *err)
{
    snprintf(u->field, sizeof(u->field), "%s", params->field);
    snprintf(u->name, sizeof(u->name), "%s", params->name ? params->name : "");
    if (params->id && !sc_video_id_valid(params->id))
        return sc_fail_field(err, SC_EARG, "id", "an id is 1 to 64 letters, digits, _ or -");
    snprintf(u->id, sizeof(u->id), "%s", params->id ? params->id : "");
    u->id_from_query = params->id != NULL;
    for (int i = 0; i < 2; i++) {
        u->buffers[i].data = malloc(BUFFER_SIZE);
        if (!u->buffers[i].data)
            return SC_ENOMEM;
    }
    const char *type = sc_request_header(u->req, "Content-Type");
    int64_t length = sc_request_content_length(u->req);
    return sc_multipart_is(type) ? open_form(u, type, length, err)
                                 : open_raw(u, type, length, err);
}

void sc_uploader_begin(sc_request *req, const struct sc_uploader_params *params)
{
    struct uploader *u = sc_new(struct uploader);
    sc_err err = {0};
    sc_ref_init(&u->ref);
    u->app = sc_request_app(req);
    u->req = req;
    u->reply = params->reply;
    pthread_mutex_init(&u->lock, NULL);
    int ret = open_uploader(u, params, &err);
    sc_request_set_state(req, u, release);
    if (ret) {
        sc_upload_abort(&u->up);
        sc_reply_err(req, ret, &err);
    }
}

// Under lock. Bytes taken; what does not fit waits for the writer.
static size_t fill(struct uploader *u, const char *data, size_t size)
{
    struct buffer *buffer = &u->buffers[u->filling];
    size_t room = BUFFER_SIZE - buffer->used, taken = size < room ? size : room;
    memcpy(buffer->data + buffer->used, data, taken);
    buffer->used += taken;
    if (buffer->used == BUFFER_SIZE && !u->writing && !u->ret)
        start_writing(u);
    return taken;
}

size_t sc_uploader_data(sc_request *req, const char *data, size_t size)
{
    struct uploader *u = sc_request_state(req);
    pthread_mutex_lock(&u->lock);
    size_t done = fill(u, data, size);
    if (u->ret) {
        sc_reply_err(req, u->ret, &u->err); // the rest of the body is dropped
        done = size;
    } else if (u->buffers[u->filling].used == BUFFER_SIZE) {
        u->waiting = true;
        sc_request_defer(req);
    }
    pthread_mutex_unlock(&u->lock);
    return done;
}

void sc_uploader_finish(sc_request *req)
{
    struct uploader *u = sc_request_state(req);
    pthread_mutex_lock(&u->lock);
    u->ended = true;
    if (!u->ret) {
        u->waiting = true;
        sc_request_defer(req);
        if (!u->writing)
            start_writing(u);
        if (!u->writing) { // refused: nobody else will wake it
            sc_reply_err(req, u->ret, NULL);
            wake(u);
        }
    } else {
        sc_reply_err(req, u->ret, &u->err);
    }
    pthread_mutex_unlock(&u->lock);
}
