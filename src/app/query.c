// What a request for a picture means: its frame, its parameters, its name (ETag).
#include <string.h>

#include <xxhash.h>

#include "app/models_internal.h"
#include "app/videos_internal.h"

// Changes whenever the same request gives other bytes than an earlier version gave.
#define ANSWER_VERSION 2

// --- frames -------------------------------------------------------------------------------

int sc_video_find(sc_video *video, const char *t, int64_t *n, sc_err *err)
{
    char end[48];
    int ret = sc_index_find_time(video->index, t, n);
    if (ret == SC_EARG)
        return sc_fail_field(
            err, ret, "t", "\"%.40s\" is no time: t is a decimal number of seconds from 0", t);
    if (ret == SC_ERANGE)
        return sc_fail_field(err, ret, "t",
                             "t=%.40s is beyond the end: valid is 0 <= t < %s (seconds)", t,
                             sc_index_format_duration(video->index, end, sizeof(end)));
    return ret ? sc_fail_field(err, ret, "t", "%s", sc_strerror(ret)) : 0;
}

int sc_video_check_n(sc_video *video, int64_t n, sc_err *err)
{
    int64_t frames = sc_index_get_info(video->index)->frames;
    if (n >= 0 && n < frames)
        return 0;
    return sc_fail_field(err, SC_ERANGE, "n",
                         "there is no frame n=%lld: valid is 0 <= n <= %lld", (long long)n,
                         (long long)frames - 1);
}

// --- parameters ---------------------------------------------------------------------------

static int check_side(const char *name, int side, sc_err *err)
{
    if (side >= 0 && side <= SC_PICTURE_MAX_SIDE)
        return 0;
    return sc_fail_field(err, SC_EARG, name, "%s=%d is outside 1 to %d", name, side,
                         SC_PICTURE_MAX_SIDE);
}

// One given side may make the other longer than can be, which would stretch the picture.
static int check_aspect(const struct sc_picture_params *p, const struct sc_index_info *info,
                        sc_err *err)
{
    int64_t w = p->w, h = p->h;
    if (info->display_width <= 0 || info->display_height <= 0)
        return 0; // known only once decoded; the encoder checks again
    if (w && !h)
        h = w * info->display_height / info->display_width;
    else if (h && !w)
        w = h * info->display_width / info->display_height;
    if (w <= SC_PICTURE_MAX_SIDE && h <= SC_PICTURE_MAX_SIDE)
        return 0;
    return sc_fail_field(err, SC_EARG, p->w ? "w" : "h",
                         "the picture would be %lldx%lld: neither side may be above %d",
                         (long long)w, (long long)h, SC_PICTURE_MAX_SIDE);
}

int sc_video_prepare(sc_video *video, struct sc_picture_query *query, sc_err *err)
{
    struct sc_picture_params *p = &query->picture;
    const struct sc_index_info *info = sc_index_get_info(video->index);
    if ((unsigned)p->format > SC_PICTURE_NPY)
        return sc_fail_field(err, SC_EARG, "format", "format is one of jpeg, png, webp, npy");
    if ((unsigned)p->fit > SC_FIT_FILL)
        return sc_fail_field(err, SC_EARG, "fit", "fit is one of contain, cover, fill");
    if (p->quality < 0 || p->quality > 100)
        return sc_fail_field(err, SC_EARG, "quality", "quality=%d is outside 1 to 100",
                             p->quality);
    if (!(query->threshold >= 0 && query->threshold <= 1))
        return sc_fail_field(err, SC_EARG, "threshold", "threshold=%g is outside 0 to 1",
                             query->threshold);
    int ret = check_side("w", p->w, err);
    if (!ret)
        ret = check_side("h", p->h, err);
    if (ret)
        return ret;
    bool lossy = p->format == SC_PICTURE_JPEG || p->format == SC_PICTURE_WEBP;
    p->quality = !lossy ? 0 : p->quality ? p->quality : 85;
    if (!p->w || !p->h)
        p->fit = SC_FIT_CONTAIN; // without a box all fits are one
    p->rotation = info->rotation;
    p->hflip = info->hflip;
    p->vflip = info->vflip;
    p->sample_aspect = info->sample_aspect;
    return check_aspect(p, info, err);
}

// --- names --------------------------------------------------------------------------------

// What decides the bytes of an answer, without padding.
struct identity {
    uint64_t content[2];
    int64_t n;
    int32_t version, format, w, h, fit, quality, rotation, flips, aspect_num, aspect_den;
    // Both 0 without a model. The hash, not the generation: it must differ from that of another
    // file which an earlier process had under this name.
    uint64_t model, threshold;
};

// What of it depends on the model.
static void identify_model(struct identity *id, const struct sc_picture_query *query)
{
    if (!query->instance)
        return;
    id->model = query->instance->info.hash << 1 | query->overlay;
    memcpy(&id->threshold, &query->threshold, sizeof(id->threshold));
}

static struct identity identity(sc_video *video, int64_t n,
                                const struct sc_picture_query *query)
{
    const struct sc_index_info *info = sc_index_get_info(video->index);
    const struct sc_picture_params *p = &query->picture;
    struct identity id = {
        .content = {info->content_hash[0], info->content_hash[1]},
        .n = n,
        .version = ANSWER_VERSION,
        .format = p->format,
        .w = p->w,
        .h = p->h,
        .fit = p->fit,
        .quality = p->quality,
        .rotation = p->rotation,
        .flips = p->hflip | p->vflip << 1,
        .aspect_num = p->sample_aspect.num,
        .aspect_den = p->sample_aspect.den,
    };
    identify_model(&id, query);
    return id;
}

void sc_video_etag(sc_video *video, int64_t n, const struct sc_picture_query *query,
                   char etag[40])
{
    struct identity id = identity(video, n, query);
    XXH128_hash_t hash = XXH3_128bits(&id, sizeof(id));
    snprintf(etag, 40, "\"%016llx%016llx\"", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

sc_key sc_video_answer_key(sc_video *video, int64_t n, const struct sc_picture_query *query)
{
    struct identity id = identity(video, n, query);
    return (sc_key){.hi = video->uid,
                    .lo = XXH3_64bits_withSeed(&id, sizeof(id), video->secret)};
}
