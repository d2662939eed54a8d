// The queue of a live output: never blocks, and drops whole stretches up to a keyframe.
#include "base/mem.h"
#include "media/live_output_internal.h"

int sc_output_queue_init(struct sc_output_queue *q, int max_items, size_t max_bytes,
                         int64_t *drops)
{
    *q = (struct sc_output_queue){
        .max_items = max_items, .max_bytes = max_bytes, .need_key = true, .drops = drops};
    q->items = sc_try_calloc((size_t)max_items, sizeof(*q->items));
    return q->items ? SC_OK : SC_ENOMEM;
}

void sc_output_queue_release(struct sc_output_queue *q)
{
    sc_output_queue_clear(q);
    free(q->items);
    q->items = NULL;
}

static sc_packet *at(const struct sc_output_queue *q, int i)
{
    return q->items[(q->first + i) % q->max_items];
}

static bool is_key(const sc_packet *packet)
{
    return packet->media == SC_MEDIA_VIDEO && packet->key;
}

sc_packet *sc_output_queue_get(struct sc_output_queue *q)
{
    if (!q->count)
        return NULL;
    sc_packet *packet = at(q, 0);
    q->first = (q->first + 1) % q->max_items;
    q->count--;
    q->bytes -= packet->bytes;
    return packet;
}

static void drop(struct sc_output_queue *q, sc_packet *packet)
{
    *q->drops += packet->media == SC_MEDIA_VIDEO;
    sc_packet_unref(&packet);
}

void sc_output_queue_clear(struct sc_output_queue *q)
{
    while (q->count)
        drop(q, sc_output_queue_get(q));
    q->need_key = true;
}

static void append(struct sc_output_queue *q, sc_packet *packet)
{
    q->items[(q->first + q->count++) % q->max_items] = packet;
    q->bytes += packet->bytes;
}

// Drops pictures before the i-th packet, a keyframe, and sound that is older than it. Sound may be
// ahead of its picture in the queue, which takes longer on its way here.
static void cut_to(struct sc_output_queue *q, int i)
{
    const sc_packet *key = at(q, i);
    for (int n = 0, count = q->count; n < count; n++) {
        sc_packet *packet = sc_output_queue_get(q);
        bool before = packet->media == SC_MEDIA_VIDEO ? n < i : packet->pts_ns < key->dts_ns;
        if (before)
            drop(q, packet);
        else
            append(q, packet);
    }
}

// The first (last) keyframe from the i-th packet on, -1 = none.
static int find_key(const struct sc_output_queue *q, int from, bool last)
{
    int found = -1;
    for (int i = from; i < q->count && (last || found < 0); i++)
        found = is_key(at(q, i)) ? i : found;
    return found;
}

static int first_picture(const struct sc_output_queue *q)
{
    int i = 0;
    while (i < q->count && at(q, i)->media != SC_MEDIA_VIDEO)
        i++;
    return i;
}

static bool full(const struct sc_output_queue *q, size_t bytes)
{
    return q->count == q->max_items || (q->count && q->bytes + bytes > q->max_bytes);
}

bool sc_output_queue_put(struct sc_output_queue *q, sc_packet *packet)
{
    bool was_needed = q->need_key;
    while (full(q, packet->bytes)) {
        int next = find_key(q, first_picture(q) + 1, false);
        if (next >= 0)
            cut_to(q, next);
        else
            sc_output_queue_clear(q);
    }
    if (is_key(packet))
        q->need_key = false;
    if (packet->media == SC_MEDIA_VIDEO && q->need_key)
        ++*q->drops;
    else
        append(q, sc_packet_ref(packet));
    return !q->need_key || was_needed;
}

bool sc_output_queue_start(struct sc_output_queue *q, bool newest, int64_t *zero_ns)
{
    int key = find_key(q, 0, newest);
    if (key < 0)
        return false;
    *zero_ns = at(q, key)->dts_ns;
    cut_to(q, key);
    return true;
}
