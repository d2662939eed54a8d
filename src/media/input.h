// A file opened by libavformat, safely: no other file or address is ever opened from inside it.
//
// Only container formats of an allow list are probed, all bytes come through pread() on one
// descriptor, and nested opens (playlists, references) are refused.
//
// Thread-safety: Unsafe; one thread at a time.
#pragma once

#include <libavformat/avformat.h>

#include "base/error.h"

typedef struct sc_input {
    AVFormatContext *fmt; // with stream info found
    AVStream *video;      // the first video stream that is no attached picture
    int fd;               // owned
    int64_t size;         // bytes, when opened
    int64_t mtime_ns;     // modification time, wall clock
    bool has_audio;
    AVIOContext *avio; // internal
    int64_t offset;    // internal
} sc_input;

// probe: find stream info too (decodes a few frames). Without it only demuxing is promised.
// SC_ENOTFOUND, SC_EDENIED, SC_EDATA with err saying what the file looks like, SC_EIO.
int sc_input_open(sc_input **pinput, const char *path, bool probe, sc_err *err);
void sc_input_close(sc_input **pinput);

// What a file's first bytes look like, for messages: "a ZIP archive", "text", ...; never NULL.
const char *sc_input_sniff(const unsigned char *data, size_t size);
