/* part.c -- the events of a stream that are about one type or one entity. */
#include "core/part.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/receipt.h"
#include "json/json.h"

enum {
    EVENTS_PER_PAGE_MAX = 1000,
    PAGE_ARENA_MAX = 512 * 1024 * 1024,
    LINES_MAX = VES_BUNDLE_MAX
};

void ves_part_init(struct ves_part *part, const struct ves_alloc *alloc,
                   const struct ves_stream *stream,
                   struct ves_bytes entity_type, struct ves_bytes entity_id,
                   const struct ves_sequencer_key *keys, size_t key_count)
{
    memset(part, 0, sizeof(*part));
    part->alloc = alloc;
    part->stream = *stream;
    part->entity_type = entity_type;
    part->entity_id = entity_id;
    part->keys = keys;
    part->key_count = key_count;
    ves_buf_init(&part->note, alloc, VES_NOTE_MAX);
    ves_buf_init(&part->lines, alloc, LINES_MAX);
}

void ves_part_free(struct ves_part *part)
{
    ves_buf_free(&part->note);
    ves_buf_free(&part->lines);
    (void)part->alloc->realloc(part->alloc->ctx, part->sequences, 0);
    (void)part->alloc->realloc(part->alloc->ctx, part->covers, 0);
}

/* ---- one page ------------------------------------------------------------ */

struct page {
    struct ves_part *part;
    struct ves_arena *arena;
    struct ves_error *error;
    const struct ves_json *items; /* array */
    uint64_t to;                  /* entries up to the page's end */
    struct ves_event *events;
    struct ves_hash *leaves;
    uint64_t *indices;
    size_t count;
    uint64_t receipts;
    struct ves_hash *covers;
    size_t cover_count;
    struct ves_bytes note_text;
    struct ves_note note;
    struct ves_checkpoint head;
    struct ves_tlog_path path;
    struct ves_tlog_edge edge; /* behind the page */
};

static enum ves_status refuse(struct page *page, const char *words)
{
    return ves_fail(
        page->error, VES_REFUSED, "the page from number %llu on: %s",
        (unsigned long long)page->part->edge.size + VES_TLOG_FIRST, words);
}

/* An array of at most max hashes, in lower-case hex. */
static bool read_hashes(const struct ves_json *array, struct ves_hash *out,
                        size_t max)
{
    if (array->type != VES_JSON_ARRAY || array->count > max)
        return false;
    for (const struct ves_json *item = array->first; item; item = item->next) {
        if (item->type != VES_JSON_STRING ||
            item->string.len != (size_t)2 * VES_HASH_SIZE ||
            ves_hex_decode(item->string, (out++)->b, VES_HASH_SIZE))
            return false;
        for (size_t i = 0; i < item->string.len; i++)
            if (item->string.ptr[i] >= 'A' && item->string.ptr[i] <= 'F')
                return false;
    }
    return true;
}

static enum ves_status read_covers(struct page *page,
                                   const struct ves_json *array)
{
    if (ves_json_is_absent(array))
        return ves_fail(page->error, VES_UNSUPPORTED,
                        "the sequencer's page has no covers: it does not "
                        "filter pages");
    if (array->type != VES_JSON_ARRAY || array->count > VES_PART_COVERS_MAX)
        return refuse(page, "its covers are no list, or too long a one");
    page->cover_count = array->count;
    page->covers = ves_arena_alloc(page->arena,
                                   (array->count + 1) * sizeof(*page->covers));
    if (!page->covers)
        return VES_NOMEM;
    return read_hashes(array, page->covers, array->count)
               ? VES_OK
               : refuse(page, "a cover is not a hash of 64 lower-case digits");
}

/* Everything but what is inside the items. */
static enum ves_status read_members(struct page *page,
                                    const struct ves_json *root)
{
    const struct ves_part *part = page->part;
    const struct ves_json *path = ves_json_member(root, "consistency");
    const struct ves_json *note = ves_json_member(root, "checkpoint");
    uint64_t next = 0;

    enum ves_status status = read_covers(page, ves_json_member(root, "covers"));
    if (status)
        return status;
    if (ves_json_is_absent(note))
        return ves_fail(page->error, VES_AGAIN,
                        "no head of the log is signed yet; ask again in a "
                        "moment");
    page->items = ves_json_member(root, "events");
    if (ves_json_is_absent(page->items) ||
        page->items->type != VES_JSON_ARRAY ||
        page->items->count > EVENTS_PER_PAGE_MAX)
        return refuse(page, "it has no list of events, or too long a one");
    if (!ves_json_get_u64(root, "next_sequence", &next))
        return refuse(page, "next_sequence is missing");
    if (next < part->edge.size + VES_TLOG_FIRST ||
        next - VES_TLOG_FIRST > VES_TLOG_SIZE_MAX)
        return refuse(page, "next_sequence lies before the page");
    page->to = next - VES_TLOG_FIRST;
    if (note->type != VES_JSON_STRING || ves_json_is_absent(path) ||
        !read_hashes(path, page->path.hash, VES_TLOG_PATH_MAX))
        return refuse(page, "checkpoint or consistency is not of its form");
    page->path.count = (uint32_t)path->count;
    page->note_text = note->string;
    return VES_OK;
}

/* ---- the signed head ----------------------------------------------------- */

/* The head is of this stream, signed by a key that is known, and no lie about
 * an older one. */
static enum ves_status check_note(struct page *page)
{
    const struct ves_part *part = page->part;
    struct ves_hash own, named;
    bool is_signed = false;

    if (ves_note_read(page->note_text, &page->note, page->error) ||
        ves_checkpoint_read(page->note.text, &page->head, page->error))
        return refuse(page, page->error->text);
    ves_stream_id(&part->stream, &own);
    if (!ves_origin_stream(page->head.origin, &named) ||
        !ves_hash_equal(&own, &named))
        return refuse(page, "its checkpoint is of another stream's log");
    for (size_t i = 0; i < part->key_count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, page->head.origin, VES_NOTE_ED25519,
                          &part->keys[i].public_key);
        enum ves_note_verdict verdict = ves_note_check(&page->note, &key, NULL);
        if (verdict == VES_NOTE_BAD)
            return refuse(page, "the log's signature on its checkpoint does "
                                "not verify");
        is_signed |= verdict == VES_NOTE_GOOD;
    }
    if (!is_signed)
        return ves_fail(page->error, VES_NOT_FOUND,
                        "the checkpoint is not signed by a key this store "
                        "knows as the sequencer's");
    if (page->head.size < part->head_size)
        return refuse(page, "its checkpoint is older than that of a page "
                            "before; the log was rolled back, or two servers "
                            "answer");
    if (page->to > page->head.size)
        return refuse(page, "it goes on beyond its signed checkpoint");
    if (page->to == part->edge.size && page->to < page->head.size)
        return ves_fail(page->error, VES_AGAIN,
                        "the sequencer says that its log goes on to number "
                        "%llu and gives nothing after %llu; ask again later",
                        (unsigned long long)page->head.size,
                        (unsigned long long)page->to);
    return VES_OK;
}

/* ---- events -------------------------------------------------------------- */

static enum ves_status check_receipt(struct page *page,
                                     const struct ves_event *event,
                                     const struct ves_json *node)
{
    const struct ves_part *part = page->part;
    struct ves_receipt receipt;
    struct ves_hash hash;
    bool is_known = false;

    enum ves_status status = ves_json_is_absent(node)
                                 ? VES_UNSUPPORTED
                                 : ves_receipt_read(node, &receipt);
    /* The position is proven by the tree; a receipt only must not lie. */
    if (status == VES_UNSUPPORTED)
        return VES_OK;
    ves_receipt_hash(&part->stream, &event->event_id, event->sequence_number,
                     &event->event_hash, &hash);
    if (status || !ves_uuid_equal(&receipt.event_id, &event->event_id) ||
        receipt.sequence_number != event->sequence_number ||
        !ves_hash_equal(&hash, &receipt.receipt_hash))
        return refuse(page, "a receipt is not one for its event and number");
    for (size_t i = 0; i < part->key_count; i++) {
        if (receipt.key_version != 0 &&
            part->keys[i].version != receipt.key_version)
            continue;
        is_known = true;
        if (ves_ed25519_verify(&part->keys[i].public_key,
                               ves_bytes(hash.b, VES_HASH_SIZE),
                               &receipt.signature)) {
            page->receipts++;
            return VES_OK;
        }
    }
    if (!is_known)
        return ves_fail(page->error, VES_NOT_FOUND,
                        "a receipt is signed by sequencer key %u, which this "
                        "store does not know",
                        receipt.key_version);
    return refuse(page, "the sequencer's signature of a receipt does not "
                        "verify");
}

static bool is_asked_for(const struct ves_part *part,
                         const struct ves_event *event)
{
    return (part->entity_type.len == 0 ||
            ves_bytes_equal(part->entity_type, event->entity_type)) &&
           (part->entity_id.len == 0 ||
            ves_bytes_equal(part->entity_id, event->entity_id));
}

/* One item, which must be what its envelope says and stand behind the one
 * before. */
static enum ves_status read_item(struct page *page, const struct ves_json *item)
{
    const struct ves_part *part = page->part;
    struct ves_event *event = &page->events[page->count];
    struct ves_refusal refusal;
    uint8_t entry[VES_LEAF_SIZE];
    uint64_t at =
        page->count ? page->indices[page->count - 1] + 1 : part->edge.size;

    enum ves_status status = ves_event_from_json(
        page->arena, ves_json_member(item, "envelope"), event, &refusal);
    if (!status)
        status = ves_event_check_logged(page->arena, event, &refusal);
    if (status == VES_REFUSED)
        return refuse(page, refusal.message);
    if (status)
        return status;
    if (!ves_stream_equal(&event->stream, &part->stream))
        return refuse(page, "an event is of another stream");
    if (!is_asked_for(part, event))
        return refuse(page, "an event is about something else than was asked "
                            "for");
    if (event->sequence_number < at + VES_TLOG_FIRST ||
        event->sequence_number - VES_TLOG_FIRST >= page->to)
        return refuse(page, "the numbers of its events do not ascend within "
                            "the page");
    const struct ves_leaf leaf = {part->stream, event->sequence_number,
                                  event->event_hash, event->signature};
    ves_leaf_write(&leaf, entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)),
                       &page->leaves[page->count]);
    page->indices[page->count++] = event->sequence_number - VES_TLOG_FIRST;
    return check_receipt(page, event, ves_json_member(item, "receipt"));
}

static enum ves_status read_items(struct page *page)
{
    size_t room = page->items->count + 1;

    page->events = ves_arena_alloc(page->arena, room * sizeof(*page->events));
    page->leaves = ves_arena_alloc(page->arena, room * sizeof(*page->leaves));
    page->indices = ves_arena_alloc(page->arena, room * sizeof(*page->indices));
    if (!page->events || !page->leaves || !page->indices)
        return VES_NOMEM;
    for (const struct ves_json *item = page->items->first; item;
         item = item->next) {
        if (item->type != VES_JSON_OBJECT)
            return refuse(page, "an item is no object");
        enum ves_status status = read_item(page, item);
        if (status)
            return status;
    }
    return VES_OK;
}

/* Events and covers lead to a root that the signed head has. */
static enum ves_status check_positions(struct page *page)
{
    struct ves_hash root;

    page->edge = page->part->edge;
    if (ves_tlog_edge_extend(&page->edge, page->to,
                             (struct ves_tlog_kept){page->indices, page->count},
                             page->leaves, page->covers, page->cover_count))
        return refuse(page, "it has another number of covers than its events "
                            "leave gaps for");
    ves_tlog_edge_root(&page->edge, &root);
    if (ves_tlog_consistency_check(&page->path, page->to, &root,
                                   page->head.size, &page->head.root))
        return refuse(page, "its events and covers do not add up to the root "
                            "the log has signed; something was changed, "
                            "dropped, inserted or moved");
    return VES_OK;
}

/* ---- keeping it ---------------------------------------------------------- */

/* Room for one more; false when there is no memory. */
static bool grow(const struct ves_alloc *alloc, void **array, size_t *room,
                 size_t count, size_t size)
{
    if (count < *room)
        return true;
    size_t more = *room ? *room * 2 : 64;
    void *made = alloc->realloc(alloc->ctx, *array, more * size);
    if (!made)
        return false;
    *array = made;
    *room = more;
    return true;
}

static enum ves_status put_cover(struct ves_part *part,
                                 struct ves_tlog_node node,
                                 const struct ves_hash *hash)
{
    void *array = part->covers;
    bool has_room = grow(part->alloc, &array, &part->cover_room,
                         part->cover_count, sizeof(*part->covers));

    part->covers = array;
    if (!has_room)
        return VES_NOMEM;
    part->covers[part->cover_count].node = node;
    part->covers[part->cover_count++].hash = *hash;
    return VES_OK;
}

/* What is skipped ends where an event stands. */
static enum ves_status end_run(struct ves_part *part)
{
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < part->run.count && !status; i++)
        status = put_cover(part, part->run.node[i], &part->run.hash[i]);
    part->run.count = 0;
    return status;
}

static enum ves_status put_event(struct ves_part *part,
                                 const struct ves_event *event)
{
    void *array = part->sequences;
    bool has_room = grow(part->alloc, &array, &part->room, part->count,
                         sizeof(*part->sequences));

    part->sequences = array;
    enum ves_status status = has_room ? end_run(part) : VES_NOMEM;
    if (status)
        return status;
    ves_bundle_event(&part->lines, event->sequence_number, event);
    part->sequences[part->count++] = event->sequence_number;
    return ves_buf_status(&part->lines);
}

static enum ves_status keep(struct page *page)
{
    struct ves_part *part = page->part;
    struct ves_tlog_gaps gaps;
    struct ves_tlog_node node;
    size_t used = 0, put = 0;

    enum ves_status status =
        ves_tlog_gaps_init(&gaps, part->edge.size, page->to,
                           (struct ves_tlog_kept){page->indices, page->count});
    VES_ASSERT(status == VES_OK);
    for (bool is_cover = true; is_cover && !status;) {
        is_cover = ves_tlog_gaps_next(&gaps, &node);
        uint64_t end = is_cover ? node.index << node.level : page->to;
        while (!status && put < page->count && page->indices[put] < end)
            status = put_event(part, &page->events[put++]);
        if (!status && is_cover)
            status = ves_tlog_run_add(&part->run, node, &page->covers[used++]);
    }
    if (status)
        return status;
    ves_buf_reset(&part->note);
    ves_buf_put_bytes(&part->note, page->note_text);
    part->head_size = page->head.size;
    part->edge = page->edge;
    part->receipts += page->receipts;
    return ves_buf_status(&part->note);
}

static enum ves_status take(struct page *page, struct ves_bytes text)
{
    const struct ves_json *root;
    enum ves_status status =
        ves_json_read(page->arena, text, NULL, &root, NULL);

    if (status == VES_MALFORMED || (!status && root->type != VES_JSON_OBJECT))
        return ves_fail(page->error, VES_MALFORMED,
                        "the sequencer's answer is not a page of events; "
                        "nothing was taken");
    if (!status)
        status = read_members(page, root);
    if (!status)
        status = check_note(page);
    if (!status)
        status = read_items(page);
    if (!status)
        status = check_positions(page);
    if (!status && page->part->count + page->count > VES_BUNDLE_EVENTS_MAX)
        status = ves_fail(page->error, VES_LIMIT,
                          "there are more than %d such events, which is more "
                          "than one bundle holds; ask for one entity",
                          (int)VES_BUNDLE_EVENTS_MAX);
    return status ? status : keep(page);
}

enum ves_status ves_part_take(struct ves_part *part, struct ves_bytes page,
                              bool *more, struct ves_error *error)
{
    struct ves_arena arena;

    *more = false;
    ves_arena_init(&arena, part->alloc, PAGE_ARENA_MAX);
    struct page *made = ves_arena_alloc(&arena, sizeof(*made));
    enum ves_status status = VES_NOMEM;
    if (made) {
        memset(made, 0, sizeof(*made));
        made->part = part;
        made->arena = &arena;
        made->error = error;
        status = take(made, page);
        *more = !status && part->edge.size < part->head_size;
    }
    ves_arena_free(&arena);
    if (status == VES_NOMEM)
        return ves_fail(error, status, "out of memory; nothing was written");
    if (status == VES_LIMIT && error->status != VES_LIMIT)
        return ves_fail(error, status,
                        "the events are more than the %d bytes a bundle holds; "
                        "ask for one entity",
                        (int)VES_BUNDLE_MAX);
    return status;
}

/* ---- what was known before ---------------------------------------------- */

static bool read_path(const struct ves_alloc *alloc, struct ves_bytes text,
                      struct ves_tlog_path *path)
{
    const struct ves_json *root;
    struct ves_arena arena;
    bool is_read = false;

    ves_arena_init(&arena, alloc, PAGE_ARENA_MAX);
    if (ves_json_read(&arena, text, NULL, &root, NULL) == VES_OK) {
        const struct ves_json *array = ves_json_member(root, "path");
        is_read = !ves_json_is_absent(array) &&
                  read_hashes(array, path->hash, VES_TLOG_PATH_MAX);
        path->count = is_read ? (uint32_t)array->count : 0;
    }
    ves_arena_free(&arena);
    return is_read;
}

enum ves_status ves_part_extends(const struct ves_part *part,
                                 const struct ves_checkpoint *known,
                                 struct ves_bytes answer,
                                 struct ves_error *error)
{
    struct ves_tlog_path path;
    struct ves_hash root;

    VES_ASSERT(part->edge.size == part->head_size);
    if (known->size > part->head_size)
        return ves_fail(error, VES_REFUSED,
                        "the log's head has %llu entries, and this store has "
                        "verified one of %llu: it was rolled back, or another "
                        "server answers",
                        (unsigned long long)part->head_size,
                        (unsigned long long)known->size);
    ves_tlog_edge_root(&part->edge, &root);
    if (read_path(part->alloc, answer, &path) &&
        ves_tlog_consistency_check(&path, known->size, &known->root,
                                   part->head_size, &root) == VES_OK)
        return VES_OK;
    return ves_fail(error, VES_REFUSED,
                    "the log of %llu entries is not shown to be the one of "
                    "%llu, which this store has verified, and more: two "
                    "histories, or a bad proof",
                    (unsigned long long)part->head_size,
                    (unsigned long long)known->size);
}

/* ---- the bundle ---------------------------------------------------------- */

/* Hands the covers out one after the other, as a bundle asks for them. */
struct covers {
    const struct ves_part *part;
    size_t next;
};

static enum ves_status read_next(void *ctx, const struct ves_tlog_node *nodes,
                                 size_t count, struct ves_hash *out)
{
    struct covers *covers = ctx;
    const struct ves_part *part = covers->part;

    for (size_t i = 0; i < count; i++, covers->next++) {
        bool is_last = covers->next >= part->cover_count;
        size_t at = covers->next - (is_last ? part->cover_count : 0);
        const struct ves_tlog_node *node =
            is_last ? &part->run.node[at] : &part->covers[at].node;
        VES_ASSERT(!is_last || at < part->run.count);
        VES_ASSERT(node->level == nodes[i].level &&
                   node->index == nodes[i].index);
        out[i] = is_last ? part->run.hash[at] : part->covers[at].hash;
    }
    return VES_OK;
}

enum ves_status ves_part_bundle(const struct ves_part *part,
                                struct ves_bytes policy_name,
                                struct ves_bytes keys_json, struct ves_buf *out)
{
    struct covers covers = {.part = part};
    const struct ves_tlog_source source = {read_next, &covers};

    VES_ASSERT(part->count > 0 && part->edge.size == part->head_size);
    ves_bundle_begin(out, &part->stream, policy_name);
    enum ves_status status = ves_bundle_keys(out, keys_json);
    if (status)
        return status;
    ves_buf_put_bytes(out, ves_buf_view(&part->lines));
    status = ves_bundle_end(out, &source, part->sequences, part->count,
                            part->head_size, ves_buf_view(&part->note));
    return status ? status : ves_buf_status(out);
}
