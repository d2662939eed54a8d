// Forms: however a body is cut into pieces, the same comes out of it, or it is refused.
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "fuzz.h"
#include "http/multipart.h"

#define TYPE "multipart/form-data; boundary=XyZ"

static int on_begin(void *arg, const struct sc_multipart_part *part, sc_err *err)
{
    (void)err;
    sc_str_addf(arg, "[%s|%s|%s]", part->name, part->filename ? part->filename : "-",
                part->type);
    return 0;
}

static int on_data(void *arg, const char *data, size_t size, sc_err *err)
{
    (void)err;
    sc_require(size > 0);
    sc_str_addn(arg, data, size);
    return 0;
}

static int on_end(void *arg, sc_err *err)
{
    (void)err;
    sc_str_addc(arg, ';');
    return 0;
}

static const struct sc_multipart_events events = {on_begin, on_data, on_end};

// Pushes pieces of step bytes, each from memory of its own so that overreads show.
static int parse(const char *type, const uint8_t *data, size_t size, size_t step, sc_str *out)
{
    sc_multipart *mp;
    sc_err err = {0};
    int ret = sc_multipart_open(&mp, type, &events, out, &err);
    for (size_t i = 0; !ret && i < size; i += step) {
        size_t n = size - i < step ? size - i : step;
        char *piece = malloc(n);
        memcpy(piece, data + i, n);
        ret = sc_multipart_push(mp, piece, n, &err);
        free(piece);
    }
    if (!ret)
        ret = sc_multipart_finish(mp, &err);
    if (mp)
        sc_multipart_close(&mp);
    sc_require(ret == SC_OK || (ret == SC_EARG && err.text[0]));
    return ret;
}

// The first line may be a Content-Type of its own.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char type[200] = TYPE;
    const uint8_t *line = size ? memchr(data, '\n', size < 150 ? size : 150) : NULL;
    if (line && data[0] == 'm') {
        snprintf(type, sizeof(type), "%.*s", (int)(line - data), (const char *)data);
        size -= (size_t)(line + 1 - data);
        data = line + 1;
    }
    sc_str whole = {0}, pieces = {0};
    int ret = parse(type, data, size, size ? size : 1, &whole);
    static const size_t steps[] = {1, 2, 7, 64};
    for (size_t i = 0; i < SC_COUNT(steps); i++) {
        sc_str_clear(&pieces);
        sc_require(parse(type, data, size, steps[i], &pieces) == ret);
        sc_require(ret || (pieces.len == whole.len &&
                           !memcmp(sc_str_get(&pieces), sc_str_get(&whole), whole.len)));
    }
    sc_str_release(&whole);
    sc_str_release(&pieces);
    return 0;
}
