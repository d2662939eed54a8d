// Notices that a picture's format changes in mid-stream: its size, its pixels, its codec's head.
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>

#include "base/mem.h"
#include "media/live_input_internal.h"

#define MAX_HEAD (1 << 20) // bytes of a codec's head

struct seen {
    int width, height, format;
};

struct sc_live_watch {
    AVCodecContext *ctx;          // NULL: a codec whose packets do not tell
    AVCodecParserContext *parser; // likewise
    struct seen seen;             // in the last entry point; width 0 = none yet
};

static void stop_parser(struct sc_live_watch *watch)
{
    av_parser_close(watch->parser);
    watch->parser = NULL;
    avcodec_free_context(&watch->ctx);
}

static void start_parser(struct sc_live_watch *watch, const AVCodecParameters *par)
{
    stop_parser(watch);
    watch->parser = av_parser_init(par->codec_id);
    watch->ctx = avcodec_alloc_context3(NULL);
    if (!watch->parser || !watch->ctx || avcodec_parameters_to_context(watch->ctx, par) < 0)
        stop_parser(watch);
    else
        watch->parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
}

struct sc_live_watch *sc_live_watch_new(const AVCodecParameters *par)
{
    struct sc_live_watch *watch = sc_new(struct sc_live_watch);
    start_parser(watch, par);
    return watch;
}

void sc_live_watch_free(struct sc_live_watch **pwatch)
{
    if (!pwatch || !*pwatch)
        return;
    stop_parser(*pwatch);
    free(*pwatch);
    *pwatch = NULL;
}

static bool set_head(AVCodecParameters *par, const uint8_t *head, size_t size)
{
    if (size == 0 || size > MAX_HEAD ||
        (size == (size_t)par->extradata_size && !memcmp(head, par->extradata, size)))
        return false;
    uint8_t *copy = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!copy)
        return false;
    memcpy(copy, head, size);
    av_freep(&par->extradata);
    par->extradata = copy;
    par->extradata_size = (int)size;
    return true;
}

static bool head_beside(const AVPacket *pkt, AVCodecParameters *par)
{
    size_t size = 0;
    const uint8_t *head = av_packet_get_side_data(pkt, AV_PKT_DATA_NEW_EXTRADATA, &size);
    return head && set_head(par, head, size);
}

// The codec's head that stands in the packet itself, as it does in MPEG-TS and RTP.
static void head_inside(const AVPacket *pkt, AVCodecParameters *par)
{
    AVBSFContext *bsf = NULL;
    AVPacket *copy = av_packet_clone(pkt);
    const AVBitStreamFilter *filter = av_bsf_get_by_name("extract_extradata");
    if (copy && filter && av_bsf_alloc(filter, &bsf) >= 0 &&
        avcodec_parameters_copy(bsf->par_in, par) >= 0 && av_bsf_init(bsf) >= 0 &&
        av_bsf_send_packet(bsf, copy) >= 0 && av_bsf_receive_packet(bsf, copy) >= 0)
        head_beside(copy, par);
    av_bsf_free(&bsf);
    av_packet_free(&copy);
}

static bool sane(const struct seen *seen)
{
    return seen->width > 0 && seen->height > 0 && seen->width <= SC_LIVE_MAX_SIDE &&
           seen->height <= SC_LIVE_MAX_SIDE;
}

// What the parser says about an entry point; width 0 where it says nothing.
static struct seen look(struct sc_live_watch *watch, const AVPacket *pkt)
{
    uint8_t *data;
    int size;
    av_parser_parse2(watch->parser, watch->ctx, &data, &size, pkt->data, pkt->size,
                     AV_NOPTS_VALUE, AV_NOPTS_VALUE, 0);
    struct seen seen = {watch->parser->width, watch->parser->height, watch->parser->format};
    return sane(&seen) ? seen : (struct seen){0};
}

bool sc_live_watch_packet(struct sc_live_watch *watch, const AVPacket *pkt,
                          AVCodecParameters *par)
{
    bool head = head_beside(pkt, par);
    if (head)
        start_parser(watch, par);
    if (!watch->parser || !(head || pkt->flags & AV_PKT_FLAG_KEY))
        return head;
    struct seen seen = look(watch, pkt), before = watch->seen;
    if (!seen.width)
        return head;
    watch->seen = seen;
    bool resized = seen.width != before.width || seen.height != before.height;
    bool changed = before.width && (resized || seen.format != before.format);
    if (!changed)
        return head;
    if (resized) {
        par->width = seen.width;
        par->height = seen.height;
    }
    par->format = seen.format;
    if (!head)
        head_inside(pkt, par);
    return true;
}
