// Clips for tests: made by the ffmpeg program, decoded here by libavcodec, frame by frame.
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

// Runs a shell command; its output (to be freed), or NULL when it fails.
static inline char *clip_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline char *clip_run(const char *fmt, ...)
{
    char command[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    FILE *pipe = popen(command, "r");
    if (!pipe)
        return NULL;
    char *text = NULL;
    size_t size = 0, got;
    do {
        text = realloc(text, size + 4097);
        got = fread(text + size, 1, 4096, pipe);
        size += got;
    } while (got > 0);
    text[size] = '\0';
    if (pclose(pipe) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

// The n-th frame (from 0) of the file's first video stream, or NULL.
static inline AVFrame *clip_decode(const char *path, int n)
{
    AVFormatContext *demux = NULL;
    AVCodecContext *codec = NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    const AVCodec *decoder = NULL;
    int left = n + 1, stream = -1;
    if (avformat_open_input(&demux, path, NULL, NULL) < 0 ||
        avformat_find_stream_info(demux, NULL) < 0)
        goto end;
    stream = av_find_best_stream(demux, AVMEDIA_TYPE_VIDEO, -1, -1, &decoder, 0);
    if (stream < 0 || !(codec = avcodec_alloc_context3(decoder)) ||
        avcodec_parameters_to_context(codec, demux->streams[stream]->codecpar) < 0)
        goto end;
    codec->thread_count = 1;
    if (avcodec_open2(codec, decoder, NULL) < 0)
        goto end;
    for (int eof = 0; left > 0;) {
        if (avcodec_receive_frame(codec, frame) >= 0) {
            left--;
            continue;
        }
        if (eof)
            break;
        eof = av_read_frame(demux, packet) < 0;
        if (eof || packet->stream_index == stream)
            avcodec_send_packet(codec, eof ? NULL : packet);
        av_packet_unref(packet);
    }
end:
    if (left > 0)
        av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&codec);
    avformat_close_input(&demux);
    return frame;
}

// A path of this run only, for the caller to unlink. buf of 256 bytes, returned.
static inline char *clip_path(char buf[256], const char *name)
{
    const char *base = getenv("TMPDIR");
    snprintf(buf, 256, "%s/sc-test-%d-%s", base ? base : "/tmp", (int)getpid(), name);
    return buf;
}
