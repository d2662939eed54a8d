#include "pipeline/live_facts.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define SLOTS   8
#define SLOT_NS (SC_NS_PER_S / 4)

// Empties the slots that time has gone over.
static void advance(struct sc_rate_meter *meter, int64_t now_ns)
{
    if (!meter->first_ns)
        meter->first_ns = now_ns;
    int64_t slot = (now_ns - meter->first_ns) / SLOT_NS;
    for (int64_t s = meter->slot + 1; s <= slot && s <= meter->slot + SLOTS; s++)
        meter->counts[s % SLOTS] = 0;
    if (slot > meter->slot)
        meter->slot = slot;
}

void sc_rate_meter_add(struct sc_rate_meter *meter, int64_t now_ns, int count)
{
    advance(meter, now_ns);
    meter->counts[meter->slot % SLOTS] += count;
}

double sc_rate_meter_get(struct sc_rate_meter *meter, int64_t now_ns)
{
    if (!meter->first_ns)
        return 0;
    advance(meter, now_ns);
    int sum = 0;
    for (int i = 0; i < SLOTS; i++)
        sum += meter->counts[i];
    int64_t whole_ns = (SLOTS - 1) * SLOT_NS + (now_ns - meter->first_ns) % SLOT_NS;
    int64_t span_ns = now_ns - meter->first_ns < whole_ns ? now_ns - meter->first_ns : whole_ns;
    return span_ns < SLOT_NS ? 0 : (double)sum * (double)SC_NS_PER_S / (double)span_ns;
}

void sc_live_facts_init(struct sc_live_facts *facts)
{
    *facts = (struct sc_live_facts){.source = SC_LIVE_CONNECTING};
    pthread_mutex_init(&facts->lock, NULL);
}

void sc_live_facts_release(struct sc_live_facts *facts)
{
    sc_live_streams_unref(&facts->streams);
    avcodec_parameters_free(&facts->sound);
    avcodec_parameters_free(&facts->video);
    pthread_mutex_destroy(&facts->lock);
}

void sc_live_facts_count(struct sc_live_facts *facts, int64_t born_ns)
{
    int64_t now_ns = sc_clock_now();
    pthread_mutex_lock(&facts->lock);
    facts->took_ns[facts->encoded++ % SC_LIVE_LAST] = now_ns - born_ns;
    sc_rate_meter_add(&facts->encoding, now_ns, 1);
    pthread_mutex_unlock(&facts->lock);
}

void sc_live_facts_show(struct sc_live_facts *facts, int width, int height, int64_t born_ns)
{
    pthread_mutex_lock(&facts->lock);
    facts->out_width = width;
    facts->out_height = height;
    pthread_mutex_unlock(&facts->lock);
    sc_live_facts_count(facts, born_ns);
}

AVRational sc_live_facts_rate(struct sc_live_facts *facts)
{
    pthread_mutex_lock(&facts->lock);
    AVRational rate = facts->streams ? facts->streams->frame_rate : (AVRational){0, 1};
    pthread_mutex_unlock(&facts->lock);
    return rate;
}

AVRational sc_live_facts_out_rate(struct sc_live_facts *facts)
{
    pthread_mutex_lock(&facts->lock);
    AVRational rate = facts->out_rate;
    pthread_mutex_unlock(&facts->lock);
    return rate;
}

static AVCodecParameters *copy(struct sc_live_facts *facts, AVCodecParameters *const *from)
{
    pthread_mutex_lock(&facts->lock);
    AVCodecParameters *par = *from ? avcodec_parameters_alloc() : NULL;
    if (par && avcodec_parameters_copy(par, *from) < 0)
        avcodec_parameters_free(&par);
    pthread_mutex_unlock(&facts->lock);
    return par;
}

AVCodecParameters *sc_live_facts_video(struct sc_live_facts *facts)
{
    return copy(facts, &facts->video);
}

AVCodecParameters *sc_live_facts_sound(struct sc_live_facts *facts)
{
    return copy(facts, &facts->sound);
}
