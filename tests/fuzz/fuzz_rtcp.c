// RTCP from a viewer, and the transport-wide feedback in it: whatever is told is of the packets that were sent, in
// their order, and a report's figures are within their bounds.
#include "base/mem.h"
#include "fuzz.h"
#include "rtc/rtcp.h"
#include "rtc/twcc.h"

#define SENT 3000 // packets, the last of which is number 149 of the second round

struct told {
    const struct sc_twcc *twcc;
    struct sc_rtc_arrival *arrivals; // room for SC_TWCC_SENT
    size_t reports, nacks, keys;
};

static void on_report(void *arg, const struct sc_rtcp_report *report)
{
    struct told *told = arg;
    told->reports++;
    sc_require(report->loss >= 0 && report->loss < 1);
    double trip = sc_rtcp_round_trip_ms(report, UINT64_C(0x123456789abcdef0));
    sc_require(trip == -1 || (trip >= 0 && trip <= 32768000.0));
}

static void on_nack(void *arg, uint32_t ssrc, uint16_t seq)
{
    (void)ssrc, (void)seq;
    struct told *told = arg;
    told->nacks++;
}

static void on_key(void *arg, uint32_t ssrc)
{
    (void)ssrc;
    struct told *told = arg;
    told->keys++;
}

static void on_twcc(void *arg, const uint8_t *fci, size_t size)
{
    struct told *told = arg;
    const uint16_t first = (uint16_t)(told->twcc->next - SC_TWCC_SENT);
    int count = sc_twcc_read(told->twcc, fci, size, told->arrivals, SC_TWCC_SENT);
    int before = -1;
    sc_require(count >= -1 && count <= SC_TWCC_SENT);
    for (int i = 0; i < count; i++) {
        const struct sc_rtc_arrival *at = &told->arrivals[i];
        int number = (uint16_t)(at->seq - first); // from the oldest that is remembered
        sc_require(number > before && number < SC_TWCC_SENT);
        before = number;
        sc_require(at->sent_ns == SENT - SC_TWCC_SENT + number + 1 &&
                   at->size == 1 + at->seq % 1200);
        sc_require(at->arrived_ns >= 0 && at->arrived_ns < SC_TWCC_WRAP_NS);
        sc_require(!at->lost || at->arrived_ns == 0);
    }
    sc_require(count <= 1 || sc_twcc_read(told->twcc, fci, size, told->arrivals, 1) == 1);
}

// Nothing that is read changes it, so one does for all inputs.
static const struct sc_twcc *sent(void)
{
    static struct sc_twcc twcc;
    if (twcc.sent[0].size)
        return &twcc;
    twcc.next = (uint16_t)(65536 + 150 - SENT);
    for (int i = 1; i <= SENT; i++)
        sc_twcc_sent(&twcc, 1 + twcc.next % 1200, i);
    return &twcc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sc_rtc_arrival arrivals[SC_TWCC_SENT];
    struct told told = {.twcc = sent(), .arrivals = arrivals};
    sc_rtcp_read(data, size,
                 &(struct sc_rtcp_events){.on_report = on_report,
                                          .on_nack = on_nack,
                                          .on_key = on_key,
                                          .on_twcc = on_twcc,
                                          .arg = &told});
    sc_require(told.reports * 24 + told.nacks / 17 * 4 + told.keys * 8 <= size);
    return 0;
}
