#include "http/api/uploader.h"

#include <string.h>

#include "base/mem.h"
#include "http/multipart.h"

// A form's boundaries, headers and small fields: what its Content-Length has beyond the file.
#define FORM_OVERHEAD (64 << 10)

enum part { PART_NONE, PART_ID, PART_FILE };

struct uploader {
    // immutable
    sc_app *app;
    void (*reply)(sc_request *req, sc_video *video);
    char field[16];
    int64_t size_hint;

    sc_upload *up;
    sc_multipart *form; // NULL = raw body
    enum part part;
    bool has_file, id_from_query;
    char id[72], name[256]; // id: room to see that it is too long
    size_t id_size;
};

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

// --- the sink -----------------------------------------------------------------------------

static int write_bytes(void *arg, const char *data, size_t size, sc_err *err)
{
    struct uploader *u = arg;
    return u->form ? sc_multipart_push(u->form, data, size, err)
                   : sc_upload_write(u->up, data, size, err);
}

static int complete(struct uploader *u, sc_video **video, sc_err *err)
{
    int ret = u->form ? sc_multipart_finish(u->form, err) : SC_OK;
    if (!ret && u->form && !u->has_file)
        ret = sc_fail_field(err, SC_EARG, u->field, "the form has no file field named %s",
                            u->field);
    return ret ? ret : sc_upload_finish(&u->up, video, err);
}

static void end(void *arg, sc_request *req)
{
    struct uploader *u = arg;
    sc_video *video = NULL;
    sc_err err = {0};
    int ret = complete(u, &video, &err);
    if (ret) {
        sc_upload_abort(&u->up);
        sc_reply_err(req, ret, &err);
    } else {
        u->reply(req, video);
    }
    sc_video_unref(&video);
}

static void abort_upload(void *arg)
{
    struct uploader *u = arg;
    sc_upload_abort(&u->up);
}

static void release(void *arg)
{
    struct uploader *u = arg;
    sc_upload_abort(&u->up);
    sc_multipart_close(&u->form);
    free(u);
}

static const struct sc_body_sink sink = {write_bytes, end, release, abort_upload};

// --- begin --------------------------------------------------------------------------------

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

static int open_uploader(struct uploader *u, sc_request *req,
                         const struct sc_uploader_params *params, sc_err *err)
{
    snprintf(u->field, sizeof(u->field), "%s", params->field);
    snprintf(u->name, sizeof(u->name), "%s", params->name ? params->name : "");
    if (params->id && !sc_video_id_valid(params->id))
        return sc_fail_field(err, SC_EARG, "id", "an id is 1 to 64 letters, digits, _ or -");
    snprintf(u->id, sizeof(u->id), "%s", params->id ? params->id : "");
    u->id_from_query = params->id != NULL;
    const char *type = sc_request_header(req, "Content-Type");
    int64_t length = sc_request_content_length(req);
    return sc_multipart_is(type) ? open_form(u, type, length, err)
                                 : open_raw(u, type, length, err);
}

void sc_uploader_begin(sc_request *req, const struct sc_uploader_params *params)
{
    struct uploader *u = sc_new(struct uploader);
    sc_err err = {0};
    u->app = sc_request_app(req);
    u->reply = params->reply;
    int ret = open_uploader(u, req, params, &err);
    if (ret) {
        release(u);
        sc_reply_err(req, ret, &err);
    } else {
        sc_body_begin(req, &sink, u);
    }
}
