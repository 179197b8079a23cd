/* published.c -- a log as it is published: checkpoint, entries, tiles
 * (C2SP tlog-tiles), from a folder or from the sequencer. */
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/checkpoint.h"
#include "core/merkle.h"
#include "core/note.h"
#include "core/policy.h"
#include "core/tlog_tile.h"

enum { LEVELS = 8, FILE_MAX = 17 * 1024 * 1024, WORDS = 200 };

struct published {
    struct ves_audit *audit;
    const struct ves_audit_source *source;
    struct ves_audit_stream *stream;
    struct ves_buf file, path;
    uint64_t size;
    struct ves_hash root, stream_id;
    bool has_stream_id;
    struct ves_hash tile[LEVELS][VES_TILE_WIDTH];
};

static enum ves_status get(struct published *p, const char *path)
{
    ves_buf_reset(&p->file);
    return p->source->get(p->source->ctx, path, &p->file, p->audit->error);
}

/* What one tile or bundle holds, in p->file; *is_there false: it was said. */
static enum ves_status get_tile(struct published *p,
                                const struct ves_tile *tile, bool *is_there)
{
    ves_buf_reset(&p->path);
    ves_tile_path_write(&p->path, tile);
    ves_buf_put_u8(&p->path, 0);
    if (ves_buf_status(&p->path))
        return ves_buf_status(&p->path);
    const char *path = (const char *)p->path.ptr;
    enum ves_status status = get(p, path);
    *is_there = status == VES_OK;
    ves_audit_count(p->audit, VES_AUDIT_TREE, 1);
    if (status != VES_NOT_FOUND)
        return status;
    ves_audit_find(p->audit, VES_AUDIT_TREE, 0,
                   "%s is missing, which the checkpoint implies", path);
    return VES_OK;
}

/* ---- the checkpoint ------------------------------------------------------ */

/* Of a sequencer that was asked: its keys after the first one are known when
 * its stream was pulled (known.c). */
static enum ves_status keep_note(struct published *p)
{
    return ves_arena_copy(&p->audit->arena, ves_buf_view(&p->file),
                          &p->audit->published_note);
}

static void check_signature(struct published *p, const struct ves_note *note,
                            const struct ves_checkpoint *checkpoint)
{
    const struct ves_audit_options *options = p->audit->options;
    static struct ves_policy policy;
    struct ves_policy_verdict verdict;
    bool is_good = false;

    p->audit->signatures++;
    if (options->policy.len > 0) {
        if (ves_policy_read(options->policy, &policy, NULL) == VES_OK) {
            ves_policy_check(&policy, note, checkpoint, &verdict);
            is_good = verdict.log != VES_POLICY_NONE && !verdict.has_bad;
            if (is_good && !verdict.is_met)
                ves_audit_unknown(p->audit, VES_AUDIT_TREE,
                                  "the checkpoint has not the witnesses your "
                                  "policy asks for");
        }
    } else if (!options->sequencer_key) {
        ves_audit_unknown(p->audit, VES_AUDIT_TREE,
                          "no key of the log was given (--policy), so nobody "
                          "vouches for the checkpoint");
        return;
    } else if (ves_note_name_is_valid(checkpoint->origin)) {
        struct ves_note_key key;
        ves_note_key_init(&key, checkpoint->origin, VES_NOTE_ED25519,
                          options->sequencer_key);
        is_good = ves_note_check(note, &key, NULL) == VES_NOTE_GOOD;
    }
    if (!is_good)
        ves_audit_find(p->audit, VES_AUDIT_TREE, 0,
                       "the checkpoint is not signed by a log you believe");
}

static enum ves_status read_checkpoint(struct published *p)
{
    struct ves_error why = {.status = VES_OK};
    struct ves_checkpoint checkpoint;
    struct ves_note note;

    enum ves_status status = get(p, "checkpoint");
    if (status)
        return status;
    if (ves_note_read(ves_buf_view(&p->file), &note, &why) ||
        ves_checkpoint_read(note.text, &checkpoint, &why)) {
        ves_audit_find(p->audit, VES_AUDIT_TREE, 0,
                       "the checkpoint is none: %.150s", why.text);
        return VES_OK;
    }
    if (p->audit->options->url && p->audit->options->policy.len == 0)
        status = keep_note(p);
    else
        check_signature(p, &note, &checkpoint);
    p->size = checkpoint.size;
    p->root = checkpoint.root;
    p->has_stream_id = ves_origin_stream(checkpoint.origin, &p->stream_id);
    return status;
}

/* ---- entries ------------------------------------------------------------- */

/* An entry has no name on it: any key that may sign at that number will do. */
static enum ves_status check_signer(struct published *p,
                                    const struct ves_leaf *leaf)
{
    const struct ves_audit_options *options = p->audit->options;
    struct ves_public_key keys[VES_AUDIT_KEYS_MAX];
    uint64_t n = leaf->sequence_number;
    size_t count = 0;

    if (!p->audit->checker)
        return VES_OK;
    for (size_t i = 0; i < options->agent_count && count < VES_AUDIT_KEYS_MAX;
         i++) {
        const struct ves_verify_agent *agent = &options->agents[i];
        if (n >= agent->from_sequence &&
            (agent->until_sequence == 0 || n < agent->until_sequence))
            keys[count++] = agent->key;
    }
    ves_audit_count(p->audit, VES_AUDIT_SIGNATURES, 1);
    if (count == 0) {
        ves_audit_unknown(p->audit, VES_AUDIT_SIGNATURES,
                          "no key that you gave may sign entry %llu",
                          (unsigned long long)n);
        return VES_OK;
    }
    return ves_audit_checker_add(p->audit, VES_AUDIT_SIGNATURES, n, keys, count,
                                 &leaf->event_hash, &leaf->signature);
}

static enum ves_status check_entry(struct published *p, struct ves_bytes entry,
                                   uint64_t sequence)
{
    struct ves_audit *audit = p->audit;
    struct ves_stream *stream = &p->stream->row.stream;
    struct ves_leaf leaf;
    struct ves_hash id;

    ves_audit_count(audit, VES_AUDIT_ORDER, 1);
    if (ves_leaf_read(entry, &leaf)) {
        ves_audit_find(audit, VES_AUDIT_ORDER, sequence,
                       "the entry is no leaf of VES");
        return VES_OK;
    }
    if (leaf.sequence_number != sequence)
        ves_audit_find(audit, VES_AUDIT_ORDER, sequence,
                       "the entry names number %llu",
                       (unsigned long long)leaf.sequence_number);
    if (sequence == VES_TLOG_FIRST) {
        *stream = leaf.stream;
        ves_stream_id(stream, &id);
        if (p->has_stream_id && !ves_hash_equal(&id, &p->stream_id))
            ves_audit_find(audit, VES_AUDIT_ORDER, sequence,
                           "the entries are of another stream than the "
                           "checkpoint's origin names");
        if (audit->options->stream &&
            !ves_stream_equal(audit->options->stream, stream))
            ves_audit_find(audit, VES_AUDIT_ORDER, sequence,
                           "the log is of another stream than you named");
    } else if (!ves_stream_equal(stream, &leaf.stream)) {
        ves_audit_find(audit, VES_AUDIT_ORDER, sequence,
                       "the entry is of another stream");
    }
    return check_signer(p, &leaf);
}

/* The tile at that level that ends before entry end (in units of the level) is
 * complete, or the last one. */
static enum ves_status compare_tile(struct published *p, uint32_t level,
                                    uint64_t index, uint32_t width)
{
    const struct ves_tile tile = {false, level, index, width};
    struct ves_hash hashes[VES_TILE_WIDTH];
    bool is_there;

    enum ves_status status = get_tile(p, &tile, &is_there);
    if (status || !is_there)
        return status;
    if (ves_tile_read(ves_buf_view(&p->file), width, hashes) ||
        memcmp(hashes, p->tile[level], width * sizeof(*hashes)) != 0)
        ves_audit_find(p->audit, VES_AUDIT_TREE, 0,
                       "%s is not what the entries lead to",
                       (const char *)p->path.ptr);
    return VES_OK;
}

static enum ves_status add_entry(struct published *p, struct ves_bytes entry)
{
    struct ves_tlog_made made[VES_TLOG_MADE_MAX];
    struct ves_tlog_edge *edge = &p->stream->edge;
    struct ves_hash hash;
    size_t count;

    enum ves_status status = check_entry(p, entry, edge->size + VES_TLOG_FIRST);
    if (status)
        return status;
    ves_tlog_leaf_hash(entry, &hash);
    return ves_tlog_edge_append(edge, &hash, made, &count);
}

/* Entries and the tile of level 0 over them; above it, what that fills. */
static enum ves_status read_bundle(struct published *p, uint64_t index,
                                   uint32_t width)
{
    const struct ves_tile tile = {true, 0, index, width};
    struct ves_bytes rest, entry;
    bool is_there;
    uint32_t n = 0;

    enum ves_status status = get_tile(p, &tile, &is_there);
    if (status || !is_there)
        return status ? status : VES_NOT_FOUND;
    rest = ves_buf_view(&p->file);
    for (; n < width && ves_tile_entry_next(&rest, &entry) == VES_OK; n++) {
        ves_tlog_leaf_hash(entry, &p->tile[0][n]);
        status = add_entry(p, entry);
        if (status)
            return status;
    }
    if (n == width && rest.len == 0)
        return VES_OK;
    ves_audit_find(p->audit, VES_AUDIT_TREE, 0, "%s has not %u entries",
                   (const char *)p->path.ptr, width);
    return VES_NOT_FOUND;
}

/* The root over a full tile of level - 1 stands in its place one level up. */
static enum ves_status fill_upwards(struct published *p, uint64_t index)
{
    enum ves_status status = VES_OK;

    for (uint32_t level = 1; level < LEVELS && !status; level++) {
        struct ves_tlog_edge over = {.size = 0};
        for (size_t i = 0; i < VES_TILE_WIDTH && !status; i++)
            status = ves_tlog_edge_add(&over, 0, &p->tile[level - 1][i]);
        if (status)
            break;
        p->tile[level][index % VES_TILE_WIDTH] = over.hash[0];
        if (index % VES_TILE_WIDTH != VES_TILE_WIDTH - 1)
            break;
        index /= VES_TILE_WIDTH;
        status = compare_tile(p, level, index, VES_TILE_WIDTH);
    }
    return status;
}

static enum ves_status read_all(struct published *p)
{
    const struct ves_audit_options *options = p->audit->options;
    enum ves_status status = VES_OK;

    for (uint64_t index = 0; !status; index++) {
        uint32_t width = ves_tile_width(0, index, p->size);
        if (width == 0)
            break;
        status = read_bundle(p, index, width);
        if (!status)
            status = compare_tile(p, 0, index, width);
        if (!status && width == VES_TILE_WIDTH)
            status = fill_upwards(p, index);
        if (!status && options->progress &&
            !options->progress(options->progress_ctx, "entries",
                               p->stream->edge.size, p->size))
            status = VES_AGAIN;
    }
    for (uint32_t level = 1; level < LEVELS && !status; level++) {
        uint64_t index = (p->size >> (8 * level)) / VES_TILE_WIDTH;
        uint32_t width = ves_tile_width(level, index, p->size);
        if (width > 0 && width < VES_TILE_WIDTH)
            status = compare_tile(p, level, index, width);
    }
    return status;
}

/* ---- all of it ----------------------------------------------------------- */

static enum ves_status examine(struct published *p)
{
    struct ves_hash root;

    enum ves_status status = read_checkpoint(p);
    if (!status)
        status = read_all(p);
    /* What is missing was said; what stands behind it cannot be placed. */
    if (status == VES_NOT_FOUND && p->audit->finding_count > 0)
        return VES_OK;
    if (status)
        return status;
    ves_tlog_edge_root(&p->stream->edge, &root);
    ves_audit_count(p->audit, VES_AUDIT_TREE, 1);
    if (p->stream->edge.size != p->size || !ves_hash_equal(&root, &p->root))
        ves_audit_find(p->audit, VES_AUDIT_TREE, p->size,
                       "the entries do not lead to the root of the checkpoint");
    return VES_OK;
}

enum ves_status ves_audit_published(struct ves_audit *audit,
                                    const struct ves_audit_source *source,
                                    struct ves_audit_stream *stream,
                                    struct ves_verify_head *head)
{
    struct published *p =
        audit->alloc->realloc(audit->alloc->ctx, NULL, sizeof(*p));

    if (!p)
        return VES_NOMEM;
    memset(p, 0, sizeof(*p));
    p->audit = audit;
    p->source = source;
    p->stream = stream;
    ves_buf_init(&p->file, audit->alloc, FILE_MAX);
    ves_buf_init(&p->path, audit->alloc, VES_TILE_PATH_TEXT + 1);
    enum ves_status status = examine(p);
    stream->row.head = p->size;
    head->size = p->size;
    head->root = p->root;
    ves_buf_free(&p->file);
    ves_buf_free(&p->path);
    audit->alloc->realloc(audit->alloc->ctx, p, 0);
    return status;
}
