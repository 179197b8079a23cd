/* json.h -- strict JSON reader (RFC 8259 with RFC 7493's rules).
 *
 * A document is read into an arena as a tree.  Refused, with offset and
 * reason: duplicate keys, lone surrogates, invalid UTF-8, depth over the
 * limit, trailing bytes, numbers no double can hold, and (when asked) numbers
 * whose value is an integer beyond 2^53-1, however they are written
 * (semantics.md 3.5).  A fraction that rounds to such an integer, like
 * 9007199254740992.5, counts as one: it would be canonicalised to it.
 */
#ifndef VES_JSON_JSON_H
#define VES_JSON_JSON_H

#include "base/arena.h"
#include "ves/ves.h"

enum ves_json_type {
    VES_JSON_NULL,
    VES_JSON_FALSE,
    VES_JSON_TRUE,
    VES_JSON_NUMBER,
    VES_JSON_STRING,
    VES_JSON_ARRAY,
    VES_JSON_OBJECT
};

enum {
    VES_JSON_SMALL = 16,       /* members that are found by looking at all */
    VES_JSON_DEPTH_LIMIT = 256 /* of any tree: fixed stacks rely on it */
};

/* A node; lives as long as the arena and the input it was read from. */
struct ves_json {
    enum ves_json_type type;
    struct ves_bytes text;        /* the value's span in the input, verbatim */
    struct ves_bytes key;         /* unescaped name, when a member */
    struct ves_bytes string;      /* unescaped UTF-8, when a string */
    double number;                /* nearest double, when a number */
    size_t count;                 /* items or members */
    const struct ves_json *first; /* first child, in document order */
    const struct ves_json *next;  /* next sibling */
    /* Members in canonical order when an object that was read has more than
     * VES_JSON_SMALL of them, else NULL: finding one is then not linear. */
    const struct ves_json *const *sorted;
};

struct ves_json_options {
    uint32_t depth_max; /* 0 means VES_JSON_DEPTH_MAX; at most
                           VES_JSON_DEPTH_LIMIT */
    bool safe_integers; /* refuse integers beyond +-(2^53-1) */
};

/* Where and why reading stopped. */
struct ves_json_where {
    size_t offset;      /* bytes from the start of the input */
    const char *reason; /* static sentence without a full stop */
};

/* Reads the whole input.  VES_MALFORMED with *where filled (where may be
 * NULL), VES_NOMEM when the arena is full.  options may be NULL.  Does not
 * recurse; linear in the input but for the sort that finds duplicate keys. */
VES_NODISCARD enum ves_status
ves_json_read(struct ves_arena *arena, struct ves_bytes input,
              const struct ves_json_options *options,
              const struct ves_json **root, struct ves_json_where *where);

/* Member of an object, NULL when absent, object NULL or not an object. */
const struct ves_json *ves_json_member(const struct ves_json *object,
                                       const char *name);
const struct ves_json *ves_json_member_bytes(const struct ves_json *object,
                                             struct ves_bytes name);

/* The member's string; false when absent or of another type. */
bool ves_json_get_string(const struct ves_json *object, const char *name,
                         struct ves_bytes *out);
/* The member as an integer in [0, 2^53-1]; false when absent, of another
 * type, fractional or out of range. */
bool ves_json_get_u64(const struct ves_json *object, const char *name,
                      uint64_t *out);
bool ves_json_get_bool(const struct ves_json *object, const char *name,
                       bool *out);
/* A node's value as an integer in [0, 2^53-1]. */
bool ves_json_as_u64(const struct ves_json *node, uint64_t *out);
/* absent or null */
bool ves_json_is_absent(const struct ves_json *node);

/* Moves *offset over white space and one value, checking brackets and string
 * ends only; for cutting a request into events before each is read strictly
 * on its own.  VES_MALFORMED when there is no end; *offset is then
 * unchanged.  Any depth: brackets below the 4096th level are only counted,
 * not matched. */
VES_NODISCARD enum ves_status ves_json_skip(struct ves_bytes input,
                                            size_t *offset,
                                            struct ves_json_where *where);

/* RFC 6901 pointer, e.g. "/lines/0/sku"; NULL when it names nothing. */
const struct ves_json *ves_json_pointer(const struct ves_json *root,
                                        struct ves_bytes pointer);

/* Are two values equal as canonical JSON? */
bool ves_json_equal(const struct ves_json *a, const struct ves_json *b);

#endif
