/* test_cosigned.c -- what is kept of cosignatures, whatever comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/endian.h"
#include "core/cosigned.h"
#include "test/lib/test_log.h"
#include "test/lib/test_util.h"

#define ORIGIN                         \
    "shop.example/ves/"                \
    "00112233445566778899aabbccddeeff" \
    "00112233445566778899aabbccddeeff"

static struct ves_arena arena;
static struct ves_cosigned set;

static int start(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), 64u << 20);
    assert_int_equal(ves_cosigned_read(ves_bytes_str(""), &arena, &set),
                     VES_OK);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    return 0;
}

static struct ves_bytes keep(struct ves_buf *buf)
{
    struct ves_bytes kept;

    assert_int_equal(ves_buf_status(buf), VES_OK);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(buf), &kept), VES_OK);
    ves_buf_free(buf);
    return kept;
}

/* Who signed does not matter here: keys and signatures are made up. */
static void fill_key(struct ves_note_key *key, const char *name,
                     enum ves_note_type type)
{
    struct ves_public_key public_key = {{7}};

    ves_note_key_init(key, ves_bytes_str(name), type, &public_key);
}

static struct ves_checkpoint head_of(const char *origin, uint64_t size)
{
    struct ves_checkpoint head = {.origin = ves_bytes_str(origin),
                                  .size = size};

    ves_store_u64(head.root.b, size);
    return head;
}

static struct ves_bytes note_of(const struct ves_checkpoint *head)
{
    char name[VES_ORIGIN_MAX + 1];
    struct ves_note_key key;
    struct ves_buf buf;
    uint8_t payload[VES_SIG_SIZE] = {1};

    snprintf(name, sizeof name, "%.*s", (int)head->origin.len,
             (const char *)head->origin.ptr);
    fill_key(&key, name, VES_NOTE_ED25519);
    test_log_buf(&buf);
    ves_checkpoint_write(&buf, head);
    ves_buf_put_u8(&buf, '\n');
    ves_note_line_write(&buf, &key, payload, sizeof payload);
    return keep(&buf);
}

static struct ves_cosigned_line line_of(const char *name, uint64_t time_s)
{
    struct ves_note note;
    struct ves_note_key key;
    struct ves_cosigned_line line;
    struct ves_buf buf;
    uint8_t payload[8 + VES_SIG_SIZE] = {0};

    ves_store_u64(payload, time_s);
    fill_key(&key, name, VES_NOTE_COSIGNATURE);
    test_log_buf(&buf);
    ves_note_line_write(&buf, &key, payload, sizeof payload);
    assert_int_equal(ves_note_lines_read(keep(&buf), &note, NULL), VES_OK);
    assert_true(ves_cosigned_line_read(&note.lines[0], &line));
    assert_int_equal(ves_arena_copy(&arena, line.text, &line.text), VES_OK);
    return line;
}

static enum ves_cosigned_answer say(const char *origin, const char *name,
                                    uint64_t size, uint64_t time_s)
{
    struct ves_checkpoint head = head_of(origin, size);
    struct ves_cosigned_line line = line_of(name, time_s);
    enum ves_cosigned_answer answer;

    assert_int_equal(
        ves_cosigned_add(&set, note_of(&head), &head, &line, &answer), VES_OK);
    return answer;
}

static const char *agent(unsigned i)
{
    static char name[128];

    snprintf(name, sizeof name,
             "shop.example/agent/00000000-0000-4000-8000-%012u", i);
    return name;
}

/* Every bound holds, and the text gives the same again. */
static void check(void)
{
    struct ves_cosigned again;
    struct ves_buf first, second;

    assert_true(set.count <= VES_COSIGNED_HEADS_MAX);
    for (size_t i = 0; i < set.count; i++) {
        assert_true(set.heads[i]->count > 0);
        assert_true(i == 0 || set.heads[i - 1]->checkpoint.size >
                                  set.heads[i]->checkpoint.size);
    }
    test_log_buf(&first);
    test_log_buf(&second);
    ves_cosigned_write(&first, &set);
    assert_true(first.len <= VES_COSIGNED_MAX);
    assert_int_equal(ves_cosigned_read(ves_buf_view(&first), &arena, &again),
                     VES_OK);
    ves_cosigned_write(&second, &again);
    assert_true(ves_bytes_equal(ves_buf_view(&first), ves_buf_view(&second)));
    ves_buf_free(&second);
    ves_buf_free(&first);
}

static void names_of_stores(void **state)
{
    struct ves_uuid id, got;
    struct ves_bytes origin = ves_bytes_str(ORIGIN);
    struct ves_buf buf;

    (void)state;
    memset(&id, 0xAB, sizeof id);
    test_log_buf(&buf);
    ves_cosigner_name_write(&buf, origin, &id);
    assert_string_equal(
        test_log_str(&buf),
        "shop.example/agent/abababab-abab-abab-abab-abababababab");
    assert_true(ves_cosigner_agent(
        ves_bytes_str(
            "shop.example/agent/abababab-abab-abab-abab-abababababab"),
        origin, &got));
    assert_true(ves_uuid_equal(&id, &got));
    /* Another host, another spelling, more behind it, no agent at all. */
    static const char *const wrong[] = {
        "shop.exampla/agent/abababab-abab-abab-abab-abababababab",
        "shop.example/agent/ABABABAB-abab-abab-abab-abababababab",
        "shop.example/agent/abababab-abab-abab-abab-ababababababa",
        "shop.example/agent/abababababababababababababababab0000",
        "shop.example/ghost/abababab-abab-abab-abab-abababababab",
        "shop.example",
        ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(ves_cosigner_agent(ves_bytes_str(wrong[i]), origin, &got));
    assert_false(
        ves_cosigner_agent(ves_bytes_str("x"), ves_bytes_str("y"), &got));
    ves_buf_free(&buf);
}

static void the_newest_word_of_each(void **state)
{
    (void)state;
    assert_int_equal(say(ORIGIN, agent(1), 5, 100), VES_COSIGNED_ADDED);
    /* The same again, an older time, a smaller tree: nothing new. */
    assert_int_equal(say(ORIGIN, agent(1), 5, 100), VES_COSIGNED_KNOWN);
    assert_int_equal(say(ORIGIN, agent(1), 5, 99), VES_COSIGNED_KNOWN);
    assert_int_equal(say(ORIGIN, agent(1), 4, 200), VES_COSIGNED_KNOWN);
    assert_int_equal(say(ORIGIN, agent(1), 5, 101), VES_COSIGNED_ADDED);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.heads[0]->count, 1);
    assert_int_equal(set.heads[0]->lines[0].time_s, 101);
    assert_int_equal(say(ORIGIN, agent(2), 5, 50), VES_COSIGNED_ADDED);
    assert_int_equal(say(ORIGIN, "w.example", 5, 50), VES_COSIGNED_ADDED);
    assert_int_equal(set.heads[0]->count, 3);
    check();
    /* Its word on an older head stays where others met it. */
    assert_int_equal(say(ORIGIN, agent(1), 9, 102), VES_COSIGNED_ADDED);
    assert_int_equal(set.count, 2);
    assert_int_equal(ves_cosigned_find(&set, 5)->count, 3);
    assert_int_equal(ves_cosigned_find(&set, 9)->count, 1);
    assert_null(ves_cosigned_find(&set, 6));
    check();
}

static void a_merged_note_has_all_lines(void **state)
{
    struct ves_checkpoint head = head_of(ORIGIN, 5);
    struct ves_bytes note = note_of(&head);
    struct ves_note read;
    struct ves_buf buf;

    (void)state;
    say(ORIGIN, agent(1), 5, 1);
    say(ORIGIN, "w.example", 5, 2);
    test_log_buf(&buf);
    ves_cosigned_note_write(&buf, note, ves_cosigned_find(&set, 5));
    assert_int_equal(ves_note_read(ves_buf_view(&buf), &read, NULL), VES_OK);
    assert_int_equal(read.count, 3);
    ves_buf_reset(&buf);
    ves_cosigned_note_write(&buf, note, NULL);
    assert_true(ves_bytes_equal(ves_buf_view(&buf), note));
    ves_buf_free(&buf);
}

static void old_heads_go_and_newest_words_stay(void **state)
{
    (void)state;
    say(ORIGIN, "slow.example", 1, 1);
    say(ORIGIN, agent(1), 1, 1);
    for (uint64_t size = 2; size <= 100; size++)
        say(ORIGIN, agent(1), size, size);
    check();
    /* Eight heads of the busy one, and the one word of the slow one. */
    assert_int_equal(set.count, VES_COSIGNED_RECENT + 1);
    assert_int_equal(set.heads[VES_COSIGNED_RECENT]->checkpoint.size, 1);
    assert_int_equal(set.heads[VES_COSIGNED_RECENT]->count, 1);
    assert_true(ves_bytes_is(set.heads[VES_COSIGNED_RECENT]->lines[0].name,
                             "slow.example"));
}

static void agents_are_bounded_and_push_out_no_witness(void **state)
{
    char name[32];

    (void)state;
    for (unsigned i = 0; i < VES_COSIGNED_OTHERS_MAX; i++) {
        snprintf(name, sizeof name, "w%u.example", i);
        assert_int_equal(say(ORIGIN, name, 1 + i, 1), VES_COSIGNED_ADDED);
    }
    for (unsigned i = 0; i < VES_COSIGNED_AGENTS_MAX; i++)
        assert_int_equal(say(ORIGIN, agent(i), 100 + i, 1), VES_COSIGNED_ADDED);
    check();
    /* One more that is not ahead of the last one is not kept; one that is
     * takes its place. */
    assert_int_equal(say(ORIGIN, agent(900), 100, 9), VES_COSIGNED_FULL);
    assert_int_equal(say(ORIGIN, agent(901), 500, 9), VES_COSIGNED_ADDED);
    assert_null(ves_cosigned_find(&set, 100));
    assert_int_equal(say(ORIGIN, "late.example", 1, 9), VES_COSIGNED_FULL);
    for (unsigned i = 0; i < VES_COSIGNED_OTHERS_MAX; i++)
        assert_non_null(ves_cosigned_find(&set, 1 + i));
    check();
}

static void another_log_begins_anew(void **state)
{
    (void)state;
    say(ORIGIN, agent(1), 5, 1);
    assert_int_equal(say("shop.example/epoch/2"
                         "/ves/"
                         "00112233445566778899aabbccddeeff"
                         "00112233445566778899aabbccddeeff",
                         "w.example", 3, 1),
                     VES_COSIGNED_ADDED);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.heads[0]->checkpoint.size, 3);
    check();
}

static uint64_t roll(uint64_t *seed, uint64_t sides)
{
    *seed =
        *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*seed >> 33) % sides;
}

/* Anybody says anything in any order: bounded, readable, and the newest word
 * of each cosigner is what the model says. */
static void a_crowd(void **state)
{
    enum { WHO = 20, STEPS = 3000 };
    uint64_t seed = 42, size[WHO] = {0}, time[WHO] = {0};

    (void)state;
    for (size_t step = 0; step < STEPS; step++) {
        unsigned who = (unsigned)roll(&seed, WHO);
        uint64_t at = 1 + roll(&seed, 1 + step / 20);
        uint64_t now = roll(&seed, 5);
        bool is_new = at > size[who] || (at == size[who] && now > time[who]);
        char name[32];

        snprintf(name, sizeof name, "w%u.example", who);
        assert_int_equal(say(ORIGIN, who < 10 ? agent(who) : name, at, now),
                         is_new ? VES_COSIGNED_ADDED : VES_COSIGNED_KNOWN);
        if (is_new) {
            size[who] = at;
            time[who] = now;
        }
        if (step % 100 == 0)
            check();
    }
    for (unsigned who = 0; who < WHO; who++) {
        const struct ves_cosigned_head *head =
            ves_cosigned_find(&set, size[who]);
        char name[32];
        size_t found = 0;

        snprintf(name, sizeof name, "w%u.example", who);
        assert_non_null(head);
        for (size_t i = 0; i < head->count; i++)
            found += ves_bytes_is(head->lines[i].name,
                                  who < 10 ? agent(who) : name) &&
                     head->lines[i].time_s == time[who];
        assert_int_equal(found, 1);
    }
}

static void put_head(struct ves_buf *out, uint64_t size, const char *who,
                     unsigned count)
{
    struct ves_checkpoint head = head_of(ORIGIN, size);
    struct ves_buf note;
    char name[32];

    test_log_buf(&note);
    ves_buf_put_bytes(&note, note_of(&head));
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s%02u.example", who, i);
        ves_buf_put_bytes(&note, line_of(name, 1).text);
    }
    ves_buf_putf(out, "note %zu\n", note.len);
    ves_buf_put_bytes(out, ves_buf_view(&note));
    ves_buf_free(&note);
}

/* More cosigners than would be kept, from somebody else's pen. */
static void a_full_head_takes_no_more(void **state)
{
    struct ves_buf buf;

    (void)state;
    test_log_buf(&buf);
    put_head(&buf, 5, "a", VES_COSIGNED_COSIGNERS_MAX);
    put_head(&buf, 4, "b", 1);
    assert_int_equal(ves_cosigned_read(keep(&buf), &arena, &set), VES_OK);
    assert_int_equal(say(ORIGIN, "b00.example", 5, 9), VES_COSIGNED_FULL);
    assert_int_equal(say(ORIGIN, "a00.example", 5, 9), VES_COSIGNED_ADDED);
    check();
    test_log_buf(&buf);
    put_head(&buf, 5, "a", VES_COSIGNED_COSIGNERS_MAX + 1);
    assert_int_equal(ves_cosigned_read(keep(&buf), &arena, &set), VES_CORRUPT);
}

static void damaged_texts(void **state)
{
    struct ves_cosigned again;
    struct ves_buf buf;

    (void)state;
    say(ORIGIN, agent(1), 5, 1);
    say(ORIGIN, agent(2), 5, 1);
    say(ORIGIN, agent(1), 6, 1);
    test_log_buf(&buf);
    ves_cosigned_write(&buf, &set);
    for (size_t len = 1; len < buf.len; len++) {
        /* Cut between two notes it is a text of fewer. */
        enum ves_status status =
            ves_cosigned_read(ves_bytes(buf.ptr, len), &arena, &again);
        assert_true(status == VES_CORRUPT ||
                    (status == VES_OK && again.count == 1));
    }
    /* The same notes twice. */
    struct ves_bytes text;
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&buf), &text), VES_OK);
    ves_buf_put_bytes(&buf, text);
    assert_int_equal(ves_cosigned_read(ves_buf_view(&buf), &arena, &again),
                     VES_CORRUPT);
    ves_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_of_stores, start, stop),
        cmocka_unit_test_setup_teardown(the_newest_word_of_each, start, stop),
        cmocka_unit_test_setup_teardown(a_merged_note_has_all_lines, start,
                                        stop),
        cmocka_unit_test_setup_teardown(old_heads_go_and_newest_words_stay,
                                        start, stop),
        cmocka_unit_test_setup_teardown(
            agents_are_bounded_and_push_out_no_witness, start, stop),
        cmocka_unit_test_setup_teardown(another_log_begins_anew, start, stop),
        cmocka_unit_test_setup_teardown(a_crowd, start, stop),
        cmocka_unit_test_setup_teardown(a_full_head_takes_no_more, start, stop),
        cmocka_unit_test_setup_teardown(damaged_texts, start, stop),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
