/* clock.h -- what time it is.
 *
 * Hosts read it once a step and hand it to the engines, which decide nothing
 * by it (semantics.md decision 16).
 */
#ifndef VES_OS_CLOCK_H
#define VES_OS_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970; jumps when somebody sets the clock. */
int64_t ves_clock_now_ms(void);

/* Milliseconds since some moment; never goes back, for durations and
 * deadlines inside one process. */
int64_t ves_clock_monotonic_ms(void);

#endif
