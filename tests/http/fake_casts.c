// HLS by script: a file is what its name says. index.m3u8 tells what it was asked for, and lets go of who
// asked for held.m4s.
#include <string.h>

#include "app/casts.h"
#include "base/mem.h"
#include "base/str.h"

static const struct {
    const char *file;
    int ret;
} failures[] = {
    {"none.m4s", SC_ENOTFOUND}, {"idle.m4s", SC_EAGAIN},    {"late.m4s", SC_ETIMEOUT},
    {"many.m4s", SC_EBUSY},     {"end.m4s", SC_ECANCELLED},
};

static struct {
    void (*done)(void *arg, int ret, sc_buf *body, const sc_err *err);
    void *arg;
} held;

sc_casts *sc_app_casts(sc_app *app)
{
    (void)app;
    return NULL;
}

static void answer(void (*done)(void *arg, int ret, sc_buf *body, const sc_err *err), void *arg,
                   const char *text)
{
    sc_buf *body = sc_buf_new(strlen(text));
    sc_err err = {0};
    memcpy(body->data, text, body->size);
    done(arg, SC_OK, body, &err);
    sc_buf_unref(&body);
}

void sc_casts_get(sc_casts *casts, const struct sc_casts_query *q,
                  void (*done)(void *arg, int ret, sc_buf *body, const sc_err *err), void *arg)
{
    char text[100];
    sc_err err = {0};
    (void)casts;
    for (size_t i = 0; i < SC_COUNT(failures); i++) {
        if (strcmp(q->file, failures[i].file) != 0)
            continue;
        sc_fail(&err, failures[i].ret, "as the script says");
        done(arg, failures[i].ret, NULL, &err);
        return;
    }
    if (!strcmp(q->file, "held.m4s")) {
        held.done = done;
        held.arg = arg;
        return;
    }
    if (held.done)
        answer(held.done, held.arg, "held");
    held.done = NULL;
    snprintf(text, sizeof(text), "%s %lld %lld", q->stream, (long long)q->segment,
             (long long)q->part);
    answer(done, arg, text);
}
