/* agent_apply.c -- what verified of a page, applied in one transaction.
 *
 * First it is decided how far the page goes, then everything up to there is
 * judged, folded, linked and written, and the cursor is there with it (A4).
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/time.h"
#include "engine/agent_internal.h"
#include "engine/chain.h"
#include "engine/rejudge.h"

enum stop {
    STOP_NONE,
    STOP_FALSE,   /* an item is proven false */
    STOP_LOG,     /* what the page says of the log is */
    STOP_GAP,     /* numbers are missing */
    STOP_CUT,     /* the bytes ended too early */
    STOP_KEY,     /* a key is missing */
    STOP_DIVERGED /* the sequencer has less than we */
};

/* One call of ves_core_page_apply. */
struct apply {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    struct ves_page *page;
    int64_t now_ms;
    struct ves_device_state state;
    uint64_t cursor; /* before, then after */

    size_t first, end; /* items to apply: [first, end) */
    size_t known;      /* items that are in the log already */
    enum stop stop;
    const struct ves_page_item *bad; /* STOP_FALSE */
    const char *bad_code, *bad_detail;
    struct ves_bytes bad_body; /* evidence */
    bool is_tail_proven;       /* the event at the cursor was seen again */
    bool opens_epoch;          /* the first new event does */
    bool is_cut_at_epoch;      /* the page goes on behind end */

    struct ves_device_log log;
    struct ves_device_own own;
    struct ves_log_row *rows; /* new ones */
    size_t row_count;
    struct ves_rules_log rules;
    struct ves_device_held held;     /* before them */
    const struct ves_event **events; /* held, then new */
    struct ves_judge_subject *subjects;
    size_t event_count;
    uint64_t conflicts, quarantined;
    bool has_more;
    enum ves_status outcome;
};

static void stop_at(struct apply *apply, size_t index, const char *code,
                    const char *detail, struct ves_bytes body)
{
    apply->stop = STOP_FALSE;
    apply->end = index;
    apply->bad = &apply->page->items[index];
    apply->bad_code = code;
    apply->bad_detail = detail;
    apply->bad_body = body;
}

/* ---- items that are in the log already ----------------------------------- */

struct known {
    struct apply *apply;
    size_t index;
};

/* Both versions of what should be one event. */
static enum ves_status both_versions(struct apply *apply,
                                     const struct ves_log_row *row,
                                     const struct ves_page_item *item,
                                     struct ves_bytes *out)
{
    struct ves_bytes ours = row->raw.len > 0 ? row->raw : row->envelope;
    size_t len = ours.len + 1 + item->raw.len;
    uint8_t *body = ves_arena_bytes(apply->arena, len);

    if (!body)
        return VES_NOMEM;
    if (ours.len > 0)
        memcpy(body, ours.ptr, ours.len);
    body[ours.len] = '\n';
    memcpy(body + ours.len + 1, item->raw.ptr, item->raw.len);
    *out = ves_bytes(body, len);
    return VES_OK;
}

static enum ves_status compare_known(void *ctx, const struct ves_log_row *row)
{
    struct known *known = ctx;
    struct apply *apply = known->apply;
    const struct ves_page_item *item = &apply->page->items[known->index];
    struct ves_bytes body;

    if (item->problem) {
        stop_at(apply, known->index, item->problem, item->detail, item->raw);
        return VES_AGAIN;
    }
    if (ves_hash_equal(&row->event_hash, &item->event.event_hash)) {
        if (row->sequence_number == apply->cursor)
            apply->is_tail_proven = true;
        apply->known++;
        known->index++;
        return VES_OK;
    }
    enum ves_status status = both_versions(apply, row, item, &body);
    if (status)
        return status;
    stop_at(apply, known->index, "equivocation",
            "the sequencer gave one number to two different events", body);
    return VES_AGAIN;
}

/* Passes over items the log holds; they must be the same. */
static enum ves_status pass_known(struct apply *apply)
{
    struct ves_agent_core *core = apply->core;
    const struct ves_page *page = apply->page;
    struct known known = {.apply = apply};
    size_t count = 0;

    while (count < page->count && page->asked_from + count <= apply->cursor)
        count++;
    apply->first = count;
    if (count == 0)
        return VES_OK;
    enum ves_status status = core->store->ops->log_read(
        core->store, core->stream_no, page->asked_from, (uint32_t)count,
        compare_known, &known);
    if (status == VES_AGAIN && apply->stop == STOP_FALSE)
        apply->first = apply->end;
    else if (status)
        return status;
    return VES_OK;
}

/* ---- how far the page goes ----------------------------------------------- */

/* An event id names one event for ever (sequencer.h S3). */
static enum ves_status check_ids(struct apply *apply)
{
    const struct ves_page_item *items = apply->page->items + apply->first;
    size_t count = apply->end - apply->first, reused;

    enum ves_status status = ves_device_find_reused(apply->core, apply->arena,
                                                    items, count, &reused);
    if (!status && reused < count)
        stop_at(apply, apply->first + reused, "event_id_reused",
                "the event has a number already", items[reused].raw);
    return status;
}

static void check_places(struct apply *apply)
{
    for (size_t i = apply->first; i < apply->end; i++) {
        const struct ves_page_item *item = &apply->page->items[i];
        if (!ves_device_own_contradicts(&apply->own, item))
            continue;
        stop_at(apply, i, "equivocation",
                "the sequencer gave two numbers to one event, which its own "
                "receipt proves",
                item->raw);
        return;
    }
}

static void find_stop(struct apply *apply)
{
    const struct ves_page *page = apply->page;

    apply->end = page->count;
    if (page->is_key_unknown)
        apply->stop = STOP_KEY;
    else if (page->has_gap)
        apply->stop = STOP_GAP;
    else if (page->is_cut)
        apply->stop = STOP_CUT;
    for (size_t i = 0; i < page->count; i++) {
        const struct ves_page_item *item = &page->items[i];
        if (!item->problem)
            continue;
        stop_at(apply, i, item->problem, item->detail, item->raw);
        return;
    }
}

/* What comes before an epoch's opening is compared under one name of the log,
 * what comes behind under another; so it is applied alone. */
static void cut_at_epoch(struct apply *apply)
{
    size_t at = ves_device_epoch_find(apply->core, apply->page, apply->first,
                                      apply->end);

    if (at >= apply->end)
        return;
    apply->opens_epoch = at == apply->first;
    size_t end = apply->opens_epoch ? at + 1 : at;
    apply->is_cut_at_epoch = end < apply->page->count;
    if (end < apply->end || apply->stop != STOP_FALSE)
        apply->stop = STOP_NONE;
    apply->end = end;
}

static enum ves_status decide(struct apply *apply)
{
    const struct ves_page *page = apply->page;
    struct ves_page_item *items = page->items;

    find_stop(apply);
    size_t end = apply->end;
    enum ves_status status = pass_known(apply);
    if (status)
        return status;
    /* Another process moved the cursor, or a caller asked beyond it. */
    if (apply->first < end && apply->end == end &&
        page->asked_from + apply->first != apply->cursor + 1) {
        apply->stop = STOP_GAP;
        apply->end = apply->first;
    }
    /* Not of an old page that is told again. */
    if (apply->stop == STOP_NONE && page->count == 0 && page->has_head &&
        page->head + 1 < page->asked_from)
        apply->stop = STOP_DIVERGED;
    if (apply->end < apply->first)
        apply->end = apply->first;
    cut_at_epoch(apply);
    if (apply->end > apply->first) {
        status = ves_device_own_open(&apply->own, items + apply->first,
                                     apply->end - apply->first);
        if (!status)
            status = check_ids(apply);
        if (status)
            return status;
        check_places(apply);
    }
    size_t before = apply->end;
    apply->end = ves_device_group_end(page, apply->first, apply->end,
                                      apply->stop == STOP_NONE);
    apply->has_more =
        apply->stop != STOP_NONE || apply->end < before ||
        apply->is_cut_at_epoch || page->is_short || page->has_more ||
        (page->has_head && page->head + 1 > page->asked_from + apply->end);
    return VES_OK;
}

/* A page that says what is false of the log is of no use at all. */
static enum ves_status check_log(struct apply *apply)
{
    enum ves_status status = ves_device_log_open(&apply->log, apply->cursor);

    if (!status && apply->opens_epoch)
        status = ves_device_epoch_check(&apply->log,
                                        &apply->page->items[apply->first]);
    if (!status)
        status = ves_device_log_check(&apply->log, apply->page, apply->first,
                                      apply->stop == STOP_NONE &&
                                          !apply->page->is_short &&
                                          !apply->is_cut_at_epoch);
    if (!status && !apply->opens_epoch)
        status = ves_device_promises(&apply->log, &apply->own, apply->page,
                                     apply->first, apply->end);
    if (!status && apply->log.code) {
        /* An event that is false says more of what is wrong. */
        if (apply->stop != STOP_FALSE)
            apply->stop = STOP_LOG;
        apply->end = apply->first;
        apply->has_more = true;
    }
    return status;
}

/* ---- applying ------------------------------------------------------------ */

static void fill_row(const struct ves_page_item *item, struct ves_log_row *row)
{
    const struct ves_event *event = &item->event;

    *row = (struct ves_log_row){
        .sequence_number = event->sequence_number,
        .event_id = event->event_id,
        .event_hash = event->event_hash,
        .fingerprint = item->fingerprint,
        .signature = event->signature,
        .agent = event->agent,
        .agent_key_id = event->agent_key_id,
        .agent_seq = event->context.is_present ? event->context.agent_seq : 0,
        .has_command_id = event->has_command_id,
        .command_id = event->command_id,
        .entity_key = item->entity_key,
        .has_receipt = item->has_receipt,
        .envelope = item->envelope,
        .raw = item->is_spelt_so ? ves_bytes(NULL, 0) : item->raw,
    };
    if (event->sequenced_at.len > 0 &&
        ves_time_parse(event->sequenced_at, &row->sequenced_at_ms))
        row->sequenced_at_ms = 0;
    if (!item->has_receipt)
        return;
    row->sequencer_id = item->receipt.sequencer_id;
    row->sequenced_at_ms = item->receipt.sequenced_at_ms;
    row->receipt = item->receipt.signature;
    row->receipt_key_version = item->receipt.key_version;
}

/* The chain of event i's entity, whose newest links may be in rows not written
 * yet; an event of an earlier page is linked already. */
static enum ves_status link_row(struct apply *apply,
                                struct ves_device_fold *fold, size_t i)
{
    if (i < apply->held.count)
        return VES_OK;
    struct ves_agent_core *core = apply->core;
    size_t k = i - apply->held.count;
    const struct ves_page_item *item = &apply->page->items[apply->first + k];
    struct ves_log_row *row = &apply->rows[k];
    struct ves_device_slot *slot = ves_device_fold_slot(fold, &row->entity_key);
    struct ves_entity_row *entity = &slot->entity.row;
    uint64_t wanted = ves_chain_wanted(entity);

    if (entity->entity_type.len == 0) {
        entity->entity_type = item->event.entity_type;
        entity->entity_id = item->event.entity_id;
    }
    slot->entity.is_changed = true;
    if (wanted <= apply->cursor)
        return ves_chain_push(core->store, core->stream_no, entity, row);
    ves_chain_link(entity, apply->rows[wanted - apply->cursor - 1].entity_jump,
                   row);
    return VES_OK;
}

/* Judges the events [at, at + count) that stand together. */
static enum ves_status judge_unit(struct apply *apply,
                                  struct ves_device_fold *fold, size_t at,
                                  size_t count)
{
    enum ves_status status = VES_OK;

    for (size_t i = at; i < at + count && !status; i++) {
        struct ves_log_row *row = i < apply->held.count
                                      ? &apply->held.rows[i]
                                      : &apply->rows[i - apply->held.count];
        status = ves_verdicts_add(&fold->verdicts, row, apply->events[i],
                                  &apply->subjects[i]);
    }
    if (!status)
        status = ves_verdicts_step(&fold->verdicts, count);
    for (size_t i = at; i < at + count && !status; i++)
        status = link_row(apply, fold, i);
    return status;
}

/* The beginning of a group that does not fit the page: without a verdict until
 * its end is there. */
static enum ves_status hold(struct apply *apply, struct ves_device_fold *fold,
                            size_t at)
{
    enum ves_status status = VES_OK;

    for (size_t i = at; i < apply->event_count && !status; i++)
        status = link_row(apply, fold, i);
    return status;
}

static enum ves_status judge_items(struct apply *apply,
                                   struct ves_device_fold *fold)
{
    size_t at = 0;

    while (at < apply->event_count) {
        size_t count =
            ves_unit_length(apply->events + at, apply->event_count - at);
        if (count == 0)
            break;
        enum ves_status status = judge_unit(apply, fold, at, count);
        if (status)
            return status;
        at += count;
    }
    return hold(apply, fold, at);
}

/* After all of them: what waited may have come free by a later one. */
static enum ves_status settle_own(struct apply *apply,
                                  struct ves_device_fold *fold)
{
    for (size_t i = 0; i < apply->row_count; i++) {
        const struct ves_page_item *item =
            &apply->page->items[apply->first + i];
        const struct ves_log_row *row = &apply->rows[i];

        if (row->verdict == VES_VERDICT_CONFLICT)
            apply->conflicts++;
        if (item->own == 0)
            continue;
        enum ves_status status =
            ves_device_own_event(&apply->own, item, row,
                                 ves_device_fold_slot(fold, &row->entity_key));
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status write_items(struct apply *apply,
                                   struct ves_device_fold *fold)
{
    struct ves_agent_core *core = apply->core;

    enum ves_status status = core->store->ops->log_append(
        core->store, core->stream_no, apply->rows, apply->row_count);
    if (!status && apply->held.count > 0)
        status = core->store->ops->log_judge(
            core->store, core->stream_no, apply->held.rows, apply->held.count);
    if (!status)
        status = ves_verdicts_save(&fold->verdicts);
    if (!status)
        status = ves_device_own_save(&apply->own, fold);
    if (!status)
        status = ves_device_fold_save(fold);
    if (!status)
        status = ves_device_conflicts(fold, &apply->held, apply->now_ms);
    return status ? status : ves_device_advise(fold);
}

/* Rows, events and subjects of what is to be judged, and the entities that
 * will be looked at. */
static enum ves_status
gather(struct apply *apply, struct ves_entity_name **names, size_t *name_count)
{
    size_t count = apply->end - apply->first;
    size_t room = apply->held.count + count;
    size_t n = 0;

    apply->event_count = room;
    apply->rows = ves_arena_alloc(apply->arena, count * sizeof(*apply->rows));
    apply->events =
        ves_arena_alloc(apply->arena, room * sizeof(const struct ves_event *));
    apply->subjects =
        ves_arena_alloc(apply->arena, room * sizeof(*apply->subjects));
    if (!apply->rows || !apply->events || !apply->subjects)
        return VES_NOMEM;
    size_t wanted = room;
    for (size_t i = 0; i < room; i++) {
        const struct ves_event *event;
        if (i < apply->held.count) {
            event = &apply->held.events[i];
        } else {
            struct ves_page_item *item =
                &apply->page->items[apply->first + i - apply->held.count];
            event = &item->event;
            fill_row(item, &apply->rows[i - apply->held.count]);
        }
        apply->events[i] = event;
        bool is_new = i >= apply->held.count;
        uint64_t number =
            is_new ? apply->rows[i - apply->held.count].sequence_number
                   : apply->held.rows[i].sequence_number;
        enum ves_status status = ves_rules_log_subject(
            &apply->rules, apply->arena, event, number, &apply->subjects[i]);
        if (!status && is_new)
            status = ves_rules_log_add(&apply->rules, event, number, NULL);
        if (status)
            return status;
        wanted += apply->subjects[i].refs.count;
    }
    apply->row_count = count;
    *names = ves_arena_alloc(apply->arena, wanted * sizeof(**names));
    if (!*names)
        return VES_NOMEM;
    for (size_t i = 0; i < room; i++) {
        const struct ves_entity_names *refs = &apply->subjects[i].refs;
        (*names)[n++] = (struct ves_entity_name){apply->subjects[i].entity_key,
                                                 apply->events[i]->entity_type,
                                                 apply->events[i]->entity_id};
        for (size_t k = 0; k < refs->count; k++)
            (*names)[n++] = refs->list[k];
    }
    *name_count = n;
    return VES_OK;
}

static enum ves_status apply_items(struct apply *apply)
{
    struct ves_device_fold fold;
    struct ves_entity_name *names;
    size_t name_count;

    enum ves_status status =
        ves_device_held(apply->core, apply->arena, apply->cursor, &apply->held);
    if (!status)
        status = gather(apply, &names, &name_count);
    if (status)
        return status;
    VES_ASSERT(apply->rows[0].sequence_number == apply->cursor + 1);
    status = ves_device_fold_open(&fold, apply->core, apply->arena, names,
                                  name_count);
    if (!status)
        status = ves_device_fold_begin(&fold, &apply->rules,
                                       apply->cursor - apply->held.count,
                                       apply->event_count);
    if (!status)
        status = judge_items(apply, &fold);
    if (!status)
        status = settle_own(apply, &fold);
    if (!status)
        status = ves_device_keys_save(apply->core, apply->arena, apply->page,
                                      apply->first, apply->end, &apply->state,
                                      apply->now_ms);
    if (!status)
        status = write_items(apply, &fold);
    ves_device_fold_close(&fold);
    if (!status)
        apply->cursor += apply->row_count;
    return status;
}

static enum ves_status apply_prefix(struct apply *apply)
{
    struct ves_agent_core *core = apply->core;

    if (apply->end == apply->first)
        return VES_OK;
    ves_rules_log_open(&apply->rules, core->store, core->stream_no, core->alloc,
                       &core->owner_key);
    enum ves_status status = apply_items(apply);
    ves_rules_log_close(&apply->rules);
    return status;
}

/* ---- what is told and remembered ----------------------------------------- */

static enum ves_status keep_falsehood(struct apply *apply)
{
    const struct ves_page_item *bad = apply->bad;
    uint64_t number =
        apply->page->asked_from + (uint64_t)(bad - apply->page->items);
    const struct ves_device_alert alert = {
        .code = apply->bad_code,
        .detail = apply->bad_detail,
        .sequence_number = number,
        .event_id = bad->has_event ? &bad->event.event_id : NULL,
        .body = apply->bad_body};
    bool is_new;

    enum ves_status status =
        ves_device_quarantine(apply->core, apply->now_ms, &alert, &is_new);
    apply->quarantined = is_new ? 1 : 0;
    apply->outcome = ves_fail(
        &apply->core->error, VES_REFUSED,
        "number %llu of the sequencer's log does not hold: %s (%s). It was "
        "not applied; its bytes are in quarantine. Do not go on with this "
        "sequencer before its operator has looked at it",
        (unsigned long long)number, apply->bad_detail, apply->bad_code);
    return status;
}

static enum ves_status keep_false_log(struct apply *apply)
{
    enum ves_status status = ves_device_log_refuse(
        &apply->log, apply->page, apply->now_ms, &apply->quarantined);
    apply->outcome = apply->core->error.status;
    return status;
}

static enum ves_status diverge(struct apply *apply)
{
    const struct ves_device_alert alert = {
        .code = "diverged",
        .detail = "the sequencer's log ends before this store's cursor: it may "
                  "have lost its tail"};

    apply->state.is_diverged = 1;
    apply->outcome =
        ves_fail(&apply->core->error, VES_DIVERGED,
                 "the sequencer's log ends at %llu, but this store has seen "
                 "%llu of its events; nothing was changed and pushing has "
                 "stopped",
                 (unsigned long long)apply->page->head,
                 (unsigned long long)apply->cursor);
    return ves_device_alert(apply->core, apply->now_ms, &alert);
}

static void again(struct apply *apply, const char *why)
{
    apply->outcome =
        ves_fail(&apply->core->error, VES_AGAIN,
                 "%s; everything up to number %llu is applied. Pull again", why,
                 (unsigned long long)apply->cursor);
}

/* The sequencer's tail was lost and is there again. */
static enum ves_status heal(struct apply *apply)
{
    if (!apply->state.is_diverged || apply->stop == STOP_LOG ||
        (!apply->is_tail_proven && apply->cursor > 0))
        return VES_OK;
    apply->state.is_diverged = 0;
    return ves_device_close(apply->core, apply->now_ms, "diverged");
}

/* Events that verify with the keys this store has are the answer that an
 * alert about false keys waits for. */
static enum ves_status settle(struct apply *apply)
{
    static const char *const codes[] = {"directory_invalid", "key_changed",
                                        "sequencer_key_changed"};
    enum ves_status status = ves_device_settle(
        apply->core, apply->now_ms, apply->cursor, apply->log.is_verified);

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (!status && apply->row_count > 0)
            status = ves_device_close(apply->core, apply->now_ms, codes[i]);
    }
    return status;
}

static enum ves_status conclude(struct apply *apply)
{
    enum ves_status status = heal(apply);

    if (status)
        return status;
    switch (apply->stop) {
    case STOP_NONE:
        status = settle(apply);
        break;
    case STOP_FALSE:
        return keep_falsehood(apply);
    case STOP_LOG:
        return keep_false_log(apply);
    case STOP_GAP:
        again(apply, "the page does not go on where the last one ended");
        break;
    case STOP_CUT:
        again(apply, "the page was cut off");
        break;
    case STOP_KEY:
        again(apply, "the next event needs a key this store has not got yet; "
                     "fetch the directories");
        break;
    case STOP_DIVERGED:
        return diverge(apply);
    }
    if (!status && apply->state.is_diverged)
        return diverge(apply);
    return status;
}

static enum ves_status store_trail(struct apply *apply, size_t taken_back)
{
    static const char *const stops[] = {"none", "falsehood", "log",     "gap",
                                        "cut",  "key",       "diverged"};
    struct ves_buf buf;

    ves_buf_init(&buf, apply->core->alloc, 4096);
    ves_buf_putf(&buf,
                 "{\"from\":%llu,\"received\":%zu,\"applied\":%zu,"
                 "\"alreadyApplied\":%zu,\"quarantined\":%llu,"
                 "\"takenBack\":%zu,\"cursor\":%llu,\"stop\":\"%s\","
                 "\"outcome\":\"%s\"}",
                 (unsigned long long)apply->page->asked_from,
                 apply->page->count, apply->row_count, apply->known,
                 (unsigned long long)apply->quarantined, taken_back,
                 (unsigned long long)apply->cursor, stops[apply->stop],
                 ves_status_name(apply->outcome));
    return ves_device_trail_end(apply->core, apply->now_ms, "pull", &buf);
}

static enum ves_status remember(struct apply *apply)
{
    struct ves_device_state *state = &apply->state;
    const struct ves_page *page = apply->page;

    if (apply->outcome == VES_OK)
        state->last_pull_ms = ves_device_time(apply->now_ms);
    /* Nothing proves a head, so a good answer takes back what was told
     * before. */
    if (page->has_head &&
        (page->head > state->remote_head || state->is_diverged ||
         (apply->outcome == VES_OK && apply->stop == STOP_NONE)))
        state->remote_head = page->head;
    if (apply->cursor > state->remote_head && !state->is_diverged)
        state->remote_head = apply->cursor;
    if (state->remote_head < apply->log.row.logged)
        state->remote_head = apply->log.row.logged;
    if (apply->row_count > 0 && page->is_unproven)
        state->is_position_unproven = 1;
    if (!apply->has_more) {
        state->is_restoring = 0;
        /* Perhaps the end of long ago, told by an older page. */
        state->was_backup |= state->is_backup;
        state->is_backup = 0;
    }
    /* It answered, whatever becomes of pushing. */
    state->offline_failures = 0;
    state->quiet_ms = 0;
    enum ves_status status = ves_device_state_put(apply->core, state);
    return status ? status : store_trail(apply, apply->own.back_count);
}

static enum ves_status apply_page(struct apply *apply)
{
    enum ves_status status =
        ves_device_state_get(apply->core, apply->arena, &apply->state);
    if (!status)
        status = ves_device_cursor(apply->core, &apply->cursor);
    if (!status)
        status = decide(apply);
    if (!status)
        status = check_log(apply);
    if (!status)
        status = apply_prefix(apply);
    if (!status && apply->opens_epoch && apply->row_count > 0)
        status = ves_device_epoch_enter(&apply->log,
                                        &apply->page->items[apply->first],
                                        &apply->state, apply->now_ms);
    if (!status)
        status = ves_device_log_keep(&apply->log, apply->page, apply->first,
                                     apply->end, apply->now_ms);
    /* A head that was verified says where the log goes on to; a page that ends
     * before it and says that this is all is an old one. */
    if (apply->log.row.logged > apply->cursor)
        apply->has_more = true;
    if (!status)
        status = conclude(apply);
    return status ? status : remember(apply);
}

static void add_result(const struct apply *apply,
                       struct ves_pull_result *result)
{
    const struct ves_page *page = apply->page;

    result->received += page->count;
    result->applied += apply->row_count;
    result->already_applied += apply->known;
    result->quarantined += apply->quarantined;
    result->conflicts += apply->conflicts;
    result->cursor = apply->cursor;
    result->remote_head = apply->state.remote_head;
    result->has_more = apply->has_more;
    result->is_position_unproven =
        result->is_position_unproven || page->is_unproven;
    if (apply->stop == STOP_GAP && page->has_gap) {
        result->gap_expected = page->asked_from + page->count;
        result->gap_received = page->gap_number;
    }
    if (apply->row_count > 0)
        result->last_event_id = page->items[apply->end - 1].event.event_id;
}

enum ves_status ves_core_page_apply(struct ves_agent_core *core,
                                    struct ves_page *page, int64_t now_ms,
                                    struct ves_pull_result *result)
{
    struct ves_arena arena;
    struct apply apply = {
        .core = core, .arena = &arena, .page = page, .now_ms = now_ms};
    VES_ASSERT(page->is_verified);

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    apply.log = (struct ves_device_log){.core = core, .arena = &arena};
    apply.own = (struct ves_device_own){
        .core = core, .arena = &arena, .now_ms = now_ms, .state = &apply.state};
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(core, apply_page(&apply));
    if (!status)
        add_result(&apply, result);
    ves_arena_free(&arena);
    return status ? status : apply.outcome;
}

enum ves_status ves_core_pull_from(struct ves_agent_core *core, uint64_t *from)
{
    struct ves_device_state state;
    uint64_t cursor;

    core->error.status = VES_OK;
    enum ves_status status = ves_device_where(core, &state, &cursor);
    if (status)
        return status;
    *from = state.is_diverged && cursor > 0 ? cursor : cursor + 1;
    return VES_OK;
}
