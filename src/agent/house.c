/* house.c -- retry, settle, acknowledge, backup, prune, state hash. */
#include <string.h>

#include "agent/agent.h"
#include "base/bytes.h"
#include "base/error.h"
#include "os/clock.h"
#include "store/store_sqlite.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

enum ves_status ves_agent_retry(struct ves_agent *agent,
                                const struct ves_uuid *event_id,
                                uint64_t *retried, struct ves_error *error)
{
    ves_agent_start(agent);
    enum ves_status status = ves_agent_need_write(agent, "retrying", error);
    if (status)
        return status;
    status = ves_core_retry(&agent->core, event_id, event_id ? 1 : 0,
                            ves_clock_now_ms(), retried);
    return ves_agent_fail(agent, status, error, "retrying");
}

enum ves_status ves_agent_settle(struct ves_agent *agent, uint64_t alert,
                                 const char *why, struct ves_error *error)
{
    ves_agent_start(agent);
    enum ves_status status = ves_agent_need_write(agent, "settling", error);
    if (status)
        return status;
    status = ves_core_settle(&agent->core, alert, ves_bytes_str(why),
                             ves_clock_now_ms());
    return ves_agent_fail(agent, status, error, "settling an alert");
}

enum ves_status ves_agent_settle_event(struct ves_agent *agent,
                                       const struct ves_uuid *event_id,
                                       const char *why, struct ves_error *error)
{
    ves_agent_start(agent);
    enum ves_status status = ves_agent_need_write(agent, "settling", error);
    if (status)
        return status;
    status = ves_core_settle_refused(&agent->core, event_id, ves_bytes_str(why),
                                     ves_clock_now_ms());
    return ves_agent_fail(agent, status, error, "settling an event");
}

enum ves_status ves_agent_note(struct ves_agent *agent, const char *code,
                               const char *detail, struct ves_error *error)
{
    ves_agent_start(agent);
    enum ves_status status = ves_agent_need_write(agent, "noting", error);
    if (status)
        return status;
    status = ves_core_trail(&agent->core, ves_clock_now_ms(), code, detail);
    return status ? ves_agent_fail(agent, status, error, "noting") : VES_OK;
}

enum ves_status ves_acknowledge(struct ves_agent *agent,
                                const struct ves_uuid *ids, size_t count,
                                struct ves_ack_report *report,
                                struct ves_error *error)
{
    struct ves_ack_result result;

    ves_agent_start(agent);
    memset(report, 0, sizeof(*report));
    enum ves_status status =
        ves_agent_need_write(agent, "acknowledging", error);
    if (status)
        return status;
    memset(&result, 0, sizeof(result));
    status = ves_core_acknowledge(&agent->core, ids, count, ves_clock_now_ms(),
                                  &result);
    if (status)
        return ves_agent_fail(agent, status, error, "acknowledging");
    report->acknowledged = result.acknowledged;
    report->already_synced = result.already_synced;
    report->not_acknowledged = result.not_acknowledged;
    report->problem_count = result.problem_count;
    for (size_t i = 0; i < result.problem_count; i++) {
        report->problem_ids[i] = result.problems[i].event_id;
        memcpy(report->problem_reasons[i], result.problems[i].reason,
               sizeof(report->problem_reasons[i]));
    }
    return VES_OK;
}

enum ves_status ves_agent_backup(struct ves_agent *agent, const char *path,
                                 struct ves_error *error)
{
    ves_agent_start(agent);
    if (!path || path[0] == '\0')
        return ves_fail(error, VES_INVALID,
                        "the name of the backup is missing; nothing was "
                        "written");
    return ves_store_sqlite_backup(agent->store, path, error);
}

/* ---- prune --------------------------------------------------------------- */

struct age {
    int64_t before_ms;
    uint64_t below; /* first sequence that stays */
};

static enum ves_status measure_age(void *ctx, const struct ves_log_row *row)
{
    struct age *age = ctx;

    if (row->sequenced_at_ms >= age->before_ms)
        return VES_AGAIN;
    age->below = row->sequence_number + 1;
    return VES_OK;
}

static enum ves_status prune(struct ves_agent *agent, int64_t before_ms,
                             uint64_t *outbox, uint64_t *log)
{
    const struct ves_store_ops *ops = agent->store->ops;
    uint32_t no = agent->core.stream_no;
    struct age age = {before_ms, 1};

    enum ves_status status =
        ves_agent_meta_u64(agent, "log.pruned_below", &age.below);
    uint64_t from = age.below ? age.below : 1;
    if (!status)
        status = ops->outbox_prune(agent->store, before_ms, outbox);
    if (!status) {
        status = ops->log_read(agent->store, no, from, 0, measure_age, &age);
        if (status == VES_AGAIN)
            status = VES_OK;
    }
    if (!status && age.below > from) {
        status = ves_core_prune(&agent->core, from, &age.below, log);
        if (!status)
            status =
                ves_agent_meta_put_u64(agent, "log.pruned_below", age.below);
    }
    return status;
}

static enum ves_status put_prune_trail(struct ves_agent *agent, uint64_t days,
                                       uint64_t outbox, uint64_t log)
{
    struct ves_record record = {
        .at_ms = ves_clock_now_ms(),
        .code = ves_bytes_str("prune"),
    };
    struct ves_buf detail;

    ves_buf_init(&detail, agent->alloc, 256);
    ves_buf_putf(&detail, "{\"days\":%llu,\"outbox\":%llu,\"log\":%llu}",
                 (unsigned long long)days, (unsigned long long)outbox,
                 (unsigned long long)log);
    record.detail = ves_buf_view(&detail);
    enum ves_status status = ves_buf_status(&detail);
    if (!status)
        status = agent->store->ops->record_append(
            agent->store, VES_RECORD_TRAIL, agent->core.stream_no, &record, 1);
    ves_buf_free(&detail);
    return status;
}

enum ves_status ves_agent_prune(struct ves_agent *agent, uint64_t days,
                                uint64_t *pruned, struct ves_error *error)
{
    uint64_t outbox = 0, log = 0;
    int64_t now = ves_clock_now_ms();

    ves_agent_start(agent);
    enum ves_status status = ves_agent_need_write(agent, "pruning", error);
    if (status)
        return status;
    if (days > 36500)
        return ves_fail(error, VES_INVALID,
                        "%llu days is more than a hundred years; nothing was "
                        "pruned",
                        (unsigned long long)days);
    status = ves_agent_begin_write(agent);
    if (!status) {
        status = prune(agent, now - (int64_t)days * DAY_MS, &outbox, &log);
        if (!status)
            status = put_prune_trail(agent, days, outbox, log);
        status = ves_agent_end_write(agent, status);
    }
    if (status)
        return ves_agent_fail(agent, status, error, "pruning");
    *pruned = outbox + log;
    return VES_OK;
}

enum ves_status ves_agent_state_hash(struct ves_agent *agent,
                                     struct ves_hash *out,
                                     uint64_t *at_sequence,
                                     struct ves_error *error)
{
    struct ves_core_status core;

    ves_agent_start(agent);
    enum ves_status status = ves_core_status(&agent->core, &core);
    if (!status && core.unknown_schema_at > 0) /* there is none: says why */
        status = ves_core_state_hash(&agent->core, out);
    if (status)
        return ves_agent_fail(agent, status, error, "hashing the state");
    *out = core.state_hash;
    *at_sequence = core.at_sequence;
    return VES_OK;
}
