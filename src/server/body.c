/* body.c -- the JSON bodies of the routes, read and checked. */
#include "server/body.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "server/auth.h"
#include "json/json.h"

/* A body being read; the first failure sticks. */
struct reader {
    const struct ves_json *root;
    struct ves_error *error;
    enum ves_status status;
};

enum { SNAKE_MAX = 48 };

static void open(struct reader *r, struct ves_arena *arena,
                 struct ves_bytes body, struct ves_error *error)
{
    struct ves_json_where where = {0};
    *r = (struct reader){.error = error};
    r->status = ves_json_read(arena, body, NULL, &r->root, &where);
    if (r->status == VES_MALFORMED)
        ves_fail(error, r->status, "the body is not JSON: %s at byte %zu",
                 where.reason, where.offset);
    else if (r->status)
        ves_fail(error, r->status, "out of memory reading the body");
    else if (r->root->type != VES_JSON_OBJECT)
        r->status =
            ves_fail(error, VES_INVALID, "the body is not a JSON object");
}

static void wrong(struct reader *r, const char *name, const char *what)
{
    r->status =
        ves_fail(r->error, VES_INVALID, "body member %s %s", name, what);
}

static void write_snake(const char *name, char snake[SNAKE_MAX])
{
    size_t len = 0;
    for (const char *c = name; *c && len < SNAKE_MAX - 3; c++) {
        bool is_upper = *c >= 'A' && *c <= 'Z';
        if (is_upper)
            snake[len++] = '_';
        snake[len++] = is_upper ? (char)(*c + 'a' - 'A') : *c;
    }
    snake[len] = 0;
}

/* The member called name, or name in snake_case; NULL when absent or null. */
static const struct ves_json *optional(const struct ves_json *object,
                                       const char *name)
{
    char snake[SNAKE_MAX];
    write_snake(name, snake);
    const struct ves_json *node = ves_json_member(object, name);
    if (ves_json_is_absent(node))
        node = ves_json_member(object, snake);
    return ves_json_is_absent(node) ? NULL : node;
}

static const struct ves_json *required(struct reader *r, const char *name)
{
    if (r->status)
        return NULL;
    const struct ves_json *node = optional(r->root, name);
    if (!node)
        wrong(r, name, "is missing");
    return node;
}

static void as_uuid(struct reader *r, const struct ves_json *node,
                    const char *name, struct ves_uuid *out)
{
    if (node &&
        (node->type != VES_JSON_STRING || ves_uuid_parse(node->string, out)))
        wrong(r, name, "is not a UUID");
}

static void need_uuid(struct reader *r, const char *name, struct ves_uuid *out)
{
    as_uuid(r, required(r, name), name, out);
}

static void may_uuid(struct reader *r, const char *name, bool *has,
                     struct ves_uuid *out)
{
    const struct ves_json *node = r->status ? NULL : optional(r->root, name);
    *has = node != NULL;
    as_uuid(r, node, name, out);
}

static void need_stream(struct reader *r, struct ves_stream *out)
{
    need_uuid(r, "tenantId", &out->tenant);
    need_uuid(r, "storeId", &out->store);
}

static void as_hex(struct reader *r, const struct ves_json *node,
                   const char *name, uint8_t *out, size_t len)
{
    if (node && (node->type != VES_JSON_STRING ||
                 ves_hex_decode(node->string, out, len))) {
        r->status = ves_fail(r->error, VES_INVALID,
                             "body member %s is not %zu bytes in hexadecimal",
                             name, len);
    }
}

static void need_hex(struct reader *r, const char *name, uint8_t *out,
                     size_t len)
{
    as_hex(r, required(r, name), name, out, len);
}

static void need_u64(struct reader *r, const char *name, uint64_t max,
                     uint64_t *out)
{
    const struct ves_json *node = required(r, name);
    if (node && (!ves_json_as_u64(node, out) || *out > max))
        r->status = ves_fail(r->error, VES_INVALID,
                             "body member %s is not a whole number from 0 to "
                             "%llu",
                             name, (unsigned long long)max);
}

static void need_u32(struct reader *r, const char *name, uint32_t *out)
{
    uint64_t value = 0;
    need_u64(r, name, UINT32_MAX, &value);
    *out = (uint32_t)value;
}

static void may_hex(struct reader *r, const char *name, bool *has, void *out,
                    size_t len)
{
    *has = !r->status && optional(r->root, name);
    if (*has)
        need_hex(r, name, out, len);
}

static void may_time(struct reader *r, const char *name, int64_t *out)
{
    const struct ves_json *node = r->status ? NULL : optional(r->root, name);
    *out = 0;
    if (!node)
        return;
    if (node->type != VES_JSON_STRING || ves_time_parse(node->string, out))
        wrong(r, name, "is not an RFC 3339 time");
    else if (*out == 0)
        *out = 1; /* 0 would say that there is none */
}

enum ves_status ves_commitment_body_read(struct ves_arena *arena,
                                         struct ves_bytes body,
                                         struct ves_commitment_body *out,
                                         struct ves_error *error)
{
    struct reader r;
    open(&r, arena, body, error);
    need_stream(&r, &out->stream);
    need_u64(&r, "sequenceStart", VES_SAFE_INTEGER_MAX, &out->sequence_start);
    need_u64(&r, "sequenceEnd", VES_SAFE_INTEGER_MAX, &out->sequence_end);
    return r.status;
}

enum ves_status ves_cursor_body_read(struct ves_arena *arena,
                                     struct ves_bytes body,
                                     struct ves_cursor_body *out,
                                     struct ves_error *error)
{
    struct reader r;
    open(&r, arena, body, error);
    need_stream(&r, &out->stream);
    need_u64(&r, "sequenceNumber", VES_SAFE_INTEGER_MAX, &out->sequence_number);
    return r.status;
}

enum ves_status ves_proof_body_read(struct ves_arena *arena,
                                    struct ves_bytes body,
                                    struct ves_proof_body *out,
                                    struct ves_error *error)
{
    struct reader r;
    open(&r, arena, body, error);
    need_hex(&r, "leafHash", out->leaf.b, VES_HASH_SIZE);
    need_hex(&r, "merkleRoot", out->root.b, VES_HASH_SIZE);
    need_u64(&r, "leafIndex", VES_SAFE_INTEGER_MAX, &out->proof.leaf_index);
    const struct ves_json *path = required(&r, "proofPath");
    out->proof.depth = 0;
    if (!path)
        return r.status;
    if (path->type != VES_JSON_ARRAY || path->count > VES_PROOF_PATH_MAX) {
        wrong(&r, "proofPath", "is not an array of at most 64 hashes");
        return r.status;
    }
    for (const struct ves_json *item = path->first; item && !r.status;
         item = item->next)
        as_hex(&r, item, "proofPath", out->proof.path[out->proof.depth++].b,
               VES_HASH_SIZE);
    return r.status;
}

/* Algorithm numbers and names of protocol.md A.12; others are for later. */
static void read_algorithm(struct reader *r, const char **out)
{
    const struct ves_json *node =
        r->status ? NULL : optional(r->root, "keyAlgorithm");
    uint64_t number = 0;
    *out = "unspecified";
    if (!node || (ves_json_as_u64(node, &number) && number == 0))
        return;
    if (number == 1 || (node->type == VES_JSON_STRING &&
                        (ves_bytes_is(node->string, "ed25519") ||
                         ves_bytes_is(node->string, "Ed25519")))) {
        *out = "ed25519";
        return;
    }
    if (node->type == VES_JSON_STRING &&
        ves_bytes_is(node->string, "unspecified"))
        return;
    r->status = ves_fail(r->error, VES_UNSUPPORTED,
                         "body member keyAlgorithm names an algorithm other "
                         "than Ed25519, which is not supported");
}

static void read_possession(struct reader *r, struct ves_key_body *out)
{
    static const char *const names[] = {"proofOfPossessionBundle",
                                        "proofOfPossession"};
    const struct ves_json *node = NULL;
    for (size_t i = 0; i < 2 && !node && !r->status; i++)
        node = optional(r->root, names[i]);
    if (node && node->type == VES_JSON_OBJECT)
        node = optional(node, "ed25519Pop");
    out->has_possession = node != NULL;
    as_hex(r, node, "proofOfPossession", out->possession.b, VES_SIG_SIZE);
}

enum ves_status ves_key_body_read(struct ves_arena *arena,
                                  struct ves_bytes body,
                                  struct ves_key_body *out,
                                  struct ves_error *error)
{
    struct reader r;
    open(&r, arena, body, error);
    need_uuid(&r, "tenantId", &out->tenant);
    may_uuid(&r, "storeId", &out->has_store, &out->store);
    need_uuid(&r, "agentId", &out->agent);
    need_u32(&r, "keyId", &out->key_id);
    need_hex(&r, "publicKey", out->public_key.b, VES_KEY_SIZE);
    may_time(&r, "validFrom", &out->valid_from_ms);
    may_time(&r, "validTo", &out->valid_to_ms);
    read_algorithm(&r, &out->algorithm);
    read_possession(&r, out);
    may_hex(&r, "nextKeyDigest", &out->has_next, out->next.b, VES_HASH_SIZE);
    may_hex(&r, "ownerSignature", &out->has_owner_signature,
            out->owner_signature.b, VES_SIG_SIZE);
    return r.status;
}

enum ves_status ves_key_rotation_body_read(struct ves_arena *arena,
                                           struct ves_bytes body,
                                           struct ves_key_event_body *out,
                                           struct ves_error *error)
{
    struct ves_key_event *event = &out->event;
    struct reader r;
    *event = (struct ves_key_event){.kind = VES_KEY_EVENT_ROTATED};
    open(&r, arena, body, error);
    need_stream(&r, &out->stream);
    need_u32(&r, "previousKeyId", &event->previous_id);
    need_u32(&r, "keyId", &event->key_id);
    need_hex(&r, "publicKey", event->public_key.b, VES_KEY_SIZE);
    may_hex(&r, "nextKeyDigest", &event->has_next, event->next.b,
            VES_HASH_SIZE);
    need_hex(&r, "previousSignature", event->previous_signature.b,
             VES_SIG_SIZE);
    need_hex(&r, "signature", event->signature.b, VES_SIG_SIZE);
    return r.status;
}

enum ves_status ves_key_policy_body_read(struct ves_arena *arena,
                                         struct ves_bytes body,
                                         struct ves_key_event_body *out,
                                         struct ves_error *error)
{
    struct ves_key_event *event = &out->event;
    const struct ves_json *strict;
    struct reader r;
    *event = (struct ves_key_event){.kind = VES_KEY_EVENT_POLICY};
    open(&r, arena, body, error);
    need_stream(&r, &out->stream);
    need_u64(&r, "number", VES_SAFE_INTEGER_MAX, &event->number);
    need_hex(&r, "ownerSignature", event->signature.b, VES_SIG_SIZE);
    strict = required(&r, "strict");
    if (strict && strict->type != VES_JSON_TRUE &&
        strict->type != VES_JSON_FALSE)
        wrong(&r, "strict", "is neither true nor false");
    event->is_strict = strict && strict->type == VES_JSON_TRUE;
    return r.status;
}

enum ves_status ves_key_revocation_body_read(struct ves_arena *arena,
                                             struct ves_bytes body,
                                             struct ves_key_event_body *out,
                                             struct ves_error *error)
{
    struct ves_key_event *event = &out->event;
    struct reader r;
    *event = (struct ves_key_event){.kind = VES_KEY_EVENT_REVOKED,
                                    .has_statement = true};
    open(&r, arena, body, error);
    need_stream(&r, &out->stream);
    need_uuid(&r, "agentId", &event->agent);
    need_u32(&r, "keyId", &event->key_id);
    need_hex(&r, "ownerSignature", event->statement.owner_signature.b,
             VES_SIG_SIZE);
    return r.status;
}

/* A list of "read", "write", "admin". */
static void need_rights(struct reader *r, const char *name, uint32_t allowed,
                        uint32_t *out)
{
    const struct ves_json *node = required(r, name);
    *out = 0;
    if (!node)
        return;
    if (node->type != VES_JSON_ARRAY || node->count == 0) {
        wrong(r, name, "is not a list of rights");
        return;
    }
    for (const struct ves_json *item = node->first; item; item = item->next) {
        uint32_t right = 0;
        if (item->type == VES_JSON_STRING && ves_bytes_is(item->string, "read"))
            right = VES_RIGHT_READ;
        else if (item->type == VES_JSON_STRING &&
                 ves_bytes_is(item->string, "write"))
            right = VES_RIGHT_WRITE;
        else if (item->type == VES_JSON_STRING &&
                 ves_bytes_is(item->string, "admin"))
            right = VES_RIGHT_ADMIN;
        if (!(right & allowed)) {
            wrong(r, name, "names a right that cannot be given here");
            return;
        }
        *out |= right;
    }
}

enum ves_status ves_invitation_body_read(struct ves_arena *arena,
                                         struct ves_bytes body,
                                         struct ves_invitation_body *out,
                                         struct ves_error *error)
{
    struct reader r;
    uint64_t expires = 0;
    open(&r, arena, body, error);
    need_stream(&r, &out->stream);
    need_uuid(&r, "invitationId", &out->invitation_id);
    need_hex(&r, "publicKey", out->public_key.b, VES_KEY_SIZE);
    need_hex(&r, "ownerPublicKey", out->owner_key.b, VES_KEY_SIZE);
    need_hex(&r, "ownerSignature", out->owner_signature.b, VES_SIG_SIZE);
    need_rights(&r, "rights", VES_RIGHT_READ | VES_RIGHT_WRITE, &out->rights);
    need_u32(&r, "usesMax", &out->uses_max);
    need_u64(&r, "expiresAtMs", VES_SAFE_INTEGER_MAX, &expires);
    out->expires_ms = (int64_t)expires;
    return r.status;
}

enum ves_status ves_redeem_body_read(struct ves_arena *arena,
                                     struct ves_bytes body,
                                     struct ves_redeem_body *out,
                                     struct ves_error *error)
{
    struct reader r;
    open(&r, arena, body, error);
    need_stream(&r, &out->stream);
    need_uuid(&r, "invitationId", &out->invitation_id);
    need_uuid(&r, "agentId", &out->agent);
    need_u32(&r, "keyId", &out->key_id);
    need_hex(&r, "publicKey", out->public_key.b, VES_KEY_SIZE);
    need_hex(&r, "invitationSignature", out->invitation_signature.b,
             VES_SIG_SIZE);
    need_hex(&r, "agentSignature", out->agent_signature.b, VES_SIG_SIZE);
    out->has_nonce = !r.status && optional(r.root, "nonce");
    if (out->has_nonce)
        need_hex(&r, "nonce", out->nonce, sizeof(out->nonce));
    may_hex(&r, "nextKeyDigest", &out->has_next, out->next.b, VES_HASH_SIZE);
    if (!r.status && out->has_next && !out->has_nonce)
        wrong(&r, "nonce", "is missing beside nextKeyDigest");
    return r.status;
}

static bool is_among(struct ves_bytes key, const char *const *names,
                     size_t count)
{
    char snake[SNAKE_MAX];
    for (size_t i = 0; i < count; i++) {
        write_snake(names[i], snake);
        if (ves_bytes_is(key, names[i]) || ves_bytes_is(key, snake))
            return true;
    }
    return false;
}

/* Where a member that is overlooked would give away more than was meant. */
static void refuse_others(struct reader *r, const char *const *names,
                          size_t count)
{
    const struct ves_json *member = r->status ? NULL : r->root->first;
    while (member && is_among(member->key, names, count))
        member = member->next;
    if (!member)
        return;
    struct ves_bytes key = member->key;
    r->status =
        key.len < SNAKE_MAX
            ? ves_fail(r->error, VES_INVALID, "body member %.*s is not known",
                       (int)key.len, (const char *)key.ptr)
            : ves_fail(r->error, VES_INVALID,
                       "a body member with a long name is not known");
}

static void read_label(struct reader *r, struct ves_bytes *out)
{
    const struct ves_json *node = r->status ? NULL : optional(r->root, "label");
    *out = ves_bytes(NULL, 0);
    if (!node)
        return;
    if (node->type != VES_JSON_STRING || node->string.len > VES_LABEL_MAX)
        wrong(r, "label", "is not text of at most 128 bytes");
    else
        *out = node->string;
}

enum ves_status ves_api_key_body_read(struct ves_arena *arena,
                                      struct ves_bytes body,
                                      struct ves_api_key_body *out,
                                      struct ves_error *error)
{
    static const char *const names[] = {"tenantId", "storeId",   "agentId",
                                        "rights",   "expiresAt", "label"};
    struct reader r;
    open(&r, arena, body, error);
    refuse_others(&r, names, sizeof(names) / sizeof(names[0]));
    need_uuid(&r, "tenantId", &out->tenant);
    may_uuid(&r, "storeId", &out->has_store, &out->store);
    may_uuid(&r, "agentId", &out->has_agent, &out->agent);
    need_rights(&r, "rights",
                VES_RIGHT_READ | VES_RIGHT_WRITE | VES_RIGHT_ADMIN,
                &out->rights);
    may_time(&r, "expiresAt", &out->expires_ms);
    read_label(&r, &out->label);
    if (!r.status && ves_uuid_is_nil(&out->tenant) &&
        !(out->rights & VES_RIGHT_ADMIN))
        wrong(&r, "tenantId", "is nil, which is for administrators only");
    return r.status;
}

enum ves_status ves_agent_policy_body_read(struct ves_arena *arena,
                                           struct ves_bytes body,
                                           struct ves_agent_policy_body *out,
                                           struct ves_error *error)
{
    static const char *const names[] = {"tenantId",
                                        "agentId",
                                        "allowedEventTypes",
                                        "allowedEntityTypes",
                                        "maxPayloadBytes",
                                        "requireBaseVersion",
                                        "enabled"};
    struct reader r;
    open(&r, arena, body, error);
    refuse_others(&r, names, sizeof(names) / sizeof(names[0]));
    need_uuid(&r, "tenantId", &out->tenant);
    may_uuid(&r, "agentId", &out->has_agent, &out->agent);
    return r.status ? r.status
                    : ves_agent_policy_read(r.root, &out->policy, error);
}
