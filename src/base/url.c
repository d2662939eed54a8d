#include "base/url.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

#define MASK "***"

struct out {
    char *s;
    size_t len, size;
};

static void put(struct out *out, const char *s, size_t n)
{
    size_t room = out->size - 1 - out->len;
    n = n < room ? n : room;
    memcpy(out->s + out->len, s, n);
    out->len += n;
    out->s[out->len] = '\0';
}

static bool name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

// Where an address ends that stands in a text.
static size_t address_span(const char *s)
{
    return strcspn(s, " \t\r\n\"'<>");
}

static bool contains(const char *name, size_t len, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= len; i++)
        if (!strncasecmp(name + i, part, n))
            return true;
    return false;
}

static bool secret_name(const char *name, size_t len)
{
    static const char *const parts[] = {"token", "pass",     "pwd",     "secret", "auth", "sig",
                                        "cred",  "streamid", "session", "hmac",   "jwt"};
    static const char *const words[] = {"code", "sid", "md5", "hash", "pw"};
    for (size_t i = 0; i < SC_COUNT(parts); i++)
        if (contains(name, len, parts[i]))
            return true;
    for (size_t i = 0; i < SC_COUNT(words); i++)
        if (len == strlen(words[i]) && !strncasecmp(name, words[i], len))
            return true;
    return len >= 3 && !strncasecmp(name + len - 3, "key", 3);
}

// key=VALUE and key: VALUE at s; how much of s is done with, 0 if it is none.
static size_t hide_value(struct out *out, const char *s)
{
    size_t len = 0;
    while (name_char(s[len]))
        len++;
    const char *value = s + len + 1;
    size_t n;
    if (!len)
        return 0;
    if (s[len] == ':' && (contains(s, len, "authorization") || contains(s, len, "cookie")))
        n = strcspn(value, "\r\n");
    else if (s[len] != '=' || !secret_name(s, len))
        return 0;
    else if (*value == '"' || *value == '\'')
        n = 1 + strcspn(value + 1, (char[]){*value, '\0'});
    else
        n = strcspn(value, "& \t\r\n\"'<>");
    put(out, s, len + 1);
    if (n)
        put(out, MASK, strlen(MASK));
    return len + 1 + n;
}

// The length of "user:password" before an @, 0 without one. A password may hold a '/' that should
// have been escaped: then what looks like a port is no number.
static size_t userinfo_span(const char *s)
{
    size_t strict = strcspn(s, "/?# \t\r\n\"'<>"), end = strict;
    const char *colon = memchr(s, ':', strict);
    if (colon && *s != '[' &&
        strspn(colon + 1, "0123456789") < strict - (size_t)(colon + 1 - s))
        end = address_span(s);
    while (end > 0 && s[end] != '@')
        end--;
    return end;
}

static bool ends_with_rtmp(const char *start, const char *end)
{
    const char *s = end;
    while (s > start && isalpha((unsigned char)s[-1]))
        s--;
    return end - s >= 4 && !strncasecmp(s, "rtmp", 4);
}

// What follows "://": the credentials, and where the path is a key, the path.
static size_t hide_address(struct out *out, const char *s, bool rtmp)
{
    size_t user = userinfo_span(s), done = 0;
    if (user) {
        const char *colon = memchr(s, ':', user);
        if (colon)
            put(out, s, (size_t)(colon + 1 - s));
        put(out, MASK, strlen(MASK));
        done = user;
    }
    if (!rtmp)
        return done;
    size_t host = done + strcspn(s + done, "/?# \t\r\n\"'<>");
    size_t app = s[host] == '/' ? host + 1 + strcspn(s + host + 1, "/?# \t\r\n\"'<>") : host;
    put(out, s + done, app - done);
    if (s[app] != '/')
        return app;
    put(out, "/" MASK, 1 + strlen(MASK));
    return app + address_span(s + app);
}

char *sc_url_hide(const char *text, char *buf, size_t size)
{
    struct out out = {buf, 0, size};
    buf[0] = '\0';
    for (const char *s = text; *s;) {
        size_t done = s == text || !name_char(s[-1]) ? hide_value(&out, s) : 0;
        if (!done && !strncmp(s, "://", 3)) {
            put(&out, s, 3);
            done = 3 + hide_address(&out, s + 3, ends_with_rtmp(text, s));
        }
        if (!done) {
            put(&out, s, 1);
            done = 1;
        }
        s += done;
    }
    return buf;
}
