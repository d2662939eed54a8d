// The exactness harness: prints which picture the reader delivers for each frame number asked.
//
//   exact FILE ORDER [--index INDEX] [--cache BYTES] [--threads N] [--sample N] [--reverse N]
//
// ORDER is one of the orders below, or "all". INDEX is a saved index; else one is built.
// --sample says how many frames the orders that jump ask for, --reverse the same for "reverse"; 0 =
// all. Output, for tests/exact/run.py:
//   # frames N
//   # ORDER          then a line "n,md5" for each frame asked, in the order asked, or
//                    "n,!CODE text" where the reader refused
//   # times          then "n,t,found": frame n's printed time, and the frame that time names
//   # beyond         then what asking for frame N and for the duration answers
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "media/index.h"
#include "media/reader.h"

#define THREADS 16

struct answer {
    int64_t n;
    int ret;
    char md5[33];
    char text[120];
};

struct exact {
    sc_reader *reader;
    int64_t frames;
    int64_t sample;  // at most so many frames in orders that jump; 0 = all
    int64_t reverse; // likewise for "reverse"
    struct answer *answers;
    int64_t count;
};

static void answer_fill(struct answer *a, int ret, const sc_frame *frame, const sc_err *err)
{
    a->ret = ret;
    if (!ret && frame->n != a->n) {
        a->ret = SC_EINTERNAL;
        snprintf(a->text, sizeof(a->text), "the frame says it is number %lld",
                 (long long)frame->n);
    } else if (!ret) {
        a->ret = sc_frame_md5(frame->av, a->md5);
    } else {
        snprintf(a->text, sizeof(a->text), "%.100s", err ? err->text : "");
    }
}

static void ask(struct exact *x, struct answer *a)
{
    sc_frame *frame = NULL;
    sc_err err = {0};
    int ret = sc_reader_get_sync(x->reader, a->n, 0, &frame, &err);
    answer_fill(a, ret, frame, &err);
    sc_frame_unref(&frame);
}

static void ask_all(struct exact *x)
{
    for (int64_t i = 0; i < x->count; i++)
        ask(x, &x->answers[i]);
}

// Spreads `wanted` numbers evenly over [0, frames), the last one included.
static void plan_spread(struct exact *x, int64_t wanted)
{
    x->count = wanted;
    for (int64_t i = 0; i < wanted; i++)
        x->answers[i] =
            (struct answer){.n = wanted > 1 ? i * (x->frames - 1) / (wanted - 1) : 0};
}

static int64_t at_most(const struct exact *x, int64_t sample)
{
    return sample && sample < x->frames ? sample : x->frames;
}

static void plan_reverse(struct exact *x)
{
    plan_spread(x, at_most(x, x->reverse));
    for (int64_t i = 0, j = x->count - 1; i < j; i++, j--) {
        struct answer swap = x->answers[i];
        x->answers[i] = x->answers[j];
        x->answers[j] = swap;
    }
}

static void plan_shuffle(struct exact *x)
{
    uint64_t state = 0x9E3779B97F4A7C15u;
    plan_spread(x, at_most(x, x->sample));
    for (int64_t i = x->count - 1; i > 0; i--) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        int64_t j = (int64_t)(state % (uint64_t)(i + 1));
        struct answer swap = x->answers[i];
        x->answers[i] = x->answers[j];
        x->answers[j] = swap;
    }
}

static void run_order(struct exact *x)
{
    plan_spread(x, x->frames);
    ask_all(x);
}

static void run_reverse(struct exact *x)
{
    plan_reverse(x);
    ask_all(x);
}

static void run_shuffle(struct exact *x)
{
    plan_shuffle(x);
    ask_all(x);
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int pending;
};

struct request {
    struct answer *answer;
    struct waiter *waiter;
};

static void on_frame(void *arg, int ret, sc_frame *frame, const sc_err *err)
{
    struct request *request = arg;
    answer_fill(request->answer, ret, frame, err);
    sc_frame_unref(&frame);
    pthread_mutex_lock(&request->waiter->lock);
    request->waiter->pending--;
    pthread_cond_signal(&request->waiter->changed);
    pthread_mutex_unlock(&request->waiter->lock);
}

static void ask_pair(struct exact *x, struct answer *pair, struct waiter *waiter)
{
    struct request requests[2];
    waiter->pending = 2;
    for (int i = 0; i < 2; i++) {
        requests[i] = (struct request){.answer = &pair[i], .waiter = waiter};
        int ret = sc_reader_get(x->reader, pair[i].n, 0, on_frame, &requests[i]);
        if (ret) {
            pair[i].ret = ret;
            pthread_mutex_lock(&waiter->lock);
            waiter->pending--;
            pthread_mutex_unlock(&waiter->lock);
        }
    }
    pthread_mutex_lock(&waiter->lock);
    while (waiter->pending)
        pthread_cond_wait(&waiter->changed, &waiter->lock);
    pthread_mutex_unlock(&waiter->lock);
}

// Each frame twice, both requests under way at once.
static void run_twice(struct exact *x)
{
    struct waiter waiter = {0};
    pthread_mutex_init(&waiter.lock, NULL);
    pthread_cond_init(&waiter.changed, NULL);
    plan_spread(x, at_most(x, x->sample));
    for (int64_t i = x->count - 1; i >= 0; i--)
        x->answers[2 * i] = x->answers[2 * i + 1] = x->answers[i];
    x->count *= 2;
    for (int64_t i = 0; i < x->count; i += 2)
        ask_pair(x, &x->answers[i], &waiter);
    pthread_cond_destroy(&waiter.changed);
    pthread_mutex_destroy(&waiter.lock);
}

struct share {
    struct exact *x;
    int64_t first;
};

static void *run_share(void *arg)
{
    struct share *share = arg;
    for (int64_t i = share->first; i < share->x->count; i += THREADS)
        ask(share->x, &share->x->answers[i]);
    return NULL;
}

static void run_threads(struct exact *x)
{
    pthread_t threads[THREADS];
    struct share shares[THREADS];
    plan_shuffle(x);
    for (int64_t i = 0; i < THREADS; i++) {
        shares[i] = (struct share){.x = x, .first = i};
        sc_require(!pthread_create(&threads[i], NULL, run_share, &shares[i]));
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

// The last frame, then beyond it, then backwards frame by frame.
static void run_backwards(struct exact *x)
{
    struct answer beyond = {.n = x->frames};
    x->count = at_most(x, x->sample);
    for (int64_t i = 0; i < x->count; i++)
        x->answers[i] = (struct answer){.n = x->frames - 1 - i};
    ask(x, &x->answers[0]);
    ask(x, &beyond);
    for (int64_t i = 1; i < x->count; i++)
        ask(x, &x->answers[i]);
}

static const struct order {
    const char *name;
    void (*run)(struct exact *x);
} orders[] = {
    {"order", run_order}, {"reverse", run_reverse}, {"shuffle", run_shuffle},
    {"twice", run_twice}, {"threads", run_threads}, {"backwards", run_backwards},
};

static void print_answers(const struct exact *x, const char *name)
{
    printf("# %s\n", name);
    for (int64_t i = 0; i < x->count; i++) {
        const struct answer *a = &x->answers[i];
        if (a->ret)
            printf("%lld,!%s %s\n", (long long)a->n, sc_error_name(a->ret), a->text);
        else
            printf("%lld,%s\n", (long long)a->n, a->md5);
    }
}

static void print_times(const sc_index *ix, int64_t frames)
{
    char t[64];
    int64_t found;
    puts("# times");
    for (int64_t n = 0; n < frames; n++) {
        sc_index_format_time(ix, n, t, sizeof(t));
        int ret = sc_index_find_time(ix, t, &found);
        printf("%lld,%s,%lld\n", (long long)n, t, ret ? (long long)ret : (long long)found);
    }
}

static void print_beyond(struct exact *x, const sc_index *ix)
{
    char t[64];
    int64_t found;
    struct answer beyond = {.n = x->frames};
    ask(x, &beyond);
    sc_index_format_duration(ix, t, sizeof(t));
    int ret = sc_index_find_time(ix, t, &found);
    printf("# beyond\nframe %s\nduration %s %s\n",
           beyond.ret ? sc_error_name(beyond.ret) : "given", t,
           ret ? sc_error_name(ret) : "given");
}

static const char *option(int argc, char **argv, const char *name)
{
    for (int i = 3; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], name))
            return argv[i + 1];
    }
    return NULL;
}

static int64_t number(int argc, char **argv, const char *name)
{
    const char *text = option(argc, argv, name);
    int64_t value = 0;
    if (text && !sc_parse_int(text, 0, INT64_MAX, &value))
        fprintf(stderr, "exact: %s wants a number\n", name);
    return value;
}

static void run(struct exact *x, sc_index *ix, const char *order)
{
    printf("# frames %lld\n", (long long)x->frames);
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(order, "all") && strcmp(order, orders[i].name))
            continue;
        orders[i].run(x);
        print_answers(x, orders[i].name);
    }
    print_times(ix, x->frames);
    print_beyond(x, ix);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: exact FILE ORDER [--index INDEX] [--cache BYTES] [--threads N] "
                        "[--sample N] [--reverse N]\n");
        return 2;
    }
    int result = 1;
    sc_err err = {0};
    sc_index *ix = NULL;
    sc_reader_engine *engine = NULL;
    const char *saved = option(argc, argv, "--index");
    struct exact x = {.sample = number(argc, argv, "--sample"),
                      .reverse = number(argc, argv, "--reverse")};
    int ret = saved ? sc_index_load(&ix, saved, &err)
                    : sc_index_build(&ix, argv[1], &(struct sc_index_params){0}, &err);
    if (ret) {
        fprintf(stderr, "exact: %s: %s\n", argv[1], err.text);
        goto end;
    }
    engine = sc_reader_engine_open(&(struct sc_reader_engine_params){
        .threads = (int)number(argc, argv, "--threads"),
        .frame_cache_bytes = (size_t)number(argc, argv, "--cache"),
        .no_prefetch = true,
    });
    if (!engine)
        goto end;
    x.frames = sc_index_get_info(ix)->frames;
    x.answers = sc_try_calloc((size_t)x.frames * 2 + 2, sizeof(*x.answers));
    if (!x.answers)
        goto end;
    x.reader = sc_reader_open(engine, ix, argv[1]);
    run(&x, ix, argv[2]);
    result = 0;
end:
    sc_reader_close(&x.reader);
    sc_reader_engine_close(&engine);
    free(x.answers);
    sc_index_unref(&ix);
    return result;
}
