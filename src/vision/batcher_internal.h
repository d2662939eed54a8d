// The batcher's rules, without threads: who is next, and how many at most.
//
// Thread-safety: none; the batcher's lock guards them.
#pragma once

#include "vision/batcher.h"

struct sc_batch_item {
    struct sc_batch_item *next, *prev;
    struct sc_batch_request request;
    uint64_t ticket; // rises with each item added
    int64_t queued_ns;
};

struct sc_batch_list {
    struct sc_batch_item *head, *tail;
    int count;
};

// What waits: oldest first in each list.
struct sc_batch_queue {
    struct sc_batch_list lists[SC_PRIORITIES];
    int64_t ageing_ns; // set by the user before the first item
    uint64_t last_ticket;
    int count;
};

void sc_batch_list_append(struct sc_batch_list *list, struct sc_batch_item *item);
void sc_batch_list_remove(struct sc_batch_list *list, struct sc_batch_item *item);

// Gives the item its ticket. The queue does not own items, it links them.
void sc_batch_queue_add(struct sc_batch_queue *queue, struct sc_batch_item *item,
                        int64_t now_ns);
void sc_batch_queue_remove(struct sc_batch_queue *queue, struct sc_batch_item *item);
// The item to be served first, which stays; NULL when empty.
struct sc_batch_item *sc_batch_queue_next(const struct sc_batch_queue *queue, int64_t now_ns);
struct sc_batch_item *sc_batch_queue_find(const struct sc_batch_queue *queue, uint64_t ticket);
struct sc_batch_item *sc_batch_queue_oldest(const struct sc_batch_queue *queue,
                                            uint64_t stream);
// Moves whoever's deadline is not after now_ns to expired. Returns the earliest deadline of those
// left, INT64_MAX for none.
int64_t sc_batch_queue_expire(struct sc_batch_queue *queue, int64_t now_ns,
                              struct sc_batch_list *expired);

// How large a batch may be.
struct sc_batch_limit {
    int64_t target_ns;
    int now;     // the largest batch
    int ceiling; // never more
    int slow;    // size of a run that took too long, where none after it did; 0 = none
};

// Learns from a run of count items.
void sc_batch_limit_learn(struct sc_batch_limit *limit, int count, int64_t took_ns);
// A batch of count items did not fit into memory.
void sc_batch_limit_out_of_memory(struct sc_batch_limit *limit, int count);

// How an item ended.
enum sc_batch_result {
    SC_BATCH_RESULT_OK,
    SC_BATCH_RESULT_FAILED,
    SC_BATCH_RESULT_CANCELLED,
    SC_BATCH_RESULT_EXPIRED,
    SC_BATCH_RESULT_DROPPED,
    SC_BATCH_RESULT_REFUSED,
    SC_BATCH_RESULTS
};

struct sc_batch_meters {
    sc_gauge *depth[SC_PRIORITIES];
    sc_histogram *wait[SC_PRIORITIES];
    sc_counter *items[SC_PRIORITIES][SC_BATCH_RESULTS];
    sc_histogram *size, *run;
    sc_gauge *limit;
    sc_counter *reopened;
};

// Registers the meters of a model; m may be NULL.
void sc_batch_meters_open(struct sc_batch_meters *meters, sc_metrics *m, const char *model);
