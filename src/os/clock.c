/* clock.c -- what time it is. */
#include "os/clock.h"

#include <time.h>

#include "base/assert.h"

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    VES_ASSERT(!failed);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t ves_clock_now_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t ves_clock_monotonic_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}
