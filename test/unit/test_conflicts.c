/* test_conflicts.c -- conflicts seen, decided and taken back by stores on disk
 * (semantics.md 3.3, decisions 8 and 13).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/uuid.h"
#include "test/lib/test_shop.h"
#include "ves/conflict.h"

static struct test_shop shop;
static struct ves_agent *till, *office;
static struct test_document doc;
static struct ves_error error;

static int set_up(void **state)
{
    (void)state;
    memset(&error, 0, sizeof(error));
    test_shop_open(&shop);
    till = test_shop_store(&shop, "till.db", NULL);
    office = test_shop_store(&shop, "office.db", NULL);
    test_document_open(&doc);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_document_close(&doc);
    ves_agent_close(till);
    ves_agent_close(office);
    test_shop_close(&shop);
    return 0;
}

static void sync_store(struct ves_agent *agent)
{
    struct ves_ack_report ack;
    (void)test_shop_push(&shop, agent);
    (void)test_shop_pull(&shop, agent);
    assert_int_equal(ves_acknowledge(agent, NULL, 0, &ack, &error), VES_OK);
}

static void sync_both(void)
{
    sync_store(till);
    sync_store(office);
    sync_store(till);
}

static const char *text_of(const struct ves_uuid *id)
{
    static char texts[4][VES_UUID_TEXT + 1];
    static unsigned next;
    char *text = texts[next++ % 4];
    ves_uuid_format(id, text);
    return text;
}

static void read_conflicts(struct ves_agent *agent, const char *state)
{
    const struct ves_conflicts_filter filter = {.state = state};
    assert_int_equal(ves_conflicts(agent, &filter, doc.jw, &error), VES_OK);
    test_document_read(&doc);
}

static size_t open_conflicts(struct ves_agent *agent)
{
    read_conflicts(agent, NULL);
    return test_count(&doc, "/conflicts");
}

static void show(struct ves_agent *agent, const char *id)
{
    enum ves_status status = ves_conflict_show(agent, id, doc.jw, &error);
    if (status)
        print_error("%s\n", error.text);
    assert_int_equal(status, VES_OK);
    test_document_read(&doc);
}

static enum ves_status try(struct ves_agent *agent,
                           const struct ves_resolve_options *options)
{
    enum ves_status status = ves_resolve(agent, options, doc.jw, &error);
    test_document_read(&doc);
    return status;
}

static void resolve(struct ves_agent *agent, const char *id,
                    const char *strategy)
{
    const struct ves_resolve_options options = {
        .id = id, .strategy = strategy, .reason = "tested"};
    enum ves_status status = try(agent, &options);
    if (status)
        print_error("%s\n", error.text);
    assert_int_equal(status, VES_OK);
}

static void assert_problem(const char *code)
{
    assert_string_equal(test_text(&doc, "/problem/code"), code);
    assert_true(error.text[0] != '\0');
}

/* A member of an order's state at a store's cursor, as JSON text. */
static const char *member(struct ves_agent *agent, const char *pointer)
{
    static char copy[256];
    assert_int_equal(ves_agent_entity(agent, "order", "O1", doc.jw, &error),
                     VES_OK);
    test_document_read(&doc);
    const struct ves_json *node =
        ves_json_pointer(doc.root, ves_bytes_str(pointer));
    if (!node)
        return "-";
    snprintf(copy, sizeof(copy), "%.*s", (int)node->text.len,
             (const char *)node->text.ptr);
    return copy;
}

/* Both stores know O1; each changes it; the till's change comes first, so the
 * office's is the branch.  Returns the branch event. */
static struct ves_uuid quarrel(const char *till_patch, const char *office_patch)
{
    test_shop_append(till, "order.created", "O1",
                     "{\"currency\":\"GBP\",\"email\":\"a\",\"note\":\"n\"}");
    sync_both();
    test_shop_append(till, "order.updated", "O1", till_patch);
    struct ves_uuid branch =
        test_shop_append(office, "order.updated", "O1", office_patch);
    sync_both();
    return branch;
}

static struct ves_uuid same_field(void)
{
    return quarrel("{\"patch\":{\"email\":\"till\"}}",
                   "{\"patch\":{\"email\":\"office\",\"note\":\"mine\"}}");
}

static void assert_same_states(void)
{
    struct ves_hash a, b;
    uint64_t at_a, at_b;
    assert_int_equal(ves_agent_state_hash(till, &a, &at_a, &error), VES_OK);
    assert_int_equal(ves_agent_state_hash(office, &b, &at_b, &error), VES_OK);
    assert_int_equal(at_a, at_b);
    assert_memory_equal(a.b, b.b, sizeof(a.b));
}

/* ---- seeing -------------------------------------------------------------- */

static void both_see_the_same(void **state)
{
    char id[80], version[80];
    struct ves_uuid branch = same_field();

    (void)state;
    assert_int_equal(open_conflicts(office), 1);
    assert_string_equal(test_text(&doc, "/conflicts/0/conflictType"),
                        "concurrent_edit");
    assert_string_equal(test_text(&doc, "/conflicts/0/subCode"), "same_field");
    assert_string_equal(test_text(&doc, "/conflicts/0/eventId"),
                        text_of(&branch));
    assert_string_equal(test_text(&doc, "/conflicts/0/origin"), "own");
    assert_string_equal(test_text(&doc, "/conflicts/0/entity/id"), "O1");
    assert_string_equal(test_text(&doc, "/conflicts/0/suggestedStrategy"),
                        "manual");
    assert_int_equal(test_count(&doc, "/conflicts/0/allowedStrategies"), 4);
    assert_int_equal(test_number(&doc, "/conflicts/0/localSequence"), 1);
    assert_int_equal(test_number(&doc, "/byType/concurrent_edit"), 1);
    snprintf(id, sizeof(id), "%s", test_text(&doc, "/conflicts/0/conflictId"));
    assert_int_equal(open_conflicts(till), 1);
    assert_string_equal(test_text(&doc, "/conflicts/0/conflictId"), id);
    assert_string_equal(test_text(&doc, "/conflicts/0/origin"), "other");
    show(till, id);
    snprintf(version, sizeof(version), "%s",
             test_text(&doc, "/conflictVersion"));
    show(office, id + 2);
    assert_string_equal(test_text(&doc, "/conflictVersion"), version);
}

static void sides_depend_on_who_is_named(void **state)
{
    struct ves_uuid branch = same_field();
    char other[40];

    (void)state;
    show(till, text_of(&branch));
    assert_string_equal(test_text(&doc, "/ours/side"), "branch");
    assert_string_equal(test_text(&doc, "/fields/0/path"), "/email");
    assert_string_equal(test_text(&doc, "/fields/0/base"), "a");
    assert_string_equal(test_text(&doc, "/fields/0/ours"), "office");
    assert_string_equal(test_text(&doc, "/fields/0/theirs"), "till");
    assert_true(test_is_true(&doc, "/fields/0/isOverlap"));
    assert_string_equal(test_text(&doc, "/fields/1/path"), "/note");
    assert_string_equal(test_text(&doc, "/fields/1/merged"), "mine");
    assert_int_equal(test_count(&doc, "/merge/overlaps"), 1);
    snprintf(other, sizeof(other), "%s", test_text(&doc, "/remoteEventId"));
    show(till, other);
    assert_string_equal(test_text(&doc, "/ours/side"), "applied");
    assert_string_equal(test_text(&doc, "/fields/0/ours"), "till");
    assert_string_equal(test_text(&doc, "/fields/0/theirs"), "office");
    assert_string_equal(test_text(&doc, "/remoteEventId"), text_of(&branch));
}

static void what_is_no_conflict(void **state)
{
    struct ves_uuid branch = same_field();
    struct ves_uuid fresh =
        test_shop_append(till, "order.updated", "O1", "{\"x\":1}");

    (void)state;
    assert_int_equal(ves_conflict_show(till, "nonsense", doc.jw, &error),
                     VES_INVALID);
    test_document_read(&doc);
    assert_problem("INVALID_ARGUMENT");
    assert_int_equal(ves_conflict_show(till, text_of(&fresh), doc.jw, &error),
                     VES_NOT_FOUND);
    test_document_read(&doc);
    assert_problem("NOT_IN_CONFLICT");
    assert_string_equal(test_text(&doc, "/problem/status"), "pending");
    branch.b[15] ^= 1;
    assert_int_equal(ves_conflict_show(till, text_of(&branch), doc.jw, &error),
                     VES_NOT_FOUND);
    test_document_read(&doc);
    assert_problem("EVENT_NOT_FOUND");
    assert_int_equal(ves_conflict_show(till, "0x0123456789", doc.jw, &error),
                     VES_NOT_FOUND);
    test_document_read(&doc);
    assert_problem("CONFLICT_NOT_FOUND");
}

static void filters(void **state)
{
    struct ves_conflicts_filter filter = {.conflict_type = "concurrent_edit",
                                          .entity_type = "order",
                                          .entity_id = "O1",
                                          .event_type = "order.updated"};

    (void)state;
    (void)same_field();
    assert_int_equal(ves_conflicts(till, &filter, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/total"), 1);
    filter.entity_id = "O2";
    assert_int_equal(ves_conflicts(till, &filter, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/total"), 0);
    assert_int_equal(test_number(&doc, "/open"), 1);
    filter.entity_id = NULL;
    filter.entity_type = "customer";
    assert_int_equal(ves_conflicts(till, &filter, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/total"), 0);
    filter.entity_type = NULL;
    filter.event_type = "order.cancelled";
    assert_int_equal(ves_conflicts(till, &filter, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/total"), 0);
    filter.conflict_type = "quarrel";
    assert_int_equal(ves_conflicts(till, &filter, doc.jw, &error), VES_INVALID);
    filter = (struct ves_conflicts_filter){.state = "lost"};
    assert_int_equal(ves_conflicts(till, &filter, doc.jw, &error), VES_INVALID);
}

/* ---- deciding ------------------------------------------------------------ */

static void keep_the_branch(void **state)
{
    struct ves_uuid branch = same_field();

    (void)state;
    resolve(till, text_of(&branch), "accept_local");
    assert_string_equal(test_text(&doc, "/outcome"), "resolved");
    assert_string_equal(test_text(&doc, "/winner"), "branch");
    assert_int_equal(test_number(&doc, "/remainingConflicts"), 0);
    assert_int_equal(open_conflicts(till), 1); /* until it has a number */
    assert_true(test_is_true(&doc, "/conflicts/0/isPending"));
    sync_both();
    assert_int_equal(open_conflicts(till), 0);
    assert_int_equal(open_conflicts(office), 0);
    assert_string_equal(member(office, "/state/email"), "\"office\"");
    assert_string_equal(member(office, "/state/note"), "\"mine\"");
    assert_same_states();
    read_conflicts(office, "resolved");
    assert_string_equal(test_text(&doc, "/conflicts/0/resolution/strategy"),
                        "accept_local");
    assert_string_equal(test_text(&doc, "/conflicts/0/resolution/reason"),
                        "tested");
    assert_false(test_is_true(&doc, "/conflicts/0/resolution/isAutomatic"));
}

static void keep_what_was_applied(void **state)
{
    struct ves_uuid branch = same_field();

    (void)state;
    resolve(office, text_of(&branch), "accept_remote");
    assert_string_equal(test_text(&doc, "/winner"), "applied");
    assert_int_equal(test_count(&doc, "/changes"), 0);
    sync_both();
    sync_store(office);
    assert_int_equal(open_conflicts(office), 0);
    assert_string_equal(member(till, "/state/email"), "\"till\"");
    assert_string_equal(member(till, "/state/note"), "\"n\"");
    assert_same_states();
    /* the branch is not lost */
    assert_int_equal(ves_agent_show(office, &branch, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/disposition"), "overridden");
    assert_string_equal(test_text(&doc, "/status"), "synced");
}

static void naming_the_other_side_swaps_the_rows(void **state)
{
    char other[40];
    struct ves_uuid branch = same_field();

    (void)state;
    show(till, text_of(&branch));
    snprintf(other, sizeof(other), "%s", test_text(&doc, "/remoteEventId"));
    resolve(till, other, "accept_remote");
    assert_string_equal(test_text(&doc, "/winner"), "branch");
    sync_both();
    assert_string_equal(member(office, "/state/email"), "\"office\"");
}

static void merging(void **state)
{
    struct ves_uuid branch = same_field();
    const struct ves_resolve_options merge = {.id = text_of(&branch),
                                              .strategy = "merge"};

    (void)state;
    /* both changed /email: nothing is guessed */
    assert_int_equal(try(till, &merge), VES_INVALID);
    assert_problem("MERGE_OVERLAP");
    assert_string_equal(test_text(&doc, "/problem/overlaps/0/path"), "/email");
    assert_string_equal(test_text(&doc, "/problem/overlaps/0/ours"), "office");
    assert_int_equal(open_conflicts(till), 1);
    assert_false(test_is_true(&doc, "/conflicts/0/isPending"));
    /* with an answer it is done */
    const struct ves_resolve_options answered = {
        .id = text_of(&branch),
        .strategy = "merge",
        .patch = ves_bytes_str("{\"email\":\"both\",\"note\":null}")};
    assert_int_equal(try(till, &answered), VES_OK);
    sync_both();
    assert_string_equal(member(office, "/state/email"), "\"both\"");
    assert_string_equal(member(office, "/state/note"), "-");
    assert_same_states();
}

/* A stale copy, and changes that fit: merged by the function. */
static void clean_merge(void **state)
{
    struct ves_uuid event_id;
    const struct ves_append stale = {
        .type = "order.updated",
        .aggregate_id = "O1",
        .payload = ves_bytes_str("{\"patch\":{\"note\":\"late\"}}"),
        .has_base_version = true,
        .base_version = 1,
    };

    (void)state;
    test_shop_append(till, "order.created", "O1",
                     "{\"currency\":\"GBP\",\"email\":\"a\",\"note\":\"n\"}");
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"email\":\"b\"}}");
    sync_both();
    assert_int_equal(ves_append(office, &stale, &event_id, &error), VES_OK);
    sync_store(office);
    sync_both();
    assert_int_equal(open_conflicts(till), 1);
    assert_string_equal(test_text(&doc, "/conflicts/0/conflictType"),
                        "version_mismatch");
    assert_true(test_is_true(&doc, "/conflicts/0/mergeable"));
    assert_string_equal(test_text(&doc, "/conflicts/0/suggestedStrategy"),
                        "merge");
    resolve(till, text_of(&event_id), "merge");
    sync_both();
    assert_string_equal(member(office, "/state/email"), "\"b\"");
    assert_string_equal(member(office, "/state/note"), "\"late\"");
    assert_int_equal(open_conflicts(office), 0);
    assert_same_states();
}

static void manual(void **state)
{
    struct ves_uuid branch = same_field();
    const struct ves_resolve_options bare = {.id = text_of(&branch),
                                             .strategy = "manual"};
    const struct ves_resolve_set sets[] = {
        {.path = "/email", .value = ves_bytes_str("0123"), .is_typed = true},
        {.path = "/count", .value = ves_bytes_str("3"), .is_typed = true},
        {.path = "/note", .value = {NULL, 0}},
    };
    const struct ves_resolve_options answered = {.id = text_of(&branch),
                                                 .strategy = "manual",
                                                 .sets = sets,
                                                 .set_count = 3};

    (void)state;
    assert_int_equal(try(till, &bare), VES_OK);
    assert_string_equal(test_text(&doc, "/outcome"), "awaiting_user");
    assert_int_equal(test_count(&doc, "/choices"), 4);
    assert_int_equal(test_number(&doc, "/remainingConflicts"), 1);
    assert_int_equal(test_shop_push(&shop, till), 0);
    assert_int_equal(try(till, &answered), VES_OK);
    sync_both();
    /* text stays text where there was text */
    assert_string_equal(member(office, "/state/email"), "\"0123\"");
    assert_string_equal(member(office, "/state/count"), "3");
    assert_string_equal(member(office, "/state/note"), "-");
    assert_int_equal(open_conflicts(office), 0);
}

static void dry_run(void **state)
{
    struct ves_uuid branch = same_field();
    const struct ves_resolve_options options = {
        .id = text_of(&branch), .strategy = "accept_local", .dry_run = true};

    (void)state;
    assert_int_equal(try(till, &options), VES_OK);
    assert_string_equal(test_text(&doc, "/outcome"), "preview");
    assert_string_equal(test_text(&doc, "/state/email"), "office");
    assert_string_equal(test_text(&doc, "/before/email"), "till");
    assert_string_equal(test_text(&doc, "/changes/0/path"), "/email");
    assert_string_equal(test_text(&doc, "/changes/0/to"), "office");
    assert_int_equal(test_shop_push(&shop, till), 0);
    assert_int_equal(open_conflicts(till), 1);
}

/* ---- twice, late, moved -------------------------------------------------- */

static void once_is_enough(void **state)
{
    struct ves_uuid branch = same_field();
    const struct ves_resolve_options other = {.id = text_of(&branch),
                                              .strategy = "accept_remote"};
    char first[40];

    (void)state;
    resolve(till, text_of(&branch), "accept_local");
    snprintf(first, sizeof(first), "%s", test_text(&doc, "/resultEventId"));
    resolve(till, text_of(&branch), "accept_local");
    assert_string_equal(test_text(&doc, "/outcome"), "already_resolved");
    assert_string_equal(test_text(&doc, "/resultEventId"), first);
    assert_int_equal(try(till, &other), VES_AGAIN);
    assert_problem("RESOLUTION_PENDING");
    sync_both();
    assert_int_equal(try(till, &other), VES_OK);
    assert_string_equal(test_text(&doc, "/outcome"), "already_resolved");
    assert_string_equal(test_text(&doc, "/resolution/eventId"), first);
    assert_int_equal(test_shop_push(&shop, till), 0);
}

static void the_second_is_told_why(void **state)
{
    struct ves_uuid branch = same_field(), lost;

    (void)state;
    resolve(till, text_of(&branch), "accept_local");
    resolve(office, text_of(&branch), "accept_remote");
    assert_int_equal(
        ves_uuid_parse(ves_bytes_str(test_text(&doc, "/resultEventId")), &lost),
        VES_OK);
    sync_both();
    sync_both();
    assert_string_equal(member(office, "/state/email"), "\"office\"");
    assert_int_equal(open_conflicts(office), 0);
    show(office, text_of(&branch));
    assert_int_equal(test_count(&doc, "/decisions"), 2);
    assert_true(test_is_true(&doc, "/decisions/0/inEffect"));
    assert_string_equal(test_text(&doc, "/decisions/1/verdict"), "superseded");
    assert_string_equal(test_text(&doc, "/decisions/1/subCode"),
                        "already_resolved");
    assert_int_equal(ves_agent_why(office, &lost, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_non_null(strstr(test_text(&doc, "/explanation"),
                           "another decision of it came first"));
    assert_same_states();
}

/* Nothing would ever set it free, so that is what is said. */
static void who_depends_on_a_lost_decision_is_told(void **state)
{
    struct ves_uuid branch = same_field(), lost, waits, next;
    struct ves_append what = {.type = "order.cancelled",
                              .aggregate_id = "O-9",
                              .payload = ves_bytes_str("{}"),
                              .deps = &lost,
                              .dep_count = 1};

    (void)state;
    resolve(till, text_of(&branch), "accept_local");
    resolve(office, text_of(&branch), "accept_remote");
    assert_int_equal(
        ves_uuid_parse(ves_bytes_str(test_text(&doc, "/resultEventId")), &lost),
        VES_OK);
    test_shop_append(office, "order.created", "O-9",
                     "{\"currency\":\"GBP\",\"lines\":[]}");
    assert_int_equal(ves_append(office, &what, &waits, &error), VES_OK);
    sync_both();
    sync_both();
    assert_int_equal(ves_agent_why(office, &waits, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    const char *words = test_text(&doc, "/explanation");
    assert_non_null(strstr(words, "Judged: waiting"));
    assert_non_null(strstr(words, text_of(&lost)));
    assert_non_null(strstr(words, "it waits for ever"));
    assert_non_null(strstr(words, "append a new event"));

    /* One that can still come free is told otherwise. */
    what.deps = &waits;
    assert_int_equal(ves_append(office, &what, &next, &error), VES_OK);
    sync_both();
    assert_int_equal(ves_agent_why(office, &next, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    words = test_text(&doc, "/explanation");
    assert_non_null(strstr(words, "which waits itself"));
    assert_null(strstr(words, "for ever"));
}

static void what_moved_is_named(void **state)
{
    char reviewed[40], version[80];
    struct ves_uuid expected, branch = same_field();
    struct ves_resolve_options options = {.id = text_of(&branch),
                                          .strategy = "accept_local",
                                          .expected_remote = &expected};

    (void)state;
    show(till, text_of(&branch));
    snprintf(reviewed, sizeof(reviewed), "%s",
             test_text(&doc, "/remoteEventId"));
    snprintf(version, sizeof(version), "%s",
             test_text(&doc, "/conflictVersion"));
    struct ves_uuid newer = test_shop_append(
        till, "order.updated", "O1", "{\"patch\":{\"email\":\"newer\"}}");
    sync_both();
    assert_int_equal(ves_uuid_parse(ves_bytes_str(reviewed), &expected),
                     VES_OK);
    assert_int_equal(try(office, &options), VES_CONFLICT);
    assert_problem("CONFLICT_CHANGED");
    assert_string_equal(test_text(&doc, "/problem/remoteEventId"),
                        text_of(&newer));
    assert_string_equal(test_text(&doc, "/problem/changed/0/eventId"),
                        text_of(&newer));
    options.expected_remote = NULL;
    options.expected_version = version;
    assert_int_equal(try(office, &options), VES_CONFLICT);
    assert_problem("CONFLICT_CHANGED");
    expected = newer;
    options.expected_remote = &expected;
    options.expected_version = NULL;
    assert_int_equal(try(office, &options), VES_OK);
}

/* Decided on a state that others had changed meanwhile: recorded, no effect. */
static void the_head_moved(void **state)
{
    struct ves_uuid branch = same_field();

    (void)state;
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"email\":\"newer\"}}");
    sync_store(till);
    resolve(office, text_of(&branch), "accept_local");
    sync_store(office);
    sync_both();
    assert_int_equal(open_conflicts(office), 1);
    assert_string_equal(member(office, "/state/email"), "\"newer\"");
    show(office, text_of(&branch));
    assert_string_equal(test_text(&doc, "/decisions/0/subCode"), "head_moved");
    assert_int_equal(test_count(&doc, "/theirs/events"), 2);
    resolve(office, text_of(&branch), "accept_local");
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(till), 0);
    assert_string_equal(member(till, "/state/email"), "\"office\"");
}

static void taking_back(void **state)
{
    struct ves_uuid branch = same_field();
    char id[80];

    (void)state;
    resolve(till, text_of(&branch), "accept_local");
    snprintf(id, sizeof(id), "%s", test_text(&doc, "/conflictId"));
    sync_both();
    assert_int_equal(ves_resolve_undo(office, text_of(&branch), "wrong", true,
                                      doc.jw, &error),
                     VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/outcome"), "preview");
    assert_string_equal(test_text(&doc, "/state/email"), "till");
    assert_int_equal(
        ves_resolve_undo(office, id, "wrong", false, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/strategy"), "undo");
    assert_string_equal(test_text(&doc, "/outcome"), "resolved");
    /* It will be open again. */
    assert_int_equal(test_number(&doc, "/remainingConflicts"), 1);
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(till), 1);
    assert_string_equal(test_text(&doc, "/conflicts/0/conflictId"), id);
    assert_string_equal(member(till, "/state/email"), "\"till\"");
    assert_string_equal(member(till, "/state/note"), "\"n\"");
    assert_same_states();
    /* and decided again */
    resolve(till, text_of(&branch), "accept_remote");
    sync_both();
    assert_int_equal(open_conflicts(office), 0);
    show(till, text_of(&branch));
    assert_int_equal(test_count(&doc, "/decisions"), 3);
}

static void taking_back_what_was_built_on(void **state)
{
    struct ves_uuid branch = same_field();

    (void)state;
    assert_int_equal(
        ves_resolve_undo(till, text_of(&branch), NULL, false, doc.jw, &error),
        VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/outcome"), "already_resolved");
    resolve(till, text_of(&branch), "accept_local");
    sync_both();
    struct ves_uuid later = test_shop_append(
        office, "order.updated", "O1", "{\"patch\":{\"email\":\"later\"}}");
    sync_both();
    sync_both();
    assert_int_equal(
        ves_resolve_undo(till, text_of(&branch), NULL, false, doc.jw, &error),
        VES_CONFLICT);
    test_document_read(&doc);
    assert_problem("CONFLICT_CHANGED");
    assert_string_equal(test_text(&doc, "/problem/changed/0/eventId"),
                        text_of(&later));
}

/* What this store wrote over it counts before it has a number: the log would
 * set the undo aside. */
static void taking_back_what_an_own_change_was_built_on(void **state)
{
    struct ves_uuid branch = same_field();

    (void)state;
    resolve(till, text_of(&branch), "accept_local");
    sync_both();
    sync_both();
    struct ves_uuid other = test_shop_append(till, "order.updated", "O1",
                                             "{\"patch\":{\"apart\":\"x\"}}");
    struct ves_uuid later = test_shop_append(
        till, "order.updated", "O1", "{\"patch\":{\"email\":\"later\"}}");
    assert_int_equal(
        ves_resolve_undo(till, text_of(&branch), NULL, false, doc.jw, &error),
        VES_CONFLICT);
    test_document_read(&doc);
    assert_problem("CONFLICT_CHANGED");
    assert_int_equal(test_count(&doc, "/problem/changed"), 1);
    assert_string_equal(test_text(&doc, "/problem/changed/0/eventId"),
                        text_of(&later));
    (void)other;
}

/* ---- facts, deletes, tails ----------------------------------------------- */

static void facts_stand(void **state)
{
    const struct ves_resolve_options branch_wins = {.strategy = "accept_local"};
    struct ves_resolve_options options = branch_wins;

    (void)state;
    test_shop_append(till, "order.created", "O1", "{\"note\":\"n\"}");
    sync_both();
    test_shop_append(till, "order.shipped", "O1",
                     "{\"shipment_id\":\"S\",\"tracking_number\":\"T1\"}");
    struct ves_uuid cancel = test_shop_append(office, "order.cancelled", "O1",
                                              "{\"reason\":\"no\"}");
    sync_both();
    assert_int_equal(open_conflicts(till), 1);
    assert_string_equal(test_text(&doc, "/conflicts/0/subCode"),
                        "state_transition");
    assert_string_equal(test_text(&doc, "/conflicts/0/suggestedStrategy"),
                        "accept_remote");
    options.id = text_of(&cancel);
    assert_int_equal(try(till, &options), VES_FORBIDDEN);
    assert_problem("STRATEGY_NOT_ALLOWED");
    resolve(till, text_of(&cancel), "accept_remote");
    sync_both();
    assert_int_equal(open_conflicts(office), 0);
    assert_string_equal(member(office, "/state/status"), "\"shipped\"");
}

/* Two parcels of one number: whatever is decided says which tracking number
 * is right, or the one that lost would be nowhere. */
static void a_fact_is_not_passed_over(void **state)
{
    struct ves_resolve_options options = {.strategy = "manual"};
    struct ves_resolve_set set = {.path = "/note",
                                  .value = ves_bytes_str("\"x\"")};

    (void)state;
    test_shop_append(till, "order.created", "O1", "{\"note\":\"n\"}");
    sync_both();
    test_shop_append(till, "order.shipped", "O1",
                     "{\"shipment_id\":\"S\",\"tracking_number\":\"T1\"}");
    struct ves_uuid branch =
        test_shop_append(office, "order.shipped", "O1",
                         "{\"shipment_id\":\"S\",\"tracking_number\":\"T2\"}");
    sync_both();
    assert_int_equal(open_conflicts(till), 1);
    assert_string_equal(test_text(&doc, "/conflicts/0/subCode"), "fact_fact");
    options.id = text_of(&branch);
    options.sets = &set;
    options.set_count = 1;
    assert_int_equal(try(till, &options), VES_FORBIDDEN);
    assert_problem("STRATEGY_NOT_ALLOWED");
    /* It stays as it is, and says so. */
    set.path = "/shipments/S/tracking_number";
    set.value = ves_bytes_str("\"T1\"");
    assert_int_equal(try(till, &options), VES_OK);
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(office), 0);
    assert_same_states();
}

static void deleted_and_changed(void **state)
{
    (void)state;
    test_shop_append(till, "order.created", "O1", "{\"note\":\"n\"}");
    sync_both();
    test_shop_append(till, "order.deleted", "O1", "{}");
    struct ves_uuid edit = test_shop_append(office, "order.updated", "O1",
                                            "{\"patch\":{\"note\":\"m\"}}");
    sync_both();
    assert_int_equal(open_conflicts(till), 1);
    assert_string_equal(test_text(&doc, "/conflicts/0/conflictType"),
                        "deleted_reference");
    show(till, text_of(&edit));
    assert_true(test_is_true(&doc, "/isDeleted"));
    resolve(office, text_of(&edit), "accept_local");
    assert_false(test_is_true(&doc, "/isDeleted"));
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(till), 0);
    assert_string_equal(member(till, "/state/note"), "\"m\"");
    assert_same_states();
    /* it is there again: a change is no conflict */
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"note\":\"o\"}}");
    sync_both();
    assert_int_equal(open_conflicts(till), 0);
}

static const char *why(struct ves_agent *agent, const struct ves_uuid *id)
{
    assert_int_equal(ves_agent_why(agent, id, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    return test_text(&doc, "/explanation");
}

/* What a delete's author did not know to refer to it is named at every store;
 * what it had seen is not, nor what refers to something else. */
static void what_a_delete_leaves_dangling_is_named(void **state)
{
    static const char words[] = "What it deletes is referred to by: ";
    char expected[128];

    (void)state;
    test_shop_append(office, "customer.created", "C1", "{\"name\":\"a\"}");
    test_shop_append(office, "customer.created", "C2", "{\"name\":\"b\"}");
    test_shop_append(till, "order.created", "O1", "{\"customer_id\":\"C1\"}");
    sync_both();
    sync_both();
    struct ves_uuid sale = test_shop_append(till, "order.created", "O2",
                                            "{\"customer_id\":\"C1\"}");
    test_shop_append(till, "order.created", "O3", "{\"customer_id\":\"C2\"}");
    sync_store(till);
    struct ves_uuid delete =
        test_shop_append(office, "customer.deleted", "C1", "{}");
    sync_both();
    snprintf(expected, sizeof(expected), "%s%s.", words, text_of(&sale));
    assert_non_null(strstr(why(till, &delete), expected));
    assert_non_null(strstr(why(office, &delete), expected));

    struct ves_uuid known =
        test_shop_append(till, "customer.deleted", "C2", "{}");
    sync_both();
    assert_null(strstr(why(till, &known), words));
}

static void tails_are_decided_with_their_head(void **state)
{
    (void)state;
    test_shop_append(till, "order.created", "O1", "{\"note\":\"n\"}");
    sync_both();
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"note\":\"t\"}}");
    struct ves_uuid branch = test_shop_append(office, "order.updated", "O1",
                                              "{\"patch\":{\"note\":\"1\"}}");
    struct ves_uuid tail = test_shop_append(office, "order.updated", "O1",
                                            "{\"patch\":{\"more\":\"2\"}}");
    sync_both();
    assert_int_equal(open_conflicts(till), 1);
    assert_int_equal(test_number(&doc, "/conflicts/0/branchEvents"), 2);
    resolve(till, text_of(&tail), "accept_local");
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(office), 0);
    assert_string_equal(member(office, "/state/note"), "\"1\"");
    assert_string_equal(member(office, "/state/more"), "\"2\"");
    assert_same_states();
    (void)branch;
}

/* Decided before a tail arrived: the branch grew, the decision has no effect.
 */
static void own_edits_go_first(void **state)
{
    struct ves_uuid branch;
    struct ves_resolve_options options = {.strategy = "accept_local"};

    (void)state;
    test_shop_append(till, "order.created", "O1", "{\"note\":\"n\"}");
    sync_both();
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"note\":\"t\"}}");
    sync_store(till);
    branch = test_shop_append(office, "order.updated", "O1",
                              "{\"patch\":{\"note\":\"1\"}}");
    (void)test_shop_push(&shop, office);
    /* written before the conflict was known */
    test_shop_append(office, "order.updated", "O1", "{\"patch\":{\"x\":1}}");
    (void)test_shop_pull(&shop, office);
    options.id = text_of(&branch);
    assert_int_equal(try(office, &options), VES_AGAIN);
    assert_problem("SYNC_FIRST");
    sync_store(office);
    assert_int_equal(try(office, &options), VES_OK);
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(till), 0);
}

/* The answer to a push says that there is a conflict; with what, the next pull
 * does.  Nobody is sent round in a circle meanwhile. */
static void pushed_and_not_pulled(void **state)
{
    struct ves_uuid branch;
    struct ves_resolve_options options = {.strategy = "accept_local"};

    (void)state;
    test_shop_append(till, "order.created", "O1", "{\"note\":\"n\"}");
    sync_both();
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"note\":\"t\"}}");
    sync_store(till);
    branch = test_shop_append(office, "order.updated", "O1",
                              "{\"patch\":{\"note\":\"o\"}}");
    (void)test_shop_push(&shop, office);
    options.id = text_of(&branch);
    assert_int_equal(try(office, &options), VES_AGAIN);
    assert_problem("SYNC_FIRST");
    assert_non_null(strstr(error.text, "ves sync"));

    read_conflicts(office, NULL);
    assert_non_null(strstr(test_text(&doc, "/summary"), "ves sync"));
    assert_string_equal(test_text(&doc, "/nextSteps/0"), "ves sync");

    assert_int_equal(ves_agent_standing(office, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/health"), "attention");
    const struct ves_json *lag =
        ves_json_pointer(doc.root, ves_bytes_str("/sequence/lag"));
    assert_memory_equal(lag->text.ptr, "2", lag->text.len);
    assert_string_equal(test_text(&doc, "/nextSteps/1"), "ves sync");

    (void)test_shop_pull(&shop, office);
    assert_int_equal(try(office, &options), VES_OK);
    sync_both();
    assert_int_equal(open_conflicts(till), 0);
}

static struct ves_uuid late_branch;

static void till_decides_and_office_pulls(void)
{
    sync_store(till);
    resolve(till, text_of(&late_branch), "accept_remote");
    sync_store(till);
    (void)test_shop_pull(&shop, office);
}

/* The reply to a push is older than what the log has told since. */
static void decided_before_the_reply(void **state)
{
    struct ves_ack_report ack;

    (void)state;
    test_shop_append(till, "order.created", "O1", "{\"note\":\"n\"}");
    sync_both();
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"note\":\"t\"}}");
    sync_store(till);
    late_branch = test_shop_append(office, "order.updated", "O1",
                                   "{\"patch\":{\"note\":\"o\"}}");
    (void)test_shop_push_late(&shop, office, till_decides_and_office_pulls);
    assert_int_equal(open_conflicts(office), 0);
    assert_int_equal(ves_acknowledge(office, NULL, 0, &ack, &error), VES_OK);
    assert_int_equal(ves_agent_show(office, &late_branch, doc.jw, &error),
                     VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/status"), "synced");
    assert_string_equal(test_text(&doc, "/disposition"), "overridden");
}

/* Every id that a list shows can be given back. */
static void later_events_are_named(void **state)
{
    struct ves_uuid branch = same_field();

    (void)state;
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"email\":\"newer\"}}");
    sync_both();
    read_conflicts(office, NULL);
    char remote[VES_UUID_TEXT + 1];
    snprintf(remote, sizeof(remote), "%s",
             test_text(&doc, "/conflicts/0/remoteEventId"));
    show(office, remote);
    assert_string_equal(test_text(&doc, "/eventId"), text_of(&branch));
    assert_string_equal(test_text(&doc, "/ours/side"), "applied");
    resolve(office, remote, "accept_local");
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(till), 0);
    assert_string_equal(member(till, "/state/email"), "\"newer\"");
}

static void others_conflict_is_a_reason(void **state)
{
    (void)state;
    (void)same_field();
    assert_int_equal(ves_agent_standing(till, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/health"), "attention");
    assert_int_equal(test_count(&doc, "/reasons"), 1);
}

/* ---- arguments ----------------------------------------------------------- */

static void arguments(void **state)
{
    char longer[600];
    struct ves_uuid branch = same_field();
    struct ves_resolve_options options = {.id = text_of(&branch)};
    struct ves_resolve_set set = {.path = "email", .value = ves_bytes_str("1")};

    (void)state;
    options.strategy = "accept";
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_problem("INVALID_ARGUMENT");
    options.strategy = "accept_local";
    options.patch = ves_bytes_str("{}");
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_problem("PAYLOAD_NOT_ALLOWED");
    options.strategy = "merge";
    options.patch = ves_bytes_str("[1]");
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_problem("PAYLOAD_INVALID");
    options.patch = ves_bytes_str("{\"a\":1,}");
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_problem("PAYLOAD_INVALID");
    options.patch = ves_bytes_str("{\"_ves\":{}}");
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_problem("PAYLOAD_INVALID");
    options.patch = ves_bytes(NULL, 0);
    options.sets = &set;
    options.set_count = 1;
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_problem("PAYLOAD_INVALID");
    set.path = "/email";
    set.value = ves_bytes_str("{");
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_problem("PAYLOAD_INVALID");
    options.set_count = 0;
    memset(longer, 'a', sizeof(longer));
    longer[501] = '\0';
    options.reason = longer;
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_problem("INVALID_ARGUMENT");
    options.reason = NULL;
    options.resolver = "policy";
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_problem("INVALID_ARGUMENT");
    assert_int_equal(test_shop_push(&shop, till), 0);
}

/* No schema of any event has seen what a person writes into a decision. */
static void values_are_checked(void **state)
{
    static const struct {
        const char *patch, *path;
    } rows[] = {
        {"{\"currency\":\"pounds\"}", "/currency"},
        {"{\"lines\":[{\"sku\":\"A\"}]}", "/lines/0/quantity"},
        {"{\"totals\":{\"tax_minor\":1.5}}", "/totals/tax_minor"},
    };
    static const char *const strategies[] = {"manual", "merge"};
    struct ves_uuid branch = same_field();
    struct ves_resolve_options options = {.id = text_of(&branch)};
    struct ves_resolve_set set = {.path = "/total_minor",
                                  .value = ves_bytes_str("much"),
                                  .is_typed = true};

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        options.strategy = strategies[i % 2];
        options.patch = ves_bytes_str(rows[i / 2].patch);
        options.dry_run = i > 3;
        assert_int_equal(try(till, &options), VES_INVALID);
        assert_problem("PAYLOAD_INVALID");
        assert_string_equal(test_text(&doc, "/problem/path"), rows[i / 2].path);
        assert_non_null(strstr(error.text, rows[i / 2].path));
        assert_non_null(strstr(error.text, "nothing was changed"));
    }
    options.dry_run = false;
    options.patch = ves_bytes(NULL, 0);
    options.sets = &set;
    options.set_count = 1;
    assert_int_equal(try(till, &options), VES_INVALID);
    assert_string_equal(test_text(&doc, "/problem/path"), "/total_minor");
    assert_int_equal(test_shop_push(&shop, till), 0);
    assert_int_equal(open_conflicts(till), 1);
    /* Text is what a status is, however it looks; money is a number. */
    set.path = "/status";
    set.value = ves_bytes_str("404");
    assert_int_equal(try(till, &options), VES_OK);
    sync_both();
    sync_both();
    assert_string_equal(member(office, "/state/status"), "\"404\"");
}

/* ---- without being asked ------------------------------------------------- */

static void policies(void **state)
{
    struct ves_auto_report report;
    struct ves_uuid branch = same_field();

    (void)state;
    assert_int_equal(ves_resolve_automatic(office, &report, &error), VES_OK);
    assert_int_equal(report.resolved, 0);
    assert_int_equal(
        ves_agent_set(office, "conflictStrategy.order", "accept_local", &error),
        VES_OK);
    assert_int_equal(
        ves_agent_set(till, "conflictStrategy.order", "accept_remote", &error),
        VES_OK);
    /* not where the branch was written */
    assert_int_equal(ves_resolve_automatic(till, &report, &error), VES_OK);
    assert_int_equal(report.resolved, 0);
    assert_int_equal(ves_resolve_automatic(office, &report, &error), VES_OK);
    assert_int_equal(report.resolved, 1);
    assert_int_equal(ves_resolve_automatic(office, &report, &error), VES_OK);
    assert_int_equal(report.resolved, 0);
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(till), 0);
    assert_string_equal(member(till, "/state/email"), "\"office\"");
    read_conflicts(till, "all");
    assert_true(test_is_true(&doc, "/conflicts/0/resolution/isAutomatic"));
    /* what a person took back is not decided again */
    assert_int_equal(
        ves_resolve_undo(till, text_of(&branch), "no", false, doc.jw, &error),
        VES_OK);
    test_document_read(&doc);
    sync_both();
    sync_both();
    assert_int_equal(ves_resolve_automatic(office, &report, &error), VES_OK);
    assert_int_equal(report.resolved, 0);
    assert_int_equal(report.left, 1);
    assert_int_equal(open_conflicts(office), 1);
}

static void assert_automatic(struct ves_agent *agent, uint64_t looked_at,
                             uint64_t resolved)
{
    struct ves_auto_report report;

    assert_int_equal(ves_resolve_automatic(agent, &report, &error), VES_OK);
    assert_int_equal(report.looked_at, looked_at);
    assert_int_equal(report.resolved, resolved);
    assert_int_equal(report.left, looked_at - resolved);
}

/* What was left is not gathered again, until something happened to it or the
 * settings are others. */
static void policies_look_again_when_it_may_matter(void **state)
{
    (void)state;
    (void)same_field();
    assert_int_equal(ves_agent_set(office, "conflictStrategy", "merge", &error),
                     VES_OK);
    assert_automatic(office, 1, 0);
    assert_automatic(office, 1, 0);
    assert_automatic(till, 0, 0);
    /* The other side takes its change back: now it can be merged. */
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"email\":\"a\"}}");
    assert_automatic(office, 1, 0);
    sync_store(till);
    (void)test_shop_pull(&shop, office);
    assert_automatic(office, 1, 1);
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(office), 0);
    assert_string_equal(member(till, "/state/email"), "\"office\"");
    assert_same_states();
}

/* It is in conflict since a number that is none of its entity. */
static void policies_look_again_at_what_waited(void **state)
{
    struct ves_uuid dep, waits;
    const struct ves_append what = {
        .type = "customer.updated",
        .aggregate_id = "C1",
        .payload = ves_bytes_str("{\"patch\":{\"name\":\"office\"}}"),
        .deps = &dep,
        .dep_count = 1};

    (void)state;
    (void)same_field(); /* stays open: its type has no policy */
    test_shop_append(till, "customer.created", "C1", "{\"name\":\"a\"}");
    sync_both();
    test_shop_append(till, "customer.updated", "C1",
                     "{\"patch\":{\"name\":\"till\"}}");
    sync_store(till);
    dep = test_shop_append(till, "order.created", "O7", "{\"email\":\"a\"}");
    assert_int_equal(ves_append(office, &what, &waits, &error), VES_OK);
    sync_store(office);
    assert_int_equal(ves_agent_set(office, "conflictStrategy.customer",
                                   "accept_local", &error),
                     VES_OK);
    assert_automatic(office, 1, 0);
    sync_store(till);
    (void)test_shop_pull(&shop, office);
    assert_automatic(office, 2, 1);
    sync_both();
    sync_both();
    assert_int_equal(open_conflicts(till), 1);
    assert_same_states();
}

/* Decided again at every sync, it would be refused again. */
static void what_was_refused_is_decided_once(void **state)
{
    uint64_t counts[VES_OUTBOX_STATUSES];

    (void)state;
    (void)same_field();
    assert_int_equal(
        ves_agent_set(office, "conflictStrategy.order", "accept_local", &error),
        VES_OK);
    assert_int_equal(ves_sequencer_revoke_key(
                         &shop.hub.sequencer, &shop.hub.stream.tenant,
                         &office->core.agent, 1, shop.hub.now_ms, NULL, NULL),
                     VES_OK);
    assert_automatic(office, 1, 1);
    (void)test_shop_push(&shop, office);
    (void)test_shop_pull(&shop, office);
    for (int i = 0; i < 3; i++)
        assert_automatic(office, 1, 0);
    assert_int_equal(office->store->ops->outbox_counts(office->store, counts),
                     VES_OK);
    assert_int_equal(counts[VES_OUTBOX_FAILED], 1);
    assert_int_equal(counts[VES_OUTBOX_PENDING], 0);
}

static void other_settings_look_at_all_again(void **state)
{
    (void)state;
    (void)same_field();
    assert_int_equal(
        ves_agent_set(office, "conflictStrategy.order", "merge", &error),
        VES_OK);
    assert_automatic(office, 1, 0);
    assert_automatic(office, 1, 0);
    assert_int_equal(
        ves_agent_set(office, "conflictStrategy.order", "accept_local", &error),
        VES_OK);
    assert_automatic(office, 1, 1);
    /* On its way: no conflict of anybody's to decide. */
    assert_automatic(office, 0, 0);
}

/* What is decided and not synced yet is no more to do, however much it is. */
static void many_decisions_on_their_way(void **state)
{
    enum { MANY = 260 };
    char id[8];

    (void)state;
    assert_int_equal(ves_agent_begin(till, &error), VES_OK);
    for (int i = 0; i < MANY; i++) {
        snprintf(id, sizeof(id), "M%d", i);
        test_shop_append(till, "order.created", id, "{\"email\":\"a\"}");
    }
    assert_int_equal(ves_agent_commit(till, &error), VES_OK);
    sync_both();
    struct ves_agent *both[] = {till, office};
    for (int k = 0; k < 2; k++) {
        assert_int_equal(ves_agent_begin(both[k], &error), VES_OK);
        for (int i = 0; i < MANY; i++) {
            snprintf(id, sizeof(id), "M%d", i);
            test_shop_append(both[k], "order.updated", id,
                             k ? "{\"patch\":{\"email\":\"b\"}}"
                               : "{\"patch\":{\"email\":\"c\"}}");
        }
        assert_int_equal(ves_agent_commit(both[k], &error), VES_OK);
    }
    sync_both();
    assert_int_equal(
        ves_agent_set(office, "conflictStrategy", "accept_local", &error),
        VES_OK);
    assert_automatic(office, MANY, MANY);
    const struct ves_conflicts_filter all = {.limit = 1};
    assert_int_equal(ves_conflicts(office, &all, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/open"), MANY);
    char event[VES_UUID_TEXT + 1];
    snprintf(event, sizeof(event), "%s",
             test_text(&doc, "/conflicts/0/eventId"));
    resolve(office, event, "accept_local");
    assert_string_equal(test_text(&doc, "/outcome"), "already_resolved");
    assert_int_equal(test_number(&doc, "/remainingConflicts"), 0);
}

static void policy_settings(void **state)
{
    (void)state;
    assert_int_equal(
        ves_agent_set(till, "conflictStrategy.order", "merge", &error), VES_OK);
    assert_int_equal(
        ves_agent_set(till, "conflictStrategy.customer", "manual", &error),
        VES_OK);
    assert_int_equal(
        ves_agent_set(till, "conflictStrategy.order", "accept_local", &error),
        VES_OK);
    assert_int_equal(ves_agent_settings(till, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/conflictStrategies/order"),
                        "accept_local");
    assert_string_equal(test_text(&doc, "/conflictStrategies/customer"),
                        "manual");
    assert_int_equal(
        ves_agent_set(till, "conflictStrategy.order", "default", &error),
        VES_OK);
    assert_int_equal(ves_agent_settings(till, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_int_equal(test_count(&doc, "/conflictStrategies"), 1);
    assert_int_equal(
        ves_agent_set(till, "conflictStrategy.order", "guess", &error),
        VES_INVALID);
    assert_int_equal(
        ves_agent_set(till, "conflictStrategy.Order", "merge", &error),
        VES_INVALID);
}

/* ---- told in words ------------------------------------------------------- */

static void history_says_who_and_why(void **state)
{
    struct ves_uuid branch = same_field();

    (void)state;
    assert_int_equal(ves_agent_status(office, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/health"), "attention");
    assert_int_equal(test_number(&doc, "/counts/conflict"), 1);
    assert_int_equal(test_number(&doc, "/conflictsByType/concurrent_edit"), 1);
    assert_int_equal(ves_agent_status(till, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_int_equal(test_number(&doc, "/counts/conflict"), 0);
    assert_int_equal(test_number(&doc, "/conflictsByType/concurrent_edit"), 1);
    resolve(till, text_of(&branch), "accept_local");
    sync_both();
    sync_both();
    for (int i = 0; i < 2; i++) {
        struct ves_agent *agent = i ? till : office;
        assert_int_equal(ves_agent_status(agent, doc.jw, &error), VES_OK);
        test_document_read(&doc);
        assert_int_equal(test_number(&doc, "/conflictsByType/concurrent_edit"),
                         0);
        assert_int_equal(test_number(&doc, "/counts/conflict"), 0);
        assert_int_equal(ves_agent_why(agent, &branch, doc.jw, &error), VES_OK);
        test_document_read(&doc);
        const char *words = test_text(&doc, "/explanation");
        assert_non_null(strstr(words, "which is resolved"));
        assert_non_null(strstr(words, "because: tested"));
        assert_non_null(strstr(words, "(person) decided \"accept_local\""));
    }
}

/* ---- refused by a sequencer without branches ------------------------------
 */

static bool is_gone(const struct ves_lease *holder)
{
    (void)holder;
    return false;
}

/* All that is pending, these, is refused for a stale base, unsigned. */
static void refuse_stale(struct ves_agent *agent, const struct ves_uuid *ids,
                         size_t count)
{
    const struct ves_lease self = {.pid = 1, .process_start = 1};
    const struct ves_core_env env = {.now_ms = 1, .random = {1}};
    struct ves_push_result result = {0};
    struct ves_push push = {0};
    struct ves_buf reply;

    ves_buf_init(&reply, agent->alloc, (size_t)1 << 20);
    ves_buf_putf(&reply,
                 "{\"events_accepted\":0,\"events_rejected\":%zu,"
                 "\"rejections\":[",
                 count);
    for (size_t i = 0; i < count; i++)
        ves_buf_putf(&reply,
                     "%s{\"event_id\":\"%s\",\"reason\":\"version_conflict: "
                     "expected 1, actual 2\"}",
                     i > 0 ? "," : "", text_of(&ids[i]));
    ves_buf_put_str(&reply, "],\"receipts\":[]}");
    ves_buf_init(&push.body, agent->alloc, (size_t)1 << 20);
    assert_int_equal(
        ves_core_push_begin(&agent->core, &self, is_gone, 1, 10, true, &push),
        VES_OK);
    assert_int_equal(push.count, count);
    assert_int_equal(ves_core_push_end(&agent->core, &push, &env, 200,
                                       ves_buf_view(&reply), 0, &result),
                     VES_OK);
    ves_core_push_release(&agent->core, &push);
    ves_push_free(&push, agent->alloc);
    ves_buf_free(&reply);
}

/* O1 is known to both; the office's change of it is refused. */
static struct ves_uuid refused(void)
{
    test_shop_append(till, "order.created", "O1",
                     "{\"email\":\"a\",\"note\":\"n\"}");
    sync_both();
    struct ves_uuid id = test_shop_append(office, "order.updated", "O1",
                                          "{\"patch\":{\"email\":\"office\"}}");
    refuse_stale(office, &id, 1);
    test_shop_append(till, "order.updated", "O1",
                     "{\"patch\":{\"note\":\"till\"}}");
    sync_store(till);
    (void)test_shop_pull(&shop, office);
    return id;
}

static void refused_and_written_again(void **state)
{
    struct ves_uuid id = refused();
    uint64_t retried;

    (void)state;
    assert_int_equal(open_conflicts(office), 1);
    assert_true(test_is_true(&doc, "/conflicts/0/isRefused"));
    assert_string_equal(test_text(&doc, "/conflicts/0/conflictType"),
                        "version_mismatch");
    assert_int_equal(test_number(&doc, "/open"), 1);
    assert_int_equal(open_conflicts(till), 0);
    show(office, text_of(&id));
    assert_string_equal(test_text(&doc, "/fields/0/path"), "/email");
    assert_string_equal(test_text(&doc, "/fields/0/ours"), "office");
    assert_string_equal(test_text(&doc, "/fields/0/theirs"), "a");
    resolve(office, text_of(&id), "accept_local");
    assert_string_equal(test_text(&doc, "/outcome"), "resolved");
    assert_string_equal(test_text(&doc, "/changes/0/to"), "office");
    assert_int_equal(test_number(&doc, "/remainingConflicts"), 0);
    /* never again under its old id */
    assert_int_equal(ves_agent_retry(office, NULL, &retried, &error), VES_OK);
    assert_int_equal(retried, 0);
    assert_int_equal(ves_agent_retry(office, &id, &retried, &error), VES_OK);
    assert_int_equal(retried, 0);
    assert_int_equal(test_shop_push(&shop, office), 1);
    sync_both();
    assert_int_equal(open_conflicts(office), 0);
    assert_string_equal(member(till, "/state/email"), "\"office\"");
    assert_string_equal(member(till, "/state/note"), "\"till\"");
    assert_same_states();
    assert_int_equal(ves_agent_show(office, &id, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/disposition"), "reissued");
    assert_int_equal(ves_agent_status(office, doc.jw, &error), VES_OK);
    test_document_read(&doc);
    assert_string_equal(test_text(&doc, "/health"), "pending_work");
}

/* Every conflict once, whatever the size of the page: pages of those with a
 * record go on into those without. */
static size_t walk(struct ves_conflicts_filter filter, uint64_t total)
{
    char seen[16][VES_UUID_TEXT + 1];
    uint64_t next, place = 0;
    size_t count = 0;

    do {
        assert_int_equal(ves_conflicts(office, &filter, doc.jw, &error),
                         VES_OK);
        test_document_read(&doc);
        assert_int_equal(test_number(&doc, "/total"), total);
        size_t n = test_count(&doc, "/conflicts");
        assert_true(n <= filter.limit);
        for (size_t i = 0; i < n; i++) {
            char pointer[64];
            snprintf(pointer, sizeof(pointer), "/conflicts/%zu/place", i);
            assert_true(test_number(&doc, pointer) > place);
            place = test_number(&doc, pointer);
            snprintf(pointer, sizeof(pointer), "/conflicts/%zu/eventId", i);
            assert_true(count < 16);
            snprintf(seen[count], sizeof(seen[0]), "%s",
                     test_text(&doc, pointer));
            for (size_t k = 0; k < count; k++)
                assert_string_not_equal(seen[k], seen[count]);
            count++;
        }
        next = 0;
        if (ves_json_get_u64(doc.root, "nextAfter", &next))
            assert_true(next >= place && next > filter.after);
        filter.after = next;
    } while (next > 0);
    return count;
}

static void refused_ones_are_on_the_last_pages(void **state)
{
    static const char *const ids[] = {"A", "B", "C"};
    struct ves_conflicts_filter none = {.limit = 0};
    struct ves_conflicts_filter filter;
    struct ves_uuid refused[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        test_shop_append(till, "order.created", ids[i], "{\"email\":\"a\"}");
        test_shop_append(till, "customer.created", ids[i], "{\"email\":\"a\"}");
    }
    sync_both();
    for (size_t i = 0; i < 3; i++) {
        test_shop_append(till, "order.updated", ids[i],
                         "{\"patch\":{\"email\":\"till\"}}");
        test_shop_append(office, "order.updated", ids[i],
                         "{\"patch\":{\"email\":\"office\"}}");
    }
    sync_both();
    for (size_t i = 0; i < 3; i++)
        refused[i] = test_shop_append(office, "customer.updated", ids[i],
                                      "{\"patch\":{\"email\":\"refused\"}}");
    refuse_stale(office, refused, 3);
    for (none.limit = 1; none.limit < 8; none.limit++) {
        assert_int_equal(walk(none, 6), 6);
        filter = none;
        filter.state = "all";
        assert_int_equal(walk(filter, 6), 6);
        filter = none;
        filter.entity_id = "B";
        assert_int_equal(walk(filter, 2), 2);
        filter.entity_type = "customer";
        assert_int_equal(walk(filter, 1), 1);
        filter = none;
        filter.event_type = "customer.updated";
        assert_int_equal(walk(filter, 3), 3);
        filter.event_type = "order.updated";
        assert_int_equal(walk(filter, 3), 3);
        filter = none;
        filter.conflict_type = "version_mismatch";
        assert_int_equal(walk(filter, 3), 3);
        filter = none;
        filter.state = "resolved";
        assert_int_equal(walk(filter, 0), 0);
    }
}

static void refused_and_set_aside(void **state)
{
    struct ves_uuid id = refused();
    uint64_t retried;

    (void)state;
    resolve(office, text_of(&id), "manual");
    assert_string_equal(test_text(&doc, "/outcome"), "awaiting_user");
    assert_int_equal(open_conflicts(office), 1);
    resolve(office, text_of(&id), "accept_remote");
    assert_int_equal(open_conflicts(office), 0);
    /* never again, and nothing to do about it */
    assert_int_equal(ves_agent_retry(office, NULL, &retried, &error), VES_OK);
    assert_int_equal(retried, 0);
    assert_int_equal(test_shop_push(&shop, office), 0);
    assert_string_equal(member(office, "/localState/email"), "\"a\"");
    assert_string_equal(member(office, "/localState/note"), "\"till\"");
}

static void refused_and_combined(void **state)
{
    struct ves_uuid id = refused();
    const struct ves_resolve_set set = {.path = "/note",
                                        .value = ves_bytes_str("\"both\"")};
    struct ves_resolve_options options = {.id = text_of(&id),
                                          .strategy = "merge"};

    (void)state;
    assert_int_equal(try(office, &options), VES_INVALID);
    assert_problem("MERGE_IMPOSSIBLE");
    options.patch = ves_bytes_str("{\"email\":\"c\"}");
    options.sets = &set;
    options.set_count = 1;
    options.dry_run = true;
    assert_int_equal(try(office, &options), VES_OK);
    assert_string_equal(test_text(&doc, "/state/email"), "c");
    assert_int_equal(open_conflicts(office), 1);
    options.dry_run = false;
    assert_int_equal(try(office, &options), VES_OK);
    sync_both();
    sync_both();
    assert_string_equal(member(till, "/state/email"), "\"c\"");
    assert_string_equal(member(till, "/state/note"), "\"both\"");
    assert_int_equal(open_conflicts(office), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_see_the_same),
        TEST(sides_depend_on_who_is_named),
        TEST(what_is_no_conflict),
        TEST(filters),
        TEST(keep_the_branch),
        TEST(keep_what_was_applied),
        TEST(naming_the_other_side_swaps_the_rows),
        TEST(merging),
        TEST(clean_merge),
        TEST(manual),
        TEST(dry_run),
        TEST(once_is_enough),
        TEST(the_second_is_told_why),
        TEST(who_depends_on_a_lost_decision_is_told),
        TEST(what_moved_is_named),
        TEST(the_head_moved),
        TEST(taking_back),
        TEST(taking_back_what_was_built_on),
        TEST(taking_back_what_an_own_change_was_built_on),
        TEST(facts_stand),
        TEST(a_fact_is_not_passed_over),
        TEST(deleted_and_changed),
        TEST(what_a_delete_leaves_dangling_is_named),
        TEST(tails_are_decided_with_their_head),
        TEST(own_edits_go_first),
        TEST(pushed_and_not_pulled),
        TEST(decided_before_the_reply),
        TEST(others_conflict_is_a_reason),
        TEST(later_events_are_named),
        TEST(arguments),
        TEST(values_are_checked),
        TEST(policies),
        TEST(policies_look_again_when_it_may_matter),
        TEST(policies_look_again_at_what_waited),
        TEST(what_was_refused_is_decided_once),
        TEST(other_settings_look_at_all_again),
        TEST(many_decisions_on_their_way),
        TEST(policy_settings),
        TEST(history_says_who_and_why),
        TEST(refused_and_written_again),
        TEST(refused_ones_are_on_the_last_pages),
        TEST(refused_and_set_aside),
        TEST(refused_and_combined),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("conflicts", tests, NULL, NULL);
}
