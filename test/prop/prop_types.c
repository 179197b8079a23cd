/* prop_types.c -- every type's fold against its own footprint, over random
 * states and payloads: the built-in types, and random ones out of documents
 * (core/rules.h), so that no rules a user can write get around it.
 *
 * What the fold changes lies in the footprint; events whose footprints commute
 * give the same state in either order; what an event does, spelt out as
 * operations, does the same as the event.
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
#include "core/effect_read.h"
#include "core/fold.h"
#include "core/fold_ops.h"
#include "core/rules.h"
#include "crypto/crypto.h"
#include "test/lib/test_random_types.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

static struct ves_arena arena;
static struct ves_buf states[4], text;
static bool has_nulls = true; /* payloads may hold null */

enum { TYPES_MAX = 256 };

/* What is looked at. */
static const struct ves_event_type *types[TYPES_MAX];
static size_t type_count;
static struct ves_rules *document;
static struct ves_rules_at rules;

static void look_at_built_in_types(void)
{
    rules = VES_RULES_BUILT_IN;
    for (type_count = 0; ves_event_type_at(type_count); type_count++) {
        assert_true(type_count < TYPES_MAX);
        types[type_count] = ves_event_type_at(type_count);
    }
}

static int set_up(void **state)
{
    (void)state;
    const char *seed = getenv("VES_SEED");
    test_random_state = seed ? strtoull(seed, NULL, 0) : 1;
    print_message("# seed %llu (VES_SEED to change it)\n",
                  (unsigned long long)test_random_state);
    assert_int_equal(ves_crypto_init(), VES_OK);
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 28);
    for (size_t i = 0; i < 4; i++)
        ves_buf_init(&states[i], ves_alloc_default(), 2 * VES_STATE_MAX);
    ves_buf_init(&text, ves_alloc_default(), (size_t)1 << 24);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    for (size_t i = 0; i < 4; i++)
        ves_buf_free(&states[i]);
    ves_buf_free(&text);
    ves_rules_free(document);
    return 0;
}

/* ---- random payloads ------------------------------------------------------
 */

static void put_line(struct ves_buf *buf, unsigned uid)
{
    ves_buf_putf(buf, "{\"line_uid\":\"L%u\",\"quantity\":%u}", uid,
                 test_below(3));
}

static void put_value(struct ves_buf *buf, const struct ves_field *field)
{
    const char *quote;

    switch (field->kind) {
    case VES_FIELD_ID:
        quote = test_below(4) ? "\"" : "";
        ves_buf_putf(buf, "%s%u%s", quote, test_below(3), quote);
        return;
    case VES_FIELD_TEXT:
        ves_buf_putf(buf, "\"t%u\"", test_below(2));
        return;
    case VES_FIELD_QUANTITY:
        ves_buf_put_str(buf, test_below(2) ? "\"-" : "\"");
        ves_buf_putf(buf, "%u.5\"", test_below(4));
        return;
    case VES_FIELD_AMOUNT:
        ves_buf_putf(buf, "%u", test_below(4));
        return;
    case VES_FIELD_MINOR:
        ves_buf_putf(buf, "%d", (int)test_below(9) - 4);
        return;
    case VES_FIELD_CURRENCY:
        ves_buf_put_str(buf, "\"GBP\"");
        return;
    case VES_FIELD_TEXTS:
        ves_buf_putf(buf, "[\"t%u\"", test_below(3));
        ves_buf_putf(buf, ",\"t%u\"]", test_below(3));
        return;
    case VES_FIELD_LIST:
        ves_buf_put_u8(buf, '[');
        for (unsigned i = 0, n = test_below(3); i < n; i++) {
            ves_buf_put_str(buf, i > 0 ? "," : "");
            put_line(buf, i);
        }
        ves_buf_put_u8(buf, ']');
        return;
    case VES_FIELD_OBJECT:
    case VES_FIELD_PATCH:
        ves_buf_putf(buf, "{\"quantity\":%u", test_below(3));
        if (test_below(2)) {
            ves_buf_put_str(buf, ",\"b\":");
            test_put_scalar(buf, has_nulls);
        }
        ves_buf_put_u8(buf, '}');
        return;
    default:
        test_put_scalar(buf, has_nulls);
        return;
    }
}

/* Members of a patch; never one that takes a default away. */
static void put_patch(struct ves_buf *buf)
{
    ves_buf_put_u8(buf, '{');
    switch (test_below(has_nulls ? 7 : 4)) {
    case 0:
        ves_buf_put_str(buf, "\"status\":\"paid\",");
        break;
    case 1:
        ves_buf_putf(buf, "\"lines\":{\"L%u\":", test_below(3));
        if (!has_nulls || test_below(3))
            put_line(buf, 7);
        else
            ves_buf_put_str(buf, "null");
        ves_buf_put_str(buf, "},");
        break;
    case 2:
        ves_buf_put_str(buf, "\"lines\":[");
        put_line(buf, test_below(3));
        ves_buf_put_str(buf, "],");
        break;
    case 3:
        ves_buf_put_str(buf, "\"a\":{\"b\":");
        test_put_scalar(buf, has_nulls);
        ves_buf_put_str(buf, "},");
        break;
    case 4:
        ves_buf_put_str(buf, "\"d\":");
        if (test_below(2))
            ves_buf_put_str(buf, "{\"e\":1},");
        else
            ves_buf_put_str(buf, "2,");
        break;
    case 5:
        ves_buf_put_str(buf, test_below(2) ? "\"a\":{}," : "\"lines\":{},");
        break;
    default:
        break;
    }
    ves_buf_put_str(buf, "\"c\":");
    test_put_scalar(buf, has_nulls);
    ves_buf_put_u8(buf, '}');
}

static void put_payload(struct ves_buf *buf, const struct ves_event_type *type)
{
    if (rules.rules) {
        test_put_random_payload(buf, has_nulls);
        return;
    }
    ves_buf_put_str(buf, "{\"product_id\":\"p\"");
    if (type->operations->source == VES_SOURCE_EDIT) {
        ves_buf_put_str(buf, ",\"patch\":");
        put_patch(buf);
    } else {
        for (const struct ves_field *f = type->fields; f->kind != VES_FIELD_END;
             f++) {
            if (strchr(f->pointer + 1, '/') ||
                strcmp(f->pointer, "/product_id") == 0 ||
                (f->need != VES_NEED_YES && test_below(2)))
                continue;
            ves_buf_putf(buf, ",\"%s\":", f->pointer + 1);
            put_value(buf, f);
        }
        /* "a" is an object everywhere: filled in below something else it
         * would not be. */
        if (test_below(2)) {
            ves_buf_put_str(buf, ",\"a\":");
            put_patch(buf);
        }
    }
    ves_buf_put_u8(buf, '}');
}

static struct ves_event random_event(const struct ves_event_type *type,
                                     uint8_t id)
{
    struct ves_event event;
    struct ves_bytes copy;

    memset(&event, 0, sizeof(event));
    event.event_type = ves_bytes_str(type->name);
    event.event_id.b[0] = id;
    ves_buf_reset(&text);
    put_payload(&text, type);
    assert_int_equal(ves_buf_status(&text), VES_OK);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&text), &copy),
                     VES_OK);
    assert_int_equal(ves_json_read(&arena, copy, NULL, &event.payload, NULL),
                     VES_OK);
    return event;
}

/* out := fold(in, event); was it usable? */
static bool fold(const struct ves_buf *in, const struct ves_event *event,
                 struct ves_buf *out)
{
    struct ves_fold_note note;

    ves_buf_reset(out);
    assert_int_equal(
        ves_fold(&arena, rules, ves_buf_view(in), event, out, &note), VES_OK);
    return !note.is_unusable;
}

/* The entity's type at random, a state that its events made. */
static void random_entity(const struct ves_event_type *type,
                          struct ves_buf *state, struct ves_buf *spare)
{
    ves_buf_reset(state);
    for (unsigned n = test_below(5); n > 0; n--) {
        const struct ves_event_type *other = NULL;
        size_t count = 0;
        for (size_t i = 0; i < type_count; i++) {
            const struct ves_event_type *t = types[i];
            if (strcmp(t->entity_type, type->entity_type) == 0 &&
                test_below((unsigned)++count) == 0)
                other = t;
        }
        struct ves_event event = random_event(other, (uint8_t)(10 + n));
        fold(state, &event, spare);
        ves_buf_reset(state);
        ves_buf_put_bytes(state, ves_buf_view(spare));
    }
}

static struct ves_effects effects_of(const struct ves_event_type *type,
                                     const struct ves_event *event)
{
    struct ves_effects effects;

    assert_int_equal(ves_effects_of_payload(&arena, type, event->payload,
                                            &event->event_id, &effects),
                     VES_OK);
    return effects;
}

static const struct ves_json *read(const struct ves_buf *state)
{
    const struct ves_json *json;
    struct ves_bytes bytes = ves_buf_view(state);

    if (bytes.len == 0)
        bytes = ves_bytes_str("{}");
    assert_int_equal(ves_json_read(&arena, bytes, NULL, &json, NULL), VES_OK);
    return json;
}

/* ---- inside the footprint -------------------------------------------------
 */

struct change {
    const struct ves_event_type *type;
    const struct ves_event *event;
    struct ves_effects effects;
};

/* Paths no footprint has: what is derived, and defaults. */
static bool is_derived(const struct change *change, const char *path)
{
    const struct ves_entity_type *entity =
        ves_rules_entity(rules, ves_bytes_str(change->type->entity_type));

    for (const struct ves_balance *d = entity->balances; d->name; d++) {
        if (strcmp(path + 1, d->name) == 0)
            return true;
    }
    for (const struct ves_operation *o = change->type->operations;
         o->source != VES_SOURCE_END; o++) {
        if (o->op == VES_OP_DEFAULT && strcmp(o->path, path) == 0)
            return true;
    }
    return false;
}

/* Entries named by their event stand at one place in footprints. */
static bool is_covered(const struct change *change, const char *path,
                       bool is_container)
{
    char own[40], folded[512];
    const char *at;

    snprintf(own, sizeof(own), "/%02x000000-", change->event->event_id.b[0]);
    snprintf(folded, sizeof(folded), "%s", path);
    at = strstr(folded, own);
    if (at) {
        size_t start = (size_t)(at - folded) + 1;
        memmove(folded + start, folded + start + 36,
                strlen(folded + start + 36) + 1);
    }
    const struct ves_effect probe = {.path = ves_bytes_str(folded)};
    for (size_t i = 0; i < change->effects.count; i++) {
        const struct ves_effect *e = &change->effects.list[i];
        if (!ves_effect_overlaps(&probe, e))
            continue;
        /* Inside what is written, or an object on the way to it. */
        if (probe.path.len >= e->path.len || is_container)
            return true;
    }
    return is_derived(change, path);
}

static void compare(const struct change *change, const char *path,
                    const struct ves_json *before,
                    const struct ves_json *after);

static void compare_member(const struct change *change, const char *path,
                           const struct ves_json *member,
                           const struct ves_json *before,
                           const struct ves_json *after)
{
    char inner[512];

    assert_true((size_t)snprintf(
                    inner, sizeof(inner), "%s/%.*s", path, (int)member->key.len,
                    (const char *)member->key.ptr) < sizeof(inner));
    compare(change, inner, before, after);
}

/* A list that was opened holds what it held. */
static bool is_opened(const struct ves_json *before,
                      const struct ves_json *after)
{
    return before && after && before->type == VES_JSON_ARRAY &&
           after->type == VES_JSON_OBJECT;
}

/* The list that stands at path, if it is one. */
static const struct ves_list *list_of(const struct change *change,
                                      const char *path)
{
    const struct ves_entity_type *entity =
        ves_rules_entity(rules, ves_bytes_str(change->type->entity_type));

    for (const struct ves_list *l = entity->lists; l->name; l++) {
        if (path[0] == '/' && strcmp(path + 1, l->name) == 0)
            return l;
    }
    return NULL;
}

static const struct ves_json *item_of(const struct ves_json *array,
                                      const char *key, struct ves_bytes uid)
{
    struct ves_bytes text_;

    for (const struct ves_json *i = array->first; i; i = i->next) {
        if (ves_json_get_string(i, key, &text_) && ves_bytes_equal(text_, uid))
            return i;
    }
    return NULL;
}

static void compare(const struct change *change, const char *path,
                    const struct ves_json *before, const struct ves_json *after)
{
    if (before && after && ves_json_equal(before, after))
        return;
    const struct ves_list *list = list_of(change, path);
    if (list && is_opened(before, after) && !is_covered(change, path, false)) {
        for (const struct ves_json *m = after->first; m; m = m->next)
            compare_member(change, path, m, item_of(before, list->key, m->key),
                           m);
        return;
    }
    bool is_made = after && after->type == VES_JSON_OBJECT &&
                   (!before || before->type != VES_JSON_OBJECT);
    bool is_object = before && before->type == VES_JSON_OBJECT;
    if (is_made) {
        /* On the way to what is written an object is made, also in the place
         * of something else. */
        if (!is_covered(change, path, true))
            fail_msg("%s made %s", change->type->name, path);
        before = NULL;
    } else if (!after || !is_object || after->type != VES_JSON_OBJECT) {
        if (!is_covered(change, path, false))
            fail_msg("%s changed %s", change->type->name, path);
        return;
    }
    for (const struct ves_json *m = before ? before->first : NULL; m;
         m = m->next)
        compare_member(change, path, m, m,
                       ves_json_member_bytes(after, m->key));
    for (const struct ves_json *m = after ? after->first : NULL; m;
         m = m->next) {
        if (!ves_json_member_bytes(before, m->key))
            compare_member(change, path, m, NULL, m);
    }
}

static void stay_in_footprints(int rounds)
{
    for (size_t i = 0; i < type_count; i++) {
        const struct ves_event_type *type = types[i];
        unsigned used = 0;
        for (int round = 0; round < rounds; round++) {
            ves_arena_reset(&arena);
            random_entity(type, &states[0], &states[1]);
            struct ves_event event = random_event(type, 1);
            used += fold(&states[0], &event, &states[1]);
            struct change change = {type, &event, effects_of(type, &event)};
            compare(&change, "", read(&states[0]), read(&states[1]));
        }
        if (!rules.rules && used < 20)
            fail_msg("%s was used %u times", type->name, used);
    }
}

static void folds_stay_in_their_footprints(void **state)
{
    (void)state;
    look_at_built_in_types();
    stay_in_footprints(200);
}

/* ---- either order ---------------------------------------------------------
 */

static int by_bytes(const void *a, const void *b)
{
    return ves_bytes_compare(*(const struct ves_bytes *)a,
                             *(const struct ves_bytes *)b);
}

/* Canonical, with the items of arrays in no order: lists and sets are appended
 * to in that of the log. */
static struct ves_bytes spell(const struct ves_json *node)
{
    struct ves_buf buf;
    struct ves_bytes out;

    ves_buf_init(&buf, ves_alloc_default(), (size_t)1 << 24);
    if (node->type != VES_JSON_ARRAY && node->type != VES_JSON_OBJECT) {
        assert_int_equal(ves_jcs_write(&buf, &arena, node), VES_OK);
    } else {
        struct ves_bytes *items =
            ves_arena_alloc(&arena, (node->count + 1) * sizeof(*items));
        size_t n = 0;
        assert_non_null(items);
        for (const struct ves_json *i = node->first; i; i = i->next) {
            struct ves_buf item;
            ves_buf_init(&item, ves_alloc_default(), (size_t)1 << 24);
            ves_buf_put_bytes(&item, i->key);
            ves_buf_put_u8(&item, '=');
            ves_buf_put_bytes(&item, spell(i));
            assert_int_equal(
                ves_arena_copy(&arena, ves_buf_view(&item), &items[n++]),
                VES_OK);
            ves_buf_free(&item);
        }
        qsort(items, n, sizeof(*items), by_bytes);
        ves_buf_put_u8(&buf, node->type == VES_JSON_ARRAY ? '[' : '{');
        for (size_t i = 0; i < n; i++) {
            ves_buf_put_bytes(&buf, items[i]);
            ves_buf_put_u8(&buf, ',');
        }
    }
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&buf), &out), VES_OK);
    ves_buf_free(&buf);
    return out;
}

static size_t pairs, commuting;

static void commute(int rounds)
{
    for (size_t i = 0; i < type_count; i++) {
        for (size_t k = 0; k < type_count; k++) {
            const struct ves_event_type *a = types[i];
            const struct ves_event_type *b = types[k];
            if (strcmp(a->entity_type, b->entity_type) != 0)
                continue;
            for (int round = 0; round < rounds; round++) {
                ves_arena_reset(&arena);
                random_entity(a, &states[0], &states[1]);
                struct ves_event x = random_event(a, 1);
                struct ves_event y = random_event(b, 2);
                pairs++;
                if (!ves_commutes(effects_of(a, &x), effects_of(b, &y)))
                    continue;
                commuting++;
                bool one = fold(&states[0], &x, &states[1]);
                bool two = fold(&states[1], &y, &states[2]);
                bool three = fold(&states[0], &y, &states[1]);
                bool four = fold(&states[1], &x, &states[3]);
                if (one != four || two != three)
                    fail_msg(
                        "%s and %s: usable in one order only\n%.*s\n%.*s\n%.*s",
                        a->name, b->name, (int)states[0].len,
                        (const char *)states[0].ptr, (int)x.payload->text.len,
                        (const char *)x.payload->text.ptr,
                        (int)y.payload->text.len,
                        (const char *)y.payload->text.ptr);
                struct ves_bytes xy = spell(read(&states[2]));
                struct ves_bytes yx = spell(read(&states[3]));
                if (!ves_bytes_equal(xy, yx))
                    fail_msg("%s and %s on %.*s:\n%.*s\n%.*s\n%.*s\n%.*s",
                             a->name, b->name, (int)states[0].len,
                             (const char *)states[0].ptr, (int)states[2].len,
                             (const char *)states[2].ptr, (int)states[3].len,
                             (const char *)states[3].ptr,
                             (int)x.payload->text.len,
                             (const char *)x.payload->text.ptr,
                             (int)y.payload->text.len,
                             (const char *)y.payload->text.ptr);
            }
        }
    }
}

static void commuting_events_commute(void **state)
{
    (void)state;
    look_at_built_in_types();
    pairs = commuting = 0;
    commute(40);
    print_message("# %zu of %zu pairs commute\n", commuting, pairs);
    assert_true(commuting > pairs / 10);
}

/* ---- random types ---------------------------------------------------------
 */

/* A document of random types; those that the reader refuses are tried again. */
static void look_at_random_types(void)
{
    struct ves_error error;
    enum ves_status status;

    do {
        ves_buf_reset(&text);
        test_put_random_types(&text, 1, false);
        assert_int_equal(ves_buf_status(&text), VES_OK);
        ves_rules_free(document);
        status = ves_rules_read(ves_alloc_default(), NULL, ves_buf_view(&text),
                                1, &document, &error);
    } while (status == VES_INVALID);
    assert_int_equal(status, VES_OK);
    rules = (struct ves_rules_at){document, VES_SEQUENCE_NEXT};
    for (type_count = 0; ves_rules_type_at(document, type_count); type_count++)
        types[type_count] = ves_rules_type_at(document, type_count);
}

static void declared_types_keep_the_same_laws(void **state)
{
    (void)state;
    pairs = commuting = 0;
    for (int round = 0; round < 100; round++) {
        look_at_random_types();
        stay_in_footprints(5);
        commute(8);
    }
    print_message("# %zu of %zu pairs commute\n", commuting, pairs);
    assert_true(commuting > pairs / 10);
}

/* ---- spelt out ------------------------------------------------------------
 */

/* On a state that has none of what the event makes, its operations do what the
 * event does, but for defaults. */
static void operations_do_what_the_event_does(void **state)
{
    unsigned done = 0;
    (void)state;
    look_at_built_in_types();
    has_nulls = false; /* an RFC 7396 patch makes objects around what it takes
                          away */
    for (size_t i = 0; i < type_count; i++) {
        const struct ves_event_type *type = types[i];
        for (int round = 0; round < 20; round++) {
            struct ves_fold_ops ops = {.entity_type =
                                           ves_bytes_str(type->entity_type)};
            ves_arena_reset(&arena);
            ves_buf_reset(&states[0]);
            ves_buf_put_str(&states[0],
                            "{\"lines\":[{\"line_uid\":\"i9\"}],"
                            "\"product_id\":\"p\",\"location_id\":\"l\","
                            "\"status\":\"created\",\"currency\":\"GBP\"}");
            struct ves_event event = random_event(type, 1);
            ves_buf_reset(&text);
            enum ves_status status = ves_operations_write(
                &arena, type, event.payload, &event.event_id, &text);
            if (type->fold != VES_FOLD_OPERATIONS) {
                assert_int_equal(status, VES_INVALID);
                continue;
            }
            assert_int_equal(status, VES_OK);
            if (!fold(&states[0], &event, &states[1]) ||
                strstr(type->name, ".created") ||
                strstr(type->name, ".requested") ||
                strstr(type->name, ".opened") || strstr(type->name, ".sent") ||
                strstr(type->name, "payment.completed"))
                continue;
            const struct ves_json *list;
            assert_int_equal(
                ves_json_read(&arena, ves_buf_view(&text), NULL, &list, NULL),
                VES_OK);
            ops.state = read(&states[0]);
            status = ves_fold_ops(&arena, list, &ops, NULL);
            /* A patch replaces what is in its way, an operation does not. */
            if (status && strstr(ops.reason, "leads through"))
                continue;
            if (status)
                fail_msg("%s: %s", type->name, ops.reason);
            if (!ves_bytes_equal(spell(ops.state), spell(read(&states[1]))))
                fail_msg("%s: %.*s", type->name, (int)text.len,
                         (const char *)text.ptr);
            done++;
        }
    }
    assert_true(done > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_stay_in_their_footprints),
        cmocka_unit_test(commuting_events_commute),
        cmocka_unit_test(declared_types_keep_the_same_laws),
        cmocka_unit_test(operations_do_what_the_event_does),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("prop_types", tests, set_up, tear_down);
}
