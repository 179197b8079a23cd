/* storage.h -- the sequencer's store: a file of its own, or a database that
 * other processes may serve at the same time (ADR 0041).
 */
#ifndef VES_SERVER_STORAGE_H
#define VES_SERVER_STORAGE_H

#include "port/store.h"
#include "ves/serve.h"

enum ves_storage_use {
    VES_STORAGE_READ,
    VES_STORAGE_READ_ONCE, /* hardly anything is read twice */
    VES_STORAGE_WRITE,
    VES_STORAGE_CREATE /* and make what is not there */
};

/* Is it a database that others may serve, too? */
static inline bool
ves_storage_is_shared(const struct ves_serve_options *options)
{
    return options->store != NULL;
}

/* What it is called in messages; never with a secret. */
const char *ves_storage_name(const struct ves_serve_options *options,
                             char *text, size_t size);

/* Opens it as port/store.h has it; given back with _close.  A shared one that
 * is not there is made only by ves_server_init. */
VES_NODISCARD enum ves_status
ves_storage_open(const struct ves_serve_options *options,
                 enum ves_storage_use use, const struct ves_alloc *alloc,
                 struct ves_store **store, struct ves_error *error);
/* NULL is allowed. */
void ves_storage_close(struct ves_store *store);

/* From here on a shared store takes nothing any more once another process has
 * changed the sequencer's keys in it. */
VES_NODISCARD enum ves_status
ves_storage_expect_keys(const struct ves_serve_options *options,
                        struct ves_store *store, const struct ves_alloc *alloc,
                        struct ves_error *error);

#endif
