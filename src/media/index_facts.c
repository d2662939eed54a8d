// What an index says of its stream as a whole: picture, colour, orientation, content.
#include <math.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "media/hash.h"
#include "media/index_scan.h"
#include "media/turn.h"

static void set_name(char *dst, size_t size, const char *name)
{
    snprintf(dst, size, "%s", name ? name : "");
}

void sc_index_describe(const sc_input *input, struct sc_index_header *h)
{
    const AVStream *st = input->video;
    const AVCodecParameters *par = st->codecpar;
    AVRational sar =
        st->sample_aspect_ratio.num ? st->sample_aspect_ratio : par->sample_aspect_ratio;
    if (sar.num <= 0 || sar.den <= 0 || sar.num > 1000 * (int64_t)sar.den ||
        sar.den > 1000 * (int64_t)sar.num)
        sar = (AVRational){1, 1};
    h->sar_num = sar.num;
    h->sar_den = sar.den;
    h->width = par->width;
    h->height = par->height;
    h->color_range = par->color_range;
    h->color_primaries = par->color_primaries;
    h->color_trc = par->color_trc;
    h->color_space = par->color_space;
    h->chroma_location = par->chroma_location;
    h->video_delay = par->video_delay;
    h->profile = par->profile;
    h->level = par->level;
    h->field_order = par->field_order;
    h->bits_coded = par->bits_per_coded_sample;
    h->bits_raw = par->bits_per_raw_sample;
    h->codec_tag = par->codec_tag;
    h->extradata_bytes = par->extradata_size;
    set_name(h->codec_name, sizeof(h->codec_name), avcodec_get_name(par->codec_id));
    set_name(h->format_name, sizeof(h->format_name), input->fmt->iformat->name);
    set_name(h->pix_fmt_name, sizeof(h->pix_fmt_name), av_get_pix_fmt_name(par->format));
    struct sc_turn turn = sc_turn_of(st);
    h->rotation = turn.rotation;
    h->hflip = turn.hflip;
}

void sc_index_hash_content(const sc_input *input, const struct sc_scan *scan,
                           struct sc_index_header *h)
{
    XXH3_state_t *state = XXH3_createState();
    const AVCodecParameters *par = input->video->codecpar;
    if (!state)
        return;
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, par->extradata, (size_t)par->extradata_size);
    for (int64_t i = 0; i < scan->count; i++) {
        const struct sc_scanned *p = &scan->packets[i];
        const int64_t facts[] = {p->pts, p->size, p->crc};
        XXH3_128bits_update(state, facts, sizeof(facts));
    }
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    h->content_hash[0] = hash.high64;
    h->content_hash[1] = hash.low64;
}
