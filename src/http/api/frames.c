// POST .../frames: many pictures in one answer, in the order asked, streamed as they are made.
//
// A window of pictures is asked for at once; what is ready is sent in order. While the client
// has much unread, nothing new is asked for.
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "http/api/endpoints.h"
#include "http/api/frames_query.h"
#include "http/api/model.h"

#define BOUNDARY    "saccade-part"
#define WINDOW      8
#define PENDING_MAX (8 << 20)          // unread bytes that stop the asking
#define TENSOR_MAX  (INT64_C(4) << 30) // bytes of an npy answer

struct slot {
    bool done;
    int ret;
    sc_answer *answer;
    sc_err err;
};

struct batch {
    sc_ref ref; // the request's, the stream's, and one for each picture under way

    // immutable
    sc_video *video;
    struct sc_frames_query query;
    bool tensor;

    pthread_mutex_t lock;
    // under lock
    sc_request *req;   // suspended until the first picture is there, then NULL
    sc_stream *stream; // NULL before that, and once all is sent
    size_t asked, sent, under_way;
    bool over; // nothing more is sent
    struct slot window[WINDOW];
    int w, h; // of a tensor's pictures
};

// What a picture under way knows.
struct ticket {
    struct batch *batch;
    size_t i;
};

static void unref(void *arg)
{
    struct batch *batch = arg;
    if (!sc_ref_dec(&batch->ref))
        return;
    for (int i = 0; i < WINDOW; i++)
        sc_answer_unref(&batch->window[i].answer);
    sc_instance_unref(&batch->query.picture.instance);
    sc_video_unref(&batch->video);
    pthread_mutex_destroy(&batch->lock);
    free(batch->query.ns);
    free(batch);
}

// --- sending, under lock ------------------------------------------------------------------

static void finish(struct batch *batch, bool failed)
{
    batch->over = true;
    if (!batch->stream)
        return;
    if (!batch->tensor && !failed)
        sc_stream_write_copy(batch->stream, "--" BOUNDARY "--\r\n", strlen(BOUNDARY) + 6);
    sc_stream_end(batch->stream, failed);
    sc_stream_unref(&batch->stream);
}

static void send_part(struct batch *batch, int64_t n, const char *mime, const char *more,
                      sc_buf *body)
{
    char text[64];
    sc_str head = {0};
    sc_index *index = sc_video_index(batch->video);
    sc_str_addf(&head,
                "--" BOUNDARY "\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                "X-Frame-Number: %" PRId64 "\r\nX-Frame-Time: %s\r\n%s\r\n",
                mime, body->size, n, sc_index_format_time(index, n, text, sizeof(text)), more);
    sc_stream_write_copy(batch->stream, head.s, head.len);
    sc_stream_write(batch->stream, body);
    sc_stream_write_copy(batch->stream, "\r\n", 2);
    sc_str_release(&head);
    sc_index_unref(&index);
}

// A picture that could not be made has a problem document in its place.
static void send_problem(struct batch *batch, int64_t n, const struct slot *slot)
{
    sc_str text = {0};
    sc_api_problem_print(&text, slot->ret, &slot->err);
    sc_buf *body = sc_buf_new(text.len);
    if (body) {
        memcpy(body->data, text.s, text.len);
        send_part(batch, n, "application/problem+json", "", body);
    }
    sc_buf_unref(&body);
    sc_str_release(&text);
}

// What was found, as a line of .../detections.
static void send_found(struct batch *batch, int64_t n, const sc_answer *answer)
{
    sc_str text = {0};
    sc_detections_report(&text, batch->video, n, batch->query.picture.instance, answer->found,
                         batch->query.picture.threshold);
    sc_buf *body = sc_buf_new(text.len);
    if (body) {
        memcpy(body->data, text.s, text.len);
        send_part(batch, n, "application/json", "", body);
    }
    sc_buf_unref(&body);
    sc_str_release(&text);
}

static void send_picture(struct batch *batch, int64_t n, const sc_answer *answer)
{
    char more[64];
    int used =
        snprintf(more, sizeof(more), "X-Verified: %s\r\n", answer->verified ? "true" : "false");
    if (answer->found)
        snprintf(more + used, sizeof(more) - (size_t)used, "X-Count: %d\r\n", answer->count);
    send_part(batch, n, sc_picture_mime(answer->format), more, answer->body);
    if (answer->found && batch->query.detections)
        send_found(batch, n, answer);
}

static void send_slot(struct batch *batch, const struct slot *slot)
{
    const sc_answer *answer = slot->answer;
    int64_t n = batch->query.ns[batch->sent];
    if (batch->tensor) {
        bool fits = answer && answer->info.width == batch->w && answer->info.height == batch->h;
        if (fits)
            sc_stream_write(batch->stream, answer->body);
        else
            finish(batch, true); // a short tensor must not pass for a whole one
    } else if (answer) {
        send_picture(batch, n, answer);
    } else {
        send_problem(batch, n, slot);
    }
}

static int start_tensor(struct batch *batch, const sc_answer *first, int64_t *size,
                        sc_buf **header)
{
    batch->w = first->info.width;
    batch->h = first->info.height;
    int64_t bytes = (int64_t)batch->query.count * batch->w * batch->h * 3;
    if (bytes > TENSOR_MAX)
        return SC_ELIMIT;
    *header = sc_picture_npy_header((int64_t)batch->query.count, batch->h, batch->w);
    if (!*header)
        return SC_ENOMEM;
    *size = (int64_t)(*header)->size + bytes;
    return SC_OK;
}

static void drained(void *arg);

// The first picture decides about the status.
static void start(struct batch *batch, const struct slot *first)
{
    sc_request *req = batch->req;
    sc_buf *header = NULL;
    int64_t size = -1;
    int ret = first->ret;
    sc_err err = first->err;
    batch->req = NULL;
    if (!ret && batch->tensor)
        ret = start_tensor(batch, first->answer, &size, &header);
    if (ret == SC_ELIMIT)
        sc_fail_field(&err, ret, "n", "the tensor would be larger than 4 GiB");
    if (ret) {
        batch->over = true;
        (batch->query.inference ? sc_api_reply_inference : sc_reply_err)(req, ret, &err);
    } else {
        sc_ref_inc(&batch->ref);
        batch->stream = sc_stream_new(&(struct sc_stream_params){drained, batch, unref});
        if (header)
            sc_stream_write(batch->stream, header);
        sc_reply_stream(req, 200,
                        batch->tensor ? "application/x-npy"
                                      : "multipart/mixed; boundary=" BOUNDARY,
                        sc_stream_ref(batch->stream), size);
    }
    sc_buf_unref(&header);
    sc_request_resume(req);
}

static void send_ready(struct batch *batch)
{
    while (!batch->over && batch->sent < batch->query.count) {
        struct slot *slot = &batch->window[batch->sent % WINDOW];
        if (!slot->done)
            return;
        if (batch->req)
            start(batch, slot);
        if (!batch->over)
            send_slot(batch, slot);
        sc_answer_unref(&slot->answer);
        *slot = (struct slot){0};
        batch->sent++;
    }
    if (!batch->over)
        finish(batch, false);
}

// --- asking -------------------------------------------------------------------------------

static void pump(struct batch *batch);

static void on_picture(void *arg, int ret, sc_answer *answer, const sc_err *err)
{
    struct ticket ticket = *(struct ticket *)arg;
    struct batch *batch = ticket.batch;
    free(arg);
    pthread_mutex_lock(&batch->lock);
    batch->under_way--;
    struct slot *slot = &batch->window[ticket.i % WINDOW];
    *slot = (struct slot){.done = true, .ret = ret, .answer = answer};
    if (err)
        slot->err = *err;
    send_ready(batch);
    pthread_mutex_unlock(&batch->lock);
    pump(batch);
    unref(batch);
}

static int ask(struct batch *batch, size_t i, sc_err *err)
{
    struct ticket *ticket = sc_new(struct ticket);
    *ticket = (struct ticket){batch, i};
    sc_ref_inc(&batch->ref);
    int64_t n = batch->query.ns[i];
    int ret = batch->tensor ? sc_video_rgb(batch->video, n, &batch->query.picture, 0,
                                           on_picture, ticket, err)
                            : sc_video_picture(batch->video, n, &batch->query.picture, 0,
                                               on_picture, ticket, err);
    if (ret) {
        free(ticket);
        sc_ref_dec(&batch->ref); // not the last: the caller's is there
    }
    return ret;
}

static bool may_ask(const struct batch *batch)
{
    return !batch->over && batch->asked < batch->query.count &&
           batch->asked - batch->sent < WINDOW &&
           (!batch->stream || sc_stream_pending(batch->stream) < PENDING_MAX);
}

// The completion never runs inside the call that asks, so asking under the lock is safe.
static void pump(struct batch *batch)
{
    pthread_mutex_lock(&batch->lock);
    while (may_ask(batch)) {
        size_t i = batch->asked;
        sc_err err = {0};
        int ret = ask(batch, i, &err);
        if (ret == SC_EBUSY && batch->under_way)
            break; // the next completion tries again
        batch->asked++;
        if (!ret) {
            batch->under_way++;
            continue;
        }
        batch->window[i % WINDOW] = (struct slot){.done = true, .ret = ret, .err = err};
        send_ready(batch);
    }
    pthread_mutex_unlock(&batch->lock);
}

// The client has read everything, or is gone.
static void drained(void *arg)
{
    struct batch *batch = arg;
    pthread_mutex_lock(&batch->lock);
    if (batch->stream && sc_stream_gone(batch->stream))
        finish(batch, true);
    pthread_mutex_unlock(&batch->lock);
    pump(batch);
}

// --- the endpoint -------------------------------------------------------------------------

// False: a problem was replied.
static bool choose_model(sc_request *req, struct sc_frames_query *query)
{
    struct sc_picture_query *picture = &query->picture;
    if (!query->inference)
        return true;
    if (query->detections && picture->picture.format == SC_PICTURE_NPY) {
        sc_reply_problem(req, 400, "detections", "there is no room for them in a tensor");
        return false;
    }
    if (!sc_api_instance(req, query->model, &picture->instance))
        return false;
    picture->threshold = query->threshold >= 0
                             ? query->threshold
                             : sc_instance_get_info(picture->instance)->threshold;
    return true;
}

static void frames(sc_request *req)
{
    struct sc_frames_query query;
    size_t size;
    sc_err err = {0};
    sc_video *video = sc_api_video(req);
    if (!video)
        return;
    const char *body = sc_request_body(req, &size);
    int ret = sc_frames_query_parse(&query, video, body, size, &err);
    if (ret)
        sc_reply_err(req, ret, &err);
    if (ret || !choose_model(req, &query)) {
        sc_video_unref(&video);
        free(query.ns);
        return;
    }
    struct batch *batch = sc_new(struct batch);
    sc_ref_init(&batch->ref);
    batch->video = video;
    batch->query = query;
    batch->tensor = query.picture.picture.format == SC_PICTURE_NPY;
    batch->req = req;
    pthread_mutex_init(&batch->lock, NULL);
    sc_request_set_state(req, batch, unref);
    sc_ref_inc(&batch->ref); // the request may end while pump() still runs
    sc_request_defer(req);
    pump(batch);
    unref(batch);
}

static const sc_param params[] = {SC_ROW_ID, {0}};
static const sc_response_row responses[] = {
    {200, "multipart/mixed|application/x-npy", NULL,
     "a part a frame with X-Frame-Number and X-Frame-Time; a frame that cannot be decoded has "
     "a "
     "problem document in its place. With a model each picture has X-Count; with detections, "
     "a part of application/json follows it. With format npy: one uint8 array (N, height, "
     "width, "
     "3)"},
    {416, "application/problem+json", NULL, "a frame is beyond the end; field says which"},
    {0},
};
const sc_endpoint sc_get_frames = {
    .method = "POST",
    .path = "/api/v1/videos/{id}/frames",
    .tag = "frames",
    .summary = "Many frames in one answer",
    .help = "In the order asked; at most 1000. Times may be text, where a double is not exact "
            "enough.",
    .params = params,
    .body = SC_BODY_JSON,
    .body_schema =
        "{\"type\":\"object\",\"properties\":{\"t\":{\"type\":\"array\",\"maxItems\":1000,"
        "\"items\":{\"type\":[\"number\",\"string\"]}},\"n\":{\"type\":\"array\",\"maxItems\":"
        "1000,\"items\":{\"type\":\"integer\",\"minimum\":0}},\"w\":{\"type\":\"integer\","
        "\"minimum\":1,\"maximum\":8192},\"h\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":"
        "8192},\"fit\":{\"enum\":[\"contain\",\"cover\",\"fill\"]},\"format\":{\"enum\":["
        "\"jpeg\","
        "\"png\",\"webp\",\"npy\"]},\"quality\":{\"type\":\"integer\",\"minimum\":1,"
        "\"maximum\":"
        "100},\"inference\":{\"type\":\"boolean\"},\"model\":{\"type\":\"string\"},"
        "\"threshold\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},\"overlay\":{"
        "\"type\":\"boolean\"},\"detections\":{\"type\":\"boolean\"}},"
        "\"additionalProperties\":false}",
    .responses = responses,
    .handle = frames,
};
