/* library.h -- a library that is loaded when it is needed, not linked. */
#ifndef VES_OS_LIBRARY_H
#define VES_OS_LIBRARY_H

#include "ves/ves.h"

enum { VES_LIBRARY_REASON = 256 };

struct ves_library_symbol {
    const char *name;
    void *out; /* the address of a pointer to the function */
};

/* Loads it and finds all symbols, up to one without a name.  It is never
 * unloaded: threads of its own may still run.  False with the reason why not;
 * what was found until then is set. */
VES_NODISCARD bool ves_library_load(const char *soname,
                                    const struct ves_library_symbol *symbols,
                                    char reason[VES_LIBRARY_REASON]);

#endif
