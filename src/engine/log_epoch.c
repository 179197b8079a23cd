/* log_epoch.c -- the epochs of a stream's log at the sequencer (ADR 0024). */
#include "engine/log_epoch.h"

#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "core/merkle.h"
#include "core/scratch.h"
#include "engine/entity_events.h"
#include "engine/log_tree.h"
#include "engine/own_event.h"

enum { READ_MAX = 64 * 1024 * 1024, NOTE_BYTES_MAX = 1024 };

/* ---- what the log says --------------------------------------------------- */

struct wanted {
    bool is_any; /* the last one */
    uint64_t size;
    struct ves_hash root;
};

/* Own events only: nobody else's are of these types, and a file may be damaged.
 */
static bool is_opening(const struct ves_entity_events *of, size_t i,
                       const struct ves_uuid *sequencer_id,
                       struct ves_note *note, struct ves_epoch *epoch)
{
    return ves_epoch_is_opening(&of->events[i]) &&
           ves_uuid_equal(&of->events[i].agent, sequencer_id) &&
           !ves_epoch_read(&of->events[i], of->sequences[i], epoch, note, NULL);
}

static enum ves_status seek(struct ves_store *store, uint32_t stream_no,
                            const struct ves_uuid *sequencer_id,
                            const struct wanted *wanted,
                            struct ves_arena *arena, struct ves_log_epoch *out)
{
    struct ves_entity_events of;
    struct ves_epoch epoch;
    struct ves_note *note = ves_arena_alloc(arena, sizeof(*note));

    *out = (struct ves_log_epoch){.sequence = 0};
    if (!note)
        return VES_NOMEM;
    enum ves_status status =
        ves_entity_events_read(store, stream_no, VES_EPOCH_ENTITY_TYPE,
                               VES_EPOCH_ENTITY_ID, arena, &of);
    for (size_t i = 0; !status && i < of.count; i++) {
        if (is_opening(&of, i, sequencer_id, note, &epoch) &&
            (wanted->is_any ||
             (epoch.lost.size == wanted->size &&
              ves_hash_equal(&epoch.lost.root, &wanted->root))))
            *out = (struct ves_log_epoch){epoch, of.sequences[i]};
    }
    return status;
}

enum ves_status ves_log_epoch_list(struct ves_store *store, uint32_t stream_no,
                                   const struct ves_uuid *sequencer_id,
                                   struct ves_arena *arena, uint64_t **list,
                                   size_t *count)
{
    struct ves_note *note = ves_arena_alloc(arena, sizeof(*note));
    struct ves_entity_events of;
    struct ves_epoch epoch;

    *count = 0;
    if (!note)
        return VES_NOMEM;
    enum ves_status status =
        ves_entity_events_read(store, stream_no, VES_EPOCH_ENTITY_TYPE,
                               VES_EPOCH_ENTITY_ID, arena, &of);
    if (status)
        return status;
    *list = ves_arena_alloc(arena, of.count * sizeof(**list));
    if (!*list)
        return VES_NOMEM;
    for (size_t i = 0; i < of.count; i++) {
        if (is_opening(&of, i, sequencer_id, note, &epoch))
            (*list)[(*count)++] = of.sequences[i];
    }
    return VES_OK;
}

enum ves_status ves_log_epoch_last(struct ves_store *store, uint32_t stream_no,
                                   const struct ves_uuid *sequencer_id,
                                   struct ves_arena *arena,
                                   struct ves_log_epoch *out)
{
    const struct wanted any = {.is_any = true};

    return seek(store, stream_no, sequencer_id, &any, arena, out);
}

enum ves_status ves_log_epoch_find(struct ves_store *store, uint32_t stream_no,
                                   const struct ves_uuid *sequencer_id,
                                   uint64_t size, const struct ves_hash *root,
                                   struct ves_arena *arena, bool *is_found,
                                   struct ves_log_epoch *out)
{
    const struct wanted wanted = {.size = size, .root = *root};

    enum ves_status status =
        seek(store, stream_no, sequencer_id, &wanted, arena, out);
    *is_found = !status && out->sequence > 0;
    return status;
}

enum ves_status ves_log_origin_write(struct ves_buf *buf,
                                     const struct ves_sequencer *sequencer,
                                     struct ves_store *store,
                                     uint32_t stream_no,
                                     const struct ves_hash *stream_id)
{
    struct ves_log_epoch last;
    struct ves_arena arena;

    ves_arena_init(&arena, sequencer->alloc, READ_MAX);
    enum ves_status status = ves_log_epoch_last(
        store, stream_no, &sequencer->sequencer_id, &arena, &last);
    if (!status)
        ves_epoch_origin_write(buf, sequencer->log_host, last.epoch.number,
                               stream_id);
    ves_arena_free(&arena);
    return status ? status : ves_buf_status(buf);
}

/* ---- opening ------------------------------------------------------------- */

struct opening {
    struct ves_sequencer *sequencer;
    const struct ves_log_giving_up *what;
    int64_t now_ms;
    struct ves_arena *arena;
    struct ves_error *error;
    struct ves_stream_row stream;
    struct ves_hash stream_id;
    struct ves_log_epoch last;
};

static enum ves_status store_failed(struct opening *o, enum ves_status status)
{
    const struct ves_store *store = o->sequencer->store;

    return ves_fail(o->error, status, "the epoch was not opened: %s",
                    store->error.status == status ? store->error.text
                                                  : ves_status_message(status));
}

/* The head that is given up, signed once more: it was before, and says the
 * same. */
static enum ves_status sign_lost(struct opening *o, struct ves_epoch *epoch)
{
    struct ves_signer *signer = o->sequencer->signer;
    const struct ves_checkpoint lost = {.origin = epoch->common.origin,
                                        .size = o->what->size,
                                        .root = o->what->root};
    struct ves_scratch note;
    struct ves_note_key key;
    struct ves_sig sig;

    ves_scratch_init(&note, o->arena, NOTE_BYTES_MAX, NOTE_BYTES_MAX);
    ves_checkpoint_write(&note.buf, &lost);
    enum ves_status status = ves_buf_status(&note.buf);
    if (status)
        return status;
    signer->sign_text(signer, ves_buf_view(&note.buf), &sig);
    ves_note_key_init(&key, lost.origin, VES_NOTE_ED25519, &signer->public_key);
    ves_buf_put_u8(&note.buf, '\n');
    ves_note_line_write(&note.buf, &key, sig.b, VES_SIG_SIZE);
    epoch->lost_note = ves_buf_view(&note.buf);
    return ves_buf_status(&note.buf);
}

static enum ves_status write_name(struct opening *o, uint64_t number,
                                  struct ves_bytes *out)
{
    struct ves_scratch name;

    ves_scratch_init(&name, o->arena, VES_ORIGIN_MAX, VES_ORIGIN_MAX);
    ves_epoch_origin_write(&name.buf, o->sequencer->log_host, number,
                           &o->stream_id);
    *out = ves_buf_view(&name.buf);
    return ves_buf_status(&name.buf);
}

static enum ves_status make_payload(struct opening *o, struct ves_bytes *out)
{
    struct ves_epoch epoch = {.number = o->last.epoch.number + 1,
                              .common = {.size = o->stream.head},
                              .reason = o->what->reason};
    struct ves_scratch payload;

    enum ves_status status = write_name(o, epoch.number, &epoch.origin);
    if (!status)
        status = write_name(o, epoch.number - 1, &epoch.common.origin);
    if (!status)
        status = ves_log_root_at(o->sequencer->store, o->stream.stream_no,
                                 epoch.common.size, &epoch.common.root);
    if (!status)
        status = sign_lost(o, &epoch);
    ves_scratch_init(&payload, o->arena, VES_EPOCH_PAYLOAD_MAX,
                     VES_EPOCH_PAYLOAD_MAX);
    if (!status)
        status = ves_epoch_write(&payload.buf, o->sequencer->alloc, &epoch);
    *out = ves_buf_view(&payload.buf);
    return status;
}

static enum ves_status in_transaction(struct ves_store *store,
                                      enum ves_status status)
{
    if (!status)
        status = store->ops->commit(store);
    if (status) {
        struct ves_error words = store->error;
        store->ops->rollback(store);
        store->error = words;
    }
    return status;
}

/* Its agent is in the table of keys, and what others cosigned under the old
 * name is not shown under the new one. */
static enum ves_status prepare_tables(struct opening *o)
{
    struct ves_store *store = o->sequencer->store;

    enum ves_status status = store->ops->begin(store);
    if (status)
        return status;
    status = ves_own_key_put(o->sequencer, &o->stream.stream.tenant);
    if (!status)
        status = store->ops->cosigned_put(store, o->stream.stream_no,
                                          ves_bytes(NULL, 0));
    return in_transaction(store, status);
}

static enum ves_status append(struct opening *o,
                              const struct ves_uuid *batch_id)
{
    struct ves_own_event event = {.stream = o->stream.stream,
                                  .event_type = VES_TYPE_EPOCH_OPENED,
                                  .entity_type = VES_EPOCH_ENTITY_TYPE,
                                  .entity_id = VES_EPOCH_ENTITY_ID};
    struct ves_ingest ingest, *ingests[] = {&ingest};

    enum ves_status status = make_payload(o, &event.payload);
    if (!status)
        status = prepare_tables(o);
    if (!status)
        status = ves_own_event_prepare(o->sequencer, &event, o->now_ms,
                                       o->arena, &ingest);
    if (status)
        return store_failed(o, status);
    ingest.opens_epoch = true;
    status =
        ves_sequencer_commit(o->sequencer, ingests, 1, batch_id, o->now_ms);
    if (status)
        status = store_failed(o, status);
    else if (ingest.http_status != 200 || ingest.accepted != 1)
        status = ves_fail(o->error, VES_CORRUPT, "the epoch was not opened: %s",
                          ingest.http_status != 200
                              ? ingest.error.text
                              : ingest.events[0].refusal.message);
    ves_ingest_free(&ingest);
    return status;
}

static enum ves_status unfreeze(struct opening *o)
{
    struct ves_store *store = o->sequencer->store;

    enum ves_status status = store->ops->begin(store);
    if (status)
        return status;
    return in_transaction(store,
                          store->ops->tlog_freeze(store, o->stream.stream_no, 0,
                                                  ves_bytes(NULL, 0)));
}

/* The one that is signed already, when this was cut short behind it. */
static enum ves_status take_signed(struct opening *o, struct ves_log_head *out)
{
    struct ves_store *store = o->sequencer->store;
    struct ves_tlog_row log;

    enum ves_status status =
        store->ops->tlog_get(store, o->stream.stream_no, o->arena, &log);
    if (status)
        return store_failed(o, status);
    out->is_due = true;
    out->expected_size = log.signed_size;
    out->row = (struct ves_head_row){.size = log.signed_size,
                                     .root = log.signed_root,
                                     .note = log.note,
                                     .signed_at_ms = log.signed_at_ms};
    return VES_OK;
}

enum ves_status ves_log_epoch_open(struct ves_sequencer *sequencer,
                                   const struct ves_log_giving_up *what,
                                   const struct ves_uuid *batch_id,
                                   int64_t now_ms, struct ves_arena *arena,
                                   struct ves_log_head *out,
                                   struct ves_error *error)
{
    struct ves_store *store = sequencer->store;
    struct opening o = {.sequencer = sequencer,
                        .what = what,
                        .now_ms = now_ms,
                        .arena = arena,
                        .error = error};
    bool is_open = false;

    ves_stream_id(&what->stream, &o.stream_id);
    enum ves_status status =
        store->ops->stream_get(store, &what->stream, false, &o.stream);
    if (!status)
        status = ves_log_epoch_find(store, o.stream.stream_no,
                                    &sequencer->sequencer_id, what->size,
                                    &what->root, arena, &is_open, &o.last);
    if (!status && !is_open)
        status = ves_log_epoch_last(store, o.stream.stream_no,
                                    &sequencer->sequencer_id, arena, &o.last);
    if (status)
        return store_failed(&o, status);
    VES_ASSERT(is_open || what->size > o.stream.head);
    if (!is_open)
        status = append(&o, batch_id);
    if (status)
        return status;
    status = unfreeze(&o);
    if (status)
        return store_failed(&o, status);
    status = ves_log_head_make(sequencer, store, &what->stream, now_ms, arena,
                               out, error);
    return status || out->is_due ? status : take_signed(&o, out);
}
