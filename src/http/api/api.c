#include "http/api/api.h"

#include <stddef.h>

#include "http/api/endpoints.h"

const sc_endpoint *const sc_api_table[] = {
    &sc_get_frame,      &sc_get_frames,     &sc_get_index,
    &sc_get_stream,     &sc_get_detections, &sc_upload_video,
    &sc_list_videos,    &sc_get_video,      &sc_delete_video,
    &sc_get_original,   &sc_list_models,    &sc_upload_model,
    &sc_get_model,      &sc_delete_model,   &sc_add_stream,
    &sc_list_streams,   &sc_get_live,       &sc_delete_stream,
    &sc_get_live_stats, &sc_get_live_mjpeg, &sc_get_live_hls,
    &sc_post_whep,      &sc_patch_whep,     &sc_delete_whep,
    &sc_post_whip,      &sc_patch_whip,     &sc_delete_whip,
    &sc_start_webrtc,   &sc_upload_gpu,     &sc_get_gpu_frame,
    &sc_get_gpu_stream, &sc_get_gpu_stats,  &sc_batch_inference,
    &sc_upload_v1,      &sc_get_health,     &sc_get_ready,
    &sc_get_metrics,    &sc_get_openapi,    &sc_get_docs,
    &sc_get_viewer,     &sc_get_page,       NULL,
};
