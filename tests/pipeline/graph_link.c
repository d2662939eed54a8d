// Links alone, without threads: what each rule keeps and drops.
#include <stdlib.h>

#include "../base/test.h"
#include "base/mem.h"
#include "fake.h"
#include "pipeline/graph_internal.h"

static sc_link *make(enum sc_link_policy policy, size_t max_items, size_t max_bytes)
{
    sc_link *link = sc_new(sc_link);
    link->type = &fake_type;
    link->policy = policy;
    link->max_items = max_items;
    link->max_bytes = max_bytes;
    link->skipping = policy == SC_LINK_DROP_GROUP;
    return link;
}

static void offer(sc_link *link, int n, size_t bytes, bool entry)
{
    struct sc_bag bag = {0};
    struct sc_slot slot = {.item = {fake_item_new(n, bytes, entry), n, 1}, .bytes = bytes};
    sc_link_offer(link, slot, entry, &bag);
    sc_bag_empty(&bag, &fake_type);
}

static int take(sc_link *link)
{
    struct sc_slot slot = sc_link_take(link);
    int n = ((struct fake_item *)slot.item.data)->n;
    fake_type.unref(slot.item.data);
    return n;
}

static void finish(sc_link *link)
{
    struct sc_bag bag = {0};
    sc_link_close(link, SC_DROP_STOPPED);
    sc_link_drain(link, &bag);
    sc_bag_empty(&bag, &fake_type);
    assert_int_equal(link->bytes, 0);
    sc_link_free(link);
    assert_int_equal(fake_live(), 0);
}

static void test_wait_keeps_all(void **state)
{
    (void)state;
    sc_link *link = make(SC_LINK_WAIT, 4, 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sc_link_full(link, 1), i >= 4);
        assert_int_equal(sc_link_full(link, SC_LINK_RELIEF), i >= 64);
        offer(link, i, 1, true);
    }
    for (int i = 0; i < 60; i++)
        assert_int_equal(take(link), i);
    assert_int_equal(link->most, 100);
    finish(link);
}

static void test_oldest_gives_way(void **state)
{
    (void)state;
    sc_link *link = make(SC_LINK_DROP_OLDEST, 3, 0);
    for (int i = 0; i < 10; i++)
        offer(link, i, 1, false);
    assert_int_equal(link->count, 3);
    assert_int_equal(link->dropped[SC_DROP_OLDEST], 7);
    for (int i = 7; i < 10; i++)
        assert_int_equal(take(link), i);
    finish(link);
}

static void test_newest_is_refused(void **state)
{
    (void)state;
    sc_link *link = make(SC_LINK_DROP_NEWEST, 3, 0);
    for (int i = 0; i < 10; i++)
        offer(link, i, 1, false);
    assert_int_equal(link->dropped[SC_DROP_NEWEST], 7);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take(link), i);
    finish(link);
}

static void test_bytes_bound_too(void **state)
{
    (void)state;
    sc_link *link = make(SC_LINK_DROP_OLDEST, 100, 10);
    offer(link, 0, 50, true); // let in alone
    assert_int_equal(link->count, 1);
    offer(link, 1, 6, true);
    assert_int_equal(link->count, 1);
    offer(link, 2, 4, true); // just fits
    assert_int_equal(link->count, 2);
    assert_int_equal(link->bytes, 10);
    offer(link, 3, 1, true);
    assert_int_equal(take(link), 2);
    assert_int_equal(take(link), 3);
    finish(link);
    link = make(SC_LINK_DROP_NEWEST, 100, 10);
    offer(link, 0, SIZE_MAX, true); // a sum that would overflow
    offer(link, 1, SIZE_MAX, true);
    assert_int_equal(link->count, 1);
    assert_int_equal(take(link), 0);
    finish(link);
}

static void test_group_begins_again_at_an_entry(void **state)
{
    (void)state;
    sc_link *link = make(SC_LINK_DROP_GROUP, 4, 0);
    offer(link, 0, 1, false); // nothing before the first entry
    assert_int_equal(link->count, 0);
    for (int i = 10; i < 14; i++)
        offer(link, i, 1, i == 10);
    offer(link, 14, 1, false); // full: all go, and this one
    assert_int_equal(link->count, 0);
    assert_int_equal(link->dropped[SC_DROP_GROUP], 6);
    offer(link, 15, 1, false);
    offer(link, 20, 1, true);
    offer(link, 21, 1, false);
    assert_int_equal(take(link), 20);
    for (int i = 22; i < 25; i++)
        offer(link, i, 1, false);
    offer(link, 30, 1, true); // full, but an entry: it alone stays
    assert_int_equal(link->count, 1);
    assert_int_equal(take(link), 30);
    finish(link);
}

// Whatever comes and goes: after a gap comes an entry, and the bounds hold.
static void test_group_never_leaves_a_gap(void **state)
{
    (void)state;
    unsigned seed = 7;
    for (int round = 0; round < 50; round++) {
        sc_link *link = make(SC_LINK_DROP_GROUP, 1 + rand_r(&seed) % 8, 20);
        bool entries[400];
        int last = -2;
        for (int n = 0; n < 400; n++) {
            entries[n] = rand_r(&seed) % 6 == 0;
            offer(link, n, rand_r(&seed) % 9, entries[n]);
            assert_true(link->count <= link->max_items);
            assert_true(link->bytes <= 20 || link->count == 1);
            while (link->count && rand_r(&seed) % 3 == 0) {
                int got = take(link);
                assert_true(got == last + 1 || (got > last && entries[got]));
                last = got;
            }
        }
        assert_int_equal(link->offered,
                         link->taken + link->dropped[SC_DROP_GROUP] + link->count);
        finish(link);
    }
}

static void test_put_back_is_first_again(void **state)
{
    (void)state;
    sc_link *link = make(SC_LINK_WAIT, 8, 0);
    for (int i = 0; i < 8; i++)
        offer(link, i, 2, true);
    struct sc_slot slot = sc_link_take(link);
    offer(link, 8, 2, true);
    sc_link_put_back(link, slot); // past the ring's size
    assert_int_equal(link->count, 9);
    assert_int_equal(link->bytes, 18);
    assert_int_equal(link->taken, 0);
    for (int i = 0; i < 9; i++)
        assert_int_equal(take(link), i);
    finish(link);
}

static void test_closed_takes_nothing(void **state)
{
    (void)state;
    sc_link *link = make(SC_LINK_WAIT, 1, 0);
    offer(link, 0, 1, true);
    sc_link_close(link, SC_DROP_FAILED);
    sc_link_close(link, SC_DROP_STOPPED); // the first reason stays
    offer(link, 1, 1, true);
    assert_false(sc_link_full(link, 1)); // whoever feeds it goes on
    assert_int_equal(link->dropped[SC_DROP_FAILED], 1);
    finish(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_keeps_all),
        cmocka_unit_test(test_oldest_gives_way),
        cmocka_unit_test(test_newest_is_refused),
        cmocka_unit_test(test_bytes_bound_too),
        cmocka_unit_test(test_group_begins_again_at_an_entry),
        cmocka_unit_test(test_group_never_leaves_a_gap),
        cmocka_unit_test(test_put_back_is_first_again),
        cmocka_unit_test(test_closed_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
