/* timed.h -- waiting on a condition for so long, whoever sets the clock. */
#ifndef VES_OS_TIMED_H
#define VES_OS_TIMED_H

#include <pthread.h>
#include <time.h>

/* A condition whose timed waits go by CLOCK_MONOTONIC.  Ends with
 * pthread_cond_destroy. */
void ves_timed_cond_init(pthread_cond_t *cond);

/* The moment ms milliseconds from now, for pthread_cond_timedwait on such a
 * condition. */
struct timespec ves_timed_after(unsigned ms);

#endif
