// Hiding secrets: any text stays in its bounds, and a short answer is the begin of a long one.
#include <string.h>

#include "base/mem.h"
#include "base/url.h"
#include "fuzz.h"

#define MAX_TEXT 2000

static void hide_after(const char *before, const char *text)
{
    // More than any text becomes: a secret of one byte becomes three.
    char all[MAX_TEXT + 100], out[4 * MAX_TEXT + 400], small[40];
    snprintf(all, sizeof(all), "%s%s", before, text);
    sc_url_hide(all, out, sizeof(out));
    sc_require(strlen(out) < sizeof(out) - 1);
    sc_url_hide(all, small, sizeof(small));
    sc_require(!strncmp(out, small, strlen(small)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[MAX_TEXT], secret[MAX_TEXT + 60], out[200];
    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    hide_after("", text);
    hide_after("rtmp://host/app/", text);
    hide_after("rtsp://", text);
    // Whatever else is in a query, a secret value of its own does not come through.
    snprintf(secret, sizeof(secret), "http://host/?token=Zq7Zq7&%s", text);
    if (!strstr(text, "Zq7Zq7") && !strchr(text, '@'))
        sc_require(!strstr(sc_url_hide(secret, out, sizeof(out)), "Zq7Zq7"));
    return 0;
}
