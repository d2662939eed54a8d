// The figures behind docs/images/webrtc_link.svg: a link that gets worse twice and recovers, second by second.
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "link.h"

int main(void)
{
    struct link_result *result = sc_new(struct link_result);
    const struct link_params params = {
        .seed = 11,
        .seconds = 140,
        .capacity = {{0, 3.2e6}, {20, 1.25e6}, {50, 3.2e6}, {75, 0.2e6}, {95, 3.2e6}},
        .delay_ms = 20,
        .jitter_ms = 5,
        .loss = 0.01,
    };
    link_run(&params, 1, 1, result);
    printf("second capacity estimate rate queue_ms shown starved\n");
    for (int i = 0; i < result->count; i++) {
        const struct link_second *s = &result->seconds[i];
        printf("%d %.0f %.0f %.0f %.0f %d %d\n", i, s->capacity, s->estimate, s->rate,
               s->queue_ms, s->shown, s->starved);
    }
    free(result);
    return 0;
}
