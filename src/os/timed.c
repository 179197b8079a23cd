/* timed.c -- waiting on a condition for so long, whoever sets the clock. */
#include "os/timed.h"

#include "os/clock.h"

enum { MOMENT_MS = 20 };

void ves_timed_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

struct timespec ves_timed_after(unsigned ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

bool ves_timed_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
                    unsigned *left_ms)
{
    const int64_t began_ms = ves_clock_monotonic_ms();
    const unsigned moment = *left_ms < MOMENT_MS ? *left_ms : MOMENT_MS;
    struct timespec until = ves_timed_after(moment);
    if (moment == 0)
        return false;
    (void)pthread_cond_timedwait(cond, lock, &until);
    const int64_t took_ms = ves_clock_monotonic_ms() - began_ms;
    *left_ms -= took_ms < (int64_t)moment ? (unsigned)took_ms : moment;
    return true;
}
