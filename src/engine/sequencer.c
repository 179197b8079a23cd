/* sequencer.c -- one commit: many requests, one durable transaction. */
#include "engine/sequencer.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "engine/commit.h"
#include "engine/row_receipt.h"
#include "json/jcs.h"

enum {
    /* Rows, ids, words of refusals: what one event may need while it is
     * committed.  Most need a tenth. */
    COMMIT_BYTES_PER_EVENT = 16 * 1024,
    /* And what the judge looks at of the log. */
    COMMIT_BYTES_MIN = 64 * 1024 * 1024
};

/* ---- signing ------------------------------------------------------------- */

static struct ves_bytes reason_of(const struct ves_commit_event *e)
{
    return ves_bytes_str(e->refusal->reason);
}

static size_t count_signatures(const struct ves_commit *commit)
{
    size_t n = 0;
    for (size_t i = 0; i < commit->stream_count; i++)
        n += commit->streams[i].row_count + commit->streams[i].refused_count;
    return n;
}

/* Visits everything that wants a signature, always in the same order: with
 * is_done false it writes hashes, with true it takes signatures. */
static size_t sign_stream(struct ves_commit_stream *stream, bool is_done,
                          struct ves_sign_item *items)
{
    const struct ves_stream *id = &stream->row.stream;
    size_t n = 0;

    for (size_t i = 0; i < stream->row_count; i++, n++) {
        struct ves_log_row *row = &stream->rows[i];
        if (is_done)
            row->receipt = items[n].sig;
        else
            ves_receipt_hash(id, &row->event_id, row->sequence_number,
                             &row->event_hash, &items[n].hash);
    }
    for (struct ves_commit_event *e = stream->first; e; e = e->next) {
        if (e->outcome != VES_OUTCOME_REFUSED)
            continue;
        if (is_done)
            e->refusal_signature = items[n].sig;
        else
            ves_refusal_hash(id, e->event->element, reason_of(e),
                             &items[n].hash);
        n++;
    }
    return n;
}

/* One batch for the whole commit, so that the signer may use all its cores,
 * and make signatures while the store writes what needs none. */
static enum ves_status begin_signing(struct ves_commit *commit,
                                     struct ves_signing *signing)
{
    struct ves_signer *signer = commit->sequencer->signer;
    size_t n = 0;

    *signing = (struct ves_signing){.count = count_signatures(commit)};
    if (signing->count == 0)
        return VES_OK;
    signing->items = ves_arena_alloc(&commit->arena,
                                     signing->count * sizeof(*signing->items));
    if (!signing->items)
        return VES_NOMEM;
    for (size_t i = 0; i < commit->stream_count; i++)
        n += sign_stream(&commit->streams[i], false, signing->items + n);
    VES_ASSERT(n == signing->count);
    if (signer->begin)
        signer->begin(signer, signing);
    return VES_OK;
}

static void end_signing(struct ves_commit *commit, struct ves_signing *signing)
{
    struct ves_signer *signer = commit->sequencer->signer;
    size_t n = 0;

    if (signing->count == 0)
        return;
    if (signer->begin)
        signer->end(signer, signing);
    else
        signer->sign(signer, signing->items, signing->count);
    for (size_t i = 0; i < commit->stream_count; i++)
        n += sign_stream(&commit->streams[i], true, signing->items + n);
}

/* ---- writing ------------------------------------------------------------- */

static enum ves_status grow_tree(struct ves_commit *commit,
                                 struct ves_commit_stream *stream)
{
    struct ves_log_tree tree;

    enum ves_status status =
        ves_log_tree_open(&tree, commit->store, &stream->row, stream->edge,
                          stream->row_count, &commit->arena);
    for (size_t i = 0; !status && i < stream->row_count; i++)
        status = ves_log_tree_add(&tree, stream->rows[i].sequence_number,
                                  &stream->rows[i].event_hash,
                                  &stream->rows[i].signature);
    return status ? status : ves_log_tree_save(&tree);
}

static enum ves_status write_entities(struct ves_commit *commit,
                                      struct ves_commit_stream *stream)
{
    struct ves_store *store = commit->store;
    size_t n = 0;

    struct ves_entity_row *rows =
        ves_arena_alloc(&commit->arena, stream->entity_count * sizeof(*rows));
    if (!rows)
        return VES_NOMEM;
    for (struct ves_commit_entity *e = stream->first_entity; e; e = e->next) {
        if (e->verdict.is_changed)
            rows[n++] = e->verdict.row;
    }
    return store->ops->entity_put(store, stream->row.stream_no, rows, n);
}

/* All that has no receipt in it: written while those are signed. */
static enum ves_status write_unsigned(struct ves_commit *commit,
                                      struct ves_commit_stream *stream)
{
    if (stream->row_count == 0)
        return VES_OK;
    enum ves_status status = write_entities(commit, stream);
    return status ? status : grow_tree(commit, stream);
}

static enum ves_status write_rows(struct ves_commit *commit,
                                  struct ves_commit_stream *stream)
{
    struct ves_store *store = commit->store;

    if (stream->row_count == 0)
        return VES_OK;
    enum ves_status status = store->ops->log_append(
        store, stream->row.stream_no, stream->rows, stream->row_count);
    if (!status)
        status = ves_verdicts_save(&stream->verdicts);
    if (!status)
        status = ves_key_log_save(&stream->keys_logged, commit->now_ms);
    return status ? status : store->ops->stream_put(store, &stream->row);
}

/* {"index":n,"message":"..."} */
static enum ves_status write_detail(struct ves_commit *commit, size_t index,
                                    const struct ves_refusal *refusal,
                                    struct ves_bytes *out)
{
    struct ves_bytes message = ves_bytes_str(refusal->message);
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, &commit->arena, message.len + 48,
                     6 * sizeof(refusal->message) + 64);
    ves_buf_put_str(&scratch.buf, "{\"index\":");
    ves_buf_put_decimal(&scratch.buf, index);
    ves_buf_put_str(&scratch.buf, ",\"message\":");
    ves_jcs_write_string(&scratch.buf, message);
    ves_buf_put_u8(&scratch.buf, '}');
    *out = ves_buf_view(&scratch.buf);
    return ves_buf_status(&scratch.buf);
}

static enum ves_status fill_record(struct ves_commit *commit, size_t index,
                                   const struct ves_commit_event *e,
                                   struct ves_record *record)
{
    *record = (struct ves_record){
        .at_ms = commit->now_ms,
        .has_event_id = e->refusal->has_event_id,
        .event_id = e->refusal->event_id,
        .code = reason_of(e),
        .body = e->event->element,
        .has_signature = true,
        .signature = e->refusal_signature,
    };
    return write_detail(commit, index, e->refusal, &record->detail);
}

/* S5.  Index is the place in the request, so requests are walked. */
static enum ves_status write_refusals(struct ves_commit *commit,
                                      struct ves_commit_stream *stream)
{
    size_t n = 0;

    if (stream->refused_count == 0)
        return VES_OK;
    struct ves_record *records = ves_arena_alloc(
        &commit->arena, stream->refused_count * sizeof(*records));
    if (!records)
        return VES_NOMEM;
    for (size_t r = 0; r < commit->request_count; r++) {
        const struct ves_commit_request *request = &commit->requests[r];
        if (request->stream != stream)
            continue;
        for (size_t i = 0; i < request->ingest->count; i++) {
            if (request->events[i].outcome != VES_OUTCOME_REFUSED)
                continue;
            enum ves_status status =
                fill_record(commit, i, &request->events[i], &records[n++]);
            if (status)
                return status;
        }
    }
    VES_ASSERT(n == stream->refused_count);
    return commit->store->ops->record_append(commit->store, VES_RECORD_REFUSAL,
                                             stream->row.stream_no, records, n);
}

/* ---- telling ------------------------------------------------------------- */

/* The verdict as the log has it, which is the original one for a replay. */
static void fill_judgement(const struct ves_log_row *row,
                           struct ves_judgement *judgement)
{
    size_t len = row->sub_code.len < sizeof(judgement->sub_code)
                     ? row->sub_code.len
                     : sizeof(judgement->sub_code) - 1;

    *judgement =
        (struct ves_judgement){.verdict = (enum ves_verdict)row->verdict};
    if (len > 0)
        memcpy(judgement->sub_code, row->sub_code.ptr, len);
    judgement->has_conflict_id = row->has_conflict_id;
    judgement->conflict_id = row->conflict_id;
}

static void tell_event(const struct ves_commit_stream *stream,
                       const struct ves_commit_event *e,
                       struct ves_ingest *ingest)
{
    struct ves_ingest_event *event = e->event;

    event->outcome = e->outcome;
    if (e->outcome == VES_OUTCOME_REFUSED) {
        event->refusal = *e->refusal;
        event->refusal_signature = e->refusal_signature;
        ingest->refused++;
        return;
    }
    ves_log_row_receipt(&stream->row.stream, e->row, &event->receipt);
    fill_judgement(e->row, &event->judgement);
    if (e->outcome == VES_OUTCOME_ACCEPTED)
        ingest->accepted++;
    else
        ingest->replayed++;
}

static void tell_frozen(const struct ves_commit_stream *stream,
                        struct ves_ingest *ingest)
{
    ingest->http_status = 503;
    (void)ves_fail(&ingest->error, VES_BUSY,
                   "this stream is frozen, nothing was stored: %.*s; keep "
                   "everything, the operator has to bring the newest "
                   "database back, or to rebuild what is missing (ves admin "
                   "recover)",
                   (int)stream->frozen_why.len,
                   (const char *)stream->frozen_why.ptr);
}

static void tell(struct ves_commit *commit, const struct ves_uuid *batch_ids)
{
    for (size_t r = 0; r < commit->request_count; r++) {
        struct ves_commit_request *request = &commit->requests[r];
        struct ves_ingest *ingest = request->ingest;
        ingest->batch_id = batch_ids[r];
        ingest->sequence_start = request->sequence_start;
        ingest->sequence_end = request->sequence_end;
        ingest->head = request->stream->row.head;
        ingest->key_version = commit->sequencer->key_version;
        ingest->accepted = ingest->replayed = ingest->refused = 0;
        if (request->stream->is_frozen) {
            tell_frozen(request->stream, ingest);
            continue;
        }
        for (size_t i = 0; i < ingest->count; i++)
            tell_event(request->stream, &request->events[i], ingest);
    }
}

/* ---- a commit ------------------------------------------------------------ */

static enum ves_status run(struct ves_commit *commit,
                           struct ves_ingest **ingests, size_t count)
{
    struct ves_signing signing;
    enum ves_status status = ves_commit_load(commit, ingests, count);

    for (size_t r = 0; !status && r < count; r++) {
        if (!commit->requests[r].stream->is_frozen)
            status = ves_commit_decide(commit, &commit->requests[r]);
    }
    if (!status)
        status = begin_signing(commit, &signing);
    if (status)
        return status;
    for (size_t i = 0; !status && i < commit->stream_count; i++)
        status = write_unsigned(commit, &commit->streams[i]);
    end_signing(commit, &signing);
    for (size_t i = 0; !status && i < commit->stream_count; i++) {
        status = write_rows(commit, &commit->streams[i]);
        if (!status)
            status = write_refusals(commit, &commit->streams[i]);
    }
    return status;
}

static void close_streams(struct ves_commit *commit)
{
    for (size_t i = 0; i < commit->stream_count; i++) {
        if (!commit->streams[i].has_verdicts)
            continue;
        ves_verdicts_close(&commit->streams[i].verdicts);
        ves_rules_log_close(&commit->streams[i].rules);
    }
}

/* Beside others of other streams, unless one has to be made. */
static enum ves_status begin(struct ves_commit *commit,
                             struct ves_ingest **ingests, size_t count)
{
    struct ves_store *store = commit->store;
    size_t n = 0;
    struct ves_stream *streams =
        ves_arena_alloc(&commit->arena, count * sizeof(*streams));

    if (!streams)
        return VES_NOMEM;
    for (size_t r = 0; r < count; r++) {
        size_t i = 0;
        while (i < n && !ves_stream_equal(&streams[i], &ingests[r]->stream))
            i++;
        if (i == n)
            streams[n++] = ingests[r]->stream;
    }
    enum ves_status status = store->ops->begin_streams(store, streams, n);
    return status == VES_NOT_FOUND ? store->ops->begin(store) : status;
}

enum ves_status ves_sequencer_commit(struct ves_sequencer *sequencer,
                                     struct ves_ingest **ingests, size_t count,
                                     const struct ves_uuid *batch_ids,
                                     int64_t now_ms)
{
    struct ves_store *store = sequencer->store;
    struct ves_commit commit = {
        .sequencer = sequencer, .store = store, .now_ms = now_ms};
    size_t events = 0;

    if (count == 0)
        return VES_OK;
    /* Batch ids have random parts and nobody outside has seen them yet. */
    struct ves_hash secret;
    ves_sha256_one(batch_ids[0].b, VES_UUID_SIZE, &secret);
    memcpy(commit.secret.b, secret.b, VES_UUID_SIZE);
    for (size_t r = 0; r < count; r++)
        events += ingests[r]->count;
    ves_arena_init(&commit.arena, sequencer->alloc,
                   events * COMMIT_BYTES_PER_EVENT + COMMIT_BYTES_MIN);

    enum ves_status status = begin(&commit, ingests, count);
    if (!status) {
        status = run(&commit, ingests, count);
        if (!status)
            status = store->ops->commit(store);
        if (status)
            store->ops->rollback(store);
        else
            tell(&commit, batch_ids);
    }
    close_streams(&commit);
    ves_arena_free(&commit.arena);
    return status;
}

/* ---- the sequencer's own --------------------------------------------------
 */

static enum ves_status check_own(const struct ves_commit *commit,
                                 struct ves_error *error)
{
    for (size_t r = 0; r < commit->request_count; r++) {
        const struct ves_commit_request *request = &commit->requests[r];
        if (request->stream->is_frozen)
            return ves_fail(error, VES_BUSY,
                            "the stream is frozen, so nothing was entered in "
                            "its log and nothing was changed: %.*s",
                            (int)request->stream->frozen_why.len,
                            (const char *)request->stream->frozen_why.ptr);
        if (request->events[0].outcome == VES_OUTCOME_REFUSED)
            return ves_fail(error, VES_REFUSED, "%s; nothing was changed",
                            request->events[0].refusal->message);
    }
    return VES_OK;
}

static enum ves_status run_own(struct ves_commit *commit,
                               const struct ves_commit_own *own,
                               struct ves_ingest **ingests, size_t *count,
                               struct ves_error *error)
{
    enum ves_status status =
        own->gather(own->ctx, &commit->arena, ingests, count);
    if (status || *count == 0)
        return status;
    /* Nobody outside chooses what is in these. */
    memcpy(commit->secret.b, ingests[0]->events[0].fingerprint.b,
           VES_UUID_SIZE);
    status = run(commit, ingests, *count);
    return status ? status : check_own(commit, error);
}

enum ves_status ves_commit_own(struct ves_sequencer *sequencer,
                               const struct ves_commit_own *own, int64_t now_ms,
                               struct ves_error *error, size_t *entered)
{
    struct ves_store *store = sequencer->store;
    struct ves_commit commit = {
        .sequencer = sequencer, .store = store, .now_ms = now_ms};
    struct ves_ingest *ingests[VES_COMMIT_OWN_MAX];
    struct ves_error words = {.status = VES_OK};
    size_t count = 0;

    ves_arena_init(&commit.arena, sequencer->alloc,
                   VES_COMMIT_OWN_MAX * COMMIT_BYTES_PER_EVENT +
                       COMMIT_BYTES_MIN);
    enum ves_status status = store->ops->begin(store);
    if (!status) {
        status = run_own(&commit, own, ingests, &count, &words);
        if (!status)
            status = store->ops->commit(store);
        if (status && !words.status)
            (void)ves_fail(&words, status, "%s; nothing was changed",
                           store->error.status == status
                               ? store->error.text
                               : ves_status_message(status));
        if (status)
            store->ops->rollback(store);
    }
    for (size_t i = 0; !status && sequencer->grown && i < commit.stream_count;
         i++)
        sequencer->grown(sequencer->grown_ctx, &commit.streams[i].row.stream);
    close_streams(&commit);
    for (size_t i = 0; i < count; i++)
        ves_ingest_free(ingests[i]);
    ves_arena_free(&commit.arena);
    if (entered)
        *entered = count;
    if (status && !error->status)
        *error = words;
    return status;
}
