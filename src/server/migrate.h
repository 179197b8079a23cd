/* migrate.h -- a sequencer's whole store copied into an empty one of another
 * kind (ADR 0042).
 *
 * Works on the store contract alone: what it can list it copies, row by row,
 * in one transaction of the target, and the tree of every log is computed anew
 * from what was copied and compared with what the source has signed.
 */
#ifndef VES_SERVER_MIGRATE_H
#define VES_SERVER_MIGRATE_H

#include "base/arena.h"
#include "port/store.h"
#include "ves/serve.h"

/* What streams of a store that was left are frozen with begins with this. */
#define VES_MIGRATE_MOVED "moved to "

enum { VES_MIGRATE_AGENTS_MAX = 65536 };

/* Agents whose keys were copied; their cursors are asked for by name. */
struct ves_migrate_agent {
    struct ves_uuid tenant, agent;
};

/* A stream that was copied. */
struct ves_migrate_left {
    struct ves_migrate_left *next;
    uint32_t stream_no;
};

struct ves_migrate {
    struct ves_store *from, *to;
    const struct ves_alloc *alloc;
    struct ves_error *error;
    struct ves_arena names; /* tenants, agents */
    struct ves_migrate_agent *agents;
    size_t agent_count;
    struct ves_migrate_left *left; /* the streams, to be frozen */
    struct ves_migrated done;
};

/* Both transactions are open.  Copies one stream, which gets the number it
 * had.  VES_CORRUPT when the copied log does not make the root that was
 * signed. */
VES_NODISCARD enum ves_status
ves_migrate_stream(struct ves_migrate *m, const struct ves_stream_row *stream);

/* The records of a stream, 0: of the whole store. */
VES_NODISCARD enum ves_status ves_migrate_records(struct ves_migrate *m,
                                                  uint32_t stream_no);

/* Words about the store that failed; status. */
enum ves_status ves_migrate_failed(struct ves_migrate *m,
                                   const struct ves_store *store,
                                   enum ves_status status);

#endif
