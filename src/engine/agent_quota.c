/* agent_quota.c -- how much evidence of falsehoods a store keeps.
 *
 * A sequencer that lies may do so for ever, and each lie is up to a megabyte.
 * What is kept is counted by what is wrong, so that no flood of one kind keeps
 * out the first proof of another; what came first stays.  The counts lie in one
 * value of the store: they are of rows that are never deleted.
 */
#include "base/bytes.h"
#include "core/lines.h"
#include "engine/agent_internal.h"

#define META_KEPT "evidence.kept"

enum {
    TEXT_MAX = 16 * 1024,
    ARENA_MAX = 64 * 1024,
    LINES_MAX = 128 /* more kinds of falsehood than there are */
};

/* "CODE ROWS BYTES", one line for each; whatever else is there counts as
 * nothing. */
struct kept {
    struct ves_bytes code;
    uint64_t rows, bytes;
};

struct quota {
    struct ves_agent_core *core;
    struct ves_arena arena;
    struct kept list[LINES_MAX];
    size_t count;
};

static bool read_line(struct ves_bytes line, struct kept *out)
{
    struct ves_bytes rows;

    return ves_line_take_word(&line, &out->code) &&
           ves_line_take_word(&line, &rows) &&
           ves_line_number(rows, &out->rows) &&
           ves_line_number(line, &out->bytes);
}

static enum ves_status load(struct quota *quota, struct ves_agent_core *core)
{
    struct ves_bytes text, line;

    quota->core = core;
    quota->count = 0;
    ves_arena_init(&quota->arena, core->alloc, ARENA_MAX);
    enum ves_status status = core->store->ops->meta_get(core->store, META_KEPT,
                                                        &quota->arena, &text);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    while (!status && quota->count < LINES_MAX && ves_line_take(&text, &line))
        quota->count += read_line(line, &quota->list[quota->count]);
    return status;
}

static enum ves_status save(struct quota *quota)
{
    struct ves_agent_core *core = quota->core;
    struct ves_buf text;

    ves_buf_init(&text, core->alloc, TEXT_MAX);
    for (size_t i = 0; i < quota->count; i++) {
        ves_buf_put_bytes(&text, quota->list[i].code);
        ves_buf_putf(&text, " %llu %llu\n",
                     (unsigned long long)quota->list[i].rows,
                     (unsigned long long)quota->list[i].bytes);
    }
    enum ves_status status = ves_buf_status(&text);
    if (!status)
        status = core->store->ops->meta_put(core->store, META_KEPT,
                                            ves_buf_view(&text));
    ves_buf_free(&text);
    return status;
}

/* NULL: there are too many kinds. */
static struct kept *find(struct quota *quota, struct ves_bytes code)
{
    for (size_t i = 0; i < quota->count; i++) {
        if (ves_bytes_equal(quota->list[i].code, code))
            return &quota->list[i];
    }
    if (quota->count == LINES_MAX)
        return NULL;
    quota->list[quota->count] = (struct kept){.code = code};
    return &quota->list[quota->count++];
}

enum ves_status ves_device_evidence_take(struct ves_agent_core *core,
                                         struct ves_bytes code, size_t len,
                                         bool *has_room)
{
    struct quota quota;

    *has_room = false;
    enum ves_status status = load(&quota, core);
    struct kept *kept = status ? NULL : find(&quota, code);
    if (kept &&
        (kept->rows == 0 || (kept->rows < VES_EVIDENCE_ROWS_MAX &&
                             kept->bytes + len <= VES_EVIDENCE_BYTES_MAX))) {
        *has_room = true;
        kept->rows++;
        kept->bytes += len;
        status = save(&quota);
    }
    ves_arena_free(&quota.arena);
    return status;
}

enum ves_status ves_device_evidence_forget(struct ves_agent_core *core)
{
    return core->store->ops->meta_put(core->store, META_KEPT,
                                      ves_bytes(NULL, 0));
}
