/* agent_log_page.c -- what a pull page says of the log: a signed head and the
 * proof that it goes on from where the page ends.
 *
 * Reading takes the keys from the agent; checking signatures and hashing leaves
 * may then run on another thread.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/merkle.h"
#include "engine/agent_internal.h"

bool ves_device_path_read(const struct ves_json *list,
                          struct ves_tlog_path *path)
{
    path->count = 0;
    if (ves_json_is_absent(list))
        return true;
    if (list->type != VES_JSON_ARRAY || list->count > VES_TLOG_PATH_MAX)
        return false;
    for (const struct ves_json *e = list->first; e; e = e->next) {
        if (e->type != VES_JSON_STRING ||
            e->string.len != 2 * (size_t)VES_HASH_SIZE ||
            ves_hex_decode(e->string, path->hash[path->count++].b,
                           VES_HASH_SIZE))
            return false;
    }
    return true;
}

static const char *read_head(const struct ves_agent_core *core,
                             struct ves_page_log *told)
{
    struct ves_hash stream_id, named;

    if (ves_note_read(told->text, told->note, NULL) ||
        ves_checkpoint_read(told->note->text, &told->head, NULL))
        return "the checkpoint is not a signed note of three lines";
    ves_stream_id(&core->stream, &stream_id);
    if (!ves_origin_stream(told->head.origin, &named) ||
        !ves_hash_equal(&named, &stream_id))
        return "the checkpoint is of another log";
    if (told->head.size == 0 || told->head.size > VES_LOG_SIZE_MAX)
        return "the checkpoint's size is none that a log can have";
    return NULL;
}

/* The pinned keys under the log's name; false when none of them made a line. */
static bool find_keys(const struct ves_agent_core *core,
                      struct ves_page_log *told)
{
    bool is_found = false;

    told->key_count = core->sequencer_key_count;
    memcpy(told->keys, core->sequencer_keys, sizeof(told->keys));
    for (size_t i = 0; i < told->key_count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, told->head.origin, VES_NOTE_ED25519,
                          &told->keys[i].public_key);
        for (size_t k = 0; k < told->note->count; k++)
            is_found |= told->note->lines[k].key_id == key.id &&
                        ves_bytes_equal(told->note->lines[k].name, key.name);
    }
    return is_found;
}

enum ves_status ves_device_log_read(struct ves_agent_core *core,
                                    struct ves_page *page)
{
    struct ves_page_log *told = &page->log;
    const struct ves_json *checkpoint = told->checkpoint;

    told->leaves = ves_arena_alloc(&page->arena,
                                   (page->count + 1) * sizeof(*told->leaves));
    if (!told->leaves)
        return VES_NOMEM;
    if (told->problem || ves_json_is_absent(checkpoint))
        return VES_OK;
    told->note = ves_arena_alloc(&page->arena, sizeof(*told->note));
    if (!told->note)
        return VES_NOMEM;
    told->text = checkpoint->string;
    if (checkpoint->type != VES_JSON_STRING)
        told->problem = "the checkpoint is no text";
    else
        told->problem = read_head(core, told);
    if (!told->problem && !ves_device_path_read(told->consistency, &told->path))
        told->problem = "the proof to the checkpoint is no list of hashes";
    if (told->problem)
        return VES_OK;
    told->has_head = true;
    told->is_key_unknown = !find_keys(core, told);
    return ves_device_witness_read(core, page);
}

static void check_signature(struct ves_page_log *told)
{
    for (size_t i = 0; i < told->key_count && !told->problem; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, told->head.origin, VES_NOTE_ED25519,
                          &told->keys[i].public_key);
        enum ves_note_verdict verdict = ves_note_check(told->note, &key, NULL);
        if (verdict == VES_NOTE_BAD)
            told->problem = "the checkpoint's signature does not verify";
        else if (verdict == VES_NOTE_GOOD)
            told->key_version = told->keys[i].version;
    }
    if (!told->problem && told->key_version == 0)
        told->problem = "no key of this sequencer signed the checkpoint";
}

void ves_device_log_verify(const struct ves_agent_core *core,
                           struct ves_page *page)
{
    struct ves_page_log *told = &page->log;

    for (size_t i = 0; i < page->count; i++) {
        const struct ves_event *event = &page->items[i].event;
        const struct ves_leaf leaf = {core->stream, event->sequence_number,
                                      event->event_hash, event->signature};
        uint8_t entry[VES_LEAF_SIZE];

        if (page->items[i].problem)
            break;
        ves_leaf_write(&leaf, entry);
        ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &told->leaves[i]);
    }
    if (told->has_head)
        check_signature(told);
}

bool ves_page_is_disputed(const struct ves_page *page, struct ves_bytes *head)
{
    *head = page->log.text;
    return page->log.is_disputed;
}

bool ves_page_signed_head(const struct ves_page *page, struct ves_bytes *head)
{
    *head = page->log.text;
    return page->is_verified && page->log.has_head && !page->log.problem;
}

struct ves_bytes ves_page_text(const struct ves_page *page)
{
    return page->text;
}

bool ves_page_range(const struct ves_page *page, uint64_t *first, uint64_t *end,
                    uint64_t *size)
{
    uint64_t last = page->asked_from + page->count - 1;

    *first = page->asked_from;
    *size = page->log.head.size;
    *end = last < *size ? last : *size;
    return page->count > 0 && *first <= *end;
}
