/* chain.c -- agents' chains: every number once, each naming the one before.
 *
 * Numbers that were refused or are still on their way leave holes, which is no
 * fault, and events may come out of order; a number that comes twice, or one
 * that names another event than the one before it, is.
 */
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "core/event.h"

static struct ves_audit_agent *find_agent(struct ves_audit *audit,
                                          struct ves_audit_stream *stream,
                                          const struct ves_log_row *row)
{
    void **slot = ves_map_slot(&stream->agents, row->agent.b);

    if (!slot)
        return NULL;
    if (!*slot) {
        struct ves_audit_agent *agent =
            ves_arena_alloc(&audit->arena, sizeof(*agent));
        if (!agent)
            return NULL;
        agent->id = row->agent;
        agent->first = row->sequence_number;
        *stream->agent_end = agent;
        stream->agent_end = &agent->next;
        *slot = agent;
    }
    return *slot;
}

static void expect_prev(struct ves_audit *audit, const struct ves_log_row *row,
                        const struct ves_hash *named,
                        const struct ves_hash *right)
{
    if (named && right && !ves_hash_equal(named, right))
        ves_audit_find(audit, VES_AUDIT_CHAINS, row->sequence_number,
                       "its agent's event number %llu and the one before it "
                       "do not name each other",
                       (unsigned long long)row->agent_seq);
}

/* A number below the last one: it must fill a hole. */
static enum ves_status fill(struct ves_audit *audit,
                            struct ves_audit_agent *agent,
                            const struct ves_log_row *row,
                            const struct ves_hash *prev)
{
    uint64_t n = row->agent_seq;
    struct ves_audit_hole **link = &agent->holes;

    while (*link && !(n >= (*link)->from && n <= (*link)->to))
        link = &(*link)->next;
    struct ves_audit_hole *hole = *link;
    if (!hole) {
        ves_audit_find(audit, VES_AUDIT_CHAINS, row->sequence_number,
                       "its agent has two events with its number %llu: a fork",
                       (unsigned long long)n);
        return VES_OK;
    }
    if (n == hole->from)
        expect_prev(audit, row, prev, hole->has_before ? &hole->before : NULL);
    if (n == hole->to)
        expect_prev(audit, row, hole->has_after ? &hole->after : NULL,
                    &row->event_hash);
    if (n > hole->from && n < hole->to) {
        struct ves_audit_hole *right =
            ves_arena_alloc(&audit->arena, sizeof(*right));
        if (!right)
            return VES_NOMEM;
        *right = *hole;
        right->from = n + 1;
        right->has_before = true;
        right->before = row->event_hash;
        hole->next = right;
        hole->to = n - 1;
        hole->has_after = prev != NULL;
        if (prev)
            hole->after = *prev;
    } else if (hole->from == hole->to) {
        *link = hole->next;
    } else if (n == hole->from) {
        hole->from++;
        hole->has_before = true;
        hole->before = row->event_hash;
    } else {
        hole->to--;
        hole->has_after = prev != NULL;
        if (prev)
            hole->after = *prev;
    }
    return VES_OK;
}

static enum ves_status leave_hole(struct ves_audit *audit,
                                  struct ves_audit_agent *agent, uint64_t to,
                                  const struct ves_hash *prev)
{
    struct ves_audit_hole *hole = ves_arena_alloc(&audit->arena, sizeof(*hole));

    if (!hole)
        return VES_NOMEM;
    hole->from = agent->agent_seq + 1;
    hole->to = to;
    hole->has_before = agent->agent_seq > 0;
    hole->before = agent->hash;
    hole->has_after = prev != NULL;
    if (prev)
        hole->after = *prev;
    struct ves_audit_hole **end = &agent->holes;
    while (*end)
        end = &(*end)->next;
    *end = hole;
    return VES_OK;
}

enum ves_status ves_audit_chain(struct ves_audit *audit,
                                struct ves_audit_stream *stream,
                                const struct ves_log_row *row,
                                const struct ves_event *event, unsigned bucket)
{
    struct ves_audit_agent *agent = find_agent(audit, stream, row);
    const struct ves_hash *prev =
        event && event->context.has_prev ? &event->context.prev : NULL;
    enum ves_status status = VES_OK;

    if (!agent)
        return VES_NOMEM;
    agent->events++;
    agent->last = row->sequence_number;
    agent->volume[bucket]++;
    if (row->agent_seq == 0)
        return VES_OK; /* version 1: no chain */
    ves_audit_count(audit, VES_AUDIT_CHAINS, 1);
    if (row->agent_seq <= agent->agent_seq)
        return fill(audit, agent, row, prev);
    if (row->agent_seq == agent->agent_seq + 1)
        expect_prev(audit, row, prev,
                    agent->agent_seq > 0 ? &agent->hash : NULL);
    else
        status = leave_hole(audit, agent, row->agent_seq - 1, prev);
    if (event && (event->context.has_prev != (row->agent_seq > 1)))
        ves_audit_find(audit, VES_AUDIT_CHAINS, row->sequence_number,
                       "its agent's event number %llu %s",
                       (unsigned long long)row->agent_seq,
                       row->agent_seq > 1 ? "names none before it"
                                          : "names one before it");
    agent->agent_seq = row->agent_seq;
    agent->hash = row->event_hash;
    return status;
}
