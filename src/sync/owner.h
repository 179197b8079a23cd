/* owner.h -- the secret of a stream's owner, beside the admin key. */
#ifndef VES_SYNC_OWNER_H
#define VES_SYNC_OWNER_H

#include "ves/sync.h"

enum { VES_OWNER_PATH_MAX = 4096 };

/* KEYFILE.owner-TENANT-STORE; VES_LIMIT. */
VES_NODISCARD enum ves_status ves_owner_path(const char *key_file,
                                             const struct ves_stream *stream,
                                             char path[VES_OWNER_PATH_MAX],
                                             struct ves_error *error);

/* The public key of the one that lies there.  VES_NOT_FOUND when none does. */
VES_NODISCARD enum ves_status ves_owner_public(const char *key_file,
                                               const struct ves_stream *stream,
                                               struct ves_public_key *out,
                                               struct ves_error *error);

#endif
