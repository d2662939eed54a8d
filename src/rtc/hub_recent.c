// What a rung has shown since its last keyframe, as long as that is young: who joins gets it at once, and need not wait
// for a keyframe, which comes no more often. So a crowd that joins at once costs one.
#include "base/clock.h"
#include "rtc/hub_internal.h"

#define YOUNG_NS (SC_NS_PER_S / 2) // as the stream spaces keyframes

bool sc_hub_is_young(const struct sc_hub_rung *rung)
{
    return rung->recent_count > 0 && sc_clock_now() - rung->key_ns < YOUNG_NS;
}

void sc_hub_forget(struct sc_hub_rung *rung)
{
    while (rung->recent_count > 0)
        sc_packet_unref(&rung->recent[--rung->recent_count].packet);
}

void sc_hub_keep(struct sc_hub_rung *rung, sc_packet *packet, uint32_t timestamp)
{
    if (packet->key) {
        sc_hub_forget(rung);
        rung->key_ns = sc_clock_now();
    } else if (!sc_hub_is_young(rung) || rung->recent_count == SC_HUB_RECENT) {
        sc_hub_forget(rung);
        return;
    }
    rung->recent[rung->recent_count++] =
        (struct sc_hub_recent){sc_packet_ref(packet), timestamp};
}

bool sc_hub_catch_up(const struct sc_hub_rung *rung, sc_rtc_viewer *viewer)
{
    bool sent = rung->recent_count > 1;
    for (int i = 0; i + 1 < rung->recent_count && sent; i++) {
        const struct sc_hub_recent *recent = &rung->recent[i];
        sent = sc_rtc_peer_send(viewer->peer, recent->packet, recent->timestamp);
        if (sent) {
            sc_hub_begin(viewer, recent->timestamp);
            viewer->timestamp = recent->timestamp;
        }
    }
    return sent;
}
