// Atomic reference counts, to be embedded in shared objects.
//
// Thread-safety: Safe.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

typedef struct sc_ref {
    atomic_int count;
} sc_ref;

static inline void sc_ref_init(sc_ref *ref)
{
    atomic_init(&ref->count, 1);
}

static inline void sc_ref_inc(sc_ref *ref)
{
    atomic_fetch_add_explicit(&ref->count, 1, memory_order_relaxed);
}

// True when the caller held the last reference and must destroy the object. The decrement
// releases, and the last one acquires, so that the destroyer sees every owner's writes.
static inline bool sc_ref_dec(sc_ref *ref)
{
    return atomic_fetch_sub_explicit(&ref->count, 1, memory_order_acq_rel) == 1;
}

// Whether the caller's reference is the only one: what it refers to may then be changed.
static inline bool sc_ref_is_unique(sc_ref *ref)
{
    return atomic_load_explicit(&ref->count, memory_order_acquire) == 1;
}
