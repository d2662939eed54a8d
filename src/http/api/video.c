#include "http/api/video.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "http/api/model.h"
#include "http/problem.h"

sc_video *sc_api_video(sc_request *req)
{
    const char *id = sc_request_param(req, "id");
    if (!sc_video_id_valid(id)) {
        sc_reply_problem(req, 400, "id", "an id is 1 to 64 letters, digits, _ or -");
        return NULL;
    }
    sc_video *video = sc_videos_get(sc_app_videos(sc_request_app(req)), id);
    if (!video)
        sc_reply_problem(req, 404, "id", "there is no video %s", id);
    return video;
}

json_t *sc_api_number(double value)
{
    double rounded = round(value);
    if (fabs(value - rounded) < 1e-9 && fabs(value) < 1e15)
        return json_integer((json_int_t)rounded);
    return json_real(value);
}

double sc_api_fps(const struct sc_index_info *info)
{
    return info->frame_rate.den ? av_q2d(info->frame_rate) : 0;
}

static double duration_of(sc_index *index)
{
    char text[64];
    return strtod(sc_index_format_duration(index, text, sizeof(text)), NULL);
}

static const char *verdict_name(enum sc_verdict verdict)
{
    switch (verdict) {
    case SC_VERDICT_EXACT:
        return "exact";
    case SC_VERDICT_DIFFERS:
        return "differs";
    default:
        return "none";
    }
}

json_t *sc_api_video_json(sc_video *video)
{
    struct sc_video_info info;
    char created[40];
    sc_video_get_info(video, &info);
    sc_index *index = sc_video_index(video);
    const struct sc_index_info *ix = sc_index_get_info(index);
    bool hdr = ix->color_trc == AVCOL_TRC_SMPTE2084 || ix->color_trc == AVCOL_TRC_ARIB_STD_B67;
    json_t *json = json_pack(
        "{s:s, s:s, s:I, s:s, s:o, s:I, s:o, s:b, s:i, s:i, s:s, s:s, s:s, s:i, s:b, s:b, s:I, "
        "s:s, s:o, s:s}",
        "id", info.id, "name", info.name, "size", (json_int_t)info.size, "created",
        sc_clock_format(created, info.created_ns), "duration",
        sc_api_number(duration_of(index)), "frames", (json_int_t)ix->frames, "fps",
        sc_api_number(sc_api_fps(ix)), "variable_rate", ix->variable_rate, "width",
        ix->display_width, "height", ix->display_height, "codec", ix->codec_name, "format",
        ix->format_name, "pix_fmt", ix->pix_fmt_name, "rotation", ix->rotation, "has_audio",
        ix->has_audio, "hdr", hdr, "gops", (json_int_t)ix->entries, "verdict",
        verdict_name(info.verdict), "index_seconds", json_real((double)info.index_ns / 1e9),
        "mime", sc_api_video_mime(video));
    sc_index_unref(&index);
    return json;
}

json_t *sc_api_compat_json(sc_video *video)
{
    struct sc_video_info info;
    char resolution[32], index_time[32];
    sc_video_get_info(video, &info);
    sc_index *index = sc_video_index(video);
    const struct sc_index_info *ix = sc_index_get_info(index);
    snprintf(resolution, sizeof(resolution), "%dx%d", ix->display_width, ix->display_height);
    snprintf(index_time, sizeof(index_time), "%.3fs", (double)info.index_ns / 1e9);
    json_t *json =
        json_pack("{s:s, s:s, s:o, s:o, s:I, s:s, s:I, s:s, s:b, s:s}", "status", "success",
                  "id", info.id, "fps", sc_api_number(sc_api_fps(ix)), "duration",
                  sc_api_number(duration_of(index)), "total_frames", (json_int_t)ix->frames,
                  "resolution", resolution, "index_size", (json_int_t)ix->frames, "index_time",
                  index_time, "gpu_enabled", 0, "device", "cpu");
    sc_index_unref(&index);
    return json;
}

const char *sc_api_video_mime(sc_video *video)
{
    static const struct {
        const char *format, *mime;
    } types[] = {
        {"mp4", "video/mp4"},       {"matroska", "video/x-matroska"}, {"mpegts", "video/mp2t"},
        {"avi", "video/x-msvideo"}, {"flv", "video/x-flv"},           {"ogg", "video/ogg"},
        {"mpeg", "video/mpeg"},     {"asf", "video/x-ms-asf"},        {"gif", "image/gif"},
        {"mxf", "application/mxf"}, {"h264", "video/h264"},           {"hevc", "video/h265"},
        {"ivf", "video/x-ivf"},
    };
    struct sc_video_info info;
    sc_video_get_info(video, &info);
    sc_index *index = sc_video_index(video);
    const char *format = sc_index_get_info(index)->format_name,
               *mime = "application/octet-stream";
    size_t name = strlen(info.name);
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (strstr(format, types[i].format)) {
            mime = types[i].mime;
            break;
        }
    }
    if (strstr(format, "matroska") && name > 5 && !strcmp(info.name + name - 5, ".webm"))
        mime = "video/webm";
    sc_index_unref(&index);
    return mime;
}

static bool has_row(const sc_request *req, const char *name)
{
    const sc_param *rows = sc_request_endpoint(req)->params;
    for (int i = 0; rows && rows[i].name; i++) {
        if (!strcmp(rows[i].name, name))
            return true;
    }
    return false;
}

static bool take_model(sc_request *req, struct sc_picture_query *query)
{
    if (!has_row(req, "model") || !sc_api_wants_model(req))
        return true;
    if (!sc_api_instance(req, sc_request_param(req, "model"), &query->instance))
        return false;
    query->threshold = sc_api_threshold(req, query->instance);
    query->overlay = sc_request_bool(req, "overlay");
    return true;
}

bool sc_api_picture_query(sc_request *req, sc_video *video, struct sc_picture_query *query)
{
    sc_err err = {0};
    *query = (struct sc_picture_query){.picture.quality = (int)sc_request_int(req, "quality")};
    if (has_row(req, "w")) {
        query->picture.w = (int)sc_request_int(req, "w");
        query->picture.h = (int)sc_request_int(req, "h");
        query->picture.fit = (enum sc_picture_fit)sc_request_choice(req, "fit");
    }
    if (has_row(req, "format"))
        query->picture.format = (enum sc_picture_format)sc_request_choice(req, "format");
    if (!take_model(req, query))
        return false;
    int ret = sc_video_prepare(video, query, &err);
    if (ret) {
        sc_instance_unref(&query->instance);
        sc_reply_err(req, ret, &err);
    }
    return !ret;
}

void sc_api_problem_print(sc_str *out, int ret, const sc_err *err)
{
    sc_problem_print(out, sc_problem_status(ret), err->field, sc_err_text(err, ret), NULL);
}
