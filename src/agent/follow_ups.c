/* follow_ups.c -- what states ask somebody to look at, and notes, in words. */
#include "agent/follow_ups.h"

#include <string.h>

#include "agent/story.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "core/entity.h"
#include "core/judge.h"
#include "engine/rules_log.h"

/* ---- one ----------------------------------------------------------------- */

/* What happened; the amount comes between. */
static const struct {
    const char *name, *before, *after;
} words[] = {
    {"inventory.oversold", "more was promised than there is, by ",
     "; count what is on the shelf and correct it, or get more"},
    {"payment.unmatched", "money was given back (",
     ") and no completed payment is known; find the payment it belongs to"},
    {"payment.over_refunded", "more was given back than was paid, by ",
     "; ask whoever did the refunds"},
    {"payment.over_requested", "more refunds are asked for than was paid, by ",
     "; approve none before that is cleared up"},
    {"return.over_received", "more goods came back than were announced, by ",
     "; count them, and pay back none before that is cleared up"},
};

static void put_amount(struct ves_buf *buf, const struct ves_follow_up *one)
{
    char text[VES_QUANTITY_TEXT];

    if (one->is_money)
        ves_buf_putf(buf, "%lld in the minor unit of its currency",
                     (long long)one->amount_minor);
    else
        ves_buf_put_bytes(
            buf, ves_bytes(text, ves_quantity_format(one->quantity, text)));
}

static void put_words(struct ves_buf *buf, const struct ves_follow_up *one)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].name, one->name) != 0)
            continue;
        ves_buf_put_str(buf, words[i].before);
        put_amount(buf, one);
        ves_buf_put_str(buf, words[i].after);
        return;
    }
    ves_buf_put_str(buf, one->name);
    ves_buf_put_str(buf, ": ");
    put_amount(buf, one);
}

static void put_one(struct ves_agent *agent, struct ves_bytes entity_type,
                    struct ves_bytes entity_id, const struct ves_follow_up *one,
                    struct ves_jw *jw)
{
    char text[VES_QUANTITY_TEXT];
    struct ves_buf buf;

    ves_jw_object(jw);
    ves_jw_member_str(jw, "name", one->name);
    ves_jw_key(jw, "entity");
    ves_jw_object(jw);
    ves_jw_member(jw, "type", entity_type);
    ves_jw_member(jw, "id", entity_id);
    ves_jw_end(jw);
    if (one->is_money) {
        ves_jw_key(jw, "amountMinor");
        ves_jw_i64(jw, one->amount_minor);
    } else {
        ves_jw_member(
            jw, "quantity",
            ves_bytes(text, ves_quantity_format(one->quantity, text)));
    }
    ves_buf_init(&buf, agent->alloc, 1024);
    put_words(&buf, one);
    ves_jw_member(jw, "explanation", ves_buf_view(&buf));
    ves_buf_free(&buf);
    ves_jw_end(jw);
}

enum ves_status ves_follow_ups_put(struct ves_agent *agent,
                                   struct ves_bytes entity_type,
                                   struct ves_bytes entity_id,
                                   struct ves_bytes state, struct ves_jw *jw)
{
    struct ves_follow_up list[VES_FOLLOW_UPS_MAX];
    size_t count;

    enum ves_status status =
        ves_core_follow_ups_of(&agent->arena, entity_type, state, list, &count);
    ves_jw_key(jw, "followUps");
    ves_jw_array(jw);
    for (size_t i = 0; i < count && !status; i++)
        put_one(agent, entity_type, entity_id, &list[i], jw);
    ves_jw_end(jw);
    return status;
}

/* ---- all ----------------------------------------------------------------- */

struct all {
    struct ves_agent *agent;
    struct ves_bytes entity_id;
    struct ves_jw *jw;
    uint32_t left;
};

static enum ves_status take(void *ctx, const struct ves_entity_row *entity,
                            const struct ves_follow_up *one)
{
    struct all *all = ctx;

    if (all->entity_id.len > 0 &&
        !ves_bytes_equal(all->entity_id, entity->entity_id))
        return VES_OK;
    if (all->left == 0)
        return VES_AGAIN;
    all->left--;
    put_one(all->agent, entity->entity_type, entity->entity_id, one, all->jw);
    return VES_OK;
}

enum ves_status ves_follow_ups_put_all(struct ves_agent *agent,
                                       struct ves_bytes entity_type,
                                       struct ves_bytes entity_id,
                                       uint32_t limit, struct ves_jw *jw)
{
    struct all all = {agent, entity_id, jw, limit};
    uint64_t total;

    enum ves_status status = ves_core_follow_ups(&agent->core, &total);
    ves_jw_key(jw, "followUps");
    ves_jw_array(jw);
    /* Looked for only where there are some. */
    if (!status && total > 0)
        status =
            ves_core_follow_ups_list(&agent->core, entity_type, take, &all);
    ves_jw_end(jw);
    ves_jw_member_u64(jw, "followUpTotal", total);
    return status == VES_AGAIN ? VES_OK : status;
}

enum ves_status ves_follow_ups_say(struct ves_agent *agent,
                                   const struct ves_hash *key,
                                   struct ves_buf *text)
{
    const struct ves_entity_name name = {.key = *key};
    struct ves_follow_up list[VES_FOLLOW_UPS_MAX];
    struct ves_entity_row row;
    size_t count = 0;

    enum ves_status status = agent->store->ops->entity_get(
        agent->store, agent->core.stream_no, &name, 1, &agent->arena, &row);
    if (!status)
        status = ves_core_follow_ups_of(&agent->arena, row.entity_type,
                                        row.state, list, &count);
    for (size_t i = 0; i < count && !status; i++) {
        ves_buf_put_str(text, " To look at, of ");
        ves_buf_put_bytes(text, row.entity_type);
        ves_buf_put_u8(text, ' ');
        ves_buf_put_bytes(text, row.entity_id);
        ves_buf_put_str(text, ": ");
        put_words(text, &list[i]);
        ves_buf_put_u8(text, '.');
    }
    return status;
}

/* ---- notes --------------------------------------------------------------- */

/* Of each list of events in a note, and of what is no list. */
static const struct {
    const char *name, *words;
} notes[] = {
    {"overrode", " It really happened, so it was applied over what others had "
                 "wished:"},
    {"dangling", " What it deletes is referred to by:"},
    {"moved", " What it writes had been changed by then, by:"},
};

static void say_list(const struct ves_json *list, struct ves_buf *text)
{
    for (const struct ves_json *i = list->first; i; i = i->next) {
        ves_buf_put_str(text, i == list->first ? " " : ", ");
        ves_buf_put_bytes(text, i->string);
    }
    ves_buf_put_u8(text, '.');
}

static enum ves_status say_waiting(struct ves_agent *agent,
                                   const struct ves_log_row *row,
                                   struct ves_buf *text)
{
    struct ves_conflict_row conflict;
    struct ves_uuid event_id;
    struct ves_hash as_event;

    if (row->verdict != VES_VERDICT_WAITING)
        return VES_OK;
    memcpy(event_id.b, row->waits_for.b, VES_UUID_SIZE);
    ves_waits_for_event(&event_id, &as_event);
    if (ves_hash_equal(&as_event, &row->waits_for)) {
        ves_buf_put_str(text, " It waits for event ");
        ves_buf_put_uuid(text, &event_id);
        ves_buf_put_str(text, ", on which its author says it depends.");
        return VES_OK;
    }
    enum ves_status status = agent->store->ops->conflict_get(
        agent->store, agent->core.stream_no, &row->waits_for, 1, &agent->arena,
        &conflict);
    if (!status && conflict.is_found) {
        ves_buf_put_str(text, " It waits until conflict 0x");
        ves_buf_put_hex(text, row->waits_for.b, 6);
        ves_buf_put_str(text, " is decided.");
    }
    return status;
}

/* semantics.md decision 5: a note of this store, no verdict. */
static enum ves_status say_unknown(struct ves_agent *agent,
                                   const struct ves_log_row *row,
                                   struct ves_buf *text)
{
    struct ves_rules_log *log;
    struct ves_rules_at rules;
    struct ves_event event;
    bool is_unknown = false;

    if (row->envelope.len == 0)
        return VES_OK;
    enum ves_status status =
        ves_agent_read_envelope(agent, row->envelope, true, &event, NULL);
    if (!status)
        status = ves_rules_log_make(&agent->arena, agent->store,
                                    agent->core.stream_no,
                                    &agent->core.owner_key, &log);
    if (!status)
        status = ves_rules_log_at(log, &event, row->sequence_number, &rules);
    if (status)
        return status;
    (void)ves_event_rule(rules, &event, &is_unknown);
    if (!is_unknown)
        return VES_OK;
    ves_buf_putf(text, " It names version %lu of the rules of ",
                 (unsigned long)event.context.schema_version);
    ves_buf_put_bytes(text, event.event_type);
    ves_buf_put_str(text, ", which this program does not have "
                          "(unknown_schema): the event is kept and changes "
                          "nothing here, and the state of this store cannot "
                          "be compared with that of others until a newer "
                          "program has read the log again.");
    return VES_OK;
}

enum ves_status ves_note_say(struct ves_agent *agent,
                             const struct ves_log_row *row,
                             struct ves_buf *text)
{
    const struct ves_json *note;
    struct ves_bytes reason;
    uint64_t count;

    /* The sub-code of a conflict is told with the conflict. */
    if (row->sub_code.len > 0 && row->verdict == VES_VERDICT_SUPERSEDED) {
        ves_buf_put_str(text, " Its sub-code is ");
        ves_buf_put_bytes(text, row->sub_code);
        /* The others are told with the conflict that they name. */
        if (ves_bytes_is(row->sub_code, "no_such_conflict"))
            ves_buf_putf(text, ": %s", ves_lost_because(row->sub_code));
        ves_buf_put_u8(text, '.');
    }
    enum ves_status status = say_waiting(agent, row, text);
    if (!status)
        status = say_unknown(agent, row, text);
    if (status || row->note.len == 0)
        return status;
    status = ves_json_read(&agent->arena, row->note, NULL, &note, NULL);
    if (status)
        return status == VES_MALFORMED ? VES_CORRUPT : status;
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
        const struct ves_json *list = ves_json_member(note, notes[i].name);
        if (!list || list->type != VES_JSON_ARRAY)
            continue;
        ves_buf_put_str(text, notes[i].words);
        say_list(list, text);
    }
    if (ves_json_get_u64(note, "unresolvedRefs", &count)) {
        ves_buf_put_str(text, " It refers to ");
        ves_buf_put_count(text, count, "thing");
        ves_buf_put_str(text, " that the log did not know when it came.");
    }
    if (ves_json_get_string(note, "unusable", &reason)) {
        ves_buf_put_str(text, " It changed nothing, because ");
        ves_buf_put_bytes(text, reason);
        ves_buf_put_u8(text, '.');
    }
    return VES_OK;
}
