// Saved indexes: any bytes are refused or make an index whose every answer is safe, even when
// whoever damaged them has mended size, version and checksum.
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"
#include "fuzz.h"
#include "media/index_internal.h"

#define CHECKED_FROM (offsetof(struct sc_index_header, checksum) + sizeof(uint64_t))

static void mend(uint8_t *data, size_t size)
{
    struct sc_index_header *h = (void *)data;
    memcpy(h->magic, SC_INDEX_MAGIC, sizeof(h->magic));
    h->version = SC_INDEX_VERSION;
    h->header_size = sizeof(*h);
    h->total_size = size;
    h->checksum = XXH3_64bits(data + CHECKED_FROM, size - CHECKED_FROM);
}

static void ask_frame(const sc_index *ix, int64_t n)
{
    const struct sc_index_info *info = sc_index_get_info(ix);
    struct sc_entry_info e = sc_index_entry(ix, sc_index_entry_for(ix, n));
    char text[64];
    int64_t found = -1;
    sc_require(e.packet <= sc_index_frame_packet(ix, n) && e.first_exact <= n);
    sc_require(e.packet < e.end && e.end <= info->packets);
    sc_require(sc_index_packet(ix, sc_index_frame_packet(ix, n)).frame == n);
    sc_require(sc_index_pts_ns(ix, n) >= 0);
    sc_index_format_time(ix, n, text, sizeof(text));
    sc_require(sc_index_find_time(ix, text, &found) == SC_OK && found == n);
    sc_index_hash(ix, n);
    sc_index_differs(ix, n);
    sc_index_is_key(ix, n);
}

static void ask_all(const sc_index *ix, const uint8_t *data, size_t size)
{
    const struct sc_index_info *info = sc_index_get_info(ix);
    char text[64];
    int64_t n;
    sc_require(info->display_width > 0 && info->display_height > 0);
    for (int64_t i = 0; i < info->frames; i++)
        ask_frame(ix, i);
    for (int64_t i = 0; i < info->packets; i++)
        sc_require(sc_index_packet(ix, i).frame < info->frames);
    sc_index_format_duration(ix, text, sizeof(text));
    sc_require(sc_index_find_time(ix, text, &n) == SC_ERANGE);
    snprintf(text, sizeof(text), "%.*s", size < 40 ? (int)size : 40, (const char *)data);
    if (sc_index_find_time(ix, text, &n) == SC_OK)
        sc_require(n >= 0 && n < info->frames);
}

static void parse(const uint8_t *data, size_t size)
{
    sc_index *ix = NULL, *copy = NULL;
    sc_err err = {0};
    int ret = sc_index_parse(&ix, data, size, &err);
    sc_require(ret == SC_OK || ((ret == SC_EDATA || ret == SC_ESTALE) && err.text[0] && !ix));
    if (ret == SC_OK) {
        ask_all(ix, data, size);
        sc_require(sc_index_restamp(&copy, ix, 1) == SC_OK);
        sc_require(copy->header->total_size == size);
        sc_index_unref(&copy);
    }
    sc_index_unref(&ix);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1); // aligned, and exactly as large
    memcpy(copy, data, size);
    parse(copy, size);
    if (size >= sizeof(struct sc_index_header)) {
        mend(copy, size);
        parse(copy, size);
    }
    free(copy);
    return 0;
}
