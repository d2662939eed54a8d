// What the endpoints of videos share: finding one, and how it reads as JSON.
#pragma once

#include "http/request.h"

// The video that the path parameter `id` names, a reference; or NULL and a 400 or 404 was
// replied.
sc_video *sc_api_video(sc_request *req);

// The resource as JSON, the caller's reference.
json_t *sc_api_video_json(sc_video *video);
// The shape that clients of /api/gpu/video/upload know.
json_t *sc_api_compat_json(sc_video *video);

// A number that is an integer where it can be: 30, 29.97.
json_t *sc_api_number(double value);
double sc_api_fps(const struct sc_index_info *info);

// The MIME type of the stored file.
const char *sc_api_video_mime(sc_video *video);

// The picture parameters of a request (w, h, fit, format, quality, model, threshold, inference and
// overlay where it has those rows), checked and completed; query->instance is a reference, NULL
// where no model is wanted. False: a problem was replied.
bool sc_api_picture_query(sc_request *req, sc_video *video, struct sc_picture_query *query);

// Appends a problem document for a result code, for a part of an answer.
void sc_api_problem_print(sc_str *out, int ret, const sc_err *err);

// Rows that several endpoints share.
#define SC_ROW_ID                                                                              \
    {                                                                                          \
        .name = "id", .in = SC_IN_PATH, .type = SC_PARAM_STRING, .max = 255, .required = true, \
        .help = "the video, [A-Za-z0-9_-]{1,64}"                                               \
    }
// Of lists that are paged.
#define SC_ROW_LIMIT(most)                                                                     \
    {                                                                                          \
        .name = "limit", .in = SC_IN_QUERY, .type = SC_PARAM_INT, .min = 1, .max = (most),     \
        .value = "100", .help = "at most so many"                                              \
    }
#define SC_ROW_CURSOR                                                                          \
    {                                                                                          \
        .name = "cursor", .in = SC_IN_QUERY, .type = SC_PARAM_STRING, .max = 64, .value = "",  \
        .help = "`next` of the page before"                                                    \
    }
#define SC_ROW_W                                                                               \
    {                                                                                          \
        .name = "w", .type = SC_PARAM_INT, .min = 1, .max = SC_PICTURE_MAX_SIDE,               \
        .help = "width; without h the height follows the aspect"                               \
    }
#define SC_ROW_H                                                                               \
    {                                                                                          \
        .name = "h", .type = SC_PARAM_INT, .min = 1, .max = SC_PICTURE_MAX_SIDE,               \
        .help = "height; without w the width follows the aspect"                               \
    }
#define SC_ROW_FIT                                                                             \
    {                                                                                          \
        .name = "fit", .type = SC_PARAM_CHOICE, .choices = "contain|cover|fill",               \
        .value = "contain", .help = "how the picture is put into w x h"                        \
    }
#define SC_ROW_FORMAT                                                                          \
    {                                                                                          \
        .name = "format", .type = SC_PARAM_CHOICE, .choices = "jpeg|png|webp|npy",             \
        .value = "jpeg", .help = "npy: an uint8 array (height, width, 3), RGB"                 \
    }
#define SC_ROW_QUALITY                                                                         \
    {                                                                                          \
        .name = "quality", .type = SC_PARAM_INT, .min = 1, .max = 100, .value = "85",          \
        .help = "of JPEG and WebP"                                                             \
    }
