/* error.h -- filling in struct ves_error. */
#ifndef VES_BASE_ERROR_H
#define VES_BASE_ERROR_H

#include <stdarg.h>

#include "ves/ves.h"

/* Writes status and a printf-style sentence into *error (NULL allowed) and
 * returns status, so that "return ves_fail(...)" reads as one act.  Text that
 * does not fit is cut at a character boundary. */
enum ves_status ves_fail(struct ves_error *error, enum ves_status status,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Same with the arguments as a va_list, which is used up. */
enum ves_status ves_vfail(struct ves_error *error, enum ves_status status,
                          const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
