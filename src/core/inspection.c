/* inspection.c -- what the verifiers of the three formats share. */
#include "core/inspection.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/epoch.h"
#include "crypto/crypto.h"

const char *ves_verify_finding_name(enum ves_verify_finding finding)
{
    switch (finding) {
    case VES_FINDING_PROVEN:
        return "PROVEN";
    case VES_FINDING_NOT_PROVEN:
        return "NOT PROVEN";
    case VES_FINDING_FAILED:
        return "FAILED";
    }
    return "unknown";
}

static void lower(struct ves_verify_report *report,
                  enum ves_verify_verdict verdict)
{
    if (verdict > report->verdict)
        report->verdict = verdict;
}

static void add_line(struct ves_inspection *in, const char *name,
                     enum ves_verify_finding finding, const char *format,
                     va_list args) __attribute__((format(printf, 4, 0)));
static void add_line(struct ves_inspection *in, const char *name,
                     enum ves_verify_finding finding, const char *format,
                     va_list args)
{
    struct ves_verify_report *report = in->report;
    struct ves_error text;

    VES_ASSERT(report->count < VES_VERIFY_PROPERTIES_MAX);
    struct ves_verify_property *property = &report->properties[report->count++];
    ves_vfail(&text, VES_OK, format, args);
    property->name = name;
    property->finding = finding;
    _Static_assert(sizeof(property->text) == sizeof(text.text), "same size");
    memcpy(property->text, text.text, sizeof(text.text));
}

void ves_inspection_say(struct ves_inspection *in, const char *name,
                        enum ves_verify_finding finding, const char *format,
                        ...)
{
    va_list args;

    va_start(args, format);
    add_line(in, name, finding, format, args);
    va_end(args);
    if (finding == VES_FINDING_NOT_PROVEN)
        lower(in->report, VES_VERIFY_BELOW_POLICY);
    else if (finding == VES_FINDING_FAILED)
        lower(in->report, VES_VERIFY_INVALID);
}

void ves_inspection_note(struct ves_inspection *in, const char *name,
                         enum ves_verify_finding finding, const char *format,
                         ...)
{
    va_list args;

    va_start(args, format);
    add_line(in, name, finding, format, args);
    va_end(args);
}

void ves_inspection_cannot(struct ves_inspection *in, const char *sentence)
{
    struct ves_verify_report *report = in->report;

    VES_ASSERT(report->unprovable_count < VES_VERIFY_UNPROVABLE_MAX);
    report->unprovable[report->unprovable_count++] = sentence;
}

static void remember_head(struct ves_verify_report *report,
                          const struct ves_checkpoint *checkpoint)
{
    if (report->origin[0] != '\0')
        return;
    memcpy(report->origin, checkpoint->origin.ptr, checkpoint->origin.len);
    report->origin[checkpoint->origin.len] = '\0';
    report->head.size = checkpoint->size;
    report->head.root = checkpoint->root;
}

bool ves_inspection_log(struct ves_inspection *in, const struct ves_note *note,
                        const struct ves_checkpoint *checkpoint,
                        struct ves_policy_verdict *out)
{
    static const char name[] = "log signature";
    struct ves_bytes origin = checkpoint->origin;

    in->origin = origin;
    remember_head(in->report, checkpoint);
    ves_policy_check(&in->policy, note, checkpoint, out);
    if (out->has_bad) {
        ves_inspection_say(in, name, VES_FINDING_FAILED,
                           "the signature of %.*s, a key your policy names, is "
                           "wrong: the checkpoint is worth nothing",
                           (int)out->bad.len, (const char *)out->bad.ptr);
        return false;
    }
    if (out->log == VES_POLICY_NONE) {
        ves_inspection_say(
            in, name, VES_FINDING_FAILED,
            "no log of your policy signed the checkpoint of %.*s",
            (int)origin.len, (const char *)origin.ptr);
        return false;
    }
    ves_inspection_say(in, name, VES_FINDING_PROVEN,
                       "%.*s signed a tree of %llu entries", (int)origin.len,
                       (const char *)origin.ptr,
                       (unsigned long long)checkpoint->size);
    return true;
}

void ves_inspection_stream(struct ves_inspection *in,
                           const struct ves_checkpoint *checkpoint,
                           const struct ves_stream *stream)
{
    static const char name[] = "stream";
    const struct ves_stream *wanted = in->anchors->stream;
    struct ves_hash id, named;

    ves_stream_id(stream, &id);
    bool has_name = ves_origin_stream(checkpoint->origin, &named);
    if (wanted && !ves_stream_equal(wanted, stream))
        ves_inspection_say(in, name, VES_FINDING_FAILED,
                           "the events are of another stream than you named");
    else if (has_name && !ves_hash_equal(&id, &named))
        ves_inspection_say(in, name, VES_FINDING_FAILED,
                           "the events are of another stream than the log's "
                           "origin names");
    else if (!wanted && !has_name)
        ves_inspection_say(in, name, VES_FINDING_NOT_PROVEN,
                           "the log's origin names no stream, and you named "
                           "none");
    else
        ves_inspection_say(in, name, VES_FINDING_PROVEN,
                           "the log is of the events' stream%s",
                           has_name ? ", as its origin says" : " you named");
}

static void say_witnesses(struct ves_inspection *in,
                          const struct ves_policy_verdict *verdict)
{
    static const char name[] = "witnesses";
    const struct ves_policy *policy = &in->policy;

    in->report->witnessed_at = verdict->witnessed_at;
    if (!verdict->is_met)
        ves_inspection_say(
            in, name, VES_FINDING_NOT_PROVEN,
            "%u of your policy's %zu witnesses cosigned; that is "
            "not its quorum",
            verdict->witness_count, policy->witness_count);
    else if (policy->quorum == VES_QUORUM_NONE)
        ves_inspection_say(in, name, VES_FINDING_PROVEN,
                           "your policy asks for none; %u of its %zu cosigned",
                           verdict->witness_count, policy->witness_count);
    else
        ves_inspection_say(in, name, VES_FINDING_PROVEN,
                           "%u of your policy's %zu cosigned, which is its "
                           "quorum; it was met by unix time %llu",
                           verdict->witness_count, policy->witness_count,
                           (unsigned long long)verdict->witnessed_at);
}

static void say_freshness(struct ves_inspection *in,
                          const struct ves_policy_verdict *verdict)
{
    static const char name[] = "freshness";
    uint64_t now = in->anchors->now_s;
    uint64_t allowed = in->anchors->stale_after_s;
    uint64_t at = verdict->fresh_at;

    if (now == 0 || allowed == 0)
        return;
    if (at == 0)
        ves_inspection_say(
            in, name, VES_FINDING_NOT_PROVEN,
            "no quorum of witnesses says when it was the newest");
    else if (at > now && at - now > allowed)
        ves_inspection_say(in, name, VES_FINDING_NOT_PROVEN,
                           "its witnesses' clocks are %llu s ahead of yours",
                           (unsigned long long)(at - now));
    else if (at < now && now - at > allowed)
        ves_inspection_say(in, name, VES_FINDING_NOT_PROVEN,
                           "stale: a quorum last confirmed it %llu s ago",
                           (unsigned long long)(now - at));
    else
        ves_inspection_say(in, name, VES_FINDING_PROVEN,
                           "a quorum still knew no larger tree at unix time "
                           "%llu",
                           (unsigned long long)at);
}

static void say_known_head(struct ves_inspection *in,
                           const struct ves_checkpoint *checkpoint)
{
    static const char name[] = "known head";
    const struct ves_verify_anchors *anchors = in->anchors;
    bool has_same = false;

    if (anchors->head_count == 0)
        return;
    for (size_t i = 0; i < anchors->head_count; i++) {
        const struct ves_verify_head *head = &anchors->heads[i];
        if (head->size != checkpoint->size ||
            (head->origin.len > 0 &&
             !ves_bytes_equal(head->origin, checkpoint->origin)))
            continue;
        has_same = true;
        if (ves_hash_equal(&head->root, &checkpoint->root))
            continue;
        ves_inspection_note(
            in, name, VES_FINDING_FAILED,
            "you know another tree of %llu entries: the log signed two "
            "histories, and the two checkpoints are evidence of it",
            (unsigned long long)head->size);
        lower(in->report, VES_VERIFY_CONTRADICTION);
        return;
    }
    /* A file cannot be expected to be of a size one happens to know. */
    if (has_same)
        ves_inspection_note(in, name, VES_FINDING_PROVEN,
                            "it is the tree of %llu entries you know",
                            (unsigned long long)checkpoint->size);
    else
        ves_inspection_note(
            in, name, VES_FINDING_NOT_PROVEN,
            "you know no head of %llu entries to compare it with",
            (unsigned long long)checkpoint->size);
}

void ves_inspection_head(struct ves_inspection *in,
                         const struct ves_checkpoint *checkpoint,
                         const struct ves_policy_verdict *verdict)
{
    say_witnesses(in, verdict);
    say_freshness(in, verdict);
    say_known_head(in, checkpoint);
}

/* Is that log's key a key of the sequencer of this one?  A policy may name logs
 * of several sequencers, and none of them speaks for another.  A new epoch has
 * another name, and the same sequencer. */
static bool is_of_log(const struct ves_inspection *in,
                      const struct ves_policy_log *log)
{
    struct ves_hash stream, other;
    struct ves_bytes host, other_host;

    (void)ves_epoch_of_origin(in->origin, &host);
    (void)ves_epoch_of_origin(log->key.name, &other_host);
    bool has_stream = ves_origin_stream(in->origin, &stream);
    return in->origin.len > 0 && ves_bytes_equal(host, other_host) &&
           ves_origin_stream(log->key.name, &other) == has_stream &&
           (!has_stream || ves_hash_equal(&stream, &other));
}

bool ves_inspection_is_sequencers(const struct ves_inspection *in,
                                  const struct ves_hash *hash,
                                  const struct ves_sig *sig)
{
    const struct ves_verify_anchors *anchors = in->anchors;
    struct ves_bytes message = ves_bytes(hash->b, VES_HASH_SIZE);

    for (size_t i = 0; i < anchors->sequencer_key_count; i++) {
        if (ves_ed25519_verify(&anchors->sequencer_keys[i], message, sig))
            return true;
    }
    for (size_t i = 0; i < in->policy.log_count; i++) {
        if (is_of_log(in, &in->policy.logs[i]) &&
            ves_ed25519_verify(&in->policy.logs[i].key.key, message, sig))
            return true;
    }
    return false;
}

static bool names(const struct ves_json *directory, const char *name,
                  const struct ves_uuid *id)
{
    struct ves_bytes text;
    struct ves_uuid got;
    return ves_json_get_string(directory, name, &text) &&
           ves_uuid_parse(text, &got) == VES_OK && ves_uuid_equal(&got, id);
}

/* "0x" and 128 digits in lower case: another spelling would be another file
 * that says the same. */
static bool get_signature(const struct ves_json *directory, struct ves_sig *sig)
{
    char again[2 * VES_SIG_SIZE];
    struct ves_bytes hex;

    if (!ves_json_get_string(directory, "directorySignature", &hex) ||
        hex.len != 2 + sizeof(again) ||
        ves_hex_decode(hex, sig->b, VES_SIG_SIZE))
        return false;
    ves_hex_encode(sig->b, VES_SIG_SIZE, again);
    return hex.ptr[1] == 'x' && memcmp(again, hex.ptr + 2, sizeof(again)) == 0;
}

bool ves_inspection_add_directory(struct ves_inspection *in,
                                  const struct ves_stream *stream,
                                  struct ves_bytes json)
{
    const struct ves_json *root;
    struct ves_hash hash;
    struct ves_sig sig;
    size_t at = in->directory_count;

    VES_ASSERT(at < sizeof(in->directories) / sizeof(in->directories[0]));
    /* Without a store a directory has no sequence numbers to judge by. */
    if (ves_json_read(&in->keys_arena, json, NULL, &root, NULL) ||
        !names(root, "tenantId", &stream->tenant) ||
        !names(root, "storeId", &stream->store) || !get_signature(root, &sig) ||
        ves_keydir_hash(&in->keys_arena, in->alloc, root, &hash) ||
        !ves_inspection_is_sequencers(in, &hash, &sig) ||
        ves_keydir_read(&in->keys_arena, root, &in->directories[at].list,
                        &in->directories[at].count))
        return false;
    in->directory_count++;
    return true;
}

/* The key of an event, and where it may sign. */
struct found_key {
    const struct ves_public_key *key;
    bool covers;
    bool is_anchor;
    bool is_logged; /* nobody but the log has it */
};

static struct found_key find_key(const struct ves_inspection *in,
                                 const struct ves_event *event,
                                 uint64_t sequence)
{
    const struct ves_verify_anchors *anchors = in->anchors;
    struct found_key found = {.is_anchor = true};

    for (size_t i = 0; i < anchors->agent_count; i++) {
        const struct ves_verify_agent *agent = &anchors->agents[i];
        if (agent->key_id != event->agent_key_id ||
            !ves_uuid_equal(&agent->agent, &event->agent))
            continue;
        found.key = &agent->key;
        found.covers = ves_key_covers(agent->from_sequence,
                                      agent->until_sequence, sequence);
        return found;
    }
    found.is_anchor = false;
    for (size_t d = 0; d < in->directory_count; d++) {
        for (size_t i = 0; i < in->directories[d].count; i++) {
            const struct ves_agent_key *key = &in->directories[d].list[i];
            if (key->key_id != event->agent_key_id ||
                !ves_uuid_equal(&key->agent, &event->agent))
                continue;
            /* Of two directories the one that says less counts: a later one
             * may know of a revocation. */
            bool covers = ves_agent_key_covers(key, sequence);
            if (!found.key || !covers) {
                found.key = &key->public_key;
                found.covers = covers;
            }
        }
    }
    const struct ves_logged_key *logged = ves_inspection_logged_find(in, event);
    if (!found.key && logged)
        found =
            (struct found_key){.key = &logged->public_key, .is_logged = true};
    /* A key ends once: where the log shows the end, a directory can show no
     * other. */
    if (logged && (found.is_logged || logged->revoked_at != 0))
        found.covers = ves_logged_key_covers(logged, sequence);
    return found;
}

void ves_inspection_check_signature(struct ves_inspection *in,
                                    struct ves_signature_sum *sum,
                                    const struct ves_event *event,
                                    const struct ves_leaf *leaf)
{
    struct found_key found = find_key(in, event, leaf->sequence_number);

    ves_inspection_logged_check(in, event, leaf->sequence_number, found.key);
    sum->count++;
    if (!found.key && ves_inspection_is_own(in, event)) {
        sum->from_log++;
        if (sum->bad == 0 && !ves_inspection_is_sequencers(
                                 in, &leaf->event_hash, &leaf->signature))
            sum->bad = leaf->sequence_number;
        return;
    }
    if (!found.key) {
        if (sum->without_key++ == 0) {
            sum->agent = event->agent;
            sum->key_id = event->agent_key_id;
            sum->sequence = leaf->sequence_number;
        }
        return;
    }
    sum->from_anchors += found.is_anchor;
    sum->from_log += found.is_logged;
    if (!found.covers && sum->outside == 0)
        sum->outside = leaf->sequence_number;
    if (sum->bad == 0 &&
        !ves_ed25519_verify(found.key,
                            ves_bytes(leaf->event_hash.b, VES_HASH_SIZE),
                            &leaf->signature))
        sum->bad = leaf->sequence_number;
}

static void say_keys(struct ves_inspection *in,
                     const struct ves_signature_sum *sum)
{
    static const char name[] = "agent keys";
    char agent[VES_UUID_TEXT + 1];

    if (sum->outside > 0) {
        ves_inspection_say(in, name, VES_FINDING_FAILED,
                           "the key of event %llu was not valid at that place "
                           "in the order",
                           (unsigned long long)sum->outside);
    } else if (sum->without_key > 0) {
        ves_uuid_format(&sum->agent, agent);
        ves_inspection_say(
            in, name, VES_FINDING_NOT_PROVEN,
            "key %u of agent %s (event %llu%s) is neither one you "
            "gave nor in a directory the sequencer signed, nor in a key event",
            sum->key_id, agent, (unsigned long long)sum->sequence,
            sum->without_key > 1 ? " and others" : "");
    } else if (sum->from_anchors == sum->count) {
        ves_inspection_say(in, name, VES_FINDING_PROVEN,
                           "they are keys you gave");
    } else if (sum->from_log > 0) {
        ves_inspection_say(in, name, VES_FINDING_PROVEN,
                           "the log's key events have them, or the sequencer's "
                           "signed directory, valid at each event's place in "
                           "the order");
    } else {
        ves_inspection_say(
            in, name, VES_FINDING_PROVEN,
            "the sequencer's signed directory has them, valid at "
            "each event's place in the order");
    }
}

void ves_inspection_signatures(struct ves_inspection *in,
                               const struct ves_signature_sum *sum)
{
    static const char name[] = "agent signatures";
    uint64_t checked = sum->count - sum->without_key;

    say_keys(in, sum);
    ves_inspection_logged_say(in);
    if (sum->bad > 0)
        ves_inspection_say(in, name, VES_FINDING_FAILED,
                           "event %llu is not signed by its agent's key",
                           (unsigned long long)sum->bad);
    else if (checked < sum->count)
        ves_inspection_say(in, name, VES_FINDING_NOT_PROVEN,
                           "%llu of %llu events could be checked",
                           (unsigned long long)checked,
                           (unsigned long long)sum->count);
    else
        ves_inspection_say(
            in, name, VES_FINDING_PROVEN,
            "%llu of %llu events are signed by their agents' keys",
            (unsigned long long)checked, (unsigned long long)sum->count);
}
