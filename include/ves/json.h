/* ves/json.h -- a small JSON writer and reader, for programs that print what
 * VES says.
 */
#ifndef VES_JSON_WRITER_H
#define VES_JSON_WRITER_H

#include "ves/ves.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes one document into memory of its own.  Commas are its business;
 * errors stick and show in ves_jw_status(): VES_LIMIT over max or 64 levels,
 * VES_INVALID for a value, name or end where none may stand.  What is not
 * UTF-8 in a text becomes U+FFFD. */
struct ves_jw;

/* max bounds the document's bytes; alloc may be NULL for the C library's
 * heap.  NULL when out of memory. */
VES_API struct ves_jw *ves_jw_new(const struct ves_alloc *alloc, size_t max);
VES_API void ves_jw_free(struct ves_jw *jw);

VES_API void ves_jw_object(struct ves_jw *jw); /* { */
VES_API void ves_jw_array(struct ves_jw *jw);  /* [ */
VES_API void ves_jw_end(struct ves_jw *jw);    /* } or ] */
VES_API void ves_jw_key(struct ves_jw *jw, const char *name);
VES_API void ves_jw_str(struct ves_jw *jw, const char *text); /* NULL: null */
VES_API void ves_jw_bytes(struct ves_jw *jw, struct ves_bytes utf8);
VES_API void ves_jw_u64(struct ves_jw *jw, uint64_t value);
VES_API void ves_jw_i64(struct ves_jw *jw, int64_t value);
/* null when value is not finite. */
VES_API void ves_jw_double(struct ves_jw *jw, double value);
VES_API void ves_jw_bool(struct ves_jw *jw, bool value);
VES_API void ves_jw_null(struct ves_jw *jw);
/* A complete JSON value, verbatim. */
VES_API void ves_jw_raw(struct ves_jw *jw, struct ves_bytes json);
VES_API void ves_jw_uuid(struct ves_jw *jw, const struct ves_uuid *uuid);
/* prefix is "" or "0x". */
VES_API void ves_jw_hex(struct ves_jw *jw, const char *prefix, const void *data,
                        size_t len);
/* UTC with milliseconds; null when unix_ms is 0. */
VES_API void ves_jw_time(struct ves_jw *jw, int64_t unix_ms);

/* The document so far; valid until the next call on jw. */
VES_API struct ves_bytes ves_jw_view(const struct ves_jw *jw);
VES_API VES_NODISCARD enum ves_status ves_jw_status(const struct ves_jw *jw);
/* Forgets the document, keeps memory. */
VES_API void ves_jw_reset(struct ves_jw *jw);

/* A document that was read; strictly, as everywhere in VES. */
struct ves_jr;

/* NULL when json is not well formed or memory is out.  json is copied.  alloc
 * NULL: the heap. */
VES_API struct ves_jr *ves_jr_new(const struct ves_alloc *alloc,
                                  struct ves_bytes json);
VES_API void ves_jr_free(struct ves_jr *jr);

/* Values by RFC 6901 pointer, printf-style: ves_jr_str(jr, "/events/%zu/type",
 * i).  A string as it is, a number, true, false, null as in the document, an
 * object or array as its text; "" when there is no such thing.  Lives as long
 * as jr. */
VES_API const char *ves_jr_str(struct ves_jr *jr, const char *pointer, ...)
    __attribute__((format(printf, 2, 3)));
/* The value as it stands in the document, a string with its quotes; "" when
 * there is none. */
VES_API const char *ves_jr_json(struct ves_jr *jr, const char *pointer, ...)
    __attribute__((format(printf, 2, 3)));
/* 0 when absent or not an integer in [0, 2^53-1]. */
VES_API uint64_t ves_jr_u64(struct ves_jr *jr, const char *pointer, ...)
    __attribute__((format(printf, 2, 3)));
VES_API bool ves_jr_bool(struct ves_jr *jr, const char *pointer, ...)
    __attribute__((format(printf, 2, 3)));
VES_API bool ves_jr_has(struct ves_jr *jr, const char *pointer, ...)
    __attribute__((format(printf, 2, 3)));
/* Items of an array or members of an object; 0 for anything else. */
VES_API size_t ves_jr_count(struct ves_jr *jr, const char *pointer, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif
