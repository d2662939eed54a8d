// testsrc: the made-up match as a source of raw pictures.
#include <string.h>

#include <libavutil/imgutils.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "media/live_input_internal.h"
#include "media/scene.h"

#define MAX_OPTIONS 400 // bytes

struct testsrc {
    struct sc_live_deadline *deadline; // borrowed
    sc_scene *scene;
    AVFrame *frame;
    AVCodecParameters *par;
    struct sc_live_facts facts;
    int64_t next, end; // frame numbers; end 0 = none
};

struct wishes {
    struct sc_scene_params scene;
    int64_t duration_ns; // 0 = endless
};

static bool parse_size(const char *value, struct sc_scene_params *scene)
{
    char *end;
    long w = strtol(value, &end, 10), h = *end == 'x' ? strtol(end + 1, &end, 10) : 0;
    if (*end || w < SC_SCENE_MIN_WIDTH || w > SC_SCENE_MAX_SIDE || h < SC_SCENE_MIN_HEIGHT ||
        h > SC_SCENE_MAX_SIDE)
        return false;
    scene->width = (int)w;
    scene->height = (int)h;
    return true;
}

static bool parse_rate(const char *value, AVRational *fps)
{
    char *end;
    long num = strtol(value, &end, 10), den = *end == '/' ? strtol(end + 1, &end, 10) : 1;
    if (*end || num < 1 || num > 1000000 || den < 1 || den > 1000000)
        return false;
    *fps = (AVRational){(int)num, (int)den};
    return true;
}

static bool set_wish(struct wishes *w, const char *name, const char *value)
{
    int64_t seed;
    bool off = !strcmp(value, "no");
    if (!strcmp(name, "size"))
        return parse_size(value, &w->scene);
    if (!strcmp(name, "rate"))
        return parse_rate(value, &w->scene.fps);
    if (!strcmp(name, "duration"))
        return sc_parse_duration(value, 1, 1000000 * SC_NS_PER_S, &w->duration_ns);
    if (!strcmp(name, "noise"))
        return sc_parse_double(value, 0, 20, &w->scene.noise) &&
               (w->scene.noise > 0 || (w->scene.noise = -1) < 0);
    if (!strcmp(name, "seed")) {
        bool good = sc_parse_int(value, 0, INT64_MAX, &seed);
        w->scene.seed = good ? (uint64_t)seed : 0;
        return good;
    }
    w->scene.no_overlay = off;
    return !strcmp(name, "stamp") && (off || !strcmp(value, "yes"));
}

// "size=1280x720,rate=30"
static int parse_wishes(const char *text, struct wishes *w, sc_err *err)
{
    char copy[MAX_OPTIONS], *rest = copy, *one;
    *w = (struct wishes){0};
    if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy))
        return sc_fail_field(err, SC_EARG, "url", "testsrc: its options are too long");
    while (*copy && (one = strsep(&rest, ",")) != NULL) {
        char *value = strchr(one, '=');
        if (value)
            *value++ = '\0';
        if (!value || !set_wish(w, one, value))
            return sc_fail_field(err, SC_EARG, "url",
                                 "testsrc: \"%s%s%s\" is no option; options are size=1280x720, "
                                 "rate=30, duration=10s, seed=1, noise=0, stamp=no",
                                 one, value ? "=" : "", value ? value : "");
    }
    return SC_OK;
}

static int check_testsrc(const struct sc_live_address *address, sc_err *err)
{
    struct wishes wishes;
    return parse_wishes(address->url + strlen(address->kind->scheme), &wishes, err);
}

static int describe(struct testsrc *t)
{
    const struct sc_scene_params *p = sc_scene_get_params(t->scene);
    t->par = avcodec_parameters_alloc();
    t->frame = av_frame_alloc();
    if (!t->par || !t->frame)
        return SC_ENOMEM;
    t->par->codec_type = AVMEDIA_TYPE_VIDEO;
    t->par->codec_id = AV_CODEC_ID_RAWVIDEO;
    t->par->format = AV_PIX_FMT_YUV420P;
    t->par->width = p->width;
    t->par->height = p->height;
    t->facts.video = t->par;
    t->facts.frame_rate = p->fps;
    t->facts.format[0] = (struct sc_timeline_format){
        .time_base = av_inv_q(p->fps),
        .frame_ns = av_rescale(SC_NS_PER_S, p->fps.den, p->fps.num),
    };
    return SC_OK;
}

static int open_testsrc(void **pself, const struct sc_live_address *address,
                        const struct sc_live_input_params *params,
                        struct sc_live_deadline *deadline, sc_err *err)
{
    struct testsrc *t = *pself = sc_new(struct testsrc);
    struct wishes wishes;
    (void)params;
    t->deadline = deadline;
    int ret = parse_wishes(address->url + strlen(address->kind->scheme), &wishes, err);
    if (ret >= 0)
        ret = sc_scene_open(&t->scene, &wishes.scene, err);
    if (ret >= 0)
        ret = describe(t);
    if (ret >= 0 && wishes.duration_ns)
        t->end = av_rescale_rnd(wishes.duration_ns, t->facts.frame_rate.num,
                                t->facts.frame_rate.den * SC_NS_PER_S, AV_ROUND_UP);
    return ret;
}

static const struct sc_live_facts *facts(const void *self)
{
    const struct testsrc *t = self;
    return &t->facts;
}

// The picture is painted into the packet's own memory.
static int read_testsrc(void *self, AVPacket *pkt, enum sc_timeline_track *track, sc_err *err)
{
    struct testsrc *t = self;
    AVFrame *frame = t->frame;
    if (sc_cancel_requested(t->deadline->cancel))
        return SC_ECANCELLED;
    if (t->end && t->next >= t->end)
        return SC_EEOF;
    int size = av_image_get_buffer_size(t->par->format, t->par->width, t->par->height, 1);
    if (size < 0 || av_new_packet(pkt, size) < 0)
        return sc_fail(err, SC_ENOMEM, "out of memory for a test picture");
    frame->format = t->par->format;
    frame->width = t->par->width;
    frame->height = t->par->height;
    av_image_fill_arrays(frame->data, frame->linesize, pkt->data, t->par->format, t->par->width,
                         t->par->height, 1);
    sc_scene_render(t->scene, t->next, frame);
    pkt->pts = pkt->dts = t->next++;
    pkt->duration = 1;
    pkt->flags |= AV_PKT_FLAG_KEY;
    *track = SC_TIMELINE_PICTURE;
    return SC_OK;
}

static void close_testsrc(void **pself)
{
    struct testsrc *t = *pself;
    if (!t)
        return;
    sc_scene_close(&t->scene);
    av_frame_free(&t->frame);
    avcodec_parameters_free(&t->par);
    free(t);
    *pself = NULL;
}

const struct sc_live_source_ops sc_live_testsrc = {open_testsrc, facts, read_testsrc,
                                                   close_testsrc, check_testsrc};
