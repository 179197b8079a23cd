/* prop_keys.c -- a stream with an owner: keys are rotated by their stores and
 * revoked by the owner and the sequencer, while requests and answers are lost,
 * doubled, late and out of order, and processes die in the middle of
 * transactions.
 *
 * When it is quiet, every store's log says the same of every key, nothing is in
 * the log that its key might not sign at that number, as this file counts it
 * from the log itself, and no event of a store whose key nobody revoked is
 * missing, refused or there twice.
 *
 * VES_SEED and VES_HISTORIES change the first seed and how many there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/key_event.h"
#include "engine/folding.h"
#include "engine/key_log.h"
#include "store/store_mem.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_ops.h"
#include "json/json.h"

enum {
    STORES = 3,
    KEYS = 8,     /* of one store, one after the other */
    FIRST_ID = 7, /* the fleet registers key 1 in the sequencer's name */
    STEPS = 260,
    MESSAGES = 12,
    HISTORIES = 6,
    ROUNDS = 40,
    TEXT_MAX = 4 * 1024 * 1024
};

enum kind { REQUEST, ANSWER, PAGE, ROTATION, KINDS };

struct message {
    enum kind kind;
    size_t store;
    uint64_t number; /* of a request */
    uint64_t from;   /* of a page */
    struct ves_buf bytes;
};

static struct test_fleet fleet;
static struct test_signer keys[STORES][KEYS];
static struct {
    bool is_pushing;
    uint64_t request;
    struct ves_push push;
    bool is_revoked;
    size_t appended;
} stores[STORES];
static struct message messages[MESSAGES];
static size_t message_count;
static uint64_t requests, rng;
static size_t rotations, revocations, deaths, late, refused; /* counted */
static struct ves_error error;

static uint64_t below(uint64_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (rng >> 33) % n;
}

static bool chance(uint64_t percent)
{
    return below(100) < percent;
}

static struct ves_agent_core *core_of(size_t n)
{
    return &fleet.devices[n].core;
}

static size_t store_of(const struct ves_agent_core *core)
{
    size_t n = 0;
    while (core_of(n) != core)
        n++;
    return n;
}

/* ---- stores -------------------------------------------------------------- */

static enum ves_status rekey(struct ves_agent_core *core,
                             const struct ves_public_key *key)
{
    size_t n = store_of(core);
    for (size_t i = 0; i < KEYS; i++) {
        if (memcmp(keys[n][i].signer.public_key.b, key->b, VES_KEY_SIZE) != 0)
            continue;
        core->signer = &keys[n][i].signer;
        return VES_OK;
    }
    return VES_NOT_FOUND;
}

/* A process begins: the signer is that of the key the store goes by. */
static void load(size_t n)
{
    struct ves_agent_core *core = core_of(n);
    assert_int_equal(ves_core_load(core), VES_OK);
    core->rekey = rekey;
    core->signer = &keys[n][core->key_id - FIRST_ID].signer;
}

static void die(size_t n)
{
    deaths++;
    if (stores[n].is_pushing)
        ves_push_free(&stores[n].push, ves_alloc_default());
    stores[n].is_pushing = false;
    ves_store_mem_crash(fleet.devices[n].store);
    load(n);
}

/* What is done between these may fail at any call to the store, which the
 * process does not survive. */
static bool arm(size_t n)
{
    if (!chance(15))
        return false;
    test_ops_install(fleet.devices[n].store);
    size_t at = (size_t)(1 + below(25));
    bool is_late = chance(50);
    test_ops_arm(at, is_late, VES_IO);
    return true;
}

static bool disarm(size_t n, bool is_armed, enum ves_status status)
{
    if (is_armed)
        test_ops_remove(fleet.devices[n].store);
    if (is_armed && status == VES_IO)
        die(n);
    return is_armed && status == VES_IO;
}

static void join(size_t n)
{
    struct ves_store *store = fleet.devices[n].store;
    struct ves_key_event e = {.agent = core_of(n)->agent,
                              .key_id = FIRST_ID,
                              .public_key = keys[n][0].signer.public_key,
                              .has_next = true};
    struct ves_hash hash;
    struct ves_sig sig;
    struct ves_buf proof;
    ves_key_next_hash(&keys[n][1].signer.public_key, &e.next);
    ves_key_register_hash(&fleet.hub.stream, &e, &hash);
    test_signer_sign(&fleet.hub.agent_key, &hash, &sig);
    ves_buf_init(&proof, ves_alloc_default(), TEXT_MAX);
    ves_buf_put_str(&proof, "{\"nextKeyDigest\":\"");
    ves_buf_put_hex(&proof, e.next.b, VES_HASH_SIZE);
    ves_buf_put_str(&proof, "\",\"ownerSignature\":\"");
    ves_buf_put_hex(&proof, sig.b, VES_SIG_SIZE);
    ves_buf_put_str(&proof, "\"}");
    const struct ves_key_row row = {.tenant = fleet.hub.stream.tenant,
                                    .has_store = true,
                                    .store = fleet.hub.stream.store,
                                    .agent = e.agent,
                                    .key_id = FIRST_ID,
                                    .public_key = e.public_key,
                                    .algorithm = ves_bytes_str("ed25519"),
                                    .registrar = ves_bytes_str("invitation"),
                                    .proof = ves_buf_view(&proof)};
    assert_int_equal(ves_sequencer_register_key(&fleet.hub.sequencer, &row,
                                                fleet.hub.now_ms, &error),
                     VES_OK);
    ves_buf_free(&proof);
    test_keys_add(&fleet.hub.keys, &row.tenant, &e.agent, FIRST_ID,
                  &e.public_key);
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(
        store->ops->meta_put(store, "agent.key_id", ves_bytes_str("7")),
        VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
    load(n);
}

static void append(size_t n)
{
    struct ves_uuid id;
    struct ves_core_env env = test_fleet_env(&fleet);
    const struct ves_core_append what = {
        .event_type = ves_bytes_str("inventory.adjusted"),
        .entity_id = ves_bytes_str(chance(50) ? "A" : "B"),
        .payload = ves_bytes_str("{\"delta\":\"1\"}")};
    uint64_t counts[VES_OUTBOX_STATUSES];
    bool is_armed = arm(n);
    enum ves_status status = ves_core_append(core_of(n), &env, &what, &id);
    if (!disarm(n, is_armed, status))
        assert_int_equal(status, VES_OK);
    /* Whether a call that failed late did its work, the store knows. */
    struct ves_store *store = fleet.devices[n].store;
    assert_int_equal(store->ops->outbox_counts(store, counts), VES_OK);
    stores[n].appended = 0;
    for (size_t i = 0; i < VES_OUTBOX_STATUSES; i++)
        stores[n].appended += (size_t)counts[i];
}

/* ---- the network --------------------------------------------------------- */

static struct message *send(enum kind kind, size_t n, struct ves_bytes bytes)
{
    if (message_count == MESSAGES || chance(10))
        return NULL; /* lost */
    struct message *m = &messages[message_count++];
    *m = (struct message){.kind = kind, .store = n};
    ves_buf_init(&m->bytes, ves_alloc_default(), TEXT_MAX);
    ves_buf_put_bytes(&m->bytes, bytes);
    return m;
}

static void push(size_t n)
{
    if (stores[n].is_pushing)
        return;
    bool is_armed = arm(n);
    uint32_t limit = (uint32_t)(1 + below(4));
    bool is_explicit = chance(40);
    enum ves_status status =
        test_fleet_begin(&fleet, n, limit, is_explicit, &stores[n].push);
    if (disarm(n, is_armed, status) || status)
        return;
    if (stores[n].push.count == 0) {
        ves_core_push_release(core_of(n), &stores[n].push);
        ves_push_free(&stores[n].push, ves_alloc_default());
        return;
    }
    stores[n].is_pushing = true;
    stores[n].request = ++requests;
    for (int i = chance(20) ? 2 : 1; i > 0; i--) {
        struct message *m =
            send(REQUEST, n, ves_buf_view(&stores[n].push.body));
        if (m)
            m->number = requests;
    }
}

static void end_push(size_t n, uint32_t http_status, const char *text)
{
    struct ves_push_result result = {0};
    bool is_armed = arm(n);
    enum ves_status status =
        test_fleet_end(&fleet, n, &stores[n].push, http_status, text, &result);
    refused += result.failed;
    if (disarm(n, is_armed, status))
        return;
    ves_core_push_release(core_of(n), &stores[n].push);
    ves_push_free(&stores[n].push, ves_alloc_default());
    stores[n].is_pushing = false;
}

static void ask_page(size_t n)
{
    struct ves_buf page;
    uint64_t from;
    assert_int_equal(ves_core_pull_from(core_of(n), &from), VES_OK);
    ves_buf_init(&page, ves_alloc_default(), TEXT_MAX);
    test_fleet_page(&fleet, from, (uint32_t)(1 + below(8)), &page);
    struct message *m = send(PAGE, n, ves_buf_view(&page));
    if (m)
        m->from = from;
    ves_buf_free(&page);
}

/* A page of before the cursor, as a late one is, says nothing new. */
static void take_page(size_t n, const struct message *m)
{
    struct ves_agent_core *core = core_of(n);
    struct ves_pull_result result = {0};
    struct ves_page *page;
    struct ves_buf directory;
    bool needs_keys;
    struct ves_bytes bytes = ves_buf_view(&m->bytes);
    enum ves_status status =
        ves_core_page_read(core, bytes, m->from, &page, &needs_keys);
    if (!status && needs_keys) {
        ves_page_free(page);
        ves_buf_init(&directory, ves_alloc_default(), TEXT_MAX);
        test_fleet_directory(&fleet, &directory);
        assert_int_equal(
            ves_core_keys(core, ves_buf_view(&directory), fleet.hub.now_ms),
            VES_OK);
        ves_buf_free(&directory);
        status = ves_core_page_read(core, bytes, m->from, &page, &needs_keys);
    }
    if (status)
        return;
    ves_core_page_verify(core, page);
    bool is_armed = arm(n);
    status = ves_core_page_apply(core, page, fleet.hub.now_ms, &result);
    if (!disarm(n, is_armed, status) && status && status != VES_AGAIN)
        fail_msg("a true page: %s", core->error.text);
    ves_page_free(page);
}

static void sign_again(size_t n)
{
    struct ves_core_own own;
    if (ves_core_own(core_of(n), &own) || !own.needs_rechain)
        return;
    bool is_armed = arm(n);
    enum ves_status status = ves_core_rechain(core_of(n), fleet.hub.now_ms);
    if (!disarm(n, is_armed, status) && status)
        fail_msg("signing again: %s", core_of(n)->error.text);
}

/* ---- keys ---------------------------------------------------------------- */

/* The key that a store goes by now, whoever in it knows. */
static size_t key_now(size_t n)
{
    struct ves_store *store = fleet.devices[n].store;
    struct ves_arena arena;
    struct ves_bytes text;
    uint64_t number;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(store->ops->meta_get(store, "agent.key_id", &arena, &text),
                     VES_OK);
    assert_int_equal(ves_decimal_parse(text, &number), VES_OK);
    ves_arena_free(&arena);
    return (size_t)number - FIRST_ID;
}

static void rotate(size_t n)
{
    struct ves_hash digest;
    size_t now = key_now(n);
    if (now + 2 >= KEYS)
        return;
    ves_key_next_hash(&keys[n][now + 2].signer.public_key, &digest);
    bool is_armed = arm(n);
    enum ves_status status = ves_core_rotate(
        core_of(n), &keys[n][now + 1].signer, &digest, fleet.hub.now_ms);
    if (!disarm(n, is_armed, status) && status && !stores[n].is_revoked)
        fail_msg("rotating: %s", core_of(n)->error.text);
}

static void send_rotation(size_t n)
{
    struct ves_arena arena;
    struct ves_bytes body;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(ves_core_rotation(core_of(n), &arena, &body), VES_OK);
    for (int i = chance(20) ? 2 : 1; body.len > 0 && i > 0; i--)
        (void)send(ROTATION, n, body);
    ves_arena_free(&arena);
}

/* Its answer is of no consequence but for a refusal, which may be lost, too. */
static void take_rotation(size_t n, struct ves_bytes body)
{
    struct ves_arena arena;
    struct ves_event event = {.event_type = ves_bytes_str(VES_TYPE_KEY_ROTATED),
                              .entity_type = ves_bytes_str(VES_KEY_ENTITY_TYPE),
                              .entity_id = ves_bytes_str(VES_KEY_ENTITY_ID),
                              .payload_kind = VES_PAYLOAD_PLAIN};
    struct ves_key_event read;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(ves_json_read(&arena, body, NULL, &event.payload, NULL),
                     VES_OK);
    assert_int_equal(ves_key_event_read(&event, &read, &error), VES_OK);
    enum ves_status status =
        ves_sequencer_enter_key_event(&fleet.hub.sequencer, &fleet.hub.stream,
                                      &read, fleet.hub.now_ms, &error);
    if (!status)
        test_keys_add(&fleet.hub.keys, &fleet.hub.stream.tenant, &read.agent,
                      read.key_id, &read.public_key);
    rotations += status == VES_OK;
    ves_arena_free(&arena);
    /* An older one, doubled and late, is refused, and not the one that waits.
     */
    if (status == VES_REFUSED && read.key_id == key_now(n) + FIRST_ID + 1 &&
        chance(80))
        assert_int_equal(
            ves_core_rotation_refused(core_of(n), error.text, fleet.hub.now_ms),
            VES_OK);
    else if (status && status != VES_REFUSED)
        fail_msg("a rotation: %s", error.text);
}

/* By its owner, or by the sequencer; the first that anybody knows of. */
static void revoke(size_t n)
{
    uint32_t key_id = FIRST_ID + (uint32_t)key_now(n);
    struct ves_key_event e = {.kind = VES_KEY_EVENT_REVOKED,
                              .agent = core_of(n)->agent,
                              .key_id = key_id,
                              .has_statement = true};
    struct ves_hash hash;
    enum ves_status status;
    fleet.hub.now_ms += 1000;
    if (chance(50)) {
        ves_key_revoke_hash(&fleet.hub.stream, &e, &hash);
        test_signer_sign(&fleet.hub.agent_key, &hash,
                         &e.statement.owner_signature);
        status = ves_sequencer_enter_key_event(&fleet.hub.sequencer,
                                               &fleet.hub.stream, &e,
                                               fleet.hub.now_ms, &error);
    } else {
        status = ves_sequencer_revoke_key(
            &fleet.hub.sequencer, &fleet.hub.stream.tenant, &e.agent, key_id,
            fleet.hub.now_ms, NULL, &error);
    }
    /* The log may have rotated it already, which the store does not know yet:
     * then the owner's word comes too late for that key. */
    if (status && status != VES_REFUSED)
        fail_msg("revoking: %s", error.text);
    const struct ves_key_state *state;
    struct ves_arena arena;
    struct ves_key_log log;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    ves_key_log_open(&log, fleet.hub_store, 1, &fleet.hub.stream,
                     &fleet.hub.agent_key.signer.public_key,
                     &fleet.hub.sequencer.sequencer_id, &arena);
    assert_int_equal(ves_key_log_find(&log, &e.agent, &state), VES_OK);
    assert_non_null(state);
    const struct ves_logged_key *key = ves_key_state_find(state, key_id);
    assert_non_null(key);
    stores[n].is_revoked |= key->ended_by != VES_KEY_BY_ROTATION;
    revocations += key->ended_by != VES_KEY_BY_ROTATION;
    ves_arena_free(&arena);
}

/* ---- a history ----------------------------------------------------------- */

static void deliver(void)
{
    if (message_count == 0)
        return;
    size_t at = (size_t)below(message_count);
    struct message m = messages[at];
    messages[at] = messages[--message_count];
    struct ves_buf answer;
    switch (m.kind) {
    case REQUEST:
        ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
        test_fleet_ingest(&fleet, m.store, ves_buf_view(&m.bytes), &answer);
        ves_buf_put_u8(&answer, '\0');
        struct message *back = send(ANSWER, m.store, ves_buf_view(&answer));
        if (back)
            back->number = m.number;
        ves_buf_free(&answer);
        break;
    case ANSWER:
        if (stores[m.store].is_pushing && stores[m.store].request == m.number)
            end_push(m.store, 200, (const char *)m.bytes.ptr);
        else
            late++;
        break;
    case PAGE:
        take_page(m.store, &m);
        break;
    case ROTATION:
        take_rotation(m.store, ves_buf_view(&m.bytes));
        break;
    case KINDS:
        break;
    }
    ves_buf_free(&m.bytes);
}

static void step(void)
{
    size_t n = (size_t)below(STORES);
    uint64_t dice = below(100);
    fleet.hub.now_ms += 50;
    if (dice < 14)
        append(n);
    else if (dice < 28)
        push(n);
    else if (dice < 40)
        ask_page(n);
    else if (dice < 45)
        rotate(n);
    else if (dice < 52)
        send_rotation(n);
    else if (dice < 60)
        sign_again(n);
    else if (dice < 62)
        die(n);
    else if (dice < 64 && stores[n].is_pushing)
        end_push(n, 0, "");
    else if (dice < 65 && n > 0 && chance(30))
        revoke(n); /* one of them nobody revokes */
    else
        deliver();
}

static void open_history(uint64_t seed)
{
    struct ves_store *hub;
    struct ves_stream_row row;
    rng = seed;
    requests = 0;
    message_count = 0;
    memset(stores, 0, sizeof(stores));
    test_fleet_open(&fleet, STORES);
    hub = fleet.hub_store;
    assert_int_equal(hub->ops->begin(hub), VES_OK);
    assert_int_equal(
        ves_sequencer_stream(&fleet.hub.sequencer, &fleet.hub.stream, &row),
        VES_OK);
    row.has_owner_key = true;
    row.owner_key = fleet.hub.agent_key.signer.public_key;
    assert_int_equal(hub->ops->stream_put(hub, &row), VES_OK);
    assert_int_equal(hub->ops->commit(hub), VES_OK);
    for (size_t n = 0; n < STORES; n++) {
        for (size_t i = 0; i < KEYS; i++)
            test_signer_init(&keys[n][i], (uint8_t)(100 + n * KEYS + i));
        join(n);
    }
}

static uint64_t head(void)
{
    struct ves_stream_row row;
    assert_int_equal(fleet.hub_store->ops->stream_get(
                         fleet.hub_store, &fleet.hub.stream, false, &row),
                     VES_OK);
    return row.head;
}

/* Nothing fails any more.  What a revoked store has left is refused. */
static bool settle_round(void)
{
    bool is_settled = true;
    for (size_t n = 0; n < STORES; n++) {
        struct ves_pull_result pulled;
        struct ves_arena arena;
        struct ves_bytes body;
        struct ves_push_result result = {0};
        uint64_t ignored;
        ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
        assert_int_equal(ves_core_rotation(core_of(n), &arena, &body), VES_OK);
        if (body.len > 0) {
            take_rotation(n, body);
            is_settled = false;
        }
        ves_arena_free(&arena);
        do {
            memset(&pulled, 0, sizeof(pulled));
            assert_int_equal(test_fleet_pull(&fleet, n, 0, &pulled), VES_OK);
        } while (pulled.applied > 0);
        assert_int_equal(ves_core_rechain(core_of(n), fleet.hub.now_ms),
                         VES_OK);
        struct ves_core_status status = test_fleet_status(&fleet, n);
        if (status.counts[VES_OUTBOX_FAILED] > 0 && !stores[n].is_revoked)
            assert_int_equal(
                ves_core_retry(core_of(n), NULL, 0, fleet.hub.now_ms, &ignored),
                VES_OK);
        assert_int_equal(test_fleet_push(&fleet, n, &result), VES_OK);
        struct ves_ack_result acked;
        assert_int_equal(
            ves_core_acknowledge(core_of(n), NULL, 0, fleet.hub.now_ms, &acked),
            VES_OK);
        status = test_fleet_status(&fleet, n);
        is_settled = is_settled && status.cursor == head() &&
                     status.counts[VES_OUTBOX_PENDING] == 0 &&
                     status.counts[VES_OUTBOX_SYNCING] == 0;
    }
    return is_settled;
}

static void settle(void)
{
    while (message_count > 0)
        ves_buf_free(&messages[--message_count].bytes);
    for (size_t n = 0; n < STORES; n++)
        if (stores[n].is_pushing) {
            ves_core_push_release(core_of(n), &stores[n].push);
            ves_push_free(&stores[n].push, ves_alloc_default());
            stores[n].is_pushing = false;
        }
    for (int i = 0; i < ROUNDS; i++) {
        fleet.hub.now_ms += 3600 * 1000;
        if (settle_round())
            return;
    }
    fail_msg("not settled");
}

/* ---- what must hold ------------------------------------------------------ */

/* Who may sign where, counted from the log, without the code under test. */
struct count {
    uint64_t from[STORES][KEYS], until[STORES][KEYS];
    size_t events[STORES];
};

static size_t agent_at(const struct ves_uuid *agent)
{
    size_t n = 0;
    while (n < STORES && memcmp(core_of(n)->agent.b, agent->b, VES_UUID_SIZE))
        n++;
    return n;
}

static uint64_t number_in(const struct ves_json *payload, const char *name)
{
    uint64_t number = 0;
    (void)ves_json_get_u64(payload, name, &number);
    return number;
}

static void count_key_event(struct count *count, const struct ves_event *event,
                            uint64_t sequence)
{
    struct ves_bytes id;
    struct ves_uuid agent;
    uint64_t at;
    assert_true(ves_json_get_string(event->payload, "agent_id", &id));
    assert_int_equal(ves_uuid_parse(id, &agent), VES_OK);
    size_t n = agent_at(&agent);
    uint64_t key = number_in(event->payload, "key_id");
    if (n == STORES || key < FIRST_ID)
        return; /* of the fleet's making */
    key -= FIRST_ID;
    assert_true(key < KEYS);
    if (ves_bytes_is(event->event_type, "ves.key.revoked")) {
        count->until[n][key] = sequence;
        return;
    }
    at = number_in(event->payload, "valid_from_sequence");
    count->from[n][key] = at ? at : sequence;
    if (ves_bytes_is(event->event_type, "ves.key.rotated"))
        count->until[n][key - 1] = sequence;
}

static enum ves_status check_row(void *ctx, const struct ves_log_row *row)
{
    struct count *count = ctx;
    struct ves_arena arena;
    struct ves_event event;
    struct ves_error why;
    uint64_t sequence = row->sequence_number;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(ves_log_event_read(&arena, row->envelope, &why, &event),
                     VES_OK);
    size_t n = agent_at(&row->agent);
    if (n == STORES) {
        if (ves_bytes_is(event.entity_id, VES_KEY_ENTITY_ID))
            count_key_event(count, &event, sequence);
        ves_arena_free(&arena);
        return VES_OK;
    }
    size_t key = row->agent_key_id - FIRST_ID;
    assert_true(key < KEYS);
    count->events[n]++;
    if (!ves_ed25519_verify(&keys[n][key].signer.public_key,
                            ves_bytes(row->event_hash.b, VES_HASH_SIZE),
                            &row->signature))
        fail_msg("number %llu is not signed with its key",
                 (unsigned long long)sequence);
    if (count->from[n][key] == 0 || sequence < count->from[n][key] ||
        (count->until[n][key] != 0 && sequence >= count->until[n][key]))
        fail_msg("number %llu is signed with a key that might not",
                 (unsigned long long)sequence);
    ves_arena_free(&arena);
    return VES_OK;
}

static void check_store(size_t n, const struct count *count)
{
    struct test_device *device = &fleet.devices[n];
    struct ves_core_status status = test_fleet_status(&fleet, n);
    struct ves_arena arena;
    struct ves_key_log log;
    const struct ves_key_state *state;
    assert_int_equal(status.counts[VES_OUTBOX_PENDING], 0);
    assert_int_equal(count->events[n] + status.counts[VES_OUTBOX_FAILED],
                     stores[n].appended);
    if (!stores[n].is_revoked)
        assert_int_equal(status.counts[VES_OUTBOX_FAILED], 0);
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    ves_key_log_open(&log, device->store, device->core.stream_no,
                     &device->core.stream, &device->core.owner_key,
                     &device->core.sequencer_id, &arena);
    for (size_t of = 0; of < STORES; of++) {
        assert_int_equal(ves_key_log_find(&log, &core_of(of)->agent, &state),
                         VES_OK);
        assert_non_null(state);
        for (size_t i = 0; i < KEYS; i++) {
            uint32_t id = FIRST_ID + (uint32_t)i;
            const struct ves_logged_key *key = ves_key_state_find(state, id);
            struct ves_key_span span;
            if (!key) {
                assert_int_equal(count->from[of][i], 0);
                continue;
            }
            assert_int_equal(key->valid_from, count->from[of][i]);
            assert_int_equal(key->revoked_at, count->until[of][i]);
            assert_memory_equal(key->public_key.b,
                                keys[of][i].signer.public_key.b, VES_KEY_SIZE);
            assert_int_equal(device->store->ops->key_span_get(
                                 device->store, device->core.stream_no,
                                 &core_of(of)->agent, id, &span),
                             VES_OK);
            assert_int_equal(span.valid_from_sequence, key->valid_from);
            assert_int_equal(span.revoked_at_sequence, key->revoked_at);
        }
    }
    ves_arena_free(&arena);
}

static void check_all(void)
{
    static struct count count;
    memset(&count, 0, sizeof(count));
    struct ves_core_status first = test_fleet_status(&fleet, 0);
    assert_int_equal(fleet.hub_store->ops->log_read(fleet.hub_store, 1, 1, 0,
                                                    check_row, &count),
                     VES_OK);
    for (size_t n = 0; n < STORES; n++) {
        struct ves_core_status status = test_fleet_status(&fleet, n);
        assert_memory_equal(&status.state_hash, &first.state_hash,
                            sizeof(first.state_hash));
        check_store(n, &count);
    }
}

static void keys_under_faults(void **state)
{
    const char *first = getenv("VES_SEED"), *wanted = getenv("VES_HISTORIES");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    size_t histories = wanted ? strtoul(wanted, NULL, 10) : HISTORIES;
    (void)state;
    for (size_t i = 0; i < histories; i++) {
        print_message("# seed %llu\n", (unsigned long long)(seed + i));
        open_history(seed + i);
        for (int k = 0; k < STEPS; k++)
            step();
        settle();
        check_all();
        test_fleet_close(&fleet);
    }
    print_message("# %zu rotations, %zu revocations, %zu deaths, %zu late "
                  "answers, %zu refused\n",
                  rotations, revocations, deaths, late, refused);
    assert_true(!!rotations && !!revocations && !!deaths && !!late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keys_under_faults)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
