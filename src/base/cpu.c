// How many cores this process may use: affinity mask and cgroup quota (version 2, then 1). And who gets them first.
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/pool.h"

static bool read_numbers(const char *path, const char *format, long long *a, long long *b)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    int got = b ? fscanf(f, format, a, b) : fscanf(f, format, a);
    fclose(f);
    return got == (b ? 2 : 1);
}

// The quota in whole cores, rounded up; 0 = none. In a container the group's own files are at
// the mount's root; outside one, a quota on a nested group is not seen and costs nothing but
// some threads too many.
static int quota_cores(void)
{
    long long quota = 0, period = 0;
    if (!read_numbers("/sys/fs/cgroup/cpu.max", "%lld %lld", &quota, &period) &&
        !(read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "%lld", &quota, NULL) &&
          read_numbers("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "%lld", &period, NULL)))
        return 0;
    if (quota <= 0 || period <= 0 || quota / period > 4096)
        return 0;
    return (int)((quota + period - 1) / period);
}

int sc_cpu_count(void)
{
    cpu_set_t set;
    long cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
                                                              : sysconf(_SC_NPROCESSORS_ONLN);
    int quota = quota_cores();
    if (quota && quota < cores)
        cores = quota;
    return cores < 1 ? 1 : (int)cores;
}

// In Linux each thread has a niceness of its own. 5 is a third of a core where another thread wants it too.
void sc_cpu_give_way(void)
{
    id_t self = (id_t)gettid();
    if (getpriority(PRIO_PROCESS, self) < 5)
        setpriority(PRIO_PROCESS, self, 5);
}
