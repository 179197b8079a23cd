/* state_check.c -- may that value stand there in the state of an entity? */
#include "core/state_check.h"

#include "base/bytes.h"
#include "core/case_ops.h"
#include "core/rules.h"

/* ---- what is written where ----------------------------------------------- */

/* A path in parts: a name, then what the operation and the field say; a token
 * in braces, or *, is any member or item. */
struct pattern {
    const char *name; /* NULL: none */
    const char *head, *tail;
    struct ves_field field; /* kind and need; the pointer is not looked at */
    const char *special;    /* instead of the kind; NULL: the kind counts */
};

static const char AN_ARRAY[] = "an array";
static const char A_BALANCE[] =
    "nothing: it is worked out from others and cannot be set";

/* VES_OK: go on. */
typedef enum ves_status (*take_fn)(void *ctx, const struct pattern *pattern);

/* The types of the entity, each in its newest version. */
static const struct ves_event_type *type_at(struct ves_rules_at at, size_t i)
{
    const struct ves_event_type *type = ves_event_type_at(i);
    size_t built_in = 0;

    if (type)
        return type;
    while (ves_event_type_at(built_in))
        built_in++;
    i -= built_in;
    for (const struct ves_rules *r = at.rules; r; r = ves_rules_before(r)) {
        size_t count = 0;
        while ((type = ves_rules_type_at(r, count))) {
            if (count++ == i)
                return type;
        }
        i -= count;
    }
    return NULL;
}

static bool is_of(struct ves_rules_at at, const struct ves_event_type *type,
                  struct ves_bytes entity_type)
{
    return ves_bytes_is(entity_type, type->entity_type) &&
           ves_rules_type(at, ves_bytes_str(type->name), 0) == type;
}

/* What the payload's fields become below the path they are copied to. */
static enum ves_status fields(const struct ves_event_type *type,
                              const struct ves_operation *op, take_fn take,
                              void *ctx)
{
    const char *from =
        op->source == VES_SOURCE_FILL || !op->from ? "" : op->from;
    size_t len = strlen(from);
    /* Only what makes an entry demands what is in it, not the entry. */
    bool is_whole = op->op == VES_OP_CREATE || op->source == VES_SOURCE_FILL;
    enum ves_status status = VES_OK;

    for (const struct ves_field *f = type->fields;
         f->kind != VES_FIELD_END && !status; f++) {
        if (strncmp(f->pointer, from, len) != 0 ||
            (f->pointer[len] != '\0' && f->pointer[len] != '/'))
            continue;
        struct pattern pattern = {
            .head = op->path, .tail = f->pointer + len, .field = *f};
        if (!is_whole || f->need != VES_NEED_YES || f->pointer[len] == '\0')
            pattern.field.need = VES_NEED_NO;
        status = take(ctx, &pattern);
    }
    return status;
}

static bool is_money_path(const char *path)
{
    static const char suffix[] = "_minor";
    size_t len = strlen(path);

    return len > strlen(suffix) &&
           strcmp(path + len - strlen(suffix), suffix) == 0;
}

static enum ves_status operation(const struct ves_event_type *type,
                                 const struct ves_operation *op, take_fn take,
                                 void *ctx)
{
    struct pattern pattern = {.head = op->path, .tail = ""};

    if (!op->path || op->path[0] == '@')
        return VES_OK;
    switch (op->op) {
    case VES_OP_DELTA:
        /* Rules of their own say what these add up to. */
        if (type->fold != VES_FOLD_OPERATIONS)
            return VES_OK;
        pattern.field.kind =
            is_money_path(op->path) ? VES_FIELD_MINOR : VES_FIELD_QUANTITY;
        return take(ctx, &pattern);
    case VES_OP_TRANSITION:
    case VES_OP_ADVANCE:
        pattern.field.kind = VES_FIELD_TEXT;
        return take(ctx, &pattern);
    case VES_OP_ADD_TO_SET:
    case VES_OP_APPEND:
        pattern.special = AN_ARRAY;
        return take(ctx, &pattern);
    default:
        return op->source == VES_SOURCE_MEMBER ||
                       op->source == VES_SOURCE_FILL ||
                       op->source == VES_SOURCE_PATCH
                   ? fields(type, op, take, ctx)
                   : VES_OK;
    }
}

static enum ves_status money(take_fn take, void *ctx)
{
    static const char *const where[] = {"", "/totals", "/lines/*"};
    struct pattern pattern = {.field = {.kind = VES_FIELD_MINOR}};
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < sizeof(where) / sizeof(where[0]) && !status; i++) {
        pattern.head = where[i];
        pattern.tail = "/*_minor";
        status = take(ctx, &pattern);
    }
    return status;
}

/* Everything that is known of states of that entity type. */
static enum ves_status patterns(struct ves_rules_at at,
                                struct ves_bytes entity_type, take_fn take,
                                void *ctx)
{
    const struct ves_entity_type *entity = ves_rules_entity(at, entity_type);
    const struct ves_event_type *type;
    enum ves_status status = money(take, ctx);

    for (const struct ves_balance *b = entity->balances; b->name && !status;
         b++) {
        const char *const names[] = {b->name, b->minuend, b->subtrahend};
        for (size_t i = 0; i < 3 && !status; i++) {
            struct pattern pattern = {.name = names[i],
                                      .head = "",
                                      .tail = "",
                                      .field = {.kind = VES_FIELD_QUANTITY},
                                      .special = i == 0 ? A_BALANCE : NULL};
            status = take(ctx, &pattern);
        }
    }
    for (size_t i = 0; !status && (type = type_at(at, i)); i++) {
        if (!is_of(at, type, entity_type))
            continue;
        for (const struct ves_operation *op = type->operations;
             op->source != VES_SOURCE_END && !status; op++)
            status = operation(type, op, take, ctx);
    }
    return status;
}

/* ---- one value ------------------------------------------------------------
 */

struct check {
    struct ves_arena *arena;
    struct ves_rules_at rules;
    struct ves_bytes entity_type;
    struct ves_bytes path;
    const struct ves_json *value;
    struct ves_state_fault *fault; /* the first one exactly at path */
    bool has_fault, is_fine;       /* exactly at path: of some, of others */
    bool is_text, is_other;        /* for ves_state_is_text */
};

/* Takes a token off the front; false at the end. */
static bool next_token(struct pattern *at, struct ves_bytes *token)
{
    if (at->name) {
        *token = ves_bytes_str(at->name);
        at->name = NULL;
        return true;
    }
    if (at->head[0] == '\0') {
        at->head = at->tail;
        at->tail = "";
    }
    if (at->head[0] == '\0')
        return false;
    const char *end = strchr(at->head + 1, '/');
    size_t len = end ? (size_t)(end - at->head - 1) : strlen(at->head + 1);
    *token = ves_bytes((const uint8_t *)at->head + 1, len);
    at->head += len + 1;
    return true;
}

static bool is_any(struct ves_bytes token)
{
    return ves_bytes_is(token, "*") || (token.len > 0 && token.ptr[0] == '{');
}

static bool fits(struct ves_bytes token, struct ves_bytes name)
{
    if (ves_bytes_is(token, "*_minor"))
        return name.len > 6 &&
               memcmp(name.ptr + name.len - 6, "_minor", 6) == 0;
    return is_any(token) || ves_bytes_equal(token, name);
}

static void say(struct check *check, struct ves_bytes path,
                const char *expected)
{
    check->fault->path = path;
    check->fault->expected = expected;
}

static bool is_at_end(const struct pattern *at)
{
    return !at->name && at->head[0] == '\0' && at->tail[0] == '\0';
}

/* What is expected where the pattern ends; NULL: value is that. */
static const char *fault_of(const struct pattern *pattern,
                            const struct ves_json *value)
{
    if (pattern->special == A_BALANCE)
        return A_BALANCE;
    if (pattern->special == AN_ARRAY)
        return value && value->type == VES_JSON_ARRAY ? NULL : AN_ARRAY;
    return ves_field_fault(&pattern->field, value);
}

/* The name of an item of an array; digits hold it. */
static struct ves_bytes index_name(size_t index, char digits[24])
{
    size_t n = 24;

    do {
        digits[--n] = (char)('0' + index % 10);
        index /= 10;
    } while (index > 0);
    return ves_bytes(digits + n, 24 - n);
}

/* What the rest of the pattern says of the inside of a value. */
static enum ves_status below(struct check *check, struct pattern at,
                             struct ves_bytes path,
                             const struct ves_json *value)
{
    struct ves_bytes token, inner;
    size_t index = 0;

    if (!next_token(&at, &token)) {
        const char *expected = fault_of(&at, value);
        if (expected)
            say(check, path, expected);
        return expected ? VES_INVALID : VES_OK;
    }
    if (value->type != VES_JSON_OBJECT &&
        !(value->type == VES_JSON_ARRAY && is_any(token)))
        return VES_OK;
    bool is_found = false;
    for (const struct ves_json *m = value->first; m; m = m->next, index++) {
        char digits[24];
        struct ves_bytes name = m->key;
        if (value->type == VES_JSON_ARRAY)
            name = index_name(index, digits);
        if (!fits(token, name) || m->type == VES_JSON_NULL)
            continue;
        is_found = true;
        enum ves_status status =
            ves_case_path(check->arena, path, name, &inner);
        if (!status)
            status = below(check, at, inner, m);
        if (status)
            return status;
    }
    if (is_found || !is_at_end(&at) || at.field.need != VES_NEED_YES ||
        is_any(token))
        return VES_OK;
    enum ves_status status = ves_case_path(check->arena, path, token, &inner);
    if (status)
        return status;
    say(check, inner, ves_field_fault(&at.field, NULL));
    return VES_INVALID;
}

static bool is_scalar(const struct pattern *pattern)
{
    switch (pattern->field.kind) {
    case VES_FIELD_ID:
    case VES_FIELD_TEXT:
    case VES_FIELD_FLAG:
    case VES_FIELD_QUANTITY:
    case VES_FIELD_AMOUNT:
    case VES_FIELD_MINOR:
    case VES_FIELD_CURRENCY:
        return !pattern->special;
    default:
        return false;
    }
}

/* The pattern ends exactly at the path. */
static void look(struct check *check, const struct pattern *pattern)
{
    bool is_text = pattern->field.kind == VES_FIELD_TEXT ||
                   pattern->field.kind == VES_FIELD_CURRENCY;
    const char *expected = NULL;

    check->is_text |= is_text;
    check->is_other |= !is_text;
    if (check->value || pattern->special == A_BALANCE)
        expected = fault_of(pattern, check->value);
    else if (pattern->field.need == VES_NEED_YES)
        expected = ves_field_fault(&pattern->field, NULL);
    if (!expected)
        check->is_fine = true;
    else if (!check->has_fault)
        say(check, check->path, expected);
    check->has_fault |= expected != NULL;
}

static enum ves_status take_pattern(void *ctx, const struct pattern *pattern)
{
    struct check *check = ctx;
    struct pattern at = *pattern;
    struct ves_bytes rest = check->path, token;

    while (rest.len > 0) {
        struct ves_bytes name = ves_bytes(rest.ptr + 1, rest.len - 1);
        const uint8_t *slash = memchr(name.ptr, '/', name.len);
        if (slash)
            name.len = (size_t)(slash - name.ptr);
        if (!next_token(&at, &token)) {
            /* Inside something that has no inside. */
            if (!is_scalar(pattern) || !check->value)
                return VES_OK;
            say(check,
                ves_bytes(check->path.ptr,
                          (size_t)(rest.ptr - check->path.ptr)),
                ves_field_fault(&pattern->field, NULL));
            return VES_INVALID;
        }
        if (!fits(token, name))
            return VES_OK;
        rest = ves_bytes(name.ptr + name.len, rest.len - 1 - name.len);
    }
    if (is_at_end(&at)) {
        look(check, pattern);
        return VES_OK;
    }
    return check->value ? below(check, at, check->path, check->value) : VES_OK;
}

enum ves_status
ves_state_check(struct ves_arena *arena, struct ves_rules_at rules,
                struct ves_bytes entity_type, struct ves_bytes path,
                const struct ves_json *value, struct ves_state_fault *fault)
{
    struct check check = {.arena = arena,
                          .rules = rules,
                          .entity_type = entity_type,
                          .path = path,
                          .value = value,
                          .fault = fault};

    memset(fault, 0, sizeof(*fault));
    enum ves_status status = patterns(rules, entity_type, take_pattern, &check);
    if (status)
        return status;
    /* One type that takes the value is enough, and one that requires it. */
    return check.has_fault && (!value || !check.is_fine) ? VES_INVALID : VES_OK;
}

enum ves_status ves_state_check_ops(struct ves_arena *arena,
                                    struct ves_rules_at rules,
                                    struct ves_bytes entity_type,
                                    const struct ves_json *ops,
                                    struct ves_state_fault *fault)
{
    enum ves_status status = VES_OK;

    for (const struct ves_json *o = ops ? ops->first : NULL; o && !status;
         o = o->next) {
        struct ves_bytes name, path;
        if (!ves_json_get_string(o, "op", &name) ||
            !ves_bytes_is(name, "set") ||
            !ves_json_get_string(o, "path", &path))
            continue;
        status = ves_state_check(arena, rules, entity_type, path,
                                 ves_json_member(o, "value"), fault);
    }
    return status;
}

bool ves_state_is_text(struct ves_rules_at rules, struct ves_bytes entity_type,
                       struct ves_bytes path)
{
    static const struct ves_json empty = {.type = VES_JSON_STRING};
    struct ves_state_fault fault;
    struct ves_arena none;
    struct check check = {.arena = &none,
                          .rules = rules,
                          .entity_type = entity_type,
                          .path = path,
                          .value = &empty,
                          .fault = &fault};

    ves_arena_init(&none, ves_alloc_default(), 4096);
    enum ves_status status = patterns(rules, entity_type, take_pattern, &check);
    ves_arena_free(&none);
    return !status && check.is_text && !check.is_other;
}
