/* key_end.c -- how a key ended, asked of the log (ADR 0058).
 *
 * An answer to a revocation is a promise.  Here the stream's key events are
 * read, each with its hashes and the sequencer's signature; they lead to a
 * state by the function that everybody uses; and the event that ended the key
 * has to stand under a head that the sequencer signed.  Whoever shows that and
 * sequences the key's events all the same has signed two stories.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/checkpoint.h"
#include "core/event.h"
#include "core/key_event.h"
#include "core/merkle.h"
#include "core/tlog_proof.h"
#include "crypto/crypto.h"
#include "os/keyfile.h"
#include "sync/owner.h"
#include "sync/pinned.h"
#include "sync/reply.h"
#include "sync/session.h"
#include "ves/verify.h"

enum {
    ARENA_MAX = 256 * 1024 * 1024,
    REPLY_MAX = 64 * 1024 * 1024,
    PAGE = 100, /* events asked for at a time */
    POLICY_MAX = 64 * 1024
};

struct asking {
    const struct ves_admin *admin;
    const struct ves_uuid *agent;
    uint32_t key_id;
    struct ves_error *error;
    struct ves_arena arena;
    struct ves_jw *reply;
    struct ves_uuid sequencer;
    struct ves_sequencer_key keys[VES_SEQUENCER_KEYS_MAX];
    size_t key_count;
    struct ves_key_world world;
    struct ves_key_state state;
    uint64_t last;        /* sequence number of the event taken last */
    struct ves_leaf leaf; /* of the event that ended the key */
};

static enum ves_status get(struct asking *a, const char *path)
{
    const struct ves_bytes none = {NULL, 0};
    uint32_t http_status = 0;

    ves_jw_reset(a->reply);
    enum ves_status status =
        ves_admin_call(a->admin->url, a->admin->key_file, a->admin->tls_ca,
                       "GET", path, none, a->reply, &http_status, a->error);
    if (!status && http_status == 404)
        return ves_fail(a->error, VES_AGAIN,
                        "the sequencer has signed no head over it yet");
    if (!status && http_status >= 300)
        return ves_fail(a->error, VES_REFUSED,
                        "the sequencer answered HTTP %u to %.300s", http_status,
                        path);
    return status;
}

static enum ves_status get_json(struct asking *a, const char *path,
                                const struct ves_json **root)
{
    struct ves_bytes text;

    enum ves_status status = get(a, path);
    if (!status)
        status = ves_arena_copy(&a->arena, ves_jw_view(a->reply), &text);
    if (status)
        return status;
    status = ves_json_read(&a->arena, text, NULL, root, NULL);
    return status == VES_MALFORMED
               ? ves_fail(a->error, VES_REFUSED,
                          "the sequencer's answer to %.300s is not JSON", path)
               : status;
}

/* ---- the sequencer's keys ------------------------------------------------ */

static enum ves_status ask_keys(struct asking *a)
{
    const struct ves_json *root;

    enum ves_status status = get_json(a, "/api/v1/ves/sequencer-keys", &root);
    if (!status &&
        (!ves_reply_uuid(root, "sequencerId", &a->sequencer) ||
         !ves_reply_sequencer_keys(root, "keys", a->keys, &a->key_count)))
        status = ves_fail(a->error, VES_REFUSED,
                          "the sequencer does not say which keys are its own");
    return status;
}

static bool is_sequencers(const struct asking *a, const struct ves_event *event)
{
    if (!ves_uuid_equal(&event->agent, &a->sequencer))
        return false;
    for (size_t i = 0; i < a->key_count; i++) {
        if (a->keys[i].version == event->agent_key_id)
            return ves_ed25519_verify(
                &a->keys[i].public_key,
                ves_bytes(event->event_hash.b, VES_HASH_SIZE),
                &event->signature);
    }
    return false;
}

/* ---- key events ---------------------------------------------------------- */

static enum ves_status false_event(struct asking *a, uint64_t sequence,
                                   const char *words)
{
    return ves_fail(a->error, VES_REFUSED,
                    "what the sequencer shows as key event %" PRIu64
                    " does not hold: %.300s",
                    sequence, words);
}

static enum ves_status apply(struct asking *a, const struct ves_event *event)
{
    struct ves_key_event read;
    enum ves_key_fault fault = VES_KEY_FAULT_NONE;
    struct ves_error why;
    enum ves_status status = VES_OK;
    uint64_t sequence = event->sequence_number;

    if (ves_key_event_read(event, &read, &why))
        return false_event(a, sequence, why.text);
    if (read.kind == VES_KEY_EVENT_POLICY)
        fault =
            ves_key_policy_apply(&a->world, &read, sequence, &a->world.policy);
    else if (read.kind != VES_KEY_EVENT_SEQUENCER &&
             ves_uuid_equal(&read.agent, a->agent))
        status = ves_key_event_apply(&a->arena, &a->world, &read, sequence,
                                     &a->state, &fault);
    if (status || fault)
        return status ? status
                      : false_event(a, sequence, ves_key_fault_words(fault));
    const struct ves_logged_key *key = ves_key_state_find(&a->state, a->key_id);
    if (key && key->revoked_at == sequence)
        a->leaf = (struct ves_leaf){a->world.stream, sequence,
                                    event->event_hash, event->signature};
    return VES_OK;
}

static enum ves_status take_event(struct asking *a,
                                  const struct ves_json *envelope)
{
    struct ves_refusal refusal;
    struct ves_event event;

    if (!envelope)
        return false_event(a, 0, "it has no envelope");
    enum ves_status status =
        ves_event_from_json(&a->arena, envelope, &event, &refusal);
    if (!status)
        status = ves_event_check_logged(&a->arena, &event, &refusal);
    if (status)
        return status == VES_REFUSED
                   ? false_event(a, event.sequence_number, refusal.message)
                   : status;
    if (ves_key_event_kind_of(&event) == VES_KEY_EVENT_NONE)
        return VES_OK;
    if (!ves_uuid_equal(&event.stream.tenant, &a->world.stream.tenant) ||
        !ves_uuid_equal(&event.stream.store, &a->world.stream.store))
        return false_event(a, event.sequence_number, "it is another stream's");
    if (event.sequence_number <= a->last)
        return false_event(a, event.sequence_number, "it is out of order");
    if (!is_sequencers(a, &event))
        return false_event(a, event.sequence_number,
                           "the sequencer did not sign it");
    a->last = event.sequence_number;
    return apply(a, &event);
}

static enum ves_status read_log(struct asking *a)
{
    const struct ves_json *root, *events;
    enum ves_status status;
    char stream[128], path[512];
    uint64_t from = 0;
    bool has_more;

    ves_session_stream_query(&a->world.stream, stream, sizeof(stream));
    do {
        (void)snprintf(path, sizeof(path),
                       "/api/v1/ves/entities/" VES_KEY_ENTITY_TYPE
                       "/" VES_KEY_ENTITY_ID "?%s&from=%" PRIu64 "&limit=%d",
                       stream, from, PAGE);
        has_more = false;
        status = get_json(a, path, &root);
        if (status)
            return status;
        events = ves_json_member(root, "events");
        if (!events || events->type != VES_JSON_ARRAY)
            return ves_fail(a->error, VES_REFUSED,
                            "the sequencer's answer to %.300s has no events",
                            path);
        for (const struct ves_json *e = events->first; e && !status;
             e = e->next)
            status = take_event(a, ves_json_member(e, "envelope"));
        from += events->count;
        (void)ves_json_get_bool(root, "has_more", &has_more);
    } while (!status && has_more && events->count > 0);
    return status;
}

/* ---- the head over it ---------------------------------------------------- */

static enum ves_status check_proof(struct asking *a, struct ves_bytes file,
                                   struct ves_key_end *out)
{
    struct ves_public_key keys[VES_SEQUENCER_KEYS_MAX];
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_checkpoint head;
    struct ves_tlog_proof proof;
    struct ves_buf policy;
    struct ves_note note;
    struct ves_verify_report *report =
        ves_arena_alloc(&a->arena, sizeof(*report));

    if (!report)
        return VES_NOMEM;
    enum ves_status status = ves_tlog_proof_read(file, &proof, a->error);
    if (!status)
        status = ves_note_read(proof.note, &note, a->error);
    if (!status)
        status = ves_checkpoint_read(note.text, &head, a->error);
    if (status)
        return VES_REFUSED;
    for (size_t i = 0; i < a->key_count; i++)
        keys[i] = a->keys[i].public_key;
    ves_leaf_write(&a->leaf, entry);
    ves_buf_init(&policy, ves_alloc_default(), POLICY_MAX);
    status = ves_pinned_policy(a->keys, a->key_count, head.origin, &policy);
    if (!status) {
        const struct ves_verify_anchors anchors = {
            .policy = ves_buf_view(&policy),
            .stream = &a->world.stream,
            .sequencer_keys = keys,
            .sequencer_key_count = a->key_count};
        status = ves_verify(NULL, file, ves_bytes(entry, sizeof(entry)),
                            &anchors, report, a->error);
    }
    ves_buf_free(&policy);
    if (status)
        return status;
    for (size_t i = 0; i < report->count; i++) {
        if (report->properties[i].finding == VES_FINDING_FAILED)
            return ves_fail(a->error, VES_REFUSED,
                            "the event that ends the key is not in the log: "
                            "%s: %.300s",
                            report->properties[i].name,
                            report->properties[i].text);
    }
    out->size = report->head.size;
    return VES_OK;
}

static enum ves_status ask_proof(struct asking *a, struct ves_key_end *out)
{
    char id[2 * VES_HASH_SIZE + 1], path[256];
    struct ves_hash stream_id;
    struct ves_bytes file;

    ves_stream_id(&a->world.stream, &stream_id);
    ves_hex_encode(stream_id.b, VES_HASH_SIZE, id);
    id[sizeof(id) - 1] = '\0';
    (void)snprintf(path, sizeof(path), "/ves/%s/proof/%" PRIu64, id,
                   a->leaf.sequence_number);
    enum ves_status status = get(a, path);
    if (!status)
        status = ves_arena_copy(&a->arena, ves_jw_view(a->reply), &file);
    return status ? status : check_proof(a, file, out);
}

/* ---- the whole ----------------------------------------------------------- */

static enum ves_status ask(struct asking *a, struct ves_key_end *out)
{
    enum ves_status status = ask_keys(a);

    if (!status)
        status = read_log(a);
    if (status)
        return status;
    const struct ves_logged_key *key = ves_key_state_find(&a->state, a->key_id);
    if (!key)
        return ves_fail(a->error, VES_NOT_FOUND,
                        "the stream's log names no key %u of this agent",
                        (unsigned)a->key_id);
    if (key->revoked_at == 0)
        return ves_fail(a->error, VES_NOT_FOUND,
                        "the stream's log holds no event that ends key %u of "
                        "this agent",
                        (unsigned)a->key_id);
    *out = (struct ves_key_end){.sequence_number = key->revoked_at,
                                .by = ves_key_author_name(key->ended_by)};
    return ask_proof(a, out);
}

enum ves_status ves_admin_key_end(const struct ves_admin *admin,
                                  const struct ves_stream *stream,
                                  const struct ves_uuid *agent, uint32_t key_id,
                                  struct ves_key_end *out,
                                  struct ves_error *error)
{
    struct asking a = {.admin = admin,
                       .agent = agent,
                       .key_id = key_id,
                       .error = error,
                       .world = {.stream = *stream, .has_owner = true},
                       .state = {.agent = *agent}};

    memset(out, 0, sizeof(*out));
    enum ves_status status =
        ves_owner_public(admin->key_file, stream, &a.world.owner, error);
    if (status)
        return status;
    a.reply = ves_jw_new(ves_alloc_default(), REPLY_MAX);
    if (!a.reply)
        return VES_NOMEM;
    ves_arena_init(&a.arena, ves_alloc_default(), ARENA_MAX);
    status = ask(&a, out);
    ves_arena_free(&a.arena);
    ves_jw_free(a.reply);
    return status;
}
