/* grant.h -- giving out and taking back API keys, inside a transaction. */
#ifndef VES_SERVER_GRANT_H
#define VES_SERVER_GRANT_H

#include "server/auth.h"

/* Makes a key for *row (everything but key_hash filled) and stores the row.
 * text is the only copy: wipe it after use. */
VES_NODISCARD enum ves_status ves_grant_make(struct ves_store *store,
                                             struct ves_credential_row *row,
                                             char text[VES_API_KEY_TEXT + 1],
                                             struct ves_error *error);

/* Credentials found by ves_grant_find; label views are in the arena. */
struct ves_grant_list {
    struct ves_arena *arena;
    struct ves_grant_item {
        struct ves_credential_row row;
        struct ves_grant_item *next;
    } * first, **end;
    size_t count;
};

/* All for which matches answers true. */
VES_NODISCARD enum ves_status ves_grant_find(
    struct ves_store *store, struct ves_arena *arena,
    bool (*matches)(const void *ctx, const struct ves_credential_row *row),
    const void *ctx, struct ves_grant_list *out);

/* Marks all that are not yet revoked; rows change too. */
VES_NODISCARD enum ves_status ves_grant_revoke(struct ves_store *store,
                                               struct ves_grant_list *list,
                                               int64_t now_ms);

/* After the commit: tells the memory of credentials.  Memory that cannot be
 * had for a new key means that it works only after a restart. */
VES_NODISCARD enum ves_status
ves_grant_publish(struct ves_credentials *creds,
                  const struct ves_grant_list *list);

#endif
