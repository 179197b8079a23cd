/* test_agent.c -- the agent engine end to end: appending, and devices that
 * meet through a sequencer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "core/entity.h"
#include "store/store_mem.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_ops.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

enum { TEXT_MAX = 64 * 1024 * 1024 };

static struct test_fleet fleet;

static int set_up(void **state)
{
    (void)state;
    test_fleet_open(&fleet, 3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_fleet_close(&fleet);
    return 0;
}

static struct ves_agent_core *core_of(size_t n)
{
    return &fleet.devices[n].core;
}

/* ---- appending ----------------------------------------------------------- */

static enum ves_status try_append(const char *type, const char *id,
                                  const char *payload)
{
    struct ves_core_env env = test_fleet_env(&fleet);
    const struct ves_core_append what = {.event_type = ves_bytes_str(type),
                                         .entity_id = ves_bytes_str(id),
                                         .payload = ves_bytes_str(payload)};
    struct ves_uuid event_id;

    return ves_core_append(core_of(0), &env, &what, &event_id);
}

/* The event of an outbox row, read and checked as anybody would. */
static struct ves_event event_of(struct ves_arena *arena,
                                 const struct ves_uuid *id)
{
    struct ves_store *store = fleet.devices[0].store;
    struct ves_refusal refusal;
    struct ves_outbox_row row;
    struct ves_event event;

    assert_int_equal(store->ops->outbox_get(store, id, 1, arena, &row), VES_OK);
    assert_true(row.local_seq > 0);
    if (ves_event_read(arena, row.envelope, &event, &refusal) ||
        ves_event_check(arena, &event, &refusal))
        fail_msg("%s", refusal.message);
    assert_true(ves_hash_equal(&event.event_hash, &row.event_hash));
    assert_true(test_verify(&fleet.devices[0].key.signer.public_key,
                            &event.event_hash, &event.signature));
    return event;
}

static void append_writes_the_whole_causal_context(void **state)
{
    struct ves_arena arena;

    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    struct ves_uuid a = test_fleet_append(&fleet, 0, "order.created", "O-1",
                                          "{\"zeta\":1,\"alpha\":2}");
    struct ves_uuid b = test_fleet_append(&fleet, 0, "order.updated", "O-1",
                                          "{\"patch\":{\"note\":\"n\"}}");
    struct ves_uuid c = test_fleet_append(&fleet, 0, "weather.seen", "W", "{}");
    struct ves_event first = event_of(&arena, &a);
    struct ves_event second = event_of(&arena, &b);
    struct ves_event third = event_of(&arena, &c);

    assert_int_equal(first.ves_version, 2);
    assert_true(first.context.is_present);
    assert_int_equal(first.context.agent_seq, 1);
    assert_false(first.context.has_prev);
    assert_int_equal(first.context.seen, 0);
    assert_true(ves_bytes_is(first.context.schema, "order.created/1"));
    assert_false(first.has_base_version); /* a fact needs no base */
    assert_true(ves_bytes_is(first.entity_type, "order"));

    /* Own pending events count: the base is the event before. */
    assert_int_equal(second.context.agent_seq, 2);
    assert_true(ves_hash_equal(&second.context.prev, &first.event_hash));
    assert_true(second.has_base_version);
    assert_int_equal(second.base_version, 1);
    assert_true(second.context.has_base_head);
    assert_true(ves_hash_equal(&second.context.base_head, &first.event_hash));

    assert_true(ves_bytes_is(third.context.schema, "weather.seen/0"));
    assert_false(third.has_base_version);
    assert_true(memcmp(second.context.hlc.ptr, third.context.hlc.ptr,
                       second.context.hlc.len) < 0);
    ves_arena_free(&arena);
}

static void append_sees_the_cursor_and_the_sequenced_head(void **state)
{
    struct ves_arena arena;

    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    struct ves_uuid a = test_fleet_append(&fleet, 0, "customer.created", "C",
                                          "{\"name\":\"n\"}");
    test_fleet_adjust(&fleet, 0, "sku", "1");
    test_fleet_sync(&fleet, 0);
    struct ves_uuid b = test_fleet_append(&fleet, 0, "customer.updated", "C",
                                          "{\"patch\":{\"name\":\"m\"}}");
    struct ves_event first = event_of(&arena, &a);
    struct ves_event second = event_of(&arena, &b);
    assert_int_equal(second.context.seen, 2);
    assert_int_equal(second.base_version, 1);
    assert_true(ves_hash_equal(&second.context.base_head, &first.event_hash));
    ves_arena_free(&arena);
}

static void explicit_base_version_wins(void **state)
{
    struct ves_core_env env = test_fleet_env(&fleet);
    struct ves_core_append what = {.event_type = ves_bytes_str("order.updated"),
                                   .entity_id = ves_bytes_str("O"),
                                   .payload = ves_bytes_str("{\"patch\":{}}"),
                                   .has_base_version = true,
                                   .base_version = 7};
    struct ves_arena arena;
    struct ves_uuid id;

    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    test_fleet_append(&fleet, 0, "order.created", "O", "{}");
    assert_int_equal(ves_core_append(core_of(0), &env, &what, &id), VES_OK);
    struct ves_event event = event_of(&arena, &id);
    assert_int_equal(event.base_version, 7);
    assert_false(event.context.has_base_head);
    ves_arena_free(&arena);
}

static void append_refuses_what_it_must(void **state)
{
    static const struct {
        const char *type, *id, *payload;
        enum ves_status status;
    } cases[] = {
        {"order.created", "O", "{\"a\":1", VES_MALFORMED},
        {"order.created", "O", "{\"a\":1,\"a\":2}", VES_MALFORMED},
        {"order.created", "O", "{\"a\":9007199254740993}", VES_MALFORMED},
        {"order.created", "O", "{} x", VES_MALFORMED},
        {"order.created", "O", "[]", VES_INVALID},
        {"order.created", "O", "{\"_ves\":{}}", VES_INVALID},
        {"ves.note", "O", "{}", VES_INVALID},
        {"order.created", "", "{}", VES_INVALID},
        {"", "O", "{}", VES_INVALID},
        {".created", "O", "{}", VES_INVALID},
        {"order.created", "\xff", "{}", VES_INVALID},
        {"inventory.adjusted", "S", "{}", VES_INVALID},
        {"payment.created", "P", "{\"amount_minor\":1}", VES_INVALID}};

    (void)state;
    struct ves_hash before = test_fleet_digest(&fleet.devices[0]);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum ves_status status =
            try_append(cases[i].type, cases[i].id, cases[i].payload);
        if (status != cases[i].status)
            fail_msg("case %zu: %s", i, ves_status_name(status));
        assert_int_equal(core_of(0)->error.status, status);
        assert_non_null(strstr(core_of(0)->error.text, "nothing was stored"));
    }
    struct ves_hash after = test_fleet_digest(&fleet.devices[0]);
    assert_true(ves_hash_equal(&before, &after));
}

static void append_has_limits(void **state)
{
    static char text[VES_PAYLOAD_MAX + 32];
    static char id[VES_ENTITY_ID_MAX + 2];

    (void)state;
    memset(id, 'x', sizeof(id) - 1);
    assert_int_equal(try_append("order.created", id, "{}"), VES_LIMIT);
    id[VES_ENTITY_ID_MAX] = '\0';
    assert_int_equal(try_append("order.created", id, "{}"), VES_OK);

    memcpy(text, "{\"a\":\"", 6);
    memset(text + 6, 'x', VES_PAYLOAD_MAX);
    memcpy(text + 6 + VES_PAYLOAD_MAX, "\"}", 3);
    assert_int_equal(try_append("order.created", "O", text), VES_LIMIT);
    memcpy(text + VES_PAYLOAD_MAX - 512, "\"}", 3);
    assert_int_equal(try_append("order.created", "O", text), VES_OK);
}

static void payload_of_64_levels_is_an_event_of_its_own_agent_only(void **state)
{
    char text[512];
    size_t at = 0;

    (void)state;
    /* An envelope puts one level around it, so 63 is the most. */
    for (int i = 0; i < 63; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "{\"a\":");
    at += (size_t)snprintf(text + at, sizeof(text) - at, "1");
    for (int i = 0; i < 63; i++)
        text[at++] = '}';
    text[at] = '\0';
    assert_int_equal(try_append("deep.made", "D", text), VES_OK);
    test_fleet_sync(&fleet, 0);
    test_fleet_sync(&fleet, 1);
    assert_int_equal(test_fleet_status(&fleet, 1).cursor, 1);

    char more[520];
    snprintf(more, sizeof(more), "{\"a\":%s}", text);
    assert_int_equal(try_append("deep.made", "D", more), VES_MALFORMED);
}

static void append_is_six_calls(void **state)
{
    (void)state;
    test_fleet_append(&fleet, 0, "order.created", "O", "{}");
    test_ops_install(fleet.devices[0].store);
    test_fleet_append(&fleet, 0, "order.created", "P", "{}");
    /* chain, stream, entity; outbox, entity, chain, commit */
    assert_int_equal(test_ops()->calls, 7);
    test_ops_remove(fleet.devices[0].store);
}

static void event_ids_and_clock_never_go_back(void **state)
{
    struct ves_uuid last = test_fleet_append(&fleet, 0, "a.b", "E", "{}");

    (void)state;
    fleet.hub.now_ms -= 24 * 3600 * 1000; /* the clock is put back a day */
    for (int i = 0; i < 5000; i++) {
        struct ves_uuid next = test_fleet_append(&fleet, 0, "a.b", "E", "{}");
        assert_true(memcmp(last.b, next.b, VES_UUID_SIZE) < 0);
        last = next;
    }
}

static void an_event_id_is_used_once(void **state)
{
    struct ves_core_env env = test_fleet_env(&fleet);
    struct ves_core_append what = {.event_type = ves_bytes_str("a.b"),
                                   .entity_id = ves_bytes_str("E"),
                                   .payload = ves_bytes_str("{}"),
                                   .has_event_id = true,
                                   .event_id = test_id(0x99)};
    struct ves_uuid id;

    (void)state;
    assert_int_equal(ves_core_append(core_of(0), &env, &what, &id), VES_OK);
    assert_int_equal(ves_core_append(core_of(0), &env, &what, &id),
                     VES_CONFLICT);
    test_fleet_sync(&fleet, 0);
    test_fleet_sync(&fleet, 1);
    /* The log has it, though it is somebody else's. */
    assert_int_equal(ves_core_append(core_of(1), &env, &what, &id),
                     VES_CONFLICT);
}

static void a_store_without_a_key_does_not_append(void **state)
{
    (void)state;
    core_of(0)->signer = NULL;
    assert_int_equal(try_append("order.created", "O", "{}"), VES_INVALID);
}

/* ---- identity ------------------------------------------------------------ */

static void identity_is_written_once(void **state)
{
    struct ves_core_identity other = {
        .stream = fleet.hub.stream, .agent = test_id(0x1234), .key_id = 1};
    struct ves_agent_core again = {.store = fleet.devices[0].store,
                                   .alloc = ves_alloc_default()};

    (void)state;
    assert_int_equal(ves_core_create(&again, &other), VES_CONFLICT);
    assert_int_equal(ves_core_load(&again), VES_OK);
    assert_true(ves_uuid_equal(&again.agent, &core_of(0)->agent));
    assert_int_equal(again.sequencer_key_count, 1);
    assert_memory_equal(again.sequencer_keys[0].public_key.b,
                        fleet.hub.key.signer.public_key.b, VES_KEY_SIZE);
}

static void empty_store_says_that_it_is_empty(void **state)
{
    struct ves_agent_core core = {.alloc = ves_alloc_default()};

    (void)state;
    assert_int_equal(ves_store_mem_open(ves_alloc_default(), &core.store),
                     VES_OK);
    assert_int_equal(ves_core_load(&core), VES_NOT_FOUND);
    assert_non_null(strstr(core.error.text, "invitation"));
    ves_store_mem_close(core.store);
}

/* ---- devices that meet --------------------------------------------------- */

static void stock_of_ten_ends_at_five_everywhere(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 2, "sku-1", "10");
    for (size_t n = 3; n-- > 0;)
        test_fleet_sync(&fleet, n);
    test_fleet_adjust(&fleet, 0, "sku-1", "-2");
    test_fleet_adjust(&fleet, 1, "sku-1", "-3");
    /* Offline, each sees its own sale on top of what it pulled. */
    assert_string_equal(
        test_fleet_member(&fleet, 0, "inventory", "sku-1", "on_hand", true),
        "8");
    assert_string_equal(
        test_fleet_member(&fleet, 1, "inventory", "sku-1", "on_hand", true),
        "7");
    assert_string_equal(
        test_fleet_member(&fleet, 1, "inventory", "sku-1", "on_hand", false),
        "10");
    for (size_t n = 0; n < 3; n++)
        test_fleet_sync(&fleet, n);
    for (size_t n = 0; n < 3; n++)
        test_fleet_sync(&fleet, n);

    struct ves_core_status first = test_fleet_status(&fleet, 0);
    for (size_t n = 0; n < 3; n++) {
        struct ves_core_status status = test_fleet_status(&fleet, n);
        assert_string_equal(
            test_fleet_member(&fleet, n, "inventory", "sku-1", "on_hand", true),
            "5");
        assert_string_equal(test_fleet_member(&fleet, n, "inventory", "sku-1",
                                              "on_hand", false),
                            "5");
        assert_int_equal(status.cursor, 3);
        assert_int_equal(status.at_sequence, 3);
        assert_true(ves_hash_equal(&status.state_hash, &first.state_hash));
        assert_int_equal(status.counts[VES_OUTBOX_SYNCED], 1);
        assert_int_equal(status.counts[VES_OUTBOX_PENDING], 0);
        assert_int_equal(status.last_pushed, n == 2 ? 1 : 2 + n);
    }
}

static void state_hash_follows_decision_14(void **state)
{
    static struct ves_hash buckets[VES_STATE_BUCKETS];
    struct ves_state_pair pair;
    struct ves_core_entity entity;
    struct ves_arena arena;
    struct ves_hash root, got;

    (void)state;
    test_fleet_adjust(&fleet, 0, "sku", "4");
    test_fleet_append(&fleet, 0, "weather.seen", "W", "{}"); /* no state */
    test_fleet_sync(&fleet, 0);
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(ves_core_entity(core_of(0), ves_bytes_str("inventory"),
                                     ves_bytes_str("sku"), &arena, &entity),
                     VES_OK);
    ves_sha256_one(entity.state.ptr, entity.state.len, &pair.state_hash);
    assert_true(ves_hash_equal(&pair.state_hash, &entity.state_hash));
    ves_entity_key(ves_bytes_str("inventory"), ves_bytes_str("sku"), &pair.key);
    memset(buckets, 0, sizeof(buckets));
    ves_state_bucket_hash(&pair, 1, &buckets[ves_entity_bucket(&pair.key)]);
    ves_state_root_hash(buckets, &root);
    assert_int_equal(ves_core_state_hash(core_of(0), &got), VES_OK);
    assert_true(ves_hash_equal(&root, &got));
    /* Clean buckets are not scanned again. */
    test_ops_install(fleet.devices[0].store);
    assert_int_equal(ves_core_state_hash(core_of(0), &got), VES_OK);
    assert_int_equal(test_ops()->calls, 4);
    test_ops_remove(fleet.devices[0].store);
    assert_true(ves_hash_equal(&root, &got));
    ves_arena_free(&arena);
}

/* A newer program's event is kept and applied; the state here is not what it
 * is there, and is compared with nobody's. */
static void an_unknown_rule_leaves_no_state_hash(void **state)
{
    struct test_request request;
    struct test_event event;
    struct ves_buf answer;
    struct ves_hash got;

    (void)state;
    test_fleet_adjust(&fleet, 0, "sku", "4");
    test_fleet_sync(&fleet, 0);
    assert_int_equal(ves_core_state_hash(core_of(0), &got), VES_OK);
    test_event_init(&event, &fleet.hub.stream, &core_of(1)->agent, 7);
    event.fields.agent_key_id = 1;
    test_event_context(&event, 1, 1);
    event.fields.context.schema = ves_bytes_str("order.updated/99");
    event.fields.context.schema_version = 99;
    test_request_begin(&request, &core_of(1)->agent);
    test_request_event(&request, &event, &fleet.devices[1].key);
    ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
    test_fleet_ingest(&fleet, 1, test_request_end(&request), &answer);
    ves_buf_free(&answer);
    test_request_free(&request);
    test_fleet_adjust(&fleet, 0, "sku", "1");
    test_fleet_sync(&fleet, 0);
    struct ves_core_status status;
    assert_int_equal(ves_core_status(core_of(0), &status), VES_OK);
    assert_int_equal(status.cursor, 3);
    assert_int_equal(status.unknown_schema_at, 2);
    assert_int_equal(ves_core_state_hash(core_of(0), &got), VES_UNSUPPORTED);
    assert_non_null(strstr(core_of(0)->error.text, "event 2 names a rule"));
    /* Folding again with the same program changes nothing of that. */
    assert_int_equal(ves_core_refold(core_of(0)), VES_OK);
    assert_int_equal(ves_core_state_hash(core_of(0), &got), VES_UNSUPPORTED);
}

static void many_entities_hash_alike_whatever_the_pages(void **state)
{
    char id[16];

    (void)state;
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof(id), "sku-%d", i % 40);
        test_fleet_adjust(&fleet, (size_t)i % 2, id, "1");
    }
    test_fleet_sync(&fleet, 0);
    test_fleet_sync(&fleet, 1);
    test_fleet_sync(&fleet, 0);
    struct ves_pull_result pulled;
    do {
        memset(&pulled, 0, sizeof(pulled));
        assert_int_equal(test_fleet_pull(&fleet, 2, 7, &pulled), VES_OK);
        /* Hashing in between must not change the end. */
        (void)test_fleet_status(&fleet, 2);
    } while (pulled.has_more);
    struct ves_core_status a = test_fleet_status(&fleet, 0);
    struct ves_core_status b = test_fleet_status(&fleet, 2);
    assert_int_equal(a.cursor, 300);
    assert_int_equal(b.cursor, 300);
    assert_true(ves_hash_equal(&a.state_hash, &b.state_hash));
}

static void refold_changes_nothing(void **state)
{
    struct ves_agent_core *core = core_of(0);

    (void)state;
    for (int i = 0; i < 700; i++)
        test_fleet_adjust(&fleet, 0, i % 3 ? "a" : "b", "1");
    test_fleet_append(&fleet, 0, "weather.seen", "W", "{}"); /* no state */
    test_fleet_sync(&fleet, 0);
    test_fleet_adjust(&fleet, 0, "a", "1"); /* pending: stays in the overlay */
    struct ves_hash hash = test_fleet_status(&fleet, 0).state_hash;
    struct ves_hash before = test_fleet_digest(&fleet.devices[0]);
    assert_int_equal(ves_core_refold(core), VES_OK);
    struct ves_hash after = test_fleet_digest(&fleet.devices[0]);
    assert_true(ves_hash_equal(&before, &after));
    struct ves_core_status status = test_fleet_status(&fleet, 0);
    assert_true(ves_hash_equal(&hash, &status.state_hash));
}

/* Gives an entity a state it does not have by our rules. */
static void plant_state(const char *type, const char *id, const char *state)
{
    struct ves_store *store = fleet.devices[0].store;
    uint32_t no = core_of(0)->stream_no;
    struct ves_entity_row row;
    struct ves_arena arena;
    struct ves_entity_name name;

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    ves_entity_name(ves_bytes_str(type), ves_bytes_str(id), &name);
    uint16_t bucket = ves_entity_bucket(&name.key);
    assert_int_equal(store->ops->entity_get(store, no, &name, 1, &arena, &row),
                     VES_OK);
    assert_true(row.is_found);
    row.key = name.key;
    row.state = ves_bytes_str(state);
    ves_sha256_one(row.state.ptr, row.state.len, &row.state_hash);
    assert_int_equal(store->ops->entity_put(store, no, &row, 1), VES_OK);
    assert_int_equal(store->ops->bucket_mark(store, no, &bucket, 1), VES_OK);
    ves_arena_free(&arena);
}

static void set_fold_version(const char *version)
{
    struct ves_store *store = fleet.devices[0].store;
    assert_int_equal(
        store->ops->meta_put(store, "fold.version", ves_bytes_str(version)),
        VES_OK);
}

/* A store written by an older program is folded again when it is opened. */
static void older_rules_are_folded_again(void **state)
{
    struct ves_store *store = fleet.devices[0].store;

    (void)state;
    test_fleet_adjust(&fleet, 0, "sku", "4");
    test_fleet_append(&fleet, 0, "weather.seen", "W", "{}");
    test_fleet_sync(&fleet, 0);
    struct ves_hash hash = test_fleet_status(&fleet, 0).state_hash;

    assert_int_equal(store->ops->begin(store), VES_OK);
    plant_state("inventory", "sku", "{\"on_hand\":\"99\"}");
    plant_state("weather", "W", "{\"sun\":1}"); /* had a rule once */
    set_fold_version("0");
    assert_int_equal(store->ops->commit(store), VES_OK);
    struct ves_core_status status = test_fleet_status(&fleet, 0);
    assert_false(ves_hash_equal(&hash, &status.state_hash));

    assert_int_equal(ves_core_load(core_of(0)), VES_OK);
    assert_string_equal(
        test_fleet_member(&fleet, 0, "inventory", "sku", "on_hand", false),
        "4");
    status = test_fleet_status(&fleet, 0);
    assert_true(ves_hash_equal(&hash, &status.state_hash));

    assert_int_equal(store->ops->begin(store), VES_OK);
    set_fold_version("9999");
    assert_int_equal(store->ops->commit(store), VES_OK);
    assert_int_equal(ves_core_load(core_of(0)), VES_UNSUPPORTED);
}

/* A pruned log cannot be folded again; the till goes on with what it has. */
static void a_pruned_log_keeps_its_states(void **state)
{
    struct ves_store *store = fleet.devices[0].store;
    uint64_t count;

    (void)state;
    for (int i = 0; i < 3; i++)
        test_fleet_adjust(&fleet, 0, "sku", "4");
    test_fleet_sync(&fleet, 0);
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(
        store->ops->log_prune(store, core_of(0)->stream_no, 3, NULL, 0, &count),
        VES_OK);
    assert_int_equal(count, 2);
    set_fold_version("0");
    assert_int_equal(store->ops->commit(store), VES_OK);

    assert_int_equal(ves_core_refold(core_of(0)), VES_UNSUPPORTED);
    assert_int_equal(ves_core_load(core_of(0)), VES_OK);
    assert_int_equal(test_fleet_status(&fleet, 0).fold_version, 0);
    assert_int_equal(test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT,
                                             "refold_impossible"),
                     1);
    test_fleet_adjust(&fleet, 0, "sku", "1");
    test_fleet_sync(&fleet, 0);
    assert_string_equal(
        test_fleet_member(&fleet, 0, "inventory", "sku", "on_hand", false),
        "13");
}

static void acknowledging_needs_receipt_and_verdict(void **state)
{
    struct ves_agent_core *core = core_of(0);
    struct ves_ack_result result = {0};
    struct ves_uuid ids[3];

    (void)state;
    ids[0] = test_fleet_adjust(&fleet, 0, "sku", "1");
    ids[1] = test_id(0x4242);
    assert_int_equal(ves_core_acknowledge(core, ids, 2, 1, &result), VES_OK);
    assert_int_equal(result.acknowledged, 0);
    assert_int_equal(result.not_acknowledged, 2);
    assert_non_null(strstr(result.problems[0].reason, "push first"));
    assert_non_null(strstr(result.problems[1].reason, "no such event"));

    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(test_fleet_row(&fleet, 0, &ids[0]).status,
                     VES_OUTBOX_SYNCING);
    memset(&result, 0, sizeof(result));
    assert_int_equal(ves_core_acknowledge(core, ids, 1, 5, &result), VES_OK);
    assert_int_equal(result.acknowledged, 1);
    struct ves_outbox_row row = test_fleet_row(&fleet, 0, &ids[0]);
    assert_int_equal(row.status, VES_OUTBOX_SYNCED);
    assert_int_equal(row.synced_ms, 5);
    /* It is above the cursor still, so it stays in the overlay. */
    assert_true(row.is_in_overlay);
    assert_string_equal(
        test_fleet_member(&fleet, 0, "inventory", "sku", "on_hand", true), "1");
    memset(&result, 0, sizeof(result));
    assert_int_equal(ves_core_acknowledge(core, ids, 1, 6, &result), VES_OK);
    assert_int_equal(result.already_synced, 1);
}

static void nothing_is_synced_without_a_receipt(void **state)
{
    struct ves_ack_result result = {0};

    (void)state;
    struct ves_uuid id = test_fleet_adjust(&fleet, 0, "sku", "1");
    struct ves_push push;
    struct ves_buf answer;
    ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(test_fleet_begin(&fleet, 0, 0, true, &push), VES_OK);
    test_fleet_ingest(&fleet, 0, ves_buf_view(&push.body), &answer);
    ves_core_push_release(core_of(0), &push);
    ves_push_free(&push, ves_alloc_default());
    ves_buf_free(&answer);
    /* The log says that it is there, but nothing proves its number. */
    fleet.has_receipts = false;
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, NULL), VES_OK);
    struct ves_outbox_row row = test_fleet_row(&fleet, 0, &id);
    assert_int_equal(row.sequence_number, 1);
    assert_false(row.is_in_overlay);
    assert_int_equal(ves_core_acknowledge(core_of(0), &id, 1, 1, &result),
                     VES_OK);
    assert_int_equal(result.acknowledged, 0);
    assert_int_equal(result.not_acknowledged, 1);
    assert_int_not_equal(test_fleet_row(&fleet, 0, &id).status,
                         VES_OUTBOX_SYNCED);
    /* Pushed again, it gets the receipt it was given then. */
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(ves_core_acknowledge(core_of(0), &id, 1, 1, &result),
                     VES_OK);
    assert_int_equal(result.acknowledged, 1);
}

static void acknowledging_verifies_the_receipt_again(void **state)
{
    struct ves_store *store = fleet.devices[0].store;
    struct ves_ack_result result = {0};
    struct ves_outbox_row row;
    struct ves_arena arena;

    (void)state;
    struct ves_uuid id = test_fleet_adjust(&fleet, 0, "sku", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(store->ops->outbox_get(store, &id, 1, &arena, &row),
                     VES_OK);
    row.receipt.b[3] ^= 1;
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(store->ops->outbox_update(store, &row, 1), VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
    ves_arena_free(&arena);
    assert_int_equal(ves_core_acknowledge(core_of(0), NULL, 0, 1, &result),
                     VES_OK);
    assert_int_equal(result.acknowledged, 0);
    assert_int_equal(result.not_acknowledged, 1);
    assert_int_equal(test_fleet_row(&fleet, 0, &id).status, VES_OUTBOX_SYNCING);
}

static void acknowledging_all_takes_many(void **state)
{
    struct ves_ack_result result = {0};
    enum { MANY = 1203 };

    (void)state;
    for (int i = 0; i < MANY; i++)
        test_fleet_adjust(&fleet, 0, "sku", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(ves_core_acknowledge(core_of(0), NULL, 0, 1, &result),
                     VES_OK);
    assert_int_equal(result.acknowledged, MANY);
    assert_int_equal(test_fleet_status(&fleet, 0).counts[VES_OUTBOX_SYNCED],
                     MANY);
}

static void every_operation_is_in_the_trail(void **state)
{
    uint64_t retried;

    (void)state;
    test_fleet_adjust(&fleet, 0, "sku", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(test_fleet_pull(&fleet, 0, 0, NULL), VES_OK);
    struct ves_ack_result result = {0};
    assert_int_equal(ves_core_acknowledge(core_of(0), NULL, 0, 1, &result),
                     VES_OK);
    assert_int_equal(ves_core_retry(core_of(0), NULL, 0, 1, &retried), VES_OK);
    assert_int_equal(ves_core_trail(core_of(0), 1, "note", "{}"), VES_OK);
    static const char *const codes[] = {"push", "keys",  "pull",
                                        "ack",  "retry", "note"};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        assert_int_equal(test_fleet_trail(&fleet, 0, codes[i]), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(append_writes_the_whole_causal_context),
        TEST(append_sees_the_cursor_and_the_sequenced_head),
        TEST(explicit_base_version_wins),
        TEST(append_refuses_what_it_must),
        TEST(append_has_limits),
        TEST(payload_of_64_levels_is_an_event_of_its_own_agent_only),
        TEST(append_is_six_calls),
        TEST(event_ids_and_clock_never_go_back),
        TEST(an_event_id_is_used_once),
        TEST(a_store_without_a_key_does_not_append),
        TEST(identity_is_written_once),
        TEST(empty_store_says_that_it_is_empty),
        TEST(stock_of_ten_ends_at_five_everywhere),
        TEST(state_hash_follows_decision_14),
        TEST(an_unknown_rule_leaves_no_state_hash),
        TEST(many_entities_hash_alike_whatever_the_pages),
        TEST(refold_changes_nothing),
        TEST(older_rules_are_folded_again),
        TEST(a_pruned_log_keeps_its_states),
        TEST(acknowledging_needs_receipt_and_verdict),
        TEST(nothing_is_synced_without_a_receipt),
        TEST(acknowledging_verifies_the_receipt_again),
        TEST(acknowledging_all_takes_many),
        TEST(every_operation_is_in_the_trail),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
