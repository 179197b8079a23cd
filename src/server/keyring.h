/* keyring.h -- agents' public keys in memory, for prepare.
 *
 * A key not yet here is looked up in the store once.  Keys are only ever
 * added: when a key was revoked is decided by sequence in the commit step
 * (design.md D17), so a stale answer is not possible.
 */
#ifndef VES_SERVER_KEYRING_H
#define VES_SERVER_KEYRING_H

#include <pthread.h>

#include "engine/sequencer.h"
#include "server/readers.h"
#include "server/table.h"

struct ves_keyring {
    pthread_rwlock_t lock;
    struct ves_table table;
    struct ves_readers *readers;
    const struct ves_alloc *alloc;
};

/* readers must outlive the ring. */
void ves_keyring_init(struct ves_keyring *ring, const struct ves_alloc *alloc,
                      struct ves_readers *readers, uint64_t seed);
void ves_keyring_deinit(struct ves_keyring *ring);

/* How prepare asks; valid as long as ring, from any thread. */
struct ves_key_source ves_keyring_source(struct ves_keyring *ring);

#endif
