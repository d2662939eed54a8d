#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * SC_NS_PER_S + ts.tv_nsec;
}

int64_t sc_clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t sc_clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

void sc_clock_sleep(int64_t ns)
{
    if (ns <= 0)
        return;
    // An absolute deadline does not drift when signals interrupt the sleep.
    int64_t end = sc_clock_now() + ns;
    struct timespec ts = {.tv_sec = end / SC_NS_PER_S, .tv_nsec = end % SC_NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
        ;
}

void sc_clock_init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool sc_clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ns)
{
    struct timespec until = {.tv_sec = until_ns / SC_NS_PER_S,
                             .tv_nsec = until_ns % SC_NS_PER_S};
    return pthread_cond_timedwait(cond, lock, &until) != ETIMEDOUT;
}

char *sc_clock_format(char *buf, int64_t wall_ns)
{
    int64_t s = wall_ns / SC_NS_PER_S, ns = wall_ns % SC_NS_PER_S;
    if (ns < 0) {
        s--;
        ns += SC_NS_PER_S;
    }
    time_t t = (time_t)s;
    struct tm tm;
    gmtime_r(&t, &tm);
    size_t len = strftime(buf, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + len, 32 - len, ".%03dZ", (int)(ns / SC_NS_PER_MS));
    return buf;
}
