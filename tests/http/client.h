// A plain HTTP client for tests: sends bytes as they are, reads one answer at a time.
#pragma once

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

struct client {
    int fd;
    sc_str in; // what was received and not taken yet
};

struct answer {
    int status;
    sc_str head, body;
};

static inline struct client client_open(int port)
{
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = 20};
    inet_pton(AF_INET, "127.0.0.1", &addr.sin_addr);
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sc_require(!connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)));
    return c;
}

static inline void client_close(struct client *c)
{
    close(c->fd);
    sc_str_release(&c->in);
}

// False when the server has closed.
static inline bool client_send_bytes(struct client *c, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = send(c->fd, (const char *)data + done, size - done, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static inline bool client_send(struct client *c, const char *text)
{
    return client_send_bytes(c, text, strlen(text));
}

static inline bool client_more(struct client *c)
{
    char buf[65536];
    ssize_t n = recv(c->fd, buf, sizeof(buf), 0);
    if (n > 0)
        sc_str_addn(&c->in, buf, (size_t)n);
    return n > 0;
}

static inline void client_take(struct client *c, size_t size, sc_str *out)
{
    sc_str rest = {0};
    sc_str_addn(out, c->in.s, size);
    sc_str_addn(&rest, c->in.s + size, c->in.len - size);
    sc_str_release(&c->in);
    c->in = rest;
}

static inline const char *answer_header(const struct answer *a, const char *name, char *out,
                                        size_t size)
{
    sc_str wanted = {0};
    sc_str_addf(&wanted, "\r\n%s: ", name);
    const char *found = strcasestr(sc_str_get(&a->head), wanted.s);
    if (found)
        snprintf(out, size, "%.*s", (int)strcspn(found + wanted.len, "\r"), found + wanted.len);
    sc_str_release(&wanted);
    return found ? out : NULL;
}

static inline void read_chunked(struct client *c, struct answer *a)
{
    for (;;) {
        char *line;
        while (!(line = c->in.len ? strstr(c->in.s, "\r\n") : NULL)) {
            if (!client_more(c)) {
                a->status = -1; // cut in the middle
                return;
            }
        }
        size_t size = strtoul(c->in.s, NULL, 16), head = (size_t)(line - c->in.s) + 2;
        while (c->in.len < head + size + 2) {
            if (!client_more(c)) {
                a->status = -1;
                return;
            }
        }
        sc_str skipped = {0};
        client_take(c, head, &skipped);
        client_take(c, size, &a->body);
        client_take(c, 2, &skipped);
        sc_str_release(&skipped);
        if (!size)
            return;
    }
}

// status 0 when the server closed without an answer, -1 when it cut one short.
static inline struct answer client_read(struct client *c, bool head_only)
{
    struct answer a = {0};
    char value[256], *end;
    do {
        sc_str_clear(&a.head);
        while (!(end = c->in.len ? strstr(c->in.s, "\r\n\r\n") : NULL)) {
            if (!client_more(c))
                return a;
        }
        client_take(c, (size_t)(end - c->in.s) + 4, &a.head);
        a.status = atoi(a.head.s + 9);
    } while (a.status == 100);
    if (head_only || a.status == 204 || a.status == 304)
        return a;
    if (answer_header(&a, "Transfer-Encoding", value, sizeof(value))) {
        read_chunked(c, &a);
        return a;
    }
    size_t size = answer_header(&a, "Content-Length", value, sizeof(value))
                      ? strtoul(value, NULL, 10)
                      : 0;
    while (c->in.len < size) {
        if (!client_more(c)) {
            a.status = -1;
            return a;
        }
    }
    if (size)
        client_take(c, size, &a.body);
    return a;
}

static inline void answer_release(struct answer *a)
{
    sc_str_release(&a->head);
    sc_str_release(&a->body);
}
