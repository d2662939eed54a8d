// XXH3 by the fastest instructions this processor has, chosen at run time.
//
// Include this instead of <xxhash.h>: the names are the same, and so are the hashes.
#pragma once

#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif
