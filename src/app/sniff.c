// Names what people upload by mistake, from the first bytes, so that an error can say more than
// "not a video". Wrong guesses do no harm: only files that were refused come here.
#include <ctype.h>
#include <strings.h>

#include "app/videos_internal.h"
#include "base/mem.h"

static const struct magic {
    size_t offset, size;
    const char *bytes;
    const char *what;
} magics[] = {
    {0, 8, "\x89PNG\r\n\x1a\n", "a PNG image"},
    {0, 3, "\xff\xd8\xff", "a JPEG image"},
    {0, 4, "GIF8", "a GIF image"},
    {8, 4, "WEBP", "a WebP image"},
    {8, 4, "WAVE", "a WAV audio file"},
    {0, 4, "II*\0", "a TIFF image"},
    {0, 4, "MM\0*", "a TIFF image"},
    {0, 4, "PK\3\4", "a ZIP archive"},
    {0, 4, "PK\5\6", "a ZIP archive"},
    {0, 2, "\x1f\x8b", "a gzip archive"},
    {0, 3, "BZh", "a bzip2 archive"},
    {0, 6, "\xfd\x37zXZ\0", "an XZ archive"},
    {0, 4, "\x28\xb5\x2f\xfd", "a Zstandard archive"},
    {0, 6, "7z\xbc\xaf\x27\x1c", "a 7-Zip archive"},
    {0, 4, "Rar!", "a RAR archive"},
    {257, 5, "ustar", "a tar archive"},
    {0, 5, "%PDF-", "a PDF document"},
    {0, 4,
     "\x7f"
     "ELF",
     "a program"},
    {0, 2, "MZ", "a Windows program"},
    {0, 15, "SQLite format 3", "an SQLite database"},
    {0, 3, "ID3", "an MP3 audio file"},
    {0, 2, "\xff\xfb", "an MP3 audio file"},
    {0, 4, "fLaC", "a FLAC audio file"},
    {0, 7, "#EXTM3U", "an HLS playlist, which only names other files"},
    {0, 8, "ffconcat", "an FFmpeg script, which only names other files"},
};

static bool starts(const char *s, const char *prefix)
{
    return !strncasecmp(s, prefix, strlen(prefix));
}

// A kind of text, or NULL if some byte is none of a text's.
static const char *sniff_text(const unsigned char *data, size_t size)
{
    char head[128];
    size_t high = 0; // bytes beyond ASCII
    for (size_t i = 0; i < size; i++) {
        if (data[i] < 32 && !isspace(data[i]) && data[i] != 27)
            return NULL;
        high += data[i] >= 128;
    }
    if (high > size / 2)
        return NULL;
    size_t skip = size >= 3 && !memcmp(data, "\xef\xbb\xbf", 3) ? 3 : 0;
    while (skip < size && isspace(data[skip]))
        skip++;
    size_t n = size - skip < sizeof(head) - 1 ? size - skip : sizeof(head) - 1;
    memcpy(head, data + skip, n);
    head[n] = 0;
    if (starts(head, "<!doctype html") || starts(head, "<html") || starts(head, "<head"))
        return "HTML, a web page";
    if (starts(head, "<svg"))
        return "an SVG image";
    if (starts(head, "<"))
        return "XML";
    if (head[0] == '{' || head[0] == '[')
        return "JSON";
    return "plain text";
}

const char *sc_sniff(const unsigned char *data, size_t size)
{
    if (!size)
        return "an empty file";
    for (size_t i = 0; i < SC_COUNT(magics); i++) {
        const struct magic *m = &magics[i];
        if (size >= m->offset + m->size && !memcmp(data + m->offset, m->bytes, m->size))
            return m->what;
    }
    size_t zeros = 0;
    while (zeros < size && !data[zeros])
        zeros++;
    return zeros == size ? "nothing but zero bytes" : sniff_text(data, size);
}
