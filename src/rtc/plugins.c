#include "rtc/plugins.h"

#include <gst/gst.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct plugin {
    const char *name;    // of the file: libgstNAME.so
    const char *element; // that it must have
    const char *package; // Debian's
};
static const struct plugin plugins[] = {
    {"coreelements", "queue", "libgstreamer1.0-0"},
    {"app", "appsrc", "gstreamer1.0-plugins-base"},
    {"rtp", "rtph264depay", "gstreamer1.0-plugins-good"},
    {"rtpmanager", "rtpbin", "gstreamer1.0-plugins-good"},
    {"videoparsersbad", "h264parse", "gstreamer1.0-plugins-bad"},
    {"dtls", "dtlssrtpenc", "gstreamer1.0-plugins-bad"},
    {"srtp", "srtpenc", "gstreamer1.0-plugins-bad"},
    {"sctp", "sctpenc", "gstreamer1.0-plugins-bad"},
    {"nice", "nicesrc", "gstreamer1.0-nice"},
    {"webrtc", "webrtcbin", "gstreamer1.0-plugins-bad"},
};

static const char *const own_ways[] = {
    "GST_REGISTRY",           "GST_REGISTRY_1_0",
    "GST_PLUGIN_SYSTEM_PATH", "GST_PLUGIN_SYSTEM_PATH_1_0",
    "GST_PLUGIN_PATH",        "GST_PLUGIN_PATH_1_0",
    "GST_REGISTRY_DISABLE",
};

// Before main(), because the environment cannot be changed once there are threads, and gst_init() has no
// other way to be told.
__attribute__((constructor)) static void keep_gstreamer_from_scanning(void)
{
    for (size_t i = 0; i < SC_COUNT(own_ways); i++)
        if (getenv(own_ways[i]))
            return;
    setenv("GST_REGISTRY_DISABLE", "yes", 0);
    setenv("GST_PLUGIN_SYSTEM_PATH_1_0", "", 0);
}

static bool has(const char *element)
{
    GstElementFactory *factory = gst_element_factory_find(element);
    if (factory)
        gst_object_unref(factory);
    return factory;
}

static int load(const struct plugin *plugin, sc_err *err)
{
    if (has(plugin->element))
        return SC_OK;
    GError *error = NULL;
    char *path = g_strdup_printf(SC_GST_PLUGINS "/libgst%s.so", plugin->name);
    GstPlugin *loaded = gst_plugin_load_file(path, &error);
    int ret = SC_OK;
    if (!loaded || !has(plugin->element))
        ret = sc_fail(
            err, SC_EUNSUPPORTED,
            "WebRTC needs GStreamer's plugin %s (element %s): install the package %s (%s)",
            plugin->name, plugin->element, plugin->package,
            error ? error->message : "the plugin lacks the element");
    if (loaded)
        gst_object_unref(loaded);
    g_clear_error(&error);
    g_free(path);
    return ret;
}

int sc_rtc_plugins_load(sc_err *err)
{
    GError *error = NULL;
    int ret = SC_OK;
    if (!gst_init_check(NULL, NULL, &error))
        ret = sc_fail(err, SC_EUNSUPPORTED, "GStreamer cannot be initialised: %s",
                      error ? error->message : "no reason given");
    g_clear_error(&error);
    for (size_t i = 0; i < SC_COUNT(plugins) && ret == SC_OK; i++)
        ret = load(&plugins[i], err);
    return ret;
}

// --- what it says -------------------------------------------------------------------------------

static void write_log(GstDebugCategory *category, GstDebugLevel level, const gchar *file,
                      const gchar *function, gint line, GObject *object,
                      GstDebugMessage *message, gpointer arg)
{
    (void)file, (void)line, (void)object;
    const char *part = gst_debug_category_get_name(category);
    // Messages that are not sent again, as they are meant to be, are errors to it.
    bool harmless = level > GST_LEVEL_ERROR || !strcmp(part, "sctpassociation");
    SC_LOG((sc_log *)arg, harmless ? SC_LOG_DEBUG : SC_LOG_WARN, "gstreamer",
           SC_S("part", part), SC_S("in", function),
           SC_S("says", gst_debug_message_get(message)));
}

static void write_glib_log(const gchar *domain, GLogLevelFlags level, const gchar *message,
                           gpointer arg)
{
    bool grave = level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
    SC_LOG((sc_log *)arg, grave ? SC_LOG_WARN : SC_LOG_DEBUG, "gstreamer",
           SC_S("part", domain ? domain : "glib"), SC_S("says", message));
}

void sc_rtc_plugins_log(sc_log *log)
{
    gst_debug_remove_log_function(gst_debug_log_default);
    gst_debug_set_active(TRUE);
    gst_debug_set_default_threshold(sc_log_enabled(log, SC_LOG_DEBUG) ? GST_LEVEL_WARNING
                                                                      : GST_LEVEL_ERROR);
    gst_debug_add_log_function(write_log, log, NULL);
    g_log_set_default_handler(write_glib_log, log);
}

void sc_rtc_plugins_unlog(sc_log *log)
{
    gst_debug_remove_log_function_by_data(log);
    g_log_set_default_handler(g_log_default_handler, NULL);
}
