#include "rtc/twcc.h"

#include <stdlib.h>
#include <string.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/mem.h"
#include "rtc/estimate_internal.h"

#define TICK_NS (SC_NS_PER_MS / 4)
#define ALL     (INT64_C(256) << 24) // ticks of the other side's clock

static int64_t sent_ns(int packet)
{
    return SC_NS_PER_S + packet * SC_NS_PER_MS;
}

static int size_of(int packet)
{
    return 100 + packet % 1000;
}

// As if `first` packets had gone before; then `count` more.
static struct sc_twcc *send(int first, int count)
{
    struct sc_twcc *twcc = sc_new(struct sc_twcc);
    twcc->next = (uint16_t)first;
    for (int i = first; i < first + count; i++)
        assert_int_equal(sc_twcc_sent(twcc, size_of(i), sent_ns(i)), i % 65536);
    return twcc;
}

// From and to copies of exactly these sizes, so that overreads are seen. The answer is to be freed.
static int read_exact(const struct sc_twcc *twcc, const void *fci, size_t size,
                      struct sc_rtc_arrival **parrivals, int most)
{
    uint8_t *copy = sc_xcalloc(1, size + !size);
    memcpy(copy, fci, size);
    uint8_t *exact = size ? realloc(copy, size) : copy;
    *parrivals = sc_xcalloc((size_t)most + !most, sizeof(**parrivals));
    int count = sc_twcc_read(twcc, exact, size, *parrivals, most);
    free(exact);
    return count;
}

#define NEVER INT64_MIN

// What is expected of one packet: the arrival in steps of 0.25 ms, before the clock wraps; NEVER = lost.
struct expected {
    int packet;
    int64_t ticks;
};

static void check(const struct sc_twcc *twcc, const void *fci, size_t size,
                  const struct expected *expected, int count)
{
    struct sc_rtc_arrival *arrivals;
    assert_int_equal(read_exact(twcc, fci, size, &arrivals, SC_TWCC_SENT), count);
    for (int i = 0; i < count; i++) {
        const struct expected *e = &expected[i];
        bool lost = e->ticks == NEVER;
        assert_int_equal(arrivals[i].seq, e->packet % 65536);
        assert_int_equal(arrivals[i].lost, lost);
        assert_true(arrivals[i].arrived_ns == (lost ? 0 : (e->ticks + ALL) % ALL * TICK_NS));
        assert_int_equal(arrivals[i].sent_ns, sent_ns(e->packet));
        assert_int_equal(arrivals[i].size, size_of(e->packet));
    }
    free(arrivals);
}

static void check_malformed(const struct sc_twcc *twcc, const void *fci, size_t size)
{
    struct sc_rtc_arrival *arrivals;
    assert_true(read_exact(twcc, fci, size, &arrivals, SC_TWCC_SENT) < 0);
    free(arrivals);
}

#define BYTES(text) (text), sizeof(text) - 1
#define LIST(...)                                                                              \
    (const struct expected[]){__VA_ARGS__},                                                    \
        sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected)

// --- by hand ------------------------------------------------------------------------------------

// Five packets from 3 on; reference 0x010203. Chunks: a run of 3 small deltas, a vector of two-bit symbols (lost, large).
static const char mixed[] = "\0\3\0\5\1\2\3\x2a"
                            "\x20\3\xc8\0"
                            "\4\0\xff\xff\xf8\0\0\0";

static void test_runs_and_vectors(void **state)
{
    (void)state;
    struct sc_twcc *twcc = send(0, 10);
    int64_t t = INT64_C(0x010203) * 256;
    check(twcc, BYTES(mixed),
          LIST({3, t + 4}, {4, t + 4}, {5, t + 259}, {6, NEVER}, {7, t + 251}));
    free(twcc);
}

static void test_malformed(void **state)
{
    (void)state;
    struct sc_twcc *twcc = send(0, 10);
    for (size_t size = 0; size < sizeof(mixed) - 1 - 3; size++)
        check_malformed(twcc, mixed, size); // the last three bytes are padding
    check_malformed(twcc, BYTES("\0\3\0\1\0\0\0\0\x60\1\0\0\0\0")); // the reserved symbol,
    check_malformed(twcc, BYTES("\0\3\0\1\0\0\0\0\xf0\0\0\0\0\0")); // in a vector
    check_malformed(twcc, BYTES("\0\3\0\1\0\0\0\0\0\0\0\0\0\0"));   // runs of nothing
    check_malformed(twcc, BYTES("\0\3\xff\xff\0\0\0\0\x1f\xff\x1f\xff\x1f\xff\x1f\xff"
                                "\x1f\xff\x1f\xff\x1f\xff\x1f\xff\x1f\xff")); // all numbers
    free(twcc);
}

static void test_bits(void **state)
{
    (void)state;
    struct sc_twcc *twcc = send(0, 30);
    // 14 symbols of one bit, and one of two bits: what is behind it in its vector is beyond the count.
    static const char bits[] = "\0\5\0\x0f\0\0\1\0\xaa\xaa\xdf\xff\1\2\3\4\5\6\7\x08";
    struct expected expected[15];
    int64_t ticks = 256;
    for (int i = 0, delta = 1; i < 15; i++) {
        bool lost = i < 14 && i % 2 == 1;
        ticks += lost ? 0 : delta++;
        expected[i] = (struct expected){5 + i, lost ? NEVER : ticks};
    }
    check(twcc, BYTES(bits), expected, 15);
    free(twcc);
}

// The first delta may lead below the other side's zero, and the sum beyond its end.
static void test_clock_begins_anew(void **state)
{
    (void)state;
    struct sc_twcc *twcc = send(0, 10);
    check(twcc, BYTES("\0\3\0\2\0\0\0\0\xe4\0\xff\xfe\3"), LIST({3, -2}, {4, 1}));
    check(twcc, BYTES("\0\3\0\2\xff\xff\xff\0\x40\2\0\xff\0\1"), LIST({3, ALL - 1}, {4, ALL}));
    free(twcc);
}

static void test_tells_only_of_what_was_sent(void **state)
{
    (void)state;
    // 7 to 12 of which 10 to 12 are none of ours; 65534 to 3, with 65536 packets a round.
    struct sc_twcc *twcc = send(0, 10);
    check(twcc, BYTES("\0\7\0\6\0\0\0\0\x20\6\1\1\1\1\1\1"), LIST({7, 1}, {8, 2}, {9, 3}));
    check(twcc, BYTES("\xff\xfe\0\4\0\0\0\0\x20\4\1\1\1\1"), LIST({0, 3}, {1, 4}));
    free(twcc);
    twcc = send(0, 65536 + 2);
    check(twcc, BYTES("\xff\xfe\0\4\0\0\0\0\x20\4\1\1\1\1"),
          LIST({65534, 1}, {65535, 2}, {65536, 3}, {65537, 4}));
    // 63488 and 63489 are forgotten, 63490 is the oldest.
    check(twcc, BYTES("\xf8\0\0\3\0\0\0\0\x20\3\1\1\1"), LIST({63490, 3}));
    free(twcc);
}

static void test_tells_no_more_than_there_is_room(void **state)
{
    (void)state;
    struct sc_twcc *twcc = send(0, 10);
    for (int most = 0; most <= 6; most++) {
        struct sc_rtc_arrival *arrivals;
        assert_int_equal(read_exact(twcc, BYTES(mixed), &arrivals, most), most < 5 ? most : 5);
        for (int i = 0; i < most && i < 5; i++)
            assert_int_equal(arrivals[i].seq, 3 + i);
        free(arrivals);
    }
    free(twcc);
}

// --- what others make ---------------------------------------------------------------------------

// From GStreamer 1.22's rtpsession with its clock at 1000 s (reference 15625), which got RTP packets with these numbers at
// these ticks after that: 65533 at 10, 65534 at 12, 65535 at 300, 2 at 900, 1 at 901, 7 at 1000.
static void test_reads_gstreamer(void **state)
{
    (void)state;
    static const char fci[] =
        "\xff\xfd\x00\x0b\x00\x3d\x09\x00\xd6\x28\xc0\x40\x0a\x02\x01\x20\x02\x59"
        "\xff\xff\x64\x00\x00\x00";
    const int64_t t = INT64_C(15625) * 256;
    struct sc_twcc *twcc = send(65000, 600);
    check(twcc, BYTES(fci),
          LIST({65533, t + 10}, {65534, t + 12}, {65535, t + 300}, {65536, NEVER},
               {65537, t + 901}, {65538, t + 900}, {65539, NEVER}, {65540, NEVER},
               {65541, NEVER}, {65542, NEVER}, {65543, t + 1000}));
    free(twcc);
}

// The same with more packets: 100 to 130, then every second one up to 156, then 260; deltas are 3 + 7n % 40. There are
// a run, vectors of one bit, and a run of lost ones in it.
static void test_reads_more_of_gstreamer(void **state)
{
    (void)state;
    static const char fci[] =
        "\x00\x64\x00\xa1\x00\x3d\x09\x00\x20\x1f\x95\x55\x95\x54\x00\x65\xa0\x00\x17\x1e\x25"
        "\x04"
        "\x0b\x12\x19\x20\x27\x06\x0d\x14\x1b\x22\x29\x08\x0f\x16\x1d\x24\x03\x0a\x11\x18\x1f"
        "\x26"
        "\x05\x0c\x13\x1a\x21\x07\x15\x23\x09\x17\x25\x0b\x19\x27\x0d\x1b\x29\x0f\x17\x00";
    struct sc_twcc *twcc = send(0, 300);
    struct expected expected[161];
    int64_t ticks = INT64_C(15625) * 256;
    for (int n = 100; n <= 260; n++) {
        bool came = n <= 130 || (n <= 156 && n % 2 == 0) || n == 260;
        ticks += came ? 3 + 7 * n % 40 : 0;
        expected[n - 100] = (struct expected){n, came ? ticks : NEVER};
    }
    check(twcc, BYTES(fci), expected, 161);
    free(twcc);
}

// --- at random ----------------------------------------------------------------------------------

enum { LOST, SMALL, LARGE, MOST = 65536 };

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)*seed * below >> 32);
}

// Feedback in the making: the packets, what they are called, and the bytes.
struct round {
    int base, count; // packets; the numbers before they wrap
    uint32_t reference;
    int64_t ticks[MOST]; // of arrival, before the clock wraps, or NEVER
    int symbols[MOST + 16];
    uint8_t fci[8 + 2 * MOST + 2 * MOST];
    size_t size;
};

static void put(struct round *round, unsigned value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        round->fci[round->size++] = (uint8_t)(value >> 8 * i);
}

static void put_vector(struct round *round, int from, int bits)
{
    int count = 14 / bits;
    unsigned chunk = bits == 2 ? 0xc000 : 0x8000;
    for (int i = 0; i < count; i++)
        chunk |= (unsigned)round->symbols[from + i] << (14 - bits * (i + 1));
    put(round, chunk, 2);
}

// Packets from here on that have the same symbol.
static int alike(const struct round *round, int from)
{
    int count = 1;
    while (from + count < round->count && round->symbols[from + count] == round->symbols[from])
        count++;
    return count;
}

static bool fits_one_bit(const struct round *round, int from)
{
    for (int i = from; i < from + 14; i++)
        if (round->symbols[i] > SMALL)
            return false;
    return true;
}

// Any chunk that can be: not the best one. Returns how many packets it is about.
static int put_chunk(struct round *round, int from, uint32_t *seed)
{
    int run = alike(round, from);
    if (draw(seed, 3) == 0 || run > 100) {
        int part = 1 + (int)draw(seed, (uint32_t)(run < 8191 ? run : 8191));
        part = part > run ? run : part;
        // The last may promise more than there is.
        int more = from + part == round->count && part < 8000 ? (int)draw(seed, 100) : 0;
        put(round, (unsigned)(round->symbols[from] << 13 | (part + more)), 2);
        return part;
    }
    int bits = fits_one_bit(round, from) && draw(seed, 2) ? 1 : 2;
    put_vector(round, from, bits);
    return 14 / bits;
}

static void choose_symbols(struct round *round, uint32_t *seed)
{
    int64_t ticks = (int64_t)round->reference * 256;
    for (int i = 0; i < round->count; i++) {
        round->symbols[i] = LOST;
        if (round->ticks[i] == NEVER)
            continue;
        int64_t delta = round->ticks[i] - ticks;
        bool small =
            delta >= 0 && delta < 256 && draw(seed, 8) > 0; // a large one can do as well
        round->symbols[i] = small ? SMALL : LARGE;
        ticks = round->ticks[i];
    }
    for (int i = round->count; i < round->count + 16; i++)
        round->symbols[i] = (int)draw(seed, 2); // the rest of the last vector means nothing
}

static void put_deltas(struct round *round)
{
    int64_t ticks = (int64_t)round->reference * 256;
    for (int i = 0; i < round->count; i++) {
        if (round->symbols[i] == LOST)
            continue;
        put(round, (unsigned)(round->ticks[i] - ticks), round->symbols[i] == SMALL ? 1 : 2);
        ticks = round->ticks[i];
    }
}

static void encode(struct round *round, uint32_t *seed)
{
    choose_symbols(round, seed);
    round->size = 0;
    put(round, (unsigned)round->base & 0xffff, 2);
    put(round, (unsigned)round->count, 2);
    put(round, round->reference, 3);
    put(round, draw(seed, 256), 1);
    for (int i = 0; i < round->count;)
        i += put_chunk(round, i, seed);
    put_deltas(round);
    while (round->size % 4)
        put(round, 0, 1);
}

// Phases in which all are lost, come in time, or come in any order.
static void fill(struct round *round, uint32_t *seed)
{
    int64_t ticks = (int64_t)round->reference * 256;
    int left = 0;
    uint32_t lost = 0, jitter = 0;
    for (int i = 0; i < round->count; i++, left--) {
        if (left <= 0) {
            left = 1 + (int)draw(seed, draw(seed, 4) ? 40 : 20000);
            lost = draw(seed, 3) * 50; // per cent
            jitter = draw(seed, 2) ? 200 : 32000;
        }
        int64_t delta = (int64_t)draw(seed, jitter) - (jitter > 200 ? jitter / 2 : 0);
        bool comes = draw(seed, 100) >= lost;
        ticks += comes ? delta : 0;
        round->ticks[i] = comes ? ticks : NEVER;
    }
}

static void check_round(struct round *round, int first, int sent)
{
    struct sc_twcc *twcc = send(first, sent);
    struct expected *expected = sc_xcalloc((size_t)round->count, sizeof(*expected));
    int count = 0, newest = first + sent - 1;
    for (int i = 0; i < round->count; i++) {
        int packet = round->base + i;
        if (packet >= first && packet <= newest && packet > newest - SC_TWCC_SENT)
            expected[count++] = (struct expected){packet, round->ticks[i]};
    }
    check(twcc, round->fci, round->size, expected, count);
    free(expected);
    free(twcc);
}

static void test_random_rounds(void **state)
{
    (void)state;
    struct round *round = sc_new(struct round);
    uint32_t seed = 2026;
    for (int i = 0; i < 3000; i++) {
        int first = 70000 + (int)draw(&seed, 65536), sent = 1 + (int)draw(&seed, 4000);
        bool many = draw(&seed, 20) == 0;
        round->count = 1 + (int)draw(&seed, many ? 30000 : 300);
        round->base = first + sent + 100 - (int)draw(&seed, many ? 30000 : 3000);
        round->reference = draw(&seed, 10) ? draw(&seed, 1 << 24) : 0;
        fill(round, &seed);
        encode(round, &seed);
        check_round(round, first, sent);
    }
    free(round);
}

// A beginning, or some bytes of something else, must do no harm.
static void test_damaged(void **state)
{
    (void)state;
    struct round *round = sc_new(struct round);
    struct sc_twcc *twcc = send(70000, 300);
    struct sc_rtc_arrival *arrivals;
    uint32_t seed = 7;
    for (int i = 0; i < 200; i++) {
        *round = (struct round){.base = 70000, .count = 1 + (int)draw(&seed, 100)};
        fill(round, &seed);
        encode(round, &seed);
        for (size_t size = 0; size + 4 <= round->size; size++)
            check_malformed(twcc, round->fci, size);
        for (int k = 0; k < 20; k++) {
            round->fci[draw(&seed, (uint32_t)round->size)] = (uint8_t)draw(&seed, 256);
            int count = read_exact(twcc, round->fci, round->size, &arrivals, 100);
            assert_in_range(count + 1, 0, 101);
            free(arrivals);
        }
    }
    free(twcc);
    free(round);
}

// --- what the estimate makes of it --------------------------------------------------------------

// Packets sent every 20 ms that take 5 ms, five in each feedback. References are rounded up, so that first deltas are
// negative.
static void feed(struct round *round, struct sc_twcc *twcc, struct sc_rtc_history *history,
                 int64_t *pbefore_ns)
{
    uint32_t seed = 1;
    int64_t start = ALL + (round->base - 50) * 80, reference = start / 256 + 1;
    round->count = 5;
    round->reference = (uint32_t)(reference % (1 << 24));
    for (int i = 0; i < 5; i++) {
        sc_twcc_sent(twcc, 1000, SC_NS_PER_S + (round->base + i) * 80 * TICK_NS);
        round->ticks[i] = start + i * 80 + ((int64_t)round->reference - reference) * 256;
    }
    encode(round, &seed);
    struct sc_rtc_arrival *arrivals;
    assert_int_equal(read_exact(twcc, round->fci, round->size, &arrivals, 5), 5);
    for (int i = 0; i < 5; i++) {
        const struct sc_rtc_sent *sent;
        assert_in_range(arrivals[i].arrived_ns, 0, SC_TWCC_WRAP_NS - 1);
        assert_int_equal(sc_rtc_history_put(history, &arrivals[i], 9 * SC_NS_PER_S, &sent),
                         SC_RTC_ARRIVED);
        assert_true(!*pbefore_ns || sent->arrived_ns - *pbefore_ns == 80 * TICK_NS);
        *pbefore_ns = sent->arrived_ns;
    }
    free(arrivals);
}

// Over the end of the other side's clock: the estimate's goes on and never jumps.
static void test_estimate_unwraps(void **state)
{
    (void)state;
    struct round *round = sc_new(struct round);
    struct sc_rtc_history *history = sc_new(struct sc_rtc_history);
    struct sc_twcc *twcc = sc_new(struct sc_twcc);
    int64_t before_ns = 0;
    sc_rtc_history_init(history);
    for (; round->base < 100; round->base += 5)
        feed(round, twcc, history, &before_ns);
    free(twcc);
    free(history);
    free(round);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_and_vectors),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_clock_begins_anew),
        cmocka_unit_test(test_tells_only_of_what_was_sent),
        cmocka_unit_test(test_tells_no_more_than_there_is_room),
        cmocka_unit_test(test_reads_gstreamer),
        cmocka_unit_test(test_reads_more_of_gstreamer),
        cmocka_unit_test(test_random_rounds),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_estimate_unwraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
