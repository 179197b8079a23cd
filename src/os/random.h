/* random.h -- unpredictable bytes. */
#ifndef VES_OS_RANDOM_H
#define VES_OS_RANDOM_H

#include "ves/ves.h"

/* Fills out from the kernel's generator.  VES_IO with *error when it gives
 * none; out is then zeroed, so that nobody takes it for random. */
VES_NODISCARD enum ves_status ves_random(void *out, size_t size,
                                         struct ves_error *error);

#endif
