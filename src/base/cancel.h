// Cancel tokens: a one-way flag, with parents and a pollable descriptor.
//
// Cancelling a token cancels its children. Work polls sc_cancel_requested() at each packet or
// block; a NULL token is never cancelled.
//
// Thread-safety: Safe. A parent must outlive its children.
#pragma once

#include <stdbool.h>

typedef struct sc_cancel sc_cancel;

sc_cancel *sc_cancel_new(sc_cancel *parent); // parent may be NULL
void sc_cancel_free(sc_cancel **pcancel);

void sc_cancel_request(sc_cancel *cancel); // idempotent; NULL does nothing
bool sc_cancel_requested(const sc_cancel *cancel);

// Calls fn(arg) once, when the token is cancelled, on the thread that cancels it; at once where it is
// cancelled already. fn may set a flag and signal; it must not block and calls nothing of this header.
// One a token; NULL takes it away, and waits for a call under way.
void sc_cancel_on_request(sc_cancel *cancel, void (*fn)(void *arg), void *arg);

// An eventfd that is readable once cancelled, made on first use; -1 for NULL or when out of
// descriptors. It stays the token's.
int sc_cancel_fd(sc_cancel *cancel);
