#include "base/buf.h"

#include <stdlib.h>

#include "base/mem.h"

sc_buf *sc_buf_new(size_t size)
{
    void *data = malloc(size ? size : 1);
    sc_buf *buf = data ? sc_buf_wrap(data, size, NULL) : NULL;
    if (!buf)
        free(data);
    return buf;
}

sc_buf *sc_buf_wrap(void *data, size_t size, void (*release)(void *))
{
    sc_buf *buf = sc_try_calloc(1, sizeof(*buf));
    if (!buf)
        return NULL;
    sc_ref_init(&buf->ref);
    buf->data = data;
    buf->size = size;
    buf->release = release ? release : free;
    return buf;
}

sc_buf *sc_buf_ref(sc_buf *buf)
{
    if (buf)
        sc_ref_inc(&buf->ref);
    return buf;
}

void sc_buf_unref(sc_buf **pbuf)
{
    sc_buf *buf = pbuf ? *pbuf : NULL;
    if (!buf)
        return;
    *pbuf = NULL;
    if (!sc_ref_dec(&buf->ref))
        return;
    buf->release(buf->data);
    free(buf);
}
