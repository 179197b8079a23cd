/* heads.c -- heads of the log that a store keeps, held against its events.
 *
 * Each is looked at by itself, which is its note and who signed it, and again
 * when the walk passes its size: only then it is known whether it is the head
 * of these events.
 */
#include "audit/audit.h"
#include "base/bytes.h"
#include "core/checkpoint.h"
#include "core/cosigned.h"
#include "core/epoch.h"
#include "core/merkle.h"
#include "core/note.h"

enum { KEPT_CHUNK = 256 };

/* A head on its way into the list; words: what it is, for the report. */
static enum ves_status add(struct ves_audit *audit,
                           struct ves_audit_stream *stream, uint64_t size,
                           const struct ves_hash *root, const char *words)
{
    struct ves_audit_head **link = stream->heads_at;
    struct ves_audit_head *head = ves_arena_alloc(&audit->arena, sizeof(*head));

    if (!head)
        return VES_NOMEM;
    /* Most come in ascending order. */
    if (!link || (*link && (*link)->size > size))
        link = &stream->heads;
    while (*link && (*link)->size <= size)
        link = &(*link)->next;
    *head = (struct ves_audit_head){
        .size = size, .root = *root, .words = words, .next = *link};
    *link = head;
    stream->heads_at = link;
    return VES_OK;
}

/* The same of one whose name is known. */
static enum ves_status add_named(struct ves_audit *audit,
                                 struct ves_audit_stream *stream,
                                 const struct ves_checkpoint *checkpoint,
                                 const char *words)
{
    struct ves_bytes host;

    enum ves_status status =
        add(audit, stream, checkpoint->size, &checkpoint->root, words);
    if (status)
        return status;
    struct ves_audit_head *head = *stream->heads_at;
    head->has_name = true;
    head->epoch = ves_epoch_of_origin(checkpoint->origin, &host);
    return VES_OK;
}

enum ves_status ves_audit_heads_add(struct ves_audit *audit,
                                    struct ves_audit_stream *stream,
                                    const struct ves_audit_head *head)
{
    enum ves_status status =
        add(audit, stream, head->size, &head->root, head->words);
    if (!status) {
        (*stream->heads_at)->is_outside = head->is_outside;
        (*stream->heads_at)->epoch = head->epoch;
    }
    return status;
}

static void count_signature(struct ves_audit *audit)
{
    pthread_mutex_lock(&audit->lock);
    audit->signatures++;
    pthread_mutex_unlock(&audit->lock);
}

/* One false line of a key that is known makes a note worthless, whatever the
 * others say (C2SP signed-note). */
static void check_lines(struct ves_audit *audit, const struct ves_note *note,
                        const struct ves_checkpoint *checkpoint,
                        const char *words)
{
    bool is_signed = false;

    for (size_t i = 0; i < audit->key_count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, checkpoint->origin, VES_NOTE_ED25519,
                          &audit->keys[i].key);
        enum ves_note_verdict verdict = ves_note_check(note, &key, NULL);
        if (verdict != VES_NOTE_ABSENT)
            count_signature(audit);
        is_signed |= verdict == VES_NOTE_GOOD;
        if (verdict == VES_NOTE_BAD)
            ves_audit_find(audit, VES_AUDIT_TREE, checkpoint->size,
                           "%s has a false line of version %u of the "
                           "sequencer's key",
                           words, audit->keys[i].version);
    }
    if (!is_signed)
        ves_audit_find(audit, VES_AUDIT_TREE, checkpoint->size,
                       "%s is not signed by the sequencer's key", words);
}

/* Is it a checkpoint of this log, signed by its sequencer?  false: *checkpoint
 * says nothing. */
static bool check_note(struct ves_audit *audit,
                       const struct ves_audit_stream *stream,
                       struct ves_bytes text, uint64_t size, const char *words,
                       struct ves_checkpoint *checkpoint)
{
    struct ves_hash id, named;
    struct ves_note note;

    ves_audit_count(audit, VES_AUDIT_TREE, 1);
    if (ves_note_read(text, &note, NULL) ||
        ves_checkpoint_read(note.text, checkpoint, NULL) ||
        !ves_note_name_is_valid(checkpoint->origin)) {
        ves_audit_find(audit, VES_AUDIT_TREE, size, "%s is no checkpoint",
                       words);
        return false;
    }
    check_lines(audit, &note, checkpoint, words);
    ves_stream_id(&stream->row.stream, &id);
    if (!ves_origin_stream(checkpoint->origin, &named) ||
        !ves_hash_equal(&id, &named))
        ves_audit_find(audit, VES_AUDIT_TREE, checkpoint->size,
                       "%s is of another stream's log", words);
    return true;
}

enum ves_status ves_audit_heads_note(struct ves_audit *audit,
                                     struct ves_audit_stream *stream,
                                     struct ves_bytes note, const char *words)
{
    struct ves_checkpoint checkpoint;

    return check_note(audit, stream, note, 0, words, &checkpoint)
               ? add_named(audit, stream, &checkpoint, words)
               : VES_OK;
}

/* ---- a sequencer's ------------------------------------------------------- */

/* Under which name it signs: with another it would begin another log. */
static enum ves_status check_host(struct ves_audit *audit,
                                  const struct ves_checkpoint *checkpoint)
{
    struct ves_store *store = audit->store;
    struct ves_bytes signed_as, host;

    enum ves_status status =
        store->ops->meta_get(store, "log.host", &audit->arena, &host);
    if (status && status != VES_NOT_FOUND)
        return status;
    (void)ves_epoch_of_origin(checkpoint->origin, &signed_as);
    if (status == VES_NOT_FOUND)
        ves_audit_unknown(audit, VES_AUDIT_TREE,
                          "the database does not say under which name its logs "
                          "are signed; serve it once");
    else if (!ves_bytes_equal(signed_as, host))
        ves_audit_find(audit, VES_AUDIT_TREE, checkpoint->size,
                       "the head was signed under another name than the "
                       "database says");
    return VES_OK;
}

enum ves_status ves_audit_heads_signed(struct ves_audit *audit,
                                       struct ves_audit_stream *stream,
                                       const struct ves_tlog_row *row)
{
    static const char words[] = "the head that was signed";
    struct ves_checkpoint checkpoint;
    struct ves_bytes host;

    if (row->signed_size == 0 && row->note.len == 0)
        return VES_OK;
    bool is_read = check_note(audit, stream, row->note, row->signed_size, words,
                              &checkpoint);
    if (is_read && (checkpoint.size != row->signed_size ||
                    !ves_hash_equal(&checkpoint.root, &row->signed_root)))
        ves_audit_find(audit, VES_AUDIT_TREE, row->signed_size,
                       "the checkpoint says another head than its row");
    enum ves_status status =
        add(audit, stream, row->signed_size, &row->signed_root, words);
    if (status || !is_read)
        return status;
    (*stream->heads_at)->has_name = true;
    (*stream->heads_at)->epoch = ves_epoch_of_origin(checkpoint.origin, &host);
    return check_host(audit, &checkpoint);
}

enum ves_status ves_audit_heads_cosigned(struct ves_audit *audit,
                                         struct ves_audit_stream *stream)
{
    static const char words[] = "a head that was cosigned";
    struct ves_store *store = audit->store;
    struct ves_checkpoint checkpoint;
    struct ves_cosigned set;
    struct ves_bytes text;

    enum ves_status status = store->ops->cosigned_get(
        store, stream->row.stream_no, &audit->arena, &text);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (!status)
        status = ves_cosigned_read(text, &audit->arena, &set);
    if (status == VES_CORRUPT) {
        ves_audit_find(audit, VES_AUDIT_TREE, 0,
                       "the cosigned heads in the store are not readable");
        return VES_OK;
    }
    for (size_t i = set.count; !status && i-- > 0;) {
        if (check_note(audit, stream, set.heads[i]->note,
                       set.heads[i]->checkpoint.size, words, &checkpoint))
            status = add_named(audit, stream, &checkpoint, words);
    }
    return status;
}

/* ---- a follower's -------------------------------------------------------- */

static enum ves_status take_kept(struct ves_audit *audit,
                                 struct ves_audit_stream *stream)
{
    struct ves_store *store = audit->store;
    struct ves_kept_head kept[KEPT_CHUNK];
    uint64_t from = 1;
    size_t found = KEPT_CHUNK;
    enum ves_status status = VES_OK;

    while (found == KEPT_CHUNK && !status) {
        status = store->ops->kept_heads_read(store, stream->row.stream_no, from,
                                             KEPT_CHUNK, kept, &found);
        for (size_t i = 0; !status && i < found; i++) {
            status = add(audit, stream, kept[i].size, &kept[i].root,
                         "a head that was verified");
            from = kept[i].size + 1;
        }
    }
    return status;
}

static enum ves_status take_edge(struct ves_audit *audit,
                                 struct ves_audit_stream *stream,
                                 struct ves_bytes bytes)
{
    struct ves_tlog_edge edge;
    struct ves_hash root;

    if (bytes.len == 0)
        return VES_OK;
    if (ves_tlog_edge_read(bytes, &edge) || edge.size > stream->row.head) {
        ves_audit_find(audit, VES_AUDIT_TREE, 0,
                       "the edge of the tree is none of this log");
        return VES_OK;
    }
    ves_tlog_edge_root(&edge, &root);
    return edge.size == 0
               ? VES_OK
               : add(audit, stream, edge.size, &root, "the edge of the tree");
}

enum ves_status ves_audit_heads_followed(struct ves_audit *audit,
                                         struct ves_audit_stream *stream)
{
    static const char words[] = "the newest head that was verified";
    struct ves_store *store = audit->store;
    struct ves_bytes host, noted;
    struct ves_checkpoint checkpoint;
    struct ves_follow_row row;

    enum ves_status status = store->ops->follow_get(
        store, stream->row.stream_no, &audit->arena, &row);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : status;
    status = take_edge(audit, stream, row.edge);
    if (!status)
        status = take_kept(audit, stream);
    /* One that an epoch gave up is not there any more. */
    if (status ||
        (row.note.len == 0 &&
         (row.logged == 0 || ves_epoch_of_origin(row.origin, &host) > 0)))
        return status;
    if (!check_note(audit, stream, row.note, row.logged, words, &checkpoint))
        return VES_OK;
    uint64_t epoch = ves_epoch_of_origin(row.origin, &host);
    bool is_named = ves_bytes_equal(checkpoint.origin, row.origin) ||
                    (ves_epoch_of_origin(checkpoint.origin, &noted) < epoch &&
                     ves_bytes_equal(host, noted));
    if (checkpoint.size != row.logged || !is_named ||
        row.witnessed > row.logged)
        ves_audit_find(audit, VES_AUDIT_TREE, row.logged,
                       "the checkpoint says another head than its row");
    return add_named(audit, stream, &checkpoint, words);
}

/* ---- against the events -------------------------------------------------- */

void ves_audit_heads_pass(struct ves_audit *audit,
                          struct ves_audit_stream *stream)
{
    uint64_t size = stream->edge.size;
    struct ves_hash root;

    while (stream->heads && stream->heads->size <= size) {
        const struct ves_audit_head *head = stream->heads;
        stream->heads = head->next;
        if (head->size < size ||
            (head->is_outside && head->epoch < stream->epoch))
            continue;
        ves_tlog_edge_root(&stream->edge, &root);
        ves_audit_count(audit, VES_AUDIT_TREE, 1);
        if (!ves_hash_equal(&root, &head->root))
            ves_audit_find(audit, VES_AUDIT_TREE, size,
                           "%s is not that of these events", head->words);
        else if (head->has_name && head->epoch != stream->epoch &&
                 audit->key_count > 0)
            ves_audit_find(audit, VES_AUDIT_TREE, size,
                           "%s is named after epoch %llu, and these events "
                           "opened %llu",
                           head->words, (unsigned long long)head->epoch,
                           (unsigned long long)stream->epoch);
    }
}

void ves_audit_heads_left(struct ves_audit *audit,
                          const struct ves_audit_stream *stream)
{
    /* A follower knows heads of what it has not pulled yet; one that pulled all
     * there is, for the audit, does not. */
    bool is_all = audit->role == VES_STORE_SEQUENCER || audit->has_published;

    for (const struct ves_audit_head *h = stream->heads; h; h = h->next) {
        if (h->is_outside && h->epoch < stream->epoch)
            continue;
        if (is_all)
            ves_audit_find(audit, VES_AUDIT_TREE, h->size,
                           "%s is larger than there are events", h->words);
        else if (h->is_outside)
            ves_audit_unknown(audit, VES_AUDIT_TREE,
                              "%s is larger than what this store has pulled",
                              h->words);
    }
}
