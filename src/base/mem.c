#include "base/mem.h"

#include <stdint.h>
#include <string.h>

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "saccade: out of memory allocating %zu bytes\n", size);
    abort();
}

void *sc_xcalloc(size_t count, size_t size)
{
    void *p = sc_try_calloc(count, size);
    if (!p)
        out_of_memory(count * size);
    return p;
}

void *sc_xrealloc(void *ptr, size_t size)
{
    void *p = realloc(ptr, size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

char *sc_xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;
    return memcpy(sc_xcalloc(1, size), s, size);
}

void *sc_try_calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total) || total > PTRDIFF_MAX)
        return NULL; // here, because sanitizers' calloc aborts instead
    return total ? calloc(count, size) : calloc(1, 1);
}

void *sc_try_realloc(void *ptr, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total) || total > PTRDIFF_MAX)
        return NULL;
    return realloc(ptr, total ? total : 1);
}

_Noreturn void sc_require_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "saccade: %s:%d: broken requirement: %s\n", file, line, expr);
    abort();
}
