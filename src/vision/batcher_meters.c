#include <stdio.h>

#include "base/mem.h"
#include "vision/batcher_internal.h"

void sc_batch_meters_open(struct sc_batch_meters *meters, sc_metrics *m, const char *model)
{
    static const char *const priorities[] = {"interactive", "live", "job"};
    static const char *const results[] = {"ok",      "failed",  "cancelled",
                                          "expired", "dropped", "refused"};
    static const double sizes[] = {1, 2, 4, 8, 16, 32, 64};
    char labels[192];
    for (int p = 0; p < SC_PRIORITIES; p++) {
        snprintf(labels, sizeof(labels), "model=\"%.64s\",priority=\"%s\"", model,
                 priorities[p]);
        meters->depth[p] = sc_metrics_gauge(m, "saccade_inference_queue_depth", labels,
                                            "Pictures waiting for the model.");
        meters->wait[p] = sc_metrics_histogram(m, "saccade_inference_wait_seconds", labels,
                                               "Waiting of pictures that were run.", NULL, 0);
        for (int r = 0; r < SC_BATCH_RESULTS; r++) {
            snprintf(labels, sizeof(labels), "model=\"%.64s\",priority=\"%s\",result=\"%s\"",
                     model, priorities[p], results[r]);
            meters->items[p][r] = sc_metrics_counter(m, "saccade_inference_items_total", labels,
                                                     "Pictures by how they ended.");
        }
    }
    snprintf(labels, sizeof(labels), "model=\"%.64s\"", model);
    meters->size = sc_metrics_histogram(m, "saccade_inference_batch_size", labels,
                                        "Pictures in a run.", sizes, SC_COUNT(sizes));
    meters->run = sc_metrics_histogram(m, "saccade_inference_run_seconds", labels,
                                       "Time of a run.", NULL, 0);
    meters->limit = sc_metrics_gauge(m, "saccade_inference_batch_limit", labels,
                                     "Largest batch at present.");
    meters->reopened = sc_metrics_counter(m, "saccade_inference_reopened_total", labels,
                                          "Times that a lost device came back.");
}
