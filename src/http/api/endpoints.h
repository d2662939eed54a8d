// Every endpoint, for the table in api.c.
#pragma once

#include "http/endpoint.h"

extern const sc_endpoint sc_upload_video, sc_list_videos, sc_get_video, sc_delete_video;
extern const sc_endpoint sc_get_frame, sc_get_frames, sc_get_index, sc_get_stream;
extern const sc_endpoint sc_get_original;
extern const sc_endpoint sc_upload_gpu, sc_get_gpu_frame, sc_get_gpu_stream, sc_get_gpu_stats;
extern const sc_endpoint sc_upload_v1, sc_batch_inference;
extern const sc_endpoint sc_list_models, sc_upload_model, sc_get_model, sc_delete_model;
extern const sc_endpoint sc_get_detections;
extern const sc_endpoint sc_add_stream, sc_list_streams, sc_get_live, sc_delete_stream;
extern const sc_endpoint sc_get_live_stats, sc_get_live_mjpeg, sc_get_live_hls;
extern const sc_endpoint sc_post_whep, sc_patch_whep, sc_delete_whep;
extern const sc_endpoint sc_post_whip, sc_patch_whip, sc_delete_whip, sc_start_webrtc;
extern const sc_endpoint sc_get_health, sc_get_ready, sc_get_metrics;
extern const sc_endpoint sc_get_openapi, sc_get_docs, sc_get_viewer, sc_get_page;
