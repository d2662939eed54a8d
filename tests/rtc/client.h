// The other side of a peer, for tests: a webrtcbin that offers, in the same process.
#pragma once

#include <gst/gst.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client_wire.h"

// One access unit as the depayloader gives it (Annex B).
struct client_unit {
    uint32_t timestamp;
    uint8_t *data;
    size_t size;
};

struct client_params {
    bool publish;     // sends video (and sound), instead of taking it
    const char *name; // "H264", "VP8"; NULL = "H264"
    bool sound, channel;
    bool no_twcc, nack;
    bool number_sound; // it is numbered transport-wide, too
};

struct client;
struct client *client_open(const struct client_params *params);
void client_close(struct client **pclient); // NULL and &NULL allowed

char *client_offer(struct client *client); // with all candidates; g_free()
bool client_answer(struct client *client, const char *answer);
// The client's half of an ICE restart, by libnice as webrtcbin has none. Makes its new credentials and tells them as a
// fragment, with its candidates.
void client_restart(struct client *client, char *fragment, size_t size);
// Takes the other side's fragment.
void client_take_fragment(struct client *client, const char *fragment);
// Ways that were chosen so far.
int client_pairs(struct client *client);

// Answer's candidates are in it; this adds one more.
bool client_connected(struct client *client);

struct client_wire *client_wire(struct client *client); // borrowed

// Copies of what has come so far, sorted and repaired; count is returned. The arrays are the caller's (units' data are not).
int client_packets(struct client *client, struct client_packet *packets, int most);
int client_units(struct client *client, struct client_unit *units, int most);
int client_messages(struct client *client);
// The last message.
void client_message(struct client *client, char *text, size_t size);

void client_want_key(struct client *client); // PLI
bool client_send_text(struct client *client, const char *text);
// A publisher's next picture (Annex B or VP8 frame), or Opus packet.
void client_push(struct client *client, bool sound, const void *data, size_t size,
                 int64_t pts_ns);
// From now on nothing is sent, RTCP neither.
void client_mute(struct client *client);
