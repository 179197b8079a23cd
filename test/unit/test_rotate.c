/* test_rotate.c -- a store's own key gives way to the next one: what the log
 * says is done, and no event is lost on the way (ADR 0033). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/key_event.h"
#include "engine/log_epoch.h"
#include "engine/log_tree.h"
#include "store/store_mem.h"
#include "test/lib/test_dir.h"
#include "test/lib/test_fleet.h"
#include "json/json.h"

/* Over the model and over SQLite files. */
#define TEST(name)                                              \
    {#name, name, set_up, tear_down, NULL},                     \
    {                                                           \
#name "_in_files", name, set_up_files, tear_down, NULL, \
    }

enum { TEXT_MAX = 1024 * 1024 };

static struct test_fleet fleet;
static struct test_signer keys[5]; /* key i + 1 of device 0; 0 is its own */
static size_t rekeyed;
static struct ves_error error;

static struct ves_agent_core *core(void)
{
    return &fleet.devices[0].core;
}

/* What a host does: it has all keys, and finds the one that is named. */
static enum ves_status rekey(struct ves_agent_core *of,
                             const struct ves_public_key *key)
{
    rekeyed++;
    for (size_t i = 0; i < 5; i++) {
        if (memcmp(keys[i].signer.public_key.b, key->b, VES_KEY_SIZE) != 0)
            continue;
        of->signer = &keys[i].signer;
        return VES_OK;
    }
    return VES_NOT_FOUND;
}

static uint64_t head(void)
{
    struct ves_stream_row row;
    assert_int_equal(fleet.hub_store->ops->stream_get(
                         fleet.hub_store, &fleet.hub.stream, false, &row),
                     VES_OK);
    return row.head;
}

static void give_owner(void)
{
    struct ves_store *hub = fleet.hub_store;
    struct ves_stream_row row;
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(
        ves_sequencer_stream(&fleet.hub.sequencer, &fleet.hub.stream, &row),
        VES_OK);
    row.has_owner_key = true;
    row.owner_key = fleet.hub.agent_key.signer.public_key;
    assert_int_equal(hub->ops->stream_put(hub, &row), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
}

/* Device 0's first key, by the owner's word, committing to the next when there
 * is one.  As joining leaves it: key 1 is in the log. */
static void join(const struct test_signer *then)
{
    struct ves_key_event e = {.kind = VES_KEY_EVENT_REGISTERED,
                              .agent = core()->agent,
                              .key_id = 7,
                              .public_key = keys[0].signer.public_key,
                              .has_next = then != NULL};
    struct ves_hash hash;
    struct ves_sig sig;
    struct ves_buf proof;
    if (then)
        ves_key_next_hash(&then->signer.public_key, &e.next);
    ves_key_register_hash(&fleet.hub.stream, &e, &hash);
    test_signer_sign(&fleet.hub.agent_key, &hash, &sig);
    ves_buf_init(&proof, ves_alloc_default(), TEXT_MAX);
    ves_buf_put_str(&proof, "{");
    if (then) {
        ves_buf_put_str(&proof, "\"nextKeyDigest\":\"");
        ves_buf_put_hex(&proof, e.next.b, VES_HASH_SIZE);
        ves_buf_put_str(&proof, "\",");
    }
    ves_buf_put_str(&proof, "\"ownerSignature\":\"");
    ves_buf_put_hex(&proof, sig.b, VES_SIG_SIZE);
    ves_buf_put_str(&proof, "\"}");
    const struct ves_key_row row = {.tenant = fleet.hub.stream.tenant,
                                    .has_store = true,
                                    .store = fleet.hub.stream.store,
                                    .agent = core()->agent,
                                    .key_id = e.key_id,
                                    .public_key = e.public_key,
                                    .algorithm = ves_bytes_str("ed25519"),
                                    .registrar = ves_bytes_str("invitation"),
                                    .proof = ves_buf_view(&proof)};
    assert_int_equal(ves_sequencer_register_key(&fleet.hub.sequencer, &row,
                                                fleet.hub.now_ms, &error),
                     VES_OK);
    ves_buf_free(&proof);
    test_keys_add(&fleet.hub.keys, &row.tenant, &row.agent, row.key_id,
                  &row.public_key);
}

/* The device uses key 7 from the start, so that no other is in its way. */
static int set_up_over(bool has_files)
{
    if (has_files)
        test_fleet_open_files(&fleet, 2);
    else
        test_fleet_open(&fleet, 2);
    give_owner();
    rekeyed = 0;
    for (uint8_t i = 0; i < 5; i++)
        test_signer_init(&keys[i], (uint8_t)(60 + i));
    struct ves_store *store = fleet.devices[0].store;
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(
        store->ops->meta_put(store, "agent.key_id", ves_bytes_str("7")),
        VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
    assert_int_equal(ves_core_load(core()), VES_OK);
    core()->signer = &keys[0].signer;
    core()->rekey = rekey;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_over(false);
}

static int set_up_files(void **state)
{
    (void)state;
    return set_up_over(true);
}

static int tear_down(void **state)
{
    test_fleet_close(&fleet);
    return test_dir_clear(state);
}

/* ---- asking -------------------------------------------------------------- */

static enum ves_status ask_for(size_t next, size_t then)
{
    struct ves_hash digest;
    ves_key_next_hash(&keys[then].signer.public_key, &digest);
    return ves_core_rotate(core(), &keys[next].signer, &digest,
                           fleet.hub.now_ms);
}

static bool is_waiting(void)
{
    struct ves_arena arena;
    struct ves_bytes body;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(ves_core_rotation(core(), &arena, &body), VES_OK);
    bool waits = body.len > 0;
    ves_arena_free(&arena);
    return waits;
}

/* The request reaches the sequencer, which reads it as its route does. */
static enum ves_status send_rotation(void)
{
    struct ves_arena arena;
    struct ves_bytes body;
    struct ves_event event = {.event_type = ves_bytes_str(VES_TYPE_KEY_ROTATED),
                              .entity_type = ves_bytes_str(VES_KEY_ENTITY_TYPE),
                              .entity_id = ves_bytes_str(VES_KEY_ENTITY_ID),
                              .payload_kind = VES_PAYLOAD_PLAIN};
    struct ves_key_event read;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(ves_core_rotation(core(), &arena, &body), VES_OK);
    assert_true(body.len > 0);
    assert_int_equal(ves_json_read(&arena, body, NULL, &event.payload, NULL),
                     VES_OK);
    assert_int_equal(ves_key_event_read(&event, &read, &error), VES_OK);
    fleet.hub.now_ms += 1000;
    enum ves_status status =
        ves_sequencer_enter_key_event(&fleet.hub.sequencer, &fleet.hub.stream,
                                      &read, fleet.hub.now_ms, &error);
    if (!status)
        test_keys_add(&fleet.hub.keys, &fleet.hub.stream.tenant, &read.agent,
                      read.key_id, &read.public_key);
    ves_arena_free(&arena);
    return status;
}

static void pull(size_t n)
{
    struct ves_pull_result result;
    do {
        memset(&result, 0, sizeof(result));
        assert_int_equal(test_fleet_pull(&fleet, n, 0, &result), VES_OK);
    } while (result.applied > 0);
}

static void sign_again(void)
{
    assert_int_equal(ves_core_rechain(core(), fleet.hub.now_ms), VES_OK);
}

static struct ves_outbox_row row_of(const struct ves_uuid *id)
{
    return test_fleet_row(&fleet, 0, id);
}

/* All is pushed, and another store has the same states from the log alone. */
static void expect_whole(const char *quantity)
{
    test_fleet_sync(&fleet, 0);
    test_fleet_sync(&fleet, 1);
    struct ves_core_status own = test_fleet_status(&fleet, 0);
    struct ves_core_status other = test_fleet_status(&fleet, 1);
    assert_int_equal(own.counts[VES_OUTBOX_PENDING], 0);
    assert_int_equal(own.counts[VES_OUTBOX_SYNCING], 0);
    assert_int_equal(own.counts[VES_OUTBOX_FAILED], 0);
    assert_int_equal(own.open_alerts, 0);
    assert_int_equal(other.open_alerts, 0);
    assert_memory_equal(&own.state_hash, &other.state_hash,
                        sizeof(own.state_hash));
    assert_string_equal(
        test_fleet_member(&fleet, 1, "inventory", "s", "on_hand", false),
        quantity);
}

/* ---- tests --------------------------------------------------------------- */

static void a_store_goes_on_with_the_new_key(void **state)
{
    (void)state;
    join(&keys[1]);
    pull(0);
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    struct ves_uuid waiting = test_fleet_adjust(&fleet, 0, "s", "2");
    assert_int_equal(ask_for(1, 2), VES_OK);
    assert_true(is_waiting());
    struct ves_uuid later = test_fleet_adjust(&fleet, 0, "s", "4");
    assert_int_equal(core()->key_id, 7); /* until the log has it */
    assert_int_equal(send_rotation(), VES_OK);
    pull(0);
    assert_false(is_waiting());
    assert_int_equal(test_fleet_trail(&fleet, 0, "key_rotated"), 1);
    struct ves_hash before = row_of(&waiting).event_hash;
    /* Not before it is signed again. */
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_AGAIN);
    struct ves_uuid third = test_fleet_adjust(&fleet, 0, "s", "8");
    assert_int_equal(core()->key_id, 8);
    assert_int_equal(rekeyed, 1);
    sign_again();
    assert_memory_not_equal(row_of(&waiting).event_hash.b, &before,
                            sizeof(before));
    assert_true(row_of(&later).local_seq < row_of(&third).local_seq);
    expect_whole("15");
    assert_int_equal(row_of(&third).agent_seq, 4);
}

static void again_and_again(void **state)
{
    (void)state;
    join(&keys[1]);
    pull(0);
    for (size_t i = 1; i < 4; i++) {
        test_fleet_adjust(&fleet, 0, "s", "1");
        assert_int_equal(ask_for(i, i + 1), VES_OK);
        assert_int_equal(send_rotation(), VES_OK);
        pull(0);
        sign_again();
    }
    assert_int_equal(core()->key_id, 10);
    expect_whole("3");
}

static void an_answer_that_was_lost_is_of_no_consequence(void **state)
{
    (void)state;
    struct ves_push push;
    struct ves_buf answer;
    join(&keys[1]);
    pull(0);
    struct ves_uuid placed = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_hash hash = row_of(&placed).event_hash;
    /* In the log in front of the rotation, and nobody here knows. */
    assert_int_equal(test_fleet_begin(&fleet, 0, 0, true, &push), VES_OK);
    ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
    test_fleet_ingest(&fleet, 0, ves_buf_view(&push.body), &answer);
    ves_buf_put_u8(&answer, '\0');
    uint64_t before = head();
    assert_int_equal(ask_for(1, 2), VES_OK);
    assert_int_equal(send_rotation(), VES_OK);
    assert_int_equal(send_rotation(), VES_OK); /* its answer, too */
    assert_int_equal(head(), before + 1);
    pull(0);
    sign_again();
    assert_memory_equal(row_of(&placed).event_hash.b, &hash, sizeof(hash));
    /* The late answer of a pusher that is fenced. */
    struct ves_push_result result = {0};
    assert_int_equal(test_fleet_end(&fleet, 0, &push, 200,
                                    (const char *)answer.ptr, &result),
                     VES_OK);
    ves_push_free(&push, ves_alloc_default());
    ves_buf_free(&answer);
    expect_whole("1");
    assert_int_equal(head(), before + 1);
}

static void what_was_under_way_and_came_too_late_is_signed_again(void **state)
{
    (void)state;
    struct ves_push push;
    struct ves_buf answer;
    struct ves_push_result result = {0};
    join(&keys[1]);
    pull(0);
    struct ves_uuid late = test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_hash hash = row_of(&late).event_hash;
    assert_int_equal(ask_for(1, 2), VES_OK);
    assert_int_equal(test_fleet_begin(&fleet, 0, 0, true, &push), VES_OK);
    assert_int_equal(send_rotation(), VES_OK);
    /* The sequencer refuses it, and the store has not seen the rotation. */
    ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
    test_fleet_ingest(&fleet, 0, ves_buf_view(&push.body), &answer);
    ves_buf_put_u8(&answer, '\0');
    assert_int_equal(test_fleet_end(&fleet, 0, &push, 200,
                                    (const char *)answer.ptr, &result),
                     VES_OK);
    assert_int_equal(result.failed, 1);
    assert_int_equal(row_of(&late).status, VES_OUTBOX_FAILED);
    assert_false(row_of(&late).is_in_overlay);
    ves_core_push_release(core(), &push);
    ves_push_free(&push, ves_alloc_default());
    ves_buf_free(&answer);
    pull(0);
    sign_again();
    assert_int_equal(row_of(&late).status, VES_OUTBOX_PENDING);
    assert_true(row_of(&late).is_in_overlay);
    assert_memory_not_equal(row_of(&late).event_hash.b, &hash, sizeof(hash));
    expect_whole("1");
}

static void other_refusals_stay(void **state)
{
    (void)state;
    join(&keys[1]);
    pull(0);
    test_fleet_adjust(&fleet, 0, "s", "1");
    test_fleet_sync(&fleet, 0);
    assert_int_equal(ves_sequencer_revoke_key(
                         &fleet.hub.sequencer, &fleet.hub.stream.tenant,
                         &core()->agent, 7, fleet.hub.now_ms, NULL, &error),
                     VES_OK);
    struct ves_uuid refused = test_fleet_adjust(&fleet, 0, "s", "2");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(row_of(&refused).status, VES_OUTBOX_FAILED);
    sign_again();
    assert_int_equal(row_of(&refused).status, VES_OUTBOX_FAILED);
    /* Nor is a revoked key rotated: that is the owner's to say. */
    assert_int_equal(ask_for(1, 2), VES_OK); /* the store does not know yet */
    assert_int_equal(send_rotation(), VES_REFUSED);
    assert_non_null(strstr(error.text, "key_revoked"));
    assert_int_equal(
        ves_core_rotation_refused(core(), error.text, fleet.hub.now_ms),
        VES_OK);
    assert_false(is_waiting());
    assert_int_equal(test_fleet_open_records(&fleet, 0, VES_RECORD_ALERT,
                                             "key_rotation_refused"),
                     1);
    pull(0);
    assert_int_equal(ask_for(1, 2), VES_REFUSED);
    assert_non_null(strstr(core()->error.text, "key_revoked"));
}

static void only_the_committed_key_comes_next(void **state)
{
    (void)state;
    join(&keys[1]);
    /* The thief has the present key and makes a next one of his own. */
    assert_int_equal(ask_for(3, 4), VES_OK);
    uint64_t before = head();
    assert_int_equal(send_rotation(), VES_REFUSED);
    assert_non_null(strstr(error.text, "not_the_committed_next_key"));
    assert_int_equal(head(), before);
    assert_int_equal(
        ves_core_rotation_refused(core(), error.text, fleet.hub.now_ms),
        VES_OK);
    pull(0);
    assert_int_equal(ask_for(3, 4), VES_REFUSED);
    assert_non_null(strstr(core()->error.text, "not_the_committed_next_key"));
    assert_int_equal(test_fleet_status(&fleet, 0).open_alerts, 1);
    /* He who has both is the store itself; then nobody need look any more. */
    assert_int_equal(ask_for(1, 2), VES_OK);
    assert_int_equal(send_rotation(), VES_OK);
    pull(0);
    assert_int_equal(test_fleet_status(&fleet, 0).open_alerts, 0);
}

static void a_key_that_committed_to_nothing_stays(void **state)
{
    (void)state;
    join(NULL);
    pull(0);
    assert_int_equal(ask_for(1, 2), VES_REFUSED);
    assert_non_null(strstr(core()->error.text, "no_next_key_committed"));
    assert_false(is_waiting());
    memset(&core()->owner_key, 0, sizeof(core()->owner_key));
    assert_int_equal(ask_for(1, 2), VES_REFUSED);
    assert_non_null(strstr(core()->error.text, "no_owner"));
}

/* The copy is of before the rotation; it finds its key in the log. */
static void a_restored_store_follows_the_log(void **state)
{
    (void)state;
    struct ves_store *copy;
    join(&keys[1]);
    pull(0);
    test_fleet_adjust(&fleet, 0, "s", "1");
    test_fleet_sync(&fleet, 0);
    copy = test_fleet_copy(&fleet, &fleet.devices[0]);
    assert_int_equal(ask_for(1, 2), VES_OK);
    assert_int_equal(send_rotation(), VES_OK);
    pull(0);
    sign_again();
    test_fleet_adjust(&fleet, 0, "s", "2");
    test_fleet_sync(&fleet, 0);

    struct test_device old = fleet.devices[0];
    fleet.devices[0].store = copy;
    core()->store = copy;
    assert_int_equal(ves_core_load(core()), VES_OK);
    core()->signer = &keys[0].signer;
    assert_int_equal(core()->key_id, 7);
    pull(0);
    test_fleet_adjust(&fleet, 0, "s", "4");
    assert_int_equal(core()->key_id, 8);
    sign_again();
    expect_whole("7");
    ves_store_mem_close(copy);
    fleet.devices[0] = old;
}

static void a_store_without_the_key_says_so(void **state)
{
    (void)state;
    struct ves_uuid id;
    struct ves_core_env env = test_fleet_env(&fleet);
    const struct ves_core_append what = {
        .event_type = ves_bytes_str("inventory.adjusted"),
        .entity_id = ves_bytes_str("s"),
        .payload = ves_bytes_str("{\"delta\":1}")};
    join(&keys[1]);
    pull(0);
    assert_int_equal(ask_for(1, 2), VES_OK);
    assert_int_equal(send_rotation(), VES_OK);
    pull(0);
    core()->rekey = NULL;
    assert_int_equal(ves_core_append(core(), &env, &what, &id), VES_NOT_FOUND);
    core()->rekey = rekey;
    assert_int_equal(ves_core_append(core(), &env, &what, &id), VES_OK);
    sign_again();
    expect_whole("1");
}

/* ---- a rotation that an epoch gives up ------------------------------------
 */

struct backup {
    struct ves_store *to;
    uint64_t end;
};

static enum ves_status copy_row(void *ctx, const struct ves_log_row *row)
{
    struct backup *backup = ctx;

    return row->sequence_number > backup->end
               ? VES_OK
               : backup->to->ops->log_append(backup->to, 1, row, 1);
}

static enum ves_status copy_key(void *ctx, const struct ves_key_row *row,
                                const struct ves_key_span *span)
{
    struct backup *backup = ctx;
    struct ves_key_span known = *span;

    if (span->is_found && span->valid_from_sequence > backup->end)
        return VES_OK;
    if (known.revoked_at_sequence > backup->end)
        known.revoked_at_sequence = 0;
    enum ves_status status = backup->to->ops->key_put(backup->to, row);
    return status || !span->is_found
               ? status
               : backup->to->ops->key_span_put(backup->to, 1, &row->agent,
                                               row->key_id, &known);
}

/* The sequencer's disk as it was when its log had so many events. */
static struct ves_store *back_up(uint64_t end)
{
    struct backup backup = {.end = end};
    struct ves_store *hub = fleet.hub_store;
    struct ves_stream_row from, row;

    assert_int_equal(ves_store_mem_open(ves_alloc_default(), &backup.to),
                     VES_OK);
    assert_int_equal(hub->ops->stream_get(hub, &fleet.hub.stream, false, &from),
                     VES_OK);
    assert_int_equal(backup.to->ops->begin(backup.to), VES_OK);
    assert_int_equal(
        backup.to->ops->stream_get(backup.to, &fleet.hub.stream, true, &row),
        VES_OK);
    row.has_owner_key = true;
    row.owner_key = from.owner_key;
    assert_int_equal(backup.to->ops->stream_put(backup.to, &row), VES_OK);
    assert_int_equal(
        hub->ops->log_read(hub, from.stream_no, 1, 0, copy_row, &backup),
        VES_OK);
    assert_int_equal(hub->ops->key_list(hub, &fleet.hub.stream.tenant, NULL,
                                        from.stream_no, copy_key, &backup),
                     VES_OK);
    assert_int_equal(backup.to->ops->meta_put(backup.to, "judge.version",
                                              ves_bytes_str("0")),
                     VES_OK);
    assert_int_equal(backup.to->ops->commit(backup.to), VES_OK);
    return backup.to;
}

/* Goes on from an older disk, and gives up what came since. */
static void open_epoch(struct ves_store *disk, struct ves_arena *arena)
{
    struct ves_sequencer *sequencer = &fleet.hub.sequencer;
    struct ves_log_giving_up what = {.stream = fleet.hub.stream,
                                     .size = head(),
                                     .reason = ves_bytes_str("test")};
    const struct ves_uuid batch = {{9}};
    struct ves_log_head signed_head;

    assert_int_equal(ves_log_root_at(fleet.hub_store, 1, what.size, &what.root),
                     VES_OK);
    fleet.hub_store = disk;
    sequencer->store = disk;
    assert_int_equal(ves_log_tree_plant(sequencer), VES_OK);
    assert_int_equal(ves_sequencer_upgrade(sequencer), VES_OK);
    assert_int_equal(ves_log_freeze(sequencer, &fleet.hub.stream,
                                    ves_bytes_str("test"), ves_bytes(NULL, 0),
                                    fleet.hub.now_ms),
                     VES_OK);
    assert_int_equal(ves_log_epoch_open(sequencer, &what, &batch,
                                        fleet.hub.now_ms, arena, &signed_head,
                                        &error),
                     VES_OK);
    assert_int_equal(ves_log_head_keep(sequencer, &signed_head, 1), VES_OK);
}

/* The key that signs is known by an event that is given up: its rotation is
 * asked for again, and what waits is signed with it. */
static void an_epoch_gives_the_rotation_up(void **state)
{
    struct ves_core_given_up done;
    struct ves_arena arena;
    struct ves_page *page;
    struct ves_buf text;
    bool needs_keys;

    (void)state;
    fleet.has_receipts = true;
    join(&keys[1]);
    pull(0);
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    pull(0);
    uint64_t common = head();
    struct ves_store *disk = back_up(common), *lost = fleet.hub_store;
    assert_int_equal(ask_for(1, 2), VES_OK);
    test_fleet_adjust(&fleet, 0, "s", "2");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(send_rotation(), VES_OK);
    pull(0);
    sign_again();
    test_fleet_adjust(&fleet, 0, "s", "4");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    pull(0);
    assert_int_equal(core()->key_id, 8);
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    ves_buf_init(&text, ves_alloc_default(), TEXT_MAX);
    open_epoch(disk, &arena);
    test_fleet_page(&fleet, common + 1, 1, &text);
    assert_int_equal(ves_core_page_read(core(), ves_buf_view(&text), common + 1,
                                        &page, &needs_keys),
                     VES_OK);
    ves_core_page_verify(core(), page);
    assert_int_equal(
        ves_core_epoch_follow(core(), page, fleet.hub.now_ms, false, &done),
        VES_OK);
    ves_page_free(page);
    ves_buf_free(&text);
    ves_arena_free(&arena);
    assert_true(done.is_rotated_again);
    assert_int_equal(done.own, 2);
    assert_int_equal(done.signed_again, 2);
    assert_true(is_waiting());
    pull(0);
    assert_int_equal(send_rotation(), VES_OK);
    pull(0);
    assert_false(is_waiting());
    assert_int_equal(core()->key_id, 8);
    test_fleet_sync(&fleet, 0);
    test_fleet_sync(&fleet, 1);
    assert_int_equal(test_fleet_status(&fleet, 0).counts[VES_OUTBOX_PENDING],
                     0);
    assert_int_equal(test_fleet_status(&fleet, 0).counts[VES_OUTBOX_FAILED], 0);
    assert_string_equal(
        test_fleet_member(&fleet, 1, "inventory", "s", "on_hand", false), "7");
    ves_store_mem_close(disk);
    fleet.hub_store = lost;
    fleet.hub.sequencer.store = lost;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_epoch_gives_the_rotation_up),
        TEST(a_store_goes_on_with_the_new_key),
        TEST(again_and_again),
        TEST(an_answer_that_was_lost_is_of_no_consequence),
        TEST(what_was_under_way_and_came_too_late_is_signed_again),
        TEST(other_refusals_stay),
        TEST(only_the_committed_key_comes_next),
        TEST(a_key_that_committed_to_nothing_stays),
        cmocka_unit_test_setup_teardown(a_restored_store_follows_the_log,
                                        set_up, tear_down),
        TEST(a_store_without_the_key_says_so),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
