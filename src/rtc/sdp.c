#include "rtc/sdp.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"

// --- lines --------------------------------------------------------------------------------

// Takes the line at *text out of it: cut at its end, *text moves on.
static char *next_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');
    if (end) {
        *end = 0;
        *text = end + 1;
        if (end > line && end[-1] == '\r')
            end[-1] = 0;
    } else {
        *text = line + strlen(line);
    }
    return line;
}

static const char *fault_of(const char *line)
{
    if (strlen(line) > SC_SDP_LINE_MAX)
        return "too long";
    for (const char *c = line; *c; c++) {
        if ((unsigned char)*c < 32 || *c == 127)
            return "control characters";
    }
    if (!*line)
        return "empty";
    if (line[0] < 'a' || line[0] > 'z' || line[1] != '=')
        return "not of the form x=value";
    return NULL;
}

static void split(struct sc_sdp_line *line, char *text, int number)
{
    *line = (struct sc_sdp_line){number, text[0], "", text + 2};
    if (line->type != 'a')
        return;
    char *colon = strchr(text, ':');
    line->name = text + 2;
    line->value = colon ? colon + 1 : "";
    if (colon)
        *colon = 0;
}

static int cut(struct sc_sdp *sdp, sc_err *err)
{
    for (char *text = sdp->text; *text; sdp->count++) {
        int number = sdp->count + 1;
        char *line = next_line(&text);
        if (!*line && !text[strspn(text, "\r\n")])
            break; // blank lines behind the last
        const char *fault = fault_of(line);
        if (fault)
            return sc_fail(err, SC_EARG, "line %d: %s", number, fault);
        split(&sdp->lines[sdp->count], line, number);
    }
    return sdp->count ? SC_OK : sc_fail(err, SC_EARG, "the text is empty");
}

int sc_sdp_init(struct sc_sdp *sdp, const char *text, size_t size, size_t most, sc_err *err)
{
    size_t lines = 1;
    *sdp = (struct sc_sdp){0};
    if (size > most)
        return sc_fail(err, SC_EARG, "the text is larger than %zu bytes", most);
    if (size && memchr(text, 0, size))
        return sc_fail(err, SC_EARG, "the text holds a zero byte");
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    sdp->text = sc_try_calloc(size + 1, 1);
    sdp->lines = sc_try_calloc(lines, sizeof(*sdp->lines));
    if (!sdp->text || !sdp->lines)
        return sc_fail(err, SC_ENOMEM, "no memory for the session description");
    if (size)
        memcpy(sdp->text, text, size);
    return cut(sdp, err);
}

void sc_sdp_release(struct sc_sdp *sdp)
{
    free(sdp->text);
    free(sdp->lines);
    *sdp = (struct sc_sdp){0};
}

// --- parts --------------------------------------------------------------------------------

// The lines from `first` up to the next m-line behind it.
static struct sc_sdp_part part_from(const struct sc_sdp *sdp, int first)
{
    int end = first < sdp->count ? first + 1 : first;
    while (end < sdp->count && sdp->lines[end].type != 'm')
        end++;
    return (struct sc_sdp_part){sdp->lines + first, end - first};
}

struct sc_sdp_part sc_sdp_session(const struct sc_sdp *sdp)
{
    if (sdp->count && sdp->lines[0].type == 'm')
        return (struct sc_sdp_part){0};
    return part_from(sdp, 0);
}

struct sc_sdp_part sc_sdp_media(const struct sc_sdp *sdp, int i)
{
    for (int line = 0; line < sdp->count; line++) {
        if (sdp->lines[line].type == 'm' && i-- == 0)
            return part_from(sdp, line);
    }
    return (struct sc_sdp_part){0};
}

const struct sc_sdp_line *sc_sdp_find(struct sc_sdp_part part, const char *name)
{
    for (int i = 0; i < part.count; i++) {
        if (part.lines[i].type == 'a' && !strcmp(part.lines[i].name, name))
            return part.lines + i;
    }
    return NULL;
}

const char *sc_sdp_get(struct sc_sdp_part part, const char *name)
{
    const struct sc_sdp_line *line = sc_sdp_find(part, name);
    return line ? line->value : NULL;
}

// --- words --------------------------------------------------------------------------------

bool sc_sdp_word(const char **rest, char *out, size_t size)
{
    const char *word = *rest + strspn(*rest, " ");
    size_t length = strcspn(word, " ");
    if (!length || length >= size)
        return false;
    memcpy(out, word, length);
    out[length] = 0;
    *rest = word + length;
    return true;
}

bool sc_sdp_number(const char **rest, long min, long max, long *out)
{
    char word[12];
    const char *after = *rest;
    int64_t number;
    if (!sc_sdp_word(&after, word, sizeof(word)) || !isdigit((unsigned char)word[0]) ||
        !sc_parse_int(word, min, max, &number))
        return false;
    *rest = after;
    *out = (long)number;
    return true;
}

static bool plain(const char *text, const char *others)
{
    const char *c = text;
    while (isalnum((unsigned char)*c) || (*c && strchr(others, *c)))
        c++;
    return c > text && !*c;
}

bool sc_sdp_param(const char *params, const char *key, char *out, size_t size)
{
    size_t key_size = strlen(key);
    for (const char *at = params; *at;) {
        at += strspn(at, " ;");
        size_t length = strcspn(at, ";");
        if (length > key_size && at[key_size] == '=' && !strncasecmp(at, key, key_size)) {
            const char *value = at + key_size + 1;
            size_t value_size = strcspn(value, " ;");
            if (value_size >= size)
                return false;
            memcpy(out, value, value_size);
            out[value_size] = 0;
            return plain(out, ".,-");
        }
        at += length;
    }
    return false;
}

bool sc_sdp_token(const char *text)
{
    return plain(text, "!#$%&'*+-.^_`{|}~");
}

bool sc_sdp_ice_chars(const char *text)
{
    return plain(text, "+/");
}

bool sc_sdp_ice_valid(const char *ufrag, const char *pwd)
{
    size_t ufrag_size = strlen(ufrag), pwd_size = strlen(pwd);
    return ufrag_size >= 4 && ufrag_size <= 256 && pwd_size >= 22 && pwd_size <= 256 &&
           sc_sdp_ice_chars(ufrag) && sc_sdp_ice_chars(pwd);
}

// --- candidates ---------------------------------------------------------------------------

// Numeric, and of one host: not a name, all hosts, no host, or a group.
static bool reachable(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1) {
        unsigned first = ntohl(v4.s_addr) >> 24;
        return first != 0 && first < 224;
    }
    return inet_pton(AF_INET6, address, &v6) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&v6) &&
           !IN6_IS_ADDR_MULTICAST(&v6);
}

static bool known_type(const char *type)
{
    static const char *const types[] = {"host", "srflx", "prflx", "relay"};
    for (size_t i = 0; i < SC_COUNT(types); i++) {
        if (!strcmp(type, types[i]))
            return true;
    }
    return false;
}

struct candidate {
    char foundation[33], transport[4], address[46], typ[4], type[8];
    long component, priority, port;
};

static bool read_candidate(struct candidate *c, const char **at)
{
    return sc_sdp_word(at, c->foundation, sizeof(c->foundation)) &&
           sc_sdp_ice_chars(c->foundation) && sc_sdp_number(at, 1, 1, &c->component) &&
           sc_sdp_word(at, c->transport, sizeof(c->transport)) &&
           !strcasecmp(c->transport, "udp") && sc_sdp_number(at, 0, 4294967295, &c->priority) &&
           sc_sdp_word(at, c->address, sizeof(c->address)) && reachable(c->address) &&
           sc_sdp_number(at, 1, 65535, &c->port) && sc_sdp_word(at, c->typ, sizeof(c->typ)) &&
           !strcmp(c->typ, "typ") && sc_sdp_word(at, c->type, sizeof(c->type)) &&
           known_type(c->type);
}

// "raddr ADDRESS rport PORT", which all but hosts' candidates have. Nobody connects there.
static bool read_related(const char *at, char address[46], long *port)
{
    char word[8];
    struct in6_addr any;
    return sc_sdp_word(&at, word, sizeof(word)) && !strcmp(word, "raddr") &&
           sc_sdp_word(&at, address, 46) &&
           (inet_pton(AF_INET, address, &any) == 1 ||
            inet_pton(AF_INET6, address, &any) == 1) &&
           sc_sdp_word(&at, word, sizeof(word)) && !strcmp(word, "rport") &&
           sc_sdp_number(&at, 0, 65535, port);
}

bool sc_sdp_candidate(const char *text, char *out, size_t size)
{
    struct candidate c;
    char related[46];
    long related_port;
    const char *at = sc_starts_with(text, "candidate:") ? text + 10 : text;
    if (!read_candidate(&c, &at))
        return false;
    int used = snprintf(out, size, "candidate:%s 1 UDP %ld %s %ld typ %s", c.foundation,
                        c.priority, c.address, c.port, c.type);
    if (used > 0 && (size_t)used < size && strcmp(c.type, "host")) {
        if (!read_related(at, related, &related_port)) {
            snprintf(related, sizeof(related), "0.0.0.0"); // as browsers hide it
            related_port = 0;
        }
        used += snprintf(out + used, size - (size_t)used, " raddr %s rport %ld", related,
                         related_port);
    }
    return used > 0 && (size_t)used < size;
}
