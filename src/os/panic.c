/* panic.c -- last words of a process that found a bug in itself. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "ves/ves.h"

static void say(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: ves: assertion failed: %s\n", file, line, what);
    fflush(stderr);
}

static void (*_Atomic panic_handler)(const char *what, const char *file,
                                     int line) = say;

void ves_set_panic_handler(void (*handler)(const char *what, const char *file,
                                           int line))
{
    atomic_store(&panic_handler, handler ? handler : say);
}

_Noreturn void ves_panic(const char *what, const char *file, int line)
{
    /* A handler that itself breaks an assertion must not run again. */
    atomic_exchange(&panic_handler, say)(what, file, line);
    abort();
}
