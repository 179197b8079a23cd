/* store_mem.h -- the store contract in memory: model and test double.
 *
 * Everything lives in ordered maps, deterministic down to the order of
 * allocations, and goes with close.  Serves both roles.  What differs from a
 * file: there is no second process, so begin is never VES_BUSY, and nothing is
 * durable beyond the life of the handle.
 */
#ifndef VES_STORE_STORE_MEM_H
#define VES_STORE_STORE_MEM_H

#include "port/store.h"

/* *out is owned by the caller and given back with _close; alloc must outlive
 * it.  VES_NOMEM. */
VES_NODISCARD enum ves_status ves_store_mem_open(const struct ves_alloc *alloc,
                                                 struct ves_store **out);

/* NULL is allowed.  A transaction that is open is lost. */
void ves_store_mem_close(struct ves_store *store);

/* What the death of the process would do: an open transaction is gone, what
 * was committed stays, and the store may be used again as if opened anew. */
void ves_store_mem_crash(struct ves_store *store);

/* Keeps what was committed so far, as a backup would; from now on every change
 * takes memory until _return.  A backup that was kept before is gone.  No
 * transaction may be open. */
void ves_store_mem_keep(struct ves_store *store);

/* Goes back to what was kept, as if the file had been put in place of this
 * one; once. */
void ves_store_mem_return(struct ves_store *store);

#endif
