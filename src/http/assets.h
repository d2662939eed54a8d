// The files of web/, made part of the program by tools/embed.py.
#pragma once

#include <stddef.h>

typedef struct sc_asset {
    const char *path; // "/index.html"
    const char *mime;
    const char *etag, *gzip_etag; // quoted
    const unsigned char *data, *gzip;
    size_t size, gzip_size; // bytes; gzip_size 0 = not worth it
} sc_asset;

extern const sc_asset sc_assets[];
extern const size_t sc_asset_count;
