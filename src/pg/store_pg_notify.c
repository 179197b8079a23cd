/* store_pg_notify.c -- what processes on one database tell each other.
 *
 * A notice is a transaction of its own, after the commit that it tells of: one
 * inside it would make all commits of the database wait for each other, since
 * PostgreSQL puts notices in the order of commits.  Whoever dies in between
 * tells nothing; whoever listens also looks, now and then.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "pg/store_pg_internal.h"

#define CHANNEL "ves_grown"

/* Held until the connection ends, whatever ends it. */
#define SERVE "SELECT pg_advisory_lock_shared(" VES_PG_SERVING_NO ")"

/* Tenant, store; nothing means any stream. */
enum { NOTICE = 2 * VES_UUID_TEXT };

int ves_store_pg_listen(struct ves_store *store, bool *is_new)
{
    struct ves_pg *st = ves_pg_of(store);

    *is_new = false;
    if (st->is_listening && st->conn && PQstatus(st->conn) == CONNECTION_OK)
        return PQsocket(st->conn);
    if (ves_pg_connect(st) || ves_pg_queue(st, "LISTEN " CHANNEL) ||
        ves_pg_queue(st, SERVE) || ves_pg_settle(st, NULL))
        return -1;
    st->is_listening = *is_new = true;
    return PQsocket(st->conn);
}

enum ves_status ves_store_pg_serving(struct ves_store *store, uint64_t *count)
{
    struct ves_pg_call q;

    /* A number below 2^32 is objid; objsubid 1: a lock with one number. */
    ves_pg_open(ves_pg_of(store), &q, VES_PG_SERVING, "",
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                " AND objid = " VES_PG_SERVING_NO
                " AND classid = 0 AND objsubid = 1 AND granted"
                " AND mode = 'ShareLock' AND database = (SELECT oid"
                "  FROM pg_database WHERE datname = current_database())");
    return ves_pg_ask_u64(&q, count);
}

static void write_notice(const struct ves_stream *stream, char out[NOTICE + 1])
{
    ves_uuid_format(&stream->tenant, out);
    ves_uuid_format(&stream->store, out + VES_UUID_TEXT);
}

static bool read_notice(const char *text, struct ves_stream *stream)
{
    return strlen(text) == NOTICE &&
           !ves_uuid_parse(ves_bytes(text, VES_UUID_TEXT), &stream->tenant) &&
           !ves_uuid_parse(ves_bytes(text + VES_UUID_TEXT, VES_UUID_TEXT),
                           &stream->store);
}

enum ves_status ves_store_pg_notify(struct ves_store *store,
                                    const struct ves_stream *streams,
                                    size_t count)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(store), &q, VES_PG_NOTIFY, "W",
                "SELECT pg_notify('" CHANNEL "', n) FROM unnest($1) n");
    if (!streams)
        ves_pg_put_word(&q, "");
    for (size_t i = 0; streams && i < count; i++) {
        char notice[NOTICE + 1];

        write_notice(&streams[i], notice);
        ves_pg_put_word(&q, notice);
    }
    enum ves_status status = ves_pg_ask(&q);
    ves_pg_close(&q);
    return status;
}

bool ves_store_pg_hear(struct ves_store *store,
                       void (*visit)(void *ctx,
                                     const struct ves_stream *stream),
                       void *ctx)
{
    struct ves_pg *st = ves_pg_of(store);
    PGnotify *notice;

    if (!st->conn)
        return false;
    if (!PQconsumeInput(st->conn)) {
        (void)ves_pg_lost(st);
        return false;
    }
    while ((notice = PQnotifies(st->conn))) {
        struct ves_stream stream;
        bool is_one = read_notice(notice->extra, &stream);

        /* Nobody but us writes there; whoever does costs a look. */
        if (notice->be_pid != PQbackendPID(st->conn))
            visit(ctx, is_one ? &stream : NULL);
        PQfreemem(notice);
    }
    return true;
}
