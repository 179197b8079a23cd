/* refusal.c -- why an event was not taken, in the protocol's words (B.3). */
#include "core/refusal.h"

#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/error.h"
#include "base/text.h"
#include "core/merkle.h"
#include "crypto/crypto.h"

const char *ves_refusal_reason(enum ves_refusal_code code)
{
    static const char *const reasons[] = {
#define X(name, reason) reason,
        VES_REFUSAL_MAP(X)
#undef X
    };
    VES_ASSERT((size_t)code < sizeof(reasons) / sizeof(reasons[0]));
    return reasons[code];
}

/* Copies as much of text as fits before the NUL, whole characters only. */
static void put_text(char *out, size_t cap, size_t *len, struct ves_bytes text)
{
    size_t n = text.len < cap - 1 - *len ? text.len : cap - 1 - *len;
    size_t bad;

    if (n < text.len && !ves_utf8_valid(ves_bytes(text.ptr, n), &bad))
        n = bad;
    if (n > 0)
        memcpy(out + *len, text.ptr, n);
    *len += n;
    out[*len] = '\0';
}

enum ves_status ves_refuse(struct ves_refusal *refusal,
                           enum ves_refusal_code code, const char *detail,
                           const char *message, ...)
{
    struct ves_error text;
    size_t len = 0;
    va_list args;
    VES_ASSERT(refusal && code != VES_REFUSAL_NONE);

    va_start(args, message);
    ves_vfail(&text, VES_REFUSED, message, args);
    va_end(args);

    memset(refusal, 0, sizeof(*refusal));
    refusal->code = code;
    put_text(refusal->message, sizeof(refusal->message), &len,
             ves_bytes_str(text.text));
    len = 0;
    put_text(refusal->reason, sizeof(refusal->reason), &len,
             ves_bytes_str(ves_refusal_reason(code)));
    if (detail) {
        put_text(refusal->reason, sizeof(refusal->reason), &len,
                 ves_bytes_str(": "));
        put_text(refusal->reason, sizeof(refusal->reason), &len,
                 ves_bytes_str(detail));
    }
    return VES_REFUSED;
}

void ves_refusal_hash(const struct ves_stream *stream, struct ves_bytes element,
                      struct ves_bytes reason, struct ves_hash *out)
{
    struct ves_hash stream_id, element_hash;
    uint8_t len[4];
    VES_ASSERT(reason.len <= UINT32_MAX);

    ves_stream_id(stream, &stream_id);
    ves_sha256(&element, 1, &element_hash);
    ves_store_u32(len, (uint32_t)reason.len);
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_REFUSAL_V1"), ves_bytes(stream_id.b, VES_HASH_SIZE),
        ves_bytes(element_hash.b, VES_HASH_SIZE), ves_bytes(len, 4), reason};
    ves_sha256(parts, 5, out);
}
