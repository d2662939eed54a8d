#include "media/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/avstring.h>
#include <libavutil/opt.h>

#include "base/mem.h"

#define AVIO_BUFFER (256 << 10)

static const char formats[] =
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,"
    "flv,live_flv,ogg,asf,nut,mxf,gxf,mjpeg,dv,rm,yuv4mpegpipe,vc1,vc1test,h261,h263,cavsvideo,"
    "dirac,dnxhd,gif,apng,wtv,swf,roq,bink,smk,vivo,nsv,mpegvideo,rawvideo";

static int read_at(void *opaque, uint8_t *buf, int size)
{
    sc_input *input = opaque;
    ssize_t n;
    do
        n = pread(input->fd, buf, (size_t)size, input->offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return AVERROR(errno);
    input->offset += n;
    return n ? (int)n : AVERROR_EOF;
}

static int64_t seek_to(void *opaque, int64_t offset, int whence)
{
    sc_input *input = opaque;
    whence &= ~AVSEEK_FORCE;
    if (whence == AVSEEK_SIZE)
        return input->size;
    if (whence == SEEK_CUR)
        offset += input->offset;
    else if (whence == SEEK_END)
        offset += input->size;
    else if (whence != SEEK_SET)
        return AVERROR(EINVAL);
    if (offset < 0)
        return AVERROR(EINVAL);
    return input->offset = offset;
}

static int refuse_open(AVFormatContext *s, AVIOContext **pb, const char *url, int flags,
                       AVDictionary **options)
{
    (void)s, (void)pb, (void)url, (void)flags, (void)options;
    return AVERROR(EPERM);
}

const char *sc_input_sniff(const unsigned char *data, size_t size)
{
    static const struct {
        const char *magic, *what;
        size_t size;
    } table[] = {
        {"PK\3\4", "a ZIP archive", 4},
        {"\x1f\x8b", "gzip data", 2},
        {"\x89PNG", "a PNG image", 4},
        {"\xff\xd8\xff", "a JPEG image", 3},
        {"%PDF", "a PDF document", 4},
        {"<!DOCTYPE", "an HTML page", 9},
        {"<!doctype", "an HTML page", 9},
        {"<html", "an HTML page", 5},
        {"<HTML", "an HTML page", 5},
        {"<?xml", "an XML document", 5},
        {"#EXTM3U", "an HLS playlist", 7},
        {"\x7f"
         "ELF",
         "a program", 4},
        {"ID3", "an MP3 file", 3},
        {"fLaC", "a FLAC audio file", 4},
        {"7z\xbc\xaf", "a 7z archive", 4},
        {"Rar!", "a RAR archive", 4},
        {"BM", "a BMP image", 2},
        {"{", "a JSON document", 1},
    };
    if (!size)
        return "an empty file";
    for (size_t i = 0; i < SC_COUNT(table); i++) {
        if (size >= table[i].size && !memcmp(data, table[i].magic, table[i].size))
            return table[i].what;
    }
    if (size >= 12 && !memcmp(data, "RIFF", 4) && !memcmp(data + 8, "WEBP", 4))
        return "a WebP image";
    if (size >= 12 && !memcmp(data, "RIFF", 4) && !memcmp(data + 8, "WAVE", 4))
        return "a WAV audio file";
    size_t text = 0;
    for (size_t i = 0; i < size; i++)
        text += data[i] >= 32 || data[i] == '\n' || data[i] == '\r' || data[i] == '\t';
    return text == size ? "plain text" : "unknown data";
}

static int fail_unreadable(sc_input *input, const char *why, sc_err *err)
{
    unsigned char head[512];
    ssize_t n = pread(input->fd, head, sizeof(head), 0);
    return sc_fail(err, SC_EDATA, "not a video that can be read: it looks like %s (%s)",
                   sc_input_sniff(head, n > 0 ? (size_t)n : 0), why);
}

static int open_fd(sc_input *input, const char *path, sc_err *err)
{
    struct stat st;
    input->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (input->fd < 0 || fstat(input->fd, &st) < 0)
        return sc_fail(err, sc_error_from_errno(errno), "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return sc_fail(err, SC_EARG, "%s: not a regular file", path);
    input->size = st.st_size;
    input->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return SC_OK;
}

static int open_format(sc_input *input, sc_err *err)
{
    char text[128];
    unsigned char *buffer = av_malloc(AVIO_BUFFER);
    input->avio =
        buffer ? avio_alloc_context(buffer, AVIO_BUFFER, 0, input, read_at, NULL, seek_to)
               : NULL;
    input->fmt = avformat_alloc_context();
    if (!input->avio || !input->fmt) {
        if (!input->avio)
            av_free(buffer);
        return sc_fail(err, SC_ENOMEM, "out of memory opening the file");
    }
    input->fmt->pb = input->avio;
    input->fmt->io_open = refuse_open;
    input->fmt->flags |= AVFMT_FLAG_CUSTOM_IO;
    AVDictionary *options = NULL;
    av_dict_set(&options, "format_whitelist", formats, 0);
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    int ret = avformat_open_input(&input->fmt, "", NULL, &options);
    av_dict_free(&options);
    if (ret == AVERROR(ENOMEM))
        return sc_fail(err, SC_ENOMEM, "out of memory opening the file");
    if (ret < 0)
        return fail_unreadable(input, av_make_error_string(text, sizeof(text), ret), err);
    return SC_OK;
}

static void pick_stream(sc_input *input)
{
    for (unsigned i = 0; i < input->fmt->nb_streams; i++) {
        AVStream *st = input->fmt->streams[i];
        if (st->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
            input->has_audio = true;
        if (st->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !input->video &&
            !(st->disposition & AV_DISPOSITION_ATTACHED_PIC))
            input->video = st;
    }
    for (unsigned i = 0; i < input->fmt->nb_streams; i++) {
        AVStream *st = input->fmt->streams[i];
        st->discard = st == input->video ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
}

int sc_input_open(sc_input **pinput, const char *path, bool probe, sc_err *err)
{
    sc_input *input = sc_new(sc_input);
    input->fd = -1;
    int ret = open_fd(input, path, err);
    if (ret >= 0)
        ret = open_format(input, err);
    if (ret >= 0 && probe && avformat_find_stream_info(input->fmt, NULL) < 0)
        ret = fail_unreadable(input, "its streams cannot be understood", err);
    if (ret >= 0) {
        pick_stream(input);
        if (!input->video)
            ret = fail_unreadable(input, "it has no video stream", err);
    }
    if (ret < 0)
        sc_input_close(&input);
    *pinput = input;
    return ret;
}

void sc_input_close(sc_input **pinput)
{
    sc_input *input = pinput ? *pinput : NULL;
    if (!input)
        return;
    avformat_close_input(&input->fmt);
    if (input->avio)
        av_freep(&input->avio->buffer);
    avio_context_free(&input->avio);
    if (input->fd >= 0)
        close(input->fd);
    free(input);
    *pinput = NULL;
}
