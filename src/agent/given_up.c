/* given_up.c -- what epochs of the log gave up and this store had, for others.
 */
#include "agent/agent.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "engine/row_receipt.h"
#include "os/file.h"

enum { FILE_MAX = 1024 * 1024 * 1024 };

struct writing {
    const struct ves_stream *stream;
    struct ves_buf out;
    uint64_t count;
};

static void put_receipt(struct writing *w, const struct ves_log_row *row)
{
    struct ves_receipt receipt;

    if (!row->has_receipt) {
        ves_buf_put_str(&w->out, "null");
        return;
    }
    ves_log_row_receipt(w->stream, row, &receipt);
    ves_receipt_write(&w->out, &receipt);
}

static enum ves_status write_row(void *ctx, uint64_t epoch,
                                 const struct ves_log_row *row)
{
    struct writing *w = ctx;

    w->count++;
    ves_buf_putf(&w->out, "{\"epoch\":%llu,\"sequence_number\":%llu,\"event\":",
                 (unsigned long long)epoch,
                 (unsigned long long)row->sequence_number);
    if (row->envelope.len > 0) {
        ves_buf_put_bytes(&w->out, row->envelope);
        ves_buf_put_u8(&w->out, '}');
    } else {
        ves_buf_put_str(&w->out, "null");
    }
    ves_buf_put_str(&w->out, ",\"receipt\":");
    put_receipt(w, row);
    ves_buf_put_str(&w->out, "}\n");
    return ves_buf_status(&w->out);
}

static enum ves_status count_row(void *ctx, uint64_t epoch,
                                 const struct ves_log_row *row)
{
    struct writing *w = ctx;

    (void)epoch, (void)row;
    w->count++;
    return VES_OK;
}

enum ves_status ves_agent_given_up(struct ves_agent *agent, const char *path,
                                   uint64_t *count, struct ves_error *error)
{
    struct writing w = {.stream = &agent->core.stream};

    ves_agent_start(agent);
    ves_buf_init(&w.out, agent->alloc, FILE_MAX);
    enum ves_status status =
        agent->store->ops->given_up_read(agent->store, agent->core.stream_no, 1,
                                         0, path ? write_row : count_row, &w);
    if (status)
        status = ves_agent_fail(agent, status, error, "what was given up");
    else if (path)
        status =
            ves_file_write(path, ves_buf_view(&w.out), VES_FILE_NEW, error);
    ves_buf_free(&w.out);
    *count = status ? 0 : w.count;
    return status;
}
