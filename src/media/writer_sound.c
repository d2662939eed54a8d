// Copies the audio packets of a file, timed against its first displayed picture.
#include "base/mem.h"
#include "media/input.h"
#include "media/writer_internal.h"

#define NS ((AVRational){1, 1000000000})

struct track {
    int out;          // stream of the muxer, -1 = not copied
    int64_t zero;     // its time at the first picture written, in its time base
    int64_t last_dts; // written, in the muxer's time base
};

struct sc_sound {
    sc_input *input;
    struct track *tracks; // one a stream of the input
    int count, left_out;
    AVPacket *packet; // read, not yet written where pending
    bool pending, done;
    bool cut;   // the part does not begin at the first frame
    bool edits; // what comes before time 0 is not played
};

// The time of the index's first frame as the demuxer counts, ns.
static int64_t find_origin(const struct sc_writer_params *params)
{
    sc_input *input = NULL;
    AVPacket *packet = av_packet_alloc();
    int64_t number = sc_index_frame_packet(params->index, 0), origin = 0;
    if (packet && sc_input_open(&input, params->sound, true, NULL) >= 0) {
        for (int64_t k = 0; k <= number && av_read_frame(input->fmt, packet) >= 0;) {
            int64_t pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
            if (packet->stream_index == input->video->index && k++ == number &&
                pts != AV_NOPTS_VALUE)
                origin = av_rescale_q(pts, input->video->time_base, NS);
            av_packet_unref(packet);
        }
    }
    sc_input_close(&input);
    av_packet_free(&packet);
    return origin;
}

static int add_stream(struct sc_sound *sound, AVFormatContext *muxer, unsigned i, int64_t zero)
{
    AVStream *in = sound->input->fmt->streams[i];
    struct track *track = &sound->tracks[i];
    track->out = -1;
    in->discard = AVDISCARD_ALL;
    if (in->codecpar->codec_type != AVMEDIA_TYPE_AUDIO)
        return SC_OK;
    if (avformat_query_codec(muxer->oformat, in->codecpar->codec_id, FF_COMPLIANCE_NORMAL) ==
        0) {
        sound->left_out++;
        return SC_OK;
    }
    AVStream *out = avformat_new_stream(muxer, NULL);
    if (!out || avcodec_parameters_copy(out->codecpar, in->codecpar) < 0)
        return SC_ENOMEM;
    out->codecpar->codec_tag = 0; // the container's own
    out->time_base = in->time_base;
    out->disposition = in->disposition;
    av_dict_copy(&out->metadata, in->metadata, 0);
    in->discard = AVDISCARD_DEFAULT;
    track->out = out->index;
    track->zero = av_rescale_q(zero, NS, in->time_base);
    track->last_dts = INT64_MIN;
    sound->count++;
    return SC_OK;
}

int sc_sound_open(struct sc_sound **psound, AVFormatContext *muxer,
                  const struct sc_writer_params *params, sc_err *err)
{
    *psound = NULL;
    if (!params->sound || !sc_index_get_info(params->index)->has_audio)
        return SC_OK;
    struct sc_sound *sound = sc_new(struct sc_sound);
    *psound = sound;
    int ret = sc_input_open(&sound->input, params->sound, true, err);
    if (ret < 0)
        return ret;
    unsigned n = sound->input->fmt->nb_streams;
    int64_t zero = find_origin(params) + sc_index_pts_ns(params->index, params->sound_from);
    sound->tracks = sc_try_calloc(n, sizeof(*sound->tracks));
    sound->packet = av_packet_alloc();
    sound->cut = params->sound_from > 0;
    sound->edits = sc_muxer_edits(muxer);
    if (!sound->tracks || !sound->packet)
        return SC_ENOMEM;
    for (unsigned i = 0; i < n && ret >= 0; i++)
        ret = add_stream(sound, muxer, i, zero);
    sound->done = sound->count == 0;
    return ret;
}

void sc_sound_close(struct sc_sound **psound)
{
    struct sc_sound *sound = psound ? *psound : NULL;
    if (!sound)
        return;
    *psound = NULL;
    sc_input_close(&sound->input);
    av_packet_free(&sound->packet);
    free(sound->tracks);
    free(sound);
}

int sc_sound_streams(const struct sc_sound *sound, int *left_out)
{
    *left_out = sound ? sound->left_out : 0;
    return sound ? sound->count : 0;
}

// What the file says is not to be played is left out, but for what a decoder needs to get going
// (the priming of AAC) where that stays unheard.
static bool wants(const struct sc_sound *sound, const AVPacket *packet, int64_t pts)
{
    const struct track *track = &sound->tracks[packet->stream_index];
    if (track->out < 0 || pts == AV_NOPTS_VALUE)
        return false;
    bool before = pts + packet->duration <= track->zero;
    if (packet->flags & AV_PKT_FLAG_DISCARD)
        return before && sound->edits && !sound->cut;
    return !before || !sound->cut;
}

// The next packet that is to be written, its times from the first picture on; false at the end.
static bool next_packet(struct sc_sound *sound)
{
    AVPacket *packet = sound->packet;
    while (!sound->pending && !sound->done) {
        if (av_read_frame(sound->input->fmt, packet) < 0) {
            sound->done = true;
            break;
        }
        int64_t pts = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
        if (!wants(sound, packet, pts)) {
            av_packet_unref(packet);
            continue;
        }
        const struct track *track = &sound->tracks[packet->stream_index];
        packet->pts = pts - track->zero;
        packet->dts = packet->dts != AV_NOPTS_VALUE ? packet->dts - track->zero : packet->pts;
        sound->pending = true;
    }
    return sound->pending;
}

// Damaged files may count back; muxers do not.
static void keep_order(struct track *track, AVPacket *packet)
{
    if (packet->dts <= track->last_dts)
        packet->dts = track->last_dts + 1;
    if (packet->pts < packet->dts)
        packet->pts = packet->dts;
    track->last_dts = packet->dts;
}

int sc_sound_copy(struct sc_sound *sound, AVFormatContext *muxer, int64_t until)
{
    while (sound && next_packet(sound)) {
        AVPacket *packet = sound->packet;
        struct track *track = &sound->tracks[packet->stream_index];
        AVRational from = sound->input->fmt->streams[packet->stream_index]->time_base;
        if (until != INT64_MAX && av_compare_ts(packet->pts, from, until, NS) >= 0)
            return 0;
        av_packet_rescale_ts(packet, from, muxer->streams[track->out]->time_base);
        keep_order(track, packet);
        packet->stream_index = track->out;
        packet->flags &= ~AV_PKT_FLAG_DISCARD;
        packet->pos = -1;
        sound->pending = false;
        int ret = av_interleaved_write_frame(muxer, packet);
        if (ret < 0)
            return ret;
    }
    return 0;
}
