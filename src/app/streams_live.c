// What really runs a stream.
#include "app/streams.h"

const struct sc_live_ops sc_live_real = {
    .camera_parse = sc_live_camera_parse,
    .open = sc_live_open,
    .stop = sc_live_stop,
    .wait = sc_live_wait,
    .close = sc_live_close,
    .get_status = sc_live_get_status,
    .get_graph_stats = sc_live_get_graph_stats,
    .view = sc_live_view,
    .unview = sc_live_unview,
    .tap = sc_live_tap_open,
    .untap = sc_live_tap_close,
    .want_key = sc_live_want_key,
    .set_bitrate = sc_live_set_bitrate,
    .get_rung = sc_live_rung_get,
};
