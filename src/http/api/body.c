#include "http/api/body.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"

#define BUFFER_SIZE (1 << 20)

struct buffer {
    char *data;
    size_t used;
};

struct body {
    sc_ref ref; // the request's and the writing task's

    // immutable
    sc_app *app;
    sc_request *req; // to be resumed while `waiting`; else not to be touched by the writer
    const struct sc_body_sink *sink;

    void *arg; // owned by the writer while `writing`, else by the I/O thread

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
    struct body *body = arg;
    body->sink->release(body->arg);
    free(body->buffers[0].data);
    free(body->buffers[1].data);
    pthread_mutex_destroy(&body->lock);
    free(body);
}

// On the I/O thread: removing what was written blocks, so the pool does it.
static void release(void *arg)
{
    struct body *body = arg;
    pthread_mutex_lock(&body->lock);
    body->gone = true;
    pthread_mutex_unlock(&body->lock);
    if (!sc_ref_dec(&body->ref))
        return;
    if (sc_pool_post(sc_app_pool(body->app), SC_PRIO_NORMAL, destroy, body))
        destroy(body);
}

void sc_body_begin(sc_request *req, const struct sc_body_sink *sink, void *arg)
{
    struct body *body = sc_new(struct body);
    sc_ref_init(&body->ref);
    body->app = sc_request_app(req);
    body->req = req;
    body->sink = sink;
    body->arg = arg;
    pthread_mutex_init(&body->lock, NULL);
    sc_request_set_state(req, body, release);
    for (int i = 0; i < 2; i++) {
        body->buffers[i].data = malloc(BUFFER_SIZE);
        if (!body->buffers[i].data) {
            sc_reply_err(req, SC_ENOMEM, NULL);
            return;
        }
    }
}

// --- the writer ---------------------------------------------------------------------------

// Under lock: is there a buffer that is the writer's to take? Full, or the last one.
static bool take_buffer(struct body *body, int *taken)
{
    const struct buffer *filled = &body->buffers[body->filling];
    if (body->gone || body->ret ||
        !(filled->used == BUFFER_SIZE || (body->ended && filled->used)))
        return false;
    *taken = body->filling;
    body->filling = !body->filling;
    return true;
}

static void wake(struct body *body)
{
    if (body->waiting)
        sc_request_resume(body->req);
    body->waiting = false;
}

static int write_buffer(struct body *body, const struct buffer *buffer, sc_err *err)
{
    int ret = body->sink->write(body->arg, buffer->data, buffer->used, err);
    if (ret)
        body->sink->abort(body->arg); // nothing is left once the client reads of the failure
    return ret;
}

// The request is suspended and waits for exactly this.
static void end(struct body *body)
{
    if (body->ret)
        sc_reply_err(body->req, body->ret, &body->err);
    else
        body->sink->end(body->arg, body->req);
}

static void write_task(void *arg)
{
    struct body *body = arg;
    int mine;
    pthread_mutex_lock(&body->lock);
    while (take_buffer(body, &mine)) {
        if (!body->ended)
            wake(body); // a buffer has become free
        pthread_mutex_unlock(&body->lock);
        sc_err err = {0};
        int ret = write_buffer(body, &body->buffers[mine], &err);
        pthread_mutex_lock(&body->lock);
        body->buffers[mine].used = 0;
        if (ret && !body->ret) {
            body->ret = ret;
            body->err = err;
        }
    }
    if (body->ended && !body->gone) {
        pthread_mutex_unlock(&body->lock);
        end(body);
        pthread_mutex_lock(&body->lock);
    }
    body->writing = false;
    wake(body);
    pthread_mutex_unlock(&body->lock);
    if (sc_ref_dec(&body->ref))
        destroy(body);
}

// Under lock, with no task under way.
static void start_writing(struct body *body)
{
    sc_ref_inc(&body->ref);
    body->writing = true;
    int ret = sc_pool_post(sc_app_pool(body->app), SC_PRIO_NORMAL, write_task, body);
    if (!ret)
        return;
    sc_ref_dec(&body->ref); // not the last: the request's is there
    body->writing = false;
    body->ret = ret;
}

// --- the I/O thread -----------------------------------------------------------------------

// Under lock. Bytes taken; what does not fit waits for the writer.
static size_t fill(struct body *body, const char *data, size_t size)
{
    struct buffer *buffer = &body->buffers[body->filling];
    size_t room = BUFFER_SIZE - buffer->used, taken = size < room ? size : room;
    memcpy(buffer->data + buffer->used, data, taken);
    buffer->used += taken;
    if (buffer->used == BUFFER_SIZE && !body->writing && !body->ret)
        start_writing(body);
    return taken;
}

size_t sc_body_data(sc_request *req, const char *data, size_t size)
{
    struct body *body = sc_request_state(req);
    pthread_mutex_lock(&body->lock);
    size_t done = fill(body, data, size);
    if (body->ret) {
        sc_reply_err(req, body->ret, &body->err); // the rest of the body is dropped
        done = size;
    } else if (body->buffers[body->filling].used == BUFFER_SIZE) {
        body->waiting = true;
        sc_request_defer(req);
    }
    pthread_mutex_unlock(&body->lock);
    return done;
}

void sc_body_finish(sc_request *req)
{
    struct body *body = sc_request_state(req);
    pthread_mutex_lock(&body->lock);
    body->ended = true;
    if (!body->ret) {
        body->waiting = true;
        sc_request_defer(req);
        if (!body->writing)
            start_writing(body);
        if (!body->writing) { // refused: nobody else will wake it
            sc_reply_err(req, body->ret, NULL);
            wake(body);
        }
    } else {
        sc_reply_err(req, body->ret, &body->err);
    }
    pthread_mutex_unlock(&body->lock);
}
