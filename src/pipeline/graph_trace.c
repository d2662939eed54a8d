// The trace: a file in Chrome's trace format, which Perfetto reads. Steps are written as they end,
// so memory stays what the stream buffers.
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "pipeline/graph_internal.h"

#define DEFAULT_BYTES ((size_t)256 << 20)

struct sc_trace {
    pthread_mutex_t lock;
    // Under lock:
    FILE *file;
    size_t bytes, max_bytes;
};

// "ph": "M" events name things. The lock is held, or nobody else knows the trace.
static void write_name(sc_trace *trace, const char *what, int tid, const char *name)
{
    sc_str quoted = {0};
    sc_str_add_json(&quoted, name);
    int n = fprintf(trace->file,
                    ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"%s\","
                    "\"args\":{\"name\":%s}}",
                    tid, what, sc_str_get(&quoted));
    trace->bytes += n > 0 ? (size_t)n : 0;
    sc_str_release(&quoted);
}

int sc_trace_open(sc_trace **ptrace, const char *path, size_t max_bytes, const char *name,
                  sc_err *err)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return sc_fail(err, SC_EIO, "the trace %s cannot be written: %s", path,
                       strerror(errno));
    sc_trace *trace = sc_new(sc_trace);
    pthread_mutex_init(&trace->lock, NULL);
    trace->file = file;
    trace->max_bytes = max_bytes ? max_bytes : DEFAULT_BYTES;
    // An event that says nothing spares all others the question whether they are the first.
    fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
          "{\"ph\":\"M\",\"pid\":1,\"tid\":0,\"name\":\"process_sort_index\","
          "\"args\":{\"sort_index\":0}}",
          file);
    write_name(trace, "process_name", 0, name);
    *ptrace = trace;
    return SC_OK;
}

void sc_trace_stage(sc_trace *trace, int index, const char *name)
{
    if (!trace)
        return;
    pthread_mutex_lock(&trace->lock);
    write_name(trace, "thread_name", index + 1, name);
    pthread_mutex_unlock(&trace->lock);
}

void sc_trace_step(sc_trace *trace, int index, const char *step, int64_t from_ns, int64_t to_ns)
{
    if (!trace)
        return;
    int64_t dur = to_ns - from_ns;
    pthread_mutex_lock(&trace->lock);
    if (trace->bytes < trace->max_bytes) {
        int n = fprintf(trace->file,
                        ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"name\":\"%s\","
                        "\"ts\":%" PRId64 ".%03d,\"dur\":%" PRId64 ".%03d}",
                        index + 1, step, from_ns / 1000, (int)(from_ns % 1000), dur / 1000,
                        (int)(dur % 1000));
        trace->bytes += n > 0 ? (size_t)n : 0;
    }
    pthread_mutex_unlock(&trace->lock);
}

int sc_trace_close(sc_trace **ptrace)
{
    sc_trace *trace = ptrace ? *ptrace : NULL;
    if (!trace)
        return SC_OK;
    *ptrace = NULL;
    fputs("\n]}\n", trace->file);
    bool bad = ferror(trace->file);
    bad |= fclose(trace->file) != 0;
    pthread_mutex_destroy(&trace->lock);
    free(trace);
    return bad ? SC_EIO : SC_OK;
}
