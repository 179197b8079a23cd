/* auth.h -- API keys: who is asking, and what may they do (protocol.md B.1).
 *
 * Only the SHA-256 of a key is kept, in the store and in memory.  All of them
 * are in memory: a request costs one hash and one look-up.
 */
#ifndef VES_SERVER_AUTH_H
#define VES_SERVER_AUTH_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/sequencer.h"
#include "server/account.h"
#include "server/table.h"

enum {
    VES_API_KEY_RANDOM = 24, /* bytes */
    VES_API_KEY_TEXT = 3 + 8 + 32,
    VES_API_KEY_MAX = 256, /* characters we are willing to hash */
    VES_LABEL_MAX = 128
};

/* Why a request has no caller.  name, HTTP status, code, words */
#define VES_AUTH_MAP(X)                                                    \
    X(OK, 200, "", "")                                                     \
    X(MISSING, 401, "missing_auth",                                        \
      "no API key was sent; send it as 'Authorization: ApiKey ss_...' "    \
      "or 'x-api-key: ss_...'")                                            \
    X(INVALID_KEY, 401, "invalid_api_key", "this API key is not accepted") \
    X(INVALID_JWT, 401, "invalid_jwt",                                     \
      "JSON web tokens are not accepted here; send an API key")            \
    X(BAD_JWT, 401, "invalid_jwt", "this token is not accepted")           \
    X(EXPIRED, 401, "token_expired", "this credential has expired")        \
    X(RIGHTS, 403, "insufficient_permissions",                             \
      "this credential lacks the right")                                   \
    X(STORE, 403, "store_access_denied", "this credential is for another store")

enum ves_auth_result {
#define X(name, http, code, words) VES_AUTH_##name,
    VES_AUTH_MAP(X)
#undef X
};

uint32_t ves_auth_http(enum ves_auth_result result);
const char *ves_auth_code(enum ves_auth_result result);
const char *ves_auth_words(enum ves_auth_result result);

/* Finds the API key in the two headers (empty when absent) and how its bearer
 * spells answers.  "Authorization" wins.  Pure. */
enum ves_auth_result ves_auth_header_read(struct ves_bytes authorization,
                                          struct ves_bytes x_api_key,
                                          struct ves_bytes *key,
                                          enum ves_dialect *dialect);

/* "ss_", the first eight characters of the tenant, base64url of random. */
void ves_api_key_make(const struct ves_uuid *tenant,
                      const uint8_t random[VES_API_KEY_RANDOM],
                      char out[VES_API_KEY_TEXT + 1]);
void ves_api_key_hash(struct ves_bytes key, struct ves_hash *out);

/* What requests with one key have us keep at the moment. */
struct ves_held {
    atomic_uint_fast64_t bodies;  /* bytes */
    atomic_uint_fast64_t replies; /* bytes made and not yet taken */
    atomic_uint_fast64_t followers;
    atomic_uint connections;     /* open, whose last request had this key */
    struct ves_account *account; /* its tenant's; fixed */
};

struct ves_credentials {
    pthread_rwlock_t lock;
    struct ves_table table;
    struct ves_table tenants; /* their accounts */
};

void ves_credentials_init(struct ves_credentials *creds,
                          const struct ves_alloc *alloc, uint64_t seed);
void ves_credentials_deinit(struct ves_credentials *creds);
VES_NODISCARD enum ves_status
ves_credentials_load(struct ves_credentials *creds, struct ves_store *store);

/* Adds or replaces one after its commit; label is not kept here. */
VES_NODISCARD enum ves_status
ves_credentials_put(struct ves_credentials *creds,
                    const struct ves_credential_row *row);

/* Fills *caller for a key, by its hash, that is known, not revoked and not
 * expired, and *held with its account, which lives as long as creds. */
enum ves_auth_result ves_credentials_check(struct ves_credentials *creds,
                                           const struct ves_hash *key_hash,
                                           int64_t now_ms,
                                           struct ves_caller *caller,
                                           struct ves_held **held);

/* The account of all callers of a tenant that have no entry of their own; lives
 * as long as creds.  NULL: out of memory. */
struct ves_held *ves_credentials_tenant(struct ves_credentials *creds,
                                        const struct ves_uuid *tenant);

/* May caller use right on this tenant, and on store (NULL: on the tenant as a
 * whole)?  Administrators may do everything inside their scope. */
enum ves_auth_result ves_auth_allows(const struct ves_caller *caller,
                                     uint32_t right,
                                     const struct ves_uuid *tenant,
                                     const struct ves_uuid *store);

#endif
