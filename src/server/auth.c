/* auth.c -- API keys: who is asking, and what may they do. */
#include "server/auth.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/uuid.h"
#include "crypto/crypto.h"

struct entry {
    struct ves_table_node node;
    struct ves_caller caller;
    int64_t expires_ms;
    int64_t revoked_ms;
    struct ves_held held;
};

struct tenant {
    struct ves_table_node node;
    struct ves_account account;
    struct ves_held held; /* of those without an entry */
};

static const struct {
    uint32_t http;
    const char *code;
    const char *words;
} results[] = {
#define X(name, http, code, words) {http, code, words},
    VES_AUTH_MAP(X)
#undef X
};

uint32_t ves_auth_http(enum ves_auth_result result)
{
    return results[result].http;
}

const char *ves_auth_code(enum ves_auth_result result)
{
    return results[result].code;
}

const char *ves_auth_words(enum ves_auth_result result)
{
    return results[result].words;
}

/* Takes a scheme name and its blanks off the front. */
static bool take_scheme(struct ves_bytes *text, const char *scheme)
{
    size_t n = strlen(scheme);
    if (text->len <= n || text->ptr[n] != ' ')
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((text->ptr[i] | 0x20) != (scheme[i] | 0x20))
            return false;
    }
    while (n < text->len && text->ptr[n] == ' ')
        n++;
    *text = ves_bytes(text->ptr + n, text->len - n);
    return true;
}

static bool is_api_key(struct ves_bytes text)
{
    return text.len > 3 && text.len <= VES_API_KEY_MAX &&
           memcmp(text.ptr, "ss_", 3) == 0;
}

enum ves_auth_result ves_auth_header_read(struct ves_bytes authorization,
                                          struct ves_bytes x_api_key,
                                          struct ves_bytes *key,
                                          enum ves_dialect *dialect)
{
    *dialect = VES_DIALECT_RUST;
    *key = authorization;
    if (authorization.len == 0) {
        if (x_api_key.len == 0)
            return VES_AUTH_MISSING;
        *dialect = VES_DIALECT_JS;
        *key = x_api_key;
        return is_api_key(*key) ? VES_AUTH_OK : VES_AUTH_INVALID_KEY;
    }
    if (take_scheme(key, "Bearer")) {
        *dialect = VES_DIALECT_JS;
        return is_api_key(*key) ? VES_AUTH_OK : VES_AUTH_INVALID_JWT;
    }
    (void)take_scheme(key, "ApiKey");
    return is_api_key(*key) ? VES_AUTH_OK : VES_AUTH_INVALID_KEY;
}

void ves_api_key_make(const struct ves_uuid *tenant,
                      const uint8_t random[VES_API_KEY_RANDOM],
                      char out[VES_API_KEY_TEXT + 1])
{
    char text[VES_UUID_TEXT + 1];
    ves_uuid_format(tenant, text);
    memcpy(out, "ss_", 3);
    memcpy(out + 3, text, 8);
    ves_b64u_encode(random, VES_API_KEY_RANDOM, out + 11);
    out[VES_API_KEY_TEXT] = 0;
}

void ves_api_key_hash(struct ves_bytes key, struct ves_hash *out)
{
    ves_sha256_one(key.ptr, key.len, out);
}

void ves_credentials_init(struct ves_credentials *creds,
                          const struct ves_alloc *alloc, uint64_t seed)
{
    pthread_rwlock_init(&creds->lock, NULL);
    ves_table_init(&creds->table, alloc, VES_HASH_SIZE, seed);
    ves_table_init(&creds->tenants, alloc, VES_UUID_SIZE, seed);
}

void ves_credentials_deinit(struct ves_credentials *creds)
{
    ves_table_free(&creds->table);
    ves_table_free(&creds->tenants);
    pthread_rwlock_destroy(&creds->lock);
}

static enum ves_status load_one(void *ctx, const struct ves_credential_row *row)
{
    return ves_credentials_put(ctx, row);
}

enum ves_status ves_credentials_load(struct ves_credentials *creds,
                                     struct ves_store *store)
{
    return store->ops->credential_list(store, load_one, creds);
}

/* Under the lock; NULL: out of memory. */
static struct tenant *tenant_of(struct ves_credentials *creds,
                                const struct ves_uuid *id)
{
    struct tenant *tenant =
        (struct tenant *)ves_table_find(&creds->tenants, id->b);
    if (tenant)
        return tenant;
    tenant = (struct tenant *)ves_table_add(&creds->tenants, id->b,
                                            sizeof(struct tenant));
    if (tenant)
        tenant->held.account = &tenant->account;
    return tenant;
}

struct ves_held *ves_credentials_tenant(struct ves_credentials *creds,
                                        const struct ves_uuid *tenant)
{
    pthread_rwlock_rdlock(&creds->lock);
    struct tenant *found =
        (struct tenant *)ves_table_find(&creds->tenants, tenant->b);
    pthread_rwlock_unlock(&creds->lock);
    if (!found) {
        pthread_rwlock_wrlock(&creds->lock);
        found = tenant_of(creds, tenant);
        pthread_rwlock_unlock(&creds->lock);
    }
    return found ? &found->held : NULL;
}

enum ves_status ves_credentials_put(struct ves_credentials *creds,
                                    const struct ves_credential_row *row)
{
    pthread_rwlock_wrlock(&creds->lock);
    struct tenant *tenant = tenant_of(creds, &row->tenant);
    struct ves_table_node *node =
        ves_table_find(&creds->table, row->key_hash.b);
    bool is_new = !node && tenant;
    if (is_new)
        node =
            ves_table_add(&creds->table, row->key_hash.b, sizeof(struct entry));
    struct entry *entry = (struct entry *)node;
    if (entry && tenant) {
        /* Fixed: who holds it looks at it without the lock. */
        if (is_new)
            entry->held.account = &tenant->account;
        entry->caller = (struct ves_caller){
            .tenant = row->tenant,
            .has_store = row->has_store,
            .store = row->store,
            .has_agent = row->has_agent,
            .agent = row->agent,
            .rights = row->rights,
        };
        entry->expires_ms = row->expires_ms;
        entry->revoked_ms = row->revoked_ms;
    }
    pthread_rwlock_unlock(&creds->lock);
    return entry && tenant ? VES_OK : VES_NOMEM;
}

enum ves_auth_result ves_credentials_check(struct ves_credentials *creds,
                                           const struct ves_hash *key_hash,
                                           int64_t now_ms,
                                           struct ves_caller *caller,
                                           struct ves_held **held)
{
    enum ves_auth_result result = VES_AUTH_INVALID_KEY;
    pthread_rwlock_rdlock(&creds->lock);
    /* What a look-up by hash could leak by its duration is a prefix of the
     * hash of what was sent, which its sender knows. */
    struct entry *entry =
        (struct entry *)ves_table_find(&creds->table, key_hash->b);
    if (entry && ves_equal_ct(entry->node.key, key_hash->b, VES_HASH_SIZE) &&
        !entry->revoked_ms) {
        result = entry->expires_ms && now_ms >= entry->expires_ms
                     ? VES_AUTH_EXPIRED
                     : VES_AUTH_OK;
        *caller = entry->caller;
        *held = &entry->held;
    }
    pthread_rwlock_unlock(&creds->lock);
    return result;
}

enum ves_auth_result ves_auth_allows(const struct ves_caller *caller,
                                     uint32_t right,
                                     const struct ves_uuid *tenant,
                                     const struct ves_uuid *store)
{
    bool is_admin = caller->rights & VES_RIGHT_ADMIN;
    if (!is_admin && !(caller->rights & right))
        return VES_AUTH_RIGHTS;
    bool is_everywhere = is_admin && ves_uuid_is_nil(&caller->tenant);
    if (!is_everywhere && !ves_uuid_equal(&caller->tenant, tenant))
        return VES_AUTH_RIGHTS;
    if (caller->has_store) {
        /* A key for one store may read what belongs to the whole tenant, such
         * as an agent's public keys, but not change it. */
        if (!store && right != VES_RIGHT_READ)
            return VES_AUTH_STORE;
        if (store && !ves_uuid_equal(&caller->store, store))
            return VES_AUTH_STORE;
    }
    return VES_AUTH_OK;
}
