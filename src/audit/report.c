/* report.c -- what an audit found, as one JSON document. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"

static const char *name_of(enum ves_audit_id check)
{
    static const char *const names[] = {
#define X(id, name) name,
        VES_AUDIT_CHECKS(X)
#undef X
    };
    return names[check];
}

/* Do all keys follow from what stands in the log? */
static bool are_followed(const struct ves_audit *audit)
{
    const struct ves_audit_stream *stream = audit->streams;

    while (stream && stream->logged.is_followed)
        stream = stream->next;
    return !stream;
}

/* What a check says when nothing is wrong. */
static const char *good(const struct ves_audit *audit, enum ves_audit_id check)
{
    switch (check) {
    case VES_AUDIT_FILE:
        return "SQLite's check of the file passes";
    case VES_AUDIT_ORDER:
        return "numbers from 1 on without a gap";
    case VES_AUDIT_EVENTS:
        return "payloads, hashes and rows agree";
    case VES_AUDIT_KEYS:
        return are_followed(audit)
                   ? "valid at each event's number, as the log says"
                   : "valid at each event's number, by the directory's word";
    case VES_AUDIT_SIGNATURES:
    case VES_AUDIT_RECEIPTS:
        return "each verifies";
    case VES_AUDIT_CHAINS:
        return "each names the one before it";
    case VES_AUDIT_OUTBOX:
        return "own events are whole and signed";
    case VES_AUDIT_CURSORS:
        return "none is beyond what was received, signed or verified";
    case VES_AUDIT_SETTINGS:
        return "each within its range";
    case VES_AUDIT_COMMITMENTS:
        return "roots recomputed, each continues the one before";
    case VES_AUDIT_TREE:
        return "tiles, edge and signed or known heads are of these events";
    case VES_AUDIT_VERDICTS:
        return "judged again, with the same results";
    case VES_AUDIT_CONFLICTS:
        return "opened and resolved as the rules say";
    case VES_AUDIT_STATE:
        return "folded again, with the same results";
    case VES_AUDIT_CHECK_COUNT:
        break;
    }
    return "";
}

static enum ves_verify_finding finding_of(const struct ves_audit_check *check)
{
    return check->problems > 0  ? VES_FINDING_FAILED
           : check->unknown > 0 ? VES_FINDING_NOT_PROVEN
                                : VES_FINDING_PROVEN;
}

/* Threads find in whatever order; people read by number. */
static int by_place(const void *a, const void *b)
{
    const struct ves_audit_finding *x = *(struct ves_audit_finding *const *)a;
    const struct ves_audit_finding *y = *(struct ves_audit_finding *const *)b;

    if (x->stream_no != y->stream_no)
        return x->stream_no < y->stream_no ? -1 : 1;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    if (x->check != y->check)
        return x->check < y->check ? -1 : 1;
    return strcmp(x->text, y->text);
}

static void sort_findings(struct ves_audit *audit)
{
    struct ves_audit_finding *list[VES_AUDIT_FINDINGS_MAX];
    struct ves_audit_finding **link = &audit->findings;
    size_t count = 0;

    for (struct ves_audit_finding *f = audit->findings; f; f = f->next)
        list[count++] = f;
    qsort(list, count, sizeof(*list), by_place);
    for (size_t i = 0; i < count; i++) {
        *link = list[i];
        link = &list[i]->next;
    }
    *link = NULL;
    audit->findings_end = link;
}

static const struct ves_audit_stream *stream_of(const struct ves_audit *audit,
                                                uint32_t stream_no)
{
    const struct ves_audit_stream *stream = audit->streams;

    while (stream && (stream_no == 0 || stream->row.stream_no != stream_no))
        stream = stream->next;
    return stream;
}

static const char *first_of(const struct ves_audit *audit,
                            enum ves_audit_id check)
{
    const struct ves_audit_finding *finding = audit->findings;

    while (finding && finding->check != check)
        finding = finding->next;
    return finding ? finding->text : "too many to list";
}

static void put_check(const struct ves_audit *audit, struct ves_jw *jw,
                      enum ves_audit_id id)
{
    const struct ves_audit_check *check = &audit->checks[id];
    enum ves_verify_finding finding = finding_of(check);
    char text[700];

    if (finding == VES_FINDING_FAILED)
        snprintf(text, sizeof(text),
                 check->problems == 1 ? "%llu problem: %s"
                                      : "%llu problems, the first: %s",
                 (unsigned long long)check->problems, first_of(audit, id));
    else if (finding == VES_FINDING_NOT_PROVEN)
        snprintf(text, sizeof(text), "%s", check->reason.text);
    else
        snprintf(text, sizeof(text), "%llu: %s",
                 (unsigned long long)check->examined, good(audit, id));
    ves_jw_object(jw);
    ves_jw_key(jw, "name");
    ves_jw_str(jw, name_of(id));
    ves_jw_key(jw, "finding");
    ves_jw_str(jw, ves_verify_finding_name(finding));
    ves_jw_key(jw, "examined");
    ves_jw_u64(jw, check->examined);
    ves_jw_key(jw, "problems");
    ves_jw_u64(jw, check->problems);
    ves_jw_key(jw, "text");
    ves_jw_str(jw, text);
    ves_jw_end(jw);
}

static void put_stream_name(const struct ves_audit *audit, struct ves_jw *jw,
                            uint32_t stream_no)
{
    const struct ves_audit_stream *stream = stream_of(audit, stream_no);
    char name[2 * VES_UUID_TEXT + 2];

    ves_jw_key(jw, "stream");
    if (!stream) {
        ves_jw_null(jw);
        return;
    }
    ves_uuid_format(&stream->row.stream.tenant, name);
    name[VES_UUID_TEXT] = '/';
    ves_uuid_format(&stream->row.stream.store, name + VES_UUID_TEXT + 1);
    ves_jw_str(jw, name);
}

static void put_findings(const struct ves_audit *audit, struct ves_jw *jw)
{
    ves_jw_key(jw, "findings");
    ves_jw_array(jw);
    for (const struct ves_audit_finding *f = audit->findings; f; f = f->next) {
        ves_jw_object(jw);
        ves_jw_key(jw, "check");
        ves_jw_str(jw, name_of(f->check));
        put_stream_name(audit, jw, f->stream_no);
        ves_jw_key(jw, "sequenceNumber");
        if (f->sequence > 0)
            ves_jw_u64(jw, f->sequence);
        else
            ves_jw_null(jw);
        ves_jw_key(jw, "text");
        ves_jw_str(jw, f->text);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    ves_jw_key(jw, "findingsTotal");
    ves_jw_u64(jw, audit->finding_count);
}

static void put_volume(struct ves_jw *jw,
                       const uint64_t volume[VES_AUDIT_BUCKETS])
{
    ves_jw_key(jw, "volume");
    ves_jw_array(jw);
    for (size_t i = 0; i < VES_AUDIT_BUCKETS; i++)
        ves_jw_u64(jw, volume[i]);
    ves_jw_end(jw);
}

static void put_agent(struct ves_jw *jw, const struct ves_audit_stream *stream,
                      const struct ves_audit_agent *agent)
{
    uint64_t missing = 0;
    size_t listed = 0;

    ves_jw_object(jw);
    ves_jw_key(jw, "agentId");
    ves_jw_uuid(jw, &agent->id);
    ves_jw_key(jw, "isSequencer");
    ves_jw_bool(jw, ves_uuid_equal(&agent->id, &stream->logged.log.sequencer));
    ves_jw_key(jw, "events");
    ves_jw_u64(jw, agent->events);
    ves_jw_key(jw, "firstSequence");
    ves_jw_u64(jw, agent->first);
    ves_jw_key(jw, "lastSequence");
    ves_jw_u64(jw, agent->last);
    put_volume(jw, agent->volume);
    ves_jw_key(jw, "missing");
    ves_jw_array(jw);
    for (const struct ves_audit_hole *h = agent->holes; h; h = h->next) {
        missing += h->to - h->from + 1;
        if (listed++ >= VES_AUDIT_HOLES_MAX)
            continue;
        ves_jw_object(jw);
        ves_jw_key(jw, "from");
        ves_jw_u64(jw, h->from);
        ves_jw_key(jw, "to");
        ves_jw_u64(jw, h->to);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    ves_jw_key(jw, "missingTotal");
    ves_jw_u64(jw, missing);
    ves_jw_end(jw);
}

static void put_stream(struct ves_jw *jw, const struct ves_audit_stream *stream)
{
    struct ves_hash root;

    ves_tlog_edge_root(&stream->edge, &root);
    ves_jw_object(jw);
    ves_jw_key(jw, "tenantId");
    ves_jw_uuid(jw, &stream->row.stream.tenant);
    ves_jw_key(jw, "storeId");
    ves_jw_uuid(jw, &stream->row.stream.store);
    ves_jw_key(jw, "events");
    ves_jw_u64(jw, stream->row.head);
    ves_jw_key(jw, "pruned");
    ves_jw_u64(jw, stream->pruned);
    ves_jw_key(jw, "treeSize");
    ves_jw_u64(jw, stream->edge.size);
    ves_jw_key(jw, "rootHash");
    ves_jw_hex(jw, "0x", root.b, VES_HASH_SIZE);
    ves_jw_key(jw, "firstAt");
    ves_jw_time(jw, stream->first_ms);
    ves_jw_key(jw, "lastAt");
    ves_jw_time(jw, stream->last_ms);
    ves_jw_key(jw, "firstMs");
    ves_jw_i64(jw, stream->first_ms);
    ves_jw_key(jw, "lastMs");
    ves_jw_i64(jw, stream->last_ms);
    put_volume(jw, stream->volume);
    ves_jw_key(jw, "checkpoint");
    if (stream->signed_size > 0) {
        ves_jw_object(jw);
        ves_jw_key(jw, "size");
        ves_jw_u64(jw, stream->signed_size);
        ves_jw_key(jw, "rootHash");
        ves_jw_hex(jw, "0x", stream->signed_root.b, VES_HASH_SIZE);
        ves_jw_key(jw, "atMs");
        ves_jw_i64(jw, stream->signed_at_ms);
        ves_jw_end(jw);
    } else {
        ves_jw_null(jw);
    }
    ves_jw_key(jw, "commitments");
    ves_jw_array(jw);
    for (const struct ves_audit_commitment *c = stream->commitments; c;
         c = c->next) {
        ves_jw_object(jw);
        ves_jw_key(jw, "sequenceEnd");
        ves_jw_u64(jw, c->row.sequence_end);
        ves_jw_key(jw, "atMs");
        ves_jw_i64(jw, c->row.committed_at_ms);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    ves_jw_key(jw, "agents");
    ves_jw_array(jw);
    for (const struct ves_audit_agent *a = stream->first_agent; a; a = a->next)
        put_agent(jw, stream, a);
    ves_jw_end(jw);
    ves_jw_end(jw);
}

static void put_limits(struct ves_jw *jw)
{
    static const char *const sentences[] = {
        "that what the payloads say is true",
        "that nothing was kept out of the log before it was written",
        "when an event happened: created_at is its agent's word",
        "that a key is the person's or the device's it is said to be"};

    ves_jw_key(jw, "cannotBeProven");
    ves_jw_array(jw);
    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
        ves_jw_str(jw, sentences[i]);
    ves_jw_end(jw);
}

enum ves_audit_verdict ves_audit_report(struct ves_audit *audit,
                                        struct ves_jw *jw, int64_t taken_ms)
{
    enum ves_audit_verdict verdict = VES_AUDIT_SOUND;

    sort_findings(audit);
    for (size_t i = 0; i < VES_AUDIT_CHECK_COUNT; i++) {
        enum ves_verify_finding finding = finding_of(&audit->checks[i]);
        if (finding == VES_FINDING_FAILED)
            verdict = VES_AUDIT_WRONG;
        else if (finding == VES_FINDING_NOT_PROVEN &&
                 verdict == VES_AUDIT_SOUND)
            verdict = VES_AUDIT_INCOMPLETE;
    }
    ves_jw_object(jw);
    ves_jw_key(jw, "path");
    ves_jw_str(jw, audit->label);
    ves_jw_key(jw, "role");
    ves_jw_str(jw, audit->kind);
    ves_jw_key(jw, "verdict");
    ves_jw_str(jw, verdict == VES_AUDIT_SOUND        ? "SOUND"
                   : verdict == VES_AUDIT_INCOMPLETE ? "INCOMPLETE"
                                                     : "WRONG");
    ves_jw_key(jw, "checks");
    ves_jw_array(jw);
    for (int i = 0; i < VES_AUDIT_CHECK_COUNT; i++) {
        const struct ves_audit_check *check = &audit->checks[i];
        if (check->examined + check->problems + check->unknown > 0)
            put_check(audit, jw, (enum ves_audit_id)i);
    }
    ves_jw_end(jw);
    put_findings(audit, jw);
    ves_jw_key(jw, "signatures");
    ves_jw_u64(jw, audit->signatures);
    ves_jw_key(jw, "resumedSignatures");
    ves_jw_u64(jw, audit->resumed);
    ves_jw_key(jw, "milliseconds");
    ves_jw_i64(jw, taken_ms);
    ves_jw_key(jw, "streams");
    ves_jw_array(jw);
    for (const struct ves_audit_stream *s = audit->streams; s; s = s->next)
        put_stream(jw, s);
    ves_jw_end(jw);
    put_limits(jw);
    ves_jw_end(jw);
    return verdict;
}
