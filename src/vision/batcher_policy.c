#include "vision/batcher_internal.h"

void sc_batch_list_append(struct sc_batch_list *list, struct sc_batch_item *item)
{
    item->next = NULL;
    item->prev = list->tail;
    if (list->tail)
        list->tail->next = item;
    else
        list->head = item;
    list->tail = item;
    list->count++;
}

void sc_batch_list_remove(struct sc_batch_list *list, struct sc_batch_item *item)
{
    if (item->prev)
        item->prev->next = item->next;
    else
        list->head = item->next;
    if (item->next)
        item->next->prev = item->prev;
    else
        list->tail = item->prev;
    list->count--;
}

void sc_batch_queue_add(struct sc_batch_queue *queue, struct sc_batch_item *item,
                        int64_t now_ns)
{
    item->ticket = ++queue->last_ticket;
    item->queued_ns = now_ns;
    sc_batch_list_append(&queue->lists[item->request.priority], item);
    queue->count++;
}

void sc_batch_queue_remove(struct sc_batch_queue *queue, struct sc_batch_item *item)
{
    sc_batch_list_remove(&queue->lists[item->request.priority], item);
    queue->count--;
}

// The priority an item is served at: one better for each ageing_ns it has waited.
static int64_t level_of(const struct sc_batch_queue *queue, const struct sc_batch_item *item,
                        int64_t now_ns)
{
    int64_t level =
        (int64_t)item->request.priority - (now_ns - item->queued_ns) / queue->ageing_ns;
    return level > SC_PRIORITY_INTERACTIVE ? level : SC_PRIORITY_INTERACTIVE;
}

struct sc_batch_item *sc_batch_queue_next(const struct sc_batch_queue *queue, int64_t now_ns)
{
    // A list's head is its oldest, hence the best of it at any time.
    struct sc_batch_item *best = NULL;
    int64_t best_level = 0;
    for (int i = 0; i < SC_PRIORITIES; i++) {
        struct sc_batch_item *head = queue->lists[i].head;
        if (!head)
            continue;
        int64_t level = level_of(queue, head, now_ns);
        if (!best || level < best_level ||
            (level == best_level && head->ticket < best->ticket)) {
            best = head;
            best_level = level;
        }
    }
    return best;
}

struct sc_batch_item *sc_batch_queue_find(const struct sc_batch_queue *queue, uint64_t ticket)
{
    for (int i = 0; i < SC_PRIORITIES; i++)
        for (struct sc_batch_item *item = queue->lists[i].head; item; item = item->next)
            if (item->ticket == ticket)
                return item;
    return NULL;
}

struct sc_batch_item *sc_batch_queue_oldest(const struct sc_batch_queue *queue, uint64_t stream)
{
    struct sc_batch_item *oldest = NULL;
    for (int i = 0; i < SC_PRIORITIES; i++) {
        struct sc_batch_item *item = queue->lists[i].head;
        while (item && item->request.stream != stream)
            item = item->next;
        if (item && (!oldest || item->ticket < oldest->ticket))
            oldest = item;
    }
    return oldest;
}

int64_t sc_batch_queue_expire(struct sc_batch_queue *queue, int64_t now_ns,
                              struct sc_batch_list *expired)
{
    int64_t earliest = INT64_MAX;
    for (int i = 0; i < SC_PRIORITIES; i++) {
        struct sc_batch_item *next;
        for (struct sc_batch_item *item = queue->lists[i].head; item; item = next) {
            int64_t deadline_ns = item->request.deadline_ns;
            next = item->next;
            if (!deadline_ns)
                continue;
            if (deadline_ns <= now_ns) {
                sc_batch_queue_remove(queue, item);
                sc_batch_list_append(expired, item);
            } else if (deadline_ns < earliest) {
                earliest = deadline_ns;
            }
        }
    }
    return earliest;
}

// How many items the target has room for if time rises no faster than their number.
static int fitting(const struct sc_batch_limit *limit, int count, int64_t took_ns)
{
    double fit = (double)count * (double)limit->target_ns / (double)(took_ns > 0 ? took_ns : 1);
    return fit < 1 ? 1 : fit > limit->ceiling ? limit->ceiling : (int)fit;
}

void sc_batch_limit_learn(struct sc_batch_limit *limit, int count, int64_t took_ns)
{
    if (took_ns > limit->target_ns) {
        // The first run of a size is slow on most devices (memory, choice of kernels), so one slow
        // run alone changes nothing.
        if (limit->slow)
            limit->now = fitting(limit, count, took_ns);
        limit->slow = limit->slow ? 0 : count;
        return;
    }
    if (count >= limit->slow)
        limit->slow = 0;
    int fit = fitting(limit, count, took_ns);
    if (count == limit->now && fit > count)
        limit->now = fit < 2 * count ? fit : 2 * count;
}

void sc_batch_limit_out_of_memory(struct sc_batch_limit *limit, int count)
{
    if (count > 1) // alone, it says nothing about sizes
        limit->ceiling = count / 2;
    if (limit->now > limit->ceiling)
        limit->now = limit->ceiling;
}
