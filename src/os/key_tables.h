/* key_tables.h -- which keys are worth a table (crypto/key_table.h).
 *
 * A table costs about seven of libsodium's verifications and makes each after
 * it five times cheaper.  A key gets one when it was seen often enough, or
 * signed enough of one batch; of a bounded number of tables the one longest out
 * of use is given up for it.  Safe for any number of threads at a time; tables
 * are built and used outside the lock.
 */
#ifndef VES_OS_KEY_TABLES_H
#define VES_OS_KEY_TABLES_H

#include "port/crypt.h"
#include "ves/ves.h"

struct ves_key_tables;

/* Some 130 KiB; with all tables built 13 MiB more.  alloc must outlive it, and
 * bear several threads at a time.  VES_NOMEM; VES_IO without random bytes. */
VES_NODISCARD enum ves_status ves_key_tables_new(const struct ves_alloc *alloc,
                                                 struct ves_key_tables **out,
                                                 struct ves_error *error);
/* No lease may be left.  NULL allowed. */
void ves_key_tables_free(struct ves_key_tables *tables);

/* The tables of one batch.  Members are for key_tables.c alone. */
enum { VES_LEASED_KEYS_MAX = 128 };
struct ves_key_lease {
    struct ves_key_tables *tables;
    size_t count;
    struct ves_leased_key {
        const struct ves_verify_item *first; /* of this key in the batch */
        size_t seen;
        struct key_entry *entry;
        const struct ves_key_table *table; /* NULL: libsodium verifies */
        bool is_to_build, is_to_build_base;
    } keys[VES_LEASED_KEYS_MAX];
};

/* Finds the tables of a batch and builds those that it pays for.  The items'
 * keys stay where and as they are until the lease is given back. */
void ves_key_tables_take(struct ves_key_tables *tables,
                         const struct ves_verify_item *items, size_t count,
                         struct ves_key_lease *lease);
void ves_key_tables_give(struct ves_key_lease *lease);

/* Verifies items of the batch, each with an answer of its own that is
 * ves_ed25519_verify()'s: libsodium is asked about what a table refuses, about
 * the first that a new table accepts, and about one in VES_ACCEPTED_CHECKED of
 * what tables accept.  If it refuses one of these, the process ends: nothing it
 * verifies could be believed. */
enum { VES_ACCEPTED_CHECKED = 256 };
void ves_key_lease_verify(const struct ves_key_lease *lease,
                          struct ves_verify_item *items, size_t count);

#endif
