/* verify_bundle.c -- do these events stand in that log, signed and witnessed?
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/bundle.h"
#include "core/inspection.h"
#include "core/lines.h"
#include "core/tlog_proof.h"

static void say_limits(struct ves_inspection *in)
{
    ves_inspection_cannot(in, "that what the payloads say is true");
    ves_inspection_cannot(in,
                          "that nothing was kept out of the log, or that these "
                          "are all events of an object");
    ves_inspection_cannot(in,
                          "when an event happened: created_at is its agent's "
                          "word");
    ves_inspection_cannot(
        in, "that a key is the person's or the device's it is said "
            "to be");
}

/* Every event by itself, the root they lead to, and their signatures. */
struct walk {
    struct ves_bundle_sum sum;
    struct ves_signature_sum signatures;
    bool has_old; /* an event whose signature leaves something open */
    struct ves_hash root;
    uint64_t bad; /* first event that is not what it says; 0: none */
    struct ves_refusal refusal;
};

static enum ves_status walk_events(struct ves_inspection *in,
                                   const struct ves_bundle *bundle,
                                   struct walk *walk)
{
    struct ves_bytes events = bundle->events;
    struct ves_bundle_event item;

    memset(walk, 0, sizeof(*walk));
    ves_bundle_sum_init(&walk->sum, bundle);
    while (ves_bundle_next_event(&events, &item)) {
        struct ves_event event;
        struct ves_leaf leaf;

        ves_arena_reset(&in->arena);
        enum ves_status status = ves_bundle_event_check(
            &in->arena, bundle, &item, &event, &leaf, &walk->refusal);
        if (status == VES_REFUSED)
            walk->bad = item.sequence_number;
        if (status)
            return status;
        if (event.ves_version == 1)
            walk->has_old = true;
        ves_inspection_check_signature(in, &walk->signatures, &event, &leaf);
        ves_bundle_sum_add(&walk->sum, &leaf);
    }
    ves_bundle_sum_end(&walk->sum, bundle, &walk->root);
    return VES_OK;
}

static void say_position(struct ves_inspection *in, bool is_there,
                         uint64_t count, uint64_t size)
{
    if (is_there)
        ves_inspection_say(in, "position", VES_FINDING_PROVEN,
                           "%llu events stand at their sequence numbers in the "
                           "%llu entries of the tree",
                           (unsigned long long)count, (unsigned long long)size);
    else
        ves_inspection_say(in, "position", VES_FINDING_FAILED,
                           "the tree the log signed does not have these events "
                           "at these places");
}

/* May the line be a key event?  What is one spells its type so. */
static bool may_be_key_event(struct ves_bytes envelope)
{
    static const char spelt[] = "\"event_type\":\"ves.key.";
    const size_t len = sizeof(spelt) - 1;
    const uint8_t *at = envelope.ptr, *end = envelope.ptr + envelope.len;

    while ((size_t)(end - at) >= len &&
           (at = memchr(at, spelt[0], (size_t)(end - at) - len + 1))) {
        if (memcmp(at, spelt, len) == 0)
            return true;
        at++;
    }
    return false;
}

/* What they say of keys is known before the first signature is checked; one
 * that is not whole is told by the walk. */
static enum ves_status take_key_events(struct ves_inspection *in,
                                       const struct ves_bundle *bundle)
{
    struct ves_bytes events = bundle->events;
    struct ves_bundle_event item;
    struct ves_refusal refusal;
    enum ves_status status = VES_OK;

    ves_inspection_logged_init(in, &bundle->stream);
    while (!status && ves_bundle_next_event(&events, &item)) {
        struct ves_event event;
        struct ves_leaf leaf;

        if (!may_be_key_event(item.envelope))
            continue;
        ves_arena_reset(&in->arena);
        status = ves_bundle_event_check(&in->arena, bundle, &item, &event,
                                        &leaf, &refusal);
        if (status == VES_REFUSED)
            return VES_OK;
        if (!status && ves_key_event_kind_of(&event) != VES_KEY_EVENT_NONE)
            status = ves_inspection_logged_take(in, &event, &leaf);
    }
    return status;
}

static enum ves_status say_events(struct ves_inspection *in,
                                  const struct ves_bundle *bundle)
{
    struct walk walk;

    enum ves_status status = take_key_events(in, bundle);
    if (!status)
        status = walk_events(in, bundle, &walk);
    if (status == VES_REFUSED) {
        ves_inspection_say(in, "events", VES_FINDING_FAILED,
                           "event %llu is not what it says: %s",
                           (unsigned long long)walk.bad, walk.refusal.message);
        ves_inspection_say(in, "position", VES_FINDING_NOT_PROVEN,
                           "not looked at, because of that event");
        return VES_OK;
    }
    if (status)
        return status;
    if (walk.has_old)
        ves_inspection_cannot(in, "command_id and base_version of an event of "
                                  "version 1: nobody signs them");
    in->report->events = bundle->event_count;
    ves_inspection_say(in, "events", VES_FINDING_PROVEN,
                       "%zu events are whole: payloads and hashes agree",
                       bundle->event_count);
    say_position(in, ves_hash_equal(&walk.root, &bundle->checkpoint.root),
                 bundle->event_count, bundle->checkpoint.size);
    ves_inspection_signatures(in, &walk.signatures);
    return VES_OK;
}

static enum ves_status verify(struct ves_inspection *in, struct ves_bytes file,
                              struct ves_bundle *bundle)
{
    struct ves_error why = {.status = VES_OK};
    struct ves_policy_verdict verdict;
    struct ves_bytes keys, json;

    enum ves_status status = ves_bundle_read(file, bundle, &why);
    if (status) {
        ves_inspection_say(in, "format", VES_FINDING_FAILED, "%s", why.text);
        return VES_OK;
    }
    ves_inspection_say(in, "format", VES_FINDING_PROVEN,
                       "a bundle of %zu events", bundle->event_count);
    ves_inspection_log(in, &bundle->note, &bundle->checkpoint, &verdict);
    ves_inspection_stream(in, &bundle->checkpoint, &bundle->stream);
    keys = bundle->keys;
    while (ves_bundle_next_keys(&keys, &json))
        (void)ves_inspection_add_directory(in, &bundle->stream, json);
    if (in->directory_count < bundle->keys_count)
        ves_inspection_say(
            in, "key directories", VES_FINDING_NOT_PROVEN,
            "%zu of %zu are of this stream and signed by a key of "
            "the sequencer that you trust",
            in->directory_count, bundle->keys_count);
    status = say_events(in, bundle);
    if (status)
        return status;
    ves_inspection_head(in, &bundle->checkpoint, &verdict);
    return VES_OK;
}

enum ves_status ves_verify_bundle(struct ves_inspection *in,
                                  struct ves_bytes file)
{
    const struct ves_alloc *alloc = in->alloc;
    struct ves_bundle *bundle =
        alloc->realloc(alloc->ctx, NULL, sizeof(*bundle));

    if (!bundle)
        return VES_NOMEM;
    in->report->format = "bundle";
    say_limits(in);
    enum ves_status status = verify(in, file, bundle);
    alloc->realloc(alloc->ctx, bundle, 0);
    return status;
}

/* ---- .tlog-proof ---- */

struct proof {
    struct ves_tlog_proof file;
    struct ves_note note;
    struct ves_checkpoint checkpoint;
    struct ves_leaf leaf;
    bool has_event;
    struct ves_event event;
};

/* The event in "extra" becomes the leaf it stands for. */
static enum ves_status read_extra(struct ves_inspection *in,
                                  struct proof *proof,
                                  struct ves_refusal *refusal)
{
    struct ves_bytes text = proof->file.extra;
    struct ves_bundle bundle_of_one;
    struct ves_bundle_event item = {proof->file.index + VES_TLOG_FIRST,
                                    {NULL, 0}};
    size_t len = text.len;

    uint8_t *bytes = ves_arena_bytes(&in->arena, len);
    if (!bytes)
        return VES_NOMEM;
    if (ves_b64_decode(text, bytes, &len))
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, NULL,
                          "\"extra\" is not base64");
    item.envelope = ves_bytes(bytes, len);
    /* Whatever stream it names is the one that is checked afterwards. */
    enum ves_status status =
        ves_event_read(&in->arena, item.envelope, &proof->event, refusal);
    if (status)
        return status;
    bundle_of_one.stream = proof->event.stream;
    proof->has_event = true;
    return ves_bundle_event_check(&in->arena, &bundle_of_one, &item,
                                  &proof->event, &proof->leaf, refusal);
}

/* What the proof is about: the entry given, or the event it carries. */
static enum ves_status find_leaf(struct ves_inspection *in, struct proof *proof,
                                 struct ves_bytes entry, bool *is_found)
{
    struct ves_refusal refusal;

    *is_found = false;
    if (entry.len > 0) {
        if (ves_leaf_read(entry, &proof->leaf)) {
            ves_inspection_say(in, "events", VES_FINDING_FAILED,
                               "the entry given is not the %d bytes of a leaf",
                               (int)VES_LEAF_SIZE);
            return VES_OK;
        }
    } else if (!proof->file.has_extra) {
        ves_inspection_say(in, "events", VES_FINDING_FAILED,
                           "the proof carries no event: say which entry it is "
                           "about");
        return VES_OK;
    } else {
        enum ves_status status = read_extra(in, proof, &refusal);
        if (status == VES_REFUSED)
            ves_inspection_say(in, "events", VES_FINDING_FAILED,
                               "the event in the proof is not what it says: %s",
                               refusal.message);
        if (status)
            return status == VES_REFUSED ? VES_OK : status;
        ves_inspection_say(in, "events", VES_FINDING_PROVEN,
                           "the event is whole: payload and hashes agree");
    }
    *is_found = true;
    return VES_OK;
}

static void say_place(struct ves_inspection *in, const struct proof *proof)
{
    struct ves_tlog_node node = {0, proof->file.index};
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_hash hash;

    ves_leaf_write(&proof->leaf, entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    bool is_there =
        proof->leaf.sequence_number == proof->file.index + VES_TLOG_FIRST &&
        ves_tlog_inclusion_check(&proof->file.path, node,
                                 proof->checkpoint.size, &hash,
                                 &proof->checkpoint.root) == VES_OK;
    say_position(in, is_there, 1, proof->checkpoint.size);
}

static enum ves_status verify_proof(struct ves_inspection *in,
                                    struct ves_bytes file,
                                    struct ves_bytes entry, struct proof *proof)
{
    struct ves_error why = {.status = VES_OK};
    struct ves_policy_verdict verdict;
    bool is_found;

    memset(proof, 0, sizeof(*proof));
    enum ves_status status = ves_tlog_proof_read(file, &proof->file, &why);
    if (status == VES_OK)
        status = ves_note_read(proof->file.note, &proof->note, &why);
    if (status == VES_OK)
        status =
            ves_checkpoint_read(proof->note.text, &proof->checkpoint, &why);
    if (status) {
        ves_inspection_say(in, "format", VES_FINDING_FAILED, "%s", why.text);
        return VES_OK;
    }
    ves_inspection_say(in, "format", VES_FINDING_PROVEN,
                       "a proof of entry %llu",
                       (unsigned long long)proof->file.index);
    ves_inspection_log(in, &proof->note, &proof->checkpoint, &verdict);
    status = find_leaf(in, proof, entry, &is_found);
    if (status || !is_found)
        return status;
    in->report->events = 1;
    ves_inspection_stream(in, &proof->checkpoint, &proof->leaf.stream);
    say_place(in, proof);
    if (proof->has_event) {
        struct ves_signature_sum signatures = {.count = 0};
        ves_inspection_check_signature(in, &signatures, &proof->event,
                                       &proof->leaf);
        ves_inspection_signatures(in, &signatures);
    } else {
        ves_inspection_cannot(in, "who signed it: an entry alone does not "
                                  "name its agent");
    }
    ves_inspection_head(in, &proof->checkpoint, &verdict);
    return VES_OK;
}

enum ves_status ves_verify_proof(struct ves_inspection *in,
                                 struct ves_bytes file, struct ves_bytes entry)
{
    const struct ves_alloc *alloc = in->alloc;
    struct proof *proof = alloc->realloc(alloc->ctx, NULL, sizeof(*proof));

    if (!proof)
        return VES_NOMEM;
    in->report->format = "proof";
    say_limits(in);
    enum ves_status status = verify_proof(in, file, entry, proof);
    alloc->realloc(alloc->ctx, proof, 0);
    return status;
}
