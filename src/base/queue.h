// A bounded FIFO between threads, bounded in items and in bytes.
//
// An item larger than the whole byte budget is let in alone, so that nothing can hang for ever.
// Closing from the writing side lets readers drain what is left, then gives SC_EEOF; closing
// from the reading side makes pushes fail at once.
//
// Thread-safety: Safe; any number of writers and readers.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"

typedef struct sc_queue sc_queue;

struct sc_queue_params {
    size_t max_items;         // 0 = 16
    size_t max_bytes;         // 0 = unlimited
    void (*drop)(void *item); // frees an item left behind at sc_queue_free(); NULL = leak-free
};

sc_queue *sc_queue_new(const struct sc_queue_params *params); // never NULL
void sc_queue_free(sc_queue **pqueue); // no thread may be inside; drops what is left

// Blocks while full, at most timeout_ms (< 0 = for ever, 0 = not at all).
// SC_OK: the queue owns item. Otherwise item is untouched: SC_EAGAIN (full when timeout_ms is 0),
// SC_ETIMEOUT, SC_EEOF (closed by either side).
int sc_queue_push(sc_queue *queue, void *item, size_t bytes, int timeout_ms);

// Blocks while empty, likewise. SC_OK: *item is the caller's. SC_EEOF: closed and drained.
int sc_queue_pop(sc_queue *queue, void **item, int timeout_ms);

void sc_queue_finish(sc_queue *queue); // writers are done; readers drain
void sc_queue_abort(sc_queue *queue);  // readers are done; items left are dropped

size_t sc_queue_count(sc_queue *queue); // items now
size_t sc_queue_bytes(sc_queue *queue); // bytes now
