// What the tests of peers share: pictures to send, and a peer that is connected to a client (client.h).
#pragma once

#include <pthread.h>

#include "../base/test.h"
#include "client.h"
#include "rtc/peer.h"

enum { PICTURES = 24, STEP = 3003, MOST = 4000 };
#define START 4294850000u // wraps within a second or two

struct fixture {
    sc_rtc *rtc;
    sc_log *log;
    char why[sizeof((sc_err){0}.text)]; // not empty: nothing can be tested here
    sc_packet *pictures[PICTURES];      // H.264
    sc_packet *vp8[PICTURES];
};

// A group of tests, each of which gets the fixture as state. Returns what main() does.
#define run_with_links(tests) cmocka_run_group_tests(tests, open_all, close_all)
int open_all(void **state);
int close_all(void **state);
// The fixture, or the test is skipped.
struct fixture *begin(void **state);

struct link {
    struct client *client;
    sc_rtc_peer *peer;
    char *answer;
    char ufrag[300];         // of the offer
    sc_packet *const *shown; // the fixture's pictures of the link's codec
    pthread_mutex_t lock;
    uint32_t timestamp; // of the next picture
    enum sc_rtc_state state;
    int states; // told
    char reason[200];
    int keys_wanted, messages, feedbacks;
    int channels, greetings; // opened; texts that were taken at that moment
    char message[200];
    int arrival_count;
    struct sc_rtc_arrival arrivals[MOST];
    int packet_count;
    sc_packet *packets[MOST];
    int sounds;
};

struct link_params {
    struct client_params client;
    struct sc_rtc_peer_params peer;
    enum sc_rtc_codec video; // SC_RTC_NONE = H.264
    bool wrong_fingerprint, no_answer;
};

void open_link(struct fixture *f, struct link *link, const struct link_params *params);
void close_link(struct link *link);

// Of a link, under its lock.
int read_int(struct link *link, const int *value);
// Waits until the number is reached, ten seconds at most.
bool wait_for(struct link *link, const int *value, int wanted);
bool wait_for_state(struct link *link, enum sc_rtc_state state);
bool wait_for_client(struct client *client, int (*count)(struct client *), int wanted);
int count_units(struct client *client);

// Of "a=NAME:" in an offer, answer or fragment.
void read_value(const char *text, const char *name, char *value, size_t size);

// Pictures from the first on, the one after the other: timestamps from link->timestamp in steps of STEP.
void send_pictures(struct link *link, int count, int64_t every_ns);
// What comes first may be lost: the other side's DTLS can be a moment later than ours. So the same keyframe is sent
// until it is seen. How many units that were.
int lead_in(struct link *link);
// The unit is that picture.
void check_unit(const struct client_unit *unit, const sc_packet *picture);
