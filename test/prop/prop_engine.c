/* prop_engine.c -- the sequencer and every store against the judge's model.
 *
 * prop_judge.c holds the judge itself against judge.py; here the same
 * histories go through the product: signed events into a sequencer, pages into
 * stores.  One store follows event by event, one pulls a few at a time, one
 * everything at the end and then folds its log again, and one is the store of
 * an author that lost everything it had.  All must say what the model says.
 *
 * VES_SEED and VES_EVENTS change the seed and the number of events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/entity.h"
#include "core/judge.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

enum { EVENTS = 2000, AGENTS = 4, LOG_SIZE = 512 };

enum { FOLLOWER, STROLLER, LATE, AUTHOR, STORES };

static struct test_fleet fleet;
static bool has_fleet;
static struct test_signer keys[AGENTS];

/* A history: what the model says of each event, in the order of the log, and
 * that event as ours.  An author may have built on an event that comes into
 * the log later, so events are made when they are first named. */
static const struct ves_json *lines[LOG_SIZE];
static struct event {
    const char *name;
    const struct ves_json *says;
    bool is_made;
    struct ves_uuid id;
    struct ves_hash hash;
    struct ves_bytes envelope;
} events[LOG_SIZE];
static size_t line_count;
static size_t count; /* in the log */

static struct ves_arena arena;
static struct ves_buf got;

/* ---- the model's events as ours ------------------------------------------ */

static const char *text_of(const struct ves_json *node)
{
    if (ves_json_is_absent(node))
        return NULL;
    assert_int_equal(node->type, VES_JSON_STRING);
    char *text = (char *)ves_arena_bytes(&arena, node->string.len + 1);
    assert_non_null(text);
    memcpy(text, node->string.ptr, node->string.len);
    text[node->string.len] = '\0';
    return text;
}

static const char *member_text(const struct ves_json *object, const char *name)
{
    return text_of(ves_json_member(object, name));
}

static uint64_t member_number(const struct ves_json *object, const char *name)
{
    uint64_t number;
    assert_true(ves_json_get_u64(object, name, &number));
    return number;
}

static void make(struct event *event);

static const struct event *find_name(const char *name)
{
    size_t i = 0;

    while (i < line_count && strcmp(events[i].name, name) != 0)
        i++;
    if (i == line_count)
        fail_msg("no event is called %s", name);
    if (!events[i].is_made)
        make(&events[i]);
    return &events[i];
}

static struct ves_uuid id_of(const char *name)
{
    struct ves_uuid id = test_id(0);
    size_t len = strlen(name);
    assert_true(len < 10);
    memcpy(id.b + 16 - len, name, len);
    return id;
}

/* {"path":value,...} of the effects that set something. */
static void put_sets(struct ves_buf *out, const struct ves_json *effects)
{
    const char *before = "";

    for (const struct ves_json *o = effects->first; o; o = o->next) {
        const struct ves_json *kind = o->first->next;
        const char *path = text_of(o->first);
        if (!ves_bytes_is(kind->string, "set"))
            continue;
        if (strcmp(path, "ref") == 0)
            path = "customer_id";
        ves_buf_putf(out, "%s\"%s\":%.*s", before, path,
                     (int)kind->next->text.len,
                     (const char *)kind->next->text.ptr);
        before = ",";
    }
}

/* The type of an event and its payload. */
static const char *put_edit(struct ves_buf *out, const char *entity,
                            const char *agent, const struct ves_json *effects)
{
    const struct ves_json *first = effects->first;
    const char *kind = text_of(first->first->next);
    bool is_order = strcmp(entity, "e") == 0;

    if (strcmp(kind, "new") == 0) {
        ves_buf_putf(out, "{\"origin\":\"web\",\"by\":\"%s\",", agent);
        put_sets(out, effects);
        ves_buf_put_str(out, "}");
        return is_order ? "order.created" : "customer.created";
    }
    if (strcmp(kind, "del") == 0) {
        ves_buf_put_str(out, "{}");
        return is_order ? "order.deleted" : "customer.deleted";
    }
    if (ves_bytes_is(first->first->string, "state")) {
        ves_buf_put_str(out, "{}");
        return "order.cancelled";
    }
    ves_buf_put_str(out, "{\"patch\":{");
    put_sets(out, effects);
    ves_buf_put_str(out, "}}");
    return is_order ? "order.updated" : "customer.updated";
}

static void put_hash(struct ves_buf *out, const char *name,
                     const struct ves_hash *hash)
{
    ves_buf_putf(out, "\"%s\":\"0x", name);
    ves_buf_put_hex(out, hash->b, VES_HASH_SIZE);
    ves_buf_put_str(out, "\"");
}

static struct ves_hash conflict_id_of(const struct ves_json *res)
{
    const struct ves_json *over = ves_json_member(res, "over");
    struct ves_hash list[LOG_SIZE], id;
    struct ves_hashes hashes = {list, 0};

    for (const struct ves_json *n = over->first; n; n = n->next) {
        struct ves_hash hash = find_name(text_of(n))->hash;
        size_t at = hashes.count++;
        for (; at > 0 && memcmp(list[at - 1].b, hash.b, VES_HASH_SIZE) > 0;
             at--)
            list[at] = list[at - 1];
        list[at] = hash;
    }
    ves_conflict_id(&fleet.hub.stream,
                    &find_name(member_text(res, "first"))->hash, &hashes, &id);
    return id;
}

static void put_operation(struct ves_buf *out, const struct ves_json *effect)
{
    const struct ves_json *kind = effect->first->next;
    const char *path = text_of(effect->first);
    const char *word = text_of(kind);

    if (strcmp(path, "*") == 0) {
        ves_buf_putf(out, "{\"op\":\"%s\"}",
                     strcmp(word, "del") == 0 ? "delete" : "restore");
        return;
    }
    const char *op = strcmp(word, "add") == 0 ? "delta" : "set";
    if (strcmp(path, "state") == 0) {
        op = "transition";
        path = "status";
    } else if (strcmp(path, "ref") == 0) {
        path = "customer_id";
    }
    ves_buf_putf(out, "{\"op\":\"%s\",\"path\":\"/%s\",\"value\":%.*s}", op,
                 path, (int)kind->next->text.len,
                 (const char *)kind->next->text.ptr);
}

static void put_resolution(struct ves_buf *out, const struct ves_json *res,
                           const struct ves_json *effects)
{
    struct ves_hash id = conflict_id_of(res);
    const char *supersedes = member_text(res, "supersedes");
    const char *before = "";

    ves_buf_put_str(out, "{");
    put_hash(out, "conflict_id", &id);
    ves_buf_putf(out, ",\"winner\":\"%s\",\"inputs\":[",
                 member_text(res, "winner"));
    for (const struct ves_json *n = ves_json_member(res, "inputs")->first; n;
         n = n->next) {
        ves_buf_putf(out, "%s{\"role\":\"branch\",", before);
        put_hash(out, "hash", &find_name(text_of(n))->hash);
        ves_buf_put_str(out, "}");
        before = ",";
    }
    ves_buf_put_str(out, "],\"result\":");
    if (supersedes || effects->count == 0) {
        ves_buf_put_str(out, "null");
    } else {
        ves_buf_put_str(out, "{\"ops\":[");
        before = "";
        for (const struct ves_json *o = effects->first; o; o = o->next) {
            ves_buf_put_str(out, before);
            put_operation(out, o);
            before = ",";
        }
        ves_buf_put_str(out, "]}");
    }
    ves_buf_put_str(out, ",");
    if (supersedes)
        put_hash(out, "supersedes", &find_name(supersedes)->hash);
    else
        ves_buf_put_str(out, "\"supersedes\":null");
    ves_buf_put_str(out, "}");
}

static size_t agent_number(const char *name)
{
    assert_true(name[0] >= 'A' && name[0] < 'A' + AGENTS);
    return (size_t)(name[0] - 'A');
}

/* Author A has a store; the others' events come from nowhere. */
static struct ves_uuid agent_id(size_t n)
{
    return n == 0 ? fleet.devices[AUTHOR].core.agent
                  : test_id(0xe0 + (uint32_t)n);
}

static void fill_context(struct test_event *event, const struct ves_json *says,
                         struct ves_uuid *deps)
{
    struct ves_context *context = &event->fields.context;
    const char *head = member_text(says, "bhead");

    test_event_context(event, member_number(says, "n"),
                       member_number(says, "seen"));
    if (!ves_json_is_absent(ves_json_member(says, "bver"))) {
        event->fields.has_base_version = true;
        event->fields.base_version = member_number(says, "bver");
    }
    if (head) {
        context->has_base_head = true;
        context->base_head = find_name(head)->hash;
    }
    context->deps = deps;
    for (const struct ves_json *n = ves_json_member(says, "deps")->first; n;
         n = n->next)
        deps[context->dep_count++] = id_of(text_of(n));
}

static void make(struct event *made)
{
    const struct ves_json *says = made->says;
    const struct ves_json *effects = ves_json_member(says, "eff");
    const struct ves_json *res = ves_json_member(says, "res");
    const char *entity = member_text(says, "ent");
    size_t agent = agent_number(member_text(says, "agent"));
    struct ves_uuid id = agent_id(agent), deps[8];
    const char *type = "ves.conflict.resolved";
    struct test_event event;
    struct ves_buf text;
    char schema[64];

    ves_buf_init(&text, ves_alloc_default(), 65536);
    test_event_init(&event, &fleet.hub.stream, &id, 0);
    if (ves_json_is_absent(res))
        type = put_edit(&text, entity, member_text(says, "agent"), effects);
    else
        put_resolution(&text, res, effects);
    ves_buf_put_u8(&text, '\0');
    struct ves_bytes payload;
    assert_int_equal(ves_buf_status(&text), VES_OK);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&text), &payload),
                     VES_OK);
    event.payload = (const char *)payload.ptr;
    made->id = id_of(made->name);
    event.fields.event_id = made->id;
    event.fields.event_type = ves_bytes_str(type);
    event.fields.entity_type =
        ves_bytes_str(strcmp(entity, "e") == 0 ? "order" : "customer");
    event.fields.entity_id = ves_bytes_str(entity);
    fill_context(&event, says, deps);
    snprintf(schema, sizeof(schema), "%s/1", type);
    event.fields.context.schema = ves_bytes_str(schema);
    ves_buf_reset(&text);
    test_event_write(&text, &event,
                     agent == 0 ? &fleet.devices[AUTHOR].key : &keys[agent],
                     &made->hash);
    ves_buf_put_u8(&text, '\0');
    assert_int_equal(
        ves_arena_copy(&arena, ves_buf_view(&text), &made->envelope), VES_OK);
    made->is_made = true;
    ves_buf_free(&text);
}

/* ---- through the product ------------------------------------------------- */

/* The author is told what the model says of its event. */
static void check_answer(struct ves_ingest *ingest, const struct event *event,
                         const struct ves_json *all)
{
    const struct ves_json *says = ves_json_member(all, "events")->first;
    const struct ves_json *answer;
    struct ves_bytes copy, sub_code = {NULL, 0};

    while (says->next)
        says = says->next;
    ves_buf_reset(&got);
    assert_int_equal(
        ves_ingest_answer(ingest, &fleet.hub.sequencer, VES_DIALECT_RUST, &got),
        VES_OK);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&got), &copy), VES_OK);
    assert_int_equal(ves_json_read(&arena, copy, NULL, &answer, NULL), VES_OK);
    const struct ves_json *told = ves_json_member(answer, "verdicts")->first;
    (void)ves_json_get_string(told, "subCode", &sub_code);
    const struct ves_json *verdict = says->first->next;
    if (!ves_bytes_equal(ves_json_member(told, "verdict")->string,
                         verdict->string) ||
        !ves_bytes_equal(sub_code, verdict->next->string))
        fail_msg("%s is %.*s, and its author is told %.*s", event->name,
                 (int)says->text.len, (const char *)says->text.ptr,
                 (int)told->text.len, (const char *)told->text.ptr);
}

/* The next event, and now and then a second time. */
static void push(const struct ves_json *all)
{
    const struct event *event = find_name(events[count].name);
    struct ves_uuid id =
        agent_id(agent_number(member_text(event->says, "agent")));
    struct test_request request;
    struct ves_ingest ingest;

    test_request_begin(&request, &id);
    test_request_raw(&request, (const char *)event->envelope.ptr);
    struct ves_bytes body = test_request_end(&request);
    fleet.hub.caller.agent = id;
    test_hub_push(&fleet.hub, &ingest, body);
    if (ingest.events[0].outcome != VES_OUTCOME_ACCEPTED)
        fail_msg("%s was refused: %s", event->name,
                 ingest.events[0].refusal.message);
    assert_int_equal(ingest.events[0].receipt.sequence_number, ++count);
    check_answer(&ingest, event, all);
    ves_ingest_free(&ingest);
    if (count % 4 == 0) {
        test_hub_push(&fleet.hub, &ingest, body);
        assert_int_equal(ingest.events[0].outcome, VES_OUTCOME_REPLAYED);
        check_answer(&ingest, event, all);
        ves_ingest_free(&ingest);
    }
    test_request_free(&request);
}

static void pull(size_t store, uint32_t limit)
{
    struct ves_pull_result result = {0};
    enum ves_status status = test_fleet_pull(&fleet, store, limit, &result);

    if (status)
        fail_msg("store %zu: %s: %s", store, ves_status_name(status),
                 fleet.devices[store].core.error.text);
}

/* ---- what a store says, spelt as the driver does ------------------------- */

struct reader {
    struct ves_store *store;
    uint32_t stream_no;
    struct ves_bytes pieces[LOG_SIZE];
    size_t piece_count;
    const char *branch, *applied[LOG_SIZE];
    size_t applied_count;
};

static const char *name_at(uint64_t sequence)
{
    assert_true(sequence > 0 && sequence <= count);
    return events[sequence - 1].name;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_pieces(const void *a, const void *b)
{
    return ves_bytes_compare(*(const struct ves_bytes *)a,
                             *(const struct ves_bytes *)b);
}

/* What was written since start becomes a piece. */
static void take_piece(struct reader *reader, size_t start)
{
    struct ves_bytes piece = ves_bytes(got.ptr + start, got.len - start);
    assert_int_equal(
        ves_arena_copy(&arena, piece, &reader->pieces[reader->piece_count++]),
        VES_OK);
    got.len = start;
}

static void put_pieces(struct reader *reader)
{
    qsort(reader->pieces, reader->piece_count, sizeof(reader->pieces[0]),
          compare_pieces);
    for (size_t i = 0; i < reader->piece_count; i++) {
        ves_buf_put_str(&got, i > 0 ? "," : "");
        ves_buf_put_bytes(&got, reader->pieces[i]);
    }
    reader->piece_count = 0;
}

static enum ves_status take_applied(void *ctx,
                                    const struct ves_conflict_member *member)
{
    struct reader *reader = ctx;
    assert_true(ves_hash_equal(&member->event_hash,
                               &events[member->sequence_number - 1].hash));
    if (member->side == VES_SIDE_APPLIED)
        reader->applied[reader->applied_count++] =
            name_at(member->sequence_number);
    return VES_OK;
}

static enum ves_status put_branch(void *ctx,
                                  const struct ves_conflict_member *member)
{
    struct reader *reader = ctx;
    if (member->side == VES_SIDE_BRANCH)
        ves_buf_putf(&got, "%s\"%s\"", reader->applied_count++ > 0 ? "," : "",
                     name_at(member->sequence_number));
    return VES_OK;
}

/* [first,[over...]] */
static void put_id(struct reader *reader, const struct ves_conflict_row *row)
{
    reader->applied_count = 0;
    assert_int_equal(
        reader->store->ops->member_list(reader->store, reader->stream_no,
                                        &row->id, take_applied, reader),
        VES_OK);
    qsort(reader->applied, reader->applied_count, sizeof(reader->applied[0]),
          compare_names);
    ves_buf_putf(&got, "[\"%s\",[", name_at(row->opened));
    for (size_t i = 0; i < reader->applied_count; i++)
        ves_buf_putf(&got, "%s\"%s\"", i > 0 ? "," : "", reader->applied[i]);
    ves_buf_put_str(&got, "]]");
}

static enum ves_status put_conflict(void *ctx,
                                    const struct ves_conflict_row *row)
{
    struct reader *reader = ctx;
    struct ves_hash order;
    size_t start = got.len;

    ves_entity_key(ves_bytes_str("order"), ves_bytes_str("e"), &order);
    ves_buf_put_str(&got, "[");
    put_id(reader, row);
    ves_buf_putf(&got, ",\"%s\",[",
                 ves_hash_equal(&row->entity_key, &order) ? "e" : "p");
    reader->applied_count = 0;
    assert_int_equal(
        reader->store->ops->member_list(reader->store, reader->stream_no,
                                        &row->id, put_branch, reader),
        VES_OK);
    assert_int_equal(reader->applied_count, row->branch_count);
    if (row->closed > 0)
        ves_buf_putf(&got, "],\"%s\"", name_at(row->closed));
    else
        ves_buf_put_str(&got, "],null");
    ves_buf_putf(&got, ",\"%s\"]",
                 ves_conflict_kind_name((enum ves_conflict_kind)row->kind));
    take_piece(reader, start);
    return VES_OK;
}

struct history {
    const struct ves_hash *entity_key;
    uint64_t sequences[LOG_SIZE]; /* by version - 1 */
    uint64_t version;
};

static enum ves_status take_version(void *ctx, const struct ves_log_row *row)
{
    struct history *history = ctx;
    if (row->verdict != VES_VERDICT_APPLIED ||
        !ves_hash_equal(&row->entity_key, history->entity_key))
        return VES_OK;
    assert_true(row->version > 0 && row->version <= LOG_SIZE);
    assert_int_equal(history->sequences[row->version - 1], 0);
    history->sequences[row->version - 1] = row->sequence_number;
    history->version++;
    return VES_OK;
}

static enum ves_status put_entity(void *ctx, const struct ves_entity_row *row)
{
    struct reader *reader = ctx;
    struct history history = {.entity_key = &row->key};
    size_t start = got.len;

    if (row->version == 0)
        return VES_OK;
    assert_int_equal(reader->store->ops->log_read(reader->store,
                                                  reader->stream_no, 1, 0,
                                                  take_version, &history),
                     VES_OK);
    assert_int_equal(history.version, row->version);
    uint64_t head = history.sequences[row->version - 1];
    assert_true(ves_hash_equal(&events[head - 1].hash, &row->head));
    ves_buf_putf(&got, "[\"%.*s\",%llu,\"%s\",[", (int)row->entity_id.len,
                 (const char *)row->entity_id.ptr,
                 (unsigned long long)row->version, name_at(head));
    for (uint64_t i = 0; i < row->version; i++)
        ves_buf_putf(&got, "%s\"%s\"", i > 0 ? "," : "",
                     name_at(history.sequences[i]));
    if (row->tombstone > 0)
        ves_buf_putf(&got, "],\"%s\"]", name_at(row->tombstone));
    else
        ves_buf_put_str(&got, "],null]");
    take_piece(reader, start);
    return VES_OK;
}

static enum ves_status put_event(void *ctx, const struct ves_log_row *row)
{
    struct reader *reader = ctx;
    struct ves_conflict_row conflict;

    assert_true(ves_hash_equal(&row->event_hash,
                               &events[row->sequence_number - 1].hash));
    assert_int_equal(ves_hash_is_zero(&row->waits_for),
                     row->verdict != VES_VERDICT_WAITING);
    ves_buf_putf(&got, "%s[\"%s\",\"%s\",\"%.*s\",",
                 row->sequence_number > 1 ? "," : "",
                 name_at(row->sequence_number),
                 ves_verdict_name((enum ves_verdict)row->verdict),
                 (int)row->sub_code.len, (const char *)row->sub_code.ptr);
    if (row->has_conflict_id) {
        assert_int_equal(reader->store->ops->conflict_get(
                             reader->store, reader->stream_no,
                             &row->conflict_id, 1, &arena, &conflict),
                         VES_OK);
        assert_true(conflict.is_found);
        put_id(reader, &conflict);
    } else {
        ves_buf_put_str(&got, "null");
    }
    ves_buf_put_str(&got, "]");
    return VES_OK;
}

static struct ves_bytes spell(struct ves_store *store, uint32_t stream_no)
{
    static struct reader reader;
    const struct ves_conflict_filter all = {.after = 0};
    const struct ves_hash first = {{0}};

    memset(&reader, 0, sizeof(reader));
    reader.store = store;
    reader.stream_no = stream_no;
    ves_buf_reset(&got);
    ves_buf_put_str(&got, "{\"conflicts\":[");
    assert_int_equal(store->ops->conflict_list(store, stream_no, &all,
                                               put_conflict, &reader),
                     VES_OK);
    put_pieces(&reader);
    ves_buf_put_str(&got, "],\"entities\":[");
    assert_int_equal(store->ops->entity_scan(store, stream_no, &first, 0,
                                             ves_bytes(NULL, 0), put_entity,
                                             &reader),
                     VES_OK);
    put_pieces(&reader);
    ves_buf_put_str(&got, "],\"events\":[");
    assert_int_equal(
        store->ops->log_read(store, stream_no, 1, 0, put_event, &reader),
        VES_OK);
    ves_buf_put_str(&got, "]}");
    assert_int_equal(ves_buf_status(&got), VES_OK);
    return ves_buf_view(&got);
}

static void put_member(const struct ves_json *state, const char *name,
                       const char *as, const char **before)
{
    const struct ves_json *value = ves_json_member(state, name);

    if (ves_json_is_absent(value) ||
        (strcmp(as, "state") == 0 && ves_bytes_is(value->string, "created")))
        return;
    ves_buf_putf(&got, "%s\"%s\":%.*s", *before, as, (int)value->text.len,
                 (const char *)value->text.ptr);
    *before = ",";
}

static enum ves_status put_state(void *ctx, const struct ves_entity_row *row)
{
    struct reader *reader = ctx;
    const struct ves_json *state;
    const char *before = "";
    size_t start = got.len;

    if (row->version == 0)
        return VES_OK;
    assert_int_equal(
        ves_json_read(&arena,
                      row->state.len > 0 ? row->state : ves_bytes_str("{}"),
                      NULL, &state, NULL),
        VES_OK);
    ves_buf_putf(&got, "\"%.*s\":{", (int)row->entity_id.len,
                 (const char *)row->entity_id.ptr);
    put_member(state, "by", "@", &before);
    put_member(state, "f", "f", &before);
    put_member(state, "g", "g", &before);
    put_member(state, "q", "q", &before);
    put_member(state, "customer_id", "ref", &before);
    put_member(state, "status", "state", &before);
    ves_buf_put_str(&got, "}");
    take_piece(reader, start);
    return VES_OK;
}

static struct ves_bytes spell_states(size_t n)
{
    static struct reader reader;
    const struct ves_hash first = {{0}};
    struct ves_store *store = fleet.devices[n].store;

    memset(&reader, 0, sizeof(reader));
    ves_buf_reset(&got);
    ves_buf_put_str(&got, "{");
    assert_int_equal(
        store->ops->entity_scan(store, fleet.devices[n].core.stream_no, &first,
                                0, ves_bytes(NULL, 0), put_state, &reader),
        VES_OK);
    put_pieces(&reader);
    ves_buf_put_str(&got, "}");
    assert_int_equal(ves_buf_status(&got), VES_OK);
    return ves_buf_view(&got);
}

/* ---- checking ------------------------------------------------------------ */

static void expect(const struct ves_json *line, const char *who,
                   const char *member, struct ves_bytes text)
{
    const struct ves_json *want = ves_json_member(line, member);

    if (ves_bytes_equal(text, want->text))
        return;
    fail_msg("%s of %s, seed %llu, %zu events\nsays %.*s\nwant %.*s\ngot  %.*s",
             member, who, (unsigned long long)member_number(line, "seed"),
             count, (int)ves_json_member(line, "says")->text.len,
             (const char *)ves_json_member(line, "says")->text.ptr,
             (int)want->text.len, (const char *)want->text.ptr, (int)text.len,
             (const char *)text.ptr);
}

static void check_store(const struct ves_json *line, size_t n)
{
    static const char *const names[STORES] = {
        "the store that follows", "the store that strolls",
        "the store that is late", "the author's store"};
    const struct test_device *device = &fleet.devices[n];

    expect(line, names[n], "all", spell(device->store, device->core.stream_no));
    expect(line, names[n], "states", spell_states(n));
}

/* An own event is in conflict in the outbox while its conflict is open, and
 * not any more when it is decided. */
static void check_own(const struct ves_json *line)
{
    struct ves_store *store = fleet.devices[AUTHOR].store;
    const struct ves_json *all = ves_json_member(line, "all");
    size_t open = 0, i = 0;

    for (const struct ves_json *c = ves_json_member(all, "conflicts")->first; c;
         c = c->next) {
        const struct ves_json *branch = c->first->next->next;
        bool is_open = ves_json_is_absent(branch->next);
        for (const struct ves_json *b = branch->first; b; b = b->next) {
            const char *name = text_of(b);
            if (name[0] != 'A')
                continue;
            struct ves_outbox_row row =
                test_fleet_row(&fleet, AUTHOR, &find_name(name)->id);
            if ((row.status == VES_OUTBOX_CONFLICT) != is_open)
                fail_msg("seed %llu: the row of %s is %d, %.*s, and its "
                         "conflict is %s",
                         (unsigned long long)member_number(line, "seed"), name,
                         (int)row.status, (int)row.disposition.len,
                         (const char *)row.disposition.ptr,
                         is_open ? "open" : "closed");
            assert_false(row.is_in_overlay);
            open += is_open;
        }
    }
    uint64_t counts[VES_OUTBOX_STATUSES];
    assert_int_equal(store->ops->outbox_counts(store, counts), VES_OK);
    assert_int_equal(counts[VES_OUTBOX_CONFLICT], open);
    for (; i < count; i++) {
        if (events[i].name[0] == 'A')
            assert_int_not_equal(
                test_fleet_row(&fleet, AUTHOR, &events[i].id).sequence_number,
                0);
    }
}

/* What was met, so that a generator gone poor is noticed. */
static const char *const must_meet[] = {"applied ",
                                        "waiting ",
                                        "conflict same_field",
                                        "conflict create_create",
                                        "conflict edit_delete",
                                        "conflict tail",
                                        "conflict closed_branch",
                                        "conflict stale_base",
                                        "conflict concurrent_delete",
                                        "conflict ref_deleted",
                                        "superseded already_resolved",
                                        "superseded branch_grew",
                                        "superseded head_moved",
                                        "waited",
                                        "undone"};
enum { MUST_MEET = sizeof(must_meet) / sizeof(must_meet[0]) };
static unsigned times_met[MUST_MEET];

static enum ves_status meet(void *ctx, const struct ves_log_row *row)
{
    char name[64];
    const struct ves_json *res =
        ves_json_member(events[row->sequence_number - 1].says, "res");
    bool is_undo = row->verdict == VES_VERDICT_APPLIED &&
                   !ves_json_is_absent(res) && member_text(res, "supersedes");
    (void)ctx;

    snprintf(name, sizeof(name), "%s %.*s",
             ves_verdict_name((enum ves_verdict)row->verdict),
             (int)row->sub_code.len, (const char *)row->sub_code.ptr);
    for (size_t i = 0; i < MUST_MEET; i++) {
        if (strcmp(must_meet[i], name) == 0 ||
            (row->has_waited && strcmp(must_meet[i], "waited") == 0) ||
            (is_undo && strcmp(must_meet[i], "undone") == 0))
            times_met[i]++;
    }
    return VES_OK;
}

static void check_hashes(void)
{
    struct ves_hash first, other;

    assert_int_equal(ves_core_state_hash(&fleet.devices[FOLLOWER].core, &first),
                     VES_OK);
    for (size_t n = STROLLER; n < STORES; n++) {
        assert_int_equal(ves_core_state_hash(&fleet.devices[n].core, &other),
                         VES_OK);
        assert_true(ves_hash_equal(&first, &other));
    }
}

/* The last event of a history is in. */
static void check_all(const struct ves_json *line)
{
    pull(STROLLER, 0);
    pull(LATE, 0);
    pull(AUTHOR, 0);
    for (size_t n = 0; n < STORES; n++)
        check_store(line, n);
    check_own(line);
    check_hashes();
    assert_int_equal(
        fleet.hub_store->ops->log_read(fleet.hub_store, 1, 1, 0, meet, NULL),
        VES_OK);
    for (size_t n = LATE; n < STORES; n++) {
        assert_int_equal(ves_core_refold(&fleet.devices[n].core), VES_OK);
        check_store(line, n);
    }
    check_own(line);
    check_hashes();
}

static void open_fleet(void)
{
    if (has_fleet)
        test_fleet_close(&fleet);
    test_fleet_open(&fleet, STORES);
    has_fleet = true;
    for (size_t n = 1; n < AGENTS; n++) {
        struct ves_uuid id = agent_id(n);
        test_signer_init(&keys[n], (uint8_t)(60 + n));
        test_hub_register(&fleet.hub, &id, 1, &keys[n]);
    }
    count = 0;
}

static void run_history(void)
{
    open_fleet();
    for (size_t i = 0; i < line_count; i++) {
        events[i] = (struct event){.says = ves_json_member(lines[i], "says")};
        events[i].name = member_text(events[i].says, "id");
    }
    while (count < line_count) {
        const struct ves_json *line = lines[count];
        push(ves_json_member(line, "all"));
        expect(line, "the sequencer", "all", spell(fleet.hub_store, 1));
        pull(FOLLOWER, 0);
        check_store(line, FOLLOWER);
        if (count % 5 == 0)
            pull(STROLLER, 1 + (uint32_t)count % 7);
    }
    check_all(lines[count - 1]);
    line_count = 0;
    ves_arena_reset(&arena);
}

static void take_line(struct ves_bytes text)
{
    struct ves_bytes copy;
    bool is_last;

    assert_true(line_count < LOG_SIZE);
    assert_int_equal(ves_arena_copy(&arena, text, &copy), VES_OK);
    assert_int_equal(
        ves_json_read(&arena, copy, NULL, &lines[line_count], NULL), VES_OK);
    assert_true(ves_json_get_bool(lines[line_count++], "last", &is_last));
    if (is_last)
        run_history();
}

/* Runs histories of those operations; how many events. */
static size_t run_model(const char *operations)
{
    const char *seed = getenv("VES_SEED");
    const char *number = getenv("VES_EVENTS");
    char command[1024];
    char *line = NULL;
    size_t cap = 0, total = 0;
    ssize_t len;

    snprintf(command, sizeof(command),
             "python3 test/lib/judge_driver.py '%s/spec' %llu %llu 0 %s",
             test_shared_dir(), seed ? strtoull(seed, NULL, 0) : 1ULL,
             number ? strtoull(number, NULL, 0) : (unsigned long long)EVENTS,
             operations);
    print_message("# %s\n", command);
    FILE *model = popen(command, "r");
    assert_non_null(model);
    while ((len = getline(&line, &cap, model)) > 0) {
        take_line(ves_bytes(line, (size_t)len));
        total++;
    }
    free(line);
    assert_int_equal(pclose(model), 0);
    assert_true(total > 0);
    print_message("# %zu events\n", total);
    return total;
}

static void follow_the_model(void **state)
{
    char path[512];
    size_t total;
    (void)state;

    snprintf(path, sizeof(path), "%s/spec/judge.py", test_shared_dir());
    if (access(path, R_OK) != 0 ||
        system("python3 -c 'import sys' > /dev/null 2>&1") != 0) {
        print_message("# %s or python3 is not there\n", path);
        skip();
    }
    total = run_model("setf,setg,same,setq,cancel,delete,ref");
    total += run_model("setf,setg,cancel,delete,wait");
    total += run_model("setf,delete,ref");
    for (size_t i = 0; i < MUST_MEET; i++) {
        print_message("# %7u %s\n", times_met[i], must_meet[i]);
        if (times_met[i] == 0 && total >= 3 * (size_t)EVENTS)
            fail_msg("never met: %s", must_meet[i]);
    }
}

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 28);
    ves_buf_init(&got, ves_alloc_default(), (size_t)1 << 26);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (has_fleet)
        test_fleet_close(&fleet);
    ves_arena_free(&arena);
    ves_buf_free(&got);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follow_the_model),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("engine", tests, set_up, tear_down);
}
