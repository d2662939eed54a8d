#include "http/gzip.h"

#include <limits.h>

#include <zlib.h>

#define GZIP_WINDOW (15 + 16) // zlib: add 16 for a gzip header

sc_buf *sc_gzip(const void *data, size_t size)
{
    z_stream z = {0};
    if (size > UINT_MAX || deflateInit2(&z, 4, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY))
        return NULL;
    sc_buf *buf = sc_buf_new(size);
    int ret = Z_MEM_ERROR;
    if (buf) {
        z.next_in = (Bytef *)data;
        z.avail_in = (uInt)size;
        z.next_out = buf->data;
        z.avail_out = (uInt)size;
        ret = deflate(&z, Z_FINISH);
        buf->size = size - z.avail_out;
    }
    deflateEnd(&z);
    if (ret != Z_STREAM_END)
        sc_buf_unref(&buf);
    return buf;
}
