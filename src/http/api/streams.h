// What the endpoints of live streams share: how a stream and its figures read as JSON.
#pragma once

#include "app/streams.h"
#include "http/request.h"

// The stream that the request names. False: a problem was replied. To be released.
bool sc_api_streams_get(sc_request *req, bool figures, struct sc_streams_status *status);
// The resource, and its figures.
json_t *sc_api_stream_json(sc_app *app, const struct sc_streams_status *status);
json_t *sc_api_stream_stats_json(sc_app *app, const struct sc_streams_status *status);

// The body of the request; NULL: a problem was replied.
json_t *sc_api_json_body(sc_request *req);
// Replies why a stream could not be made, or the stream that was.
void sc_api_stream_fail(sc_request *req, int ret, const sc_err *err);
void sc_api_stream_reply(sc_request *req, int status, const char *id);

#define SC_ROW_STREAM_ID                                                                       \
    {                                                                                          \
        .name = "id", .in = SC_IN_PATH, .type = SC_PARAM_STRING, .max = 255, .required = true, \
        .help = "the stream, [A-Za-z0-9_-]{1,64}"                                              \
    }

// Fields that are given and told alike, with what the page's form says of them: it has this order.
// clang-format off
#define SC_STREAM_FIELD(name, type, help) "\"" name "\":{" type ",\"description\":\"" help "\"}"
#define SC_STREAM_TEXT "\"type\":\"string\""
#define SC_STREAM_FLAG(value) "\"type\":\"boolean\",\"default\":" value
#define SC_STREAM_CAMERA "\"type\":[\"object\",\"boolean\"],\"properties\":{" \
    SC_STREAM_FIELD("follow", "\"type\":\"string\"", \
        "action, classes joined by +, or track:7") "," \
    SC_STREAM_FIELD("aspect", "\"type\":[\"string\",\"number\"]", \
        "such as 16:9 or 9:16") "," \
    SC_STREAM_FIELD("zoom", "\"type\":\"number\",\"minimum\":1", \
        "how much closer it goes, such as 2") "," \
    SC_STREAM_FIELD("ahead", "\"type\":[\"string\",\"number\"]", \
        "how far it looks ahead, such as 500ms") "}"
#define SC_STREAM_FIELDS \
    SC_STREAM_FIELD("id", SC_STREAM_TEXT ",\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"", \
        "its name in addresses: letters, digits, _ and -; made up if not given") "," \
    SC_STREAM_FIELD("input", SC_STREAM_TEXT ",\"maxLength\":2048", \
        "where the picture comes from: rtsp://camera/stream, rtmp, srt, udp, http, video:ID, whip: (somebody publishes to it), or testsrc:size=1280x720,rate=25") "," \
    SC_STREAM_FIELD("model", SC_STREAM_TEXT, \
        "the detector that looks at it") "," \
    SC_STREAM_FIELD("threshold", "\"type\":\"number\",\"minimum\":0,\"maximum\":1", \
        "least score of what is found; the model's own if not given") "," \
    SC_STREAM_FIELD("track", SC_STREAM_FLAG("false"), \
        "follows objects from picture to picture and numbers them; needs a model") "," \
    SC_STREAM_FIELD("overlay", SC_STREAM_FLAG("false"), \
        "draws boxes into the picture; needs a model") "," \
    SC_STREAM_FIELD("clock", SC_STREAM_FLAG("false"), \
        "draws the time of capture and the picture's number into its top rows, to measure delays") "," \
    SC_STREAM_FIELD("outputs", "\"type\":\"array\",\"maxItems\":8,\"items\":{\"type\":\"string\"}", \
        "addresses that it is sent to: rtmp, rtmps, srt, rtsp, udp, or files where the server allows them") "," \
    SC_STREAM_FIELD("camera", SC_STREAM_CAMERA, \
        "a virtual camera that follows the action; needs a model") "," \
    SC_STREAM_FIELD("tracker", "\"enum\":[\"bytetrack\",\"ocsort\",\"sort\"],\"default\":\"bytetrack\"", \
        "how objects are followed; needs track") "," \
    SC_STREAM_FIELD("width", "\"type\":\"integer\",\"minimum\":0,\"maximum\":16384,\"default\":0", \
        "of the picture sent, in pixels; 0 = the source's") "," \
    SC_STREAM_FIELD("height", "\"type\":\"integer\",\"minimum\":0,\"maximum\":16384,\"default\":0", \
        "of the picture sent, in pixels; 0 = the source's") "," \
    SC_STREAM_FIELD("fps", "\"type\":\"number\",\"minimum\":0,\"maximum\":240,\"default\":0", \
        "most pictures a second; 0 = the source's") "," \
    SC_STREAM_FIELD("codec", SC_STREAM_TEXT, \
        "encoder of the outputs, such as libx264") "," \
    SC_STREAM_FIELD("preset", SC_STREAM_TEXT, \
        "of the encoder, such as veryfast") "," \
    SC_STREAM_FIELD("bitrate", "\"type\":\"integer\",\"minimum\":0,\"maximum\":1000000000,\"default\":0", \
        "of the picture sent, bits a second; 0 = by its size") "," \
    SC_STREAM_FIELD("quality", "\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":85", \
        "of MJPEG pictures, 1 to 100") "," \
    SC_STREAM_FIELD("sound", SC_STREAM_FLAG("true"), \
        "passes the source's sound on") "," \
    SC_STREAM_FIELD("realtime", SC_STREAM_FLAG("false"), \
        "plays a file at its own speed") "," \
    SC_STREAM_FIELD("loop", SC_STREAM_FLAG("false"), \
        "plays a file again from its start") "," \
    SC_STREAM_FIELD("delay", "\"type\":[\"number\",\"string\"],\"default\":\"200ms\"", \
        "longest wait of a picture for its detections: seconds, or text such as 200ms") "," \
    SC_STREAM_FIELD("transport", "\"enum\":[\"tcp\",\"udp\"],\"default\":\"tcp\"", \
        "of RTSP") "," \
    SC_STREAM_FIELD("restart", "\"enum\":[\"on-failure\",\"always\",\"never\"],\"default\":\"on-failure\"", \
        "when it is started again after it ended") "," \
    SC_STREAM_FIELD("max_restarts", "\"type\":\"integer\",\"minimum\":0,\"maximum\":1000,\"default\":10", \
        "within an hour; then it has failed for good")
// clang-format on

#define SC_STREAM_STATES                                                                       \
    "{\"enum\":[\"starting\",\"running\",\"reconnecting\",\"waiting\",\"stopping\","           \
    "\"ended\",\"failed\"]}"

#define SC_STREAM_SCHEMA                                                                       \
    "{\"type\":\"object\",\"required\":[\"id\",\"state\",\"input\"],\"properties\":{"          \
    "\"state\":" SC_STREAM_STATES ",\"reason\":{\"type\":[\"string\",\"null\"]},"              \
    "\"created\":{\"type\":\"string\",\"format\":\"date-time\"},"                              \
    "\"restarts\":{\"type\":\"integer\"},\"retry_in\":{\"type\":[\"number\",\"null\"]},"       \
    "\"mjpeg_url\":{\"type\":\"string\"},\"wide_url\":{\"type\":\"string\"},\"hls_url\":{"     \
    "\"type\":\"string\"},\"stats_url\":{"                                                     \
    "\"type\":\"string\"},"                                                                    \
    "\"whep_url\":{\"type\":\"string\"}"                                                       \
    "," SC_STREAM_FIELDS "}}"
