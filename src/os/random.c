/* random.c -- unpredictable bytes. */
#include "os/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"

enum ves_status ves_random(void *out, size_t size, struct ves_error *error)
{
    uint8_t *at = out;
    size_t left = size;
    while (left > 0) {
        ssize_t n = getrandom(at, left, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            memset(out, 0, size);
            return ves_fail(error, VES_IO,
                            "the system gives no random numbers (error %d)",
                            n < 0 ? errno : 0);
        }
        at += n;
        left -= (size_t)n;
    }
    return VES_OK;
}
