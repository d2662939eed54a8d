// One stream's HLS in memory: the files as the output writes them, and the requests that wait for them.
#include <string.h>

#include "app/casts_internal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "media/live_output.h"
#include "media/parameter_sets.h"

#define MAX_BYTES  ((size_t)128 << 20) // of one cast
#define SEGMENT_NS SC_NS_PER_S
#define AHEAD      2                 // segments that a request may be ahead
#define HEAR_NS    (SC_NS_PER_S / 2) // that sound has to come in

// --- who waits for what -------------------------------------------------------------------------

static struct sc_cast_file *find_file(struct sc_cast *c, const char *name)
{
    for (int i = 0; i < c->file_count; i++)
        if (!strcmp(c->files[i].name, name))
            return &c->files[i];
    return NULL;
}

// Whether that part, or the whole segment (part -1), has been listed.
static bool is_listed(const struct sc_cast *c, int64_t segment, int64_t part)
{
    return segment < c->segment || (segment == c->segment && part >= 0 && part < c->parts);
}

// Which part "index-<run>-00012.3.m4s" is.
static bool read_part(const char *name, int64_t *segment, int64_t *part)
{
    const char *at = strrchr(name, '-');
    int number, piece, length = 0;
    if (!at || sscanf(at, "-%9d.%9d.m4s%n", &number, &piece, &length) != 2 || at[length])
        return false;
    *segment = number;
    *part = piece;
    return true;
}

static bool is_next(const struct sc_cast *c, int64_t segment, int64_t part)
{
    return (segment == c->segment && part == c->parts) || (segment == c->segment + 1 && !part);
}

// SC_OK: *body is the file, a reference. SC_EAGAIN: it is about to come.
static int look(struct sc_cast *c, const struct sc_cast_want *w, sc_buf **body, sc_err *err)
{
    struct sc_cast_file *file = find_file(c, w->file);
    bool playlist = !strcmp(w->file, SC_CASTS_PLAYLIST);
    int64_t segment, part;
    if (playlist && w->segment > c->segment + AHEAD)
        return sc_fail_field(err, SC_EARG, "_HLS_msn",
                             "segment %lld is too far ahead: %d is under way",
                             (long long)w->segment, c->segment);
    bool there = !playlist || w->segment < 0 || c->over || is_listed(c, w->segment, w->part);
    if (file && there) {
        *body = sc_buf_ref(file->body);
        return SC_OK;
    }
    if (!c->over &&
        (playlist || (read_part(w->file, &segment, &part) && is_next(c, segment, part))))
        return SC_EAGAIN;
    return sc_fail(err, SC_ENOTFOUND, "there is no %s of stream %s, or not any more", w->file,
                   c->id);
}

// A request with its answer, to be given under no lock.
struct answer {
    struct sc_cast_want want;
    int ret;
    sc_buf *body;
    sc_err err;
};

static void give(struct answer *answers, int count)
{
    for (int i = 0; i < count; i++) {
        struct answer *a = &answers[i];
        a->want.done(a->want.arg, a->ret, a->body, &a->err);
        sc_buf_unref(&a->body);
    }
    free(answers);
}

// Takes those out who need not wait any more; late: those who have waited too long.
static struct answer *take_answers(struct sc_cast *c, int64_t now_ns, int *count)
{
    int kept = 0;
    struct answer *answers = sc_xcalloc((size_t)c->held_count + 1, sizeof(*answers));
    *count = 0;
    for (int i = 0; i < c->held_count; i++) {
        struct answer *a = &answers[*count];
        *a = (struct answer){.want = c->held[i]};
        a->ret = look(c, &a->want, &a->body, &a->err);
        if (a->ret == SC_EAGAIN && now_ns > a->want.until_ns)
            a->ret =
                sc_fail(&a->err, SC_ETIMEOUT, "no picture of stream %s came in time", c->id);
        if (a->ret == SC_EAGAIN)
            c->held[kept++] = a->want;
        else
            ++*count;
    }
    c->held_count = kept;
    return answers;
}

static void answer_held(struct sc_cast *c)
{
    int count;
    pthread_mutex_lock(&c->lock);
    struct answer *answers = take_answers(c, sc_clock_now(), &count);
    pthread_mutex_unlock(&c->lock);
    give(answers, count);
}

void sc_cast_get(struct sc_cast *c, const struct sc_cast_want *want)
{
    struct answer *a = sc_new(struct answer);
    a->want = *want;
    pthread_mutex_lock(&c->lock);
    c->asked_ns = sc_clock_now();
    a->ret = look(c, want, &a->body, &a->err);
    if (a->ret == SC_EAGAIN && c->held_count == SC_CAST_HELD)
        a->ret = sc_fail(&a->err, SC_EBUSY, "too many wait for stream %s", c->id);
    bool held = a->ret == SC_EAGAIN;
    if (held)
        c->held[c->held_count++] = *want;
    pthread_mutex_unlock(&c->lock);
    give(a, held ? 0 : 1);
}

static void set_over(struct sc_cast *c)
{
    pthread_mutex_lock(&c->lock);
    c->over = true;
    pthread_mutex_unlock(&c->lock);
    answer_held(c);
}

bool sc_cast_step(struct sc_cast *c, int64_t since_ns)
{
    struct sc_live_output_info info = {0};
    pthread_mutex_lock(&c->lock);
    if (c->output)
        sc_live_output_get_info(c->output, &info);
    pthread_mutex_unlock(&c->lock);
    if (info.state == SC_OUTPUT_FAILED)
        set_over(c);
    answer_held(c);
    pthread_mutex_lock(&c->lock);
    bool wanted = c->held_count || c->asked_ns >= since_ns;
    pthread_mutex_unlock(&c->lock);
    return wanted;
}

bool sc_cast_is_over(struct sc_cast *c)
{
    pthread_mutex_lock(&c->lock);
    bool over = c->over;
    pthread_mutex_unlock(&c->lock);
    return over;
}

// --- files, on the output's thread --------------------------------------------------------------

static void drop_file(struct sc_cast *c, struct sc_cast_file *file)
{
    c->bytes -= file->body->size;
    sc_buf_unref(&file->body);
    *file = c->files[--c->file_count];
}

static int put(void *arg, const char *name, const void *data, size_t size, sc_err *err)
{
    struct sc_cast *c = arg;
    sc_buf *body = sc_buf_new(size);
    int ret = body && strlen(name) < sizeof(c->files[0].name) ? SC_OK : SC_ENOMEM;
    if (ret >= 0)
        memcpy(body->data, data, size);
    pthread_mutex_lock(&c->lock);
    struct sc_cast_file *old = find_file(c, name);
    if (old)
        drop_file(c, old);
    if (ret >= 0 && (c->file_count == SC_CAST_FILES || c->bytes + size > MAX_BYTES))
        ret = sc_fail(err, SC_ELIMIT, "the HLS of stream %s is too large for memory", c->id);
    if (ret >= 0) {
        struct sc_cast_file *file = &c->files[c->file_count++];
        snprintf(file->name, sizeof(file->name), "%s", name);
        file->body = body;
        c->bytes += size;
        body = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    sc_buf_unref(&body);
    answer_held(c);
    return ret;
}

static void remove_file(void *arg, const char *name)
{
    struct sc_cast *c = arg;
    pthread_mutex_lock(&c->lock);
    struct sc_cast_file *file = find_file(c, name);
    if (file)
        drop_file(c, file);
    pthread_mutex_unlock(&c->lock);
}

static void listed(void *arg, int segment, int parts)
{
    struct sc_cast *c = arg;
    pthread_mutex_lock(&c->lock);
    c->segment = segment;
    c->parts = FFMAX(parts, 0);
    c->over |= parts < 0;
    pthread_mutex_unlock(&c->lock);
    answer_held(c);
}

// --- pictures, on the stream's thread -----------------------------------------------------------

static void want_key(void *arg)
{
    struct sc_cast *c = arg;
    pthread_mutex_lock(&c->lock);
    if (c->tap)
        c->ops->want_key(c->tap);
    pthread_mutex_unlock(&c->lock);
}

// What taps of sound give.
static AVCodecParameters *describe_sound(void)
{
    AVCodecParameters *par = avcodec_parameters_alloc();
    if (!par)
        return NULL;
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = AV_CODEC_ID_OPUS;
    par->sample_rate = 48000;
    av_channel_layout_default(&par->ch_layout, 2);
    return par;
}

static int open_output(struct sc_cast *c, const struct sc_live_sample *sample, sc_err *err)
{
    AVCodecParameters *video =
        sc_parameter_sets_describe(sample->packet, sample->width, sample->height);
    AVCodecParameters *sound = atomic_load(&c->heard) ? describe_sound() : NULL;
    const struct sc_live_output_params params = {
        .url = SC_CASTS_PLAYLIST,
        .video = video,
        .sound = sound,
        .aac = true, // not every player of HLS knows Opus
        .frame_rate = c->rate,
        .store = &c->store,
        .holds = true,
        .want_key = want_key,
        .want_key_arg = c,
        .log = c->log,
    };
    c->width = sample->width;
    c->height = sample->height;
    sc_live_output *output = NULL;
    int ret = video ? sc_live_output_open(&output, &params, err) : SC_EDATA;
    avcodec_parameters_free(&video);
    avcodec_parameters_free(&sound);
    pthread_mutex_lock(&c->lock);
    c->output = output;
    pthread_mutex_unlock(&c->lock);
    return ret;
}

// What has come is still written; then it is over.
static void end(struct sc_cast *c)
{
    if (c->output)
        sc_live_output_finish(c->output);
    else
        set_over(c);
}

// A segment is to end with the next picture: it is the one that is due.
static bool key_is_due(struct sc_cast *c, const sc_packet *packet)
{
    int64_t step = packet->pts_ns - c->last_ns;
    if (packet->key)
        c->key_ns = packet->pts_ns;
    c->last_ns = packet->pts_ns;
    return packet->pts_ns + step + step / 2 >= c->key_ns + SEGMENT_NS;
}

// Players need to know at the begin whether there is sound: one that is told of and does not come stops them.
static bool may_begin(struct sc_cast *c, const sc_packet *packet)
{
    if (c->first_ns == INT64_MIN)
        c->first_ns = packet->pts_ns;
    bool ready = !c->sound || atomic_load(&c->heard) || packet->pts_ns - c->first_ns > HEAR_NS;
    if (ready && !packet->key)
        want_key(c);
    return ready && packet->key;
}

static void take(void *arg, const struct sc_live_sample *sample)
{
    struct sc_cast *c = arg;
    sc_err err = {0};
    // Another size is another stream to players.
    bool other =
        sample && c->output && (sample->width != c->width || sample->height != c->height);
    if (!sample || other || sc_cast_is_over(c)) {
        end(c);
        return;
    }
    if (!c->output && !may_begin(c, sample->packet))
        return;
    int ret = c->output ? SC_OK : open_output(c, sample, &err);
    if (ret < 0) {
        SC_WARN(c->log, "no HLS", SC_S("stream", c->id),
                SC_S("reason", sc_err_text(&err, ret)));
        end(c);
        return;
    }
    if (key_is_due(c, sample->packet))
        want_key(c);
    sc_live_output_put(c->output, sample->packet);
}

// On another thread of the stream.
static void take_sound(void *arg, const struct sc_live_sample *sample)
{
    struct sc_cast *c = arg;
    if (!sample)
        return;
    atomic_store(&c->heard, true);
    pthread_mutex_lock(&c->lock);
    sc_live_output *output = c->output;
    pthread_mutex_unlock(&c->lock);
    if (output)
        sc_live_output_put(output, sample->packet);
}

// --- making and unmaking ------------------------------------------------------------------------

// A rate that is known makes parts equally long.
static void ask(struct sc_cast *c, sc_streams *streams)
{
    struct sc_streams_status status;
    if (sc_streams_get(streams, c->id, false, &status) < 0)
        return;
    double fps = status.live.fps, most = json_number_value(json_object_get(status.spec, "fps"));
    c->rate = av_d2q(most > 0 && most < fps ? most : fps, 100000);
    c->sound = status.live.sound && !json_is_false(json_object_get(status.spec, "sound"));
    sc_streams_status_release(&status);
}

// A stream without its sound is better than none.
static int tap(struct sc_cast *c, sc_streams *streams, sc_err *err)
{
    sc_live_tap *pictures = NULL;
    int ret = SC_OK;
    if (c->sound)
        ret = sc_streams_tap(streams, c->id, SC_LIVE_SOUND, &c->sound_tap, take_sound, c, NULL);
    c->sound = ret >= 0 && c->sound;
    ret = sc_streams_tap(streams, c->id, 0, &pictures, take, c, err);
    pthread_mutex_lock(&c->lock);
    c->tap = pictures;
    pthread_mutex_unlock(&c->lock);
    return ret;
}

int sc_cast_open(struct sc_cast **pcast, const char *id, sc_streams *streams, sc_log *log,
                 sc_err *err)
{
    struct sc_cast *c = sc_new(struct sc_cast);
    snprintf(c->id, sizeof(c->id), "%s", id);
    c->ops = sc_streams_ops(streams);
    c->log = log;
    c->store = (struct sc_live_output_store){
        .put = put, .remove = remove_file, .listed = listed, .arg = c};
    c->first_ns = INT64_MIN;
    pthread_mutex_init(&c->lock, NULL);
    ask(c, streams);
    int ret = tap(c, streams, err);
    *pcast = c;
    if (ret < 0)
        sc_cast_close(pcast);
    return ret;
}

void sc_cast_close(struct sc_cast **pcast)
{
    struct sc_cast *c = pcast ? *pcast : NULL;
    if (!c)
        return;
    *pcast = NULL;
    pthread_mutex_lock(&c->lock);
    sc_live_tap *tap = c->tap;
    c->tap = NULL; // the output may still wish for a keyframe
    pthread_mutex_unlock(&c->lock);
    if (tap)
        c->ops->untap(&tap);
    if (c->sound_tap)
        c->ops->untap(&c->sound_tap);
    sc_live_output_close(&c->output, 0);
    set_over(c);
    while (c->file_count)
        drop_file(c, &c->files[0]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
