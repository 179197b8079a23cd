/* test_rules.c -- documents of event types that users declare. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/effect_read.h"
#include "core/fold.h"
#include "core/judge.h"
#include "core/rules.h"
#include "crypto/crypto.h"
#include "test/lib/test_signer.h"
#include "test/lib/test_util.h"

static struct ves_arena arena;
static struct ves_buf buf;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(ves_crypto_init(), VES_OK);
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 26);
    ves_buf_init(&buf, ves_alloc_default(), (size_t)1 << 24);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    ves_buf_free(&buf);
    return 0;
}

#define REPAIR_TYPE                                                         \
    "{\"name\":\"repair.received\",\"version\":1,\"class\":\"fact\","       \
    "\"merge\":\"fields/1\",\"operations\":[{\"op\":\"create\",\"path\":"   \
    "\"@\"},{\"op\":\"fill\",\"path\":\"\"},{\"op\":\"advance\",\"path\":"  \
    "\"/status\",\"to\":\"received\"}],\"references\":[{\"pointer\":"       \
    "\"/customer_id\",\"entity\":\"customer\"}],\"payload\":[{\"pointer\":" \
    "\"/device\",\"is\":\"text\",\"need\":\"yes\"}]}"
#define REPAIR_ENTITY                                                      \
    "{\"name\":\"repair\",\"lists\":{\"parts\":\"part_id\"},\"ladders\":{" \
    "\"/status\":[\"received\",\"repaired\"]},\"balances\":{\"open\":["    \
    "\"total\",\"done\"]}}"
#define REPAIR \
    "{\"rules\":1,\"entities\":[" REPAIR_ENTITY "],\"types\":[" REPAIR_TYPE "]}"

static struct ves_rules *make(const struct ves_rules *before,
                              const char *document, uint64_t sequence)
{
    struct ves_rules *rules;
    struct ves_error error = {.status = VES_OK};

    enum ves_status status =
        ves_rules_read(ves_alloc_default(), before, ves_bytes_str(document),
                       sequence, &rules, &error);
    if (status)
        fail_msg("%s", error.text);
    return rules;
}

/* Why a document is refused. */
static const char *refusal(const struct ves_rules *before, const char *document)
{
    static struct ves_error error;
    struct ves_rules *rules;

    memset(&error, 0, sizeof(error));
    enum ves_status status =
        ves_rules_read(ves_alloc_default(), before, ves_bytes_str(document), 9,
                       &rules, &error);
    assert_int_not_equal(status, VES_OK);
    assert_null(rules);
    assert_int_equal(error.status, status);
    return error.text;
}

static const struct ves_event_type *type_of(struct ves_rules_at at,
                                            const char *name, uint32_t version)
{
    return ves_rules_type(at, ves_bytes_str(name), version);
}

static void a_document_is_read(void **state)
{
    struct ves_rules *rules = make(NULL, REPAIR, 5);
    struct ves_rules_at at = {rules, 6};
    (void)state;
    const struct ves_event_type *type = type_of(at, "repair.received", 1);
    assert_non_null(type);
    assert_ptr_equal(type, ves_rules_type_at(rules, 0));
    assert_null(ves_rules_type_at(rules, 1));
    assert_string_equal(type->entity_type, "repair");
    assert_int_equal(type->event_class, VES_CLASS_FACT);
    assert_int_equal(type->base, VES_BASE_NONE);
    assert_string_equal(type->merge, VES_MERGE_FIELDS);
    assert_int_equal(type->fold, VES_FOLD_OPERATIONS);
    assert_int_equal(type->operations[2].op, VES_OP_ADVANCE);
    assert_string_equal(type->operations[2].from, "received");
    assert_int_equal(type->operations[3].source, VES_SOURCE_END);
    assert_string_equal(type->references[0].entity_type, "customer");
    assert_null(type->references[1].pointer);
    assert_int_equal(type->fields[0].kind, VES_FIELD_TEXT);
    assert_int_equal(type->fields[0].need, VES_NEED_YES);
    assert_int_equal(type->fields[1].kind, VES_FIELD_END);
    const struct ves_entity_type *entity =
        ves_rules_entity(at, ves_bytes_str("repair"));
    assert_string_equal(entity->lists[0].key, "part_id");
    assert_string_equal(entity->ladders[0].words[1], "repaired");
    assert_string_equal(entity->balances[0].subtrahend, "done");
    /* Built-in entities stay what they are. */
    assert_ptr_equal(ves_rules_entity(at, ves_bytes_str("order")),
                     ves_entity_type_find(ves_bytes_str("order")));
    assert_int_equal(ves_rules_sequence(rules), 5);
    assert_null(ves_rules_before(rules));
    ves_rules_free(rules);
}

static void rules_are_in_force_behind_their_number(void **state)
{
    struct ves_rules *one = make(NULL, REPAIR, 5);
    struct ves_rules *two = make(
        one,
        "{\"rules\":1,\"types\":[{\"name\":\"repair.received\",\"version\":2,"
        "\"class\":\"intent\",\"operations\":[{\"op\":\"edit\"}]}]}",
        8);
    (void)state;
    for (uint64_t n = 1; n <= 10; n++) {
        struct ves_rules_at at = {two, n};
        const struct ves_event_type *first = type_of(at, "repair.received", 1);
        const struct ves_event_type *newest = type_of(at, "repair.received", 0);
        assert_int_equal(first != NULL, n > 5);
        assert_int_equal(newest ? newest->version : 0, n > 8   ? 2
                                                       : n > 5 ? 1
                                                               : 0);
        assert_int_equal(type_of(at, "repair.received", 2) != NULL, n > 8);
        assert_null(type_of(at, "repair.received", 3));
        assert_null(type_of(at, "order.updated", 2));
        assert_ptr_equal(type_of(at, "order.updated", 1),
                         ves_event_type_find(ves_bytes_str("order.updated")));
    }
    assert_null(type_of(VES_RULES_BUILT_IN, "repair.received", 0));
    ves_rules_free(two);
    ves_rules_free(one);
}

#define TYPE(members)                                                    \
    "{\"rules\":1,\"types\":[{\"name\":\"a.b\",\"version\":1,\"class\":" \
    "\"intent\"," members "}]}"
#define OP(members) TYPE("\"operations\":[{" members "}]")
#define EDIT        "\"operations\":[{\"op\":\"edit\"}]"

static void what_is_wrong_is_said(void **state)
{
    static const struct {
        const char *document, *error;
    } rows[] = {
        {"{",
         "the rules are not valid JSON at byte 1: the input ends too early"},
        {"[]", "rules : expected an object"},
        {"{}", "rules /rules: expected 1, the version of this format"},
        {"{\"rules\":1}", "rules : expected types or entities"},
        {"{\"rules\":1,\"x\":1}",
         "rules : a member is not known here; there may be rules, doc, "
         "entities, types"},
        {"{\"rules\":1,\"types\":{}}",
         "rules /types: expected an array of at most 256"},
        {"{\"rules\":1,\"types\":[7]}", "rules /types/0: expected an object"},
        {"{\"rules\":1,\"types\":[{\"name\":\"B.b\"}]}",
         "rules /types/0/name: expected an event type like "
         "\"repair.received\", not of ves"},
        {"{\"rules\":1,\"types\":[{\"name\":\"ves.b\"}]}",
         "rules /types/0/name: expected an event type like "
         "\"repair.received\", not of ves"},
        {"{\"rules\":1,\"types\":[{\"name\":\"a.b\",\"version\":0}]}",
         "rules /types/0/version: expected an integer from 1 on"},
        {"{\"rules\":1,\"types\":[{\"name\":\"order.updated\",\"version\":1}]}",
         "rules /types/0/name: expected an event type that is not built in"},
        {"{\"rules\":1,\"types\":[{\"name\":\"a.b\",\"version\":1}]}",
         "rules /types/0/class: expected one of intent, fact"},
        {"{\"rules\":1,\"types\":[{\"name\":\"a.b\",\"version\":1,\"class\":"
         "\"fact\",\"base\":\"required\"," EDIT "}]}",
         "rules /types/0/base: expected \"none\": a fact needs no base"},
        {TYPE("\"merge\":\"best/1\"," EDIT),
         "rules /types/0/merge: expected the name of a merge function"},
        {TYPE("\"merge\":\"never\""),
         "rules /types/0/operations: expected an array of at least one"},
        {"{\"rules\":1,\"types\":[{\"name\":\"a.b\",\"version\":1,\"class\":"
         "\"intent\"," EDIT "},{\"name\":\"a.b\",\"version\":1,\"class\":"
         "\"intent\"," EDIT "}]}",
         "rules /types/1: expected each name and version once"},
        {OP("\"op\":\"put\""),
         "rules /types/0/operations/0/op: expected one of set, remove, delta, "
         "add_to_set, append, transition, advance, create, fill, patch, edit, "
         "default, delete, restore"},
        {OP("\"op\":\"edit\",\"path\":\"/a\""),
         "rules /types/0/operations/0: a member is not known here; there may "
         "be op"},
        {OP("\"op\":\"set\",\"path\":\"a\",\"from\":\"\""),
         "rules /types/0/operations/0/path: expected a JSON pointer like "
         "\"/a/{id}\" into the state"},
        {OP("\"op\":\"set\",\"path\":\"/a/{\",\"from\":\"\""),
         "rules /types/0/operations/0/path: expected a JSON pointer like "
         "\"/a/{id}\" into the state"},
        {OP("\"op\":\"set\",\"path\":\"/a//b\",\"from\":\"\""),
         "rules /types/0/operations/0/path: expected a JSON pointer like "
         "\"/a/{id}\" into the state"},
        {OP("\"op\":\"set\",\"path\":\"@a\",\"from\":\"\""),
         "rules /types/0/operations/0/path: expected a JSON pointer like "
         "\"/a/{id}\" into the state"},
        {OP("\"op\":\"set\",\"path\":\"/_ves/a\",\"from\":\"\""),
         "rules /types/0/operations/0/path: expected a member other than _ves"},
        {OP("\"op\":\"set\",\"path\":\"/a\""),
         "rules /types/0/operations/0: expected \"from\" (a pointer) or "
         "\"value\", one of them"},
        {OP("\"op\":\"set\",\"path\":\"/a\",\"from\":\"\",\"value\":1"),
         "rules /types/0/operations/0: expected \"from\" (a pointer) or "
         "\"value\", one of them"},
        {OP("\"op\":\"set\",\"path\":\"/a\",\"from\":\"b\""),
         "rules /types/0/operations/0/from: expected a JSON pointer into the "
         "payload"},
        {OP("\"op\":\"set\",\"path\":\"/a\",\"from\":7"),
         "rules /types/0/operations/0/from: expected a text of at most 200 "
         "bytes"},
        {OP("\"op\":\"set\",\"path\":\"/a\",\"from\":\"/\\u0000\""),
         "rules /types/0/operations/0/from: expected a text of at most 200 "
         "bytes"},
        {OP("\"op\":\"delta\",\"path\":\"/a\",\"value\":\"x\""),
         "rules /types/0/operations/0/value: expected a decimal number or "
         "string"},
        {OP("\"op\":\"delta\",\"path\":\"/a\",\"from\":\"/a\",\"negate\":1"),
         "rules /types/0/operations/0/negate: expected true or false"},
        {OP("\"op\":\"advance\",\"path\":\"/s\",\"to\":\"x\""),
         "rules /types/0/operations/0/path: expected the path of a ladder of "
         "the entity"},
        {TYPE("\"operations\":[{\"op\":\"edit\"},{\"op\":\"delete\"}]"),
         "rules /types/0/operations/1: expected delete as the first operation"},
        {TYPE(EDIT ",\"references\":[{\"pointer\":\"\"}]"),
         "rules /types/0/references/0/pointer: expected a JSON pointer like "
         "\"/lines/*/product_id\""},
        {TYPE(EDIT ",\"references\":[{\"pointer\":\"/a\"}]"),
         "rules /types/0/references/0/entity: expected an entity type"},
        {TYPE(EDIT ",\"payload\":[{\"pointer\":\"/a*\"}]"),
         "rules /types/0/payload/0/pointer: expected a JSON pointer like "
         "\"/lines/*/quantity\""},
        {TYPE(EDIT ",\"payload\":[{\"pointer\":\"/a\",\"is\":\"x\"}]"),
         "rules /types/0/payload/0/is: expected one of any, id, text, flag, "
         "quantity, amount, minor, currency, object, patch, before, list, "
         "texts"},
        {"{\"rules\":1,\"entities\":[{\"name\":\"order\"}]}",
         "rules /entities/0/name: expected an entity type that is not built "
         "in"},
        {"{\"rules\":1,\"entities\":[{\"name\":\"ves\"}]}",
         "rules /entities/0/name: expected an entity type: lower-case letters, "
         "digits, - and _"},
        {"{\"rules\":1,\"entities\":[{\"name\":\"a\",\"lists\":{\"b/c\":\"d\"}}"
         "]}",
         "rules /entities/0/lists: expected names of members, each with the "
         "name of its items' key"},
        {"{\"rules\":1,\"entities\":[{\"name\":\"a\",\"ladders\":{\"/"
         "s\":[]}}]}",
         "rules /entities/0/ladders: expected paths, each with an array of 1 "
         "to 32 words"},
        {"{\"rules\":1,\"entities\":[{\"name\":\"a\",\"ladders\":{\"s\":[\"x\"]"
         "}}]}",
         "rules /entities/0/ladders: expected a JSON pointer as path"},
        {"{\"rules\":1,\"entities\":[{\"name\":\"a\",\"balances\":{\"x\":["
         "\"x\",\"y\"]}}]}",
         "rules /entities/0/balances: expected members that are no balances "
         "themselves"},
        {"{\"rules\":1,\"entities\":[{\"name\":\"a\",\"balances\":{\"x\":["
         "\"y\",\"z\"],\"z\":[\"b\",\"c\"]}}]}",
         "rules /entities/0/balances: expected members that are no balances "
         "themselves"},
        {"{\"rules\":1,\"entities\":[{\"name\":\"a\",\"balances\":{\"x\":["
         "\"y\"]}}]}",
         "rules /entities/0/balances: expected names of members, each with an "
         "array of two names: what it is the difference of"},
        {"{\"rules\":1,\"entities\":[" REPAIR_ENTITY "],\"types\":[{\"name\":"
         "\"repair.x\",\"version\":1,\"class\":\"fact\",\"operations\":[{"
         "\"op\":\"advance\",\"path\":\"/status\",\"to\":\"lost\"}]}]}",
         "rules /types/0/operations/0/to: expected a word of the ladder"},
        {"{\"rules\":1,\"entities\":[" REPAIR_ENTITY "],\"types\":[{\"name\":"
         "\"repair.x\",\"version\":1,\"class\":\"fact\",\"operations\":[{"
         "\"op\":\"default\",\"path\":\"/status\",\"value\":\"repaired\"}]}]}",
         "rules /types/0/operations/0/value: expected the lowest word of the "
         "ladder"},
        {"{\"rules\":1,\"entities\":[" REPAIR_ENTITY "],\"types\":[{\"name\":"
         "\"repair.x\",\"version\":1,\"class\":\"fact\",\"operations\":[{"
         "\"op\":\"set\",\"path\":\"/open\",\"from\":\"/a\"}]}]}",
         "rules /types/0/operations/0/path: expected a member that is not a "
         "balance of others"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(refusal(NULL, rows[i].document), rows[i].error);
    /* Only size, not sense, is looked at here. */
    char *large = calloc(1, VES_RULES_MAX + 2);
    assert_non_null(large);
    memset(large, ' ', VES_RULES_MAX + 1);
    assert_string_equal(refusal(NULL, large),
                        "the rules have 262145 bytes; at most 262144 are "
                        "allowed");
    free(large);
}

static void a_version_never_changes(void **state)
{
    struct ves_rules *one = make(NULL, REPAIR, 5);
    (void)state;
    assert_string_equal(
        refusal(one, "{\"rules\":1,\"types\":[{\"name\":\"repair.received\","
                     "\"version\":1,\"class\":\"fact\",\"operations\":[{\"op\":"
                     "\"edit\"}]}]}"),
        "rules /types/0: version 1 of \"repair.received\" was published with "
        "other rules, and a version never changes; publish the next version");
    assert_string_equal(
        refusal(one, "{\"rules\":1,\"entities\":[{\"name\":\"repair\"}]}"),
        "rules /entities/0: the entity type \"repair\" was published with "
        "other rules, and these never change");
    /* The same once more is nothing new, in any spelling. */
    struct ves_rules *two = make(
        one, "{\"types\":[" REPAIR_TYPE "] , \"rules\":1,\"doc\":\"again\"}",
        7);
    assert_null(ves_rules_type_at(two, 0));
    assert_ptr_equal(
        type_of((struct ves_rules_at){two, 8}, "repair.received", 0),
        ves_rules_type_at(one, 0));
    ves_rules_free(two);
    ves_rules_free(one);
}

/* ---- in the log -----------------------------------------------------------
 */

static const struct ves_stream stream = {{{1}}, {{2}}};

/* The event that carries them, signed by an owner. */
static struct ves_event registered(const struct ves_rules *rules,
                                   const struct test_signer *owner)
{
    struct ves_event event = {.stream = stream};
    struct ves_bytes copy;
    struct ves_hash hash;
    struct ves_sig sig;

    ves_rules_hash(&stream, rules, &hash);
    test_signer_sign(owner, &hash, &sig);
    ves_buf_reset(&buf);
    ves_rules_write(&buf, rules, &sig);
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&buf), &copy), VES_OK);
    event.event_type = ves_bytes_str(VES_TYPE_SCHEMA);
    event.entity_type = ves_bytes_str(VES_SCHEMA_ENTITY_TYPE);
    event.entity_id = ves_bytes_str(VES_SCHEMA_ENTITY_ID);
    assert_int_equal(ves_json_read(&arena, copy, NULL, &event.payload, NULL),
                     VES_OK);
    return event;
}

/* Why an event registers nothing, "" when it does. */
static const char *take(const struct ves_event *event,
                        const struct test_signer *owner)
{
    static struct ves_error why;
    struct ves_rules *rules;

    assert_int_equal(ves_rules_registered(ves_alloc_default(), NULL,
                                          &owner->signer.public_key, event, 9,
                                          &rules, &why),
                     VES_OK);
    assert_int_equal(rules != NULL, why.status == VES_OK);
    ves_rules_free(rules);
    return why.text;
}

static void the_owner_signs(void **state)
{
    struct ves_rules *rules = make(NULL, REPAIR, 0);
    struct test_signer owner, other;
    (void)state;
    test_signer_init(&owner, 1);
    test_signer_init(&other, 2);
    struct ves_event event = registered(rules, &owner);
    assert_string_equal(take(&event, &owner), "");
    assert_string_equal(take(&event, &other),
                        "the rules are not signed by the owner of this stream");
    /* Nor does a signature for one stream count in another. */
    event.stream.store.b[0] = 9;
    assert_string_equal(take(&event, &owner),
                        "the rules are not signed by the owner of this stream");
    event.stream = stream;
    event.payload = test_json(&arena, "{\"rules\":" REPAIR "}");
    assert_string_equal(take(&event, &owner),
                        "the rules are not signed by the owner of this stream");
    event.payload = test_json(&arena, "{\"rules\":7}");
    assert_string_equal(take(&event, &owner), "rules : expected an object");
    event.payload = test_json(&arena, "{}");
    assert_string_equal(take(&event, &owner), "the event holds no rules");
    ves_rules_free(rules);
}

static void other_events_register_nothing(void **state)
{
    struct ves_rules *rules = make(NULL, REPAIR, 0), *none;
    struct test_signer owner;
    (void)state;
    test_signer_init(&owner, 1);
    struct ves_event event = registered(rules, &owner);
    event.event_type = ves_bytes_str("order.updated");
    assert_int_equal(ves_rules_registered(ves_alloc_default(), NULL,
                                          &owner.signer.public_key, &event, 9,
                                          &none, NULL),
                     VES_OK);
    assert_null(none);
    event.event_type = ves_bytes_str(VES_TYPE_SCHEMA);
    event.payload_kind = VES_PAYLOAD_ENCRYPTED;
    event.payload = NULL;
    assert_int_equal(ves_rules_registered(ves_alloc_default(), NULL,
                                          &owner.signer.public_key, &event, 9,
                                          &none, NULL),
                     VES_OK);
    assert_null(none);
    ves_rules_free(rules);
}

/* Judge and fold read an event by the rules before it. */
static void judge_and_fold_follow(void **state)
{
    struct ves_rules *rules = make(NULL, REPAIR, 5);
    struct ves_event event = {.event_type = ves_bytes_str("repair.received")};
    struct ves_judge_subject subject;
    struct ves_fold_note note;
    (void)state;
    event.context.is_present = true;
    event.context.schema_version = 1;
    event.payload = test_json(&arena, "{\"device\":\"d\"}");
    for (uint64_t n = 5; n <= 6; n++) {
        struct ves_rules_at at = {rules, n};
        assert_int_equal(ves_judge_subject_read(&arena, at, &event, &subject),
                         VES_OK);
        assert_int_equal(subject.is_unknown, n == 5);
        assert_int_equal(subject.is_fact, n == 6);
        ves_buf_reset(&buf);
        assert_int_equal(
            ves_fold(&arena, at, ves_bytes(NULL, 0), &event, &buf, &note),
            VES_OK);
        assert_int_equal(note.is_unusable, n == 5);
        struct ves_bytes folded = ves_buf_view(&buf);
        assert_true(ves_bytes_is(
            folded,
            n == 5 ? "" : "{\"device\":\"d\",\"status\":\"received\"}"));
    }
    struct ves_error error;
    assert_int_equal(
        ves_event_type_check(
            type_of((struct ves_rules_at){rules, 6}, "repair.received", 0),
            test_json(&arena, "{\"device\":1}"), &error),
        VES_INVALID);
    assert_string_equal(error.text, "payload /device: expected a text");
    ves_rules_free(rules);
}

/* What a patch of the list itself makes of a state; "" when it cannot. */
static struct ves_bytes patch_parts(struct ves_rules_at at, const char *state)
{
    struct ves_event event = {.event_type = ves_bytes_str("repair.revised")};
    struct ves_fold_note note;

    event.payload =
        test_json(&arena, "{\"parts\":{\"p1\":{\"price\":2},\"p9\":{}}}");
    ves_buf_reset(&buf);
    assert_int_equal(
        ves_fold(&arena, at, ves_bytes_str(state), &event, &buf, &note),
        VES_OK);
    if (note.is_unusable)
        assert_string_equal(note.reason, "an item of /parts cannot be "
                                         "addressed: not each has a part_id "
                                         "of its own");
    return note.is_unusable ? ves_bytes_str("") : ves_buf_view(&buf);
}

/* Its footprint is the leaves: what else is in the list stays. */
static void a_patch_of_a_list_keeps_its_items(void **state)
{
    struct ves_rules *rules =
        make(NULL,
             "{\"rules\":1,\"entities\":[" REPAIR_ENTITY "],\"types\":["
             "{\"name\":\"repair.revised\",\"version\":1,\"class\":"
             "\"intent\",\"operations\":[{\"op\":\"patch\",\"path\":"
             "\"/parts\",\"from\":\"/parts\"}]}]}",
             1);
    struct ves_rules_at at = {rules, VES_SEQUENCE_NEXT};
    (void)state;
    assert_true(ves_bytes_is(
        patch_parts(at, "{\"parts\":[{\"part_id\":\"p1\",\"price\":1},"
                        "{\"part_id\":\"p2\",\"price\":5}]}"),
        "{\"parts\":{\"p1\":{\"part_id\":\"p1\",\"price\":2},\"p2\":{"
        "\"part_id\":\"p2\",\"price\":5},\"p9\":{}}}"));
    assert_true(ves_bytes_is(patch_parts(at, "{\"parts\":[1]}"), ""));
    assert_true(ves_bytes_is(patch_parts(at, "{\"parts\":7}"),
                             "{\"parts\":{\"p1\":{\"price\":2},\"p9\":{}}}"));
    ves_rules_free(rules);
}

/* Grants that many calls, then none; freeing always works. */
static void *grant(void *ctx, void *ptr, size_t size)
{
    const struct ves_alloc *real = ves_alloc_default();
    size_t *left = ctx;

    if (size > 0 && *left == 0)
        return NULL;
    *left -= size > 0;
    return real->realloc(real->ctx, ptr, size);
}

static void out_of_memory_is_a_status(void **state)
{
    (void)state;
    for (size_t calls = 0;; calls++) {
        size_t left = calls;
        const struct ves_alloc alloc = {grant, &left};
        struct ves_rules *rules;
        enum ves_status status = ves_rules_read(
            &alloc, NULL, ves_bytes_str(REPAIR), 1, &rules, NULL);
        if (status == VES_OK) {
            ves_rules_free(rules);
            assert_true(calls > 1);
            return;
        }
        assert_int_equal(status, VES_NOMEM);
        assert_null(rules);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_read),
        cmocka_unit_test(rules_are_in_force_behind_their_number),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_version_never_changes),
        cmocka_unit_test(the_owner_signs),
        cmocka_unit_test(other_events_register_nothing),
        cmocka_unit_test(judge_and_fold_follow),
        cmocka_unit_test(a_patch_of_a_list_keeps_its_items),
        cmocka_unit_test(out_of_memory_is_a_status),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rules", tests, set_up, tear_down);
}
