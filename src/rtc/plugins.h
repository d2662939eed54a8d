// GStreamer in this process: loaded once, only what is needed, silent.
//
// GStreamer's usual start reads a registry in the user's home, and where that is missing or old runs every plugin
// of the machine in a child process, for seconds. The few plugins that are needed are opened by name
// instead: some 60 ms, no child, no file written, no home needed. Who sets GST_REGISTRY, GST_PLUGIN_PATH or
// GST_PLUGIN_SYSTEM_PATH (with or without _1_0) gets GStreamer's own way.
//
// Thread-safety: Safe.
#pragma once

#include "base/error.h"
#include "base/log.h"

// SC_EUNSUPPORTED: err says which package to install.
int sc_rtc_plugins_load(sc_err *err);

// What GStreamer complains of goes to log: its errors as warnings, its warnings for the developer.
// GLib's own complaints too, for as long as the last log that was given.
void sc_rtc_plugins_log(sc_log *log);
void sc_rtc_plugins_unlog(sc_log *log);
