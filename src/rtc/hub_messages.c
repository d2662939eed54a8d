// What viewers are told of each picture, on their data channels. A channel opens some round trips after the first
// pictures were sent, so what was to be said of them is kept until then.
#include "base/mem.h"
#include "rtc/hub_internal.h"
#include "vision/report.h"

#define MOST_AT_ONCE (32 << 10) // bytes: what waits in a channel keeps the next message from it

static void add_detections(sc_str *text, const struct sc_live_sample *sample)
{
    const struct sc_live_model *model = sample->model;
    const sc_detections *found = sample->found;
    bool first = true;
    sc_str_add(text, ",\"detections\":[");
    for (int i = 0; found && i < found->count; i++) {
        const struct sc_detection *item = &found->items[i];
        if (item->score < sample->threshold && !item->track)
            continue;
        if (!first)
            sc_str_addc(text, ',');
        sc_report_add_detection(text, item, model->labels, model->classes);
        first = false;
    }
    sc_str_addc(text, ']');
}

static void describe(sc_str *text, const struct sc_live_sample *sample, uint32_t timestamp)
{
    double age = (double)(sample->ready_ns - sample->arrival_ns) / 1e6;
    sc_str_clear(text);
    sc_str_addf(text, "{\"rtp\":%u,\"n\":%lld,\"t\":%.6g,\"age_ms\":%.1f", timestamp,
                (long long)sample->n, (double)sample->pts_ns / 1e9, age);
    if (sample->model && sample->model->batcher) {
        sc_str_addf(text, ",\"width\":%d,\"height\":%d,\"detected\":%s", sample->source_width,
                    sample->source_height, sample->detected ? "true" : "false");
        if (sample->wide_width)
            sc_str_addf(text, ",\"crop\":[%.1f,%.1f,%.1f,%.1f],\"crop_of\":[%d,%d]",
                        (double)sample->crop.x, (double)sample->crop.y, (double)sample->crop.w,
                        (double)sample->crop.h, sample->wide_width, sample->wide_height);
        add_detections(text, sample);
    }
    sc_str_addc(text, '}');
}

// back: how many are newer.
static struct sc_hub_message *message(struct sc_hub_rung *rung, unsigned back)
{
    return &rung->messages[(rung->messages_made - 1 - back) % SC_HUB_MESSAGES];
}

void sc_hub_describe(struct sc_hub_rung *rung, const struct sc_live_sample *sample,
                     uint32_t timestamp)
{
    rung->messages_made++;
    struct sc_hub_message *made = message(rung, 0);
    made->timestamp = timestamp;
    describe(&made->text, sample, timestamp);
}

void sc_hub_tell(sc_rtc_viewer *viewer)
{
    struct sc_hub_rung *rung = &viewer->hub->rungs[viewer->rung];
    unsigned count = 0;
    size_t bytes = 0;
    if (!viewer->listening)
        return;
    for (; count < SC_HUB_MESSAGES && count < rung->messages_made; count++) {
        const struct sc_hub_message *m = message(rung, count);
        bytes += m->text.len;
        if ((int32_t)(m->timestamp - viewer->told_until) <= 0 ||
            (count && bytes > MOST_AT_ONCE))
            break;
    }
    viewer->told_until = viewer->timestamp;
    while (count-- > 0) {
        const sc_str *text = &message(rung, count)->text;
        sc_rtc_peer_send_text(viewer->peer, text->s, text->len);
    }
}

void sc_hub_begin(sc_rtc_viewer *viewer, uint32_t timestamp)
{
    if (viewer->begun)
        return;
    viewer->begun = true;
    viewer->told_until = timestamp - 1;
}

void sc_hub_release_messages(struct sc_hub_rung *rung)
{
    for (size_t i = 0; i < SC_COUNT(rung->messages); i++)
        sc_str_release(&rung->messages[i].text);
}
