// Memory helpers: small allocations abort, sized-by-input ones do not.
//
// sc_x*() are for objects whose size the program chose; they never return NULL (they log the
// size and abort). Whatever the outside world sizes (frames, bodies, tables) goes through
// sc_try_*(), which checks for overflow and returns NULL.
//
// Thread-safety: Safe.
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define SC_COUNT(a) (sizeof(a) / sizeof((a)[0]))

// Zeroed; aborts when memory is out. Free with free().
void *sc_xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *sc_xrealloc(void *ptr, size_t size) __attribute__((returns_nonnull));
char *sc_xstrdup(const char *s) __attribute__((malloc, returns_nonnull));

// Zeroed, or NULL on overflow or when memory is out. count or size 0 gives a valid pointer.
void *sc_try_calloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));
// As realloc for count * size bytes; NULL leaves ptr valid.
void *sc_try_realloc(void *ptr, size_t count, size_t size) __attribute__((warn_unused_result));

#define sc_new(type) ((type *)sc_xcalloc(1, sizeof(type)))

// Caller bugs end here: prints the expression and aborts. Never for outside input.
#define sc_require(expr) ((expr) ? (void)0 : sc_require_failed(#expr, __FILE__, __LINE__))
_Noreturn void sc_require_failed(const char *expr, const char *file, int line);
