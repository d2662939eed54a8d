#include "pipeline/rung_wait.h"

#include <stdlib.h>

#include "base/mem.h"

static void drop_finding(struct sc_rung_wait *wait)
{
    sc_detections_unref(&wait->findings[wait->first_finding].found);
    wait->first_finding = (wait->first_finding + 1) % SC_RUNG_WAIT_FINDINGS;
    wait->finding_count--;
}

static bool is_full(const struct sc_rung_wait *wait)
{
    return wait->count == SC_RUNG_WAIT_PICTURES || wait->bytes > SC_RUNG_WAIT_BYTES;
}

void sc_rung_wait_put(struct sc_rung_wait *wait, const struct sc_live_sample *sample)
{
    sc_require(wait->count < SC_RUNG_WAIT_PICTURES);
    if (!wait->pictures)
        wait->pictures = sc_xcalloc(SC_RUNG_WAIT_PICTURES, sizeof(*wait->pictures));
    struct sc_live_sample *to =
        &wait->pictures[(wait->first + wait->count++) % SC_RUNG_WAIT_PICTURES];
    *to = *sample;
    sc_packet_ref(to->packet);
    to->found = NULL;
    to->detected = false;
    wait->bytes += to->packet->bytes;
}

void sc_rung_wait_find(struct sc_rung_wait *wait, int64_t pts_ns, sc_detections *found,
                       bool detected)
{
    if (wait->finding_count == SC_RUNG_WAIT_FINDINGS)
        drop_finding(wait);
    size_t at = (wait->first_finding + wait->finding_count++) % SC_RUNG_WAIT_FINDINGS;
    wait->findings[at] =
        (struct sc_rung_finding){.pts_ns = pts_ns,
                                 .found = found ? sc_detections_ref(found) : NULL,
                                 .detected = detected};
}

// The finding of this pts or, where that is missing, a later one. NULL: it is still to come.
static struct sc_rung_finding *finding_for(struct sc_rung_wait *wait, int64_t pts_ns)
{
    while (wait->finding_count && wait->findings[wait->first_finding].pts_ns < pts_ns)
        drop_finding(wait);
    return wait->finding_count ? &wait->findings[wait->first_finding] : NULL;
}

bool sc_rung_wait_take(struct sc_rung_wait *wait, bool all, struct sc_live_sample *sample)
{
    if (!wait->count)
        return false;
    struct sc_live_sample *head = &wait->pictures[wait->first];
    struct sc_rung_finding *finding = finding_for(wait, head->pts_ns);
    if (!finding && !all && !is_full(wait))
        return false;
    if (finding && finding->pts_ns == head->pts_ns) {
        head->found = finding->found ? sc_detections_ref(finding->found) : NULL;
        head->detected = finding->detected;
        drop_finding(wait);
    }
    *sample = *head;
    wait->bytes -= head->packet->bytes;
    wait->first = (wait->first + 1) % SC_RUNG_WAIT_PICTURES;
    wait->count--;
    return true;
}

void sc_rung_wait_clear(struct sc_rung_wait *wait)
{
    struct sc_live_sample sample;
    while (sc_rung_wait_take(wait, true, &sample)) {
        sc_packet_unref(&sample.packet);
        sc_detections_unref(&sample.found);
    }
    while (wait->finding_count)
        drop_finding(wait);
    free(wait->pictures);
    *wait = (struct sc_rung_wait){0};
}
