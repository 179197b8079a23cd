/* judge.c -- the verdict on an event: a pure function of the log prefix. */
#include "core/judge.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/judge_scan.h"
#include "core/merkle.h"
#include "crypto/crypto.h"

const char *ves_verdict_name(enum ves_verdict verdict)
{
    switch (verdict) {
    case VES_VERDICT_NONE:
        return "";
    case VES_VERDICT_APPLIED:
        return "applied";
    case VES_VERDICT_CONFLICT:
        return "conflict";
    case VES_VERDICT_WAITING:
        return "waiting";
    case VES_VERDICT_SUPERSEDED:
        return "superseded";
    }
    return "";
}

const char *ves_conflict_kind_name(enum ves_conflict_kind kind)
{
    switch (kind) {
    case VES_CONFLICT_KIND_NONE:
        return "";
    case VES_CONFLICT_DELETED_REFERENCE:
        return "deleted_reference";
    case VES_CONFLICT_VERSION_MISMATCH:
        return "version_mismatch";
    case VES_CONFLICT_CONCURRENT_EDIT:
        return "concurrent_edit";
    }
    return "";
}

/* ---- ids ----------------------------------------------------------------- */

void ves_conflict_id(const struct ves_stream *stream,
                     const struct ves_hash *branch_event,
                     const struct ves_hashes *applied, struct ves_hash *out)
{
    struct ves_hash stream_id;

    ves_stream_id(stream, &stream_id);
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_CONFLICT_V1"), ves_bytes(stream_id.b, VES_HASH_SIZE),
        ves_bytes(branch_event->b, VES_HASH_SIZE),
        ves_bytes(applied->list, applied->count * sizeof(*applied->list))};
    ves_sha256(parts, 4, out);
}

void ves_branch_digest(struct ves_hash *digest, const struct ves_hash *event)
{
    const struct ves_bytes parts[] = {ves_bytes(digest->b, VES_HASH_SIZE),
                                      ves_bytes(event->b, VES_HASH_SIZE)};
    struct ves_hash next;
    ves_sha256(parts, 2, &next);
    *digest = next;
}

void ves_waits_for_event(const struct ves_uuid *event_id, struct ves_hash *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->b, event_id->b, VES_UUID_SIZE);
}

/* ---- events of other implementations ------------------------------------- */

/* decision 5: the author of such an event expects the other implementation's
 * answer, so base_version is compared with ver(e) and nothing else is. */
enum ves_status ves_judge_foreign(const struct ves_event *event,
                                  uint64_t version, struct ves_refusal *refusal)
{
    if (event->context.is_present || !event->has_base_version ||
        version == event->base_version)
        return VES_OK;

    struct ves_error detail;
    (void)ves_fail(&detail, VES_REFUSED, "expected %llu, actual %llu",
                   (unsigned long long)event->base_version,
                   (unsigned long long)version);
    enum ves_status status = ves_refuse(
        refusal, VES_REFUSAL_VERSION_CONFLICT, detail.text,
        "base_version is %llu but the entity is at version "
        "%llu; read it again and repeat the change on that",
        (unsigned long long)event->base_version, (unsigned long long)version);
    refusal->has_event_id = true;
    refusal->event_id = event->event_id;
    return status;
}

/* ---- verdicts ------------------------------------------------------------ */

void ves_judge_sub_code(struct ves_judgement *out, const char *sub_code)
{
    size_t len = strlen(sub_code);
    VES_ASSERT(len < sizeof(out->sub_code));
    memcpy(out->sub_code, sub_code, len + 1);
}

void ves_judge_apply(struct ves_judgement *out,
                     const struct ves_judge_scan *scan)
{
    out->verdict = VES_VERDICT_APPLIED;
    out->is_delta = scan->is_delta;
    out->tombstone = scan->tombstone;
}

void ves_judge_join(struct ves_judgement *out,
                    const struct ves_hash *conflict_id)
{
    out->verdict = VES_VERDICT_CONFLICT;
    ves_judge_sub_code(out, "tail");
    out->has_conflict_id = true;
    out->conflict_id = *conflict_id;
    out->change = VES_CONFLICT_JOINED;
}

/* What speaks against an event, while it is gathered. */
struct found {
    struct ves_judge_scan *scan;
    struct ves_judgement *out;
    struct ves_hash_list against;
    const char *sub_code;
    bool has_fact;
};

/* The primary type is the one that ranks first; within a type the first
 * found gives the sub-code. */
static void find(struct found *found, enum ves_conflict_kind kind,
                 const char *sub_code)
{
    struct ves_judgement *out = found->out;

    out->kinds |= 1U << kind;
    if (out->kind != VES_CONFLICT_KIND_NONE && out->kind <= kind)
        return;
    out->kind = kind;
    found->sub_code = sub_code;
}

static enum ves_status find_against(struct found *found,
                                    const struct ves_hash *hash, bool is_fact)
{
    found->has_fact = found->has_fact || is_fact;
    return ves_hash_list_add(&found->against, found->scan->arena, hash);
}

static enum ves_status open(struct found *found)
{
    struct ves_judgement *out = found->out;
    const struct ves_judge_subject *subject = found->scan->subject;

    enum ves_status status =
        ves_hash_list_sort(&found->against, found->scan->arena);
    if (status)
        return status;
    out->verdict = VES_VERDICT_CONFLICT;
    ves_judge_sub_code(out, found->sub_code);
    out->change = VES_CONFLICT_OPENED;
    out->against = found->against.hashes;
    out->has_applied_fact = found->has_fact;
    out->is_fact = subject->is_fact;
    out->has_conflict_id = true;
    ves_conflict_id(&subject->stream, &subject->hash, &out->against,
                    &out->conflict_id);
    return VES_OK;
}

/* ---- dependencies -------------------------------------------------------- */

/* Met: applied, or carried on by the resolution of its conflict.  Else
 * *waits_for is what has to change first. */
static enum ves_status is_met(struct ves_judge_scan *scan,
                              const struct ves_uuid *dep, bool *met,
                              struct ves_hash *waits_for)
{
    const struct ves_judge_view *view = scan->view;
    struct ves_judge_known known;
    struct ves_judge_conflict conflict = {.is_found = false};

    *met = false;
    ves_waits_for_event(dep, waits_for);
    enum ves_status status = view->event(view->ctx, dep, &known);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : status;
    *met = known.verdict == VES_VERDICT_APPLIED;
    if (known.verdict != VES_VERDICT_CONFLICT)
        return VES_OK;
    *waits_for = known.conflict_id;
    status = view->conflict(view->ctx, &known.conflict_id, &conflict);
    if (!status)
        *met = conflict.is_found && !conflict.is_open &&
               (conflict.winner == VES_WINNER_BRANCH ||
                conflict.winner == VES_WINNER_MERGE);
    return status;
}

static enum ves_status wait_for_deps(struct ves_judge_scan *scan,
                                     struct ves_judgement *out)
{
    const struct ves_judge_subject *subject = scan->subject;

    for (size_t i = 0; i < subject->deps.count; i++) {
        bool met;
        enum ves_status status =
            is_met(scan, &subject->deps.list[i], &met, &out->waits_for);
        if (status)
            return status;
        if (!met) {
            out->verdict = VES_VERDICT_WAITING;
            return VES_OK;
        }
    }
    return VES_OK;
}

/* ---- notes --------------------------------------------------------------- */

struct referrers {
    struct ves_judge_scan *scan;
    struct ves_hash_list list;
    enum ves_status status;
};

static bool visit_referrer(void *ctx, const struct ves_hash *hash)
{
    struct referrers *referrers = ctx;
    referrers->status =
        ves_hash_list_add(&referrers->list, referrers->scan->arena, hash);
    return referrers->status == VES_OK;
}

/* References to the entity that its deleter did not know. */
static enum ves_status note_dangling(struct ves_judge_scan *scan,
                                     struct ves_judgement *out)
{
    const struct ves_judge_view *view = scan->view;
    struct referrers referrers = {.scan = scan};

    if (out->tombstone <= 0 || !view->referrers)
        return VES_OK;
    enum ves_status status =
        view->referrers(view->ctx, &scan->subject->entity_key,
                        scan->subject->seen, visit_referrer, &referrers);
    if (!status)
        status = referrers.status;
    out->dangling = referrers.list.hashes;
    return status;
}

static enum ves_status note_unresolved(struct ves_judge_scan *scan,
                                       struct ves_judgement *out)
{
    const struct ves_judge_subject *subject = scan->subject;
    struct ves_hash_list list = {.cap = 0};
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < subject->refs.count && !status; i++) {
        struct ves_judge_entity entity = {.last = 0};
        const struct ves_hash *key = &subject->refs.list[i].key;
        status = scan->view->entity(scan->view->ctx, key, &entity);
        if (!status && entity.last == 0)
            status = ves_hash_list_add(&list, scan->arena, key);
    }
    out->unresolved_refs = list.hashes;
    return status;
}

static enum ves_status apply(struct ves_judge_scan *scan,
                             struct ves_judgement *out)
{
    ves_judge_apply(out, scan);
    out->is_fact = scan->subject->is_fact;
    enum ves_status status = note_dangling(scan, out);
    /* Facts are many and their references change nothing: not worth a look
     * at every product of every sale. */
    if (!status && !out->is_fact)
        status = note_unresolved(scan, out);
    return status;
}

/* ---- a stretch of one author's own --------------------------------------- */

/* Is all that the author had not seen on the entity its own, and applied?  Then
 * nothing is concurrent, and what it knew is all there is. */
static enum ves_status follow_own(struct ves_judge_scan *scan, bool *follows)
{
    const struct ves_judge_subject *subject = scan->subject;
    const struct ves_judge_entity *entity = &scan->entity;
    struct ves_judge_streak streak = {.is_found = false};

    *follows = false;
    /* An event that waited is looked at with what came after it. */
    if (!scan->view->streak || !subject->has_context || entity->version == 0 ||
        entity->last <= subject->seen || entity->last >= subject->sequence)
        return VES_OK;
    enum ves_status status =
        scan->view->streak(scan->view->ctx, &subject->entity_key, &streak);
    *follows = !status && streak.is_found &&
               ves_uuid_equal(&streak.agent, &subject->agent) &&
               streak.last_agent_seq < subject->agent_seq &&
               streak.after <= subject->seen;
    if (*follows) {
        scan->known_version = entity->version;
        scan->has_known_head = true;
        scan->known_head = entity->head;
    }
    return status;
}

/* ---- facts --------------------------------------------------------------- */

/* A fact gives way to no intent and to no tombstone, only to another fact. */
static enum ves_status judge_fact(struct ves_judge_scan *scan,
                                  struct ves_judgement *out)
{
    const struct ves_judge_entity *entity = &scan->entity;
    struct found found = {.scan = scan, .out = out};
    enum ves_status status = VES_OK;
    bool follows = false;

    /* Deltas on what only deltas changed: nothing to look for. */
    if (!scan->is_delta || entity->written_at > scan->subject->seen) {
        status = follow_own(scan, &follows);
        if (!status && !follows)
            status = ves_judge_scan_concurrent(scan);
    }
    if (status)
        return status;
    if (scan->fact_hits.hashes.count > 0) {
        find(&found, VES_CONFLICT_CONCURRENT_EDIT, "fact_fact");
        found.against = scan->fact_hits;
        found.has_fact = true;
        return open(&found);
    }
    if (entity->has_tombstone)
        status =
            ves_hash_list_add(&scan->hits, scan->arena, &entity->tombstone);
    if (!status)
        status = ves_hash_list_sort(&scan->hits, scan->arena);
    out->overrode = scan->hits.hashes;
    return status ? status : apply(scan, out);
}

/* ---- intents ------------------------------------------------------------- */

/* Deltas and the like that say no base are on no branch. */
static bool is_on_branch(const struct ves_judge_subject *subject)
{
    return subject->needs_base || subject->has_base;
}

/* A waiting own event holds those written on top of it. */
static bool wait_for_own(const struct ves_judge_scan *scan,
                         struct ves_judgement *out)
{
    for (size_t i = 0; i < scan->own.count; i++) {
        if (scan->own.list[i].verdict != VES_VERDICT_WAITING)
            continue;
        out->verdict = VES_VERDICT_WAITING;
        ves_waits_for_event(&scan->own.list[i].event_id, &out->waits_for);
        return true;
    }
    return false;
}

static const struct ves_judge_known *
last_lost(const struct ves_judge_scan *scan)
{
    for (size_t i = scan->own.count; i > 0; i--) {
        const struct ves_judge_known *known = &scan->own.list[i - 1];
        if (known->verdict == VES_VERDICT_CONFLICT ||
            known->verdict == VES_VERDICT_SUPERSEDED)
            return known;
    }
    return NULL;
}

/* The branch the author was on: joined while open (*joined), else it was
 * closed without the author's knowing. */
static enum ves_status find_branch(struct found *found, bool *joined)
{
    struct ves_judge_scan *scan = found->scan;
    const struct ves_judge_known *lost = last_lost(scan);
    struct ves_judge_conflict conflict = {.is_found = false};
    enum ves_status status = VES_OK;

    *joined = false;
    if (!lost)
        return VES_OK;
    if (lost->has_conflict_id)
        status = scan->view->conflict(scan->view->ctx, &lost->conflict_id,
                                      &conflict);
    if (status)
        return status;
    if (conflict.is_found && conflict.is_open) {
        *joined = true;
        ves_judge_join(found->out, &lost->conflict_id);
        return VES_OK;
    }
    find(found, VES_CONFLICT_VERSION_MISMATCH, "closed_branch");
    if (conflict.is_found)
        status =
            find_against(found, &conflict.closed_by, conflict.has_branch_fact);
    return status;
}

static enum ves_status find_tombstones(struct found *found)
{
    struct ves_judge_scan *scan = found->scan;
    const struct ves_judge_subject *subject = scan->subject;
    const struct ves_judge_entity *entity = &scan->entity;
    enum ves_status status = VES_OK;

    if (entity->has_tombstone && scan->tombstone == 0) {
        bool is_known = entity->tombstone_at <= subject->seen ||
                        ves_judge_is_own(subject, &entity->tombstone_agent,
                                         entity->tombstone_agent_seq,
                                         entity->tombstone_sequence);
        find(found, VES_CONFLICT_DELETED_REFERENCE,
             is_known ? "known_deleted" : "concurrent_delete");
        status =
            find_against(found, &entity->tombstone, entity->tombstone_is_fact);
    }
    for (size_t i = 0; i < subject->refs.count && !status; i++) {
        struct ves_judge_entity other = {.last = 0};
        status = scan->view->entity(scan->view->ctx, &subject->refs.list[i].key,
                                    &other);
        if (status || !other.has_tombstone)
            continue;
        find(found, VES_CONFLICT_DELETED_REFERENCE, "ref_deleted");
        status = find_against(found, &other.tombstone, other.tombstone_is_fact);
    }
    return status;
}

/* Does the base agree with what the author knew? */
static enum ves_status find_base(struct found *found)
{
    struct ves_judge_scan *scan = found->scan;
    const struct ves_judge_subject *subject = scan->subject;
    uint64_t known = scan->known_version + scan->own.count;
    struct ves_hash head = {{0}};

    if (!subject->has_context)
        return VES_OK;
    if (!subject->has_base) {
        if (subject->needs_base && known > 0)
            find(found, VES_CONFLICT_VERSION_MISMATCH, "missing_base");
        return VES_OK;
    }
    if (subject->base_version < known) {
        find(found, VES_CONFLICT_VERSION_MISMATCH, "stale_base");
        return ves_judge_scan_stale(scan, &found->against, &found->has_fact);
    }
    if (subject->base_version > known) {
        find(found, VES_CONFLICT_VERSION_MISMATCH, "future_base");
        return VES_OK;
    }
    /* Without a head the number alone speaks. */
    if (!subject->has_base_head)
        return VES_OK;
    if (scan->own.count > 0)
        head = scan->own.list[scan->own.count - 1].hash;
    else if (scan->has_known_head)
        head = scan->known_head;
    if (known == 0 || !ves_hash_equal(&head, &subject->base_head))
        find(found, VES_CONFLICT_VERSION_MISMATCH, "fork_base");
    return VES_OK;
}

static enum ves_status find_concurrent(struct found *found)
{
    struct ves_judge_scan *scan = found->scan;
    const struct ves_hashes *hits = &scan->hits.hashes;
    enum ves_status status = VES_OK;

    if (hits->count == 0)
        return VES_OK;
    const char *sub_code = "same_field";
    if (ves_effects_delete(scan->effects))
        sub_code = "edit_delete";
    else if (scan->meets_birth)
        sub_code = "create_create";
    else if (scan->meets_transition)
        sub_code = "state_transition";
    else if (scan->meets_line)
        sub_code = "same_line";
    find(found, VES_CONFLICT_CONCURRENT_EDIT, sub_code);
    for (size_t i = 0; i < hits->count && !status; i++)
        status = find_against(found, &hits->list[i],
                              scan->fact_hits.hashes.count > 0);
    return status;
}

static enum ves_status judge_intent(struct ves_judge_scan *scan,
                                    struct ves_judgement *out)
{
    struct found found = {.scan = scan, .out = out};
    bool joined = false, follows;

    enum ves_status status = follow_own(scan, &follows);
    if (!status && !follows)
        status = ves_judge_scan_own(scan);
    if (status)
        return status;
    if (is_on_branch(scan->subject)) {
        if (wait_for_own(scan, out))
            return VES_OK;
        status = find_branch(&found, &joined);
        if (status || joined)
            return status;
    }
    if (!follows)
        status = ves_judge_scan_concurrent(scan);
    if (!status)
        status = find_tombstones(&found);
    if (!status)
        status = find_base(&found);
    if (!status)
        status = find_concurrent(&found);
    if (status)
        return status;
    if (out->kind != VES_CONFLICT_KIND_NONE)
        return open(&found);
    out->commuted = scan->concurrent.hashes;
    return apply(scan, out);
}

enum ves_status ves_judge(const struct ves_judge_view *view,
                          struct ves_arena *arena,
                          const struct ves_judge_subject *subject,
                          struct ves_judgement *out)
{
    struct ves_judge_scan scan = ves_judge_scan_of(view, arena, subject);

    memset(out, 0, sizeof(*out));
    if (subject->resolution)
        return ves_judge_resolution(&scan, out);
    if (subject->is_carried) {
        ves_judge_apply(out, &scan);
        return VES_OK;
    }
    enum ves_status status =
        subject->is_fact ? VES_OK : wait_for_deps(&scan, out);
    if (status || out->verdict == VES_VERDICT_WAITING)
        return status;
    status = ves_judge_scan_entity(&scan);
    if (status)
        return status;
    return subject->is_fact ? judge_fact(&scan, out) : judge_intent(&scan, out);
}
