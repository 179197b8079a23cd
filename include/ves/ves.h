/* ves.h -- the types every part of VES shares: status, bytes, identities.
 *
 * libves is safe to call from several threads as long as no two calls use the
 * same handle at the same time.  Nothing here allocates unless it says so.
 */
#ifndef VES_VES_H
#define VES_VES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VES_VERSION   "0.1.0"
#define VES_API       __attribute__((visibility("default")))
#define VES_NODISCARD __attribute__((warn_unused_result))

/* name, value, message.  Few codes, chosen by what the caller will do next.
 * Values are ABI: append, never renumber. */
#define VES_STATUS_MAP(X)                                              \
    X(OK, 0, "success")                                                \
    X(NOMEM, 1, "out of memory")                                       \
    X(LIMIT, 2, "a limit was exceeded")                                \
    X(MALFORMED, 3, "input is not well formed")                        \
    X(IO, 4, "storage failure")                                        \
    X(CONFLICT, 5, "an identifier is already used for something else") \
    X(REFUSED, 6, "verification failed or the peer refused")           \
    X(NOT_FOUND, 7, "no such thing")                                   \
    X(BUSY, 8, "another process holds the lease or the lock")          \
    X(UNREACHABLE, 9, "the sequencer could not be reached")            \
    X(AUTH, 10, "credentials are missing, expired or not accepted")    \
    X(FORBIDDEN, 11, "credentials lack the right")                     \
    X(INVALID, 12, "an argument is not allowed")                       \
    X(CORRUPT, 13, "stored data contradicts itself")                   \
    X(UNSUPPORTED, 14, "version or feature not supported")             \
    X(DIVERGED, 15, "two histories contradict each other")             \
    X(AGAIN, 16, "not now; the same call may succeed later")

enum ves_status {
#define X(name, value, message) VES_##name = (value),
    VES_STATUS_MAP(X)
#undef X
};

/* Returns a static, NUL-terminated, English sentence without a full stop. */
VES_API const char *ves_status_message(enum ves_status status);

/* Returns the name of a status without its prefix, e.g. "NOT_FOUND". */
VES_API const char *ves_status_name(enum ves_status status);

/* Returns VES_VERSION as the library was built. */
VES_API const char *ves_version(void);

/* A view of bytes owned by somebody else.  ptr may be NULL only if len is 0. */
struct ves_bytes {
    const uint8_t *ptr;
    size_t len; /* bytes */
};

enum {
    VES_HASH_SIZE = 32,
    VES_SIG_SIZE = 64,
    VES_KEY_SIZE = 32,
    VES_UUID_SIZE = 16,
    VES_UUID_TEXT = 36 /* characters, without a NUL */
};

/* SHA-256 value. */
struct ves_hash {
    uint8_t b[VES_HASH_SIZE];
};

/* Ed25519 signature. */
struct ves_sig {
    uint8_t b[VES_SIG_SIZE];
};

/* Ed25519 public key. */
struct ves_public_key {
    uint8_t b[VES_KEY_SIZE];
};

/* UUID in network order, RFC 9562. */
struct ves_uuid {
    uint8_t b[VES_UUID_SIZE];
};

/* A stream: the unit that has one gap-free order (semantics.md 3.1). */
struct ves_stream {
    struct ves_uuid tenant;
    struct ves_uuid store;
};

/* What went wrong, in words: what happened, what did not change, what to do
 * next.  Never contains secrets or payload text.  A caller may pass NULL
 * wherever a struct ves_error is taken. */
struct ves_error {
    enum ves_status status;
    char text[512]; /* NUL-terminated UTF-8 */
};

/* Memory for handles and buffers.  realloc(ctx, ptr, size): size 0 frees;
 * NULL ptr allocates; returns NULL when out of memory, ptr then untouched. */
struct ves_alloc {
    void *(*realloc)(void *ctx, void *ptr, size_t size);
    void *ctx;
};

/* The C library's heap. */
VES_API const struct ves_alloc *ves_alloc_default(void);

/* Installs a handler that is told of a broken assertion before abort(); NULL
 * restores the default, which writes one line to standard error. */
VES_API void ves_set_panic_handler(void (*handler)(const char *what,
                                                   const char *file, int line));

#ifdef __cplusplus
}
#endif
#endif /* VES_VES_H */
