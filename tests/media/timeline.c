// Repairing times: hours of a source's life, played on a scripted clock.
#include "media/timeline.h"

#include <stdlib.h>

#include <libavutil/avutil.h>
#include <libavutil/macros.h>

#include "../base/test.h"
#include "base/clock.h"
#include "base/error.h"

#define MS       SC_NS_PER_MS
#define S        SC_NS_PER_S
#define TS       90000 // ticks a second
#define SOUND_NS (1024 * S / 48000)

// A source of 25 pictures a second, in decoding order I P B B, and sound beside it. What is
// wrong with it is set while it runs.
struct source {
    sc_timeline *tl;
    double speed; // of its clock against ours
    int64_t base; // source time at our zero, ns
    int bits;     // of its counters
    bool no_dts;
    int64_t now; // ours
    int64_t pictures, sounds;
    int64_t last_dts[2], last_pts;
    int64_t worst_lead[2]; // least and most of (out - now), after the first minute
    int64_t skew;          // most difference of what sound and picture were moved by
    int64_t moved;         // of the last picture
    int64_t left_out;
};

static void begin(struct source *s, const struct source *values)
{
    *s = *values;
    s->tl = sc_timeline_new(&(struct sc_timeline_params){.live = true});
    s->speed = s->speed ? s->speed : 1;
    s->bits = s->bits ? s->bits : 33;
    for (int i = 0; i < 2; i++)
        sc_timeline_set_track(s->tl, i,
                              &(struct sc_timeline_format){{1, TS}, s->bits, 0, i ? 0 : 2});
    s->last_dts[0] = s->last_dts[1] = -1;
    s->worst_lead[0] = INT64_MAX;
    s->worst_lead[1] = INT64_MIN;
}

static int64_t ticks(const struct source *s, int64_t ns)
{
    int64_t all = (int64_t)((__int128)(s->base + ns) * TS / S);
    return all & ((INT64_C(1) << s->bits) - 1);
}

static int feed(struct source *s, int track, int64_t pts, int64_t dts,
                struct sc_timeline_out *out)
{
    struct sc_timeline_in in = {ticks(s, pts), ticks(s, dts), 0, s->now};
    if (s->no_dts)
        in.dts = AV_NOPTS_VALUE;
    int ret = sc_timeline_place(s->tl, track, &in, out);
    if (ret == SC_OK) {
        assert_true(out->dts_ns > s->last_dts[track]);
        assert_true(out->pts_ns >= out->dts_ns);
        s->last_dts[track] = out->dts_ns;
    }
    return ret;
}

static void note_lead(struct source *s, int64_t lead)
{
    if (s->now < 60 * S)
        return;
    if (lead < s->worst_lead[0])
        s->worst_lead[0] = lead;
    if (lead > s->worst_lead[1])
        s->worst_lead[1] = lead;
}

static void feed_picture(struct source *s)
{
    static const int shown[] = {0, 3, 1, 2}; // in a group of four, plus two of delay
    int64_t k = s->pictures++, dts = k * 40 * MS;
    int64_t pts = k == 0 ? 80 * MS : ((k - 1) / 3 * 3 + shown[(k - 1) % 3 + 1] + 2) * 40 * MS;
    struct sc_timeline_out out;
    s->now = (int64_t)((double)dts / s->speed) + 5 * S;
    assert_int_equal(feed(s, 0, pts, dts, &out), SC_OK);
    s->moved = out.pts_ns - pts;
    note_lead(s, out.dts_ns - s->now);
}

static void feed_sound(struct source *s)
{
    int64_t t = s->sounds++ * SOUND_NS;
    struct sc_timeline_out out;
    int ret = feed(s, 1, t + 80 * MS, t + 80 * MS, &out);
    if (ret != SC_OK) {
        assert_int_equal(ret, SC_ERANGE);
        s->left_out++;
    } else if (llabs(out.pts_ns - t - 80 * MS - s->moved) > s->skew) {
        s->skew = llabs(out.pts_ns - t - 80 * MS - s->moved);
    }
}

// Goes on until source time `until`.
static void play(struct source *s, int64_t until)
{
    while (s->pictures * 40 * MS < until) {
        feed_picture(s);
        while (s->sounds * SOUND_NS < s->pictures * 40 * MS - 100 * MS)
            feed_sound(s);
    }
}

static void end(struct source *s)
{
    sc_timeline_free(&s->tl);
    assert_null(s->tl);
}

static void two_hours_with_wraps_and_drift(void **state)
{
    static const double speeds[] = {1, 1.0002, 0.9998, 1.001};
    (void)state;
    for (size_t i = 0; i < sizeof(speeds) / sizeof(*speeds); i++) {
        struct source s;
        begin(&s, &(struct source){.speed = speeds[i],
                                   .base = (INT64_C(1) << 33) / TS * S - 9 * S});
        play(&s, 7200 * S);
        double off = speeds[i] - 1;
        int64_t bound = 5 * MS + (int64_t)((off < 0 ? -off : off) * 80e9);
        assert_in_range(s.worst_lead[1] - s.worst_lead[0], 0, bound);
        assert_in_range(s.skew, 0, SOUND_NS);
        assert_int_equal(s.left_out, 0);
        assert_int_equal(sc_timeline_jumps(s.tl), 0);
        end(&s);
    }
}

static void narrow_counters_wrap_again_and_again(void **state)
{
    struct source s;
    (void)state;
    begin(&s, &(struct source){.bits = 24, .base = 7 * S}); // every three minutes
    play(&s, 3600 * S);
    assert_int_equal(sc_timeline_jumps(s.tl), 0);
    assert_in_range(s.skew, 0, MS);
    assert_in_range(s.last_dts[0], 3599 * S, 3601 * S);
    end(&s);
}

static void display_order_survives_without_dts(void **state)
{
    struct source s;
    (void)state;
    begin(&s, &(struct source){.no_dts = true});
    play(&s, 600 * S);
    assert_in_range(s.skew, 0, MS);
    assert_int_equal(sc_timeline_jumps(s.tl), 0);
    end(&s);
}

static void jumps_keep_sound_and_picture_together(void **state)
{
    static const int64_t jumps[] = {3600 * S, -3600 * S, 3 * S, -200 * MS, -90000 * S, 11 * S};
    struct source s;
    int64_t skew = 0;
    (void)state;
    begin(&s, &(struct source){.base = 50000 * S});
    for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
        play(&s, (int64_t)(i + 1) * 30 * S);
        skew = s.skew > skew ? s.skew : skew;
        s.base += jumps[i];
        play(&s, (int64_t)(i + 1) * 30 * S + S); // sound takes the correction in this second
        s.skew = 0;
    }
    play(&s, 300 * S);
    assert_in_range(s.skew, 0, SOUND_NS);
    assert_in_range(skew, 0, SOUND_NS);
    assert_int_equal(sc_timeline_jumps(s.tl), 6);
    assert_in_range(s.last_dts[0], 299 * S, 301 * S); // no hole was made
    assert_in_range(s.left_out, 0, 12);
    end(&s);
}

static void one_wrong_time_changes_nothing(void **state)
{
    static const int64_t wrong[] = {3600 * S, -3600 * S, -300 * MS, 30 * S};
    struct source s;
    (void)state;
    begin(&s, &(struct source){.base = 50000 * S});
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        play(&s, (int64_t)(i + 1) * 10 * S);
        s.base += wrong[i];
        feed_picture(&s);
        s.base -= wrong[i];
        s.skew = 0;
        feed_picture(&s);
        play(&s, (int64_t)(i + 1) * 10 * S + 5 * S);
        assert_in_range(s.skew, 0, MS);
    }
    assert_in_range(llabs(s.last_dts[0] - (s.now - 5 * S)), 0, MS);
    end(&s);
}

static void pauses_that_the_clock_confirms_stay(void **state)
{
    struct source s;
    (void)state;
    begin(&s, &(struct source){0});
    play(&s, 10 * S);
    s.pictures += 25 * 30; // a camera that sleeps, then goes on where its clock is
    s.sounds += 30 * S / SOUND_NS;
    play(&s, 50 * S);
    assert_int_equal(sc_timeline_jumps(s.tl), 0);
    assert_in_range(s.last_dts[0], 49 * S, 50 * S);
    end(&s);
}

static void goes_on_where_the_clock_says(void **state)
{
    struct source s;
    struct sc_timeline_out out;
    (void)state;
    begin(&s, &(struct source){0});
    play(&s, 100 * S);
    sc_timeline_resume(s.tl);
    s.base = 4000 * S; // another start of the source, 20 s later
    s.pictures += 25 * 20;
    s.sounds += 20 * S / SOUND_NS;
    assert_int_equal(
        sc_timeline_place(s.tl, 1,
                          &(struct sc_timeline_in){ticks(&s, 0), ticks(&s, 0), 0, s.now}, &out),
        SC_EAGAIN);
    feed_picture(&s);
    assert_in_range(s.last_dts[0], 119 * S, 121 * S);
    s.skew = 0;
    play(&s, 200 * S);
    assert_in_range(s.skew, 0, MS);
    assert_in_range(s.last_dts[0], 199 * S, 201 * S);
    end(&s);
}

// What a server keeps for newcomers comes at once, at each of many openings.
static void bursts_after_openings_do_not_add_up(void **state)
{
    struct source s;
    (void)state;
    begin(&s, &(struct source){0});
    for (int i = 1; i <= 60; i++) {
        int64_t start = s.pictures;
        for (; s.pictures < start + 50;) { // two seconds in one moment
            struct sc_timeline_out out;
            int64_t dts = s.pictures++ * 40 * MS;
            s.now = (start + 50) * 40 * MS + 5 * S;
            assert_int_equal(feed(&s, 0, dts, dts, &out), SC_OK);
        }
        play(&s, i * 60 * S);
        sc_timeline_resume(s.tl);
    }
    assert_in_range(s.last_dts[0] - (s.now - 5 * S) + 4 * S, 0, 8 * S);
    end(&s);
}

static void files_go_on_behind_their_end(void **state)
{
    (void)state;
    sc_timeline *tl = sc_timeline_new(&(struct sc_timeline_params){0});
    struct sc_timeline_out out;
    struct sc_timeline_format format = {{1, 25}, 64, 40 * MS, 0};
    sc_timeline_set_track(tl, 0, &format);
    for (int64_t n = 0; n < 300; n++) {
        if (n % 100 == 0 && n)
            sc_timeline_resume(tl);
        int64_t t = n % 100 + 1000;
        assert_int_equal(sc_timeline_place(tl, 0, &(struct sc_timeline_in){t, t, 1, 0}, &out),
                         SC_OK);
        assert_int_equal(out.dts_ns, n * 40 * MS);
        assert_int_equal(out.duration_ns, 40 * MS);
    }
    // A picture that stands for minutes is no jump where the format's times are absolute.
    assert_int_equal(sc_timeline_place(tl, 0, &(struct sc_timeline_in){9000, 9000, 1, 0}, &out),
                     SC_OK);
    assert_int_equal(out.dts_ns, (9000 - 1000 + 200) * 40 * MS);
    assert_int_equal(sc_timeline_jumps(tl), 0);
    sc_timeline_free(&tl);
}

// Round after round of a file: pictures in decoding order I P B B, which begin `early` before they are shown, and
// sound of AAC that begins two pieces before them (what an encoder of HE-AAC needs) and ends behind them.
static void rounds_show_every_picture_for_as_long(void **state)
{
    (void)state;
    static const int shown[] = {0, 3, 1, 2};
    sc_timeline *tl = sc_timeline_new(&(struct sc_timeline_params){0});
    struct sc_timeline_out out;
    int64_t last_end = 0, sound_end = 0, most = 0;
    int sounds = 0;
    sc_timeline_set_track(tl, 0, &(struct sc_timeline_format){{1, 1000}, 64, 40 * MS, 2});
    sc_timeline_set_track(tl, 1, &(struct sc_timeline_format){{1, 48000}, 64, SOUND_NS, 0});
    for (int round = 0; round < 5; round++) {
        int64_t ends = 0;
        sc_timeline_resume(tl);
        for (int64_t k = 0; k < 100; k++) {
            int64_t pts = (k / 4 * 4 + shown[k % 4]) * 40, dts = (k - 2) * 40;
            assert_int_equal(
                sc_timeline_place(tl, 0, &(struct sc_timeline_in){pts, dts, 40, 0}, &out),
                SC_OK);
            if (k == 0 && round)
                most = FFMAX(most, out.pts_ns - last_end);
            if (k == 0)
                assert_true(out.pts_ns >= last_end);
            ends = FFMAX(ends, out.pts_ns + 40 * MS);
        }
        last_end = ends;
        for (int64_t k = -2; k < 188; k++) { // 4.010667 s
            int64_t valid = k == 187 ? 384 : 1024;
            int ret = sc_timeline_place(
                tl, 1, &(struct sc_timeline_in){k * 1024, k * 1024, valid, 0}, &out);
            if (ret == SC_ERANGE)
                continue;
            assert_int_equal(ret, SC_OK);
            assert_true(out.pts_ns >= sound_end - 1);
            sound_end = out.pts_ns + SOUND_NS;
            sounds++;
        }
    }
    assert_in_range(most, 0, 11 * MS); // as long as the sound goes on
    assert_in_range(sounds, 5 * 188, 5 * 188 + 2);
    sc_timeline_free(&tl);
}

static void missing_times_are_made(void **state)
{
    (void)state;
    sc_timeline *tl = sc_timeline_new(&(struct sc_timeline_params){.jumps = true});
    struct sc_timeline_out out;
    sc_timeline_set_track(tl, 0, &(struct sc_timeline_format){{1, 1000}, 64, 20 * MS, 0});
    for (int64_t n = 0; n < 100; n++) {
        int64_t dts = n % 5 ? AV_NOPTS_VALUE : n * 20;
        struct sc_timeline_in in = {AV_NOPTS_VALUE, dts, 0, 0};
        assert_int_equal(sc_timeline_place(tl, 0, &in, &out), SC_OK);
        assert_int_equal(out.dts_ns, n * 20 * MS);
        assert_int_equal(out.pts_ns, out.dts_ns);
        assert_true(out.pts_guessed);
    }
    sc_timeline_free(&tl);
}

static void any_numbers_give_growing_times(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 400; round++) {
        sc_timeline *tl = sc_timeline_new(
            &(struct sc_timeline_params){.live = round & 1, .jumps = round & 2});
        int64_t last[2] = {-1, -1}, now = 0;
        for (int i = 0; i < 2; i++)
            sc_timeline_set_track(
                tl, i,
                &(struct sc_timeline_format){
                    {rand() % 3, rand() % 100000 - 2}, rand() % 70, rand() - 5, rand() % 99});
        for (int k = 0; k < 500; k++) {
            struct sc_timeline_out out;
            int64_t v[3];
            for (int i = 0; i < 3; i++) {
                v[i] =
                    (int64_t)((uint64_t)rand() << 33 ^ (uint64_t)rand() << 10) >> (rand() % 60);
                v[i] = rand() % 9 ? v[i] : rand() % 2 ? AV_NOPTS_VALUE : INT64_MAX;
            }
            struct sc_timeline_in in = {v[0], v[1], v[2], now += rand() % S};
            int track = rand() % 2;
            if (rand() % 50 == 0)
                sc_timeline_resume(tl);
            if (sc_timeline_place(tl, track, &in, &out) != SC_OK)
                continue;
            assert_true(out.dts_ns > last[track]);
            assert_true(out.pts_ns >= out.dts_ns);
            last[track] = out.dts_ns;
        }
        sc_timeline_free(&tl);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hours_with_wraps_and_drift),
        cmocka_unit_test(narrow_counters_wrap_again_and_again),
        cmocka_unit_test(display_order_survives_without_dts),
        cmocka_unit_test(jumps_keep_sound_and_picture_together),
        cmocka_unit_test(one_wrong_time_changes_nothing),
        cmocka_unit_test(pauses_that_the_clock_confirms_stay),
        cmocka_unit_test(goes_on_where_the_clock_says),
        cmocka_unit_test(bursts_after_openings_do_not_add_up),
        cmocka_unit_test(files_go_on_behind_their_end),
        cmocka_unit_test(rounds_show_every_picture_for_as_long),
        cmocka_unit_test(missing_times_are_made),
        cmocka_unit_test(any_numbers_give_growing_times),
    };
    return cmocka_run_group_tests_name("timeline", tests, NULL, NULL);
}
