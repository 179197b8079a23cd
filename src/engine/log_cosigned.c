/* log_cosigned.c -- cosignatures of a stream's log over a store. */
#include "engine/log_cosigned.h"

#include "base/bytes.h"
#include "json/jcs.h"

enum { KEEP_ARENA_MAX = 4 * 1024 * 1024 };

enum ves_status ves_log_cosigned_get(struct ves_store *store,
                                     uint32_t stream_no,
                                     struct ves_arena *arena,
                                     struct ves_cosigned *out)
{
    struct ves_bytes notes;

    enum ves_status status =
        store->ops->cosigned_get(store, stream_no, arena, &notes);
    if (!status)
        status = ves_cosigned_read(notes, arena, out);
    /* Nobody's pull fails for it, and nothing is lost that would not come
     * again. */
    if (status == VES_CORRUPT)
        status = ves_cosigned_read(ves_bytes(NULL, 0), arena, out);
    return status;
}

/* ---- keeping --------------------------------------------------------------
 */

/* The items of one stream, from the first on; the others are left alone. */
static enum ves_status keep_stream(struct ves_store *store,
                                   const struct ves_log_cosigned *items,
                                   size_t count, struct ves_arena *arena,
                                   struct ves_buf *text, size_t *added)
{
    uint32_t stream_no = items[0].stream_no;
    struct ves_cosigned set;
    size_t before = *added;

    ves_arena_reset(arena);
    enum ves_status status =
        ves_log_cosigned_get(store, stream_no, arena, &set);
    for (size_t i = 0; i < count && !status; i++) {
        enum ves_cosigned_answer answer = VES_COSIGNED_KNOWN;
        if (items[i].stream_no != stream_no)
            continue;
        status = ves_cosigned_add(&set, items[i].note, &items[i].head,
                                  &items[i].line, &answer);
        *added += answer == VES_COSIGNED_ADDED;
    }
    if (status || *added == before)
        return status;
    ves_buf_reset(text);
    ves_cosigned_write(text, &set);
    status = ves_buf_status(text);
    return status
               ? status
               : store->ops->cosigned_put(store, stream_no, ves_buf_view(text));
}

static bool was_seen(const struct ves_log_cosigned *items, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (items[i].stream_no == items[at].stream_no)
            return true;
    }
    return false;
}

enum ves_status ves_log_cosigned_keep(struct ves_sequencer *sequencer,
                                      const struct ves_log_cosigned *items,
                                      size_t count, size_t *added)
{
    struct ves_store *store = sequencer->store;
    struct ves_arena arena;
    struct ves_buf text;

    *added = 0;
    enum ves_status status = store->ops->begin(store);
    if (status)
        return status;
    ves_arena_init(&arena, sequencer->alloc, KEEP_ARENA_MAX);
    ves_buf_init(&text, sequencer->alloc, VES_COSIGNED_MAX);
    for (size_t i = 0; i < count && !status; i++) {
        if (!was_seen(items, i))
            status =
                keep_stream(store, items + i, count - i, &arena, &text, added);
    }
    if (!status)
        status = store->ops->commit(store);
    if (status) {
        store->ops->rollback(store);
        *added = 0;
    }
    ves_buf_free(&text);
    ves_arena_free(&arena);
    return status;
}

/* ---- serving --------------------------------------------------------------
 */

enum ves_status ves_log_cosigned_note(struct ves_buf *out,
                                      struct ves_store *store,
                                      uint32_t stream_no, uint64_t size,
                                      struct ves_bytes note,
                                      struct ves_arena *arena)
{
    struct ves_cosigned set;

    enum ves_status status =
        ves_log_cosigned_get(store, stream_no, arena, &set);
    if (status)
        return status;
    ves_cosigned_note_write(out, note, ves_cosigned_find(&set, size));
    return ves_buf_status(out);
}

static bool has_witness(const struct ves_cosigned_head *head)
{
    struct ves_uuid ignored;

    for (size_t i = 0; i < head->count; i++) {
        if (!ves_cosigner_agent(head->lines[i].name, head->checkpoint.origin,
                                &ignored))
            return true;
    }
    return false;
}

static void put_note(struct ves_buf *out, struct ves_buf *note,
                     struct ves_bytes base,
                     const struct ves_cosigned_head *head)
{
    ves_buf_reset(note);
    ves_cosigned_note_write(note, base, head);
    ves_jcs_write_string(out, ves_buf_view(note));
}

enum ves_status ves_log_cosigned_page(struct ves_buf *out,
                                      struct ves_store *store,
                                      uint32_t stream_no,
                                      const struct ves_tlog_row *log,
                                      struct ves_arena *arena)
{
    struct ves_cosigned set;
    struct ves_buf note;
    size_t written = 0;

    enum ves_status status =
        ves_log_cosigned_get(store, stream_no, arena, &set);
    if (status)
        return status;
    ves_buf_init(&note, arena->alloc, VES_NOTE_MAX);
    ves_buf_put_str(out, ",\"checkpoint\":");
    put_note(out, &note, log->note, ves_cosigned_find(&set, log->signed_size));
    ves_buf_put_str(out, ",\"witnessed\":[");
    for (size_t i = 0; i < 2 * set.count; i++) {
        const struct ves_cosigned_head *head = set.heads[i % set.count];
        if (written == VES_LOG_COSIGNED_PAGE_MAX ||
            head->checkpoint.size == log->signed_size ||
            has_witness(head) != (i < set.count))
            continue;
        ves_buf_put_str(out, written++ ? "," : "");
        put_note(out, &note, head->note, head);
    }
    ves_buf_put_u8(out, ']');
    status = ves_buf_status(&note);
    ves_buf_free(&note);
    return status ? status : ves_buf_status(out);
}
