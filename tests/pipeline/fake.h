// Items and stages that count what happens to them.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/ref.h"
#include "pipeline/graph.h"

struct fake_item {
    sc_ref ref;
    int n;
    size_t bytes;
    bool entry;
};

extern const struct sc_item_type fake_type;  // knows bytes and entries
extern const struct sc_item_type fake_sound; // another type of the same items
int fake_live(void);                         // items that exist

struct fake_item *fake_item_new(int n, size_t bytes, bool entry);

enum fake_point {
    FAKE_NEVER,
    FAKE_OPEN,
    FAKE_PULL,
    FAKE_PUSH,
    FAKE_ENDED,
    FAKE_FLUSH,
    FAKE_WOKEN,
    FAKE_POINTS
};

#define FAKE_SEEN 4096

// A source where it has no input, a filter that passes items on, a sink where it has no output.
// Zero is the plain one. It is the test's: close() only counts.
struct fake {
    // What it does; set before the graph starts:
    int count;       // source: items before the end; < 0 = for ever
    size_t bytes;    // source: of each item
    int entry_every; // source: 0 = each item is an entry
    int64_t step_ns; // push and pull take so long
    enum fake_point fail_at;
    int fail_after;   // calls of that function that go well
    int fail_code;    // 0 = SC_EIO
    bool block;       // pull and push wait until interrupted
    bool wake_itself; // after each item
    int keep;         // filter: so many items come out at flush only
    atomic_int *gate; // push waits (SC_EAGAIN) while it is 0, and takes one off otherwise
    // What happened:
    int outs; // set by fake_add
    sc_stage *stage;
    atomic_int opens, calls[FAKE_POINTS], closes, interrupts;
    atomic_int inside; // functions running now
    atomic_int overlaps;
    atomic_int seen; // items taken
    int order[FAKE_SEEN];
    int64_t pts[FAKE_SEEN];
    struct sc_item kept[64];
    int kept_count;
    int made;
    atomic_bool stop;
};

extern const struct sc_stage_ops fake_ops, fake_blocking_ops;

// A stage with `in` inputs and `out` outputs of fake_type.
sc_stage *fake_add(sc_graph *graph, const char *name, struct fake *fake, int in, int out,
                   bool blocking, bool optional);
// Output 0 to input 0.
void fake_link(sc_graph *graph, sc_stage *from, sc_stage *to, enum sc_link_policy policy,
               size_t max_items);
sc_graph *fake_graph(sc_pool *pool);
void fake_wait_for(atomic_int *value, int least); // fails the test after 10 s
