#include "media/parameter_sets.h"

#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>

#include "base/mem.h"

// The parameter sets become the packet's side data.
static int extract(AVBSFContext *bsf, AVPacket *av, AVCodecParameters *par)
{
    size_t size;
    int ret = av_bsf_init(bsf);
    if (ret >= 0)
        ret = av_bsf_send_packet(bsf, av);
    if (ret >= 0)
        ret = av_bsf_receive_packet(bsf, av);
    if (ret < 0)
        return ret;
    const uint8_t *data = av_packet_get_side_data(av, AV_PKT_DATA_NEW_EXTRADATA, &size);
    if (!data || size > 1 << 16)
        return AVERROR_INVALIDDATA;
    par->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!par->extradata)
        return AVERROR(ENOMEM);
    memcpy(par->extradata, data, size);
    par->extradata_size = (int)size;
    return 0;
}

AVCodecParameters *sc_parameter_sets_describe(const sc_packet *packet, int width, int height)
{
    AVCodecParameters *par = avcodec_parameters_alloc();
    AVPacket *av = av_packet_alloc();
    AVBSFContext *bsf = NULL;
    int ret = par && av ? av_bsf_list_parse_str("extract_extradata", &bsf) : AVERROR(ENOMEM);
    if (ret >= 0) {
        par->codec_type = AVMEDIA_TYPE_VIDEO;
        par->codec_id = AV_CODEC_ID_H264;
        par->width = width;
        par->height = height;
        ret = avcodec_parameters_copy(bsf->par_in, par);
    }
    if (ret >= 0)
        ret = sc_packet_clone(av, packet);
    if (ret >= 0)
        ret = extract(bsf, av, par);
    if (ret < 0)
        avcodec_parameters_free(&par);
    av_bsf_free(&bsf);
    av_packet_free(&av);
    return par;
}
