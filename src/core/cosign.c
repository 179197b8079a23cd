/* cosign.c -- a witness's word on a checkpoint (C2SP tlog-cosignature, v1). */
#include "core/cosign.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "core/tlog.h"

struct message {
    uint8_t bytes[64 + VES_COSIGN_TEXT_MAX];
    size_t len;
};

static void put(struct message *message, const void *data, size_t len)
{
    memcpy(message->bytes + message->len, data, len);
    message->len += len;
}

/* "cosignature/v1", "time N" and the text.  False when it cannot be signed. */
static bool make_message(struct message *message, struct ves_bytes text,
                         uint64_t time_s)
{
    static const char start[] = "cosignature/v1\ntime ";
    uint8_t digits[20];
    size_t at = sizeof(digits);

    if (text.len > VES_COSIGN_TEXT_MAX || time_s > VES_TLOG_SIZE_MAX)
        return false;
    do {
        digits[--at] = (uint8_t)('0' + time_s % 10);
        time_s /= 10;
    } while (time_s > 0);
    message->len = 0;
    put(message, start, sizeof(start) - 1);
    put(message, digits + at, sizeof(digits) - at);
    put(message, "\n", 1);
    put(message, text.ptr, text.len);
    return true;
}

bool ves_cosign_verify(const struct ves_public_key *key, struct ves_bytes text,
                       uint64_t time_s, const struct ves_sig *sig)
{
    struct message message;

    return make_message(&message, text, time_s) &&
           ves_ed25519_verify(key, ves_bytes(message.bytes, message.len), sig);
}

void ves_cosign_message(struct ves_buf *out, struct ves_bytes text,
                        uint64_t time_s)
{
    struct message message;

    bool is_made = make_message(&message, text, time_s);
    VES_ASSERT(is_made);
    ves_buf_put(out, message.bytes, message.len);
}

void ves_cosign_write(struct ves_buf *buf, const struct ves_note_key *key,
                      uint64_t time_s, const struct ves_sig *sig)
{
    uint8_t payload[8 + VES_SIG_SIZE];

    VES_ASSERT(key->type == VES_NOTE_COSIGNATURE);
    ves_store_u64(payload, time_s);
    memcpy(payload + 8, sig->b, VES_SIG_SIZE);
    ves_note_line_write(buf, key, payload, sizeof(payload));
}

void ves_cosign(struct ves_buf *buf, struct ves_bytes text, uint64_t time_s,
                const struct ves_note_key *key,
                const struct ves_secret_key *secret)
{
    struct message message;
    struct ves_sig sig;

    bool is_made = make_message(&message, text, time_s);
    VES_ASSERT(is_made);
    ves_ed25519_sign(secret, ves_bytes(message.bytes, message.len), &sig);
    ves_cosign_write(buf, key, time_s, &sig);
}
