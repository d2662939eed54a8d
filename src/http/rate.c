#include "http/rate.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define SETS 2048
#define WAYS 4

struct bucket {
    uint64_t client; // hash; 0 = free
    int64_t filled_ns;
    double tokens;
};

struct sc_rate {
    double per_second, burst;
    uint64_t seed;
    pthread_mutex_t lock;
    struct bucket sets[SETS][WAYS]; // under lock
};

sc_rate *sc_rate_new(double per_second, double burst)
{
    sc_rate *rate = sc_new(sc_rate);
    rate->per_second = per_second;
    rate->burst = burst < 1 ? 1 : burst;
    rate->seed = (uint64_t)sc_clock_now() ^ (uint64_t)(uintptr_t)rate;
    pthread_mutex_init(&rate->lock, NULL);
    return rate;
}

void sc_rate_free(sc_rate **prate)
{
    if (!prate || !*prate)
        return;
    pthread_mutex_destroy(&(*prate)->lock);
    free(*prate);
    *prate = NULL;
}

static uint64_t hash(uint64_t seed, const unsigned char *data, size_t size)
{
    uint64_t h = seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ data[i]) * 0x100000001b3u;
    h ^= h >> 32;
    return h ? h : 1;
}

static struct bucket *find(sc_rate *rate, uint64_t client, int64_t now_ns)
{
    struct bucket *set = rate->sets[client % SETS], *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].client == client)
            return &set[i];
        if (set[i].filled_ns < oldest->filled_ns)
            oldest = &set[i];
    }
    *oldest = (struct bucket){client, now_ns, rate->burst};
    return oldest;
}

int sc_rate_take(sc_rate *rate, const void *client, size_t size, int64_t now_ns)
{
    int wait_s = 0;
    pthread_mutex_lock(&rate->lock);
    struct bucket *bucket = find(rate, hash(rate->seed, client, size), now_ns);
    double gained = (double)(now_ns - bucket->filled_ns) / 1e9 * rate->per_second;
    bucket->tokens = fmin(rate->burst, bucket->tokens + fmax(gained, 0));
    bucket->filled_ns = now_ns;
    if (bucket->tokens >= 1)
        bucket->tokens -= 1;
    else
        wait_s = (int)fmin(3600, ceil((1 - bucket->tokens) / rate->per_second));
    pthread_mutex_unlock(&rate->lock);
    return wait_s;
}
