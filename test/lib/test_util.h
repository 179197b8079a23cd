/* test_util.h -- files, hexadecimal text and reference hashes for tests.
 *
 * Whatever goes wrong in here ends the program: a test without its input has
 * no result.
 */
#ifndef VES_TEST_UTIL_H
#define VES_TEST_UTIL_H

#include "base/arena.h"
#include "base/buf.h"
#include "ves/ves.h"
#include "json/json.h"

/* Folder of the shared material: $VES_SHARED, else ../shared. */
const char *test_shared_dir(void);

/* Whole file in memory of its own (free it), NULL ptr when it cannot be
 * read.  One byte more than len is allocated and is 0. */
struct ves_bytes test_read_file(const char *path);
/* Same below test_shared_dir(). */
struct ves_bytes test_read_shared(const char *name);

/* Exactly len bytes of lower-case hexadecimal text. */
void test_hex(const char *hex, void *out, size_t len);
struct ves_hash test_hash(const char *hex);
struct ves_uuid test_uuid(const char *text);

/* Does text spell exactly these bytes in lower-case digits, with or without
 * "0x"? */
bool test_is_hex(struct ves_bytes text, const void *data, size_t len);

/* Reads JSON that must be good. */
const struct ves_json *test_json(struct ves_arena *arena, const char *text);

/* protocol.md A.11, written a second time: the hashes over an encrypted
 * payload in the Rust (is_js false) and the JS layout. */
struct test_recipient {
    uint32_t kid;
    struct ves_bytes enc;
    struct ves_bytes wrap;
};
void test_rust_recipients_hash(const struct test_recipient *list, size_t count,
                               struct ves_hash *out);
/* jcs is the canonical array. */
void test_js_recipients_hash(struct ves_bytes jcs, struct ves_hash *out);
void test_cipher_hash(bool is_js, struct ves_bytes nonce,
                      const struct ves_hash *aad, struct ves_bytes ciphertext,
                      struct ves_bytes tag, const struct ves_hash *recipients,
                      struct ves_hash *out);

#endif
