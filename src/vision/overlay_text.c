// Text as coverage: glyphs by FreeType or from the built-in dots, kept by character for one size.
#include <math.h>
#include <string.h>

// FreeType's list of libc functions names banned ones; its headers need no more than this of it.
#include <limits.h>
#define FT_CONFIG_STANDARD_LIBRARY_H <limits.h>
#define FT_CHAR_BIT                  CHAR_BIT
#define ft_ptrdiff_t                 ptrdiff_t
#define FT_UINT_MAX                  UINT_MAX
#define FT_ULONG_MAX                 ULONG_MAX
#include <ft2build.h>
#include FT_FREETYPE_H

#include "base/mem.h"
#include "vision/overlay_internal.h"

#define SLOTS      1024 // of the cache; a power of two
#define MOST       512  // glyphs kept
#define MAX_EM     512.0f
#define CAP_HEIGHT 0.73f // of an em, as in DejaVu Sans
#define UNKNOWN    0xFFFD

struct glyph {
    uint32_t character;
    int left, top, w, h; // of the bitmap: from the pen, above the base line; pixels
    float advance;       // pixels
    uint8_t *coverage;   // w * h, NULL when empty
};

struct sc_text {
    FT_Library library;
    FT_Face face; // NULL = built-in font
    float em_x, em_y;
    struct glyph *slots[SLOTS];
    int count;
};

// --- font -------------------------------------------------------------------------------------

sc_text *sc_text_open(const char *font)
{
    static const char *const places[] = {
        "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",
        "/usr/share/fonts/TTF/DejaVuSans.ttf",
        "/usr/share/fonts/dejavu/DejaVuSans.ttf",
    };
    sc_text *text = sc_new(sc_text);
    if (FT_Init_FreeType(&text->library)) {
        text->library = NULL;
        return text;
    }
    for (size_t i = 0; i < (font ? 1 : SC_COUNT(places)) && !text->face; i++) {
        if (FT_New_Face(text->library, font ? font : places[i], 0, &text->face))
            text->face = NULL;
        else if (!FT_IS_SCALABLE(text->face)) {
            FT_Done_Face(text->face);
            text->face = NULL;
        }
    }
    return text;
}

static void forget_glyphs(sc_text *text)
{
    for (int i = 0; i < SLOTS; i++) {
        if (text->slots[i])
            free(text->slots[i]->coverage);
        free(text->slots[i]);
        text->slots[i] = NULL;
    }
    text->count = 0;
}

void sc_text_close(sc_text **ptext)
{
    sc_text *text = ptext ? *ptext : NULL;
    if (!text)
        return;
    *ptext = NULL;
    forget_glyphs(text);
    if (text->face)
        FT_Done_Face(text->face);
    if (text->library)
        FT_Done_FreeType(text->library);
    free(text);
}

const char *sc_text_font(const sc_text *text)
{
    if (!text->face)
        return "built-in";
    return text->face->family_name ? text->face->family_name : "unnamed";
}

void sc_text_set_size(sc_text *text, float em_x, float em_y)
{
    em_x = fminf(fmaxf(em_x, 1), MAX_EM);
    em_y = fminf(fmaxf(em_y, 1), MAX_EM);
    if (em_x == text->em_x && em_y == text->em_y)
        return;
    forget_glyphs(text);
    text->em_x = em_x;
    text->em_y = em_y;
    if (text->face)
        FT_Set_Char_Size(text->face, lrintf(em_x * 64), lrintf(em_y * 64), 72, 72);
}

// --- glyphs -----------------------------------------------------------------------------------

static bool give_bitmap(struct glyph *glyph, int w, int h)
{
    if (w <= 0 || h <= 0 || w > 4 * (int)MAX_EM || h > 4 * (int)MAX_EM)
        return false;
    glyph->coverage = sc_try_calloc((size_t)w * (size_t)h, 1);
    glyph->w = glyph->coverage ? w : 0;
    glyph->h = glyph->coverage ? h : 0;
    return glyph->coverage;
}

static void render_outline(sc_text *text, struct glyph *glyph)
{
    FT_GlyphSlot slot = text->face->glyph;
    if (FT_Load_Char(text->face, glyph->character, FT_LOAD_RENDER | FT_LOAD_TARGET_LIGHT)) {
        glyph->advance = text->em_x / 2;
        return;
    }
    const FT_Bitmap *bitmap = &slot->bitmap;
    glyph->advance = (float)slot->linearHoriAdvance / 65536;
    glyph->left = slot->bitmap_left;
    glyph->top = slot->bitmap_top;
    if (bitmap->pixel_mode != FT_PIXEL_MODE_GRAY ||
        !give_bitmap(glyph, (int)bitmap->width, (int)bitmap->rows))
        return;
    for (int y = 0; y < glyph->h; y++)
        memcpy(glyph->coverage + (size_t)y * (size_t)glyph->w,
               bitmap->buffer + (ptrdiff_t)y * bitmap->pitch, (size_t)glyph->w);
}

static bool dot(uint32_t character, int x, int y)
{
    static const uint8_t ellipsis[SC_FONT_ROWS] = {[6] = 21};
    static const uint8_t box[SC_FONT_ROWS] = {31, 17, 17, 17, 17, 17, 31};
    const uint8_t *rows = character >= ' ' && character <= '~' ? sc_font_dots[character - ' ']
                          : character == SC_ELLIPSIS           ? ellipsis
                                                               : box;
    return x >= 0 && x < SC_FONT_COLS && y >= 0 && y < SC_FONT_ROWS &&
           rows[y] >> (SC_FONT_COLS - 1 - x) & 1;
}

// Which share of the stretch from..to of dots lies in dot i.
static float part(float from, float to, int i)
{
    float low = fmaxf(from, (float)i), high = fminf(to, (float)i + 1);
    return high > low ? high - low : 0;
}

// How much of a pixel, fx..tx and fy..ty in dots, is covered: 0..1.
static float covered(uint32_t character, float fx, float tx, float fy, float ty)
{
    float sum = 0;
    for (int y = (int)fy; y < ty; y++)
        for (int x = (int)fx; x < tx; x++)
            if (dot(character, x, y))
                sum += part(fx, tx, x) * part(fy, ty, y);
    return sum / ((tx - fx) * (ty - fy));
}

// Dots blown up to any size. They stand on whole pixels where they are large enough for it.
static void render_dots(sc_text *text, struct glyph *glyph)
{
    float size_x = text->em_x * CAP_HEIGHT / 7, size_y = text->em_y * CAP_HEIGHT / 7;
    size_x = size_x > 1 ? roundf(size_x) : size_x;
    size_y = size_y > 1 ? roundf(size_y) : size_y;
    glyph->advance = size_x * (SC_FONT_COLS + 1);
    glyph->top = (int)ceilf(7 * size_y);
    if (!give_bitmap(glyph, (int)ceilf(SC_FONT_COLS * size_x),
                     glyph->top + (int)ceilf((SC_FONT_ROWS - 7) * size_y)))
        return;
    for (int y = 0; y < glyph->h; y++)
        for (int x = 0; x < glyph->w; x++) {
            float fy = fmaxf(7 + (float)(y - glyph->top) / size_y, 0);
            float ty = 7 + (float)(y - glyph->top + 1) / size_y;
            float share = covered(glyph->character, (float)x / size_x, (float)(x + 1) / size_x,
                                  fy, fmaxf(ty, fy + 0.01f));
            glyph->coverage[y * glyph->w + x] = (uint8_t)lrintf(255 * share);
        }
}

static const struct glyph *find_glyph(sc_text *text, uint32_t character)
{
    uint32_t at = character * 2654435769u % SLOTS;
    for (; text->slots[at]; at = (at + 1) % SLOTS) {
        if (text->slots[at]->character == character)
            return text->slots[at];
    }
    if (text->count == MOST) {
        forget_glyphs(text);
        at = character * 2654435769u % SLOTS;
    }
    struct glyph *glyph = sc_new(struct glyph);
    glyph->character = character;
    text->slots[at] = glyph;
    text->count++;
    if (text->face)
        render_outline(text, glyph);
    else
        render_dots(text, glyph);
    return glyph;
}

float sc_text_advance(sc_text *text, uint32_t character)
{
    return find_glyph(text, character)->advance;
}

// Overlapping glyphs add up; ink is taken from the background's share.
static void draw_glyph(const struct glyph *glyph, struct sc_mask *mask, int x, int y)
{
    int from = x < 0 ? -x : 0, to = mask->w - x < glyph->w ? mask->w - x : glyph->w;
    for (int v = y < 0 ? -y : 0; v < glyph->h && y + v < mask->h; v++) {
        const uint8_t *coverage = glyph->coverage + (ptrdiff_t)v * glyph->w;
        ptrdiff_t at = (ptrdiff_t)(y + v) * mask->w + x;
        for (int u = from; u < to; u++) {
            uint8_t more = coverage[u] < mask->back[at + u] ? coverage[u] : mask->back[at + u];
            mask->ink[at + u] = (uint8_t)(mask->ink[at + u] + more);
            mask->back[at + u] = (uint8_t)(mask->back[at + u] - more);
        }
    }
}

float sc_text_draw(sc_text *text, const uint32_t *characters, int count, struct sc_mask *mask,
                   float x, int baseline)
{
    for (int i = 0; i < count; i++) {
        const struct glyph *glyph = find_glyph(text, characters[i]);
        draw_glyph(glyph, mask, (int)lrintf(x) + glyph->left, baseline - glyph->top);
        x += glyph->advance;
    }
    return x;
}

// --- characters -------------------------------------------------------------------------------

// One character of UTF-8, UNKNOWN for a byte that begins none; *p moves on.
static uint32_t next_character(const unsigned char **p)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *s = *p;
    int more = *s >= 0xF8   ? -1
               : *s >= 0xF0 ? 3
               : *s >= 0xE0 ? 2
               : *s >= 0xC0 ? 1
               : *s >= 0x80 ? -1
                            : 0;
    uint32_t c = more > 0 ? *s & (0x3Fu >> more) : *s;
    *p = s + 1;
    for (int i = 1; i <= more; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return UNKNOWN;
        c = c << 6 | (s[i] & 0x3Fu);
    }
    if (more < 0 || c < least[more] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return UNKNOWN;
    *p = s + 1 + more;
    return c;
}

// Controls, and what only steers direction, joining or breaking.
static bool is_unseen(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || (c >= 0x200B && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
           (c >= 0xFE00 && c <= 0xFE0F) || c == 0xFEFF || (c >= 0xE0000 && c <= 0xE0FFF);
}

int sc_text_decode(const char *utf8, uint32_t *out, int most)
{
    const unsigned char *p = (const unsigned char *)utf8;
    const unsigned char *stop = p + 16 * (size_t)most; // unseen ones are not read for ever
    int n = 0;
    while (*p && n <= most && p < stop) {
        uint32_t c = next_character(&p);
        c = c == '\t' || c == '\n' ? ' ' : c;
        if (is_unseen(c))
            continue;
        if (n == most)
            out[n - 1] = SC_ELLIPSIS;
        else
            out[n] = c;
        n++;
    }
    return n < most ? n : most;
}
