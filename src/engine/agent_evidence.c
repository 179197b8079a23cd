/* agent_evidence.c -- what a sequencer signed that cannot all be honest, put
 * into a file that anybody can check who has the log's key.
 *
 * Two heads are of two histories when one complete subtree lies in both and has
 * two hashes.  Ours comes from this store's own events; theirs from the proof
 * that their log includes its last common entry, whose left siblings, and
 * itself, are all that they have in common.  Nothing is called evidence that
 * ves_verify does not prove.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/evidence.h"
#include "core/merkle.h"
#include "engine/agent_internal.h"
#include "ves/verify.h"

enum { POLICY_MAX = 16 * 1024, HEX = 2 * VES_HASH_SIZE };

/* ---- this store's tree --------------------------------------------------- */

static enum ves_status add_rows(struct ves_device_tree *tree, uint64_t first,
                                size_t count, struct ves_tlog_edge *edge)
{
    struct ves_agent_core *core = tree->core;
    size_t found;

    enum ves_status status = core->store->ops->log_leaves(
        core->store, core->stream_no, first + VES_TLOG_FIRST, count, tree->rows,
        &found);
    if (!status && found != count)
        status = VES_NOT_FOUND;
    for (size_t i = 0; !status && i < found; i++) {
        const struct ves_leaf leaf = {
            core->stream, tree->rows[i].sequence_number,
            tree->rows[i].event_hash, tree->rows[i].signature};
        uint8_t entry[VES_LEAF_SIZE];
        struct ves_hash hash;
        ves_leaf_write(&leaf, entry);
        ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
        status = ves_tlog_edge_add(edge, 0, &hash);
    }
    return status;
}

/* A complete subtree is a tree of its own. */
static enum ves_status read_node(struct ves_device_tree *tree,
                                 const struct ves_tlog_node *node,
                                 struct ves_hash *out)
{
    struct ves_tlog_edge edge = {.size = 0};
    uint64_t first = node->index << node->level;
    uint64_t width = UINT64_C(1) << node->level;
    enum ves_status status = VES_OK;

    while (!status && edge.size < width) {
        uint64_t left = width - edge.size;
        status = add_rows(tree, first + edge.size,
                          left < VES_DEVICE_TREE_CHUNK ? (size_t)left
                                                       : VES_DEVICE_TREE_CHUNK,
                          &edge);
    }
    if (!status)
        ves_tlog_edge_root(&edge, out);
    return status;
}

enum ves_status ves_device_tree_read(void *ctx,
                                     const struct ves_tlog_node *nodes,
                                     size_t count, struct ves_hash *out)
{
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < count && !status; i++)
        status = read_node(ctx, &nodes[i], &out[i]);
    return status;
}

/* ---- what is shown ------------------------------------------------------- */

enum ves_status ves_device_evidence_head(struct ves_bytes bytes,
                                         struct ves_evidence_head *out)
{
    out->note_bytes = bytes;
    enum ves_status status = ves_note_read(bytes, &out->note, NULL);
    return status ? status
                  : ves_checkpoint_read(out->note.text, &out->checkpoint, NULL);
}

static bool is_signed(const struct ves_agent_core *core,
                      const struct ves_evidence_head *head)
{
    bool is_good = false;

    for (size_t i = 0; i < core->sequencer_key_count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, head->checkpoint.origin, VES_NOTE_ED25519,
                          &core->sequencer_keys[i].public_key);
        enum ves_note_verdict verdict = ves_note_check(&head->note, &key, NULL);
        if (verdict == VES_NOTE_BAD)
            return false;
        is_good |= verdict == VES_NOTE_GOOD;
    }
    return is_good;
}

/* Our head and theirs.  *is_beyond: the entries of ours are not all here.
 * VES_NOT_FOUND: there is nothing to compare with. */
static enum ves_status read_heads(struct ves_agent_core *core,
                                  struct ves_arena *arena,
                                  struct ves_bytes theirs,
                                  struct ves_evidence *out, bool *is_beyond)
{
    struct ves_follow_row row;
    uint64_t cursor;

    enum ves_status status =
        core->store->ops->follow_get(core->store, core->stream_no, arena, &row);
    if (!status)
        status = ves_device_cursor(core, &cursor);
    if (status)
        return status;
    if (row.note.len == 0)
        return VES_NOT_FOUND;
    status = ves_device_evidence_head(row.note, &out->heads[0]);
    if (!status)
        status = ves_device_evidence_head(theirs, &out->heads[1]);
    *is_beyond = row.logged > cursor;
    if (!status && (!is_signed(core, &out->heads[1]) ||
                    !ves_bytes_equal(out->heads[0].checkpoint.origin,
                                     out->heads[1].checkpoint.origin)))
        status = VES_REFUSED;
    return status;
}

static bool read_inclusion(struct ves_arena *arena, struct ves_bytes reply,
                           struct ves_hash *leaf, struct ves_tlog_path *path)
{
    const struct ves_json *root;
    struct ves_bytes hex;

    if (ves_json_read(arena, reply, NULL, &root, NULL) ||
        !ves_json_get_string(root, "leafHash", &hex) || hex.len != HEX ||
        ves_hex_decode(hex, leaf->b, VES_HASH_SIZE))
        return false;
    return ves_device_path_read(ves_json_member(root, "path"), path);
}

/* ... and theirs of a node that their proof passes or has beside it. */
static enum ves_status show_node(struct ves_evidence *out,
                                 const struct ves_tlog_source *own,
                                 struct ves_tlog_node node,
                                 const struct ves_hash *theirs,
                                 const struct ves_hash *above,
                                 const struct ves_tlog_path *rest, uint32_t at)
{
    struct ves_evidence_head *second = &out->heads[1];
    struct ves_hash ours;

    enum ves_status status = own->read(own->ctx, &node, 1, &ours);
    if (status)
        return status;
    if (ves_hash_equal(&ours, theirs))
        return VES_NOT_FOUND;
    out->has_node = true;
    out->node = node;
    out->heads[0].hash = ours;
    second->hash = *theirs;
    second->path.count = 0;
    if (above)
        second->path.hash[second->path.count++] = *above;
    for (uint32_t i = at; i < rest->count; i++)
        second->path.hash[second->path.count++] = rest->hash[i];
    return ves_tlog_inclusion_make(own, node, out->heads[0].checkpoint.size,
                                   &out->heads[0].path);
}

/* The last common entry, then each subtree to its left. */
static enum ves_status find_node(struct ves_evidence *out,
                                 const struct ves_tlog_source *own,
                                 uint64_t common, const struct ves_hash *leaf,
                                 const struct ves_tlog_path *path)
{
    uint64_t index = common - 1, last = out->heads[1].checkpoint.size - 1;
    struct ves_hash at = *leaf;
    uint32_t level = 0;

    enum ves_status status = show_node(
        out, own, (struct ves_tlog_node){0, index}, leaf, NULL, path, 0);
    for (uint32_t i = 0; i < path->count && status == VES_NOT_FOUND; i++) {
        /* Where the right edge is not full, it goes up without a sibling. */
        while ((index & 1) == 0 && index == last) {
            index >>= 1;
            last >>= 1;
            level++;
        }
        bool is_left = index & 1;
        if (is_left)
            status =
                show_node(out, own, (struct ves_tlog_node){level, index - 1},
                          &path->hash[i], &at, path, i + 1);
        if (is_left)
            ves_tlog_node_hash(&path->hash[i], &at, &at);
        else
            ves_tlog_node_hash(&at, &path->hash[i], &at);
        index >>= 1;
        last >>= 1;
        level++;
    }
    return status;
}

/* ---- only what can be proven --------------------------------------------- */

static void put_policy(struct ves_buf *buf, const struct ves_agent_core *core,
                       struct ves_bytes origin)
{
    for (size_t i = 0; i < core->sequencer_key_count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, origin, VES_NOTE_ED25519,
                          &core->sequencer_keys[i].public_key);
        ves_buf_put_str(buf, "log ");
        ves_note_key_write(buf, &key);
        ves_buf_put_u8(buf, '\n');
    }
    ves_buf_put_str(buf, "quorum none\n");
}

static enum ves_status prove(struct ves_agent_core *core,
                             struct ves_bytes origin, struct ves_bytes file,
                             enum ves_verify_verdict wanted)
{
    struct ves_verify_anchors anchors = {.stream = &core->stream};
    struct ves_verify_report *report =
        core->alloc->realloc(core->alloc->ctx, NULL, sizeof(*report));
    struct ves_buf policy;

    if (!report)
        return VES_NOMEM;
    ves_buf_init(&policy, core->alloc, POLICY_MAX);
    put_policy(&policy, core, origin);
    anchors.policy = ves_buf_view(&policy);
    enum ves_status status = ves_buf_status(&policy);
    if (!status)
        status = ves_verify(core->alloc, file, ves_bytes(NULL, 0), &anchors,
                            report, NULL);
    if (!status && report->verdict != wanted)
        status = VES_REFUSED;
    ves_buf_free(&policy);
    core->alloc->realloc(core->alloc->ctx, report, 0);
    return status;
}

struct search {
    const struct ves_device_alert *alert;
    bool is_found;
};

static enum ves_status look(void *ctx, const struct ves_record *row)
{
    struct search *search = ctx;

    search->is_found |=
        row->closed_ms == 0 && row->body.len > 0 &&
        row->sequence_number == search->alert->sequence_number &&
        ves_bytes_is(row->code, search->alert->code);
    return VES_OK;
}

/* Against one head of ours one piece of evidence is enough, however many others
 * the sequencer goes on to sign. */
static enum ves_status keep_alert(struct ves_agent_core *core, int64_t now_ms,
                                  const struct ves_device_alert *alert)
{
    struct search search = {alert, false};

    enum ves_status status = core->store->ops->record_list(
        core->store, VES_RECORD_ALERT, core->stream_no, 0, true, 0, look,
        &search);
    return status || search.is_found ? status
                                     : ves_device_alert(core, now_ms, alert);
}

static enum ves_status keep_evidence(struct ves_agent_core *core,
                                     const struct ves_evidence *evidence,
                                     enum ves_verify_verdict verdict,
                                     const char *code, const char *detail,
                                     int64_t now_ms, struct ves_buf *out)
{
    const struct ves_checkpoint *head = &evidence->heads[0].checkpoint;
    struct ves_device_alert alert = {
        .code = code, .detail = detail, .sequence_number = head->size};

    ves_buf_reset(out);
    ves_evidence_write(out, evidence);
    enum ves_status status = ves_buf_status(out);
    if (!status)
        status = prove(core, head->origin, ves_buf_view(out), verdict);
    if (!status)
        status = ves_device_begin(core);
    if (status)
        return status;
    alert.body = ves_buf_view(out);
    return ves_device_end(core, keep_alert(core, now_ms, &alert));
}

enum ves_status ves_device_evidence_keep(struct ves_agent_core *core,
                                         const struct ves_evidence *evidence,
                                         const char *code, const char *detail,
                                         int64_t now_ms, struct ves_buf *out)
{
    return keep_evidence(core, evidence, VES_VERIFY_PROVEN, code, detail,
                         now_ms, out);
}

/* ---- two histories ------------------------------------------------------- */

static enum ves_status dispute(struct ves_agent_core *core,
                               struct ves_arena *arena, struct ves_bytes theirs,
                               uint64_t *size, uint64_t *common)
{
    struct ves_evidence *evidence = ves_arena_alloc(arena, sizeof(*evidence));
    bool is_beyond;

    if (!evidence)
        return VES_NOMEM;
    enum ves_status status =
        read_heads(core, arena, theirs, evidence, &is_beyond);
    if (status)
        return status;
    uint64_t own = evidence->heads[0].checkpoint.size;
    *size = evidence->heads[1].checkpoint.size;
    *common = own < *size ? own : *size;
    if (is_beyond && own > *size)
        *size = own;
    return *common > 0 ? VES_OK : VES_NOT_FOUND;
}

enum ves_status ves_core_dispute(struct ves_agent_core *core,
                                 struct ves_bytes theirs, uint64_t *size,
                                 uint64_t *common)
{
    struct ves_arena arena;

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = dispute(core, &arena, theirs, size, common);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}

enum ves_status ves_core_apart(struct ves_agent_core *core,
                               struct ves_bytes theirs, bool *is_apart)
{
    struct ves_evidence *evidence;
    struct ves_arena arena;
    bool is_beyond = false;

    core->error.status = VES_OK;
    *is_apart = false;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    evidence = ves_arena_alloc(&arena, sizeof(*evidence));
    enum ves_status status =
        evidence ? read_heads(core, &arena, theirs, evidence, &is_beyond)
                 : VES_NOMEM;
    if (!status)
        *is_apart = is_beyond && evidence->heads[0].checkpoint.size !=
                                     evidence->heads[1].checkpoint.size;
    ves_arena_free(&arena);
    return status == VES_NOT_FOUND ? VES_OK : ves_device_say(core, status);
}

static enum ves_status fork_evidence(struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     struct ves_bytes theirs,
                                     struct ves_bytes inclusion, int64_t now_ms,
                                     struct ves_buf *out)
{
    struct ves_evidence *evidence = ves_arena_alloc(arena, sizeof(*evidence));
    struct ves_device_tree *tree = ves_arena_alloc(arena, sizeof(*tree));
    struct ves_tlog_path path;
    struct ves_hash leaf;
    bool is_beyond;

    if (!evidence || !tree)
        return VES_NOMEM;
    memset(evidence, 0, sizeof(*evidence));
    tree->core = core;
    evidence->kind = VES_EVIDENCE_FORK;
    enum ves_status status =
        read_heads(core, arena, theirs, evidence, &is_beyond);
    if (status)
        return status;
    const struct ves_checkpoint *first = &evidence->heads[0].checkpoint;
    const struct ves_checkpoint *second = &evidence->heads[1].checkpoint;
    if (first->size == second->size) {
        status = ves_hash_equal(&first->root, &second->root) ? VES_NOT_FOUND
                                                             : VES_OK;
    } else if (is_beyond) {
        /* The entries of neither are here: the last of the smaller speaks. */
        if (!read_inclusion(arena, inclusion, &evidence->last,
                            &evidence->last_path))
            return VES_REFUSED;
        evidence->has_last = true;
        status = ves_evidence_last(evidence);
        if (status == VES_INVALID)
            status = VES_REFUSED;
    } else {
        const struct ves_tlog_source own = {ves_device_tree_read, tree};
        uint64_t common =
            first->size < second->size ? first->size : second->size;
        if (!read_inclusion(arena, inclusion, &leaf, &path) ||
            ves_tlog_inclusion_check(&path,
                                     (struct ves_tlog_node){0, common - 1},
                                     second->size, &leaf, &second->root))
            return VES_REFUSED;
        status = find_node(evidence, &own, common, &leaf, &path);
    }
    return status ? status
                  : ves_device_evidence_keep(
                        core, evidence, "log_fork",
                        "the log signed two histories; the evidence is kept",
                        now_ms, out);
}

enum ves_status ves_core_fork_evidence(struct ves_agent_core *core,
                                       struct ves_bytes theirs,
                                       struct ves_bytes inclusion,
                                       int64_t now_ms, struct ves_buf *out)
{
    struct ves_arena arena;

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status =
        fork_evidence(core, &arena, theirs, inclusion, now_ms, out);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}

static enum ves_status apart_evidence(struct ves_agent_core *core,
                                      struct ves_arena *arena,
                                      struct ves_bytes theirs, int64_t now_ms,
                                      struct ves_buf *out)
{
    struct ves_evidence *evidence = ves_arena_alloc(arena, sizeof(*evidence));
    bool is_beyond;

    if (!evidence)
        return VES_NOMEM;
    memset(evidence, 0, sizeof(*evidence));
    evidence->kind = VES_EVIDENCE_FORK;
    enum ves_status status =
        read_heads(core, arena, theirs, evidence, &is_beyond);
    if (!status && evidence->heads[0].checkpoint.size ==
                       evidence->heads[1].checkpoint.size)
        status = VES_NOT_FOUND;
    return status
               ? status
               : keep_evidence(core, evidence, VES_VERIFY_BELOW_POLICY,
                               VES_HEADS_APART,
                               "the log signed two heads and did not show that "
                               "the larger goes on from the smaller; both "
                               "are kept",
                               now_ms, out);
}

enum ves_status ves_core_apart_evidence(struct ves_agent_core *core,
                                        struct ves_bytes theirs, int64_t now_ms,
                                        struct ves_buf *out)
{
    struct ves_arena arena;

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = apart_evidence(core, &arena, theirs, now_ms, out);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}

/* ---- a receipt that was not kept ----------------------------------------- */

bool ves_page_differs(const struct ves_page *page, struct ves_bytes entries,
                      uint64_t first, uint64_t *sequence)
{
    for (uint64_t number = first; entries.len >= 2 + VES_LEAF_SIZE; number++) {
        const uint8_t *entry = entries.ptr + 2;
        struct ves_leaf leaf;

        if (entries.ptr[0] != 0 || entries.ptr[1] != VES_LEAF_SIZE ||
            ves_leaf_read(ves_bytes(entry, VES_LEAF_SIZE), &leaf))
            return false;
        entries =
            ves_bytes(entry + VES_LEAF_SIZE, entries.len - 2 - VES_LEAF_SIZE);
        if (number < page->asked_from ||
            number - page->asked_from >= page->count)
            continue;
        const struct ves_page_item *item =
            &page->items[number - page->asked_from];
        if (item->has_receipt && !item->problem &&
            !ves_hash_equal(&leaf.event_hash, &item->event.event_hash)) {
            *sequence = number;
            return true;
        }
    }
    return false;
}

static enum ves_status
receipt_evidence(struct ves_agent_core *core, struct ves_arena *arena,
                 const struct ves_receipt *receipt,
                 const struct ves_hash *event_hash, struct ves_bytes head,
                 struct ves_bytes entry, struct ves_bytes inclusion,
                 int64_t now_ms, struct ves_buf *out)
{
    struct ves_evidence *evidence = ves_arena_alloc(arena, sizeof(*evidence));
    struct ves_hash leaf;

    if (!evidence)
        return VES_NOMEM;
    memset(evidence, 0, sizeof(*evidence));
    evidence->kind = VES_EVIDENCE_RECEIPT;
    enum ves_status status =
        ves_device_evidence_head(head, &evidence->heads[0]);
    if (status)
        return status;
    if (entry.len != VES_LEAF_SIZE || !is_signed(core, &evidence->heads[0]) ||
        !read_inclusion(arena, inclusion, &leaf, &evidence->heads[0].path))
        return VES_REFUSED;
    memcpy(evidence->entry, entry.ptr, entry.len);
    evidence->entry_len = entry.len;
    evidence->receipts[0].receipt = *receipt;
    evidence->receipts[0].event_hash = *event_hash;
    evidence->node.index = receipt->sequence_number - VES_TLOG_FIRST;
    return ves_device_evidence_keep(
        core, evidence, VES_RECEIPT_BROKEN,
        "the log has another event where a receipt promised one; the "
        "evidence is kept",
        now_ms, out);
}

enum ves_status ves_core_receipt_evidence(struct ves_agent_core *core,
                                          const struct ves_page *page,
                                          uint64_t sequence,
                                          struct ves_bytes entry,
                                          struct ves_bytes inclusion,
                                          int64_t now_ms, struct ves_buf *out)
{
    const struct ves_page_item *item =
        &page->items[sequence - page->asked_from];
    struct ves_arena arena;

    VES_ASSERT(item->has_receipt);
    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status =
        receipt_evidence(core, &arena, &item->receipt, &item->event.event_hash,
                         page->log.text, entry, inclusion, now_ms, out);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}

bool ves_page_breaks(const struct ves_page *page, uint64_t *sequence,
                     uint64_t *size)
{
    *sequence = page->log.broken.receipt.sequence_number;
    *size = page->log.has_head ? page->log.head.size : 0;
    return page->log.broken.is_there;
}

enum ves_status ves_core_promise_evidence(struct ves_agent_core *core,
                                          const struct ves_page *page,
                                          struct ves_bytes inclusion,
                                          int64_t now_ms, struct ves_buf *out)
{
    const struct ves_broken_promise *broken = &page->log.broken;
    uint64_t sequence = broken->receipt.sequence_number;
    VES_ASSERT(broken->is_there);
    const struct ves_page_item *item =
        &page->items[sequence - page->asked_from];
    const struct ves_leaf leaf = {
        core->stream, sequence, item->event.event_hash, item->event.signature};
    enum ves_status status = VES_NOT_FOUND;
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_arena arena;

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    ves_leaf_write(&leaf, entry);
    if (inclusion.len > 0)
        status = receipt_evidence(
            core, &arena, &broken->receipt, &broken->event_hash, page->log.text,
            ves_bytes(entry, sizeof(entry)), inclusion, now_ms, out);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}
