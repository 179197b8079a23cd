/* timed.h -- waiting on a condition for so long, whoever sets the clock. */
#ifndef VES_OS_TIMED_H
#define VES_OS_TIMED_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/* A condition whose timed waits go by CLOCK_MONOTONIC.  Ends with
 * pthread_cond_destroy. */
void ves_timed_cond_init(pthread_cond_t *cond);

/* The moment ms milliseconds from now, for pthread_cond_timedwait on such a
 * condition. */
struct timespec ves_timed_after(unsigned ms);

/* Waits on such a condition, whose lock is held, a moment; false once *left_ms
 * milliseconds have been waited, which it counts down.  A moment counts for no
 * more than it should take: a process that stood still meanwhile, on a machine
 * that slept or moved, still waits for those who stood still with it. */
bool ves_timed_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
                    unsigned *left_ms);

#endif
