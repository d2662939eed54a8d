// FFMS2's side of the library comparisons; the verbs are those of ours.c.
//
//   index PATH, save PATH, load PATH, open PATH, frame N, all COUNT
#include <ffms.h>
#include <stdlib.h>

#include "answer.h"

struct peer {
    int threads;
    FFMS_Index *index;
    FFMS_VideoSource *video;
    char text[256];
    FFMS_ErrorInfo info;
};

static int peer_fail(struct peer *peer, char error[256])
{
    return answer_fail(error, "ffms2: %.200s", peer->text);
}

static FFMS_Index *make_index(struct peer *peer, const char *path)
{
    FFMS_Indexer *indexer = FFMS_CreateIndexer(path, &peer->info);
    return indexer ? FFMS_DoIndexing2(indexer, FFMS_IEH_ABORT, &peer->info) : NULL;
}

static int verb_index(void *state, const char *path, double *number, char error[256])
{
    struct peer *peer = state;
    double start = answer_now_ms();
    FFMS_Index *index = make_index(peer, path);
    *number = answer_now_ms() - start;
    if (!index)
        return peer_fail(peer, error);
    FFMS_DestroyIndex(index);
    return 0;
}

static int verb_save(void *state, const char *path, double *number, char error[256])
{
    struct peer *peer = state;
    double start = answer_now_ms();
    int ret = FFMS_WriteIndex(path, peer->index, &peer->info);
    *number = answer_now_ms() - start;
    return ret ? peer_fail(peer, error) : 0;
}

static int verb_load(void *state, const char *path, double *number, char error[256])
{
    struct peer *peer = state;
    double start = answer_now_ms();
    FFMS_Index *index = FFMS_ReadIndex(path, &peer->info);
    *number = answer_now_ms() - start;
    if (!index)
        return peer_fail(peer, error);
    FFMS_DestroyIndex(index);
    return 0;
}

static void peer_close(struct peer *peer)
{
    if (peer->video)
        FFMS_DestroyVideoSource(peer->video);
    if (peer->index)
        FFMS_DestroyIndex(peer->index);
    peer->video = NULL;
    peer->index = NULL;
}

static int verb_open(void *state, const char *path, double *number, char error[256])
{
    struct peer *peer = state;
    peer_close(peer);
    peer->index = make_index(peer, path);
    int track =
        peer->index ? FFMS_GetFirstTrackOfType(peer->index, FFMS_TYPE_VIDEO, &peer->info) : -1;
    if (track >= 0)
        peer->video = FFMS_CreateVideoSource(path, track, peer->index, peer->threads,
                                             FFMS_SEEK_NORMAL, &peer->info);
    if (!peer->video)
        return peer_fail(peer, error);
    *number = FFMS_GetVideoProperties(peer->video)->NumFrames;
    return 0;
}

static int get_frames(struct peer *peer, int from, int to, double *ms, char error[256])
{
    if (!peer->video)
        return answer_fail(error, "no video is open");
    double start = answer_now_ms();
    for (int n = from; n < to; n++) {
        if (!FFMS_GetFrame(peer->video, n, &peer->info))
            return peer_fail(peer, error);
    }
    *ms = answer_now_ms() - start;
    return 0;
}

static int verb_frame(void *state, const char *argument, double *number, char error[256])
{
    int n = atoi(argument);
    return get_frames(state, n, n + 1, number, error);
}

static int verb_all(void *state, const char *argument, double *number, char error[256])
{
    return get_frames(state, 0, atoi(argument), number, error);
}

int main(int argc, char **argv)
{
    static const struct answer_verb verbs[] = {
        {"index", verb_index},
        {"save", verb_save},
        {"load", verb_load},
        {"open", verb_open},
        {"frame", verb_frame},
        {"all", verb_all},
        {0},
    };
    struct peer peer = {.threads = argc > 1 ? atoi(argv[1]) : 2};
    peer.info = (FFMS_ErrorInfo){.Buffer = peer.text, .BufferSize = sizeof(peer.text)};
    FFMS_Init(0, 0);
    answer_loop(verbs, &peer);
    peer_close(&peer);
    FFMS_Deinit();
    return 0;
}
