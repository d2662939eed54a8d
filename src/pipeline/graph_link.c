// Links: bounded queues with a rule for when they are full.
#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/graph_internal.h"

static void bag_add(struct sc_bag *bag, void *data)
{
    if (bag->count == bag->capacity) {
        bag->capacity = bag->capacity ? bag->capacity * 2 : 16;
        bag->data = sc_xrealloc(bag->data, bag->capacity * sizeof(*bag->data));
    }
    bag->data[bag->count++] = data;
}

void sc_bag_empty(struct sc_bag *bag, const struct sc_item_type *type)
{
    for (size_t i = 0; i < bag->count; i++)
        type->unref(bag->data[i]);
    free(bag->data);
    *bag = (struct sc_bag){0};
}

// Its bound may be passed, so the ring grows.
static void grow(sc_link *link)
{
    size_t capacity = link->capacity ? link->capacity * 2 : 8;
    struct sc_slot *slots = sc_xcalloc(capacity, sizeof(*slots));
    for (size_t i = 0; i < link->count; i++)
        slots[i] = link->slots[(link->head + i) % link->capacity];
    free(link->slots);
    link->slots = slots;
    link->capacity = capacity;
    link->head = 0;
}

static void added(sc_link *link, const struct sc_slot *slot)
{
    link->count++;
    link->bytes += slot->bytes;
    if (link->count > link->most)
        link->most = link->count;
}

static void append(sc_link *link, struct sc_slot slot)
{
    if (link->count == link->capacity)
        grow(link);
    link->slots[(link->head + link->count) % link->capacity] = slot;
    added(link, &slot);
}

static struct sc_slot remove_first(sc_link *link)
{
    struct sc_slot slot = link->slots[link->head];
    link->head = (link->head + 1) % link->capacity;
    link->count--;
    link->bytes -= slot.bytes;
    return slot;
}

struct sc_slot sc_link_take(sc_link *link)
{
    link->taken++;
    return remove_first(link);
}

void sc_link_put_back(sc_link *link, struct sc_slot slot)
{
    if (link->count == link->capacity)
        grow(link);
    link->head = (link->head + link->capacity - 1) % link->capacity;
    link->slots[link->head] = slot;
    link->taken--;
    added(link, &slot);
}

static void drop(sc_link *link, enum sc_drop reason, struct sc_slot slot, struct sc_bag *bag)
{
    link->dropped[reason]++;
    bag_add(bag, slot.item.data);
}

void sc_link_drain(sc_link *link, struct sc_bag *bag)
{
    while (link->count)
        drop(link, link->close_reason, remove_first(link), bag);
}

void sc_link_close(sc_link *link, enum sc_drop reason)
{
    if (link->closed)
        return;
    link->closed = true;
    link->close_reason = reason;
}

bool sc_link_full(const sc_link *link, size_t times)
{
    if (link->closed || !link->count)
        return false;
    return link->count / times >= link->max_items ||
           (link->max_bytes && link->bytes / times >= link->max_bytes);
}

static bool would_overflow(const sc_link *link, size_t bytes)
{
    return sc_link_full(link, 1) ||
           (link->count && link->max_bytes && bytes > link->max_bytes - link->bytes);
}

// Whether the item is refused, after making room as the link's rule says.
static bool refuses(sc_link *link, size_t bytes, bool entry, struct sc_bag *bag)
{
    switch (link->policy) {
    case SC_LINK_WAIT:
        return false;
    case SC_LINK_DROP_OLDEST:
        while (would_overflow(link, bytes))
            drop(link, SC_DROP_OLDEST, remove_first(link), bag);
        return false;
    case SC_LINK_DROP_NEWEST:
        return would_overflow(link, bytes);
    case SC_LINK_DROP_GROUP:
        if (would_overflow(link, bytes)) {
            while (link->count)
                drop(link, SC_DROP_GROUP, remove_first(link), bag);
            link->skipping = true;
        }
        link->skipping = link->skipping && !entry;
        return link->skipping;
    }
    return false;
}

void sc_link_offer(sc_link *link, struct sc_slot slot, bool entry, struct sc_bag *bag)
{
    link->offered++;
    if (link->closed)
        drop(link, link->close_reason, slot, bag);
    else if (refuses(link, slot.bytes, entry, bag))
        drop(link, link->policy == SC_LINK_DROP_GROUP ? SC_DROP_GROUP : SC_DROP_NEWEST, slot,
             bag);
    else
        append(link, slot);
}

void sc_link_free(sc_link *link)
{
    free(link->slots);
    free(link);
}

// --- emitting ---------------------------------------------------------------------------------

// The lock is held; data carries a reference for each link.
static void offer_all(sc_stage *stage, int out, struct sc_slot slot, bool entry,
                      struct sc_bag *bag)
{
    stage->emitted++;
    if (!stage->in_count)
        stage->pts_ns = slot.item.pts_ns;
    for (sc_link *link = stage->out[out]; link; link = link->next_of_out)
        sc_link_offer(link, slot, entry, bag);
    for (sc_link *link = stage->out[out]; link; link = link->next_of_out)
        sc_stage_consider(link->to);
    if (!stage->out[out]) {
        stage->dropped[SC_DROP_UNWANTED]++;
        bag_add(bag, slot.item.data);
    }
}

void sc_stage_emit(sc_stage *stage, int out, struct sc_item item)
{
    sc_require(out >= 0 && out < stage->out_count && item.data);
    const struct sc_item_type *type = stage->out_types[out];
    if (!item.born_ns)
        item.born_ns = sc_clock_now();
    struct sc_slot slot = {.item = item, .bytes = type->bytes ? type->bytes(item.data) : 0};
    bool entry = !type->is_entry || type->is_entry(item.data);
    // One reference a link, all taken before the first reader can give its own back.
    sc_link *first = stage->out[out];
    for (sc_link *link = first ? first->next_of_out : NULL; link; link = link->next_of_out)
        type->ref(item.data);
    struct sc_bag bag = {0};
    pthread_mutex_lock(&stage->graph->lock);
    offer_all(stage, out, slot, entry, &bag);
    pthread_mutex_unlock(&stage->graph->lock);
    sc_bag_empty(&bag, type);
}

bool sc_stage_wanted(sc_stage *stage, int out)
{
    sc_require(out >= 0 && out < stage->out_count);
    bool wanted = false;
    pthread_mutex_lock(&stage->graph->lock);
    for (sc_link *link = stage->out[out]; link; link = link->next_of_out)
        wanted |= !link->closed;
    pthread_mutex_unlock(&stage->graph->lock);
    return wanted;
}
