// A token bucket a client address.
//
// Memory is fixed: a table of slots, where the bucket longest unused makes room. A client pushed
// out starts with a full bucket again, so crowding helps no one to more than a burst.
//
// Thread-safety: Safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sc_rate sc_rate;

// per_second > 0; burst >= 1.
sc_rate *sc_rate_new(double per_second, double burst);
void sc_rate_free(sc_rate **prate);

// Takes one token for the client. 0, or the seconds (1 or more) after which to try again.
int sc_rate_take(sc_rate *rate, const void *client, size_t size, int64_t now_ns);
