// Questions to an index, and opening one for a file.
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "media/index_internal.h"

#define MAX_DECIMALS 15
#define MAX_SECONDS  INT64_C(10000000000) // 300 years

const struct sc_index_info *sc_index_get_info(const sc_index *ix)
{
    return &ix->info;
}

static const struct sc_frame_rec *frame_at(const sc_index *ix, int64_t n)
{
    sc_require(n >= 0 && n < ix->header->frames);
    return &ix->frames[n];
}

const AVCodecParameters *sc_index_codecpar(const sc_index *ix)
{
    return ix->par;
}

int64_t sc_index_ticks(const sc_index *ix, int64_t n)
{
    return frame_at(ix, n)->ticks;
}

int64_t sc_index_frame_packet(const sc_index *ix, int64_t n)
{
    return frame_at(ix, n)->packet;
}

uint64_t sc_index_hash(const sc_index *ix, int64_t n)
{
    sc_require(n >= 0 && n < ix->header->frames);
    return ix->hashes ? ix->hashes[n] : 0;
}

bool sc_index_differs(const sc_index *ix, int64_t n)
{
    return frame_at(ix, n)->flags & SC_FRAME_DIFFERS;
}

bool sc_index_is_key(const sc_index *ix, int64_t n)
{
    return ix->packets[frame_at(ix, n)->packet].flags & SC_PACKET_KEY;
}

int64_t sc_index_pts_ns(const sc_index *ix, int64_t n)
{
    return av_rescale_q(sc_index_ticks(ix, n), ix->info.time_base, (AVRational){1, 1000000000});
}

struct sc_packet_info sc_index_packet(const sc_index *ix, int64_t packet)
{
    sc_require(packet >= 0 && packet < ix->header->packets);
    const struct sc_packet_rec *p = &ix->packets[packet];
    return (struct sc_packet_info){p->pos, p->size, p->frame, p->crc, (uint8_t)p->flags};
}

struct sc_entry_info sc_index_entry(const sc_index *ix, int64_t entry)
{
    sc_require(entry >= 0 && entry < ix->header->entries);
    const struct sc_entry_rec *e = &ix->entries[entry];
    int64_t end = entry + 1 < ix->header->entries ? e[1].packet : ix->header->packets;
    return (struct sc_entry_info){e->packet, e->first_exact, end};
}

int64_t sc_index_entry_for(const sc_index *ix, int64_t n)
{
    int64_t low = 0, high = ix->header->entries, packet = frame_at(ix, n)->packet;
    while (high - low > 1) {
        int64_t mid = (low + high) / 2;
        if (ix->entries[mid].first_exact <= n)
            low = mid;
        else
            high = mid;
    }
    while (low > 0 && ix->entries[low].packet > packet)
        low--;
    return low;
}

// --- time -------------------------------------------------------------------------------------

// Decimal text as units / 10^decimals. Digits behind the fifteenth decimal are cut.
static bool parse_decimal(const char *t, __int128 *units, int *decimals)
{
    bool point = false, digits = false;
    *units = 0;
    *decimals = 0;
    for (; *t; t++) {
        if (*t == '.' && !point) {
            point = true;
            continue;
        }
        if (*t < '0' || *t > '9')
            return false;
        digits = true;
        if (point && *decimals == MAX_DECIMALS)
            continue;
        if (!point && *units > MAX_SECONDS)
            continue; // far beyond any video: stays that large
        *units = *units * 10 + (*t - '0');
        *decimals += point;
    }
    return digits;
}

static int64_t last_at(const sc_index *ix, int64_t ticks)
{
    int64_t low = 0, high = ix->header->frames;
    while (high - low > 1) {
        int64_t mid = (low + high) / 2;
        if (ix->frames[mid].ticks <= ticks)
            low = mid;
        else
            high = mid;
    }
    return low;
}

int sc_index_find_time(const sc_index *ix, const char *t, int64_t *n)
{
    __int128 units, power = 1;
    int decimals;
    if (!parse_decimal(t, &units, &decimals))
        return SC_EARG;
    for (int i = 0; i < decimals; i++)
        power *= 10;
    if (units > MAX_SECONDS * power)
        return SC_ERANGE;
    // units / power seconds are units * den / (power * num) ticks.
    __int128 above = units * ix->info.time_base.den, below = power * ix->info.time_base.num;
    if (above / below >= ix->info.duration_ticks)
        return SC_ERANGE;
    *n = last_at(ix, (int64_t)((2 * above + below) / (2 * below)));
    return SC_OK;
}

// Enough decimals that rounding stays below a quarter of a tick, without trailing zeros;
// rounded up where the result must not lie before the end.
static char *format_ticks(const sc_index *ix, int64_t ticks, bool up, char *buf, size_t size)
{
    AVRational tb = ix->info.time_base;
    __int128 power = 1;
    int decimals = 0;
    while (decimals < MAX_DECIMALS && (decimals < 6 || power * tb.num < (__int128)4 * tb.den)) {
        power *= 10;
        decimals++;
    }
    __int128 value =
        ((__int128)ticks * tb.num * power * 2 + (up ? 2 * (__int128)tb.den - 1 : tb.den)) /
        (2 * (__int128)tb.den);
    int64_t whole = (int64_t)(value / power), part = (int64_t)(value % power);
    int used = snprintf(buf, size, "%" PRId64 ".%0*" PRId64, whole, decimals, part);
    if (used < 0 || (size_t)used >= size)
        return buf;
    while (used > 0 && buf[used - 1] == '0' && buf[used - 2] != '.')
        buf[--used] = 0;
    return buf;
}

char *sc_index_format_time(const sc_index *ix, int64_t n, char *buf, size_t size)
{
    return format_ticks(ix, sc_index_ticks(ix, n), false, buf, size);
}

char *sc_index_format_duration(const sc_index *ix, char *buf, size_t size)
{
    return format_ticks(ix, ix->info.duration_ticks, true, buf, size);
}

// --- opening ----------------------------------------------------------------------------------

static bool same_file(const sc_index *ix, const struct stat *st)
{
    return ix->info.file_size == st->st_size &&
           ix->header->mtime_ns ==
               (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static bool same_content(const sc_index *a, const sc_index *b)
{
    return !memcmp(a->header->content_hash, b->header->content_hash, 16) &&
           a->header->packets == b->header->packets;
}

int sc_index_open(sc_index **pix, const char *path, const char *index_path,
                  const struct sc_index_params *params, bool *built, sc_err *err)
{
    struct stat st;
    sc_index *old = NULL, *fresh = NULL;
    sc_err ignored = {0};
    *pix = NULL;
    *built = false;
    if (stat(path, &st) < 0)
        return sc_fail(err, sc_error_from_errno(errno), "%s: %s", path, strerror(errno));
    if (sc_index_load(&old, index_path, &ignored) >= 0 && same_file(old, &st)) {
        *pix = old;
        return SC_OK;
    }
    int ret = sc_index_build(&fresh, path, params, err);
    if (ret >= 0 && old && old->hashes && !fresh->hashes && same_content(old, fresh)) {
        // Only the file's date has changed: what a verification has found still holds.
        sc_index *kept = NULL;
        if (sc_index_restamp(&kept, old, fresh->header->mtime_ns) >= 0) {
            sc_index_unref(&fresh);
            fresh = kept;
        }
    }
    sc_index_unref(&old);
    if (ret >= 0) {
        *built = true;
        ret = sc_index_save(fresh, index_path, err);
    }
    if (ret < 0)
        sc_index_unref(&fresh);
    *pix = fresh;
    return ret;
}
