#include "media/clip.h"

#include <libavformat/avformat.h>

#include "base/mem.h"
#include "media/writer.h"

struct clip {
    struct sc_clip_params params;
    sc_err *err;
    sc_scene *scene;
    AVFrame *frame;
    sc_writer *writer;
};

static int check_number(struct clip *c, int64_t value, int64_t min, int64_t max,
                        const char *field)
{
    if (value >= min && value <= max)
        return SC_OK;
    return sc_fail_field(c->err, SC_EARG, field, "%s is %lld; it must be %lld to %lld", field,
                         (long long)value, (long long)min, (long long)max);
}

static int fill_defaults(struct clip *c)
{
    struct sc_clip_params *p = &c->params;
    double fps = av_q2d(sc_scene_get_params(c->scene)->fps);
    p->frames = p->frames ? p->frames : (int64_t)(20 * fps + 0.5);
    p->codec = p->codec ? p->codec : "libx264";
    p->crf = p->crf ? p->crf : 23;
    p->gop = p->gop ? p->gop : 60;
    p->bframes = p->bframes ? p->bframes : 2;
    int ret = check_number(c, p->frames, 1, 10000000, "frames");
    if (ret >= 0)
        ret = check_number(c, p->crf, 1, 63, "crf");
    if (ret >= 0)
        ret = check_number(c, p->gop, 1, 100000, "gop");
    if (ret >= 0)
        ret = check_number(c, p->bframes, INT32_MIN, 16, "bframes");
    if (ret >= 0)
        ret = check_number(c, p->threads, 0, 256, "threads");
    return ret;
}

// The container by the path's ending; MP4 for endings that say nothing.
static const char *format_of(const char *path)
{
    const AVOutputFormat *format = av_guess_format(NULL, path, NULL);
    bool known =
        format && format->video_codec != AV_CODEC_ID_NONE && !(format->flags & AVFMT_NOFILE);
    return known ? NULL : "mp4";
}

static int open_writer(struct clip *c, const char *path)
{
    AVRational fps = sc_scene_get_params(c->scene)->fps;
    return sc_writer_open(&c->writer,
                          &(struct sc_writer_params){
                              .path = path,
                              .format = format_of(path),
                              .like = c->frame,
                              .time_base = av_inv_q(fps),
                              .frame_rate = fps,
                              .codec = c->params.codec,
                              .preset = c->params.preset,
                              .crf = c->params.crf,
                              .gop = c->params.gop,
                              .bframes = c->params.bframes,
                              .threads = c->params.threads,
                              .reproducible = true, // the same file from the same seed
                          },
                          c->err);
}

static int write_frames(struct clip *c, const char *path)
{
    for (int64_t n = 0; n < c->params.frames; n++) {
        if (sc_cancel_requested(c->params.cancel))
            return sc_fail(c->err, SC_ECANCELLED, "cancelled while writing %s", path);
        if (av_frame_make_writable(c->frame) < 0) // the encoder may still hold the last one
            return SC_ENOMEM;
        sc_scene_render(c->scene, n, c->frame);
        int ret = sc_writer_put(c->writer, c->frame, n, 1, c->err);
        if (ret < 0)
            return ret;
        if (c->params.progress)
            c->params.progress(c->params.progress_arg, n + 1, c->params.frames);
    }
    return sc_writer_finish(c->writer, false, c->err);
}

int sc_clip_write(const char *path, const struct sc_clip_params *params, sc_err *err)
{
    struct clip c = {.err = err};
    if (params)
        c.params = *params;
    int ret = sc_scene_open(&c.scene, &c.params.scene, err);
    if (ret >= 0)
        ret = fill_defaults(&c);
    if (ret >= 0) {
        c.frame = sc_scene_frame_new(c.scene);
        ret = c.frame ? open_writer(&c, path) : SC_ENOMEM;
    }
    if (ret >= 0)
        ret = write_frames(&c, path);
    sc_writer_close(&c.writer);
    av_frame_free(&c.frame);
    sc_scene_close(&c.scene);
    return ret < 0 ? sc_fail(err, ret, "cannot write %s: %s", path, sc_strerror(ret)) : ret;
}
