/* agent_witness.c -- who vouches for the log that is followed, and this store's
 * own word.
 *
 * A page brings heads with the lines of cosigners.  A line counts when a
 * witness of the store's policy made it over a head of the log as this store
 * has it; how far the quorum then vouches is kept beside the largest verified
 * head.  No line and no lack of one ever refuses a page.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/cosign.h"
#include "core/cosigned.h"
#include "core/merkle.h"
#include "core/policy.h"
#include "engine/agent_internal.h"

#define META_POLICY   "log.policy"
#define META_COSIGNED "log.cosigned"
#define META_OWN_SIZE "log.own-cosigned-size"
#define META_OWN_TIME "log.own-cosigned-time"

enum {
    OWN_AGAIN_S = 3600, /* a head that does not grow is cosigned again */
    NOTE_MAX = 16 * 1024,
    ARENA_MAX = 4 * 1024 * 1024
};

/* ---- what a page says -----------------------------------------------------
 */

enum ves_status ves_device_witness_read(struct ves_agent_core *core,
                                        struct ves_page *page)
{
    struct ves_page_log *told = &page->log;
    const struct ves_json *list = told->witnessed;
    struct ves_note *note =
        ves_arena_alloc(&page->arena, sizeof(struct ves_note));
    struct ves_hash stream_id, named;

    told->vouched_count = 0;
    if (!note)
        return VES_NOMEM;
    if (!told->has_head || ves_json_is_absent(list) ||
        list->type != VES_JSON_ARRAY)
        return VES_OK;
    ves_stream_id(&core->stream, &stream_id);
    for (const struct ves_json *e = list->first;
         e && told->vouched_count < VES_PAGE_VOUCHED_MAX; e = e->next) {
        struct ves_page_vouched *vouched = &told->vouched[told->vouched_count];
        *vouched = (struct ves_page_vouched){.text = e->string};
        if (e->type != VES_JSON_STRING ||
            ves_note_read(e->string, note, NULL) ||
            ves_checkpoint_read(note->text, &vouched->head, NULL) ||
            !ves_origin_stream(vouched->head.origin, &named) ||
            !ves_hash_equal(&named, &stream_id) || vouched->head.size == 0)
            continue;
        told->vouched_count++;
    }
    return VES_OK;
}

bool ves_device_witness_wants(const struct ves_page_log *told, uint64_t size)
{
    for (size_t i = 0; i < told->vouched_count; i++) {
        if (told->vouched[i].head.size == size)
            return true;
    }
    return false;
}

void ves_device_witness_pass(struct ves_device_log *log,
                             const struct ves_page_log *told, uint64_t size,
                             const struct ves_hash *root)
{
    for (size_t i = 0; i < told->vouched_count; i++) {
        const struct ves_checkpoint *head = &told->vouched[i].head;
        if (head->size == size)
            log->is_ours[i] = ves_hash_equal(&head->root, root);
    }
}

/* Heads before the page: those that were verified are remembered. */
static enum ves_status compare_kept(struct ves_device_log *log,
                                    const struct ves_page_log *told)
{
    struct ves_agent_core *core = log->core;
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < told->vouched_count && !status; i++) {
        const struct ves_checkpoint *head = &told->vouched[i].head;
        struct ves_kept_head kept;
        size_t found = 0;
        if (log->is_ours[i])
            continue;
        status = core->store->ops->kept_heads_read(
            core->store, core->stream_no, head->size, 1, &kept, &found);
        log->is_ours[i] = !status && found > 0 && kept.size == head->size &&
                          ves_hash_equal(&kept.root, &head->root);
    }
    return status;
}

/* ---- judging --------------------------------------------------------------
 */

struct judging {
    struct ves_device_log *log;
    const struct ves_page_log *told;
    struct ves_policy *policy;
    struct ves_cosigned set;
    struct ves_note *note;
    bool is_changed;
};

/* The log's own lines, if one of its keys made one of them. */
static bool cut_note(struct judging *j, struct ves_bytes origin,
                     struct ves_bytes *out)
{
    const struct ves_page_log *told = j->told;
    struct ves_buf own;
    bool is_signed = false;

    ves_buf_init(&own, j->log->core->alloc, NOTE_MAX);
    ves_buf_put_bytes(&own, j->note->text);
    ves_buf_put_u8(&own, '\n');
    for (size_t i = 0; i < told->key_count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, origin, VES_NOTE_ED25519,
                          &told->keys[i].public_key);
        if (ves_note_check(j->note, &key, NULL) != VES_NOTE_GOOD)
            continue;
        for (size_t k = 0; k < j->note->count; k++) {
            const struct ves_note_line *line = &j->note->lines[k];
            if (line->key_id == key.id &&
                ves_bytes_equal(line->name, key.name)) {
                ves_buf_put_bytes(&own, line->text);
                is_signed = true;
                break;
            }
        }
    }
    is_signed = is_signed && !ves_buf_status(&own) &&
                !ves_arena_copy(j->log->arena, ves_buf_view(&own), out);
    ves_buf_free(&own);
    return is_signed;
}

static bool is_known(const struct judging *j, uint64_t size,
                     const struct ves_cosigned_line *line)
{
    for (size_t i = 0; i < j->set.count; i++) {
        const struct ves_cosigned_head *head = j->set.heads[i];
        for (size_t k = 0; k < head->count; k++) {
            const struct ves_cosigned_line *kept = &head->lines[k];
            if (kept->key_id == line->key_id &&
                ves_bytes_equal(kept->name, line->name) &&
                (head->checkpoint.size > size ||
                 (head->checkpoint.size == size &&
                  kept->time_s >= line->time_s)))
                return true;
        }
    }
    return false;
}

/* A head of ours: the good lines of the policy's witnesses that say more than
 * is known. */
static enum ves_status take_lines(struct judging *j, struct ves_bytes text,
                                  const struct ves_checkpoint *head)
{
    struct ves_bytes own = ves_bytes(NULL, 0);

    if (ves_note_read(text, j->note, NULL))
        return VES_OK;
    for (size_t i = 0; i < j->policy->witness_count; i++) {
        const struct ves_note_key *key = &j->policy->witnesses[i].key;
        struct ves_cosigned_line line = {.key_id = 0};
        enum ves_cosigned_answer answer;
        bool is_there = false;
        for (size_t k = 0; k < j->note->count && !is_there; k++) {
            const struct ves_note_line *at = &j->note->lines[k];
            is_there = at->key_id == key->id &&
                       ves_bytes_equal(at->name, key->name) &&
                       !ves_bytes_equal(at->name, head->origin) &&
                       ves_cosigned_line_read(at, &line);
        }
        if (!is_there || is_known(j, head->size, &line) ||
            ves_note_check(j->note, key, NULL) != VES_NOTE_GOOD)
            continue;
        if (own.len == 0 && !cut_note(j, head->origin, &own))
            return VES_OK;
        enum ves_status status =
            ves_cosigned_add(&j->set, own, head, &line, &answer);
        if (status)
            return status;
        j->is_changed |= answer == VES_COSIGNED_ADDED;
    }
    return VES_OK;
}

static void find_words(const struct ves_policy *policy,
                       const struct ves_cosigned *set,
                       struct ves_policy_word *words)
{
    memset(words, 0, VES_POLICY_ITEMS_MAX * sizeof(*words));
    for (size_t i = 0; i < set->count; i++) {
        const struct ves_cosigned_head *head = set->heads[i];
        for (size_t k = 0; k < head->count; k++) {
            for (size_t w = 0; w < policy->witness_count; w++) {
                const struct ves_note_key *key = &policy->witnesses[w].key;
                if (words[w].size == 0 && key->id == head->lines[k].key_id &&
                    ves_bytes_equal(key->name, head->lines[k].name))
                    words[w] = (struct ves_policy_word){head->checkpoint.size,
                                                        head->lines[k].time_s};
            }
        }
    }
}

/* "" and VES_OK: there is no policy. */
static enum ves_status get_policy(struct ves_agent_core *core,
                                  struct ves_arena *arena,
                                  struct ves_bytes *text,
                                  struct ves_policy **policy)
{
    struct ves_store *store = core->store;

    *policy = NULL;
    enum ves_status status =
        store->ops->meta_get(store, META_POLICY, arena, text);
    if (status == VES_NOT_FOUND || (!status && text->len == 0))
        return VES_OK;
    if (status)
        return status;
    *policy = ves_arena_alloc(arena, sizeof(**policy));
    if (!*policy)
        return VES_NOMEM;
    return ves_policy_read(*text, *policy, &core->error);
}

/* Nothing, when what is kept is damaged: it comes again. */
static enum ves_status get_set(struct ves_agent_core *core,
                               struct ves_arena *arena,
                               struct ves_cosigned *set)
{
    struct ves_store *store = core->store;
    struct ves_bytes text;

    enum ves_status status =
        store->ops->meta_get(store, META_COSIGNED, arena, &text);
    if (status == VES_NOT_FOUND)
        status = VES_OK;
    if (!status)
        status = ves_cosigned_read(text, arena, set);
    if (status == VES_CORRUPT)
        status = ves_cosigned_read(ves_bytes(NULL, 0), arena, set);
    return status;
}

static enum ves_status put_set(struct ves_agent_core *core,
                               const struct ves_cosigned *set)
{
    struct ves_buf text;

    ves_buf_init(&text, core->alloc, VES_COSIGNED_MAX);
    ves_cosigned_write(&text, set);
    enum ves_status status = ves_buf_status(&text);
    if (!status)
        status = core->store->ops->meta_put(core->store, META_COSIGNED,
                                            ves_buf_view(&text));
    ves_buf_free(&text);
    return status;
}

/* How far the quorum vouches; never beyond what was verified here. */
static uint64_t reach_of(const struct ves_policy *policy,
                         const struct ves_cosigned *set, uint64_t logged,
                         struct ves_policy_reach *reach)
{
    struct ves_policy_word words[VES_POLICY_ITEMS_MAX];

    find_words(policy, set, words);
    ves_policy_reach(policy, words, reach);
    return reach->size < logged ? reach->size : logged;
}

enum ves_status ves_device_witness_keep(struct ves_device_log *log,
                                        const struct ves_page *page,
                                        bool *is_changed)
{
    struct ves_agent_core *core = log->core;
    const struct ves_page_log *told = &page->log;
    struct judging j = {.log = log, .told = told};
    struct ves_policy_reach reach;
    struct ves_bytes text;

    enum ves_status status = get_policy(core, log->arena, &text, &j.policy);
    if (status || !j.policy || !told->has_head)
        return status == VES_NOMEM || status == VES_IO ? status : VES_OK;
    j.note = ves_arena_alloc(log->arena, sizeof(*j.note));
    if (!j.note)
        return VES_NOMEM;
    status = get_set(core, log->arena, &j.set);
    if (!status)
        status = compare_kept(log, told);
    if (!status && log->is_verified)
        status = take_lines(&j, told->text, &told->head);
    for (size_t i = 0; i < told->vouched_count && !status; i++) {
        if (log->is_ours[i])
            status =
                take_lines(&j, told->vouched[i].text, &told->vouched[i].head);
    }
    if (!status && j.is_changed)
        status = put_set(core, &j.set);
    if (status)
        return status;
    uint64_t size = reach_of(j.policy, &j.set, log->row.logged, &reach);
    if (size > log->row.witnessed) {
        log->row.witnessed = size;
        *is_changed = true;
    }
    return VES_OK;
}

/* ---- the policy ------------------------------------------------------------
 */

static enum ves_status put_policy(struct ves_agent_core *core,
                                  struct ves_arena *arena,
                                  struct ves_bytes text)
{
    struct ves_store *store = core->store;
    struct ves_follow_row row;
    struct ves_policy_reach reach;
    struct ves_cosigned set;
    struct ves_policy *policy = ves_arena_alloc(arena, sizeof(*policy));

    if (!policy)
        return VES_NOMEM;
    enum ves_status status = VES_OK;
    if (text.len > 0)
        status = ves_policy_read(text, policy, &core->error);
    if (!status)
        status = store->ops->meta_put(store, META_POLICY, text);
    if (!status)
        status = get_set(core, arena, &set);
    if (!status)
        status = store->ops->follow_get(store, core->stream_no, arena, &row);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (status)
        return status;
    /* Judged anew: another policy may ask for more. */
    row.witnessed =
        text.len > 0 ? reach_of(policy, &set, row.logged, &reach) : 0;
    return store->ops->follow_put(store, core->stream_no, &row);
}

enum ves_status ves_core_set_policy(struct ves_agent_core *core,
                                    struct ves_bytes text)
{
    struct ves_arena arena;
    enum ves_status status = ves_device_begin(core);

    if (status)
        return status;
    ves_arena_init(&arena, core->alloc, ARENA_MAX);
    status = ves_device_end(core, put_policy(core, &arena, text));
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_core_witnessing(struct ves_agent_core *core,
                                    struct ves_arena *arena,
                                    struct ves_core_witnessing *out)
{
    struct ves_store *store = core->store;
    struct ves_cosigned set;
    struct ves_follow_row row;

    memset(out, 0, sizeof(*out));
    core->error.status = VES_OK;
    enum ves_status status =
        get_policy(core, arena, &out->policy_text, &out->policy);
    if (!status)
        status = store->ops->follow_get(store, core->stream_no, arena, &row);
    if (status == VES_NOT_FOUND)
        status = VES_OK;
    else if (!status) {
        out->origin = row.origin;
        out->logged = row.logged;
        out->witnessed = row.witnessed;
    }
    if (!status)
        status = get_set(core, arena, &set);
    if (!status && out->policy) {
        find_words(out->policy, &set, out->words);
        ves_policy_reach(out->policy, out->words, &out->reach);
    }
    if (!status)
        status = ves_device_number_get(core, arena, META_OWN_SIZE, 0, 0,
                                       VES_TLOG_SIZE_MAX, &out->own.size);
    if (!status)
        status = ves_device_number_get(core, arena, META_OWN_TIME, 0, 0,
                                       VES_TLOG_SIZE_MAX, &out->own.time_s);
    return ves_device_say(core, status);
}

/* ---- heads that others will judge by themselves --------------------------
 */

static bool meets(const struct ves_policy *policy, struct ves_bytes text,
                  struct ves_note *note)
{
    struct ves_policy_verdict verdict;
    struct ves_checkpoint head;

    if (ves_note_read(text, note, NULL) ||
        ves_checkpoint_read(note->text, &head, NULL))
        return false;
    ves_policy_check(policy, note, &head, &verdict);
    return verdict.is_met && !verdict.has_bad;
}

static enum ves_status find_met(struct ves_agent_core *core, uint64_t at_least,
                                const struct ves_policy *policy,
                                struct ves_arena *arena, struct ves_bytes *out)
{
    struct ves_note *note = ves_arena_alloc(arena, sizeof(*note));
    struct ves_cosigned set;
    struct ves_buf text;

    if (!note)
        return VES_NOMEM;
    enum ves_status status = get_set(core, arena, &set);
    if (status)
        return status;
    ves_buf_init(&text, core->alloc, VES_NOTE_MAX);
    /* Newest first. */
    for (size_t i = 0; i < set.count && out->len == 0 && !status; i++) {
        const struct ves_cosigned_head *head = set.heads[i];
        if (head->checkpoint.size < at_least)
            break;
        ves_buf_reset(&text);
        ves_cosigned_note_write(&text, head->note, head);
        status = ves_buf_status(&text);
        if (!status && meets(policy, ves_buf_view(&text), note))
            status = ves_arena_copy(arena, ves_buf_view(&text), out);
    }
    ves_buf_free(&text);
    return status;
}

enum ves_status ves_core_witnessed_head(struct ves_agent_core *core,
                                        uint64_t at_least,
                                        struct ves_arena *arena,
                                        struct ves_bytes *note)
{
    struct ves_policy *policy;
    struct ves_bytes text;

    core->error.status = VES_OK;
    *note = ves_bytes(NULL, 0);
    enum ves_status status = get_policy(core, arena, &text, &policy);
    if (!status && policy)
        status = find_met(core, at_least, policy, arena, note);
    return ves_device_say(core, status);
}

enum ves_status ves_core_is_witnessed(struct ves_agent_core *core,
                                      struct ves_arena *arena,
                                      struct ves_bytes note, bool *is_met)
{
    struct ves_note *read = ves_arena_alloc(arena, sizeof(*read));
    struct ves_policy *policy;
    struct ves_bytes text;

    core->error.status = VES_OK;
    *is_met = false;
    enum ves_status status =
        read ? get_policy(core, arena, &text, &policy) : VES_NOMEM;
    if (!status && policy)
        *is_met = meets(policy, note, read);
    return ves_device_say(core, status);
}

/* ---- this store's own word -------------------------------------------------
 */

/* The verified head with the log's own lines and ours. */
static enum ves_status write_own(struct ves_agent_core *core,
                                 struct ves_arena *arena,
                                 const struct ves_follow_row *row,
                                 uint64_t time_s, struct ves_buf *out)
{
    struct ves_note *note = ves_arena_alloc(arena, sizeof(*note));
    struct ves_checkpoint head;
    struct ves_buf name, message;
    struct ves_note_key key;
    struct ves_sig sig;

    if (!note)
        return VES_NOMEM;
    if (ves_note_read(row->note, note, NULL) ||
        ves_checkpoint_read(note->text, &head, NULL) ||
        head.size != row->logged)
        return VES_CORRUPT;
    ves_buf_put_bytes(out, note->text);
    ves_buf_put_u8(out, '\n');
    for (size_t i = 0; i < note->count; i++) {
        if (ves_bytes_equal(note->lines[i].name, head.origin))
            ves_buf_put_bytes(out, note->lines[i].text);
    }
    ves_buf_init(&name, core->alloc, 2 * VES_ORIGIN_MAX);
    ves_buf_init(&message, core->alloc, 2 * VES_COSIGN_TEXT_MAX);
    ves_cosigner_name_write(&name, head.origin, &core->agent);
    ves_cosign_message(&message, note->text, time_s);
    enum ves_status status = ves_buf_status(&name);
    if (!status)
        status = ves_buf_status(&message);
    if (!status) {
        ves_note_key_init(&key, ves_buf_view(&name), VES_NOTE_COSIGNATURE,
                          &core->signer->public_key);
        core->signer->sign_text(core->signer, ves_buf_view(&message), &sig);
        ves_cosign_write(out, &key, time_s, &sig);
        status = ves_buf_status(out);
    }
    ves_buf_free(&message);
    ves_buf_free(&name);
    return status;
}

static enum ves_status make_own(struct ves_agent_core *core,
                                struct ves_arena *arena, int64_t now_ms,
                                struct ves_core_cosignature *out)
{
    uint64_t now_s = (uint64_t)(now_ms / 1000), size = 0, time_s = 0;
    struct ves_follow_row row;

    enum ves_status status =
        core->store->ops->follow_get(core->store, core->stream_no, arena, &row);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (!status)
        status = ves_device_number_get(core, arena, META_OWN_SIZE, 0, 0,
                                       VES_TLOG_SIZE_MAX, &size);
    if (!status)
        status = ves_device_number_get(core, arena, META_OWN_TIME, 0, 0,
                                       VES_TLOG_SIZE_MAX, &time_s);
    /* Never a smaller head after a larger one, never an earlier time. */
    if (status || row.logged == 0 || row.logged < size ||
        (row.logged == size && now_s < time_s + OWN_AGAIN_S))
        return status;
    out->size = row.logged;
    out->time_s = now_s > time_s ? now_s : time_s + 1;
    status = ves_device_need_signer(core, arena);
    return status ? status
                  : write_own(core, arena, &row, out->time_s, &out->note);
}

enum ves_status ves_core_cosign(struct ves_agent_core *core, int64_t now_ms,
                                struct ves_core_cosignature *out)
{
    struct ves_arena arena;

    core->error.status = VES_OK;
    ves_buf_init(&out->note, core->alloc, NOTE_MAX);
    out->size = out->time_s = 0;
    ves_arena_init(&arena, core->alloc, ARENA_MAX);
    enum ves_status status = make_own(core, &arena, now_ms, out);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}

enum ves_status ves_core_cosigned(struct ves_agent_core *core,
                                  const struct ves_core_cosignature *sent)
{
    enum ves_status status = ves_device_begin(core);

    if (status)
        return status;
    status = ves_device_number_put(core, META_OWN_SIZE, sent->size);
    if (!status)
        status = ves_device_number_put(core, META_OWN_TIME, sent->time_s);
    return ves_device_end(core, status);
}
