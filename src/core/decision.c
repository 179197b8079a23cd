/* decision.c -- the payload of a resolution, and how sides differ. */
#include "base/bytes.h"
#include "base/text.h"
#include "core/case_ops.h"
#include "core/resolution.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "json/jcs.h"
#include "json/order.h"

enum { STATE_MAX = 4 * 1024 * 1024 };

/* ---- writing ------------------------------------------------------------- */

static void put_hash(struct ves_buf *buf, const struct ves_hash *hash)
{
    ves_buf_put_str(buf, "\"0x");
    ves_buf_put_hex(buf, hash->b, VES_HASH_SIZE);
    ves_buf_put_u8(buf, '"');
}

static void put_text(struct ves_buf *buf, const char *name,
                     struct ves_bytes text)
{
    if (text.len == 0)
        return;
    ves_buf_putf(buf, ",\"%s\":", name);
    ves_jcs_write_string(buf, text);
}

static void put_inputs(struct ves_buf *buf, const struct ves_case *of)
{
    bool is_first = true;

    ves_buf_put_str(buf, ",\"inputs\":[");
    for (size_t i = 0; i < of->branch_count + of->applied_count; i++) {
        bool is_branch = i < of->branch_count;
        const struct ves_case_event *event =
            is_branch ? &of->branch[i] : &of->applied[i - of->branch_count];
        ves_buf_put_str(buf,
                        is_first ? "{\"event_id\":\"" : ",{\"event_id\":\"");
        ves_buf_put_uuid(buf, &event->event_id);
        ves_buf_put_str(buf, "\",\"hash\":");
        put_hash(buf, &event->hash);
        ves_buf_putf(buf, ",\"role\":\"%s\"}",
                     is_branch ? "branch" : "applied");
        is_first = false;
    }
    ves_buf_put_u8(buf, ']');
}

/* The two parents of a merge: where the entity stands and where the branch
 * ends. */
static void put_parents(struct ves_buf *buf, const struct ves_case *of)
{
    ves_buf_put_str(buf, ",\"base\":{\"version\":");
    ves_buf_put_decimal(buf, of->version);
    if (of->has_head) {
        ves_buf_put_str(buf, ",\"head\":");
        put_hash(buf, &of->head);
    }
    ves_buf_put_str(buf, "},\"parents\":[");
    if (of->has_head)
        put_hash(buf, &of->head);
    if (of->has_head && of->branch_count > 0)
        ves_buf_put_u8(buf, ',');
    if (of->branch_count > 0)
        put_hash(buf, &of->branch[of->branch_count - 1].hash);
    ves_buf_put_u8(buf, ']');
}

static enum ves_status put_result(struct ves_buf *buf, struct ves_arena *arena,
                                  const struct ves_decision *say)
{
    struct ves_scratch scratch;
    struct ves_hash hash;

    if (!say->ops) {
        ves_buf_put_str(buf, ",\"result\":null");
        return VES_OK;
    }
    ves_buf_put_str(buf, ",\"result\":{\"ops\":");
    enum ves_status status = ves_jcs_write(buf, arena, say->ops);
    ves_buf_put_u8(buf, '}');
    if (status || !say->state)
        return status;
    ves_scratch_init(&scratch, arena, 256, STATE_MAX);
    status = ves_jcs_write(&scratch.buf, arena, say->state);
    if (!status)
        status = ves_buf_status(&scratch.buf);
    if (status)
        return status;
    ves_sha256_one(scratch.buf.ptr, scratch.buf.len, &hash);
    ves_buf_put_str(buf, ",\"result_state_hash\":");
    put_hash(buf, &hash);
    return VES_OK;
}

enum ves_status ves_decision_write(struct ves_buf *buf, struct ves_arena *arena,
                                   const struct ves_case *of,
                                   const struct ves_decision *say)
{
    ves_buf_put_str(buf, "{\"conflict_id\":");
    put_hash(buf, &of->conflict_id);
    put_text(buf, "strategy", ves_bytes_str(say->strategy));
    put_text(buf, "winner", ves_bytes_str(ves_winner_name(say->winner)));
    put_inputs(buf, of);
    put_parents(buf, of);
    enum ves_status status = put_result(buf, arena, say);
    if (status)
        return status;
    put_text(buf, "merge_fn", ves_bytes_str(say->function));
    put_text(buf, "resolver", ves_bytes_str(say->resolver));
    put_text(buf, "reason", say->reason);
    ves_buf_put_str(buf, ",\"supersedes\":");
    if (say->has_supersedes)
        put_hash(buf, &say->supersedes);
    else
        ves_buf_put_str(buf, "null");
    ves_buf_put_u8(buf, '}');
    return ves_buf_status(buf);
}

/* ---- reading ------------------------------------------------------------- */

static bool get_hash(const struct ves_json *object, const char *name,
                     struct ves_hash *out)
{
    struct ves_bytes text;

    return ves_json_get_string(object, name, &text) &&
           !ves_hex_decode(text, out->b, VES_HASH_SIZE);
}

void ves_decision_read(const struct ves_json *payload,
                       struct ves_decision_read *out)
{
    memset(out, 0, sizeof(*out));
    (void)ves_json_get_string(payload, "strategy", &out->strategy);
    (void)ves_json_get_string(payload, "winner", &out->winner);
    (void)ves_json_get_string(payload, "resolver", &out->resolver);
    (void)ves_json_get_string(payload, "reason", &out->reason);
    (void)ves_json_get_string(payload, "merge_fn", &out->function);
    out->has_conflict_id = get_hash(payload, "conflict_id", &out->conflict_id);
    out->has_supersedes = get_hash(payload, "supersedes", &out->supersedes);
    out->result = ves_json_member(payload, "result");
    if (ves_json_is_absent(out->result))
        out->result = NULL;
}

/* ---- differences --------------------------------------------------------- */

static bool equal(const struct ves_json *a, const struct ves_json *b)
{
    return a && b ? ves_json_equal(a, b) : a == b;
}

/* Is all that is there an object, and is there one at all? */
static bool are_objects(const struct ves_json *const sides[3])
{
    bool is_any = false;

    for (size_t i = 0; i < 3; i++) {
        if (sides[i] && sides[i]->type != VES_JSON_OBJECT)
            return false;
        is_any = is_any || (sides[i] && sides[i]->first);
    }
    return is_any;
}

static enum ves_status add(struct ves_arena *arena, struct ves_bytes path,
                           const struct ves_json *const sides[3],
                           struct ves_differences *out)
{
    if (out->count == VES_DIFFERENCES_MAX) {
        out->has_more = true;
        return VES_OK;
    }
    if (!out->list)
        out->list =
            ves_arena_alloc(arena, VES_DIFFERENCES_MAX * sizeof(*out->list));
    if (!out->list)
        return VES_NOMEM;
    out->list[out->count++] =
        (struct ves_difference){path, sides[0], sides[1], sides[2]};
    return VES_OK;
}

/* As deep as a state nests. */
static enum ves_status compare(struct ves_arena *arena, struct ves_bytes path,
                               const struct ves_json *const sides[3],
                               struct ves_differences *out)
{
    const struct ves_json **members[3];
    size_t at[3] = {0, 0, 0};

    if (equal(sides[0], sides[1]) && equal(sides[1], sides[2]))
        return VES_OK;
    if (!are_objects(sides))
        return add(arena, path, sides, out);
    for (size_t i = 0; i < 3; i++) {
        if (sides[i] && ves_json_order(arena, sides[i], &members[i]))
            return VES_NOMEM;
    }
    for (;;) {
        const struct ves_json *found[3] = {NULL, NULL, NULL};
        const struct ves_json *first = NULL;
        struct ves_bytes inner;
        for (size_t i = 0; i < 3; i++) {
            if (sides[i] && at[i] < sides[i]->count &&
                (!first ||
                 ves_jcs_compare_keys(members[i][at[i]]->key, first->key) < 0))
                first = members[i][at[i]];
        }
        if (!first)
            return VES_OK;
        for (size_t i = 0; i < 3; i++) {
            if (sides[i] && at[i] < sides[i]->count &&
                ves_bytes_equal(members[i][at[i]]->key, first->key))
                found[i] = members[i][at[i]++];
        }
        enum ves_status status = ves_case_path(arena, path, first->key, &inner);
        if (!status)
            status = compare(arena, inner, found, out);
        if (status)
            return status;
    }
}

enum ves_status ves_differences(struct ves_arena *arena,
                                const struct ves_json *base,
                                const struct ves_json *local,
                                const struct ves_json *remote,
                                struct ves_differences *out)
{
    const struct ves_json *const sides[3] = {base, local, remote};

    memset(out, 0, sizeof(*out));
    return compare(arena, ves_bytes("", 0), sides, out);
}
