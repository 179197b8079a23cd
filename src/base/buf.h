/* buf.h -- a growable byte buffer with a mandatory maximum.
 *
 * Errors stick: after the first failure further puts do nothing and
 * ves_buf_status() tells, so that writers need one check at the end.
 */
#ifndef VES_BASE_BUF_H
#define VES_BASE_BUF_H

#include <stdarg.h>

#include "ves/ves.h"

struct ves_buf {
    uint8_t *ptr; /* owned; NULL while empty */
    size_t len;
    size_t cap;
    size_t max; /* growing past it fails with VES_LIMIT */
    const struct ves_alloc *alloc;
    enum ves_status status;
};

/* Fills buf; nothing is allocated yet.  alloc must outlive buf. */
void ves_buf_init(struct ves_buf *buf, const struct ves_alloc *alloc,
                  size_t max);
/* Gives the memory back; buf may be used again. */
void ves_buf_free(struct ves_buf *buf);
/* Forgets content and error, keeps memory. */
void ves_buf_reset(struct ves_buf *buf);

void ves_buf_put(struct ves_buf *buf, const void *data, size_t len);
void ves_buf_put_bytes(struct ves_buf *buf, struct ves_bytes bytes);
void ves_buf_put_str(struct ves_buf *buf, const char *text);
void ves_buf_put_u8(struct ves_buf *buf, uint8_t value);
void ves_buf_put_u32(struct ves_buf *buf, uint32_t value); /* big endian */
void ves_buf_put_u64(struct ves_buf *buf, uint64_t value); /* big endian */
void ves_buf_put_decimal(struct ves_buf *buf, uint64_t value);
void ves_buf_put_hex(struct ves_buf *buf, const void *data, size_t len);
void ves_buf_put_uuid(struct ves_buf *buf, const struct ves_uuid *uuid);
/* protocol.md A.1 STR: U32 length, then the bytes. */
void ves_buf_put_lstr(struct ves_buf *buf, struct ves_bytes text);
void ves_buf_putf(struct ves_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ves_buf_vputf(struct ves_buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Makes room for n more bytes and returns where they go, or NULL with the
 * error set; the caller fills them and adds n to len. */
uint8_t *ves_buf_reserve(struct ves_buf *buf, size_t n);

/* Borrow of the content; valid until the next call that grows or frees. */
struct ves_bytes ves_buf_view(const struct ves_buf *buf);

/* First failure since init or reset: VES_OK, VES_NOMEM or VES_LIMIT. */
VES_NODISCARD enum ves_status ves_buf_status(const struct ves_buf *buf);

#endif
