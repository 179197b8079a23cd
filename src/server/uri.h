/* uri.h -- request targets: path, query, percent-decoding, path patterns.
 *
 * Pure.  Everything comes from strangers, so everything is checked: broken
 * escapes, NUL, text that is not UTF-8 and repeated parameters are refused
 * with words that name the place.
 */
#ifndef VES_SERVER_URI_H
#define VES_SERVER_URI_H

#include "base/arena.h"
#include "ves/ves.h"

enum {
    VES_URI_PARAMS_MAX = 32, /* no route has more than six */
    VES_URI_CAPTURES_MAX = 3
};

struct ves_uri_param {
    struct ves_bytes name;  /* decoded */
    struct ves_bytes value; /* decoded */
};

struct ves_uri {
    struct ves_bytes path; /* as received, still encoded */
    struct ves_uri_param params[VES_URI_PARAMS_MAX];
    size_t param_count;
};

/* Takes a request target apart.  Views point into text and arena.
 * VES_INVALID with *error, VES_NOMEM. */
VES_NODISCARD enum ves_status ves_uri_read(struct ves_arena *arena,
                                           struct ves_bytes text,
                                           struct ves_uri *out,
                                           struct ves_error *error);

/* Decodes %xx, and "+" as blank when is_query.  VES_INVALID for a broken
 * escape, %00 or invalid UTF-8; VES_NOMEM. */
VES_NODISCARD enum ves_status ves_uri_decode(struct ves_arena *arena,
                                             struct ves_bytes text,
                                             bool is_query,
                                             struct ves_bytes *out);

/* Does path have the shape of pattern, where "{}" stands for one segment that
 * is not empty?  captures get the segments, still encoded; there are
 * VES_URI_CAPTURES_MAX of them at most. */
bool ves_uri_match(const char *pattern, struct ves_bytes path,
                   struct ves_bytes captures[VES_URI_CAPTURES_MAX]);

/* The value of a parameter; false when absent. */
bool ves_uri_param(const struct ves_uri *uri, const char *name,
                   struct ves_bytes *value);

/* A parameter as a UUID or as a decimal.  VES_INVALID with words that name
 * it; VES_NOT_FOUND with words when it is absent. */
VES_NODISCARD enum ves_status ves_uri_uuid(const struct ves_uri *uri,
                                           const char *name,
                                           struct ves_uuid *out,
                                           struct ves_error *error);
VES_NODISCARD enum ves_status ves_uri_u64(const struct ves_uri *uri,
                                          const char *name, uint64_t *out,
                                          struct ves_error *error);

#endif
