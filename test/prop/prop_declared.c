/* prop_declared.c -- event types that users declare, through the product.
 *
 * Random documents of rules (test_random_types.h) enter the log, three tills
 * append random events of these types while offline and online, decide the
 * conflicts that come of it and take decisions back, and a fourth store, a
 * file, pulls it all at the end.  The sequencer and every store say
 * the same of each event, every store reaches the same state, and so it does
 * when it judges and folds its log again.
 *
 * VES_SEED changes the seed, VES_ROUNDS the number of logs.
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
#include "core/rules.h"
#include "engine/conflict.h"
#include "store/store_mem.h"
#include "store/store_sqlite.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_random_types.h"

enum {
    ROUNDS = 8,
    STEPS = 110,
    TILLS = 3,
    LATE = 3,
    STORES = 4,
    CHOICES = 8,
    ARENA_MAX = 1 << 26
};

static struct test_fleet fleet;
static char directory[64];
static struct ves_buf text, hub_says, store_says;
static uint32_t registered; /* documents in the log */
static unsigned verdicts[VES_VERDICT_SUPERSEDED + 1], unusable;
static unsigned decided, undone; /* appended, whatever came of it */

/* ---- a fleet whose last store is a file ---------------------------------- */

static void open_file(void)
{
    char path[96];
    struct ves_error error = {0};
    struct ves_store *store = NULL;

    snprintf(path, sizeof(path), "%s/late.db", directory);
    const struct ves_store_sqlite_options options = {.path = path,
                                                     .create = true,
                                                     .role = VES_STORE_DEVICE,
                                                     .busy_timeout_ms = 5000};
    if (ves_store_sqlite_open(&options, ves_alloc_default(), &store, &error))
        fail_msg("%s", error.text);
    test_fleet_device_over(&fleet, LATE, store, &fleet.devices[LATE]);
}

static void close_file(void)
{
    static const char *const names[] = {"late.db", "late.db-wal",
                                        "late.db-shm"};
    char path[96];

    ves_store_sqlite_close(fleet.devices[LATE].store);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
}

/* The stream belongs to the hub's agent. */
static void have_owner(void)
{
    struct ves_store *store = fleet.hub_store;
    struct ves_stream_row row;

    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(
        store->ops->stream_get(store, &fleet.hub.stream, true, &row), VES_OK);
    row.has_owner_key = true;
    row.owner_key = fleet.hub.agent_key.signer.public_key;
    assert_int_equal(store->ops->stream_put(store, &row), VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
}

/* ---- what happens -------------------------------------------------------- */

static void push_registration(struct ves_rules *rules)
{
    struct test_event event;
    struct test_request request;
    struct ves_ingest ingest;
    struct ves_hash hash;
    struct ves_sig sig;

    ves_rules_hash(&fleet.hub.stream, rules, &hash);
    test_signer_sign(&fleet.hub.agent_key, &hash, &sig);
    ves_buf_reset(&text);
    ves_rules_write(&text, rules, &sig);
    ves_buf_put_u8(&text, 0);
    assert_int_equal(ves_buf_status(&text), VES_OK);
    event = test_hub_event(&fleet.hub, 0xf000 + ++registered);
    event.fields.event_type = ves_bytes_str(VES_TYPE_SCHEMA);
    event.fields.entity_type = ves_bytes_str(VES_SCHEMA_ENTITY_TYPE);
    event.fields.entity_id = ves_bytes_str(VES_SCHEMA_ENTITY_ID);
    event.payload = (const char *)text.ptr;
    test_event_context(&event, registered, 0);
    test_request_begin(&request, &fleet.hub.agent);
    test_request_event(&request, &event, &fleet.hub.agent_key);
    fleet.hub.caller.agent = fleet.hub.agent;
    test_hub_push(&fleet.hub, &ingest, test_request_end(&request));
    assert_int_equal(ingest.events[0].outcome, VES_OUTCOME_ACCEPTED);
    ves_ingest_free(&ingest);
    test_request_free(&request);
}

/* The next version of every type, by rules that can be read. */
static void declare(void)
{
    struct ves_rules *rules;
    enum ves_status status;

    do {
        ves_buf_reset(&text);
        test_put_random_types(&text, registered + 1, true);
        assert_int_equal(ves_buf_status(&text), VES_OK);
        status = ves_rules_read(ves_alloc_default(), NULL, ves_buf_view(&text),
                                0, &rules, NULL);
    } while (status == VES_INVALID);
    assert_int_equal(status, VES_OK);
    push_registration(rules);
    ves_rules_free(rules);
}

static void append(size_t n)
{
    struct ves_agent_core *core = &fleet.devices[n].core;
    struct ves_core_env env = test_fleet_env(&fleet);
    struct ves_uuid id;
    char type[16];

    snprintf(type, sizeof(type), "thing.t%u", test_below(TEST_RANDOM_TYPES));
    ves_buf_reset(&text);
    test_put_random_payload(&text, true);
    assert_int_equal(ves_buf_status(&text), VES_OK);
    const struct ves_core_append what = {
        .event_type = ves_bytes_str(type),
        .entity_id = ves_bytes_str(test_below(3) ? "a" : "b"),
        .payload = ves_buf_view(&text)};
    enum ves_status status = ves_core_append(core, &env, &what, &id);
    /* What could not be folded is not signed. */
    if (status && status != VES_INVALID)
        fail_msg("%s: %s: %s", type, ves_status_name(status), core->error.text);
}

static bool pull(size_t n, uint32_t limit)
{
    struct ves_pull_result result = {0};
    enum ves_status status = test_fleet_pull(&fleet, n, limit, &result);

    if (status)
        fail_msg("store %zu: %s: %s", n, ves_status_name(status),
                 fleet.devices[n].core.error.text);
    return result.has_more;
}

struct choice {
    struct ves_hash ids[CHOICES];
    bool is_open[CHOICES];
    size_t count;
};

static enum ves_status take_choice(void *ctx,
                                   const struct ves_conflict_row *row)
{
    struct choice *choice = ctx;

    choice->ids[choice->count] = row->id;
    choice->is_open[choice->count++] = row->closed == 0;
    return VES_OK;
}

/* One of the newest conflicts that store n knows: decided, or what was decided
 * taken back.  That it may not be is an answer, too. */
static void decide(size_t n)
{
    const struct test_device *device = &fleet.devices[n];
    struct ves_agent_core *core = &fleet.devices[n].core;
    struct ves_core_env env = test_fleet_env(&fleet);
    const struct ves_conflict_filter newest = {.is_descending = true,
                                               .limit = CHOICES};
    struct choice choice = {.count = 0};
    struct ves_core_decided out;
    struct ves_arena arena;

    assert_int_equal(device->store->ops->conflict_list(device->store,
                                                       core->stream_no, &newest,
                                                       take_choice, &choice),
                     VES_OK);
    if (choice.count == 0)
        return;
    size_t at = test_below((uint32_t)choice.count);
    const struct ves_core_decide say = {
        .conflict_id = choice.ids[at],
        .names_branch = test_below(2) != 0,
        .is_undo = !choice.is_open[at],
        .strategy = (enum ves_strategy)test_below(VES_STRATEGY_MANUAL),
        .resolver = "person"};
    memset(&out, 0, sizeof(out));
    ves_arena_init(&arena, ves_alloc_default(), ARENA_MAX);
    enum ves_status status = ves_core_decide(core, &arena, &env, &say, &out);
    ves_arena_free(&arena);
    if (status)
        fail_msg("deciding on store %zu: %s: %s", n, ves_status_name(status),
                 core->error.text);
    if (out.code != VES_DECIDE_DONE)
        return;
    if (say.is_undo)
        undone++;
    else
        decided++;
}

static void step(void)
{
    size_t n = test_below(TILLS);

    switch (test_below(9)) {
    case 0:
        assert_int_equal(test_fleet_push(&fleet, n, NULL), VES_OK);
        break;
    case 1:
        (void)pull(n, 1 + test_below(6));
        break;
    case 2:
        test_fleet_sync(&fleet, n);
        break;
    case 3:
    case 4:
        decide(n);
        break;
    default:
        append(n);
        break;
    }
}

/* ---- what is said of it -------------------------------------------------- */

struct saying {
    struct ves_buf *buf;
    bool has_notes; /* what cannot be folded only stores know */
};

static enum ves_status say_row(void *ctx, const struct ves_log_row *row)
{
    struct saying *saying = ctx;
    struct ves_buf *buf = saying->buf;

    ves_buf_put_decimal(buf, row->sequence_number);
    ves_buf_putf(buf, " %s %.*s at %llu version %llu ",
                 ves_verdict_name((enum ves_verdict)row->verdict),
                 (int)row->sub_code.len, (const char *)row->sub_code.ptr,
                 (unsigned long long)row->applied_at,
                 (unsigned long long)row->version);
    if (row->has_conflict_id)
        ves_buf_put_hex(buf, row->conflict_id.b, VES_HASH_SIZE);
    if (saying->has_notes)
        ves_buf_put_bytes(buf, row->note);
    else
        verdicts[row->verdict]++;
    if (saying->has_notes && row->note.len > 0 &&
        memmem(row->note.ptr, row->note.len, "unusable", 8))
        unusable++;
    ves_buf_put_u8(buf, '\n');
    return ves_buf_status(buf);
}

static void say(struct ves_store *store, uint32_t stream_no, bool has_notes,
                struct ves_buf *out)
{
    struct saying saying = {out, has_notes};

    ves_buf_reset(out);
    assert_int_equal(
        store->ops->log_read(store, stream_no, 1, 0, say_row, &saying), VES_OK);
}

static void compare(const char *what, size_t n)
{
    if (!ves_bytes_equal(ves_buf_view(&hub_says), ves_buf_view(&store_says)))
        fail_msg("%s, store %zu:\n%.*s\nnot\n%.*s", what, n, (int)hub_says.len,
                 (const char *)hub_says.ptr, (int)store_says.len,
                 (const char *)store_says.ptr);
}

static void check_stores(const char *when)
{
    struct ves_hash first, other;

    assert_int_equal(ves_core_state_hash(&fleet.devices[0].core, &first),
                     VES_OK);
    for (size_t n = 0; n < STORES; n++) {
        struct ves_store *store = fleet.devices[n].store;
        uint32_t stream_no = fleet.devices[n].core.stream_no;
        say(fleet.hub_store, 1, false, &hub_says);
        say(store, stream_no, false, &store_says);
        compare(when, n);
        say(fleet.devices[0].store, fleet.devices[0].core.stream_no, true,
            &hub_says);
        say(store, stream_no, true, &store_says);
        compare(when, n);
        assert_int_equal(ves_core_state_hash(&fleet.devices[n].core, &other),
                         VES_OK);
        if (!ves_hash_equal(&first, &other))
            fail_msg("%s: store %zu has another state", when, n);
    }
}

static void run_log(void)
{
    test_fleet_open(&fleet, STORES);
    ves_store_mem_close(fleet.devices[LATE].store);
    open_file();
    have_owner();
    registered = 0;
    declare();
    for (size_t n = 0; n < TILLS; n++)
        (void)pull(n, 0);
    for (unsigned i = 0; i < STEPS; i++) {
        if (i == STEPS / 2)
            declare();
        step();
    }
    for (size_t n = 0; n < 2 * (size_t)TILLS; n++)
        test_fleet_sync(&fleet, n % TILLS);
    while (pull(LATE, 1 + test_below(9)))
        ;
    check_stores("pulled");
    for (size_t n = 0; n < STORES; n += LATE) {
        if (ves_core_refold(&fleet.devices[n].core))
            fail_msg("%s", fleet.devices[n].core.error.text);
    }
    check_stores("judged again");
    close_file();
    fleet.count = TILLS;
    test_fleet_close(&fleet);
}

static void replicas_agree_on_declared_types(void **state)
{
    const char *seed = getenv("VES_SEED");
    const char *rounds = getenv("VES_ROUNDS");
    long count = rounds ? strtol(rounds, NULL, 10) : ROUNDS;

    (void)state;
    test_random_state = seed ? strtoull(seed, NULL, 0) : 1;
    print_message("# seed %llu (VES_SEED to change it)\n",
                  (unsigned long long)test_random_state);
    for (long i = 0; i < count; i++)
        run_log();
    print_message("# %u applied, %u conflicts, %u not usable\n",
                  verdicts[VES_VERDICT_APPLIED], verdicts[VES_VERDICT_CONFLICT],
                  unusable);
    assert_true(verdicts[VES_VERDICT_APPLIED] > 0);
    assert_true(verdicts[VES_VERDICT_CONFLICT] > 0);
    print_message("# %u decisions, %u taken back\n", decided, undone);
    /* Few are taken back: one log, or another seed, may have none. */
    assert_true(decided > 0 || count < ROUNDS);
    assert_true(undone > 0 || seed || count < ROUNDS);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/ves-declared-XXXXXX");
    assert_non_null(mkdtemp(directory));
    ves_buf_init(&text, ves_alloc_default(), (size_t)1 << 24);
    ves_buf_init(&hub_says, ves_alloc_default(), (size_t)1 << 24);
    ves_buf_init(&store_says, ves_alloc_default(), (size_t)1 << 24);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_buf_free(&text);
    ves_buf_free(&hub_says);
    ves_buf_free(&store_says);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_agree_on_declared_types),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("declared", tests, set_up, tear_down);
}
