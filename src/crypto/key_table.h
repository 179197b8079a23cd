/* key_table.h -- verifying signatures of a key that is seen often.
 *
 * A table holds the multiples of a key by every power of a window, so that the
 * point [S]B - [k]A of RFC 8032 section 5.1.7 is a sum without a doubling: a
 * fifth of the time libsodium takes.  Variable time, for public values only.
 *
 * What is accepted here libsodium accepts: S < L, the sum encoded canonically
 * and equal to R as bytes, R not neutral; and there is a table only for a key
 * ves_ed25519_key_is_valid() knows (canonical, of the main subgroup), so no
 * part of small order is ever in the sum.  What is refused here is to be asked
 * of ves_ed25519_verify(), whose answer counts.
 */
#ifndef VES_CRYPTO_KEY_TABLE_H
#define VES_CRYPTO_KEY_TABLE_H

#include "port/crypt.h"
#include "ves/ves.h"

struct ves_base_table; /* of RFC 8032's base point; 0.5 MiB */
struct ves_key_table;  /* of one key; 0.1 MiB */

/* NULL without memory, and with a compiler without 128-bit integers.  alloc
 * must outlive it.  Some 2 ms, once a process. */
VES_NODISCARD struct ves_base_table *
ves_base_table_new(const struct ves_alloc *alloc);
void ves_base_table_free(const struct ves_alloc *alloc,
                         struct ves_base_table *table); /* NULL allowed */

/* NULL without memory, if key is not valid, and with a compiler without
 * 128-bit integers.  Takes as long as seven of libsodium's verifications. */
VES_NODISCARD struct ves_key_table *
ves_key_table_new(const struct ves_alloc *alloc,
                  const struct ves_public_key *key);
void ves_key_table_free(const struct ves_alloc *alloc,
                        struct ves_key_table *table); /* NULL allowed */

/* One verification: item is of table's key, which is asserted. */
struct ves_table_item {
    const struct ves_key_table *table;
    struct ves_verify_item *item; /* is_valid is the answer */
};

/* Verifies up to VES_TABLE_BATCH items together, each with an answer of its
 * own; from any number of threads at a time. */
enum { VES_TABLE_BATCH = 16 };
void ves_key_table_verify(const struct ves_base_table *base,
                          const struct ves_table_item *items, size_t count);

#endif
