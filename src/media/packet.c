#include "media/packet.h"

#include <libavutil/avutil.h>
#include <libavutil/mathematics.h>

#include "base/clock.h"
#include "base/mem.h"

static int64_t to_ns(const AVPacket *av, int64_t ticks)
{
    const AVRational ns = {1, (int)SC_NS_PER_S};
    return av->time_base.num ? av_rescale_q(ticks, av->time_base, ns) : ticks;
}

sc_packet *sc_packet_wrap(AVPacket *av, enum sc_media media)
{
    sc_packet *packet = sc_try_calloc(1, sizeof(*packet));
    if (!packet)
        return NULL;
    int64_t pts = av->pts, dts = av->dts;
    if (pts == AV_NOPTS_VALUE)
        pts = dts != AV_NOPTS_VALUE ? dts : 0;
    if (dts == AV_NOPTS_VALUE)
        dts = pts;
    sc_ref_init(&packet->ref);
    packet->av = av;
    packet->media = media;
    packet->pts_ns = to_ns(av, pts);
    packet->dts_ns = to_ns(av, dts);
    packet->duration_ns = to_ns(av, av->duration);
    packet->key = media == SC_MEDIA_SOUND || av->flags & AV_PKT_FLAG_KEY;
    packet->bytes = sizeof(*packet) + sizeof(*av) + (size_t)av->size;
    return packet;
}

sc_packet *sc_packet_ref(sc_packet *packet)
{
    sc_ref_inc(&packet->ref);
    return packet;
}

void sc_packet_unref(sc_packet **ppacket)
{
    sc_packet *packet = ppacket ? *ppacket : NULL;
    if (!packet)
        return;
    *ppacket = NULL;
    if (sc_ref_dec(&packet->ref)) {
        av_packet_free(&packet->av);
        free(packet);
    }
}

int sc_packet_clone(AVPacket *out, const sc_packet *packet)
{
    return av_packet_ref(out, packet->av) < 0 ? SC_ENOMEM : SC_OK;
}
