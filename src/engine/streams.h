/* streams.h -- the streams of a store as a list, because a visitor may not
 * write.
 */
#ifndef VES_ENGINE_STREAMS_H
#define VES_ENGINE_STREAMS_H

#include "port/store.h"

struct ves_stream_item {
    struct ves_stream_row row;
    struct ves_stream_item *next;
};

/* Those of a tenant, or all when that is NULL; in no order.  *first lives in
 * arena and is NULL when there is none.  VES_NOMEM, or what the store says. */
VES_NODISCARD enum ves_status ves_streams_list(struct ves_store *store,
                                               const struct ves_uuid *tenant,
                                               struct ves_arena *arena,
                                               struct ves_stream_item **first);

#endif
