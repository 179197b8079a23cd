/* pool.h -- worker threads for batches of signatures.
 *
 * A pool serves calls from any number of threads at a time; the calling
 * thread works too, so a pool of n threads has n - 1 workers and a call
 * returns when all its answers are there.  Workers block all signals, and give
 * way to the process's other threads.  Signatures to be made go before those to
 * be verified, whatever came first: workers take them first, and a thread that
 * calls to verify helps with them before its own.  Do not use a pool across
 * fork().
 */
#ifndef VES_OS_POOL_H
#define VES_OS_POOL_H

#include "port/crypt.h"
#include "ves/ves.h"

struct ves_pool;

enum { VES_POOL_THREADS_MAX = 64 };

/* threads: 1 to VES_POOL_THREADS_MAX, or 0 for as many as this process may
 * run on.  If the system gives fewer threads the pool is smaller; with none
 * it is the calling thread alone.  alloc must outlive it, and bear several
 * threads at a time.  VES_NOMEM; VES_IO without random bytes. */
VES_NODISCARD enum ves_status ves_pool_new(const struct ves_alloc *alloc,
                                           unsigned threads,
                                           struct ves_pool **out,
                                           struct ves_error *error);
/* No call may be running; signers made from it must be freed before.  NULL
 * allowed. */
void ves_pool_free(struct ves_pool *pool);

/* Threads that work on a batch, the caller included. */
unsigned ves_pool_threads(const struct ves_pool *pool);

/* Answers as ves_ed25519_verify does, with tables for keys that are seen often
 * (os/key_tables.h); lives as long as the pool. */
struct ves_verifier *ves_pool_verifier(struct ves_pool *pool);

/* A signer that spreads batches over the pool and signs each part with inner,
 * whose sign must allow several threads at a time (those of os/keyfile.h do).
 * inner must outlive it.  VES_NOMEM. */
VES_NODISCARD enum ves_status ves_pool_signer_new(struct ves_pool *pool,
                                                  struct ves_signer *inner,
                                                  struct ves_signer **out);
void ves_pool_signer_free(struct ves_signer *signer); /* NULL allowed */

#endif
