/* doctor.c -- a store checked against itself, from its file to its proofs.
 *
 * Reads only, walks outbox and log once each, keeps one event in memory.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/lookup.h"
#include "agent/own_chain.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "core/receipt.h"
#include "crypto/crypto.h"
#include "os/file.h"
#include "os/keyfile.h"
#include "store/sqlite_api.h"
#include "store/store_sqlite.h"

/* One line of the report. */
struct check {
    uint64_t examined, problems;
    struct ves_error first; /* words about the first problem */
};

struct doctor {
    struct ves_agent *agent;
    struct ves_jw *jw;
    bool is_healthy;
    struct check outbox, chain, signatures, receipts, log, entities;
    /* the outbox walk */
    uint64_t counts[VES_OUTBOX_STATUSES];
    uint64_t overlay;
    struct ves_own_chain own;
    uint64_t lost; /* own events that an older copy of the store did not hold */
    /* the log walk */
    uint64_t next;
    uint64_t pruned_below;
    /* the entity walk */
    uint64_t own_count;
};

static void problem(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void problem(struct check *check, const char *format, ...)
{
    va_list args;

    if (check->problems++ > 0)
        return;
    va_start(args, format);
    (void)ves_vfail(&check->first, VES_CORRUPT, format, args);
    va_end(args);
}

/* noun counts what was examined; NULL: nothing to count. */
static void report(struct doctor *doctor, const char *name,
                   const struct check *check, const char *noun,
                   const char *good)
{
    unsigned long long count = check->examined;
    struct ves_jw *jw = doctor->jw;
    struct ves_error words;

    if (check->problems > 1)
        ves_fail(&words, VES_CORRUPT, "%llu problems, the first: %.440s",
                 (unsigned long long)check->problems, check->first.text);
    else if (check->problems == 1)
        words = check->first;
    else if (!noun)
        ves_fail(&words, VES_OK, "%s", good);
    else if (count == 0)
        ves_fail(&words, VES_OK, "no %s yet", noun);
    else
        ves_fail(&words, VES_OK, "%llu %s%s: %s", count, noun,
                 count == 1 ? "" : "s", good);
    ves_jw_object(jw);
    ves_jw_member_str(jw, "name", name);
    ves_jw_member_bool(jw, "ok", check->problems == 0);
    ves_jw_member_str(jw, "detail", words.text);
    ves_jw_end(jw);
    if (check->problems > 0)
        doctor->is_healthy = false;
}

/* ---- file and keys ------------------------------------------------------- */

/* First column of the first row of a pragma, as text. */
static bool ask(struct doctor *doctor, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *stmt = NULL;
    const unsigned char *text = NULL;

    out[0] = '\0';
    if (sqlite3_prepare_v2(doctor->agent->connection, sql, -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        text = sqlite3_column_text(stmt, 0);
    if (text) {
        size_t len = strnlen((const char *)text, size - 1);
        memcpy(out, text, len);
        out[len] = '\0';
    }
    sqlite3_finalize(stmt);
    return text != NULL;
}

static void check_file(struct doctor *doctor)
{
    struct check check = {0};
    char text[256];

    if (!ask(doctor, "PRAGMA main.quick_check(1)", text, sizeof(text)))
        problem(&check, "SQLite could not check the file: %s",
                sqlite3_errmsg(doctor->agent->connection));
    else if (strcmp(text, "ok") != 0)
        problem(&check, "SQLite finds the file damaged: %s", text);
    report(doctor, "file", &check, NULL, "SQLite's quick check passes");
}

static void check_durability(struct doctor *doctor)
{
    struct check check = {0};
    struct ves_store_sqlite_sync how;

    if (ves_store_sqlite_synchronous(doctor->agent->store, &how)) {
        problem(&check, "the connection does not say how it writes to disk");
        how = (struct ves_store_sqlite_sync){2, true};
    }
    if (how.level < 2)
        problem(&check,
                "synchronous is %d, below FULL: a power cut can take back what "
                "was committed",
                how.level);
    if (!how.has_journal)
        problem(&check,
                "journal_mode is off or memory: a crash in a commit damages "
                "the file");
    report(doctor, "durability", &check, NULL,
           "every commit waits for the disk, and a crash is rolled back");
}

/* No problem of the store's: what an application has to know that uses
 * savepoints in this file. */
static void tell_sqlite(struct doctor *doctor)
{
    static const struct check check;
    char words[320];

    snprintf(
        words, sizeof words,
        ves_store_sqlite_tears_savepoints()
            ? "version %s; the store is safe with it, but an application of "
              "yours that rolls back to its own savepoints in a transaction "
              "larger than its cache can lose in a crash what it commits "
              "then: PRAGMA cache_spill = OFF on its connection, or SQLite "
              "3.53.4, avoids it"
            : "version %s; an application's own savepoints are safe with it",
        sqlite3_libversion());
    report(doctor, "sqlite", &check, NULL, words);
}

static void check_key_file(struct doctor *doctor)
{
    struct ves_agent *agent = doctor->agent;
    struct check check = {0};
    struct ves_error error;
    struct ves_public_key key;
    bool is_sealed = false;
    const char *path = ves_agent_key_file(agent);

    enum ves_status status =
        ves_keyfile_inspect(path, VES_KEY_AGENT, &key, &is_sealed, &error);
    if (status)
        problem(&check, "%s", error.text);
    else if (agent->has_public_key &&
             memcmp(key.b, agent->public_key.b, VES_KEY_SIZE) != 0)
        problem(&check, "%s is not the key this store goes by", path);
    report(doctor, "key", &check, NULL,
           is_sealed ? "there, readable by its owner only, sealed"
                     : "there, readable by its owner only");
}

static void check_credential(struct doctor *doctor)
{
    struct ves_agent *agent = doctor->agent;
    struct check check = {0};
    struct ves_error error;
    char *credential;

    if (agent->url[0] == '\0' && !ves_file_exists(agent->credential_path)) {
        report(doctor, "credential", &check, NULL,
               "none, and no sequencer that would want one");
        return;
    }
    if (ves_credential_file_read(agent->credential_path, &credential, &error))
        problem(&check, "%s", error.text);
    else
        ves_secret_free(credential);
    report(doctor, "credential", &check, NULL,
           "there, readable by its owner only");
}

/* ---- one event -----------------------------------------------------------
 */

static void check_receipt(struct doctor *doctor,
                          const struct ves_uuid *event_id, uint64_t sequence,
                          const struct ves_hash *event_hash,
                          const struct ves_sig *sig, uint32_t key_version)
{
    const struct ves_agent_core *core = &doctor->agent->core;
    struct ves_verify_item item = {.sig = *sig};

    doctor->receipts.examined++;
    ves_receipt_hash(&core->stream, event_id, sequence, event_hash, &item.hash);
    for (size_t i = 0; i < core->sequencer_key_count; i++) {
        if (key_version != 0 && core->sequencer_keys[i].version != key_version)
            continue;
        item.key = core->sequencer_keys[i].public_key;
        core->verifier->verify(core->verifier, &item, 1);
        if (item.is_valid)
            return;
    }
    problem(&doctor->receipts,
            "the receipt for number %llu does not verify with any pinned "
            "sequencer key",
            (unsigned long long)sequence);
}

static enum ves_status check_signature(struct doctor *doctor,
                                       const struct ves_event *event,
                                       const char *where, uint64_t number)
{
    struct ves_verify_item item = {
        .hash = event->event_hash,
        .sig = event->signature,
    };
    bool has_key;

    enum ves_status status =
        ves_agent_author_key(doctor->agent, event, &has_key, &item.key);
    if (status || !has_key)
        return status;
    doctor->signatures.examined++;
    doctor->agent->core.verifier->verify(doctor->agent->core.verifier, &item,
                                         1);
    if (!item.is_valid)
        problem(&doctor->signatures, "the signature of %s %llu does not verify",
                where, (unsigned long long)number);
    return VES_OK;
}

/* ---- outbox -------------------------------------------------------------- */

static void chain_problem(void *ctx, const char *words)
{
    struct doctor *doctor = ctx;

    problem(&doctor->chain, "%s", words);
}

static bool is_row_of(const struct ves_outbox_row *row,
                      const struct ves_event *event)
{
    struct ves_hash key;

    ves_entity_key(event->entity_type, event->entity_id, &key);
    return ves_hash_equal(&row->event_hash, &event->event_hash) &&
           ves_uuid_equal(&row->event_id, &event->event_id) &&
           ves_hash_equal(&row->entity_key, &key) &&
           ves_bytes_equal(row->event_type, event->event_type);
}

static enum ves_status visit_outbox(void *ctx, const struct ves_outbox_row *row)
{
    struct doctor *doctor = ctx;
    struct ves_error error;
    struct ves_event event;
    bool has_event = false;
    enum ves_status status = VES_OK;

    ves_arena_reset(&doctor->agent->arena);
    doctor->outbox.examined++;
    doctor->counts[row->status]++;
    doctor->overlay += row->is_in_overlay;
    if (row->entity_prev >= row->local_seq)
        problem(&doctor->outbox,
                "outbox row %llu names a later one as the one before it",
                (unsigned long long)row->local_seq);
    if (row->envelope.len == 0 && row->status != VES_OUTBOX_SYNCED)
        problem(&doctor->outbox,
                "outbox row %llu has no body although it is not synced",
                (unsigned long long)row->local_seq);
    if (row->envelope.len > 0) {
        status = ves_agent_read_envelope(doctor->agent, row->envelope, false,
                                         &event, &error);
        has_event = status == VES_OK;
        if (status == VES_CORRUPT)
            problem(&doctor->outbox, "outbox row %llu: %s",
                    (unsigned long long)row->local_seq, error.text);
        else if (status)
            return status;
    }
    if (has_event && !is_row_of(row, &event))
        problem(&doctor->outbox,
                "outbox row %llu says something else than its envelope",
                (unsigned long long)row->local_seq);
    if (has_event) {
        status = check_signature(doctor, &event, "outbox row", row->local_seq);
        if (status)
            return status;
    }
    doctor->chain.examined++;
    status = ves_own_chain_add(&doctor->own, row->agent_seq, &row->event_hash,
                               has_event ? &event.context : NULL, chain_problem,
                               doctor);
    if (status)
        return status;
    if (row->has_receipt)
        check_receipt(doctor, &row->event_id, row->sequence_number,
                      &row->event_hash, &row->receipt,
                      row->receipt_key_version);
    else if (row->status == VES_OUTBOX_SYNCED)
        problem(&doctor->receipts,
                "outbox row %llu is synced, but has no "
                "receipt",
                (unsigned long long)row->local_seq);
    return VES_OK;
}

/* Would the next event continue the chain?  The engine keeps the end of it as
 * words, see engine/agent_state.c. */
static enum ves_status check_chain_end(struct doctor *doctor)
{
    struct ves_agent *agent = doctor->agent;
    const struct ves_own_chain *own = &doctor->own;
    static const struct ves_own_run nothing;
    const struct ves_own_run *end =
        own->count ? &own->runs[own->count - 1] : &nothing;
    struct ves_buf expected;
    struct ves_bytes text;

    enum ves_status status = agent->store->ops->meta_get(agent->store, "append",
                                                         &agent->arena, &text);
    if (status == VES_NOT_FOUND)
        text = ves_bytes(NULL, 0);
    else if (status)
        return status;
    ves_buf_init(&expected, agent->alloc, 256);
    ves_buf_putf(&expected,
                 "agent_seq=%llu prev=", (unsigned long long)end->last);
    ves_buf_put_hex(&expected, end->head.b, VES_HASH_SIZE);
    status = ves_buf_status(&expected);
    if (!status && (text.len > 0 || end->last > 0) &&
        !(text.len >= expected.len &&
          memcmp(text.ptr, expected.ptr, expected.len) == 0))
        problem(&doctor->chain,
                "the next event would not continue after own event number "
                "%llu, the last in the outbox",
                (unsigned long long)end->last);
    ves_buf_free(&expected);
    return status;
}

static enum ves_status walk_outbox(struct doctor *doctor)
{
    const struct ves_store_ops *ops = doctor->agent->store->ops;
    const struct ves_outbox_filter all = {0};
    uint64_t counts[VES_OUTBOX_STATUSES];
    struct ves_core_status core;

    enum ves_status status = ves_core_standing(&doctor->agent->core, &core);
    if (!status)
        status =
            ops->outbox_list(doctor->agent->store, &all, visit_outbox, doctor);
    if (!status) {
        ves_own_chain_close(&doctor->own, core.has_taken_back, &doctor->lost,
                            chain_problem, doctor);
        status = check_chain_end(doctor);
    }
    if (!status)
        status = ops->outbox_counts(doctor->agent->store, counts);
    if (status)
        return status;
    for (uint32_t i = 0; i < VES_OUTBOX_STATUSES; i++) {
        if (counts[i] != doctor->counts[i])
            problem(&doctor->outbox,
                    "%llu rows are counted as %s, there are "
                    "%llu",
                    (unsigned long long)counts[i],
                    ves_outbox_status_name((enum ves_outbox_status)i),
                    (unsigned long long)doctor->counts[i]);
    }
    return VES_OK;
}

/* ---- log -----------------------------------------------------------------
 */

static enum ves_status check_log_event(struct doctor *doctor,
                                       const struct ves_log_row *row)
{
    struct ves_error error;
    struct ves_event event;

    if (row->envelope.len == 0) {
        if (row->sequence_number >= doctor->pruned_below)
            problem(&doctor->log, "number %llu has no body, but was not pruned",
                    (unsigned long long)row->sequence_number);
        return VES_OK;
    }
    enum ves_status status = ves_agent_read_envelope(
        doctor->agent, row->envelope, true, &event, &error);
    if (status == VES_CORRUPT) {
        problem(&doctor->log, "number %llu: %s",
                (unsigned long long)row->sequence_number, error.text);
        return VES_OK;
    }
    if (status)
        return status;
    if (!ves_hash_equal(&row->event_hash, &event.event_hash) ||
        !ves_uuid_equal(&row->event_id, &event.event_id))
        problem(&doctor->log,
                "number %llu says something else than its "
                "envelope",
                (unsigned long long)row->sequence_number);
    return check_signature(doctor, &event, "number", row->sequence_number);
}

static enum ves_status visit_log(void *ctx, const struct ves_log_row *row)
{
    struct doctor *doctor = ctx;

    ves_arena_reset(&doctor->agent->arena);
    doctor->log.examined++;
    if (row->sequence_number != doctor->next)
        problem(&doctor->log, "number %llu is missing from the log",
                (unsigned long long)doctor->next);
    doctor->next = row->sequence_number + 1;
    enum ves_status status = check_log_event(doctor, row);
    if (!status && row->has_receipt)
        check_receipt(doctor, &row->event_id, row->sequence_number,
                      &row->event_hash, &row->receipt,
                      row->receipt_key_version);
    return status;
}

static enum ves_status walk_log(struct doctor *doctor)
{
    struct ves_agent *agent = doctor->agent;
    struct ves_stream_row stream;

    doctor->next = 1;
    enum ves_status status =
        ves_agent_meta_u64(agent, "log.pruned_below", &doctor->pruned_below);
    if (!status)
        status = agent->store->ops->log_read(
            agent->store, agent->core.stream_no, 1, 0, visit_log, doctor);
    if (!status)
        status = agent->store->ops->stream_get(
            agent->store, &agent->core.stream, false, &stream);
    if (!status && stream.head != doctor->next - 1)
        problem(&doctor->log, "the cursor is at %llu, the log ends at %llu",
                (unsigned long long)stream.head,
                (unsigned long long)(doctor->next - 1));
    return status;
}

/* ---- entities ------------------------------------------------------------ */

struct chain {
    const struct ves_entity_row *entity;
    uint64_t rows;
    struct ves_hash newest;
};

static enum ves_status follow(void *ctx, const struct ves_outbox_row *row)
{
    struct chain *chain = ctx;

    if (ves_hash_equal(&row->entity_key, &chain->entity->key))
        chain->rows++;
    chain->newest = row->event_hash;
    return VES_OK;
}

/* Are the own events the entity counts found from it, its head last? */
static enum ves_status check_own(struct doctor *doctor,
                                 const struct ves_entity_row *row)
{
    struct ves_store *store = doctor->agent->store;
    struct chain chain = {.entity = row};

    if (row->own_count == 0)
        return VES_OK;
    enum ves_status status = store->ops->outbox_overlay(
        store, row->own_last, row->own_count, follow, &chain);
    if (!status && (chain.rows != row->own_count ||
                    !ves_hash_equal(&chain.newest, &row->own_head)))
        problem(&doctor->entities,
                "%.*s \"%.*s\" counts %llu own events that are not in the log "
                "yet; %llu are found from it",
                (int)row->entity_type.len, (const char *)row->entity_type.ptr,
                (int)row->entity_id.len, (const char *)row->entity_id.ptr,
                (unsigned long long)row->own_count,
                (unsigned long long)chain.rows);
    return status;
}

static enum ves_status visit_entity(void *ctx, const struct ves_entity_row *row)
{
    struct doctor *doctor = ctx;
    struct ves_hash key, state;

    doctor->entities.examined++;
    doctor->own_count += row->own_count;
    ves_entity_key(row->entity_type, row->entity_id, &key);
    ves_sha256_one(row->state.ptr, row->state.len, &state);
    if (!ves_hash_equal(&key, &row->key))
        problem(&doctor->entities, "%.*s \"%.*s\" lies under another's key",
                (int)row->entity_type.len, (const char *)row->entity_type.ptr,
                (int)row->entity_id.len, (const char *)row->entity_id.ptr);
    else if (row->state.len == 0 ? !ves_hash_is_zero(&row->state_hash)
                                 : !ves_hash_equal(&state, &row->state_hash))
        problem(&doctor->entities,
                "the state of %.*s \"%.*s\" is not the one that was folded",
                (int)row->entity_type.len, (const char *)row->entity_type.ptr,
                (int)row->entity_id.len, (const char *)row->entity_id.ptr);
    return check_own(doctor, row);
}

static enum ves_status walk_entities(struct doctor *doctor)
{
    struct ves_agent *agent = doctor->agent;
    struct ves_hash from = {{0}};

    enum ves_status status = agent->store->ops->entity_scan(
        agent->store, agent->core.stream_no, &from, 0, ves_bytes(NULL, 0),
        visit_entity, doctor);
    if (!status && doctor->own_count != doctor->overlay)
        problem(&doctor->entities,
                "entities count %llu own events that are not in the log yet, "
                "the outbox holds %llu",
                (unsigned long long)doctor->own_count,
                (unsigned long long)doctor->overlay);
    return status;
}

/* ---- the report ---------------------------------------------------------- */

static enum ves_status check_standing(struct doctor *doctor)
{
    struct ves_core_status core;
    struct check check = {0};

    enum ves_status status = ves_core_status(&doctor->agent->core, &core);
    if (status)
        return status;
    if (core.is_copied)
        problem(&check, "this file looks like a copy of a store that goes on "
                        "elsewhere; join again as a new agent");
    if (core.is_diverged)
        problem(&check, core.is_beyond_epoch
                            ? "the sequencer gave up some of what this store "
                              "has seen from it, and opened a new epoch; see "
                              "`ves epoch follow --dry-run`"
                            : "the sequencer does not hold what this store has "
                              "seen from it");
    if (core.quarantined > 0 || core.signature_failures > 0)
        problem(&check,
                "%llu in quarantine, %llu signature failures; see "
                "`ves quarantine`",
                (unsigned long long)core.quarantined,
                (unsigned long long)core.signature_failures);
    report(doctor, "standing", &check, NULL,
           "nothing contradicts the sequencer's history");
    return VES_OK;
}

/* What cannot be read is a finding; the other parts are looked at still. */
static enum ves_status note_unreadable(struct doctor *doctor,
                                       struct check *check,
                                       enum ves_status status)
{
    const struct ves_agent *agent = doctor->agent;

    if (status != VES_CORRUPT)
        return status;
    problem(check, "it could not be read to the end: %s",
            agent->store->error.text[0] ? agent->store->error.text
                                        : agent->core.error.text);
    return VES_OK;
}

static enum ves_status examine(struct doctor *doctor)
{
    check_file(doctor);
    check_durability(doctor);
    tell_sqlite(doctor);
    check_key_file(doctor);
    check_credential(doctor);
    enum ves_status status =
        note_unreadable(doctor, &doctor->outbox, walk_outbox(doctor));
    if (!status)
        status = note_unreadable(doctor, &doctor->log, walk_log(doctor));
    if (!status)
        status =
            note_unreadable(doctor, &doctor->entities, walk_entities(doctor));
    if (status)
        return status;
    report(doctor, "outbox", &doctor->outbox, "row",
           "as counted, each as its envelope says");
    report(doctor, "chain", &doctor->chain, "own event",
           doctor->lost > 0
               ? "each names the one before it, but for what was lost with an "
                 "older copy of this store and is not in the log either"
               : "each names the one before it");
    report(doctor, "signatures", &doctor->signatures, "signature",
           "each verifies");
    report(doctor, "receipts", &doctor->receipts, "receipt", "each verifies");
    report(doctor, "log", &doctor->log, "event",
           "no gap, each as its envelope says");
    report(doctor, "entities", &doctor->entities, "state",
           "each with its own hash");
    return check_standing(doctor);
}

enum ves_status ves_agent_doctor(struct ves_agent *agent, struct ves_jw *jw,
                                 bool *is_healthy, struct ves_error *error)
{
    struct doctor doctor = {.agent = agent, .jw = jw, .is_healthy = true};

    ves_agent_start(agent);
    ves_own_chain_init(&doctor.own, agent->alloc);
    ves_jw_object(jw);
    ves_jw_key(jw, "checks");
    ves_jw_array(jw);
    enum ves_status status = examine(&doctor);
    ves_own_chain_free(&doctor.own);
    ves_jw_end(jw);
    if (status)
        return ves_agent_fail(agent, status, error, "checking the store");
    ves_jw_member_bool(jw, "ok", doctor.is_healthy);
    ves_jw_end(jw);
    *is_healthy = doctor.is_healthy;
    return ves_agent_jw_end(jw, error);
}
