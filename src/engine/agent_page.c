/* agent_page.c -- a pull page, cut into items, read and verified.
 *
 * The page is cut by brackets first and each item is read strictly on its
 * own, so that one bad item does not spoil those before it.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "core/entity.h"
#include "core/scratch.h"
#include "engine/agent_internal.h"
#include "json/jcs.h"

enum {
    PAGE_MAX = 512 * 1024 * 1024, /* one event may be a million numbers */
    PAGE_SOFT = 64 * 1024 * 1024, /* beyond it the rest is asked for again */
    /* An item puts two levels around an event. */
    ITEM_DEPTH = VES_LOG_DEPTH_MAX + 2,
    ROOM_MIN = 16
};

/* ---- cutting ------------------------------------------------------------- */

struct cutter {
    struct ves_page *page;
    struct ves_bytes text;
    size_t at;
};

/* The next byte that is no white space; 0 at the end. */
static uint8_t peek(struct cutter *cutter)
{
    while (cutter->at < cutter->text.len &&
           memchr(" \t\r\n", cutter->text.ptr[cutter->at], 4))
        cutter->at++;
    return cutter->at < cutter->text.len ? cutter->text.ptr[cutter->at] : 0;
}

static bool take_value(struct cutter *cutter, struct ves_bytes *value)
{
    (void)peek(cutter);
    size_t start = cutter->at;
    if (ves_json_skip(cutter->text, &cutter->at, NULL))
        return false;
    *value = ves_bytes(cutter->text.ptr + start, cutter->at - start);
    return true;
}

static enum ves_status add_item(struct ves_page *page, struct ves_bytes raw)
{
    if (page->count == VES_PULL_PAGE_MAX) {
        page->is_short = true;
        return VES_OK;
    }
    if (page->count == page->room) {
        size_t room = page->room ? 2 * page->room : ROOM_MIN;
        struct ves_page_item *items =
            ves_arena_alloc(&page->arena, room * sizeof(*items));
        if (!items)
            return VES_NOMEM;
        if (page->count > 0)
            memcpy(items, page->items, page->count * sizeof(*items));
        page->items = items;
        page->room = room;
    }
    page->items[page->count++].raw = raw;
    return VES_OK;
}

/* The array of items; one that is cut off or followed by something else ends
 * the page. */
static enum ves_status cut_items(struct cutter *cutter)
{
    struct ves_page *page = cutter->page;
    struct ves_bytes raw;

    cutter->at++;
    if (peek(cutter) == ']') {
        cutter->at++;
        return VES_OK;
    }
    for (;;) {
        if (!take_value(cutter, &raw)) {
            page->is_cut = true;
            return VES_OK;
        }
        uint8_t next = peek(cutter);
        if (next != ',' && next != ']') {
            page->is_cut = true;
            return VES_OK;
        }
        enum ves_status status = add_item(page, raw);
        if (status)
            return status;
        cutter->at++;
        if (next == ']')
            return VES_OK;
    }
}

static enum ves_status read_other(struct cutter *cutter, struct ves_bytes name,
                                  struct ves_bytes value)
{
    struct ves_page *page = cutter->page;
    const struct ves_json *node;

    bool is_head = ves_bytes_is(name, "\"head_sequence\"");
    bool is_more = ves_bytes_is(name, "\"has_more\"");
    bool is_checkpoint = ves_bytes_is(name, "\"checkpoint\"");
    bool is_proof = ves_bytes_is(name, "\"consistency\"");
    bool is_vouched = ves_bytes_is(name, "\"witnessed\"");
    if (!is_head && !is_more && !is_checkpoint && !is_proof && !is_vouched)
        return VES_OK;
    enum ves_status status =
        ves_json_read(&page->arena, value, NULL, &node, NULL);
    if (status == VES_NOMEM)
        return status;
    if (status) {
        if (is_checkpoint || is_proof)
            page->log.problem = "what it says of the log is no JSON";
        return VES_OK;
    }
    if (is_checkpoint)
        page->log.checkpoint = node;
    else if (is_proof)
        page->log.consistency = node;
    else if (is_vouched)
        page->log.witnessed = node;
    else if (is_head)
        page->has_head = ves_json_as_u64(node, &page->head);
    else
        page->has_more = node->type == VES_JSON_TRUE;
    return VES_OK;
}

/* One member of the page object; page->is_cut when it does not end. */
static enum ves_status cut_member(struct cutter *cutter, bool *has_items)
{
    struct ves_bytes name, value;

    if (peek(cutter) != '"' || !take_value(cutter, &name) ||
        peek(cutter) != ':') {
        cutter->page->is_cut = true;
        return VES_OK;
    }
    cutter->at++;
    if (ves_bytes_is(name, "\"events\"") && peek(cutter) == '[' &&
        !*has_items) {
        *has_items = true;
        return cut_items(cutter);
    }
    if (!take_value(cutter, &value)) {
        cutter->page->is_cut = true;
        return VES_OK;
    }
    return read_other(cutter, name, value);
}

static enum ves_status cut_page(struct cutter *cutter)
{
    bool has_items = false;

    if (peek(cutter) != '{')
        return VES_MALFORMED;
    cutter->at++;
    while (!cutter->page->is_cut && peek(cutter) != '}') {
        enum ves_status status = cut_member(cutter, &has_items);
        if (status)
            return status;
        if (cutter->page->is_cut)
            break;
        if (peek(cutter) == ',')
            cutter->at++;
        else if (peek(cutter) != '}')
            cutter->page->is_cut = true;
    }
    return has_items ? VES_OK : VES_MALFORMED;
}

/* ---- reading one item ---------------------------------------------------- */

static void set_problem(struct ves_page_item *item, const char *code,
                        const char *detail)
{
    struct ves_bytes text = ves_bytes_str(detail);
    size_t n =
        text.len < sizeof(item->detail) ? text.len : sizeof(item->detail) - 1;
    item->problem = code;
    memcpy(item->detail, detail, n);
    item->detail[n] = '\0';
}

static const char *problem_of(enum ves_refusal_code code)
{
    switch (code) {
    case VES_REFUSAL_INVALID_PAYLOAD_HASH:
    case VES_REFUSAL_INVALID_CIPHER_HASH:
        return "hash_mismatch";
    case VES_REFUSAL_UNSUPPORTED_VERSION:
        return "unsupported_version";
    default:
        return "malformed";
    }
}

static enum ves_status read_event(struct ves_agent_core *core,
                                  struct ves_page *page,
                                  struct ves_page_item *item,
                                  const struct ves_json *envelope)
{
    struct ves_refusal refusal;

    enum ves_status status =
        ves_event_from_json(&page->arena, envelope, &item->event, &refusal);
    if (!status)
        status = ves_event_check_logged(&page->arena, &item->event, &refusal);
    if (status == VES_REFUSED) {
        set_problem(item, problem_of(refusal.code), refusal.message);
        return VES_OK;
    }
    if (status)
        return status;
    item->has_event = true;
    if (!ves_stream_equal(&item->event.stream, &core->stream)) {
        set_problem(item, "scope_mismatch", "the event is of another stream");
        return VES_OK;
    }
    ves_event_fingerprint(&item->event, &item->fingerprint);
    ves_entity_key(item->event.entity_type, item->event.entity_id,
                   &item->entity_key);
    return VES_OK;
}

/* The form the log keeps, and whether it is what was received: then the bytes
 * need not be kept twice. */
static enum ves_status spell(struct ves_page *page, struct ves_page_item *item,
                             const struct ves_json *envelope)
{
    struct ves_scratch scratch;

    ves_scratch_init(&scratch, &page->arena, envelope->text.len + 64,
                     PAGE_SOFT);
    ves_event_write_open(&scratch.buf, &item->event);
    enum ves_status status = ves_buf_status(&scratch.buf);
    item->envelope = ves_buf_view(&scratch.buf);
    item->is_spelt_so = !status && envelope->text.len > item->envelope.len &&
                        memcmp(envelope->text.ptr, item->envelope.ptr,
                               item->envelope.len) == 0 &&
                        envelope->text.ptr[item->envelope.len] == ',';
    return status;
}

static void read_receipt(struct ves_agent_core *core, struct ves_page *page,
                         struct ves_page_item *item,
                         const struct ves_json *node)
{
    struct ves_hash hash;

    enum ves_status status = ves_json_is_absent(node)
                                 ? VES_UNSUPPORTED
                                 : ves_receipt_read(node, &item->receipt);
    if (status == VES_UNSUPPORTED) {
        page->is_unproven = true;
        return;
    }
    const struct ves_event *event = &item->event;
    if (status || !ves_uuid_equal(&item->receipt.event_id, &event->event_id) ||
        item->receipt.sequence_number != event->sequence_number) {
        set_problem(item, "receipt_invalid",
                    "the receipt is not one for this event and number");
        return;
    }
    ves_receipt_hash(&core->stream, &event->event_id, event->sequence_number,
                     &event->event_hash, &hash);
    if (!ves_hash_equal(&hash, &item->receipt.receipt_hash)) {
        set_problem(item, "receipt_invalid",
                    "the receipt's hash is not that of this event and number");
        return;
    }
    item->has_receipt = true;
    if (ves_device_key_count(core, item->receipt.key_version) == 0)
        page->is_key_unknown = true;
}

/* The key of one event's agent; NULL in *out when this store has not got it.
 * The last few are remembered: most events are of the same agents. */
static enum ves_status find_key(struct ves_agent_core *core,
                                struct ves_page *page,
                                const struct ves_event *event,
                                const struct ves_agent_key **out)
{
    struct ves_store *store = core->store;
    struct ves_key_row row;
    struct ves_key_span span;

    *out = NULL;
    for (size_t i = 0; i < VES_PAGE_KEYS; i++) {
        const struct ves_page_key *known = &page->keys[i];
        if (known->is_used && known->key_id == event->agent_key_id &&
            ves_uuid_equal(&known->agent, &event->agent)) {
            *out = &known->key;
            return VES_OK;
        }
    }
    struct ves_page_key *place = &page->keys[page->next_key];
    bool is_logged;
    enum ves_status status =
        ves_device_page_key(core, page, event, &place->key, &is_logged);
    if (status || is_logged) {
        *out = is_logged ? &place->key : NULL;
        return status;
    }
    /* The sequencer's own are pinned, or fetched. */
    if (ves_uuid_equal(&event->agent, &core->sequencer_id) &&
        !ves_uuid_is_nil(&core->sequencer_id))
        return VES_OK;
    status = store->ops->key_get(store, &core->stream.tenant, &event->agent,
                                 event->agent_key_id, &page->arena, &row);
    if (!status)
        status = store->ops->key_span_get(store, core->stream_no, &event->agent,
                                          event->agent_key_id, &span);
    if (status == VES_NOT_FOUND || (!status && !span.is_found))
        return VES_OK;
    if (status)
        return status;
    page->next_key = (page->next_key + 1) % VES_PAGE_KEYS;
    *place = (struct ves_page_key){
        .is_used = true,
        .agent = event->agent,
        .key_id = event->agent_key_id,
        .key = {.public_key = row.public_key,
                .valid_from_sequence = span.valid_from_sequence,
                .revoked_at_sequence = span.revoked_at_sequence}};
    *out = &place->key;
    return VES_OK;
}

static void tell_not_valid(struct ves_page_item *item,
                           const struct ves_agent_key *key)
{
    struct ves_error words;

    if (item->event.sequence_number < key->valid_from_sequence)
        (void)ves_fail(
            &words, VES_REFUSED,
            "key %u of the agent may sign from number %llu on, and this "
            "is %llu",
            (unsigned)item->event.agent_key_id,
            (unsigned long long)key->valid_from_sequence,
            (unsigned long long)item->event.sequence_number);
    else
        (void)ves_fail(
            &words, VES_REFUSED,
            "key %u of the agent was revoked at number %llu, and this is "
            "%llu",
            (unsigned)item->event.agent_key_id,
            (unsigned long long)key->revoked_at_sequence,
            (unsigned long long)item->event.sequence_number);
    set_problem(item, "key_not_valid", words.text);
}

/* May the agent's key sign this number (design.md D17)? */
static enum ves_status check_key(struct ves_agent_core *core,
                                 struct ves_page *page,
                                 struct ves_page_item *item)
{
    const struct ves_agent_key *key;

    enum ves_status status = find_key(core, page, &item->event, &key);
    if (status)
        return status;
    if (!key) {
        page->is_key_unknown = true;
        page->has_stranger = true;
        page->stranger = item->event.agent;
        return VES_OK;
    }
    item->key = key->public_key;
    if (!ves_agent_key_covers(key, item->event.sequence_number))
        tell_not_valid(item, key);
    else if (!ves_device_page_allows(page, &item->event))
        set_problem(item, "key_not_owned",
                    "the owner of this stream accepts only keys that he signed "
                    "for, and the log has no such word for this one");
    return VES_OK;
}

/* What it says of keys, if it does. */
static enum ves_status take_key_event(struct ves_agent_core *core,
                                      struct ves_page *page,
                                      struct ves_page_item *item)
{
    struct ves_error why;

    enum ves_status status =
        ves_device_page_key_event(core, page, &item->event, &why);
    if (!status && why.status)
        set_problem(item, "key_event_false", why.text);
    return status;
}

static enum ves_status read_item(struct ves_agent_core *core,
                                 struct ves_page *page, size_t index)
{
    const struct ves_json_options options = {.depth_max = ITEM_DEPTH};
    struct ves_page_item *item = &page->items[index];
    const struct ves_json *root;

    enum ves_status status =
        ves_json_read(&page->arena, item->raw, &options, &root, NULL);
    if (status == VES_MALFORMED) {
        set_problem(item, "malformed", "the item is not valid JSON");
        return VES_OK;
    }
    if (status)
        return status;
    const struct ves_json *envelope = ves_json_member(root, "envelope");
    status = read_event(core, page, item, envelope);
    if (status || item->problem)
        return status;
    /* The number is not the agent's word: another one than asked for proves
     * nothing, it only is of no use. */
    if (item->event.sequence_number != page->asked_from + index) {
        page->has_gap = true;
        page->gap_number = item->event.sequence_number;
        return VES_OK;
    }
    read_receipt(core, page, item, ves_json_member(root, "receipt"));
    if (item->problem || page->is_key_unknown)
        return VES_OK;
    status = check_key(core, page, item);
    if (!status && !item->problem && !page->is_key_unknown)
        status = take_key_event(core, page, item);
    if (status || item->problem || page->is_key_unknown)
        return status;
    return spell(page, item, envelope);
}

/* Reads items up to the first that cannot be applied; what follows that one
 * is of no use now. */
static enum ves_status read_items(struct ves_agent_core *core,
                                  struct ves_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        if (i > 0 && page->arena.total > PAGE_SOFT) {
            page->count = i;
            page->is_short = true;
            break;
        }
        enum ves_status status = read_item(core, page, i);
        if (status)
            return status;
        if (page->is_key_unknown || page->has_gap) {
            page->count = i;
            break;
        }
        if (page->items[i].problem) {
            page->count = i + 1;
            break;
        }
    }
    return VES_OK;
}

/* ---- signatures ---------------------------------------------------------- */

static enum ves_status collect(struct ves_agent_core *core,
                               struct ves_page *page)
{
    size_t count = 0;

    for (size_t i = 0; i < page->count; i++) {
        struct ves_page_item *item = &page->items[i];
        if (item->problem)
            continue;
        item->verify_first = count;
        item->verify_count =
            1 + (item->has_receipt
                     ? ves_device_key_count(core, item->receipt.key_version)
                     : 0);
        count += item->verify_count;
    }
    page->verify = ves_arena_alloc(&page->arena, count * sizeof(*page->verify));
    page->verify_count = count;
    if (!page->verify)
        return VES_NOMEM;
    for (size_t i = 0; i < page->count; i++) {
        const struct ves_page_item *item = &page->items[i];
        if (item->problem)
            continue;
        struct ves_verify_item *first = &page->verify[item->verify_first];
        first->key = item->key;
        first->hash = item->event.event_hash;
        first->sig = item->event.signature;
        if (item->has_receipt)
            ves_device_key_items(core, item->receipt.key_version,
                                 &item->receipt.receipt_hash,
                                 &item->receipt.signature, first + 1);
    }
    return VES_OK;
}

void ves_core_page_verify(struct ves_agent_core *core, struct ves_page *page)
{
    if (page->verify_count > 0)
        core->verifier->verify(core->verifier, page->verify,
                               page->verify_count);
    for (size_t i = 0; i < page->count; i++) {
        struct ves_page_item *item = &page->items[i];
        if (item->problem)
            continue;
        const struct ves_verify_item *first = &page->verify[item->verify_first];
        if (!first->is_valid)
            set_problem(item, "signature_invalid",
                        "the agent's signature does not verify");
        else if (item->has_receipt &&
                 !ves_device_receipt_verified(core, first + 1, &item->receipt))
            set_problem(item, "receipt_invalid",
                        "the sequencer's signature does not verify");
    }
    ves_device_log_verify(core, page);
    page->is_verified = true;
}

/* ---- the page ------------------------------------------------------------ */

static enum ves_status read_page(struct ves_agent_core *core,
                                 struct ves_page *page, struct ves_bytes reply)
{
    struct cutter cutter = {.page = page};

    enum ves_status status = ves_arena_copy(&page->arena, reply, &cutter.text);
    if (status)
        return status;
    page->text = cutter.text;
    status = cut_page(&cutter);
    if (status == VES_MALFORMED)
        return ves_fail(&core->error, VES_MALFORMED,
                        "the sequencer's answer is not a page of events; "
                        "nothing was applied");
    if (!status)
        status = read_items(core, page);
    if (!status)
        status = ves_device_log_read(core, page);
    return status ? status : collect(core, page);
}

enum ves_status ves_core_page_read(struct ves_agent_core *core,
                                   struct ves_bytes reply, uint64_t asked_from,
                                   struct ves_page **page, bool *needs_keys)
{
    *page = NULL;
    *needs_keys = false;
    core->error.status = VES_OK;
    struct ves_page *made =
        core->alloc->realloc(core->alloc->ctx, NULL, sizeof(*made));
    if (!made)
        return ves_device_say(core, VES_NOMEM);
    memset(made, 0, sizeof(*made));
    made->alloc = core->alloc;
    made->asked_from = asked_from;
    ves_arena_init(&made->arena, core->alloc, PAGE_MAX);
    enum ves_status status = read_page(core, made, reply);
    if (status) {
        ves_page_free(made);
        return ves_device_say(core, status);
    }
    *needs_keys = made->is_key_unknown || made->log.is_key_unknown;
    *page = made;
    return VES_OK;
}

bool ves_page_stranger(const struct ves_page *page, struct ves_uuid *agent)
{
    *agent = page->stranger;
    return page->has_stranger;
}

void ves_page_free(struct ves_page *page)
{
    if (!page)
        return;
    ves_arena_free(&page->arena);
    (void)page->alloc->realloc(page->alloc->ctx, page, 0);
}
