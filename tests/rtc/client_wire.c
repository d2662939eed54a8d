#include "client_wire.h"

#include <gst/rtp/gstrtcpbuffer.h>
#include <gst/rtp/gstrtpbuffer.h>
#include <pthread.h>
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"

enum { MOST_PACKETS = 20000, MOST_REPORTS = 100, TWCC_ID = 3, PLAYOUT_ID = 5 };
#define FROM_1900 INT64_C(2208988800) // to 1970, seconds

struct client_wire {
    pthread_mutex_t lock;
    // Under lock.
    struct client_packet packets[MOST_PACKETS];
    int packet_count;
    struct client_report reports[MOST_REPORTS];
    int report_count;
    int every, until, dropped; // of what is lost
};

static void read_extension(GstRTPBuffer *rtp, int id, uint8_t *to, guint size, bool *has)
{
    gpointer data;
    guint found;
    *has = gst_rtp_buffer_get_extension_onebyte_header(rtp, (guint8)id, 0, &data, &found) &&
           found == size;
    if (*has)
        memcpy(to, data, size);
}

static guint hash(const uint8_t *data, size_t size)
{
    guint hash = 5381;
    for (size_t i = 0; i < size; i++)
        hash = hash * 33 + data[i];
    return hash;
}

bool client_packet_read(struct client_packet *packet, GstBuffer *buffer)
{
    GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
    *packet = (struct client_packet){.at_ns = sc_clock_now()};
    if (!gst_rtp_buffer_map(buffer, GST_MAP_READ, &rtp))
        return false;
    packet->timestamp = gst_rtp_buffer_get_timestamp(&rtp);
    packet->ssrc = gst_rtp_buffer_get_ssrc(&rtp);
    packet->seq = gst_rtp_buffer_get_seq(&rtp);
    packet->marker = gst_rtp_buffer_get_marker(&rtp);
    packet->payload = gst_rtp_buffer_get_payload_len(&rtp);
    packet->size = gst_buffer_get_size(buffer);
    const uint8_t *payload = gst_rtp_buffer_get_payload(&rtp);
    packet->hash = hash(payload, packet->payload);
    if (packet->payload > 2) {
        packet->missed = (uint16_t)(payload[0] << 8 | payload[1]);
        packet->inner_hash = hash(payload + 2, packet->payload - 2);
    }
    read_extension(&rtp, TWCC_ID, packet->twcc, 2, &packet->has_twcc);
    read_extension(&rtp, PLAYOUT_ID, packet->playout, 3, &packet->has_playout);
    gst_rtp_buffer_unmap(&rtp);
    return true;
}

static GstPadProbeReturn take_packet(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad;
    struct client_wire *wire = arg;
    struct client_packet packet;
    if (!client_packet_read(&packet, GST_PAD_PROBE_INFO_BUFFER(info)))
        return GST_PAD_PROBE_OK;
    pthread_mutex_lock(&wire->lock);
    packet.dropped = wire->every && --wire->until == 0;
    if (packet.dropped) {
        wire->until = wire->every;
        wire->dropped++;
    }
    if (wire->packet_count < MOST_PACKETS)
        wire->packets[wire->packet_count++] = packet;
    pthread_mutex_unlock(&wire->lock);
    return packet.dropped ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static void read_cname(GstRTCPPacket *packet, char *cname, size_t size)
{
    GstRTCPSDESType type;
    guint8 length, *data;
    if (gst_rtcp_packet_sdes_first_item(packet) && gst_rtcp_packet_sdes_first_entry(packet) &&
        gst_rtcp_packet_sdes_get_entry(packet, &type, &length, &data) &&
        type == GST_RTCP_SDES_CNAME && length < size)
        memcpy(cname, data, length);
}

// A sender report and its description, in one packet.
static bool read_report(struct client_report *report, GstBuffer *buffer)
{
    GstRTCPBuffer rtcp = GST_RTCP_BUFFER_INIT;
    GstRTCPPacket packet;
    guint64 ntp;
    *report = (struct client_report){.at_ns = sc_clock_wall()};
    if (!gst_rtcp_buffer_map(buffer, GST_MAP_READ, &rtcp))
        return false;
    bool more = gst_rtcp_buffer_get_first_packet(&rtcp, &packet);
    bool is = more && gst_rtcp_packet_get_type(&packet) == GST_RTCP_TYPE_SR;
    if (is) {
        gst_rtcp_packet_sr_get_sender_info(&packet, &report->ssrc, &ntp, &report->timestamp,
                                           &report->packets, &report->bytes);
        report->ntp_ns = ((int64_t)(ntp >> 32) - FROM_1900) * SC_NS_PER_S +
                         (int64_t)((ntp & UINT32_MAX) * (uint64_t)SC_NS_PER_S >> 32);
    }
    if (is && gst_rtcp_packet_move_to_next(&packet) &&
        gst_rtcp_packet_get_type(&packet) == GST_RTCP_TYPE_SDES)
        read_cname(&packet, report->cname, sizeof(report->cname));
    gst_rtcp_buffer_unmap(&rtcp);
    return is;
}

static GstPadProbeReturn take_report(GstPad *pad, GstPadProbeInfo *info, gpointer arg)
{
    (void)pad;
    struct client_wire *wire = arg;
    struct client_report report;
    if (!read_report(&report, GST_PAD_PROBE_INFO_BUFFER(info)))
        return GST_PAD_PROBE_OK;
    pthread_mutex_lock(&wire->lock);
    report.wire = wire->packet_count;
    if (wire->report_count < MOST_REPORTS)
        wire->reports[wire->report_count++] = report;
    pthread_mutex_unlock(&wire->lock);
    return GST_PAD_PROBE_OK;
}

static void take_pad(GstElement *rtpbin, GstPad *pad, gpointer arg)
{
    (void)rtpbin;
    if (g_str_has_prefix(GST_PAD_NAME(pad), "recv_rtp_sink_"))
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, take_packet, arg, NULL);
    else if (g_str_has_prefix(GST_PAD_NAME(pad), "recv_rtcp_sink_"))
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, take_report, arg, NULL);
}

struct client_wire *client_wire_open(GstElement *webrtc)
{
    struct client_wire *wire = sc_new(struct client_wire);
    pthread_mutex_init(&wire->lock, NULL);
    GstElement *rtpbin = gst_bin_get_by_name(GST_BIN(webrtc), "rtpbin");
    assert_non_null(rtpbin);
    g_signal_connect(rtpbin, "pad-added", G_CALLBACK(take_pad), wire);
    gst_object_unref(rtpbin);
    return wire;
}

void client_wire_close(struct client_wire **pwire)
{
    struct client_wire *wire = *pwire;
    if (!wire)
        return;
    *pwire = NULL;
    pthread_mutex_destroy(&wire->lock);
    free(wire);
}

int client_wire_packets(struct client_wire *wire, struct client_packet *packets, int most)
{
    pthread_mutex_lock(&wire->lock);
    int count = wire->packet_count < most ? wire->packet_count : most;
    memcpy(packets, wire->packets, (size_t)count * sizeof(*packets));
    pthread_mutex_unlock(&wire->lock);
    return count;
}

int client_wire_reports(struct client_wire *wire, struct client_report *reports, int most)
{
    pthread_mutex_lock(&wire->lock);
    int count = wire->report_count < most ? wire->report_count : most;
    memcpy(reports, wire->reports, (size_t)count * sizeof(*reports));
    pthread_mutex_unlock(&wire->lock);
    return count;
}

int client_wire_drop(struct client_wire *wire, int every)
{
    pthread_mutex_lock(&wire->lock);
    int dropped = wire->dropped;
    wire->every = wire->until = every;
    pthread_mutex_unlock(&wire->lock);
    return dropped;
}
