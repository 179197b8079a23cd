/* library.c -- a library that is loaded when it is needed, not linked. */
#include "os/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static bool fail(char reason[VES_LIBRARY_REASON])
{
    const char *words = dlerror();

    snprintf(reason, VES_LIBRARY_REASON, "%s",
             words ? words : "no reason given");
    return false;
}

bool ves_library_load(const char *soname,
                      const struct ves_library_symbol *symbols,
                      char reason[VES_LIBRARY_REASON])
{
    void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return fail(reason);
    for (const struct ves_library_symbol *s = symbols; s->name; s++) {
        /* POSIX wants the address of a function to fit a void pointer. */
        void *address = dlsym(library, s->name);
        if (!address)
            return fail(reason);
        memcpy(s->out, &address, sizeof(address));
    }
    return true;
}
