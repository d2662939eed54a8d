// What the endpoints of live streams share: how a stream and its figures read as JSON.
#pragma once

#include "app/streams.h"
#include "http/request.h"

// The stream that the request names. False: a problem was replied. To be released.
bool sc_api_streams_get(sc_request *req, bool figures, struct sc_streams_status *status);
// The resource, and its figures.
json_t *sc_api_stream_json(const struct sc_streams_status *status);
json_t *sc_api_stream_stats_json(const struct sc_streams_status *status);

#define SC_ROW_STREAM_ID                                                                       \
    {                                                                                          \
        .name = "id", .in = SC_IN_PATH, .type = SC_PARAM_STRING, .max = 255, .required = true, \
        .help = "the stream, [A-Za-z0-9_-]{1,64}"                                              \
    }

// Fields that are given and told alike.
#define SC_STREAM_FIELDS                                                                       \
    "\"id\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"},"                      \
    "\"input\":{\"type\":\"string\",\"maxLength\":2048},"                                      \
    "\"outputs\":{\"type\":\"array\",\"maxItems\":8,\"items\":{\"type\":\"string\"}},"         \
    "\"model\":{\"type\":\"string\"},"                                                         \
    "\"threshold\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1},"                         \
    "\"track\":{\"type\":\"boolean\"},"                                                        \
    "\"tracker\":{\"enum\":[\"bytetrack\",\"ocsort\",\"sort\"]},"                              \
    "\"camera\":{\"type\":[\"object\",\"boolean\"],\"properties\":{"                           \
    "\"follow\":{\"type\":\"string\"},\"aspect\":{\"type\":[\"string\",\"number\"]},"          \
    "\"zoom\":{\"type\":\"number\"},\"ahead\":{\"type\":[\"string\",\"number\"]}}},"           \
    "\"overlay\":{\"type\":\"boolean\"},\"clock\":{\"type\":\"boolean\"},"                       \
    "\"width\":{\"type\":\"integer\"},\"height\":{\"type\":\"integer\"},"                      \
    "\"fps\":{\"type\":\"number\",\"minimum\":0,\"maximum\":240},"                             \
    "\"codec\":{\"type\":\"string\"},\"preset\":{\"type\":\"string\"},"                        \
    "\"bitrate\":{\"type\":\"integer\"},"                                                      \
    "\"quality\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100},"                        \
    "\"sound\":{\"type\":\"boolean\"},\"realtime\":{\"type\":\"boolean\"},"                    \
    "\"delay\":{\"type\":[\"number\",\"string\"]},\"loop\":{\"type\":\"boolean\"},"            \
    "\"transport\":{\"enum\":[\"tcp\",\"udp\"]},"                                              \
    "\"restart\":{\"enum\":[\"on-failure\",\"always\",\"never\"]},"                            \
    "\"max_restarts\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000}"

#define SC_STREAM_STATES                                                                       \
    "{\"enum\":[\"starting\",\"running\",\"reconnecting\",\"waiting\",\"stopping\","           \
    "\"ended\",\"failed\"]}"

#define SC_STREAM_SCHEMA                                                                       \
    "{\"type\":\"object\",\"required\":[\"id\",\"state\",\"input\"],\"properties\":{"          \
    "\"state\":" SC_STREAM_STATES ",\"reason\":{\"type\":[\"string\",\"null\"]},"              \
    "\"created\":{\"type\":\"string\",\"format\":\"date-time\"},"                              \
    "\"restarts\":{\"type\":\"integer\"},\"retry_in\":{\"type\":[\"number\",\"null\"]},"       \
    "\"mjpeg_url\":{\"type\":\"string\"},\"stats_url\":{\"type\":\"string\"}"                  \
    "," SC_STREAM_FIELDS "}}"
