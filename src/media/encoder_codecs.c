// The encoders that the product knows by name, and what makes each of them give a packet for each
// picture at once.
#include <string.h>

#include "base/mem.h"
#include "media/encoder_internal.h"

static const struct sc_encoder_codec codecs[] = {
    {
        .name = "libx264",
        .alias = "h264",
        .preset = "veryfast",
        .sets_bitrate = true,
        .always = {"forced-idr", "1"},
        // Every preset smooths block edges but ultrafast, where it costs a tenth and shows most.
        .live = {"tune", "zerolatency", "deblock", "0:0"},
    },
    {
        .name = "libx265",
        .alias = "hevc",
        .preset = "veryfast",
        .always = {"forced-idr", "1", "x265-params", "log-level=error"},
        .live = {"tune", "zerolatency"},
    },
    {
        .name = "libvpx",
        .alias = "vp8",
        .preset_option = "cpu-used",
        .even = true,
        .live = {"deadline", "realtime", "cpu-used", "8", "lag-in-frames", "0",
                 // A lost picture spoils less; keyframes of no more than four pictures' bits.
                 "error-resilient", "default", "max-intra-rate", "400"},
    },
    {
        .name = "libvpx-vp9",
        .alias = "vp9",
        .preset_option = "cpu-used",
        .live = {"deadline", "realtime", "cpu-used", "8", "lag-in-frames", "0", "row-mt", "1"},
    },
    {
        .name = "libaom-av1", // SVT-AV1 holds pictures back even with low delay
        .alias = "av1",
        .live = {"usage", "realtime", "cpu-used", "8", "lag-in-frames", "0", "row-mt", "1"},
    },
    {
        .name = "h264_nvenc",
        .sets_bitrate = true,
        .always = {"forced-idr", "1"},
        .live = {"preset", "p3", "tune", "ull", "zerolatency", "1", "delay", "0"},
    },
    {
        .name = "hevc_nvenc",
        .sets_bitrate = true,
        .always = {"forced-idr", "1"},
        .live = {"preset", "p3", "tune", "ull", "zerolatency", "1", "delay", "0"},
    },
};

const struct sc_encoder_codec *sc_encoder_codec_find(const char *name)
{
    for (size_t i = 0; i < SC_COUNT(codecs); i++) {
        const struct sc_encoder_codec *row = &codecs[i];
        if (!strcmp(row->name, name) || (row->alias && !strcmp(row->alias, name)))
            return row;
    }
    return NULL;
}

int sc_encoder_find(const AVCodec **pcodec, const char *name, sc_err *err)
{
    const struct sc_encoder_codec *row = sc_encoder_codec_find(name);
    *pcodec = avcodec_find_encoder_by_name(row ? row->name : name);
    if (*pcodec && (*pcodec)->type == AVMEDIA_TYPE_VIDEO)
        return SC_OK;
    return sc_fail_field(err, SC_EUNSUPPORTED, "codec",
                         "this FFmpeg has no video encoder called %s; `ffmpeg -encoders` lists "
                         "those it has",
                         row ? row->name : name);
}
