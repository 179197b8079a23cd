/* test_key_entry.c -- keys enter the log at the sequencer and are followed by a
 * store, from the log alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/key_event.h"
#include "core/receipt.h"
#include "engine/key_log.h"
#include "engine/log_recover.h"
#include "test/lib/test_dir.h"
#include "test/lib/test_fleet.h"

/* Over the model and over SQLite files. */
#define TEST(name)                                              \
    {#name, name, set_up, tear_down, NULL},                     \
    {                                                           \
#name "_in_files", name, set_up_files, tear_down, NULL, \
    }

enum { TEXT_MAX = 1024 * 1024 };

static struct test_fleet fleet;
static struct test_signer next[4];
static struct ves_error error;

static struct ves_sequencer *sequencer(void)
{
    return &fleet.hub.sequencer;
}

static uint64_t head(void)
{
    struct ves_stream_row row;
    assert_int_equal(fleet.hub_store->ops->stream_get(
                         fleet.hub_store, &fleet.hub.stream, false, &row),
                     VES_OK);
    return row.head;
}

/* The stream gets an owner, as an invitation makes it: the hub's agent key. */
static void give_owner(void)
{
    struct ves_store *hub = fleet.hub_store;
    struct ves_stream_row row;
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(ves_sequencer_stream(sequencer(), &fleet.hub.stream, &row),
                     VES_OK);
    row.has_owner_key = true;
    row.owner_key = fleet.hub.agent_key.signer.public_key;
    assert_int_equal(hub->ops->stream_put(hub, &row), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
}

/* Three devices, whose keys and the hub agent's were registered before the
 * stream had an owner. */
static int set_up_over(bool has_files)
{
    if (has_files)
        test_fleet_open_files(&fleet, 3);
    else
        test_fleet_open(&fleet, 3);
    for (uint8_t i = 0; i < 4; i++)
        test_signer_init(&next[i], (uint8_t)(60 + i));
    give_owner();
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

static void enter_all(void)
{
    assert_int_equal(ves_sequencer_enter_keys(sequencer(), NULL, 0,
                                              fleet.hub.now_ms, &error),
                     VES_OK);
}

static uint64_t cursor(size_t n)
{
    return test_fleet_status(&fleet, n).cursor;
}

static struct ves_key_span span_at(struct ves_store *store, uint32_t stream_no,
                                   const struct ves_uuid *agent, uint32_t key)
{
    struct ves_key_span span;
    assert_int_equal(
        store->ops->key_span_get(store, stream_no, agent, key, &span), VES_OK);
    return span;
}

static const struct ves_uuid *agent_of(size_t n)
{
    return &fleet.devices[n].core.agent;
}

/* What a store's log says of a key; count 0: nothing. */
static struct ves_logged_key logged(size_t n, const struct ves_uuid *agent,
                                    uint32_t key_id)
{
    const struct ves_agent_core *core = &fleet.devices[n].core;
    const struct ves_key_state *state;
    const struct ves_logged_key *key = NULL;
    struct ves_logged_key copy = {0};
    struct ves_key_log log;
    struct ves_arena arena;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    ves_key_log_open(&log, core->store, core->stream_no, &core->stream,
                     &core->owner_key, &core->sequencer_id, &arena);
    assert_int_equal(ves_key_log_find(&log, agent, &state), VES_OK);
    if (state)
        key = ves_key_state_find(state, key_id);
    if (key)
        copy = *key;
    ves_arena_free(&arena);
    return copy;
}

static struct ves_sig sign(const struct test_signer *by,
                           const struct ves_hash *hash)
{
    struct ves_sig sig;
    test_signer_sign(by, hash, &sig);
    return sig;
}

/* Key `key_id` of device n by the owner's word, committing to `then`. */
static enum ves_status register_owned(size_t n, uint32_t key_id,
                                      const struct test_signer *key,
                                      const struct test_signer *then,
                                      const struct test_signer *by)
{
    struct ves_key_event e = {.kind = VES_KEY_EVENT_REGISTERED,
                              .agent = *agent_of(n),
                              .key_id = key_id,
                              .public_key = key->signer.public_key,
                              .has_next = true};
    struct ves_hash hash;
    struct ves_buf proof;
    ves_key_next_hash(&then->signer.public_key, &e.next);
    ves_key_register_hash(&fleet.hub.stream, &e, &hash);
    struct ves_sig sig = sign(by, &hash);
    ves_buf_init(&proof, ves_alloc_default(), TEXT_MAX);
    ves_buf_put_str(&proof, "{\"nextKeyDigest\":\"");
    ves_buf_put_hex(&proof, e.next.b, VES_HASH_SIZE);
    ves_buf_put_str(&proof, "\",\"ownerSignature\":\"");
    ves_buf_put_hex(&proof, sig.b, VES_SIG_SIZE);
    ves_buf_put_str(&proof, "\"}");
    const struct ves_key_row row = {.tenant = fleet.hub.stream.tenant,
                                    .has_store = true,
                                    .store = fleet.hub.stream.store,
                                    .agent = *agent_of(n),
                                    .key_id = key_id,
                                    .public_key = key->signer.public_key,
                                    .algorithm = ves_bytes_str("ed25519"),
                                    .registrar = ves_bytes_str("admin"),
                                    .proof = ves_buf_view(&proof)};
    enum ves_status status =
        ves_sequencer_register_key(sequencer(), &row, fleet.hub.now_ms, &error);
    ves_buf_free(&proof);
    if (!status)
        test_keys_add(&fleet.hub.keys, &row.tenant, &row.agent, key_id,
                      &row.public_key);
    return status;
}

static enum ves_status rotate(size_t n, uint32_t from_id,
                              const struct test_signer *from,
                              const struct test_signer *to,
                              const struct test_signer *then)
{
    struct ves_key_event e = {.kind = VES_KEY_EVENT_ROTATED,
                              .agent = *agent_of(n),
                              .key_id = from_id + 1,
                              .previous_id = from_id,
                              .public_key = to->signer.public_key,
                              .has_next = true};
    struct ves_hash hash;
    ves_key_next_hash(&then->signer.public_key, &e.next);
    ves_key_rotate_hash(&fleet.hub.stream, &e, &hash);
    e.previous_signature = sign(from, &hash);
    e.signature = sign(to, &hash);
    fleet.hub.now_ms += 1000; /* nobody asks twice at once */
    return ves_sequencer_enter_key_event(sequencer(), &fleet.hub.stream, &e,
                                         fleet.hub.now_ms, &error);
}

static enum ves_status set_policy(bool is_strict, uint64_t number)
{
    struct ves_key_event e = {
        .kind = VES_KEY_EVENT_POLICY, .is_strict = is_strict, .number = number};
    struct ves_hash hash;
    ves_key_policy_hash(&fleet.hub.stream, &e, &hash);
    e.signature = sign(&fleet.hub.agent_key, &hash);
    return ves_sequencer_enter_key_event(sequencer(), &fleet.hub.stream, &e,
                                         fleet.hub.now_ms, &error);
}

/* Device n goes on with key 2. */
static void use_key(size_t n, const struct test_signer *key)
{
    struct ves_store *store = fleet.devices[n].store;
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(
        store->ops->meta_put(store, "agent.key_id", ves_bytes_str("2")),
        VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
    fleet.devices[n].core.key_id = 2;
    fleet.devices[n].key = *key;
}

/* ---- at the sequencer ---------------------------------------------------- */

static void what_the_tables_know_is_entered_once(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(head(), 1);
    enter_all();
    assert_int_equal(head(), 5); /* the hub's agent and three devices */
    enter_all();
    assert_int_equal(head(), 5);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(cursor(1), 5);
    /* What was so before is said to have been so before. */
    struct ves_logged_key key = logged(1, agent_of(0), 1);
    assert_int_equal(key.author, VES_KEY_BY_SEQUENCER);
    assert_int_equal(key.valid_from, 1);
    assert_true(key.entered_at > 1);
}

static void a_stream_without_an_owner_has_no_key_events(void **state)
{
    (void)state;
    struct ves_store *hub = fleet.hub_store;
    struct ves_stream_row row;
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(ves_sequencer_stream(sequencer(), &fleet.hub.stream, &row),
                     VES_OK);
    row.has_owner_key = false;
    assert_int_equal(hub->ops->stream_put(hub, &row), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
    enter_all();
    assert_int_equal(
        register_owned(0, 2, &next[0], &next[1], &fleet.hub.agent_key), VES_OK);
    assert_int_equal(rotate(0, 2, &next[0], &next[1], &next[2]), VES_REFUSED);
    assert_int_equal(head(), 0);
}

static void a_registration_that_does_not_hold_changes_nothing(void **state)
{
    (void)state;
    enter_all();
    assert_int_equal(set_policy(true, 1), VES_OK);
    uint64_t before = head();
    /* Signed by somebody else: only the sequencer's word is left, and the
     * owner does not want that. */
    assert_int_equal(register_owned(0, 2, &next[0], &next[1], &next[3]),
                     VES_REFUSED);
    assert_non_null(strstr(error.text, "owner"));
    assert_int_equal(head(), before);
    struct ves_arena arena;
    struct ves_key_row row;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(
        fleet.hub_store->ops->key_get(fleet.hub_store, &fleet.hub.stream.tenant,
                                      agent_of(0), 2, &arena, &row),
        VES_NOT_FOUND);
    ves_arena_free(&arena);
    /* An older word of the owner's is no news. */
    assert_int_equal(set_policy(false, 1), VES_REFUSED);
    assert_int_equal(
        register_owned(0, 2, &next[0], &next[1], &fleet.hub.agent_key), VES_OK);
    assert_int_equal(head(), before + 1);
}

static void nobody_else_enters_key_events(void **state)
{
    (void)state;
    struct ves_uuid id;
    struct ves_push_result result = {0};
    struct ves_core_env env = test_fleet_env(&fleet);
    const struct ves_core_append what = {
        .event_type = ves_bytes_str(VES_TYPE_KEY_REVOKED),
        .is_system = true,
        .entity_type = ves_bytes_str(VES_KEY_ENTITY_TYPE),
        .entity_id = ves_bytes_str(VES_KEY_ENTITY_ID),
        .payload = ves_bytes_str("{}")};
    enter_all();
    assert_int_equal(ves_core_append(&fleet.devices[0].core, &env, &what, &id),
                     VES_OK);
    assert_int_equal(test_fleet_push(&fleet, 0, &result), VES_OK);
    assert_int_equal(result.failed, 1);
    assert_int_equal(head(), 4);
}

static void the_ranges_of_requests_stay_whole(void **state)
{
    (void)state;
    struct ves_push_result result = {0};
    enter_all();
    for (int i = 0; i < 5; i++)
        test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(
        register_owned(1, 2, &next[0], &next[1], &fleet.hub.agent_key), VES_OK);
    assert_int_equal(test_fleet_push(&fleet, 0, &result), VES_OK);
    assert_int_equal(result.last_sequence - result.first_sequence, 4);
    assert_int_equal(result.first_sequence, 6);
}

/* Version 2 of the sequencer's key is `signs`; the log is told it is `said`, by
 * the word of `by`. */
static enum ves_status rotate_sequencer_by(const struct test_signer *by,
                                           const struct test_signer *signs,
                                           const struct test_signer *said)
{
    struct ves_key_event version = {.kind = VES_KEY_EVENT_SEQUENCER,
                                    .agent = sequencer()->sequencer_id,
                                    .key_id = 2,
                                    .public_key = said->signer.public_key};
    struct ves_hash hash;
    ves_seqkey_hash(&fleet.hub.key.signer.public_key, &version.public_key, 2,
                    &hash);
    version.signature = sign(by, &hash);
    fleet.hub.key = *signs;
    sequencer()->key_version = 2;
    for (size_t n = 0; n < 3; n++) {
        struct ves_agent_core *core = &fleet.devices[n].core;
        core->sequencer_keys[1] =
            (struct ves_sequencer_key){2, signs->signer.public_key};
        core->sequencer_key_count = 2;
    }
    return ves_sequencer_enter_keys(sequencer(), &version, 1, fleet.hub.now_ms,
                                    &error);
}

static void rotate_sequencer(const struct test_signer *signs,
                             const struct test_signer *said)
{
    const struct test_signer before = fleet.hub.key;
    assert_int_equal(rotate_sequencer_by(&before, signs, said), VES_OK);
    fleet.hub.key = before;
    assert_int_equal(rotate_sequencer_by(&before, signs, said), VES_OK);
}

/* The newest version in a store's log, and where. */
static struct ves_key_log_version logged_version(size_t n)
{
    const struct ves_agent_core *core = &fleet.devices[n].core;
    struct ves_key_log_version newest = {.sequence = 0};
    struct ves_key_log log;
    struct ves_arena arena;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    ves_key_log_open(&log, core->store, core->stream_no, &core->stream,
                     &core->owner_key, &core->sequencer_id, &arena);
    assert_int_equal(ves_key_log_load(&log), VES_OK);
    if (log.versions)
        newest = *log.versions;
    ves_arena_free(&arena);
    return newest;
}

static void a_version_of_the_sequencers_key_is_entered_once(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    rotate_sequencer(&next[0], &next[0]);
    assert_int_equal(head(), 6); /* and four agents' keys */
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(cursor(1), 6);
    struct ves_key_log_version version = logged_version(1);
    assert_int_equal(version.sequence, 2);
    assert_int_equal(version.key.version, 2);
    assert_memory_equal(&version.key.public_key, &next[0].signer.public_key,
                        sizeof(version.key.public_key));
}

/* A stream of another tenant, with an owner and one agent's key, whose log
 * began.  Its owner came last, so nothing was entered yet. */
static void add_tenant(const struct ves_stream *stream)
{
    struct ves_store *hub = fleet.hub_store;
    struct ves_stream_row row;
    const struct ves_key_row key = {.tenant = stream->tenant,
                                    .agent = *agent_of(0),
                                    .key_id = 1,
                                    .public_key = next[3].signer.public_key,
                                    .algorithm = ves_bytes_str("ed25519"),
                                    .registrar = ves_bytes_str("admin")};
    assert_int_equal(
        ves_sequencer_register_key(sequencer(), &key, fleet.hub.now_ms, &error),
        VES_OK);
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(ves_sequencer_stream(sequencer(), stream, &row), VES_OK);
    row.has_owner_key = true;
    row.owner_key = fleet.hub.agent_key.signer.public_key;
    assert_int_equal(hub->ops->stream_put(hub, &row), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
}

static void each_tenant_lists_the_sequencers_own_key(void **state)
{
    (void)state;
    const struct ves_stream other = {test_id(0xe1), test_id(0xe2)};
    struct ves_store *hub = fleet.hub_store;
    struct ves_stream_row row;
    struct ves_key_row key;
    struct ves_arena arena;
    add_tenant(&other);
    enter_all();
    assert_int_equal(head(), 4);
    assert_int_equal(hub->ops->stream_get(hub, &other, false, &row), VES_OK);
    assert_int_equal(row.head, 1);
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(hub->ops->key_get(hub, &fleet.hub.stream.tenant,
                                       &sequencer()->sequencer_id, 1, &arena,
                                       &key),
                     VES_OK);
    assert_int_equal(hub->ops->key_get(hub, &other.tenant,
                                       &sequencer()->sequencer_id, 1, &arena,
                                       &key),
                     VES_OK);
    ves_arena_free(&arena);
}

static void a_stream_that_began_later_has_it_from_the_invitation(void **state)
{
    (void)state;
    rotate_sequencer(&next[0], &next[0]);
    assert_int_equal(head(), 4);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(logged_version(1).sequence, 0);
}

static void a_version_that_nobody_pinned_is_refused(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    rotate_sequencer(&next[0], &next[1]);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_REFUSED);
    assert_non_null(
        strstr(fleet.devices[1].core.error.text, "directory_contradicts_log"));
    assert_int_equal(cursor(1), 1);
}

/* The first version that a log enters has no other before it in the log. */
static void a_first_version_is_the_one_befores_word(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    enter_all(); /* the directory has version 1 from here on */
    uint64_t before = head();
    assert_int_equal(rotate_sequencer_by(&next[2], &next[0], &next[0]),
                     VES_REFUSED);
    assert_non_null(strstr(error.text, "key_signature_invalid"));
    assert_int_equal(head(), before);
}

/* A sequencer that does not look; stores have pinned version 1. */
static void a_store_holds_it_against_its_pins(void **state)
{
    (void)state;
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(rotate_sequencer_by(&next[2], &next[0], &next[0]), VES_OK);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_REFUSED);
    assert_non_null(
        strstr(fleet.devices[1].core.error.text, "key_signature_invalid"));
    assert_int_equal(cursor(1), 1);
}

/* ---- in a store ---------------------------------------------------------- */

static void a_key_is_known_from_the_log_alone(void **state)
{
    (void)state;
    struct ves_page *page;
    struct ves_buf bytes;
    bool needs_keys;
    enter_all();
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(
        register_owned(0, 2, &next[0], &next[1], &fleet.hub.agent_key), VES_OK);
    use_key(0, &next[0]);
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    ves_buf_init(&bytes, ves_alloc_default(), TEXT_MAX);
    test_fleet_page(&fleet, 5, 0, &bytes);
    assert_int_equal(ves_core_page_read(&fleet.devices[1].core,
                                        ves_buf_view(&bytes), 5, &page,
                                        &needs_keys),
                     VES_OK);
    assert_false(needs_keys); /* the directory was not asked */
    ves_page_free(page);
    ves_buf_free(&bytes);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(cursor(1), 6);
    assert_int_equal(logged(1, agent_of(0), 2).author, VES_KEY_BY_OWNER);
    struct ves_key_span span =
        span_at(fleet.devices[1].store, fleet.devices[1].core.stream_no,
                agent_of(0), 2);
    assert_int_equal(span.valid_from_sequence, 5);
}

static void a_rotation_needs_what_was_committed(void **state)
{
    (void)state;
    enter_all();
    /* The first key, entered by the sequencer, committed to nothing. */
    assert_int_equal(rotate(0, 1, &fleet.devices[0].key, &next[0], &next[1]),
                     VES_REFUSED);
    assert_non_null(strstr(error.text, "no_next_key_committed"));
    assert_int_equal(
        register_owned(0, 2, &next[0], &next[1], &fleet.hub.agent_key), VES_OK);
    uint64_t before = head();
    assert_int_equal(rotate(0, 2, &next[0], &next[2], &next[3]), VES_REFUSED);
    assert_non_null(strstr(error.text, "not_the_committed_next_key"));
    assert_int_equal(head(), before);
    assert_int_equal(rotate(0, 2, &next[0], &next[1], &next[2]), VES_OK);
    assert_int_equal(head(), before + 1);
    /* The answer was lost. */
    assert_int_equal(rotate(0, 2, &next[0], &next[1], &next[2]), VES_OK);
    assert_int_equal(head(), before + 1);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(logged(1, agent_of(0), 2).revoked_at, before + 1);
    assert_int_equal(logged(1, agent_of(0), 3).valid_from, before + 1);
    assert_int_equal(logged(1, agent_of(0), 3).author, VES_KEY_BY_ROTATION);
}

static enum ves_status revoke_owned(size_t n, const struct test_signer *by)
{
    struct ves_key_event e = {.kind = VES_KEY_EVENT_REVOKED,
                              .agent = *agent_of(n),
                              .key_id = 1,
                              .has_statement = true};
    struct ves_hash hash;
    ves_key_revoke_hash(&fleet.hub.stream, &e, &hash);
    e.statement.owner_signature = sign(by, &hash);
    return ves_sequencer_enter_key_event(sequencer(), &fleet.hub.stream, &e,
                                         fleet.hub.now_ms, &error);
}

static void the_owner_revokes_by_his_own_word(void **state)
{
    (void)state;
    struct ves_push_result result = {0};
    enter_all();
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    uint64_t before = head();
    assert_int_equal(revoke_owned(0, &next[0]), VES_REFUSED);
    assert_non_null(strstr(error.text, "owner_signature_invalid"));
    assert_int_equal(head(), before);
    assert_int_equal(revoke_owned(0, &fleet.hub.agent_key), VES_OK);
    assert_int_equal(revoke_owned(0, &fleet.hub.agent_key), VES_OK);
    assert_int_equal(head(), before + 1);
    test_fleet_adjust(&fleet, 0, "s", "2");
    assert_int_equal(test_fleet_push(&fleet, 0, &result), VES_OK);
    assert_int_equal(result.failed, 1);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    assert_int_equal(cursor(1), before + 1);
    assert_int_equal(logged(1, agent_of(0), 1).revoked_at, before + 1);
    assert_int_equal(logged(1, agent_of(0), 1).ended_by, VES_KEY_BY_OWNER);
    /* The other's word is no news for one that was ended by the owner's. */
    assert_int_equal(ves_sequencer_revoke_key(
                         sequencer(), &fleet.hub.stream.tenant, agent_of(0), 1,
                         fleet.hub.now_ms, NULL, &error),
                     VES_OK);
    assert_int_equal(head(), before + 1);
    assert_int_equal(ves_sequencer_revoke_key(
                         sequencer(), &fleet.hub.stream.tenant, agent_of(1), 1,
                         fleet.hub.now_ms, NULL, &error),
                     VES_OK);
    assert_int_equal(head(), before + 2);
    assert_int_equal(revoke_owned(1, &fleet.hub.agent_key), VES_REFUSED);
    assert_non_null(strstr(error.text, "key_revoked"));
}

/* The sequencer's tables, as a liar has them. */
static void forget_revocation(const struct ves_uuid *agent, uint32_t key_id)
{
    struct ves_store *hub = fleet.hub_store;
    struct ves_key_span span = {.is_found = true, .valid_from_sequence = 1};
    struct ves_stream_row row;
    struct ves_arena arena;
    struct ves_key_row key;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(hub->ops->stream_get(hub, &fleet.hub.stream, false, &row),
                     VES_OK);
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(
        hub->ops->key_span_put(hub, row.stream_no, agent, key_id, &span),
        VES_OK);
    assert_int_equal(hub->ops->key_get(hub, &fleet.hub.stream.tenant, agent,
                                       key_id, &arena, &key),
                     VES_OK);
    key.revoked_at_ms = 0;
    assert_int_equal(hub->ops->key_put(hub, &key), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
    ves_arena_free(&arena);
}

static void a_revoked_key_is_refused_for_what_the_log_says(void **state)
{
    (void)state;
    enter_all();
    assert_int_equal(ves_sequencer_revoke_key(
                         sequencer(), &fleet.hub.stream.tenant, agent_of(0), 1,
                         fleet.hub.now_ms, NULL, &error),
                     VES_OK);
    assert_int_equal(head(), 5);
    forget_revocation(agent_of(0), 1);
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(head(), 6);
    /* One page with the revocation and what came behind it: a store that never
     * saw a directory, or an honest one, refuses it all the same. */
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_REFUSED);
    assert_int_equal(cursor(1), 5);
    assert_int_equal(test_fleet_open_records(&fleet, 1, VES_RECORD_QUARANTINE,
                                             "key_not_valid"),
                     1);
    assert_non_null(
        strstr(fleet.devices[1].core.error.text, "was revoked at number 5"));
}

static void a_directory_that_contradicts_the_log_is_evidence(void **state)
{
    (void)state;
    struct ves_buf directory;
    enter_all();
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    struct ves_key_span span = {.is_found = true, .valid_from_sequence = 3};
    struct ves_store *hub = fleet.hub_store;
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(hub->ops->key_span_put(hub, 1, agent_of(0), 1, &span),
                     VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
    ves_buf_init(&directory, ves_alloc_default(), TEXT_MAX);
    test_fleet_directory(&fleet, &directory);
    assert_int_equal(ves_core_keys(&fleet.devices[1].core,
                                   ves_buf_view(&directory), fleet.hub.now_ms),
                     VES_REFUSED);
    assert_int_equal(
        test_fleet_open_records(&fleet, 1, VES_RECORD_ALERT, "key_changed"), 1);
    /* The other way round: what it showed first, the log does not say. */
    assert_int_equal(ves_core_keys(&fleet.devices[2].core,
                                   ves_buf_view(&directory), fleet.hub.now_ms),
                     VES_OK);
    ves_buf_free(&directory);
    assert_int_equal(test_fleet_pull(&fleet, 2, 0, NULL), VES_REFUSED);
    assert_non_null(
        strstr(fleet.devices[2].core.error.text, "directory_contradicts_log"));
}

/* The sequencer's tables and directory, as one has them who backdates. */
static void backdate(const struct ves_uuid *agent, uint64_t from, uint64_t at)
{
    struct ves_store *hub = fleet.hub_store;
    const struct ves_key_span span = {.is_found = true,
                                      .valid_from_sequence = from,
                                      .revoked_at_sequence = at};
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(hub->ops->key_span_put(hub, 1, agent, 1, &span), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
}

static enum ves_status take_directory(size_t n)
{
    struct ves_buf directory;
    ves_buf_init(&directory, ves_alloc_default(), TEXT_MAX);
    test_fleet_directory(&fleet, &directory);
    enum ves_status status = ves_core_keys(
        &fleet.devices[n].core, ves_buf_view(&directory), fleet.hub.now_ms);
    ves_buf_free(&directory);
    return status;
}

/* A sequencer that has the owner's word that a key ends says that it ended
 * before sales that are in the log.  Every store takes them, whatever it saw
 * first. */
static void a_backdated_revocation_takes_no_sale_back(void **state)
{
    (void)state;
    struct ves_key_event e = {.kind = VES_KEY_EVENT_REVOKED,
                              .agent = *agent_of(0),
                              .key_id = 1,
                              .at_sequence = 5,
                              .has_statement = true};
    struct ves_hash hash;
    enter_all();
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    test_fleet_adjust(&fleet, 0, "s", "1");
    test_fleet_adjust(&fleet, 0, "s", "2");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(head(), 6);
    ves_key_revoke_hash(&fleet.hub.stream, &e, &hash);
    e.statement.owner_signature = sign(&fleet.hub.agent_key, &hash);
    assert_int_equal(ves_sequencer_enter_key_event(sequencer(),
                                                   &fleet.hub.stream, &e,
                                                   fleet.hub.now_ms, &error),
                     VES_OK);
    assert_int_equal(
        span_at(fleet.hub_store, 1, agent_of(0), 1).revoked_at_sequence, 7);
    backdate(agent_of(0),
             span_at(fleet.hub_store, 1, agent_of(0), 1).valid_from_sequence,
             5);
    /* Device 1 has the key from the log before it sees the directory. */
    assert_int_equal(take_directory(1), VES_OK);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    /* Device 2 the other way round, and both hear it again behind the log. */
    assert_int_equal(take_directory(2), VES_OK);
    assert_int_equal(test_fleet_pull(&fleet, 2, 0, NULL), VES_OK);
    for (size_t n = 1; n < 3; n++) {
        assert_int_equal(cursor(n), 7);
        assert_int_equal(logged(n, agent_of(0), 1).revoked_at, 7);
        assert_int_equal(take_directory(n), VES_OK);
        assert_int_equal(span_at(fleet.devices[n].store,
                                 fleet.devices[n].core.stream_no, agent_of(0),
                                 1)
                             .revoked_at_sequence,
                         7);
    }
    /* Behind the log's end a directory shows no end. */
    backdate(agent_of(0), 1, 9);
    assert_int_equal(take_directory(1), VES_REFUSED);
    assert_int_equal(
        test_fleet_open_records(&fleet, 1, VES_RECORD_ALERT, "key_changed"), 1);
}

static bool find_hub_key(void *ctx, uint32_t version,
                         struct ves_public_key *out)
{
    (void)ctx;
    *out = fleet.hub.key.signer.public_key;
    return version == 1;
}

static struct ves_key_ends recover_ends(size_t n)
{
    const struct ves_receipt_keys keys = {find_hub_key, NULL};
    struct ves_key_ends ends = {0};
    assert_int_equal(
        ves_keys_recover(sequencer(), &keys, fleet.devices[n].store, &ends),
        VES_OK);
    return ends;
}

static void put_meta(struct ves_store *store, const char *name,
                     struct ves_bytes value)
{
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(store->ops->meta_put(store, name, value), VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
}

/* No owner, so that a revocation is in the tables alone, and the sequencer
 * comes back from a backup of before it. */
static void a_lost_revocation_comes_back_from_what_it_signed(void **state)
{
    (void)state;
    struct ves_store *hub = fleet.hub_store, *store = fleet.devices[1].store;
    struct ves_stream_row row;
    struct ves_bytes kept;
    struct ves_arena arena;
    assert_int_equal(hub->ops->stream_get(hub, &fleet.hub.stream, false, &row),
                     VES_OK);
    row.has_owner_key = false;
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(hub->ops->stream_put(hub, &row), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
    test_fleet_adjust(&fleet, 0, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 0, NULL), VES_OK);
    assert_int_equal(ves_sequencer_revoke_key(
                         sequencer(), &fleet.hub.stream.tenant, agent_of(0), 1,
                         fleet.hub.now_ms, NULL, &error),
                     VES_OK);
    assert_int_equal(head(), 1);
    assert_int_equal(take_directory(1), VES_OK);
    assert_int_equal(recover_ends(1).restored, 0);
    forget_revocation(agent_of(0), 1);
    assert_int_equal(recover_ends(2).restored, 0); /* it was shown nothing */
    struct ves_key_ends ends = recover_ends(1);
    assert_int_equal(ends.restored, 1);
    assert_int_equal(ends.doubtful, 0);
    assert_int_equal(span_at(hub, 1, agent_of(0), 1).revoked_at_sequence, 2);
    test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_push_result result = {0};
    assert_int_equal(test_fleet_push(&fleet, 0, &result), VES_OK);
    assert_int_equal(result.failed, 1);
    /* The file of a store is anybody's word. */
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(
        store->ops->meta_get(store, VES_KEY_DIRECTORY, &arena, &kept), VES_OK);
    uint8_t *bytes = ves_arena_bytes(&arena, kept.len);
    assert_non_null(bytes);
    memcpy(bytes, kept.ptr, kept.len);
    bytes[kept.len - 10] = bytes[kept.len - 10] == '1' ? '2' : '1';
    put_meta(store, VES_KEY_DIRECTORY, ves_bytes(bytes, kept.len));
    ves_arena_free(&arena);
    forget_revocation(agent_of(0), 1);
    ends = recover_ends(1);
    assert_int_equal(ends.restored, 0);
    assert_int_equal(ends.doubtful, 1);
    assert_memory_equal(ends.agent.b, agent_of(0)->b, VES_UUID_SIZE);
    assert_int_equal(ends.key_id, 1);
    assert_int_equal(span_at(hub, 1, agent_of(0), 1).revoked_at_sequence, 0);
}

static void strict_is_checked_by_stores(void **state)
{
    (void)state;
    enter_all();
    assert_int_equal(set_policy(true, 1), VES_OK);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_OK);
    /* Device 0 has the sequencer's word only.  A sequencer that does not ask
     * the log sequences it; no store takes it. */
    test_fleet_adjust(&fleet, 0, "s", "1");
    struct ves_push_result result = {0};
    assert_int_equal(test_fleet_push(&fleet, 0, &result), VES_OK);
    assert_int_equal(result.failed, 1); /* this one asks */
    struct ves_store *hub = fleet.hub_store;
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(
        hub->ops->meta_put(hub, "keys.policy.00000001", ves_bytes_str("open")),
        VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
    test_fleet_adjust(&fleet, 2, "s", "1");
    assert_int_equal(test_fleet_push(&fleet, 2, NULL), VES_OK);
    assert_int_equal(head(), 6);
    assert_int_equal(test_fleet_pull(&fleet, 1, 0, NULL), VES_REFUSED);
    assert_int_equal(test_fleet_open_records(&fleet, 1, VES_RECORD_QUARANTINE,
                                             "key_not_owned"),
                     1);
    assert_int_equal(cursor(1), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_the_tables_know_is_entered_once),
        TEST(a_stream_without_an_owner_has_no_key_events),
        TEST(a_registration_that_does_not_hold_changes_nothing),
        TEST(nobody_else_enters_key_events),
        TEST(the_ranges_of_requests_stay_whole),
        TEST(a_version_of_the_sequencers_key_is_entered_once),
        TEST(each_tenant_lists_the_sequencers_own_key),
        TEST(a_stream_that_began_later_has_it_from_the_invitation),
        TEST(a_version_that_nobody_pinned_is_refused),
        TEST(a_first_version_is_the_one_befores_word),
        TEST(a_store_holds_it_against_its_pins),
        TEST(a_key_is_known_from_the_log_alone),
        TEST(a_rotation_needs_what_was_committed),
        TEST(the_owner_revokes_by_his_own_word),
        TEST(a_revoked_key_is_refused_for_what_the_log_says),
        TEST(a_directory_that_contradicts_the_log_is_evidence),
        TEST(a_backdated_revocation_takes_no_sale_back),
        TEST(a_lost_revocation_comes_back_from_what_it_signed),
        TEST(strict_is_checked_by_stores),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
