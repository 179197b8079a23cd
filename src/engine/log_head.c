/* log_head.c -- the provable log of a stream: reading, and signed heads. */
#include "engine/log_tree.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/merkle.h"
#include "core/scratch.h"
#include "engine/log_cosigned.h"
#include "engine/log_epoch.h"
#include "json/jcs.h"

enum {
    LEAVES_CHUNK = 512, /* read at a time */
    NOTE_BYTES_MAX = 1024,
    FREEZE_ARENA_MAX = 64 * 1024
};

/* ---- reading ------------------------------------------------------------- */

static enum ves_status read_tile(void *ctx, const struct ves_tile *tile,
                                 struct ves_hash *hashes)
{
    struct ves_log_source *source = ctx;
    size_t count;

    _Static_assert((int)VES_STORE_TILE_WIDTH == (int)VES_TILE_WIDTH,
                   "tiles fit");
    enum ves_status status =
        source->store->ops->tile_read(source->store, source->stream_no,
                                      tile->level, tile->index, hashes, &count);
    if (!status && count < tile->width)
        status = ves_fail(&source->store->error, VES_CORRUPT,
                          "tile %llu of level %u of the log's tree has %zu "
                          "hashes, not %u: keep the file and restore a backup",
                          (unsigned long long)tile->index, tile->level, count,
                          tile->width);
    return status;
}

void ves_log_source_init(struct ves_log_source *source, struct ves_store *store,
                         uint32_t stream_no, uint64_t size)
{
    source->store = store;
    source->stream_no = stream_no;
    ves_tile_source_init(&source->tiles, size, read_tile, source);
}

enum ves_status ves_log_root_at(struct ves_store *store, uint32_t stream_no,
                                uint64_t size, struct ves_hash *root)
{
    struct ves_log_source source;
    struct ves_tlog_edge edge;

    ves_log_source_init(&source, store, stream_no, size);
    enum ves_status status =
        ves_tlog_edge_at(&source.tiles.source, size, &edge);
    if (!status)
        ves_tlog_edge_root(&edge, root);
    return status;
}

static void write_entry(const struct ves_stream *stream,
                        const struct ves_leaf_row *row,
                        uint8_t out[VES_LEAF_SIZE])
{
    const struct ves_leaf leaf = {*stream, row->sequence_number,
                                  row->event_hash, row->signature};

    ves_leaf_write(&leaf, out);
}

enum ves_status ves_log_entries_write(struct ves_store *store,
                                      const struct ves_stream_row *stream,
                                      uint64_t first, uint32_t width,
                                      struct ves_buf *out)
{
    struct ves_leaf_row rows[VES_TILE_WIDTH];
    size_t found;

    VES_ASSERT(width <= VES_TILE_WIDTH);
    enum ves_status status = store->ops->log_leaves(
        store, stream->stream_no, first + VES_TLOG_FIRST, width, rows, &found);
    if (!status && found != width)
        status = VES_NOT_FOUND;
    for (size_t i = 0; !status && i < found; i++) {
        uint8_t entry[VES_LEAF_SIZE];
        write_entry(&stream->stream, &rows[i], entry);
        ves_tile_entry_write(out, ves_bytes(entry, sizeof(entry)));
    }
    return status ? status : ves_buf_status(out);
}

enum ves_status ves_log_page_write(struct ves_buf *out, struct ves_store *store,
                                   uint32_t stream_no, uint64_t end,
                                   struct ves_arena *arena)
{
    struct ves_tlog_row log = {.signed_size = 0};
    struct ves_log_source source;
    struct ves_tlog_path path = {.count = 0};

    enum ves_status status =
        store->ops->tlog_get(store, stream_no, arena, &log);
    if (status && status != VES_NOT_FOUND)
        return status;
    if (status || log.signed_size == 0) {
        ves_buf_put_str(out, ",\"checkpoint\":null");
        return ves_buf_status(out);
    }
    if (end < log.signed_size) {
        ves_log_source_init(&source, store, stream_no, log.signed_size);
        status = ves_tlog_consistency_make(&source.tiles.source, end,
                                           log.signed_size, &path);
        if (status)
            return status;
    }
    status = ves_log_cosigned_page(out, store, stream_no, &log, arena);
    if (status)
        return status;
    ves_buf_put_str(out, ",\"consistency\":[");
    for (uint32_t i = 0; i < path.count; i++) {
        ves_buf_put_str(out, i ? ",\"" : "\"");
        ves_buf_put_hex(out, path.hash[i].b, VES_HASH_SIZE);
        ves_buf_put_u8(out, '"');
    }
    ves_buf_put_u8(out, ']');
    return ves_buf_status(out);
}

/* ---- signing ------------------------------------------------------------- */

struct making {
    struct ves_sequencer *sequencer;
    struct ves_store *reader;
    struct ves_stream_row stream;
    struct ves_tlog_row log;
    struct ves_tlog_edge edge; /* recomputed, from the signed head on */
    struct ves_bytes origin;
    uint64_t epoch;
    struct ves_arena *arena;
    struct ves_error *error;
};

static enum ves_status store_failed(struct making *m, enum ves_status status)
{
    return ves_fail(m->error, status, "%s",
                    m->reader->error.status == status
                        ? m->reader->error.text
                        : ves_status_message(status));
}

/* The tree at the head that was signed last, from its tiles. */
static enum ves_status start_from_signed(struct making *m)
{
    struct ves_log_source source;
    struct ves_hash root;
    uint64_t size = m->log.signed_size;

    if (size > m->stream.head)
        return ves_fail(m->error, VES_CORRUPT,
                        "a head of %llu events is signed and the log ends at "
                        "%llu",
                        (unsigned long long)size,
                        (unsigned long long)m->stream.head);
    ves_log_source_init(&source, m->reader, m->stream.stream_no, size);
    enum ves_status status =
        ves_tlog_edge_at(&source.tiles.source, size, &m->edge);
    if (status)
        return store_failed(m, status);
    if (size == 0)
        return VES_OK;
    ves_tlog_edge_root(&m->edge, &root);
    return ves_hash_equal(&root, &m->log.signed_root)
               ? VES_OK
               : ves_fail(m->error, VES_CORRUPT,
                          "the tree at %llu events is not the one that was "
                          "signed",
                          (unsigned long long)size);
}

/* Memory of one chunk. */
struct chunk {
    struct ves_leaf_row rows[LEAVES_CHUNK];
    uint8_t entries[LEAVES_CHUNK][VES_LEAF_SIZE];
    struct ves_hash leaves[LEAVES_CHUNK];
};

/* Appends the rows up to the first that has not the number it must have; are
 * there some, and was that all of them? */
static bool append_chunk(struct making *m, struct chunk *chunk, size_t found)
{
    size_t n = 0;

    for (; n < found &&
           chunk->rows[n].sequence_number == m->edge.size + n + VES_TLOG_FIRST;
         n++)
        write_entry(&m->stream.stream, &chunk->rows[n], chunk->entries[n]);
    ves_tlog_leaf_hash_each(chunk->entries[0], VES_LEAF_SIZE, n, chunk->leaves);
    return !ves_tlog_edge_append_all(&m->edge, chunk->leaves, n, NULL, NULL) &&
           n > 0 && n == found;
}

/* Leaves from the events as they lie in the store now. */
static enum ves_status recompute(struct making *m)
{
    struct chunk *chunk = ves_arena_alloc(m->arena, sizeof(*chunk));
    if (!chunk)
        return ves_fail(m->error, VES_NOMEM, "out of memory");
    while (m->edge.size < m->stream.head) {
        uint64_t left = m->stream.head - m->edge.size;
        size_t found;
        enum ves_status status = m->reader->ops->log_leaves(
            m->reader, m->stream.stream_no, m->edge.size + VES_TLOG_FIRST,
            left < LEAVES_CHUNK ? (size_t)left : LEAVES_CHUNK, chunk->rows,
            &found);
        if (status)
            return store_failed(m, status);
        if (!append_chunk(m, chunk, found))
            return ves_fail(m->error, VES_CORRUPT,
                            "event %llu is missing in the log",
                            (unsigned long long)m->edge.size + VES_TLOG_FIRST);
    }
    return VES_OK;
}

static enum ves_status compare(struct making *m)
{
    struct ves_tlog_edge kept;

    if (ves_tlog_edge_read(m->log.edge, &kept) || kept.size != m->edge.size ||
        kept.count != m->edge.count ||
        memcmp(kept.hash, m->edge.hash, kept.count * sizeof(kept.hash[0])) != 0)
        return ves_fail(m->error, VES_CORRUPT,
                        "the events up to %llu, read again, do not make the "
                        "tree they were appended to",
                        (unsigned long long)m->edge.size);
    return VES_OK;
}

/* The log's name as its events have it now. */
static enum ves_status read_name(struct making *m)
{
    struct ves_scratch origin;
    struct ves_log_epoch last;

    enum ves_status status =
        ves_log_epoch_last(m->reader, m->stream.stream_no,
                           &m->sequencer->sequencer_id, m->arena, &last);
    if (status)
        return store_failed(m, status);
    m->epoch = last.epoch.number;
    ves_scratch_init(&origin, m->arena, VES_ORIGIN_MAX, VES_ORIGIN_MAX);
    ves_epoch_origin_write(&origin.buf, m->sequencer->log_host, m->epoch,
                           &m->log.stream_id);
    m->origin = ves_buf_view(&origin.buf);
    return ves_buf_status(&origin.buf);
}

static enum ves_status sign(struct making *m, struct ves_head_row *row)
{
    struct ves_signer *signer = m->sequencer->signer;
    struct ves_checkpoint checkpoint = {.size = m->edge.size};
    struct ves_scratch note;
    struct ves_note_key key;
    struct ves_sig sig;

    ves_scratch_init(&note, m->arena, NOTE_BYTES_MAX, NOTE_BYTES_MAX);
    ves_tlog_edge_root(&m->edge, &checkpoint.root);
    checkpoint.origin = m->origin;
    ves_checkpoint_write(&note.buf, &checkpoint);
    enum ves_status status = ves_buf_status(&note.buf);
    if (status)
        return ves_fail(m->error, status, "the checkpoint has no room");
    signer->sign_text(signer, ves_buf_view(&note.buf), &sig);
    ves_note_key_init(&key, checkpoint.origin, VES_NOTE_ED25519,
                      &signer->public_key);
    ves_buf_put_u8(&note.buf, '\n');
    ves_note_line_write(&note.buf, &key, sig.b, VES_SIG_SIZE);
    row->size = checkpoint.size;
    row->root = checkpoint.root;
    row->note = ves_buf_view(&note.buf);
    return ves_buf_status(&note.buf);
}

/* Is the head that is signed by the key that signs now? */
static bool is_ours(struct making *m)
{
    struct ves_note *note = ves_arena_alloc(m->arena, sizeof(*note));
    struct ves_note_key key;

    if (!note || ves_note_read(m->log.note, note, NULL))
        return false;
    ves_note_key_init(&key, m->origin, VES_NOTE_ED25519,
                      &m->sequencer->signer->public_key);
    for (size_t i = 0; i < note->count; i++) {
        if (note->lines[i].key_id == key.id &&
            ves_bytes_equal(note->lines[i].name, key.name))
            return true;
    }
    return false;
}

/* The head of one moment; out->is_due stays false when there is none. */
static enum ves_status make(struct making *m, const struct ves_stream *stream,
                            struct ves_log_head *out)
{
    struct ves_store *reader = m->reader;

    enum ves_status status =
        reader->ops->stream_get(reader, stream, false, &m->stream);
    if (!status)
        status = reader->ops->tlog_get(reader, m->stream.stream_no, m->arena,
                                       &m->log);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : store_failed(m, status);
    if (m->log.frozen_at_ms || m->stream.head == 0)
        return VES_OK;
    status = read_name(m);
    if (!status && m->stream.head == m->log.signed_size && is_ours(m))
        return VES_OK;
    if (!status)
        status = start_from_signed(m);
    if (!status)
        status = recompute(m);
    if (!status)
        status = compare(m);
    if (!status)
        status = sign(m, &out->row);
    out->is_due = !status;
    return status;
}

enum ves_status ves_log_head_make(struct ves_sequencer *sequencer,
                                  struct ves_store *reader,
                                  const struct ves_stream *stream,
                                  int64_t now_ms, struct ves_arena *arena,
                                  struct ves_log_head *out,
                                  struct ves_error *error)
{
    struct making m = {.sequencer = sequencer,
                       .reader = reader,
                       .arena = arena,
                       .error = error};

    *out = (struct ves_log_head){.is_due = false};
    enum ves_status status = reader->ops->begin_read(reader);
    if (status)
        return store_failed(&m, status);
    status = make(&m, stream, out);
    reader->ops->end_read(reader);
    out->stream_no = m.stream.stream_no;
    out->stream_id = m.log.stream_id;
    out->epoch = m.epoch;
    out->expected_size = m.log.signed_size;
    out->row.signed_at_ms = now_ms;
    return status;
}

static enum ves_status in_transaction(struct ves_store *store,
                                      enum ves_status status)
{
    if (!status)
        status = store->ops->commit(store);
    if (!status)
        return VES_OK;
    struct ves_error words = store->error;
    store->ops->rollback(store);
    store->error = words;
    return status;
}

enum ves_status ves_log_head_keep(struct ves_sequencer *sequencer,
                                  const struct ves_log_head *heads,
                                  size_t count)
{
    struct ves_store *store = sequencer->store;

    enum ves_status status = store->ops->begin(store);
    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++) {
        if (heads[i].is_due)
            status =
                store->ops->tlog_sign(store, heads[i].stream_no,
                                      heads[i].expected_size, &heads[i].row);
    }
    return in_transaction(store, status);
}

/* ---- what others know ---------------------------------------------------- */

enum ves_status ves_log_claim_compare(struct ves_store *store,
                                      const struct ves_stream_row *stream,
                                      const struct ves_checkpoint *head,
                                      enum ves_log_claim *out)
{
    struct ves_hash root;

    *out = VES_LOG_CONTRADICTS;
    if (head->size > stream->head)
        return VES_OK;
    enum ves_status status =
        ves_log_root_at(store, stream->stream_no, head->size, &root);
    if (!status && ves_hash_equal(&root, &head->root))
        *out = VES_LOG_AGREES;
    return status;
}

static enum ves_status freeze(struct ves_sequencer *sequencer,
                              const struct ves_stream *stream,
                              struct ves_bytes why, struct ves_bytes evidence,
                              int64_t now_ms, struct ves_arena *arena)
{
    struct ves_store *store = sequencer->store;
    struct ves_stream_row row;
    struct ves_tlog_row log;
    struct ves_record alert = {.at_ms = now_ms,
                               .code = ves_bytes_str("log_frozen"),
                               .detail = why,
                               .body = evidence};

    enum ves_status status = store->ops->stream_get(store, stream, false, &row);
    if (!status)
        status = store->ops->tlog_get(store, row.stream_no, arena, &log);
    if (status || log.frozen_at_ms)
        return status;
    alert.sequence_number = row.head;
    status = store->ops->tlog_freeze(store, row.stream_no,
                                     now_ms > 0 ? now_ms : 1, why);
    return status ? status
                  : store->ops->record_append(store, VES_RECORD_ALERT,
                                              row.stream_no, &alert, 1);
}

enum ves_status ves_log_freeze(struct ves_sequencer *sequencer,
                               const struct ves_stream *stream,
                               struct ves_bytes why, struct ves_bytes evidence,
                               int64_t now_ms)
{
    struct ves_store *store = sequencer->store;
    struct ves_arena arena;

    enum ves_status status = store->ops->begin(store);
    if (status)
        return status;
    ves_arena_init(&arena, sequencer->alloc, FREEZE_ARENA_MAX);
    status = in_transaction(
        store, freeze(sequencer, stream, why, evidence, now_ms, &arena));
    ves_arena_free(&arena);
    return status;
}
