// What comes to a client as it comes, decrypted but before anything is sorted or repaired; and losses at will.
#pragma once

#include <gst/gst.h>
#include <stdbool.h>
#include <stdint.h>

// One RTP packet.
struct client_packet {
    uint32_t timestamp, ssrc;
    uint16_t seq;
    bool marker;
    int64_t at_ns;
    size_t size, payload; // with its header, without
    uint8_t twcc[2], playout[3];
    bool has_twcc, has_playout;
    bool dropped;           // on purpose
    uint16_t missed;        // where it is a repetition: of which number
    guint hash, inner_hash; // of the payload, and of what a repetition has for one
};

// One sender report.
struct client_report {
    uint32_t ssrc, timestamp, packets, bytes;
    int64_t ntp_ns, at_ns; // as it says, when it came: wall clock
    char cname[64];
    int wire; // packets that had come
};

struct client_wire;
// Before anything is negotiated.
struct client_wire *client_wire_open(GstElement *webrtc);
void client_wire_close(struct client_wire **pwire); // after webrtc

// Copies of what has come so far; count is returned.
int client_wire_packets(struct client_wire *wire, struct client_packet *packets, int most);
int client_wire_reports(struct client_wire *wire, struct client_report *reports, int most);
// From now on every n-th packet is lost; 0 = none. Returns how many were until now.
int client_wire_drop(struct client_wire *wire, int every);

// False: it is no RTP packet.
bool client_packet_read(struct client_packet *packet, GstBuffer *buffer);
