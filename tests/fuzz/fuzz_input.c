// Uploaded files: any bytes are refused with a reason or make an index that holds together.
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libavutil/log.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fuzz.h"
#include "media/index_internal.h"
#include "media/source.h"

#define MAX_SECONDS 15

static void write_all(int fd, const uint8_t *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        sc_require(n > 0);
        data += n;
        size -= (size_t)n;
    }
}

// What was built is what the checks of a loaded index demand, and its packets can be read again.
static void check(sc_index *ix, const char *path)
{
    sc_index *parsed = NULL;
    sc_err err = {0};
    sc_require(sc_index_parse(&parsed, ix->header, ix->header->total_size, &err) == SC_OK);
    sc_index_unref(&parsed);
    sc_source *src = sc_source_open(ix, path);
    AVPacket *pkt = av_packet_alloc();
    for (int64_t k = sc_index_get_info(ix)->packets - 1; k >= 0; k -= 1 + k / 4) {
        int ret = sc_source_read(src, k, pkt, &err);
        sc_require(ret == SC_OK || ret == SC_ESTALE);
        sc_require(ret != SC_OK || pkt->pts == k);
        err = (sc_err){0};
    }
    av_packet_free(&pkt);
    sc_source_close(&src);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    sc_index *ix = NULL;
    sc_err err = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    sc_require(fd >= 0);
    av_log_set_level(AV_LOG_QUIET);
    write_all(fd, data, size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int64_t start = sc_clock_now();
    const struct sc_index_params params = {.threads = 1, .max_packets = 2000};
    int ret = sc_index_build(&ix, path, &params, &err);
    sc_require(ret == SC_OK ? ix != NULL : !ix && err.text[0]);
    if (ret == SC_OK)
        check(ix, path);
    sc_require(sc_clock_now() - start < MAX_SECONDS * SC_NS_PER_S);
    sc_index_unref(&ix);
    close(fd);
    return 0;
}
