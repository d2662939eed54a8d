#include "pipeline/shot.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

sc_shot *sc_shot_new(sc_frame *frame, int64_t arrival_ns)
{
    sc_shot *shot = sc_new(sc_shot);
    sc_ref_init(&shot->ref);
    shot->frame = frame;
    shot->arrival_ns = arrival_ns;
    return shot;
}

sc_shot *sc_shot_ref(sc_shot *shot)
{
    if (shot)
        sc_ref_inc(&shot->ref);
    return shot;
}

void sc_shot_unref(sc_shot **pshot)
{
    sc_shot *shot = pshot ? *pshot : NULL;
    if (!shot)
        return;
    *pshot = NULL;
    if (!sc_ref_dec(&shot->ref))
        return;
    sc_frame_unref(&shot->frame);
    sc_detections_unref(&shot->found);
    sc_detections_unref(&shot->late);
    free(shot);
}

sc_shot *sc_shot_own(sc_shot *shot)
{
    if (sc_ref_is_unique(&shot->ref))
        return shot;
    sc_shot *copy = sc_new(sc_shot);
    *copy = *shot;
    sc_ref_init(&copy->ref);
    sc_frame_ref(copy->frame);
    sc_detections_ref(copy->found);
    sc_detections_ref(copy->late);
    sc_shot_unref(&shot);
    return copy;
}

struct sc_part sc_shot_part(const sc_shot *shot)
{
    const AVFrame *av = shot->frame->av;
    double stretch = av->sample_aspect_ratio.num > 0 ? av_q2d(av->sample_aspect_ratio) : 1;
    const struct sc_crop *c = &shot->crop;
    struct sc_part part = {.width = (int)lround(av->width * stretch), .height = av->height};
    part.crop = (struct sc_crop){.w = (float)part.width, .h = (float)part.height};
    if (shot->cropped)
        part.crop =
            (struct sc_crop){(float)(c->x * stretch), c->y, (float)(c->w * stretch), c->h};
    return part;
}

void sc_shot_set_found(sc_shot *shot, sc_detections *found, bool detected)
{
    sc_detections_unref(&shot->found);
    shot->found = found;
    shot->detected = detected;
}

void sc_shot_set_late(sc_shot *shot, sc_detections *late, int64_t pts_ns)
{
    sc_detections_unref(&shot->late);
    shot->late = late;
    shot->late_pts_ns = pts_ns;
}

sc_chunk *sc_chunk_new(sc_live_streams *streams, sc_packet *packet)
{
    sc_chunk *chunk = sc_new(sc_chunk);
    sc_ref_init(&chunk->ref);
    chunk->streams = streams;
    chunk->packet = packet;
    return chunk;
}

void sc_chunk_unref(sc_chunk **pchunk)
{
    sc_chunk *chunk = pchunk ? *pchunk : NULL;
    if (!chunk)
        return;
    *pchunk = NULL;
    if (!sc_ref_dec(&chunk->ref))
        return;
    sc_live_streams_unref(&chunk->streams);
    sc_packet_unref(&chunk->packet);
    free(chunk);
}

// --- item types -----------------------------------------------------------------------------

static void *ref_shot(void *data)
{
    return sc_shot_ref(data);
}

static void unref_shot(void *data)
{
    sc_shot *shot = data;
    sc_shot_unref(&shot);
}

static size_t shot_bytes(const void *data)
{
    const sc_shot *shot = data;
    return shot->frame->bytes + (shot->found ? sc_detections_bytes(shot->found) : 0);
}

const struct sc_item_type sc_shot_item = {
    .name = "shot", .ref = ref_shot, .unref = unref_shot, .bytes = shot_bytes};

static void *ref_chunk(void *data)
{
    sc_chunk *chunk = data;
    sc_ref_inc(&chunk->ref);
    return chunk;
}

static void unref_chunk(void *data)
{
    sc_chunk *chunk = data;
    sc_chunk_unref(&chunk);
}

static size_t chunk_bytes(const void *data)
{
    return ((const sc_chunk *)data)->packet->bytes;
}

static bool chunk_is_entry(const void *data)
{
    return ((const sc_chunk *)data)->packet->key;
}

const struct sc_item_type sc_chunk_item = {.name = "chunk",
                                           .ref = ref_chunk,
                                           .unref = unref_chunk,
                                           .bytes = chunk_bytes,
                                           .is_entry = chunk_is_entry};

static void *ref_packet(void *data)
{
    return sc_packet_ref(data);
}

static void unref_packet(void *data)
{
    sc_packet *packet = data;
    sc_packet_unref(&packet);
}

static size_t packet_bytes(const void *data)
{
    return ((const sc_packet *)data)->bytes;
}

static bool packet_is_entry(const void *data)
{
    return ((const sc_packet *)data)->key;
}

const struct sc_item_type sc_packet_item = {.name = "packet",
                                            .ref = ref_packet,
                                            .unref = unref_packet,
                                            .bytes = packet_bytes,
                                            .is_entry = packet_is_entry};
