#include "http/stream.h"

#include <pthread.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "http/stream_internal.h"

struct chunk {
    STAILQ_ENTRY(chunk) link;
    sc_buf *buf;
};

struct sc_stream {
    sc_ref ref;
    struct sc_stream_params params;
    pthread_mutex_t lock;
    // under lock
    STAILQ_HEAD(chunks, chunk) chunks;
    size_t offset; // bytes of the first chunk already sent
    size_t pending;
    bool ended, failed, gone;
    struct MHD_Connection *waiting; // suspended until something is written
    // owned by the I/O thread
    struct MHD_Connection *conn;
};

sc_stream *sc_stream_new(const struct sc_stream_params *params)
{
    sc_stream *stream = sc_new(sc_stream);
    sc_ref_init(&stream->ref);
    stream->params = *params;
    STAILQ_INIT(&stream->chunks);
    pthread_mutex_init(&stream->lock, NULL);
    return stream;
}

sc_stream *sc_stream_ref(sc_stream *stream)
{
    sc_ref_inc(&stream->ref);
    return stream;
}

static void drop_first(sc_stream *stream)
{
    struct chunk *chunk = STAILQ_FIRST(&stream->chunks);
    STAILQ_REMOVE_HEAD(&stream->chunks, link);
    stream->offset = 0;
    sc_buf_unref(&chunk->buf);
    free(chunk);
}

void sc_stream_unref(sc_stream **pstream)
{
    sc_stream *stream = pstream ? *pstream : NULL;
    if (!stream)
        return;
    *pstream = NULL;
    if (!sc_ref_dec(&stream->ref))
        return;
    while (!STAILQ_EMPTY(&stream->chunks))
        drop_first(stream);
    pthread_mutex_destroy(&stream->lock);
    if (stream->params.release)
        stream->params.release(stream->params.arg);
    free(stream);
}

// Under lock. MHD takes its own lock inside and never calls back from there.
static void wake(sc_stream *stream)
{
    struct MHD_Connection *conn = stream->waiting;
    stream->waiting = NULL;
    if (conn)
        MHD_resume_connection(conn);
}

bool sc_stream_write(sc_stream *stream, sc_buf *buf)
{
    pthread_mutex_lock(&stream->lock);
    bool open = !stream->ended && !stream->gone;
    if (open && buf->size) {
        struct chunk *chunk = sc_new(struct chunk);
        chunk->buf = sc_buf_ref(buf);
        STAILQ_INSERT_TAIL(&stream->chunks, chunk, link);
        stream->pending += buf->size;
        wake(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    return open;
}

bool sc_stream_write_copy(sc_stream *stream, const void *data, size_t size)
{
    sc_buf *buf = sc_buf_new(size);
    if (!buf)
        return false;
    memcpy(buf->data, data, size);
    bool open = sc_stream_write(stream, buf);
    sc_buf_unref(&buf);
    return open;
}

void sc_stream_end(sc_stream *stream, bool failed)
{
    pthread_mutex_lock(&stream->lock);
    stream->ended = true;
    stream->failed |= failed;
    wake(stream);
    pthread_mutex_unlock(&stream->lock);
}

size_t sc_stream_pending(sc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    size_t pending = stream->pending;
    pthread_mutex_unlock(&stream->lock);
    return pending;
}

bool sc_stream_gone(sc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool gone = stream->gone;
    pthread_mutex_unlock(&stream->lock);
    return gone;
}

void sc_stream_attach(sc_stream *stream, struct MHD_Connection *conn)
{
    stream->conn = conn;
}

static size_t take(sc_stream *stream, char *out, size_t max)
{
    size_t done = 0;
    while (done < max && !STAILQ_EMPTY(&stream->chunks)) {
        sc_buf *buf = STAILQ_FIRST(&stream->chunks)->buf;
        size_t left = buf->size - stream->offset, size = left < max - done ? left : max - done;
        memcpy(out + done, buf->data + stream->offset, size);
        stream->offset += size;
        done += size;
        if (size == left)
            drop_first(stream);
    }
    stream->pending -= done;
    return done;
}

static bool idle(sc_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool empty = STAILQ_EMPTY(&stream->chunks) && !stream->ended;
    pthread_mutex_unlock(&stream->lock);
    return empty;
}

ssize_t sc_stream_read(void *arg, uint64_t pos, char *out, size_t max)
{
    (void)pos;
    sc_stream *stream = arg;
    if (idle(stream) && stream->params.drained)
        stream->params.drained(stream->params.arg);
    pthread_mutex_lock(&stream->lock);
    ssize_t ret = (ssize_t)take(stream, out, max);
    if (!ret && stream->ended) {
        ret = stream->failed ? MHD_CONTENT_READER_END_WITH_ERROR
                             : MHD_CONTENT_READER_END_OF_STREAM;
    } else if (!ret) {
        stream->waiting = stream->conn;
        MHD_suspend_connection(stream->conn);
    }
    pthread_mutex_unlock(&stream->lock);
    return ret;
}

void sc_stream_detach(void *arg)
{
    sc_stream *stream = arg;
    pthread_mutex_lock(&stream->lock);
    stream->gone = true;
    stream->waiting = NULL;
    pthread_mutex_unlock(&stream->lock);
    if (stream->params.drained)
        stream->params.drained(stream->params.arg);
    sc_stream_unref(&stream);
}
