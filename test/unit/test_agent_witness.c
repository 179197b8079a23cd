/* test_agent_witness.c -- what a store makes of those who vouch for the log it
 * follows, and what it says itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/cosign.h"
#include "core/merkle.h"
#include "engine/log_cosigned.h"
#include "test/lib/test_fleet.h"
#include "test/lib/test_log.h"

enum { WITNESSES = 3, READER = 1, NOW = 1700000000 };

/* Two sequencers with one key: the second tells another history. */
static struct test_fleet fleet, other;
static struct ves_arena arena;
static struct {
    char name[16];
    struct ves_note_key key;
    struct ves_secret_key secret;
} witness[WITNESSES];
static char policy[2048];

static void make_witnesses(void)
{
    struct ves_buf text;

    test_log_buf(&text);
    for (size_t i = 0; i < WITNESSES; i++) {
        uint8_t seed[VES_SEED_SIZE] = {(uint8_t)i, 9};
        struct ves_public_key key;
        snprintf(witness[i].name, sizeof(witness[i].name), "w%zu", i);
        ves_ed25519_keypair(seed, &witness[i].secret, &key);
        ves_note_key_init(&witness[i].key, ves_bytes_str(witness[i].name),
                          VES_NOTE_COSIGNATURE, &key);
        ves_buf_putf(&text, "witness %s ", witness[i].name);
        ves_note_key_write(&text, &witness[i].key);
        ves_buf_put_str(&text, "\n");
    }
    ves_buf_put_str(&text, "group two 2 w0 w1 w2\nquorum two\n");
    snprintf(policy, sizeof(policy), "%s", test_log_str(&text));
    ves_buf_free(&text);
}

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), 64u << 20);
    test_fleet_open(&fleet, 2);
    test_fleet_open(&other, 2);
    fleet.has_receipts = fleet.has_log = true;
    other.has_receipts = other.has_log = true;
    make_witnesses();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_fleet_close(&fleet);
    test_fleet_close(&other);
    ves_arena_free(&arena);
    return 0;
}

static struct ves_agent_core *core(void)
{
    return &fleet.devices[READER].core;
}

static void grow(struct test_fleet *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_fleet_adjust(at, 0, "MUG", "1");
    assert_int_equal(test_fleet_push(at, 0, NULL), VES_OK);
    test_fleet_sign(at);
}

static void pull(void)
{
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    assert_int_equal(
        test_fleet_open_records(&fleet, READER, VES_RECORD_ALERT, NULL), 0);
}

static struct ves_core_witnessing now(void)
{
    struct ves_core_witnessing out;

    assert_int_equal(ves_core_witnessing(core(), &arena, &out), VES_OK);
    return out;
}

static void set_policy(const char *text)
{
    assert_int_equal(ves_core_set_policy(core(), ves_bytes_str(text)), VES_OK);
}

static struct ves_tlog_row head_of(struct test_fleet *at, uint32_t *stream_no)
{
    struct ves_stream_row stream;
    struct ves_tlog_row log;

    assert_int_equal(at->hub_store->ops->stream_get(
                         at->hub_store, &at->hub.stream, false, &stream),
                     VES_OK);
    assert_int_equal(at->hub_store->ops->tlog_get(
                         at->hub_store, stream.stream_no, &arena, &log),
                     VES_OK);
    *stream_no = stream.stream_no;
    return log;
}

/* A witness's line over the newest head of from, kept by the fleet's
 * sequencer; spoilt: its signature is broken. */
static void vouch_for(struct test_fleet *from, size_t who, uint64_t time_s,
                      bool is_spoilt)
{
    uint32_t stream_no;
    struct ves_tlog_row log = head_of(from, &stream_no);
    struct ves_note note, lines;
    struct ves_log_cosigned item;
    struct ves_buf line;
    size_t added;

    assert_int_equal(ves_note_read(log.note, &note, NULL), VES_OK);
    item = (struct ves_log_cosigned){.stream_no = stream_no, .note = log.note};
    assert_int_equal(ves_checkpoint_read(note.text, &item.head, NULL), VES_OK);
    test_log_buf(&line);
    ves_cosign(&line, note.text, time_s, &witness[who].key,
               &witness[who].secret);
    if (is_spoilt)
        line.ptr[line.len - 9] = line.ptr[line.len - 9] == 'A' ? 'B' : 'A';
    assert_int_equal(ves_note_lines_read(ves_buf_view(&line), &lines, NULL),
                     VES_OK);
    assert_true(ves_cosigned_line_read(&lines.lines[0], &item.line));
    assert_int_equal(
        ves_log_cosigned_keep(&fleet.hub.sequencer, &item, 1, &added), VES_OK);
    assert_int_equal(added, 1);
    ves_buf_free(&line);
}

static void vouch(size_t who, uint64_t time_s)
{
    vouch_for(&fleet, who, time_s, false);
}

/* ---- the tests ------------------------------------------------------------
 */

static void a_quorum_on_one_head(void **state)
{
    (void)state;
    set_policy(policy);
    grow(&fleet, 5);
    pull();
    assert_int_equal(now().witnessed, 0);
    vouch(0, NOW);
    pull();
    assert_int_equal(now().witnessed, 0);
    assert_int_equal(now().words[0].time_s, NOW);
    vouch(2, NOW + 5);
    pull();
    assert_int_equal(now().witnessed, now().logged);
    assert_int_equal(now().reach.fresh_at, NOW);
    /* Said again later: fresher, as far as before. */
    vouch(0, NOW + 9);
    pull();
    assert_int_equal(now().reach.fresh_at, NOW + 5);
    /* It never goes back. */
    uint64_t size = now().witnessed;
    grow(&fleet, 3);
    pull();
    assert_int_equal(now().witnessed, size);
    assert_true(now().logged > size);
}

static void a_quorum_across_heads(void **state)
{
    uint64_t first;

    (void)state;
    set_policy(policy);
    grow(&fleet, 5);
    vouch(0, NOW);
    grow(&fleet, 5);
    vouch(1, NOW + 1);
    grow(&fleet, 5);
    /* One page passes both heads, and a younger one. */
    pull();
    first = now().words[0].size;
    assert_true(first > 0 && now().words[1].size > first);
    assert_int_equal(now().witnessed, first);
    /* Heads that were verified before are known again. */
    vouch(2, NOW + 2);
    grow(&fleet, 1);
    pull();
    assert_int_equal(now().words[2].size, now().logged - 1);
    assert_int_equal(now().witnessed, now().words[1].size);
}

static void what_is_false_counts_for_nothing(void **state)
{
    (void)state;
    set_policy(policy);
    grow(&fleet, 5);
    grow(&other, 4);
    test_fleet_adjust(&other, 0, "CUP", "7");
    grow(&other, 2);
    vouch(0, NOW);
    vouch_for(&fleet, 1, NOW, true);
    vouch_for(&other, 2, NOW, false);
    pull();
    assert_int_equal(now().words[0].time_s, NOW);
    assert_int_equal(now().words[1].size, 0);
    assert_int_equal(now().words[2].size, 0);
    assert_int_equal(now().witnessed, 0);
    grow(&fleet, 9);
    pull();
    assert_int_equal(now().witnessed, 0);
    /* The truth still comes through. */
    vouch(1, NOW + 1);
    vouch(0, NOW + 1);
    pull();
    assert_int_equal(now().witnessed, now().logged);
}

static void policies_judge_anew(void **state)
{
    char one[2048];

    (void)state;
    grow(&fleet, 5);
    vouch(0, NOW);
    pull();
    /* Without a policy nobody's line is kept. */
    assert_int_equal(now().witnessed, 0);
    assert_null(now().policy);
    snprintf(one, sizeof(one), "%.*squorum w0\n",
             (int)(strstr(policy, "group") - policy), policy);
    set_policy(one);
    pull();
    assert_int_equal(now().witnessed, now().logged);
    set_policy(policy);
    assert_int_equal(now().witnessed, 0);
    set_policy(one);
    assert_int_equal(now().witnessed, now().logged);
    set_policy("quorum none\n");
    assert_int_equal(now().witnessed, now().logged);
    set_policy("");
    assert_int_equal(now().witnessed, 0);
    assert_int_equal(ves_core_set_policy(core(), ves_bytes_str("nonsense\n")),
                     VES_MALFORMED);
    assert_null(now().policy);
}

static void its_own_word(void **state)
{
    struct ves_core_cosignature word;
    struct ves_checkpoint head;
    struct ves_note note;
    struct ves_note_key key;
    struct ves_note_times times;
    struct ves_buf name;

    (void)state;
    assert_int_equal(ves_core_cosign(core(), 1000 * (int64_t)NOW, &word),
                     VES_OK);
    assert_int_equal(word.note.len, 0); /* nothing was verified yet */
    grow(&fleet, 5);
    vouch(0, NOW); /* the lines of others stay out of ours */
    pull();
    assert_int_equal(ves_core_cosign(core(), 1000 * (int64_t)NOW, &word),
                     VES_OK);
    assert_int_equal(ves_note_read(ves_buf_view(&word.note), &note, NULL),
                     VES_OK);
    assert_int_equal(ves_checkpoint_read(note.text, &head, NULL), VES_OK);
    assert_int_equal(note.count, 2);
    assert_int_equal(head.size, now().logged);
    test_log_buf(&name);
    ves_cosigner_name_write(&name, head.origin, &core()->agent);
    ves_note_key_init(&key, ves_buf_view(&name), VES_NOTE_COSIGNATURE,
                      &core()->signer->public_key);
    assert_int_equal(ves_note_check(&note, &key, &times), VES_NOTE_GOOD);
    assert_int_equal(times.last, NOW);
    ves_buf_free(&name);
    ves_buf_free(&word.note);
    /* It was sent: said once an hour, and never with an earlier time. */
    assert_int_equal(ves_core_cosigned(core(), &word), VES_OK);
    assert_int_equal(now().own.size, head.size);
    assert_int_equal(ves_core_cosign(core(), 1000 * (int64_t)NOW + 1, &word),
                     VES_OK);
    assert_int_equal(word.note.len, 0);
    assert_int_equal(
        ves_core_cosign(core(), 1000 * ((int64_t)NOW + 3601), &word), VES_OK);
    assert_int_equal(word.size, head.size);
    ves_buf_free(&word.note);
    grow(&fleet, 1);
    pull();
    assert_int_equal(ves_core_cosign(core(), 1000 * (int64_t)5, &word), VES_OK);
    assert_true(word.size > head.size);
    assert_true(word.time_s > NOW);
    ves_buf_free(&word.note);
    /* It vouched for more once: nothing smaller is said. */
    word.size += 5;
    assert_int_equal(ves_core_cosigned(core(), &word), VES_OK);
    grow(&fleet, 1);
    pull();
    assert_int_equal(
        ves_core_cosign(core(), 1000 * ((int64_t)NOW + 9999), &word), VES_OK);
    assert_int_equal(word.note.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_quorum_on_one_head, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_quorum_across_heads, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_false_counts_for_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(policies_judge_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_own_word, set_up, tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
