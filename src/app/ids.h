// Ids of resources: [A-Za-z0-9_-]{1,64}, given by users or made.
//
// Thread-safety: Safe.
#pragma once

#include <stdbool.h>

#include "base/error.h"

bool sc_id_valid(const char *id);
// One that nobody guesses: 12 letters and digits that are not mixed up. SC_EIO.
int sc_id_random(char id[65], sc_err *err);
