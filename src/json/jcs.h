/* jcs.h -- canonical JSON, RFC 8785. */
#ifndef VES_JSON_JCS_H
#define VES_JSON_JCS_H

#include "base/buf.h"
#include "json/json.h"

/* Appends the canonical form of a tree: members sorted by UTF-16 code units
 * of their names, no white space, ECMAScript numbers.  arena is scratch for
 * sorting.  Errors stick in buf; VES_NOMEM when the arena is full. */
VES_NODISCARD enum ves_status ves_jcs_write(struct ves_buf *buf,
                                            struct ves_arena *arena,
                                            const struct ves_json *node);

/* Same for an object without the member of that name (empty: all). */
VES_NODISCARD enum ves_status
ves_jcs_write_without(struct ves_buf *buf, struct ves_arena *arena,
                      const struct ves_json *object, const char *name);

/* Same for an object with one member more, of a name it has not got; value is
 * its canonical form. */
VES_NODISCARD enum ves_status ves_jcs_write_with(struct ves_buf *buf,
                                                 struct ves_arena *arena,
                                                 const struct ves_json *object,
                                                 const char *name,
                                                 struct ves_bytes value);

/* Order of two member names by UTF-16 code units (RFC 8785 3.2.3). */
int ves_jcs_compare_keys(struct ves_bytes a, struct ves_bytes b);

/* Appends text as a JSON string with the escapes of RFC 8785 3.2.2.2. */
void ves_jcs_write_string(struct ves_buf *buf, struct ves_bytes utf8);

#endif
