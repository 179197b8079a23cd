/* test_vectors.c -- every value of the four vector files.
 *
 * Each file is walked as a tree.  A check marks the leaves it uses; what the
 * issue and protocol.md F leave out is marked as excluded, with a reason that
 * is printed; a leaf that is neither fails the test.  Then each used leaf is
 * altered in turn, and the checks of its file must notice.
 *
 * derived_ves_vectors.json is also kept in test/vectors; the other three are
 * read where they are ($VES_SHARED/vectors/ves).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/event.h"
#include "core/keydir.h"
#include "core/manifest.h"
#include "core/merkle.h"
#include "core/receipt.h"
#include "core/sealed.h"
#include "crypto/crypto.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

#define LOCAL_DERIVED "test/vectors/derived_ves_vectors.json"
#define SHARED_DIR    "vectors/ves/"

/* Why a value is not checked. */
#define PROSE      "words about the values, not a value"
#define OPEN       "input whose output the file leaves open"
#define PLACE      "protocol.md F: no value, the file says to compute it"
#define WRONG      "protocol.md F names it wrong"
#define LEGACY     "hash of the legacy ledger"
#define SEALING    "only sealing or opening a payload uses it (design.md D19)"
#define JS_DIALECT "JS encryption dialect"
#define FOREIGN    "another implementation's error name or data model"

enum { MARKS = 4096 };

enum mark { UNSEEN, USED, EXCLUDED };

struct mark_entry {
    const struct ves_json *leaf;
    enum mark mark;
};

/* One walk over one file. */
static struct walk {
    struct ves_arena *arena;
    struct mark_entry marks[MARKS];
    struct {
        const struct ves_json *node;
        const char *reason;
    } excluded[512];
    size_t excluded_count;
    size_t failures;
    char first[512]; /* what failed first */
} walk;

static struct mark_entry *find_mark(const struct ves_json *leaf)
{
    size_t at = ((uintptr_t)leaf >> 4) % MARKS;
    for (size_t n = 0; walk.marks[at].leaf && walk.marks[at].leaf != leaf;
         n++) {
        assert_true(n < MARKS);
        at = (at + 1) % MARKS;
    }
    return &walk.marks[at];
}

static void wrong(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static void wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (walk.failures++ == 0)
        vsnprintf(walk.first, sizeof(walk.first), format, args);
    va_end(args);
}

static void check(bool ok, const char *what)
{
    if (!ok)
        wrong("%s", what);
}

static bool is_leaf(const struct ves_json *node)
{
    return node->first == NULL;
}

/* The name of a member, for messages. */
static const char *name_of(const struct ves_json *node)
{
    static char name[128];
    if (node->key.len == 0)
        return "an item";
    snprintf(name, sizeof(name), "%.*s", (int)node->key.len,
             (const char *)node->key.ptr);
    return name;
}

static void mark(const struct ves_json *node, enum mark kind)
{
    if (!is_leaf(node)) {
        for (const struct ves_json *c = node->first; c; c = c->next)
            mark(c, kind);
        return;
    }
    struct mark_entry *entry = find_mark(node);
    if (entry->leaf && entry->mark != kind)
        wrong("%s is used and excluded", name_of(node));
    entry->leaf = node;
    entry->mark = kind;
}

static void exclude(const struct ves_json *node, const char *reason)
{
    if (!node)
        return;
    mark(node, EXCLUDED);
    assert_true(walk.excluded_count < 512);
    walk.excluded[walk.excluded_count].node = node;
    walk.excluded[walk.excluded_count++].reason = reason;
}

/* Member of an object; an empty stand-in when it is missing. */
static const struct ves_json *get(const struct ves_json *object,
                                  const char *name)
{
    static const struct ves_json missing = {.type = VES_JSON_NULL};
    const struct ves_json *node = ves_json_member(object, name);
    if (!node)
        wrong("%s is missing", name);
    return node ? node : &missing;
}

static void skip_member(const struct ves_json *object, const char *name,
                        const char *reason)
{
    const struct ves_json *node = ves_json_member(object, name);
    if (node)
        exclude(node, reason);
}

static const struct ves_json *use(const struct ves_json *node)
{
    mark(node, USED);
    return node;
}

static struct ves_bytes text_of(const struct ves_json *node)
{
    use(node);
    if (node->type != VES_JSON_STRING)
        wrong("%s is no string", name_of(node));
    return node->type == VES_JSON_STRING ? node->string : ves_bytes(NULL, 0);
}

static struct ves_bytes text(const struct ves_json *object, const char *name)
{
    return text_of(get(object, name));
}

static uint64_t number(const struct ves_json *object, const char *name)
{
    uint64_t value = 0;
    if (!ves_json_as_u64(use(get(object, name)), &value))
        wrong("%s is no integer", name);
    return value;
}

static uint32_t number32(const struct ves_json *object, const char *name)
{
    uint64_t value = number(object, name);
    if (value > UINT32_MAX)
        wrong("%s has more than 32 bits", name);
    return (uint32_t)value;
}

/* Hexadecimal text of any length. */
static struct ves_bytes hex_of(const struct ves_json *node)
{
    struct ves_bytes digits = text_of(node);
    if (digits.len >= 2 && memcmp(digits.ptr, "0x", 2) == 0)
        digits = ves_bytes(digits.ptr + 2, digits.len - 2);
    uint8_t *out = ves_arena_bytes(walk.arena, digits.len / 2 + 1);
    assert_non_null(out);
    if (digits.len == 0)
        return ves_bytes(out, 0);
    if (digits.len % 2 || ves_hex_decode(digits, out, digits.len / 2)) {
        wrong("%s is not hexadecimal", name_of(node));
        return ves_bytes(out, 0);
    }
    return ves_bytes(out, digits.len / 2);
}

static struct ves_bytes hex(const struct ves_json *object, const char *name)
{
    return hex_of(get(object, name));
}

/* Exactly size bytes of hexadecimal text into out, which is zeroed else. */
static void fixed(const struct ves_json *object, const char *name, void *out,
                  size_t size)
{
    struct ves_bytes bytes = hex(object, name);
    memset(out, 0, size);
    if (bytes.len != size)
        wrong("%s has %zu bytes, not %zu", name, bytes.len, size);
    else
        memcpy(out, bytes.ptr, size);
}

static struct ves_hash hash(const struct ves_json *object, const char *name)
{
    struct ves_hash out;
    fixed(object, name, out.b, sizeof(out.b));
    return out;
}

static struct ves_uuid uuid(const struct ves_json *object, const char *name)
{
    struct ves_uuid out = {{0}};
    if (ves_uuid_parse(text(object, name), &out))
        wrong("%s is no UUID", name);
    return out;
}

static void same_hash(const struct ves_hash *ours,
                      const struct ves_json *object, const char *name)
{
    struct ves_hash theirs = hash(object, name);
    if (!ves_hash_equal(ours, &theirs))
        wrong("%s differs", name);
}

static void same_bytes(struct ves_bytes ours, const struct ves_json *object,
                       const char *name)
{
    if (!ves_bytes_equal(ours, hex(object, name)))
        wrong("%s differs", name);
}

/* Canonical form of a tree; marks it used. */
static struct ves_bytes jcs(const struct ves_json *node)
{
    struct ves_buf buf;
    struct ves_bytes out = {NULL, 0};
    use(node);
    ves_buf_init(&buf, ves_alloc_default(), 1 << 20);
    if (ves_jcs_write(&buf, walk.arena, node) || ves_buf_status(&buf) ||
        ves_arena_copy(walk.arena, ves_buf_view(&buf), &out))
        wrong("a tree could not be canonicalised");
    ves_buf_free(&buf);
    return out;
}

static struct ves_stream stream_of(const struct ves_json *v)
{
    struct ves_stream stream = {uuid(v, "tenant_id"), uuid(v, "store_id")};
    return stream;
}

/* The members that A.5 and A.11 hash, but the payload's. */
static struct ves_event event_of(const struct ves_json *v)
{
    struct ves_event event;
    memset(&event, 0, sizeof(event));
    event.ves_version = number32(v, "ves_version");
    event.stream = stream_of(v);
    event.event_id = uuid(v, "event_id");
    event.agent = uuid(v, "source_agent_id");
    event.agent_key_id = number32(v, "agent_key_id");
    event.entity_type = text(v, "entity_type");
    event.entity_id = text(v, "entity_id");
    event.event_type = text(v, "event_type");
    event.created_at = text(v, "created_at");
    return event;
}

static uint64_t preimage_length(const struct ves_event *event)
{
    /* 15 tag, 4 version, 4 UUIDs, 4 key id, 4 texts, 4 kind, 2 hashes. */
    return 15 + 4 + 4 * 16 + 4 + 4 * 4 + event->entity_type.len +
           event->entity_id.len + event->event_type.len +
           event->created_at.len + 4 + 2 * 32;
}

static void keypair(const struct ves_json *object, const char *secret_name,
                    const char *public_name, struct ves_secret_key *secret,
                    struct ves_public_key *key)
{
    uint8_t seed[VES_SEED_SIZE];
    fixed(object, secret_name, seed, sizeof(seed));
    ves_ed25519_keypair(seed, secret, key);
    same_bytes(ves_bytes(key->b, VES_KEY_SIZE), object, public_name);
}

/* Signing gives these bytes, and they verify. */
static void signature(const struct ves_secret_key *secret,
                      const struct ves_public_key *key,
                      struct ves_bytes message, const struct ves_json *object,
                      const char *name)
{
    struct ves_sig ours, theirs;
    fixed(object, name, theirs.b, sizeof(theirs.b));
    ves_ed25519_sign(secret, message, &ours);
    if (memcmp(ours.b, theirs.b, sizeof(ours.b)) != 0)
        wrong("%s differs", name);
    if (!ves_ed25519_verify(key, message, &theirs))
        wrong("%s does not verify", name);
}

/* ---- published_ves_vectors.json ---- */

static void published_event_hash(const struct ves_json *list, bool is_v2)
{
    for (const struct ves_json *v = list->first; v; v = v->next) {
        struct ves_event event = event_of(v);
        struct ves_hash ours;
        event.payload_kind = number32(v, "payload_kind");
        event.payload_plain_hash = hash(v, "payload_plain_hash");
        event.payload_cipher_hash = hash(v, "payload_cipher_hash");
        if (is_v2) {
            event.has_command_id = event.has_base_version = true;
            event.command_id = uuid(v, "command_id");
            event.base_version = number(v, "base_version");
        }
        ves_event_signing_hash(&event, &ours);
        same_hash(&ours, v, "expected");
        if (ves_json_member(v, "preimage_length"))
            check(number(v, "preimage_length") == preimage_length(&event),
                  "preimage_length");
        skip_member(v, "src", PROSE);
    }
}

static void proof_of(const struct ves_json *v, struct ves_inclusion *proof)
{
    const struct ves_json *path = get(v, "proof_path");
    const struct ves_json *directions = get(v, "directions");
    proof->leaf_index = number(v, "leaf_index");
    proof->depth = 0;
    use(path);
    use(directions);
    const struct ves_json *d = directions->first;
    for (const struct ves_json *p = path->first; p; p = p->next) {
        struct ves_bytes sibling = hex_of(p);
        if (proof->depth == VES_PROOF_PATH_MAX || sibling.len != 32) {
            wrong("proof_path");
            return;
        }
        /* True where the current node is the left child. */
        bool is_left = !(proof->leaf_index >> proof->depth & 1);
        check(d && d->type == (is_left ? VES_JSON_TRUE : VES_JSON_FALSE),
              "directions");
        d = d ? d->next : NULL;
        memcpy(proof->path[proof->depth++].b, sibling.ptr, 32);
    }
    check(!d && directions->type == VES_JSON_ARRAY &&
              path->type == VES_JSON_ARRAY,
          "directions and proof_path differ in length");
}

static void published_tree(const struct ves_json *root)
{
    struct ves_hash ours;
    const struct ves_json *v;

    for (v = get(root, "leaf_hash")->first; v; v = v->next) {
        struct ves_stream stream = stream_of(v);
        struct ves_hash event = hash(v, "event_signing_hash");
        struct ves_sig sig;
        fixed(v, "agent_signature", sig.b, sizeof(sig.b));
        ves_leaf_hash(&stream, number(v, "sequence_number"), &event, &sig,
                      &ours);
        same_hash(&ours, v, "expected");
        skip_member(v, "src", PROSE);
    }
    ves_pad_leaf(&ours);
    same_hash(&ours, root, "pad_leaf");
    for (v = get(root, "node_hash")->first; v; v = v->next) {
        struct ves_hash left = hash(v, "left"), right = hash(v, "right");
        ves_node_hash(&left, &right, &ours);
        same_hash(&ours, v, "expected");
        skip_member(v, "src", PROSE);
    }
    for (v = get(root, "inclusion_proof")->first; v; v = v->next) {
        static struct ves_inclusion proof;
        struct ves_hash leaf = hash(v, "leaf_hash");
        struct ves_hash merkle_root = hash(v, "merkle_root");
        proof_of(v, &proof);
        bool ok = ves_inclusion_check(&proof, &leaf, &merkle_root) == VES_OK;
        check(use(get(v, "valid"))->type ==
                  (ok ? VES_JSON_TRUE : VES_JSON_FALSE),
              "inclusion_proof");
        skip_member(v, "src", PROSE);
    }
    for (v = get(root, "stream_id")->first; v; v = v->next) {
        struct ves_stream stream = stream_of(v);
        ves_stream_id(&stream, &ours);
        same_hash(&ours, v, "expected");
        skip_member(v, "src", PROSE);
    }
    for (v = get(root, "receipt_hash")->first; v; v = v->next) {
        struct ves_stream stream = stream_of(v);
        struct ves_uuid id = uuid(v, "event_id");
        struct ves_hash event = hash(v, "event_signing_hash");
        ves_receipt_hash(&stream, &id, number(v, "sequence_number"), &event,
                         &ours);
        same_hash(&ours, v, "expected");
        skip_member(v, "src", PROSE);
    }
}

/* The JS layout: the associated data by the library; the other two pin the
 * reference that test_sealed.c holds the library against. */
static void published_js_layout(const struct ves_json *root)
{
    struct ves_hash ours;
    const struct ves_json *v;

    v = get(root, "payload_aad_with_version_js_dialect")->first;
    for (; v; v = v->next) {
        struct ves_event event = event_of(v);
        event.payload_plain_hash = hash(v, "payload_plain_hash");
        ves_sealed_aad(&event, true, &ours);
        same_hash(&ours, v, "expected");
        ves_sealed_aad(&event, false, &ours);
        same_hash(&ours, v, "same_without_version_rust_dialect_derived");
        skip_member(v, "src", PROSE);
    }
    v = get(root, "payload_cipher_hash_js_dialect")->first;
    for (; v; v = v->next) {
        struct ves_hash aad = hash(v, "payload_aad");
        struct ves_hash recipients = hash(v, "recipients_hash");
        test_cipher_hash(true, hex(v, "nonce"), &aad,
                         text(v, "ciphertext_utf8"), hex(v, "tag"), &recipients,
                         &ours);
        same_hash(&ours, v, "expected");
        skip_member(v, "src", PROSE);
    }
    v = get(root, "recipients_hash_js_dialect")->first;
    for (; v; v = v->next) {
        /* Sorted by key id: this list comes with 2 before 1. */
        const struct ves_json *two = get(v, "recipients")->first;
        struct ves_json sorted[2], array = *get(v, "recipients");
        check(array.count == 2, "recipients");
        if (array.count != 2)
            return;
        check(number(two, "recipient_kid") == 2, "recipient_kid");
        use(get(v, "recipients"));
        sorted[0] = *two->next;
        sorted[1] = *two;
        sorted[0].next = &sorted[1];
        sorted[1].next = NULL;
        array.first = sorted;
        struct ves_buf buf;
        ves_buf_init(&buf, ves_alloc_default(), 4096);
        check(ves_jcs_write(&buf, walk.arena, &array) == VES_OK, "recipients");
        test_js_recipients_hash(ves_buf_view(&buf), &ours);
        ves_buf_free(&buf);
        same_hash(&ours, v, "expected");
        skip_member(v, "src", PROSE);
    }
}

static void check_published(const struct ves_json *root)
{
    const struct ves_json *v;
    skip_member(root, "note", PROSE);
    skip_member(root, "sources", PROSE);
    for (v = get(root, "canonical_json")->first; v; v = v->next)
        check(ves_bytes_equal(jcs(get(v, "in")), text(v, "out")),
              "canonical_json");
    for (v = get(root, "payload_plain_hash")->first; v; v = v->next) {
        struct ves_hash ours;
        uint8_t salt[16];
        bool has_salt = get(v, "salt_hex")->type != VES_JSON_NULL;
        if (has_salt)
            fixed(v, "salt_hex", salt, sizeof(salt));
        use(get(v, "salt_hex"));
        ves_payload_plain_hash(jcs(get(v, "payload")), has_salt ? salt : NULL,
                               &ours);
        same_hash(&ours, v, "expected");
        skip_member(v, "src", PROSE);
    }
    skip_member(root, "legacy_payload_hash", LEGACY);
    published_event_hash(get(root, "event_signing_hash_v1"), false);
    published_event_hash(get(root, "event_signing_hash_v2"), true);
    published_tree(root);
    published_js_layout(root);
}

/* ---- derived_ves_vectors.json ---- */

struct derived {
    struct ves_secret_key agent, sequencer;
    struct ves_public_key agent_key, sequencer_key;
    struct ves_stream stream;
    struct ves_hash leaves[8];
    size_t count;
};

static void derived_event(struct derived *d, const struct ves_json *v)
{
    struct ves_event event;
    struct ves_refusal refusal;
    struct ves_hash ours;
    const struct ves_json *envelope = use(get(v, "envelope"));

    if (ves_event_read(walk.arena, envelope->text, &event, &refusal) ||
        ves_event_check(walk.arena, &event, &refusal)) {
        wrong("envelope: %s", refusal.message);
        return;
    }
    same_bytes(event.payload_jcs, v, "canonical_payload_utf8_hex");
    ves_event_v1_hash(&event, &ours);
    same_hash(&ours, v, "v1_hash");
    same_hash(&event.event_hash, v, "event_signing_hash");
    signature(&d->agent, &d->agent_key,
              ves_bytes(event.event_hash.b, VES_HASH_SIZE), envelope,
              "agent_signature");

    uint64_t sequence = number(v, "sequence_number");
    d->stream = event.stream;
    ves_leaf_hash(&event.stream, sequence, &event.event_hash, &event.signature,
                  &ours);
    same_hash(&ours, v, "leaf_hash");
    if (d->count < 8)
        d->leaves[d->count++] = ours;
    check(sequence == d->count, "sequence_number");
    ves_receipt_hash(&event.stream, &event.event_id, sequence,
                     &event.event_hash, &ours);
    same_hash(&ours, v, "receipt_hash");
    signature(&d->sequencer, &d->sequencer_key,
              ves_bytes(ours.b, VES_HASH_SIZE), v, "sequencer_signature");
}

static void derived_tree(const struct derived *d, const struct ves_json *v)
{
    struct ves_hash root = {{0}}, scratch[8];
    uint64_t count = number(v, "leaf_count");
    if (count > d->count) {
        wrong("leaf_count");
        return;
    }
    check(ves_merkle_root(d->leaves, count, scratch, &root) == VES_OK,
          "leaf_count");
    same_hash(&root, v, "merkle_root");
    uint64_t index = 0;
    for (const struct ves_json *p = get(v, "proofs")->first; p; p = p->next) {
        static struct ves_inclusion ours, theirs;
        proof_of(p, &theirs);
        check(theirs.leaf_index == index, "leaf_index");
        if (ves_inclusion_make(d->leaves, count, index, scratch, &ours)) {
            wrong("proofs");
            return;
        }
        check(ours.depth == theirs.depth &&
                  memcmp(ours.path, theirs.path,
                         ours.depth * sizeof(ours.path[0])) == 0,
              "proof_path");
        check(ves_inclusion_check(&theirs, &d->leaves[index], &root) == VES_OK,
              "proof");
        index++;
    }
    check(index == count, "proofs");
}

static void derived_chain(const struct derived *d, const struct ves_json *root)
{
    struct ves_hash stream_id, state = {{0}};
    uint64_t next = 1;
    ves_stream_id(&d->stream, &stream_id);
    same_hash(&stream_id, root, "stream_id");
    for (const struct ves_json *v = get(root, "state_roots")->first; v;
         v = v->next) {
        struct ves_hash merkle = {{0}}, scratch[8];
        uint64_t start = number(v, "sequence_start");
        uint64_t end = number(v, "sequence_end");
        uint32_t count = number32(v, "leaf_count");
        if (start != next || end < start || end > d->count ||
            count != end - start + 1) {
            wrong("state_roots");
            return;
        }
        same_hash(&state, v, "prev_state_root");
        check(ves_merkle_root(&d->leaves[start - 1], count, scratch, &merkle) ==
                  VES_OK,
              "state_roots");
        same_hash(&merkle, v, "merkle_root");
        ves_state_root(&stream_id, &state, &merkle, start, end, count, &state);
        same_hash(&state, v, "new_state_root");
        next = end + 1;
    }
}

static void derived_key_directory(const struct derived *d,
                                  const struct ves_json *v)
{
    struct ves_hash ours;
    struct ves_agent_key *keys;
    size_t count;
    const struct ves_json *body = get(v, "body");

    check(ves_bytes_equal(jcs(body), text(v, "canonical")), "canonical");
    if (ves_keydir_hash(walk.arena, ves_alloc_default(), body, &ours)) {
        wrong("key_directory");
        return;
    }
    same_hash(&ours, v, "hash");
    signature(&d->sequencer, &d->sequencer_key,
              ves_bytes(ours.b, VES_HASH_SIZE), v, "directorySignature");
    check(ves_keydir_read(walk.arena, body, &keys, &count) == VES_OK &&
              count == 1 &&
              memcmp(keys[0].public_key.b, d->agent_key.b, VES_KEY_SIZE) == 0,
          "keys");
}

/* full_encryption.event_context, payload and salt of
 * ves_enc_1_test_vectors.v0.10.0.json, which encryption_rust_layout is
 * computed from. */
#define SEALED_PAYLOAD                                                \
    "{\"delta\":100,\"location_bin\":\"A-12\",\"reason\":\"shipment_" \
    "receive\"}"

static struct ves_event sealed_event(void)
{
    static const uint8_t salt[16] = {1, 2,  3,  4,  5,  6,  7,  8,
                                     9, 10, 11, 12, 13, 14, 15, 16};
    struct ves_event event;
    memset(&event, 0, sizeof(event));
    event.ves_version = 1;
    event.stream.tenant = test_uuid("00000000-0000-0000-0000-000000000001");
    event.stream.store = test_uuid("00000000-0000-0000-0000-000000000002");
    event.event_id = test_uuid("11111111-1111-1111-1111-111111111111");
    event.agent = test_uuid("22222222-2222-2222-2222-222222222222");
    event.agent_key_id = 1;
    event.entity_type = ves_bytes_str("InventoryItem");
    event.entity_id = ves_bytes_str("WIDGET-001");
    event.event_type = ves_bytes_str("InventoryAdjusted");
    event.created_at = ves_bytes_str("2025-01-01T00:00:00Z");
    event.payload_kind = VES_PAYLOAD_ENCRYPTED;
    ves_payload_plain_hash(ves_bytes_str(SEALED_PAYLOAD), salt,
                           &event.payload_plain_hash);
    return event;
}

static struct ves_bytes b64u(const struct ves_json *object, const char *name)
{
    struct ves_bytes encoded = text(object, name);
    size_t len = encoded.len;
    uint8_t *out = ves_arena_bytes(walk.arena, len + 1);
    assert_non_null(out);
    if (ves_b64u_decode(encoded, out, &len)) {
        wrong("%s is not base64url", name);
        len = 0;
    }
    return ves_bytes(out, len);
}

static void derived_sealed(const struct ves_json *v)
{
    struct ves_event event = sealed_event();
    struct ves_hash ours;
    struct ves_refusal refusal;
    const struct ves_json *payload = use(get(v, "payload_encrypted"));
    const struct ves_json *recipient = get(payload, "recipients")->first;

    skip_member(v, "ephemeral_secret_hex", SEALING);
    same_hash(&event.payload_plain_hash, v, "payload_plain_hash");
    ves_sealed_aad(&event, false, &ours);
    same_hash(&ours, v, "payload_aad");
    same_bytes(b64u(payload, "ciphertext_b64u"), v, "ciphertext");
    same_bytes(b64u(payload, "tag_b64u"), v, "tag");
    check(recipient && !recipient->next, "recipients");
    if (!recipient)
        return;
    const struct test_recipient reference = {
        number32(recipient, "recipient_kid"), b64u(recipient, "enc_b64u"),
        b64u(recipient, "ct_b64u")};
    same_bytes(reference.enc, v, "enc");
    same_bytes(reference.wrap, v, "wrapped_dek");
    test_rust_recipients_hash(&reference, 1, &ours);
    same_hash(&ours, v, "recipients_hash");

    event.payload_cipher_hash = hash(v, "payload_cipher_hash");
    event.payload_encrypted = payload;
    if (ves_sealed_check(walk.arena, &event, false, &refusal))
        wrong("encryption_rust_layout: %s", refusal.message);
    /* Names and numbers that the hash leaves out. */
    check(number(payload, "enc_version") == 1 &&
              ves_bytes_is(text(get(payload, "hpke"), "mode"), "base") &&
              ves_bytes_is(text(get(payload, "hpke"), "kem"),
                           "X25519-HKDF-SHA256"),
          "payload_encrypted");
}

static void derived_yellowpaper(const struct derived *d,
                                const struct ves_json *v)
{
    /* Yellow paper 22.1, 22.8 and 22.9: the event and stream of the second
     * event_signing_hash_v1 in published_ves_vectors.json, and a root made of
     * a pattern for sequences 1 to 10. */
    const struct ves_uuid id =
        test_uuid("861910c9-7a1d-4b6f-83d6-51bbf4ae2849");
    const struct ves_hash event = test_hash(
        "e970dfc9ffc285c2c0ba59be5d9c653eee2d1ae4db9b7a02ea3cd62b8e7cf92b");
    const struct ves_hash root = test_hash(
        "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789");
    const struct ves_hash zero = {{0}};
    struct ves_hash ours, stream_id;

    ves_receipt_hash(&d->stream, &id, 42, &event, &ours);
    same_hash(&ours, v, "receipt_seq42");
    ves_receipt_hash(&d->stream, &id, 9, &event, &ours);
    same_hash(&ours, v, "overview_receipt_seq9");
    ves_stream_id(&d->stream, &stream_id);
    ves_state_root(&stream_id, &zero, &root, 1, 10, 10, &ours);
    same_hash(&ours, v, "genesis_state_root");
}

static void derived_manifest(const struct ves_json *v)
{
    struct ves_hash ours;
    struct ves_manifest manifest = {.commitment_id = text(v, "commitment_id"),
                                    .state_root = hash(v, "state_root"),
                                    .remote_head = number(v, "remote_head"),
                                    .signer_id = text(v, "signer_id"),
                                    .scheme = text(v, "signature_scheme"),
                                    .issued_at = text(v, "issued_at")};
    const struct ves_json *previous = get(v, "previous_commitment_id");

    if (previous->type != VES_JSON_NULL)
        manifest.previous_id = text_of(previous);
    use(previous);
    ves_manifest_hash(&manifest, &ours);
    same_hash(&ours, v, "hash");
}

static void check_derived(const struct ves_json *root)
{
    struct derived d = {.count = 0};
    struct ves_hash ours;
    const struct ves_json *v;

    skip_member(root, "note", PROSE);
    keypair(root, "agent_secret_hex", "agent_public_hex", &d.agent,
            &d.agent_key);
    keypair(root, "sequencer_secret_hex", "sequencer_public_hex", &d.sequencer,
            &d.sequencer_key);
    for (v = get(root, "events")->first; v; v = v->next)
        derived_event(&d, v);
    for (v = get(root, "merkle")->first; v; v = v->next)
        derived_tree(&d, v);
    derived_chain(&d, root);
    ves_pad_leaf(&ours);
    same_hash(&ours, root, "pad_leaf");
    derived_key_directory(&d, get(root, "key_directory"));
    ves_pop_hash(&d.agent_key, &ours);
    same_hash(&ours, root, "pop_challenge_ed25519_pubkey_only");
    derived_sealed(get(root, "encryption_rust_layout"));

    v = get(root, "encryption_js_layout_partial");
    struct ves_event event = sealed_event();
    ves_sealed_aad(&event, true, &ours);
    same_hash(&ours, v, "payload_aad");
    skip_member(v, "ciphertext", JS_DIALECT "; " SEALING);
    skip_member(v, "tag", JS_DIALECT "; " SEALING);
    skip_member(v, "note", PROSE);
    derived_manifest(get(root, "commitment_manifest_hash"));
    derived_yellowpaper(&d, get(root, "yellowpaper"));
}

/* ---- ves_sig_1_test_vectors.json ---- */

/* SHA-256 of a tag and what follows it. */
static struct ves_hash tagged(struct ves_bytes tag, const void *rest,
                              size_t len)
{
    const struct ves_bytes parts[] = {tag, ves_bytes(rest, len)};
    struct ves_hash out;
    ves_sha256(parts, 2, &out);
    return out;
}

/* The library's hash over zeros must be the one this tag gives. */
static void check_tag(const char *name, struct ves_bytes tag)
{
    static const uint8_t zeros[512];
    static struct ves_event event; /* all zero, texts empty */
    static const struct ves_sig sig;
    struct ves_hash ours, expected, zero = {{0}};

    if (strcmp(name, "DOMAIN_EVENTSIG") == 0) {
        ves_event_v1_hash(&event, &ours);
        expected = tagged(tag, zeros, preimage_length(&event) - 15);
    } else if (strcmp(name, "DOMAIN_PAYLOAD_PLAIN") == 0) {
        ves_payload_plain_hash(ves_bytes_str("{}"), NULL, &ours);
        expected = tagged(tag, "{}", 2);
    } else if (strcmp(name, "DOMAIN_LEAF") == 0) {
        ves_leaf_hash(&event.stream, 0, &zero, &sig, &ours);
        expected = tagged(tag, zeros, 147 - 11);
    } else if (strcmp(name, "DOMAIN_RECEIPT") == 0) {
        ves_receipt_hash(&event.stream, &event.event_id, 0, &zero, &ours);
        expected = tagged(tag, zeros, 102 - 14);
    } else if (strcmp(name, "DOMAIN_PAYLOAD_AAD") == 0) {
        ves_sealed_aad(&event, false, &ours);
        expected = tagged(tag, zeros, 4 * 16 + 4 + 4 * 4 + 32);
    } else if (strcmp(name, "DOMAIN_PAYLOAD_CIPHER") == 0) {
        check(ves_bytes_is(tag, "VES_PAYLOAD_CIPHER_V1"), name);
        return; /* used in encryption_rust_layout */
    } else if (strcmp(name, "DOMAIN_RECIPIENTS") == 0) {
        check(ves_bytes_is(tag, "VES_RECIPIENTS_V1"), name);
        return;
    } else {
        wrong("%s is not known", name);
        return;
    }
    check(ves_hash_equal(&ours, &expected), name);
}

static void check_tags(const struct ves_json *section, bool lengths_are_right)
{
    skip_member(section, "description", PROSE);
    for (const struct ves_json *v = get(section, "values")->first; v;
         v = v->next) {
        char name[64];
        struct ves_bytes ascii = text(v, "ascii");
        snprintf(name, sizeof(name), "%.*s", (int)v->key.len,
                 (const char *)v->key.ptr);
        check_tag(name, ascii);
        same_bytes(ascii, v, "hex");
        bool is_wrong =
            !lengths_are_right && (strcmp(name, "DOMAIN_PAYLOAD_CIPHER") == 0 ||
                                   strcmp(name, "DOMAIN_RECIPIENTS") == 0);
        if (is_wrong)
            skip_member(v, "length", WRONG);
        else
            check(number(v, "length") == ascii.len, "length");
    }
}

static void sig_encodings(const struct ves_json *v)
{
    struct ves_buf buf;
    const struct ves_json *c;
    ves_buf_init(&buf, ves_alloc_default(), 4096);
    skip_member(v, "description", PROSE);
    for (c = get(v, "u32_be")->first; c; c = c->next) {
        ves_buf_reset(&buf);
        ves_buf_put_u32(&buf, number32(c, "input"));
        same_bytes(ves_buf_view(&buf), c, "expected_hex");
    }
    for (c = get(v, "u64_be")->first; c; c = c->next) {
        ves_buf_reset(&buf);
        ves_buf_put_u64(&buf, number(c, "input"));
        same_bytes(ves_buf_view(&buf), c, "expected_hex");
    }
    for (c = get(v, "enc_str")->first; c; c = c->next) {
        ves_buf_reset(&buf);
        ves_buf_put_lstr(&buf, text(c, "input"));
        same_bytes(ves_buf_view(&buf), c, "expected_hex");
        skip_member(c, "description", PROSE);
    }
    for (c = get(v, "uuid_bytes")->first; c; c = c->next) {
        struct ves_uuid id = uuid(c, "uuid");
        same_bytes(ves_bytes(id.b, VES_UUID_SIZE), c, "expected_hex");
    }
    ves_buf_free(&buf);
}

static void sig_signatures(const struct ves_json *section)
{
    const struct ves_json *v;
    skip_member(section, "description", PROSE);
    for (v = get(section, "vectors")->first; v; v = v->next) {
        struct ves_secret_key secret;
        struct ves_public_key key;
        keypair(v, "private_key_hex", "public_key_hex", &secret, &key);
        signature(&secret, &key, hex(v, "message_hex"), v, "signature_hex");
        skip_member(v, "name", PROSE);
    }
    /* It only says that two signatures are equal, which holds of the known
     * ones above too. */
    exclude(get(section, "determinism_test"), OPEN);
}

/* The event of full_signing_test, signed and taken, then spoilt in the ways
 * that invalid_cases names. */
static void sig_full_test(const struct ves_json *root)
{
    const struct ves_json *v = get(root, "full_signing_test");
    const struct ves_json *expected = get(v, "expected");
    const struct ves_json *source = get(v, "event");
    static const struct ves_hash zero;
    struct ves_secret_key secret;
    struct ves_public_key key, other = {{0}};
    struct ves_sig sig;
    struct ves_hash hash_of_payload;

    skip_member(v, "description", PROSE);
    keypair(v, "private_key_hex", "public_key_hex", &secret, &key);
    exclude(source, OPEN);
    skip_member(expected, "note", PROSE);
    skip_member(expected, "payload_plain_hash_hex", PLACE);
    skip_member(expected, "event_signing_hash_hex", PLACE);
    skip_member(expected, "agent_signature_hex", PLACE);
    same_hash(&zero, expected, "payload_cipher_hash_hex");

    ves_payload_plain_hash(ves_bytes_str("{}"), NULL, &hash_of_payload);
    const struct ves_bytes message =
        ves_bytes(hash_of_payload.b, VES_HASH_SIZE);
    ves_ed25519_sign(&secret, message, &sig);
    check(ves_ed25519_verify(&key, message, &sig), "valid_signature");

    const struct ves_json *cases = get(root, "verification_test_cases");
    skip_member(cases, "description", PROSE);
    skip_member(cases, "valid_signature", PROSE);
    for (const struct ves_json *c = get(cases, "invalid_cases")->first; c;
         c = c->next) {
        struct ves_bytes name = get(c, "name")->string;
        exclude(c, FOREIGN);
        if (ves_bytes_is(name, "wrong_public_key")) {
            other = key;
            other.b[0] ^= 1;
            check(!ves_ed25519_verify(&other, message, &sig), "wrong key");
        } else if (ves_bytes_is(name, "tampered_signature")) {
            sig.b[0] ^= 1;
            check(!ves_ed25519_verify(&key, message, &sig), "tampered");
            sig.b[0] ^= 1;
        } else if (ves_bytes_is(name, "revoked_key")) {
            const struct ves_agent_key revoked = {.valid_from_sequence = 1,
                                                  .revoked_at_sequence = 2};
            check(!ves_agent_key_covers(&revoked, 2), "revoked key");
        }
    }
}

static void check_sig(const struct ves_json *root)
{
    static const char *const prose[] = {"$schema", "title", "description",
                                        "version", "generated"};
    const struct ves_json *v, *section;
    for (size_t i = 0; i < 5; i++)
        skip_member(root, prose[i], PROSE);

    section = get(root, "key_generation");
    skip_member(section, "description", PROSE);
    for (v = get(section, "vectors")->first; v; v = v->next) {
        struct ves_secret_key secret;
        struct ves_public_key key;
        keypair(v, "seed_hex", "public_key_hex", &secret, &key);
        keypair(v, "private_key_hex", "public_key_hex", &secret, &key);
        skip_member(v, "name", PROSE);
    }
    check_tags(get(root, "domain_separators"), true);
    sig_encodings(get(root, "encoding_primitives"));

    section = get(root, "payload_plain_hash");
    skip_member(section, "description", PROSE);
    for (v = get(section, "vectors")->first; v; v = v->next) {
        check(
            ves_bytes_equal(jcs(get(v, "payload")), text(v, "canonical_json")),
            "canonical_json");
        skip_member(v, "name", PROSE);
        skip_member(v, "note", PROSE);
        skip_member(v, "expected_hash_hex", PLACE);
    }

    section = get(root, "event_signing_params");
    skip_member(section, "description", PROSE);
    skip_member(section, "preimage_structure", PROSE);
    skip_member(section, "preimage_total_bytes", WRONG " (222 is right)");
    skip_member(section, "note", PROSE);
    exclude(get(section, "test_event"), OPEN);

    sig_signatures(get(root, "ed25519_signatures"));
    sig_full_test(root);

    section = get(root, "merkle_leaf_integration");
    skip_member(section, "description", PROSE);
    skip_member(section, "leaf_preimage_structure", PROSE);
    skip_member(section, "note", PROSE);
    check(number(section, "total_bytes") == 11 + 16 + 16 + 8 + 32 + 64,
          "total_bytes");
    exclude(get(root, "key_registry"), FOREIGN);
    exclude(get(root, "validation_checklist"), PROSE);
}

/* ---- ves_enc_1_test_vectors.v0.10.0.json ---- */

static void enc_base64url(const struct ves_json *section)
{
    skip_member(section, "description", PROSE);
    for (const struct ves_json *v = get(section, "vectors")->first; v;
         v = v->next) {
        struct ves_bytes bytes = hex(v, "input_hex");
        char out[128];
        if (ves_b64u_len(bytes.len) > sizeof(out)) {
            wrong("base64url");
            return;
        }
        ves_b64u_encode(bytes.ptr, bytes.len, out);
        check(ves_bytes_equal(ves_bytes(out, ves_b64u_len(bytes.len)),
                              text(v, "expected")),
              "base64url");
        check(ves_bytes_equal(b64u(v, "expected"), bytes), "base64url");
    }
}

/* Its expected hashes are left open here; encryption_rust_layout of the
 * derived file gives them for exactly these inputs. */
static void enc_full(const struct ves_json *section)
{
    struct ves_event ours = sealed_event();
    struct ves_event theirs = event_of(get(section, "event_context"));
    const struct ves_json *values = get(section, "random_values_hex");
    const struct ves_json *steps = get(section, "intermediate_values");
    uint8_t salt[16];
    struct ves_hash a, b;

    skip_member(section, "description", PROSE);
    skip_member(section, "note", PROSE);
    skip_member(steps, "plaintext_description", PROSE);
    check(ves_bytes_equal(jcs(get(section, "payload")),
                          text(steps, "canonical_json")),
          "canonical_json");
    fixed(values, "salt", salt, sizeof(salt));
    ves_payload_plain_hash(text(steps, "canonical_json"), salt,
                           &theirs.payload_plain_hash);
    ves_sealed_aad(&ours, true, &a);
    ves_sealed_aad(&theirs, true, &b);
    check(ves_hash_equal(&a, &b), "full_encryption");
    check(ves_hash_equal(&ours.payload_plain_hash, &theirs.payload_plain_hash),
          "full_encryption");
    skip_member(values, "dek", SEALING);
    skip_member(values, "nonce", SEALING);
    skip_member(section, "recipient", SEALING);
    skip_member(section, "expected_hashes", PLACE);
}

static void check_enc(const struct ves_json *root)
{
    static const char *const prose[] = {"$schema", "title", "description",
                                        "version", "generated"};
    const struct ves_json *v, *section;
    for (size_t i = 0; i < 5; i++)
        skip_member(root, prose[i], PROSE);

    section = get(root, "canonicalization");
    skip_member(section, "description", PROSE);
    for (v = get(section, "vectors")->first; v; v = v->next) {
        check(ves_bytes_equal(jcs(get(v, "input")), text(v, "expected")),
              "canonicalization");
        skip_member(v, "name", PROSE);
    }
    check_tags(get(root, "domain_separators"), false);

    section = get(root, "payload_plain_hash");
    skip_member(section, "description", PROSE);
    for (v = get(section, "vectors")->first; v; v = v->next) {
        struct ves_hash ours;
        uint8_t salt[16];
        bool has_salt = get(v, "salt_hex")->type != VES_JSON_NULL;
        struct ves_bytes canonical = jcs(get(v, "payload"));
        if (has_salt)
            fixed(v, "salt_hex", salt, sizeof(salt));
        use(get(v, "salt_hex"));
        check(ves_bytes_equal(canonical, text(v, "canonical_json")),
              "canonical_json");
        ves_payload_plain_hash(canonical, has_salt ? salt : NULL, &ours);
        same_hash(&ours, v, "expected_hash");
        skip_member(v, "name", PROSE);
        skip_member(v, "preimage_description", PROSE);
    }

    section = get(root, "hpke_key_pairs");
    skip_member(section, "description", PROSE);
    for (v = get(section, "test_keys")->first; v; v = v->next)
        exclude(v, ves_bytes_is(get(v, "name")->string, "recipient_3")
                       ? WRONG
                       : SEALING);
    enc_base64url(get(root, "base64url"));
    enc_full(get(root, "full_encryption"));
    exclude(get(root, "aead_test_vectors"), SEALING);
    exclude(get(root, "error_cases"), FOREIGN);
    exclude(get(root, "validation_checklist"), PROSE);
}

/* ---- the walk ---- */

struct file {
    const char *name;
    void (*check)(const struct ves_json *root);
};

static const struct file files[] = {
    {"derived_ves_vectors.json", check_derived},
    {"published_ves_vectors.json", check_published},
    {"ves_sig_1_test_vectors.json", check_sig},
    {"ves_enc_1_test_vectors.v0.10.0.json", check_enc},
};

static struct ves_bytes load(const struct file *file)
{
    char path[256];
    snprintf(path, sizeof(path), SHARED_DIR "%s", file->name);
    struct ves_bytes bytes = test_read_shared(path);
    return bytes.ptr || file != &files[0] ? bytes
                                          : test_read_file(LOCAL_DERIVED);
}

/* Runs the checks of a file over text; false when it is not JSON. */
static const struct ves_json *
run(struct ves_arena *arena, const struct file *file, struct ves_bytes json)
{
    const struct ves_json *root = NULL;
    memset(&walk, 0, sizeof(walk));
    walk.arena = arena;
    if (ves_json_read(arena, json, NULL, &root, NULL))
        return NULL;
    file->check(root);
    return root;
}

struct tally {
    size_t used, excluded, unseen;
    char path[512];
    bool is_silent;
};

/* Counts the leaves below node, names those nobody looked at, and prints
 * what was excluded. */
static void count(struct tally *tally, const struct ves_json *node, size_t len)
{
    for (size_t i = 0; i < walk.excluded_count; i++) {
        if (walk.excluded[i].node == node && !tally->is_silent)
            print_message("# excluded: %.*s: %s\n", (int)len, tally->path,
                          walk.excluded[i].reason);
    }
    if (is_leaf(node)) {
        switch (find_mark(node)->mark) {
        case USED:
            tally->used++;
            break;
        case EXCLUDED:
            tally->excluded++;
            break;
        case UNSEEN:
            tally->unseen++;
            if (!tally->is_silent)
                print_message("# not handled: %.*s\n", (int)len, tally->path);
            break;
        }
        return;
    }
    size_t index = 0;
    for (const struct ves_json *c = node->first; c; c = c->next, index++) {
        int n =
            node->type == VES_JSON_OBJECT
                ? snprintf(tally->path + len, sizeof(tally->path) - len,
                           "/%.*s", (int)c->key.len, (const char *)c->key.ptr)
                : snprintf(tally->path + len, sizeof(tally->path) - len, "/%zu",
                           index);
        assert_true(n > 0 && len + (size_t)n < sizeof(tally->path));
        count(tally, c, len + (size_t)n);
    }
}

static void check_file(const struct file *file, struct ves_bytes json)
{
    struct ves_arena arena;
    struct tally tally = {.used = 0};
    assert_non_null(json.ptr);
    ves_arena_init(&arena, ves_alloc_default(), 64 << 20);
    const struct ves_json *root = run(&arena, file, json);
    assert_non_null(root);
    print_message("# %s\n", file->name);
    count(&tally, root, 0);
    print_message("# %s: %zu values checked, %zu excluded, %zu not handled\n",
                  file->name, tally.used, tally.excluded, tally.unseen);
    if (walk.failures)
        print_message("# %zu failures, the first: %s\n", walk.failures,
                      walk.first);
    assert_int_equal(walk.failures, 0);
    assert_int_equal(tally.unseen, 0);
    assert_true(tally.used > 0);
    ves_arena_free(&arena);
}

/* One character of another kind: a digit for a digit, a letter for a letter,
 * so that a form check alone would not notice. */
static size_t alter(char *out, struct ves_bytes span)
{
    static const char letters[] = "bcdefa";
    memcpy(out, span.ptr, span.len);
    if (span.len == 2 && (out[0] == '"' || out[0] == '[')) {
        char closing = out[1]; /* "" or [] */
        out[1] = '7';
        out[2] = closing;
        return 3;
    }
    if (span.len == 4 && memcmp(out, "true", 4) == 0) {
        memcpy(out, "false", 5);
        return 5;
    }
    if (span.len == 5 && memcmp(out, "false", 5) == 0) {
        memcpy(out, "true", 4);
        return 4;
    }
    if (span.len == 4 && memcmp(out, "null", 4) == 0) {
        memcpy(out, "true", 4);
        return 4;
    }
    /* The middle first, then towards the end, then anywhere. */
    size_t from = out[0] == '"' ? span.len / 2 : 0;
    for (size_t n = 0; n < span.len; n++) {
        char *c = &out[(from + n) % span.len];
        if (*c >= '0' && *c <= '9') {
            *c = *c == '9' ? '8' : (char)(*c + 1);
            return span.len;
        }
        if (*c >= 'a' && *c <= 'f') {
            *c = letters[*c - 'a'];
            return span.len;
        }
        if ((*c >= 'g' && *c <= 'z') || (*c >= 'A' && *c <= 'Z')) {
            *c = *c == 'z' ? 'y' : *c == 'Z' ? 'Y' : (char)(*c + 1);
            return span.len;
        }
    }
    fail_msg("%.*s cannot be altered", (int)span.len, (const char *)span.ptr);
    return 0;
}

struct spans {
    struct ves_bytes at[2048];
    size_t count;
};

static void collect_used(struct spans *spans, const struct ves_json *node)
{
    if (is_leaf(node)) {
        if (find_mark(node)->mark == USED) {
            assert_true(spans->count < 2048);
            spans->at[spans->count++] = node->text;
        }
        return;
    }
    for (const struct ves_json *c = node->first; c; c = c->next)
        collect_used(spans, c);
}

/* Alters every used value in turn: the checks of the file must notice. */
static void check_sensitivity(const struct file *file, struct ves_bytes json)
{
    static struct spans spans;
    struct ves_arena arena;
    size_t missed = 0;
    assert_non_null(json.ptr);
    char *altered = malloc(json.len + 16);
    assert_non_null(altered);
    ves_arena_init(&arena, ves_alloc_default(), 64 << 20);
    const struct ves_json *root = run(&arena, file, json);
    assert_non_null(root);
    spans.count = 0;
    collect_used(&spans, root);

    for (size_t i = 0; i < spans.count; i++) {
        size_t at = (size_t)(spans.at[i].ptr - json.ptr);
        memcpy(altered, json.ptr, at);
        size_t end = at + alter(altered + at, spans.at[i]);
        memcpy(altered + end, spans.at[i].ptr + spans.at[i].len,
               json.len - at - spans.at[i].len);
        end += json.len - at - spans.at[i].len;
        ves_arena_reset(&arena);
        assert_non_null(run(&arena, file, ves_bytes(altered, end)));
        if (walk.failures == 0) {
            print_message("# not noticed: byte %zu, %.*s\n", at,
                          (int)spans.at[i].len, (const char *)spans.at[i].ptr);
            missed++;
        }
    }
    print_message("# %s: %zu values altered in turn, %zu not noticed\n",
                  file->name, spans.count, missed);
    assert_int_equal(missed, 0);
    ves_arena_free(&arena);
    free(altered);
}

/* A value that nobody handles is found wherever it stands. */
static void check_new_member(const struct file *file, struct ves_bytes json)
{
    struct ves_arena arena;
    assert_non_null(json.ptr);
    char *altered = malloc(json.len + 32);
    assert_non_null(altered);
    ves_arena_init(&arena, ves_alloc_default(), 64 << 20);
    for (size_t brace = 0; brace < 3; brace++) {
        struct tally tally = {.is_silent = true};
        size_t at = brace == 0 ? 0 : brace == 1 ? json.len / 3 : json.len / 2;
        while (json.ptr[at] != '{' || json.ptr[at + 1] == '\\' ||
               json.ptr[at + 1] == '}')
            at++;
        int n = snprintf(altered, json.len + 32, "%.*s\"surprise\":1,%s",
                         (int)at + 1, (const char *)json.ptr,
                         (const char *)json.ptr + at + 1);
        ves_arena_reset(&arena);
        const struct ves_json *root =
            run(&arena, file, ves_bytes(altered, (size_t)n));
        assert_non_null(root);
        count(&tally, root, 0);
        assert_true(tally.unseen == 1 || walk.failures > 0 ||
                    tally.excluded > 0);
        if (brace == 0)
            assert_int_equal(tally.unseen, 1);
    }
    ves_arena_free(&arena);
    free(altered);
}

static void with_file(size_t index,
                      void (*what)(const struct file *, struct ves_bytes))
{
    struct ves_bytes json = load(&files[index]);
    what(&files[index], json);
    free((void *)(uintptr_t)json.ptr);
}

static void test_derived(void **state)
{
    (void)state;
    with_file(0, check_file);
}

static void test_derived_altered(void **state)
{
    (void)state;
    with_file(0, check_sensitivity);
    with_file(0, check_new_member);
}

static void test_derived_copy(void **state)
{
    (void)state;
    struct ves_bytes ours = test_read_file(LOCAL_DERIVED);
    struct ves_bytes theirs =
        test_read_shared(SHARED_DIR "derived_ves_vectors.json");
    assert_non_null(ours.ptr);
    assert_non_null(theirs.ptr);
    assert_true(ves_bytes_equal(ours, theirs));
    free((void *)(uintptr_t)ours.ptr);
    free((void *)(uintptr_t)theirs.ptr);
}

static void test_published(void **state)
{
    (void)state;
    with_file(1, check_file);
}

static void test_sig_1(void **state)
{
    (void)state;
    with_file(2, check_file);
}

static void test_enc_1(void **state)
{
    (void)state;
    with_file(3, check_file);
}

static void test_others_altered(void **state)
{
    (void)state;
    for (size_t i = 1; i < 4; i++) {
        with_file(i, check_sensitivity);
        with_file(i, check_new_member);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_derived_altered),
    };
    const struct CMUnitTest shared[] = {
        cmocka_unit_test(test_derived_copy),   cmocka_unit_test(test_published),
        cmocka_unit_test(test_sig_1),          cmocka_unit_test(test_enc_1),
        cmocka_unit_test(test_others_altered),
    };
    if (ves_crypto_init())
        return 1;
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    struct ves_bytes probe =
        test_read_shared(SHARED_DIR "published_ves_vectors.json");
    if (probe.ptr) {
        free((void *)(uintptr_t)probe.ptr);
        return failed + cmocka_run_group_tests(shared, NULL, NULL);
    }
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
        printf("ok %zu - %s # SKIP NOT CHECKED: no vectors in %s/%s "
               "(VES_SHARED)\n",
               i + 3, shared[i].name, test_shared_dir(), SHARED_DIR);
    return failed;
}
