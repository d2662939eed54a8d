#include "link.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "rtc/repeat.h"

#define TICK_NS    (SC_NS_PER_MS / 4)
#define FPS        30
#define PACKET     1150 // bytes of a picture in one
#define HEADER     60
#define PARTS      128
#define FRAMES     256 // remembered
#define PACKETS    8192
#define FLIGHT     4096
#define WAITING    8 // pictures that the peer holds
#define COALESCE   (500 * SC_NS_PER_MS)
#define FEEDBACK   (66 * SC_NS_PER_MS)
#define NACK       (20 * SC_NS_PER_MS)
#define TRIES      10
#define STUCK      (500 * SC_NS_PER_MS)
#define MESSAGES   256
#define ARRIVALS   1024
#define QUEUES     4000 // ms
#define KEY_LEAST  6.0
#define KEY_SPREAD 4.0
#define WRAP_NS    (INT64_C(64) * SC_NS_PER_MS * (1 << 24))

struct frame {
    int64_t n;
    bool key;
    int parts, have;
    bool got[PARTS];
    int64_t asked_ns[PARTS]; // of the last request
    int tries[PARTS];
    int sizes[PARTS];
};

struct packet {
    int64_t seq, frame;
    int part, size;
    int64_t sent_ns, due_ns, arrived_ns; // arrived < 0: not yet
};

struct message {
    int64_t due_ns; // 0 = free
    enum { FEED, AGAIN, KEY } kind;
    int64_t frame;
    int part, count;
    struct sc_rtc_arrival *arrivals;
};

struct sim {
    const struct link_params *params;
    struct link_result *result;
    struct sc_rtc_ladder_params ladder_params;
    sc_rtc_estimate *estimate;
    struct sc_rtc_estimate_info info;
    struct sc_rtc_ladder ladder;
    uint32_t random;
    int64_t now;
    // Encoder.
    int64_t rates[SC_RTC_RUNGS];
    int rung;
    int64_t next_frame_ns, key_ns,
        switch_ns; // switch: when the new rung's keyframe comes; 0 = none
    bool want_key, skipping;
    double debt; // bytes
    int64_t frames;
    struct frame frame[FRAMES];
    // Pacer: parts as frame * PARTS + part. Repeats do not pass through it.
    int64_t send[FLIGHT];
    uint16_t media_seq, media_seqs[FRAMES]; // of RTP; of the first packet of each picture
    struct sc_rtc_repeat repeat;
    int send_head, send_tail;
    double tokens;
    int64_t pace;
    // Link.
    int64_t seq;
    struct packet packet[PACKETS];
    int64_t fifo[FLIGHT];
    int fifo_head, fifo_tail, queued;
    double credit;
    int64_t flying[FLIGHT];
    int flying_count;
    // Viewer.
    int64_t shown, newest; // frame last shown, newest of which something came
    int64_t shown_ns, asked_key_ns, nack_ns, feedback_ns;
    int64_t reported, newest_seq; // seq
    int64_t late_seq;             // arrived after later ones were reported; 0 = none
    struct message message[MESSAGES];
    int64_t control_ns;
    int histogram[QUEUES];
    double freeze_from_s, queue_from_s, wait_ms, most_queue_ms; // wait: of the last packet
    int shown_this_second;
};

double link_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return (*state >> 8) / 16777216.0;
}

static double random01(struct sim *s)
{
    return link_random(&s->random);
}

static double value_at(const struct link_step *steps, double at_s, double without)
{
    double value = steps[0].value != 0 || steps[1].from_s > 0 ? steps[0].value : without;
    for (int i = 1; i < LINK_STEPS && steps[i].from_s > 0; i++)
        if (steps[i].from_s <= at_s)
            value = steps[i].value;
    return value;
}

static double seconds(int64_t ns)
{
    return (double)ns / SC_NS_PER_S;
}

// --- encoder ------------------------------------------------------------------------------------

static double key_period_s(const struct sim *s)
{
    return s->params->key_s > 0 ? s->params->key_s : 2;
}

// Bytes of the next picture: keyframes are six to ten times as large, and the others make up for them.
static int picture_size(struct sim *s, bool key)
{
    double activity = value_at(s->params->activity, seconds(s->now), 1);
    double mean = (double)s->rates[s->rung] * activity / 8 / FPS;
    double size = mean * 0.85 * (KEY_LEAST + KEY_SPREAD * random01(s));
    if (!key) {
        double wanted = mean - s->debt / FPS;
        size = (wanted > 0.3 * mean ? wanted : 0.3 * mean) * (0.8 + 0.4 * random01(s));
    }
    s->debt += size - mean;
    if (s->debt < 0)
        s->debt = 0;
    return size > 100 ? (int)size : 100;
}

static int waiting_frames(const struct sim *s)
{
    if (s->send_head == s->send_tail)
        return 0;
    return (int)(s->frames - s->send[s->send_head % FLIGHT] / PARTS);
}

static void queue_frame(struct sim *s, int size, bool key)
{
    int64_t n = s->frames++;
    struct frame *frame = &s->frame[n % FRAMES];
    *frame = (struct frame){.n = n, .key = key, .parts = (size + PACKET - 1) / PACKET};
    if (frame->parts > PARTS)
        frame->parts = PARTS;
    for (int i = 0; i < frame->parts; i++) {
        frame->sizes[i] = (i < frame->parts - 1 ? PACKET : size - i * PACKET) + HEADER;
        s->send[s->send_tail++ % FLIGHT] = n * PARTS + i;
    }
    s->result->sent++;
}

static bool is_key_due(struct sim *s)
{
    if (s->switch_ns && s->now >= s->switch_ns) {
        s->switch_ns = 0;
        s->result->switches++;
        s->rung = s->ladder.rung;
        s->debt = 0;
        return true;
    }
    return s->frames == 0 || seconds(s->now - s->key_ns) >= key_period_s(s) ||
           (s->want_key && s->now - s->key_ns >= COALESCE);
}

static void encode(struct sim *s)
{
    if (s->now < s->next_frame_ns)
        return;
    s->next_frame_ns += SC_NS_PER_S / FPS;
    bool key = is_key_due(s);
    int size = picture_size(s, key);
    if (key) {
        s->key_ns = s->now;
        s->want_key = false;
    }
    if (s->switch_ns && s->ladder.hold) {
        s->result->dropped++;
        return;
    }
    if (waiting_frames(s) >= WAITING || (s->skipping && !key)) {
        s->skipping = s->want_key = true;
        s->result->dropped++;
        return;
    }
    s->skipping = false;
    queue_frame(s, size, key);
}

// --- pacer and link -----------------------------------------------------------------------------

static int drop_limit(const struct sim *s)
{
    return s->params->queue ? s->params->queue : 64 << 10;
}

static void transmit(struct sim *s, int64_t part)
{
    const struct frame *frame = &s->frame[part / PARTS % FRAMES];
    int64_t seq = ++s->seq;
    struct packet *packet = &s->packet[seq % PACKETS];
    *packet = (struct packet){.seq = seq,
                              .frame = part / PARTS,
                              .part = (int)(part % PARTS),
                              .size = frame->sizes[part % PARTS],
                              .sent_ns = s->now,
                              .arrived_ns = -1};
    if (s->queued + packet->size > drop_limit(s))
        return;
    s->queued += packet->size;
    s->fifo[s->fifo_tail++ % FLIGHT] = seq;
}

static void send_first(struct sim *s, int64_t part)
{
    const struct frame *frame = &s->frame[part / PARTS % FRAMES];
    bool first = part % PARTS == 0;
    if (first)
        s->media_seqs[frame->n % FRAMES] = s->media_seq;
    sc_rtc_repeat_sent(&s->repeat, s->media_seq++, frame->sizes[part % PARTS],
                       first && frame->key, s->now + SC_NS_PER_S);
}

static void send_again(struct sim *s, const struct message *message)
{
    uint16_t seq = (uint16_t)(s->media_seqs[message->frame % FRAMES] + message->part);
    int64_t round_ns = (int64_t)(2 * s->params->delay_ms * SC_NS_PER_MS);
    if (s->frame[message->frame % FRAMES].n == message->frame &&
        sc_rtc_repeat_ask(&s->repeat, seq, s->rates[s->rung], s->info.bitrate, round_ns,
                          s->now + SC_NS_PER_S))
        transmit(s, message->frame * PARTS + message->part);
}

static void pace(struct sim *s)
{
    s->tokens += (double)s->pace / 8 * seconds(TICK_NS);
    if (s->params->no_pace)
        s->tokens = 1e9;
    while (s->tokens > 0 && s->send_head < s->send_tail) {
        send_first(s, s->send[s->send_head % FLIGHT]);
        transmit(s, s->send[s->send_head % FLIGHT]);
        s->tokens -= s->packet[s->seq % PACKETS].size;
        s->send_head++;
    }
    if (s->tokens > 0) // nothing is saved up
        s->tokens = 0;
}

static void note_wait(struct sim *s, const struct packet *packet)
{
    double wait_ms = s->wait_ms = (double)(s->now - packet->sent_ns) / SC_NS_PER_MS;
    if (seconds(s->now) >= s->queue_from_s)
        s->histogram[wait_ms < QUEUES ? (int)wait_ms : QUEUES - 1]++;
    if (wait_ms > s->most_queue_ms)
        s->most_queue_ms = wait_ms;
}

static void carry(struct sim *s)
{
    double capacity = value_at(s->params->capacity, seconds(s->now), 0);
    s->credit += capacity / 8 * seconds(TICK_NS);
    while (s->fifo_head < s->fifo_tail) {
        struct packet *packet = &s->packet[s->fifo[s->fifo_head % FLIGHT] % PACKETS];
        if (packet->size > s->credit)
            return;
        s->credit -= packet->size;
        s->queued -= packet->size;
        s->fifo_head++;
        note_wait(s, packet);
        if (random01(s) < s->params->loss || s->flying_count == FLIGHT)
            continue;
        double delay_ms = s->params->delay_ms + s->params->jitter_ms * random01(s);
        packet->due_ns = s->now + (int64_t)(delay_ms * SC_NS_PER_MS);
        s->flying[s->flying_count++] = packet->seq;
    }
    s->credit = 0;
}

// --- viewer -------------------------------------------------------------------------------------

static struct message *post(struct sim *s, int kind)
{
    for (int i = 0; i < MESSAGES; i++) {
        struct message *message = &s->message[i];
        if (message->due_ns)
            continue;
        *message = (struct message){.kind = kind};
        message->due_ns = s->now + (int64_t)(s->params->delay_ms * SC_NS_PER_MS) + 1;
        return message;
    }
    return NULL;
}

static void show(struct sim *s, int64_t n)
{
    double gap_ms = (double)(s->now - s->shown_ns) / SC_NS_PER_MS;
    if (s->shown_ns && seconds(s->shown_ns) >= s->freeze_from_s &&
        gap_ms > s->result->freeze_ms) {
        s->result->freeze_ms = gap_ms;
        s->result->freeze_at_s = seconds(s->now);
    }
    s->shown = n;
    s->shown_ns = s->now;
    s->shown_this_second++;
    s->result->shown++;
}

// The newest whole keyframe, then what follows it without a gap.
static void decode(struct sim *s)
{
    for (int64_t n = s->newest; n > s->shown && n > s->newest - FRAMES / 2; n--) {
        const struct frame *frame = &s->frame[n % FRAMES];
        if (!frame->key || frame->have < frame->parts)
            continue;
        show(s, n);
        break;
    }
    for (int64_t n = s->shown + 1; n <= s->newest; n++) {
        const struct frame *frame = &s->frame[n % FRAMES];
        if (frame->n != n || frame->have < frame->parts)
            return;
        show(s, n);
    }
}

static void receive(struct sim *s, struct packet *packet)
{
    struct frame *frame = &s->frame[packet->frame % FRAMES];
    packet->arrived_ns = s->now;
    if (packet->seq > s->newest_seq)
        s->newest_seq = packet->seq;
    if (packet->seq <= s->reported && (!s->late_seq || packet->seq < s->late_seq))
        s->late_seq = packet->seq;
    if (frame->n != packet->frame || frame->got[packet->part])
        return;
    frame->got[packet->part] = true;
    frame->have++;
    if (packet->frame > s->newest)
        s->newest = packet->frame;
    decode(s);
}

static void land(struct sim *s)
{
    for (int i = 0; i < s->flying_count;) {
        struct packet *packet = &s->packet[s->flying[i] % PACKETS];
        if (packet->due_ns > s->now) {
            i++;
            continue;
        }
        s->flying[i] = s->flying[--s->flying_count];
        receive(s, packet);
    }
}

// What is missing before the newest picture is asked for, again after a round trip as it is now.
static void ask_again(struct sim *s)
{
    double round_ms = 2 * s->params->delay_ms + s->params->jitter_ms + s->wait_ms + 20;
    int64_t patience = (int64_t)(round_ms * SC_NS_PER_MS);
    int64_t first = s->shown + 1 > s->newest - 60 ? s->shown + 1 : s->newest - 60;
    for (int64_t n = first; n < s->newest; n++) {
        struct frame *frame = &s->frame[n % FRAMES];
        for (int i = 0; i < frame->parts; i++) {
            bool asked = frame->asked_ns[i] && s->now - frame->asked_ns[i] < patience;
            if (frame->got[i] || asked || frame->tries[i]++ > TRIES)
                continue;
            frame->asked_ns[i] = s->now;
            struct message *message = random01(s) < s->params->loss ? NULL : post(s, AGAIN);
            if (message) {
                message->frame = n;
                message->part = i;
            }
        }
    }
}

static int64_t their_clock(const struct sim *s, int64_t now_ns)
{
    int64_t time =
        WRAP_NS - 20 * SC_NS_PER_S + (int64_t)((double)now_ns * (1 + s->params->skew));
    return time % WRAP_NS / 250000 * 250000;
}

static void report(struct sim *s)
{
    int64_t from = s->reported + 1;
    if (s->late_seq && s->late_seq < from)
        from = s->late_seq;
    if (from < s->newest_seq - ARRIVALS + 1)
        from = s->newest_seq - ARRIVALS + 1;
    int count = (int)(s->newest_seq - from + 1);
    if (count <= 0)
        return;
    s->reported = s->newest_seq;
    s->late_seq = 0;
    bool gone =
        random01(s) < s->params->loss || value_at(s->params->deaf, seconds(s->now), 0) > 0;
    struct message *message = gone ? NULL : post(s, FEED);
    if (!message)
        return;
    message->arrivals = calloc((size_t)count, sizeof(*message->arrivals));
    message->count = count;
    for (int i = 0; i < count; i++) {
        const struct packet *packet = &s->packet[(from + i) % PACKETS];
        message->arrivals[i] = (struct sc_rtc_arrival){.seq = (uint16_t)(packet->seq + 65000),
                                                       .lost = packet->arrived_ns < 0,
                                                       .sent_ns = packet->sent_ns + SC_NS_PER_S,
                                                       .size = packet->size};
        if (packet->arrived_ns >= 0)
            message->arrivals[i].arrived_ns = their_clock(s, packet->arrived_ns);
    }
}

static void view(struct sim *s)
{
    land(s);
    if (s->now - s->nack_ns >= NACK) {
        s->nack_ns = s->now;
        ask_again(s);
    }
    if (s->now - s->feedback_ns >= FEEDBACK) {
        s->feedback_ns = s->now;
        report(s);
    }
    if (s->shown_ns && s->now - s->shown_ns >= STUCK && s->now - s->asked_key_ns >= STUCK) {
        s->asked_key_ns = s->now;
        post(s, KEY);
    }
}

// --- control ------------------------------------------------------------------------------------

static void control(struct sim *s, const struct sc_rtc_arrival *arrivals, int count)
{
    int64_t now = s->now + SC_NS_PER_S; // zero means something to them
    int64_t elapsed = s->now - s->control_ns;
    s->control_ns = s->now;
    sc_rtc_estimate_feed(s->estimate, arrivals, count, now);
    sc_rtc_estimate_get(s->estimate, &s->info);
    if (s->params->follow) {
        s->rates[s->rung] = sc_rtc_ladder_rate(s->ladder_params.bitrates[s->rung],
                                               s->rates[s->rung], elapsed, &s->info, 1);
        s->ladder.rates[s->rung] = s->rates[s->rung];
    }
    int before = s->ladder.rung;
    int rung = sc_rtc_ladder_step(&s->ladder, &s->info, now);
    if (rung != before && rung == s->rung)
        s->switch_ns = 0;
    else if (rung != before)
        s->switch_ns = s->now + (int64_t)(random01(s) * (double)COALESCE) + 1;
    s->pace = sc_rtc_ladder_pace(&s->ladder, &s->info);
}

static void hear(struct sim *s)
{
    for (int i = 0; i < MESSAGES; i++) {
        struct message *message = &s->message[i];
        if (!message->due_ns || message->due_ns > s->now)
            continue;
        if (message->kind == FEED)
            control(s, message->arrivals, message->count);
        else if (message->kind == KEY)
            s->want_key = true;
        else
            send_again(s, message);
        free(message->arrivals);
        message->arrivals = NULL;
        message->due_ns = 0;
    }
    if (s->now - s->control_ns >= 100 * SC_NS_PER_MS)
        control(s, NULL, 0);
}

static void note_second(struct sim *s)
{
    struct link_result *result = s->result;
    if (result->count == LINK_MOST_S)
        return;
    result->seconds[result->count++] = (struct link_second){
        .capacity = value_at(s->params->capacity, seconds(s->now), 0),
        .estimate = (double)s->info.bitrate,
        .received = (double)s->info.received,
        .rate = (double)s->rates[s->rung],
        .queue_ms = s->most_queue_ms,
        .rung = s->rung,
        .starved = s->ladder.starved,
        .shown = s->shown_this_second,
    };
    result->starved_s += s->ladder.starved;
    s->most_queue_ms = s->shown_this_second = 0;
}

static double percentile(const int *histogram, double share)
{
    int64_t all = 0, so_far = 0;
    for (int i = 0; i < QUEUES; i++)
        all += histogram[i];
    for (int i = 0; i < QUEUES; i++)
        if ((so_far += histogram[i]) >= share * (double)all)
            return i;
    return QUEUES;
}

static void finish(struct sim *s)
{
    struct link_result *result = s->result;
    double since_ms = (double)(s->now - s->shown_ns) / SC_NS_PER_MS;
    if (since_ms > result->freeze_ms) {
        result->freeze_ms = since_ms;
        result->freeze_at_s = seconds(s->now);
    }
    result->queue_p95_ms = percentile(s->histogram, 0.95);
    result->rung = s->rung;
    for (int i = 0; i < MESSAGES; i++)
        free(s->message[i].arrivals);
    sc_rtc_estimate_free(&s->estimate);
}

static void start(struct sim *s)
{
    static const struct sc_rtc_ladder_params usual = {.count = 3,
                                                      .bitrates = {2500000, 1000000, 350000}};
    s->random = s->params->seed * 2654435761u + 1;
    s->ladder_params = s->params->ladder.count ? s->params->ladder : usual;
    s->estimate = sc_rtc_estimate_new(NULL);
    sc_rtc_ladder_init(&s->ladder, &s->ladder_params, s->params->start, SC_NS_PER_S);
    memcpy(s->rates, s->ladder_params.bitrates, sizeof(s->rates));
    s->rung = s->params->start;
    s->shown = s->newest = -1;
    sc_rtc_estimate_get(s->estimate, &s->info);
    s->pace = sc_rtc_ladder_pace(&s->ladder, &s->info);
}

void link_run(const struct link_params *params, double freeze_from_s, double queue_from_s,
              struct link_result *result)
{
    struct sim *s = sc_new(struct sim);
    memset(result, 0, sizeof(*result));
    s->params = params;
    s->result = result;
    s->freeze_from_s = freeze_from_s;
    s->queue_from_s = queue_from_s;
    start(s);
    for (s->now = 0; seconds(s->now) < params->seconds; s->now += TICK_NS) {
        encode(s);
        pace(s);
        carry(s);
        view(s);
        hear(s);
        if ((s->now + TICK_NS) % SC_NS_PER_S == 0)
            note_second(s);
    }
    finish(s);
    free(s);
}

double link_reached_s(const struct link_result *result, int rung, double from_s)
{
    for (int i = (int)from_s; i < result->count; i++)
        if (result->seconds[i].rung == rung)
            return i + 1;
    return -1;
}

double link_share(const struct link_result *result, int rung, double from_s)
{
    int count = 0;
    for (int i = (int)from_s; i < result->count; i++)
        count += result->seconds[i].rung == rung;
    return (double)count / (result->count - (int)from_s);
}
