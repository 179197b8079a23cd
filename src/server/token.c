/* token.c -- JSON web tokens as credentials. */
#include "server/token.h"

#include <string.h>

#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "crypto/crypto.h"
#include "crypto/rsa_openssl.h"
#include "os/file.h"
#include "json/json.h"

enum {
    FILE_MAX = 64 * 1024,
    ARENA_MAX = 1024 * 1024,
    CHECK_ARENA_MAX = 128 * 1024,
    RSA_BYTES_MAX = VES_RSA_BITS_MAX / 8,
    PEM_MAX = 4096
};

struct key {
    char kid[VES_TOKEN_KID_MAX + 1];
    enum ves_jwt_alg alg;
    struct ves_buf bytes; /* the secret, or PEM with a NUL */
};

struct ves_tokens {
    const struct ves_alloc *alloc;
    char audience[VES_TOKEN_NAME_MAX + 1];
    char issuer[VES_TOKEN_NAME_MAX + 1]; /* "": any */
    struct key keys[VES_TOKEN_KEYS_MAX];
    size_t count;
};

/* ---- keys ---------------------------------------------------------------- */

static enum ves_status wrong(struct ves_error *error, size_t i, const char *why)
{
    return ves_fail(error, VES_INVALID, "key %zu of the JWK set %s", i + 1,
                    why);
}

/* A base64url member of a key, decoded into the arena. */
static bool member_bytes(struct ves_arena *arena, const struct ves_json *node,
                         const char *name, struct ves_bytes *out)
{
    struct ves_bytes text;
    size_t len;
    if (!ves_json_get_string(node, name, &text) || text.len == 0)
        return false;
    uint8_t *bytes = ves_arena_bytes(arena, text.len);
    len = text.len;
    if (!bytes || ves_b64u_decode(text, bytes, &len))
        return false;
    *out = ves_bytes(bytes, len);
    return true;
}

static enum ves_status read_secret(struct ves_arena *arena,
                                   const struct ves_json *node, size_t i,
                                   struct key *key, struct ves_error *error)
{
    struct ves_bytes secret;
    if (!member_bytes(arena, node, "k", &secret) ||
        secret.len < VES_TOKEN_SECRET_MIN)
        return wrong(error, i,
                     "has no secret k of at least 32 bytes in base64url");
    ves_buf_put_bytes(&key->bytes, secret);
    ves_wipe((void *)(uintptr_t)secret.ptr, secret.len);
    return ves_buf_status(&key->bytes);
}

static enum ves_status read_public(struct ves_arena *arena,
                                   const struct ves_json *node, size_t i,
                                   struct key *key, struct ves_error *error)
{
    struct ves_bytes n, e;
    enum ves_status status =
        member_bytes(arena, node, "n", &n) && member_bytes(arena, node, "e", &e)
            ? ves_rsa_write_pem(n, e, &key->bytes)
            : VES_INVALID;
    return status == VES_INVALID
               ? wrong(error, i,
                       "is no RSA key of 2,048 to 8,192 bits: n and e in "
                       "base64url")
               : status;
}

static const struct key *find(const struct ves_tokens *tokens,
                              struct ves_bytes kid)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (ves_bytes_is(kid, tokens->keys[i].kid))
            return &tokens->keys[i];
    }
    return NULL;
}

static enum ves_status read_key(struct ves_tokens *tokens,
                                struct ves_arena *arena,
                                const struct ves_json *node, size_t i,
                                struct ves_error *error)
{
    struct key *key = &tokens->keys[tokens->count];
    struct ves_bytes kty, kid, alg;
    if (node->type != VES_JSON_OBJECT ||
        !ves_json_get_string(node, "kty", &kty) ||
        !ves_json_get_string(node, "kid", &kid) ||
        !ves_json_get_string(node, "alg", &alg))
        return wrong(error, i, "does not have kty, kid and alg");
    if (kid.len == 0 || kid.len > VES_TOKEN_KID_MAX || find(tokens, kid) ||
        memchr(kid.ptr, 0, kid.len))
        return wrong(error, i, "has a kid that is too long, empty or not new");
    memcpy(key->kid, kid.ptr, kid.len);
    key->kid[kid.len] = 0;
    ves_buf_init(&key->bytes, tokens->alloc, PEM_MAX);
    tokens->count++; /* freed from here on */
    if (ves_bytes_is(kty, "oct") && ves_bytes_is(alg, "HS256")) {
        key->alg = VES_JWT_HS256;
        return read_secret(arena, node, i, key, error);
    }
    if (ves_bytes_is(kty, "RSA") && ves_bytes_is(alg, "RS256")) {
        key->alg = VES_JWT_RS256;
        return ves_json_member(node, "d")
                   ? wrong(error, i,
                           "is a private RSA key, which has no business here")
                   : read_public(arena, node, i, key, error);
    }
    return wrong(error, i,
                 "is neither kty oct with alg HS256 nor kty RSA with alg "
                 "RS256");
}

static enum ves_status read_set(struct ves_tokens *tokens,
                                struct ves_arena *arena, struct ves_bytes text,
                                struct ves_error *error)
{
    const struct ves_json *root, *keys;
    if (ves_json_read(arena, text, NULL, &root, NULL))
        return ves_fail(error, VES_MALFORMED, "the JWK set is not JSON");
    keys = root->type == VES_JSON_OBJECT ? ves_json_member(root, "keys") : NULL;
    if (!keys || keys->type != VES_JSON_ARRAY || keys->count == 0 ||
        keys->count > VES_TOKEN_KEYS_MAX)
        return ves_fail(error, VES_INVALID,
                        "a JWK set has a list of 1 to %d keys",
                        (int)VES_TOKEN_KEYS_MAX);
    enum ves_status status = VES_OK;
    size_t i = 0;
    for (const struct ves_json *node = keys->first; node && !status;
         node = node->next)
        status = read_key(tokens, arena, node, i++, error);
    return status;
}

static bool has_secret(const struct ves_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (tokens->keys[i].alg == VES_JWT_HS256)
            return true;
    }
    return false;
}

static enum ves_status read_file(struct ves_tokens *tokens, const char *path,
                                 struct ves_error *error)
{
    struct ves_arena arena;
    struct ves_buf text;
    struct stat info;
    ves_arena_init(&arena, tokens->alloc, ARENA_MAX);
    ves_buf_init(&text, tokens->alloc, FILE_MAX);
    enum ves_status status = ves_file_read(path, &text, error);
    if (!status) {
        status = read_set(tokens, &arena, ves_buf_view(&text), error);
        if (status == VES_NOMEM || status == VES_LIMIT)
            (void)ves_fail(error, status, "out of memory");
    }
    if (!status && has_secret(tokens) &&
        (stat(path, &info) || (info.st_mode & (S_IRWXG | S_IRWXO))))
        status = ves_fail(error, VES_REFUSED,
                          "%s holds a secret, and others may read it: make it "
                          "chmod 600",
                          path);
    if (text.ptr)
        ves_wipe(text.ptr, text.cap);
    ves_buf_free(&text);
    ves_arena_free(&arena);
    return status;
}

static bool copy_name(char out[VES_TOKEN_NAME_MAX + 1], const char *name)
{
    size_t len = name ? strlen(name) : 0;
    if (len > VES_TOKEN_NAME_MAX)
        return false;
    if (len)
        memcpy(out, name, len);
    out[len] = 0;
    return true;
}

enum ves_status ves_tokens_new(const struct ves_alloc *alloc,
                               const struct ves_token_rules *rules,
                               struct ves_tokens **out, struct ves_error *error)
{
    if (!rules->audience || !*rules->audience)
        return ves_fail(error, VES_INVALID,
                        "tokens need an audience, the name this sequencer has "
                        "in them (--jwt-audience)");
    enum ves_status status = ves_jwt_load(error);
    if (status)
        return status;
    struct ves_tokens *tokens =
        alloc->realloc(alloc->ctx, NULL, sizeof(*tokens));
    if (!tokens)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(tokens, 0, sizeof(*tokens));
    tokens->alloc = alloc;
    status = copy_name(tokens->audience, rules->audience) &&
                     copy_name(tokens->issuer, rules->issuer)
                 ? read_file(tokens, rules->keys_file, error)
                 : ves_fail(error, VES_INVALID,
                            "audience and issuer have at most %d bytes",
                            (int)VES_TOKEN_NAME_MAX);
    if (status) {
        ves_tokens_free(tokens);
        return status;
    }
    *out = tokens;
    return VES_OK;
}

void ves_tokens_free(struct ves_tokens *tokens)
{
    if (!tokens)
        return;
    for (size_t i = 0; i < tokens->count; i++) {
        struct ves_buf *bytes = &tokens->keys[i].bytes;
        if (bytes->ptr)
            ves_wipe(bytes->ptr, bytes->cap);
        ves_buf_free(bytes);
    }
    tokens->alloc->realloc(tokens->alloc->ctx, tokens, 0);
}

/* ---- a token ------------------------------------------------------------- */

/* One part, base64url of a JSON object. */
static const struct ves_json *read_part(struct ves_arena *arena,
                                        struct ves_bytes part)
{
    const struct ves_json *root;
    uint8_t *bytes = ves_arena_bytes(arena, part.len + 1);
    size_t len = part.len;
    if (!bytes || part.len == 0 || ves_b64u_decode(part, bytes, &len) ||
        ves_json_read(arena, ves_bytes(bytes, len), NULL, &root, NULL) ||
        root->type != VES_JSON_OBJECT)
        return NULL;
    return root;
}

/* Exactly three parts. */
static bool cut(struct ves_bytes text, struct ves_bytes parts[3])
{
    size_t n = 0, start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.ptr[i] != '.')
            continue;
        if (n == 3 || i == start)
            return false;
        parts[n++] = ves_bytes(text.ptr + start, i - start);
        start = i + 1;
    }
    return n == 3;
}

static const struct key *choose_key(const struct ves_tokens *tokens,
                                    const struct ves_json *header)
{
    struct ves_bytes alg, kid;
    const struct key *key = NULL;
    if (!ves_json_get_string(header, "alg", &alg) ||
        ves_json_member(header, "crit"))
        return NULL;
    if (ves_json_get_string(header, "kid", &kid))
        key = find(tokens, kid);
    else if (!ves_json_member(header, "kid") && tokens->count == 1)
        key = &tokens->keys[0];
    return key && ves_bytes_is(alg,
                               key->alg == VES_JWT_HS256 ? "HS256" : "RS256")
               ? key
               : NULL;
}

static bool is_for(const struct ves_json *claims, const char *audience)
{
    const struct ves_json *aud = ves_json_member(claims, "aud");
    if (aud && aud->type == VES_JSON_STRING)
        return ves_bytes_is(aud->string, audience);
    if (!aud || aud->type != VES_JSON_ARRAY)
        return false;
    for (const struct ves_json *one = aud->first; one; one = one->next) {
        if (one->type == VES_JSON_STRING && ves_bytes_is(one->string, audience))
            return true;
    }
    return false;
}

static bool read_uuid(const struct ves_json *claims, const char *name,
                      bool *is_there, struct ves_uuid *out)
{
    const struct ves_json *node = ves_json_member(claims, name);
    *is_there = node && !(node->type == VES_JSON_STRING && !node->string.len);
    return !*is_there || (node->type == VES_JSON_STRING &&
                          ves_uuid_parse(node->string, out) == VES_OK);
}

static bool read_rights(const struct ves_json *claims, uint32_t *out)
{
    static const struct {
        const char *name;
        uint32_t right;
    } names[] = {{"read", VES_RIGHT_READ},
                 {"write", VES_RIGHT_WRITE},
                 {"admin", VES_RIGHT_ADMIN}};
    struct ves_bytes text;
    *out = 0;
    if (!ves_json_get_string(claims, "perms", &text))
        return false;
    for (size_t start = 0; start <= text.len;) {
        size_t end = start, i = 0;
        while (end < text.len && text.ptr[end] != ',')
            end++;
        struct ves_bytes word = ves_bytes(text.ptr + start, end - start);
        while (i < 3 && !ves_bytes_is(word, names[i].name))
            i++;
        if (i == 3)
            return false;
        *out |= names[i].right;
        start = end + 1;
    }
    return true;
}

static bool read_caller(const struct ves_json *claims, struct ves_caller *out)
{
    bool has_tenant;
    *out = (struct ves_caller){.rights = 0};
    return read_uuid(claims, "sub", &has_tenant, &out->tenant) && has_tenant &&
           !ves_uuid_is_nil(&out->tenant) &&
           read_uuid(claims, "stores", &out->has_store, &out->store) &&
           read_uuid(claims, "agent", &out->has_agent, &out->agent) &&
           read_rights(claims, &out->rights);
}

static void name_caller(const struct key *key, const struct ves_caller *caller,
                        struct ves_hash *out)
{
    uint8_t flags[3] = {caller->has_store, caller->has_agent,
                        (uint8_t)caller->rights};
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_TOKEN_CALLER"),
        ves_bytes(key->kid, sizeof(key->kid)),
        ves_bytes(caller->tenant.b, VES_UUID_SIZE),
        ves_bytes(caller->store.b, VES_UUID_SIZE),
        ves_bytes(caller->agent.b, VES_UUID_SIZE),
        ves_bytes(flags, sizeof(flags))};
    ves_sha256(parts, sizeof(parts) / sizeof(parts[0]), out);
}

static enum ves_auth_result read_claims(const struct ves_tokens *tokens,
                                        const struct ves_json *claims,
                                        int64_t now_ms, struct ves_token *out)
{
    const struct ves_json *begin = ves_json_member(claims, "nbf");
    struct ves_bytes issuer;
    uint64_t exp, nbf = 0, now_s = now_ms > 0 ? (uint64_t)now_ms / 1000 : 0;
    if (!ves_json_get_u64(claims, "exp", &exp) ||
        (begin && !ves_json_as_u64(begin, &nbf)) ||
        !is_for(claims, tokens->audience) ||
        (tokens->issuer[0] && (!ves_json_get_string(claims, "iss", &issuer) ||
                               !ves_bytes_is(issuer, tokens->issuer))) ||
        !read_caller(claims, &out->caller))
        return VES_AUTH_BAD_JWT;
    if (now_s + VES_TOKEN_LEEWAY_S < nbf)
        return VES_AUTH_BAD_JWT;
    if (now_s >= exp + VES_TOKEN_LEEWAY_S)
        return VES_AUTH_EXPIRED;
    out->until_ms = (int64_t)(exp + VES_TOKEN_LEEWAY_S) * 1000;
    return VES_AUTH_OK;
}

static enum ves_auth_result check(const struct ves_tokens *tokens,
                                  struct ves_arena *arena,
                                  struct ves_bytes text, int64_t now_ms,
                                  struct ves_token *out)
{
    struct ves_bytes parts[3];
    if (!cut(text, parts))
        return VES_AUTH_BAD_JWT;
    const struct ves_json *header = read_part(arena, parts[0]);
    const struct key *key = header ? choose_key(tokens, header) : NULL;
    uint8_t *terminated = ves_arena_bytes(arena, text.len + 1);
    if (!key || !terminated)
        return VES_AUTH_BAD_JWT;
    memcpy(terminated, text.ptr, text.len);
    terminated[text.len] = 0;
    if (!ves_jwt_is_signed((const char *)terminated, key->alg,
                           ves_buf_view(&key->bytes)))
        return VES_AUTH_BAD_JWT;
    const struct ves_json *claims = read_part(arena, parts[1]);
    if (!claims)
        return VES_AUTH_BAD_JWT;
    enum ves_auth_result result = read_claims(tokens, claims, now_ms, out);
    if (!result)
        name_caller(key, &out->caller, &out->id);
    return result;
}

enum ves_auth_result ves_tokens_check(const struct ves_tokens *tokens,
                                      struct ves_bytes text, int64_t now_ms,
                                      struct ves_token *out)
{
    struct ves_arena arena;
    if (text.len == 0 || text.len > VES_TOKEN_MAX ||
        memchr(text.ptr, 0, text.len))
        return VES_AUTH_BAD_JWT;
    ves_arena_init(&arena, tokens->alloc, CHECK_ARENA_MAX);
    enum ves_auth_result result = check(tokens, &arena, text, now_ms, out);
    ves_arena_free(&arena);
    return result;
}
