#include "pipeline/stage_viewers.h"

#include "base/mem.h"
#include "media/picture.h"
#include "pipeline/shot.h"

struct sc_live_viewer {
    struct sc_viewers *viewers;
    sc_live_viewer *next, *prev; // under viewers->lock
    void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns);
    void *arg;
};

struct stage {
    struct sc_viewers *viewers;
    int quality;
    struct sc_live_facts *facts;
    sc_picture_ctx *ctx;
};

void sc_viewers_init(struct sc_viewers *viewers)
{
    *viewers = (struct sc_viewers){0};
    pthread_mutex_init(&viewers->lock, NULL);
}

void sc_viewers_release(struct sc_viewers *viewers)
{
    sc_require(!viewers->first);
    pthread_mutex_destroy(&viewers->lock);
}

void sc_viewers_add(struct sc_viewers *viewers, sc_live_viewer **pviewer,
                    void (*take)(void *arg, sc_buf *jpeg, int64_t n, int64_t pts_ns), void *arg)
{
    sc_live_viewer *viewer = *pviewer = sc_new(sc_live_viewer);
    *viewer = (sc_live_viewer){.viewers = viewers, .take = take, .arg = arg};
    pthread_mutex_lock(&viewers->lock);
    viewer->next = viewers->first;
    if (viewer->next)
        viewer->next->prev = viewer;
    viewers->first = viewer;
    viewers->count++;
    if (viewers->over)
        take(arg, NULL, 0, 0);
    pthread_mutex_unlock(&viewers->lock);
}

void sc_live_unview(sc_live_viewer **pviewer)
{
    sc_live_viewer *viewer = pviewer ? *pviewer : NULL;
    if (!viewer)
        return;
    *pviewer = NULL;
    struct sc_viewers *viewers = viewer->viewers;
    pthread_mutex_lock(&viewers->lock);
    if (viewer->prev)
        viewer->prev->next = viewer->next;
    else
        viewers->first = viewer->next;
    if (viewer->next)
        viewer->next->prev = viewer->prev;
    viewers->count--;
    pthread_mutex_unlock(&viewers->lock);
    free(viewer);
}

int sc_viewers_count(struct sc_viewers *viewers)
{
    pthread_mutex_lock(&viewers->lock);
    int count = viewers->count;
    pthread_mutex_unlock(&viewers->lock);
    return count;
}

void sc_viewers_tell(struct sc_viewers *viewers, sc_buf *jpeg, const sc_frame *frame)
{
    pthread_mutex_lock(&viewers->lock);
    for (sc_live_viewer *v = viewers->first; v; v = v->next)
        v->take(v->arg, jpeg, frame->n, frame->pts_ns);
    pthread_mutex_unlock(&viewers->lock);
}

void sc_viewers_end(struct sc_viewers *viewers)
{
    pthread_mutex_lock(&viewers->lock);
    for (sc_live_viewer *v = viewers->over ? NULL : viewers->first; v; v = v->next)
        v->take(v->arg, NULL, 0, 0);
    viewers->over = true;
    pthread_mutex_unlock(&viewers->lock);
}

static int push(void *self, int in, struct sc_item item, sc_err *err)
{
    struct stage *s = self;
    sc_shot *shot = item.data;
    (void)in;
    if (sc_viewers_count(s->viewers)) {
        const struct sc_picture_params params = {.format = SC_PICTURE_JPEG,
                                                 .quality = s->quality};
        sc_buf *jpeg = NULL;
        int ret = sc_picture_encode(s->ctx, &jpeg, NULL, shot->frame, &params, err);
        if (ret < 0)
            return ret;
        sc_viewers_tell(s->viewers, jpeg, shot->frame);
        sc_buf_unref(&jpeg);
    }
    if (s->facts)
        sc_live_facts_show(s->facts, shot->frame->av->width, shot->frame->av->height,
                           item.born_ns);
    sc_shot_unref(&shot);
    return SC_OK;
}

static void close_stage(void *self)
{
    struct stage *s = self;
    sc_viewers_end(s->viewers);
    sc_picture_ctx_free(&s->ctx);
    free(s);
}

static const struct sc_stage_ops ops = {.kind = "viewers", .push = push, .close = close_stage};

int sc_stage_viewers_add(sc_graph *graph, struct sc_viewers *viewers, int quality,
                         struct sc_live_facts *facts, sc_stage **pstage, sc_err *err)
{
    struct stage *s = sc_new(struct stage);
    *s = (struct stage){
        .viewers = viewers, .quality = quality, .facts = facts, .ctx = sc_picture_ctx_new()};
    const struct sc_stage_params stage = {
        .ops = &ops, .self = s, .in = {&sc_shot_item}, .optional = true};
    int ret = sc_graph_add(graph, &stage, pstage, err);
    if (ret < 0) {
        sc_picture_ctx_free(&s->ctx);
        free(s);
    }
    return ret;
}
