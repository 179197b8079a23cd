/* agent_log.c -- the provable log of the stream that is followed.
 *
 * The store keeps the edge of the log's tree beside its events, so it knows the
 * root at every size it passes.  A signed head that a page brings must be that
 * root, or be proven to continue it; a head verified once is remembered, and
 * what contradicts it later is never applied.
 */
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/merkle.h"
#include "core/scratch.h"
#include "engine/agent_internal.h"

enum {
    HEADS_KEPT = 1000,
    PAGE_KEPT_MAX = 1024 * 1024, /* bytes of a page that is false */
    LEAVES_CHUNK = 512,          /* read at a time */
    /* A head below the cursor that was not kept is worth computing the tree
     * again up to that size; beyond it the next head says the same. */
    AGAIN_MAX = 65536,
    EDGE_BYTES_MAX = 8 + VES_TLOG_EDGE_MAX * VES_HASH_SIZE
};

static void leaf_hash(const struct ves_agent_core *core, uint64_t sequence,
                      const struct ves_hash *hash,
                      const struct ves_sig *signature, struct ves_hash *out)
{
    const struct ves_leaf leaf = {core->stream, sequence, *hash, *signature};
    uint8_t entry[VES_LEAF_SIZE];

    ves_leaf_write(&leaf, entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), out);
}

/* ---- what is kept -------------------------------------------------------- */

static enum ves_status is_missing(struct ves_agent_core *core, uint64_t number)
{
    return ves_fail(&core->error, VES_CORRUPT,
                    "event %llu is missing in this store's log; keep the file "
                    "and restore a backup",
                    (unsigned long long)number);
}

/* Adds the store's own events up to size end. */
static enum ves_status grow(struct ves_device_log *log,
                            struct ves_tlog_edge *edge, uint64_t end)
{
    struct ves_agent_core *core = log->core;
    struct ves_leaf_row *rows =
        ves_arena_list(log->arena, LEAVES_CHUNK, sizeof(*rows));

    if (!rows)
        return VES_NOMEM;
    while (edge->size < end) {
        uint64_t left = end - edge->size;
        size_t found;
        enum ves_status status = core->store->ops->log_leaves(
            core->store, core->stream_no, edge->size + VES_TLOG_FIRST,
            left < LEAVES_CHUNK ? (size_t)left : LEAVES_CHUNK, rows, &found);
        if (!status && found == 0)
            status = is_missing(core, edge->size + VES_TLOG_FIRST);
        for (size_t i = 0; !status && i < found; i++) {
            struct ves_hash hash;
            leaf_hash(core, rows[i].sequence_number, &rows[i].event_hash,
                      &rows[i].signature, &hash);
            status = rows[i].sequence_number == edge->size + VES_TLOG_FIRST
                         ? ves_tlog_edge_add(edge, 0, &hash)
                         : is_missing(core, edge->size + VES_TLOG_FIRST);
        }
        if (status)
            return status;
    }
    return VES_OK;
}

enum ves_status ves_device_log_open(struct ves_device_log *log, uint64_t cursor)
{
    struct ves_agent_core *core = log->core;

    enum ves_status status = core->store->ops->follow_get(
        core->store, core->stream_no, log->arena, &log->row);
    if (status && status != VES_NOT_FOUND)
        return status;
    memset(&log->edge, 0, sizeof(log->edge));
    /* Written by a program that did not keep it yet: from the events here,
     * which keep hash and signature when their bodies go. */
    if (log->row.edge.len == 0 ||
        ves_tlog_edge_read(log->row.edge, &log->edge) ||
        log->edge.size > cursor)
        memset(&log->edge, 0, sizeof(log->edge));
    return grow(log, &log->edge, cursor);
}

enum ves_status ves_device_log_root_at(struct ves_device_log *log,
                                       uint64_t size, struct ves_hash *root)
{
    struct ves_agent_core *core = log->core;
    struct ves_tlog_edge edge = {.size = 0};
    struct ves_kept_head kept;
    size_t found;

    if (size == log->edge.size) {
        ves_tlog_edge_root(&log->edge, root);
        return VES_OK;
    }
    enum ves_status status = core->store->ops->kept_heads_read(
        core->store, core->stream_no, size, 1, &kept, &found);
    if (!status && found > 0 && kept.size == size) {
        *root = kept.root;
        return VES_OK;
    }
    if (!status && size > AGAIN_MAX)
        return VES_NOT_FOUND;
    if (!status)
        status = grow(log, &edge, size);
    if (!status)
        ves_tlog_edge_root(&edge, root);
    return status;
}

enum ves_status ves_core_known_head(struct ves_agent_core *core,
                                    struct ves_arena *arena,
                                    struct ves_bytes *note)
{
    struct ves_follow_row row;

    core->error.status = VES_OK;
    *note = ves_bytes(NULL, 0);
    enum ves_status status =
        core->store->ops->follow_get(core->store, core->stream_no, arena, &row);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (!status)
        *note = row.note;
    return ves_device_say(core, status);
}

/* ---- how final events are ------------------------------------------------ */

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

enum ves_status ves_core_finality(struct ves_agent_core *core,
                                  struct ves_core_finality *out)
{
    struct ves_follow_row row;
    struct ves_arena arena;
    struct ves_bytes host;
    uint64_t cursor;

    *out = (struct ves_core_finality){.logged = 0};
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_cursor(core, &cursor);
    if (!status)
        status = core->store->ops->follow_get(core->store, core->stream_no,
                                              &arena, &row);
    if (!status)
        *out = (struct ves_core_finality){
            .logged = smaller(row.logged, cursor),
            .witnessed = smaller(row.witnessed, cursor),
            .epoch = ves_epoch_of_origin(row.origin, &host),
            .verified_ms = row.verified_ms};
    ves_arena_free(&arena);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

const char *ves_finality_name(const struct ves_core_finality *finality,
                              uint64_t sequence, bool has_receipt)
{
    if (sequence == 0)
        return NULL;
    if (sequence <= finality->witnessed)
        return "witnessed";
    if (sequence <= finality->logged)
        return "logged";
    return has_receipt ? "received" : NULL;
}

/* ---- comparing ----------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void
is_false(struct ves_device_log *log, const char *code, const char *format, ...)
{
    va_list args;

    if (log->code)
        return;
    log->code = code;
    va_start(args, format);
    (void)ves_vfail(&log->words, VES_REFUSED, format, args);
    va_end(args);
}

/* The events of the page are added to edge; every head on the way must be what
 * they make. */
static enum ves_status pass(struct ves_device_log *log,
                            const struct ves_page *page, size_t first,
                            struct ves_tlog_edge *edge)
{
    struct ves_agent_core *core = log->core;
    const struct ves_checkpoint *head = &page->log.head;
    struct ves_kept_head kept = {.size = 0};
    enum ves_status status = VES_OK;
    /* Heads that were kept beyond an epoch's opening are of what it gave up. */
    size_t found = log->opening.is_there ? 0 : 1;

    for (size_t i = first; i < page->count && !status; i++) {
        struct ves_hash root;
        if (found > 0 && kept.size <= edge->size)
            status = core->store->ops->kept_heads_read(
                core->store, core->stream_no, edge->size + 1, 1, &kept, &found);
        if (!status)
            status = ves_tlog_edge_add(edge, 0, &page->log.leaves[i]);
        bool is_kept = found > 0 && kept.size == edge->size;
        bool is_head = page->log.has_head && head->size == edge->size;
        bool is_vouched = ves_device_witness_wants(&page->log, edge->size);
        if (status || (!is_kept && !is_head && !is_vouched))
            continue;
        ves_tlog_edge_root(edge, &root);
        if (is_vouched)
            ves_device_witness_pass(log, &page->log, edge->size, &root);
        if (is_kept && !ves_hash_equal(&root, &kept.root))
            is_false(log, VES_LOG_MISMATCH,
                     "its events up to number %llu are not those of the head "
                     "that was signed before",
                     (unsigned long long)kept.size);
        if (is_head && !ves_hash_equal(&root, &head->root))
            is_false(log, VES_LOG_MISMATCH,
                     "its events do not make the root of the head of %llu "
                     "entries that came with them",
                     (unsigned long long)head->size);
    }
    return status;
}

/* A head that is not above what is here. */
static enum ves_status compare_old(struct ves_device_log *log,
                                   const struct ves_checkpoint *head)
{
    struct ves_hash root;

    enum ves_status status = ves_device_log_root_at(log, head->size, &root);
    log->is_unknown = status == VES_NOT_FOUND;
    if (log->is_unknown)
        return VES_OK;
    if (!status && !ves_hash_equal(&root, &head->root))
        is_false(log,
                 head->size <= log->row.logged ? VES_LOG_FORK
                                               : VES_LOG_MISMATCH,
                 "the head of %llu entries is not what this store knows of the "
                 "log at that size",
                 (unsigned long long)head->size);
    return status;
}

/* A head of the same size as one that was verified. */
static enum ves_status compare_kept(struct ves_device_log *log,
                                    const struct ves_checkpoint *head)
{
    struct ves_agent_core *core = log->core;
    struct ves_kept_head kept;
    size_t found;

    enum ves_status status = core->store->ops->kept_heads_read(
        core->store, core->stream_no, head->size, 1, &kept, &found);
    if (!status && found > 0 && kept.size == head->size &&
        !ves_hash_equal(&kept.root, &head->root))
        is_false(log, VES_LOG_FORK, "the log signed two heads of %llu entries",
                 (unsigned long long)head->size);
    return status;
}

static enum ves_status compare_head(struct ves_device_log *log,
                                    const struct ves_page *page,
                                    const struct ves_tlog_edge *edge)
{
    const struct ves_page_log *told = &page->log;
    struct ves_hash root;

    enum ves_status status =
        log->opening.is_there ? VES_OK : compare_kept(log, &told->head);
    if (status || log->code)
        return status;
    if (told->head.size <= log->edge.size)
        return compare_old(log, &told->head);
    if (told->head.size <= edge->size)
        return VES_OK; /* compared in passing */
    ves_tlog_edge_root(edge, &root);
    if (ves_tlog_consistency_check(&told->path, edge->size, &root,
                                   told->head.size, &told->head.root))
        is_false(log, VES_LOG_MISMATCH,
                 "it is not proven that the head of %llu entries goes on from "
                 "where the page ends",
                 (unsigned long long)told->head.size);
    return VES_OK;
}

enum naming { NAME_RIGHT, NAME_LATER, NAME_WRONG };

/* Is the head's name the log's?  An epoch is named by its opening alone, never
 * by a head: else one history could be shown under each name, and no two heads
 * would contradict each other.  While its opening may come with a later page,
 * such a head says nothing. */
static enum naming compare_name(const struct ves_device_log *log,
                                const struct ves_page *page, bool is_whole)
{
    const struct ves_checkpoint *head = &page->log.head;
    uint64_t end = page->asked_from + page->count - 1;
    struct ves_bytes ours = {NULL, 0}, theirs, name = log->row.origin;

    if (!page->log.has_head)
        return NAME_RIGHT;
    if (log->opening.is_there)
        name = log->opening.epoch.origin;
    uint64_t epoch = ves_epoch_of_origin(head->origin, &theirs);
    if (name.len > 0 ? ves_bytes_equal(head->origin, name) : epoch == 0)
        return NAME_RIGHT;
    bool is_later = epoch > ves_epoch_of_origin(name, &ours) &&
                    (name.len == 0 || ves_bytes_equal(ours, theirs));
    return is_later && (!is_whole || head->size > end) ? NAME_LATER
                                                       : NAME_WRONG;
}

enum ves_status ves_device_log_check(struct ves_device_log *log,
                                     const struct ves_page *page, size_t first,
                                     bool is_whole)
{
    const struct ves_page_log *told = &page->log;
    struct ves_tlog_edge *edge = ves_arena_alloc(log->arena, sizeof(*edge));
    uint64_t end = page->asked_from + page->count - 1;

    if (!edge)
        return VES_NOMEM;
    *edge = log->edge;
    if (told->problem) {
        is_false(log, VES_CHECKPOINT_INVALID, "%s", told->problem);
        return VES_OK;
    }
    enum naming naming = compare_name(log, page, is_whole);
    if (naming == NAME_WRONG) {
        is_false(log, VES_CHECKPOINT_INVALID,
                 "the checkpoint names another log than before");
        return VES_OK;
    }
    if (!is_whole || end < log->edge.size)
        return VES_OK;
    enum ves_status status = pass(log, page, first, edge);
    if (status || !told->has_head || log->code || naming == NAME_LATER)
        return status;
    if (told->head.size <= end && told->path.count > 0) {
        is_false(log, VES_CHECKPOINT_INVALID,
                 "a proof comes with a head that needs none");
        return VES_OK;
    }
    status = compare_head(log, page, edge);
    /* Nothing of a log is known to who has none of its events. */
    log->is_verified = !status && !log->code && !log->is_unknown && end > 0;
    return status;
}

/* The head, as much of the page as is kept, and the head that it is held
 * against: both are signed, whatever else can be shown of them later. */
static enum ves_status page_body(const struct ves_device_log *log,
                                 const struct ves_page *page,
                                 struct ves_bytes *out)
{
    struct ves_bytes note = page->log.text, text = page->text;
    struct ves_scratch body;

    if (text.len > PAGE_KEPT_MAX)
        text.len = PAGE_KEPT_MAX;
    size_t len = note.len + text.len + log->row.note.len + 2;
    ves_scratch_init(&body, log->arena, len, len);
    ves_buf_put_bytes(&body.buf, note);
    ves_buf_put_u8(&body.buf, '\n');
    ves_buf_put_bytes(&body.buf, text);
    ves_buf_put_u8(&body.buf, '\n');
    ves_buf_put_bytes(&body.buf, log->row.note);
    *out = ves_buf_view(&body.buf);
    return ves_buf_status(&body.buf);
}

enum ves_status ves_device_log_refuse(struct ves_device_log *log,
                                      struct ves_page *page, int64_t now_ms,
                                      uint64_t *quarantined)
{
    bool is_new = false;
    struct ves_device_alert alert = {.code = log->code,
                                     .detail = log->words.text,
                                     .sequence_number = page->log.head.size};
    const struct ves_broken_promise *broken = &page->log.broken;

    if (broken->is_there) {
        alert.sequence_number = broken->receipt.sequence_number;
        alert.event_id = &broken->receipt.event_id;
    }

    enum ves_status status = page_body(log, page, &alert.body);
    if (!status)
        status = ves_device_quarantine(log->core, now_ms, &alert, &is_new);
    if (status)
        return status;
    *quarantined = is_new;
    page->log.is_disputed = strcmp(log->code, VES_CHECKPOINT_INVALID) != 0;
    (void)ves_fail(&log->core->error, VES_REFUSED,
                   "what the sequencer says of its log does not hold: %s (%s). "
                   "Nothing of the page was applied; its bytes are in "
                   "quarantine. Do not go on with this sequencer before its "
                   "operator has looked at it",
                   log->words.text, log->code);
    return VES_OK;
}

/* ---- remembering --------------------------------------------------------- */

static enum ves_status write_row(struct ves_device_log *log)
{
    struct ves_agent_core *core = log->core;
    struct ves_scratch edge;

    ves_scratch_init(&edge, log->arena, EDGE_BYTES_MAX, EDGE_BYTES_MAX);
    ves_tlog_edge_write(&edge.buf, &log->edge);
    enum ves_status status = ves_buf_status(&edge.buf);
    if (status)
        return status;
    log->row.edge = ves_buf_view(&edge.buf);
    return core->store->ops->follow_put(core->store, core->stream_no,
                                        &log->row);
}

static enum ves_status keep_head(struct ves_device_log *log,
                                 const struct ves_page_log *told,
                                 int64_t now_ms)
{
    struct ves_agent_core *core = log->core;
    const struct ves_kept_head head = {told->head.size, told->head.root};

    if (log->row.origin.len == 0)
        log->row.origin = told->head.origin;
    /* While its entries are not here, nothing shows that another one goes on
     * from it, and without its signature nobody else could be shown. */
    bool is_awaited = log->row.logged > log->edge.size;
    if (head.size >= log->row.logged && !is_awaited) {
        log->row.note = told->text;
        log->row.key_version = told->key_version;
        log->row.logged = head.size;
        log->row.verified_ms = now_ms;
    }
    return core->store->ops->kept_head_put(core->store, core->stream_no, &head,
                                           HEADS_KEPT);
}

enum ves_status ves_device_log_keep(struct ves_device_log *log,
                                    const struct ves_page *page, size_t first,
                                    size_t end, int64_t now_ms)
{
    enum ves_status status = VES_OK;
    bool is_changed = end > first || log->row.edge.len == 0;

    for (size_t i = first; i < end && !status; i++)
        status = ves_tlog_edge_add(&log->edge, 0, &page->log.leaves[i]);
    if (!status && log->is_verified && page->log.head.size > 0) {
        bool is_known = ves_bytes_equal(log->row.note, page->log.text);
        if (!is_known)
            status = keep_head(log, &page->log, now_ms);
        is_changed |= !is_known;
        /* The events have passed both, and were compared with both. */
        if (!status && log->edge.size >= log->row.logged)
            status = ves_device_close(log->core, now_ms, VES_HEADS_APART);
    }
    if (!status)
        status = ves_device_witness_keep(log, page, &is_changed);
    return status || !is_changed ? status : write_row(log);
}
