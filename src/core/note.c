/* note.c -- signed notes and the keys that sign them (C2SP signed-note). */
#include "core/note.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/error.h"
#include "base/text.h"
#include "core/cosign.h"
#include "core/lines.h"

/* Em dash and space. */
static const char line_start[] = "\xE2\x80\x94 ";

/* Length of the Unicode space (White_Space) at p; 0 when there is none. */
static size_t space_at(const uint8_t *p, size_t n)
{
    static const char *const spaces[] = {
        "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80",
        "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83", "\xE2\x80\x84",
        "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88",
        "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9",
        "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};

    if (*p == ' ')
        return 1;
    if (*p < 0x80)
        return 0;
    for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        size_t len = strlen(spaces[i]);
        if (len <= n && memcmp(p, spaces[i], len) == 0)
            return len;
    }
    return 0;
}

bool ves_note_name_is_valid(struct ves_bytes name)
{
    if (name.len == 0 || !ves_utf8_valid(name, NULL))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < 0x20 || name.ptr[i] == '+' ||
            space_at(name.ptr + i, name.len - i) > 0)
            return false;
    }
    return true;
}

void ves_note_key_init(struct ves_note_key *key, struct ves_bytes name,
                       enum ves_note_type type,
                       const struct ves_public_key *public_key)
{
    const uint8_t middle[2] = {'\n', (uint8_t)type};
    const struct ves_bytes parts[] = {name, ves_bytes(middle, sizeof(middle)),
                                      ves_bytes(public_key->b, VES_KEY_SIZE)};
    struct ves_hash hash;

    VES_ASSERT(ves_note_name_is_valid(name));
    ves_sha256(parts, 3, &hash);
    key->name = name;
    key->id = ves_load_u32(hash.b);
    key->type = type;
    key->key = *public_key;
}

/* Cuts "name+id+base64" at its pluses: neither name nor id can have one. */
static bool cut_vkey(struct ves_bytes vkey, struct ves_bytes *name,
                     struct ves_bytes *id, struct ves_bytes *rest)
{
    enum { ID_TEXT = 8 };
    const uint8_t *plus = vkey.len ? memchr(vkey.ptr, '+', vkey.len) : NULL;

    if (!plus)
        return false;
    *name = ves_bytes(vkey.ptr, (size_t)(plus - vkey.ptr));
    size_t left = vkey.len - name->len - 1;
    if (left < ID_TEXT + 1 || plus[1 + ID_TEXT] != '+')
        return false;
    *id = ves_bytes(plus + 1, ID_TEXT);
    *rest = ves_bytes(plus + 1 + ID_TEXT + 1, left - ID_TEXT - 1);
    return true;
}

enum ves_status ves_note_key_read(struct ves_bytes vkey,
                                  struct ves_note_key *key,
                                  struct ves_error *error)
{
    struct ves_bytes name, id, text;
    uint8_t bytes[1 + VES_KEY_SIZE];
    size_t len = sizeof(bytes);
    struct ves_public_key public_key;
    struct ves_note_key got;
    char want[8];

    if (!cut_vkey(vkey, &name, &id, &text) || !ves_note_name_is_valid(name))
        return ves_fail(error, VES_MALFORMED,
                        "a verifier key has the form NAME+ID+KEY, where NAME "
                        "has no space");
    if (!ves_b64_is_valid(text, &len) || len == 0)
        return ves_fail(error, VES_MALFORMED, "the key of %.*s is not base64",
                        (int)name.len, (const char *)name.ptr);
    size_t room = sizeof(bytes);
    enum ves_status status = ves_b64_decode(text, bytes, &room);
    if (status || room != sizeof(bytes) ||
        (bytes[0] != VES_NOTE_ED25519 && bytes[0] != VES_NOTE_COSIGNATURE))
        return ves_fail(error, VES_UNSUPPORTED,
                        "the key of %.*s is neither Ed25519 nor an Ed25519 "
                        "cosigner's; others are not supported",
                        (int)name.len, (const char *)name.ptr);
    memcpy(public_key.b, bytes + 1, VES_KEY_SIZE);
    ves_note_key_init(&got, name, (enum ves_note_type)bytes[0], &public_key);
    uint8_t number[4];
    ves_store_u32(number, got.id);
    ves_hex_encode(number, sizeof(number), want);
    if (memcmp(want, id.ptr, sizeof(want)) != 0)
        return ves_fail(error, VES_MALFORMED,
                        "the key id of %.*s must be %.8s: name, id and key "
                        "belong together",
                        (int)name.len, (const char *)name.ptr, want);
    if (!ves_ed25519_key_is_valid(&public_key))
        return ves_fail(error, VES_REFUSED,
                        "the key of %.*s is no usable Ed25519 key",
                        (int)name.len, (const char *)name.ptr);
    *key = got;
    return VES_OK;
}

void ves_note_key_write(struct ves_buf *buf, const struct ves_note_key *key)
{
    uint8_t id[4], bytes[1 + VES_KEY_SIZE];

    ves_store_u32(id, key->id);
    bytes[0] = (uint8_t)key->type;
    memcpy(bytes + 1, key->key.b, VES_KEY_SIZE);
    ves_buf_put_bytes(buf, key->name);
    ves_buf_put_u8(buf, '+');
    ves_buf_put_hex(buf, id, sizeof(id));
    ves_buf_put_u8(buf, '+');
    ves_line_put_b64(buf, bytes, sizeof(bytes));
}

/* One line, *rest behind it. */
static bool take_line(struct ves_bytes *rest, struct ves_note_line *out)
{
    enum { START = sizeof(line_start) - 1, ID = 4 };
    struct ves_bytes whole = *rest, line;
    uint8_t bytes[ID + VES_NOTE_PAYLOAD_MAX];
    size_t len, room = sizeof(bytes);

    if (!ves_line_take(rest, &line))
        return false;
    out->text = ves_bytes(whole.ptr, line.len + 1);
    if (line.len < START || memcmp(line.ptr, line_start, START) != 0)
        return false;
    line.ptr += START;
    line.len -= START;
    if (!ves_line_take_word(&line, &out->name) ||
        !ves_note_name_is_valid(out->name) || !ves_b64_is_valid(line, &len) ||
        len <= ID)
        return false;
    /* Of signatures that are not ours to check, the key id is enough. */
    if (len > sizeof(bytes))
        line.len = sizeof(bytes) / 3 * 4;
    if (ves_b64_decode(line, bytes, &room))
        return false;
    out->key_id = ves_load_u32(bytes);
    out->payload_len = len - ID;
    memcpy(out->payload, bytes + ID, room - ID);
    return true;
}

enum ves_status ves_note_lines_read(struct ves_bytes bytes,
                                    struct ves_note *note,
                                    struct ves_error *error)
{
    note->text = ves_bytes(NULL, 0);
    note->count = 0;
    if (bytes.len > VES_NOTE_MAX)
        return ves_fail(error, VES_LIMIT,
                        "a note has at most %d bytes, this one %zu",
                        (int)VES_NOTE_MAX, bytes.len);
    while (bytes.len > 0) {
        if (note->count == VES_NOTE_LINES_MAX)
            return ves_fail(error, VES_LIMIT,
                            "a note has at most %d signatures",
                            (int)VES_NOTE_LINES_MAX);
        if (!take_line(&bytes, &note->lines[note->count]))
            return ves_fail(error, VES_MALFORMED,
                            "signature line %zu of the note is not an em dash, "
                            "a name and base64",
                            note->count + 1);
        note->count++;
    }
    if (note->count == 0)
        return ves_fail(error, VES_MALFORMED, "the note has no signature");
    return VES_OK;
}

/* Where the last empty line starts: the offset of its LF; 0: there is none. */
static size_t last_empty_line(struct ves_bytes bytes)
{
    for (size_t i = bytes.len; i > 1; i--) {
        if (bytes.ptr[i - 1] == '\n' && bytes.ptr[i - 2] == '\n')
            return i - 1;
    }
    return 0;
}

enum ves_status ves_note_read(struct ves_bytes bytes, struct ves_note *note,
                              struct ves_error *error)
{
    size_t bad;

    if (bytes.len > VES_NOTE_MAX)
        return ves_fail(error, VES_LIMIT,
                        "a note has at most %d bytes, this one %zu",
                        (int)VES_NOTE_MAX, bytes.len);
    if (!ves_utf8_valid(bytes, &bad))
        return ves_fail(error, VES_MALFORMED,
                        "byte %zu of the note is not UTF-8", bad);
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] < 0x20 && bytes.ptr[i] != '\n')
            return ves_fail(error, VES_MALFORMED,
                            "byte %zu of the note is a control character", i);
    }
    size_t empty = last_empty_line(bytes);
    if (empty == 0)
        return ves_fail(error, VES_MALFORMED,
                        "the note has no empty line between its text and its "
                        "signatures");
    enum ves_status status = ves_note_lines_read(
        ves_bytes(bytes.ptr + empty + 1, bytes.len - empty - 1), note, error);
    if (status)
        return status;
    note->text = ves_bytes(bytes.ptr, empty);
    return VES_OK;
}

/* Does one line verify?  *time is set when it is a cosignature. */
static bool is_good(const struct ves_note *note,
                    const struct ves_note_line *line,
                    const struct ves_note_key *key, uint64_t *time)
{
    struct ves_sig sig;
    size_t before = key->type == VES_NOTE_COSIGNATURE ? 8 : 0;

    if (line->payload_len != before + VES_SIG_SIZE)
        return false;
    memcpy(sig.b, line->payload + before, VES_SIG_SIZE);
    if (key->type == VES_NOTE_ED25519)
        return ves_ed25519_verify(&key->key, note->text, &sig);
    *time = ves_load_u64(line->payload);
    return ves_cosign_verify(&key->key, note->text, *time, &sig);
}

enum ves_note_verdict ves_note_check(const struct ves_note *note,
                                     const struct ves_note_key *key,
                                     struct ves_note_times *times)
{
    enum ves_note_verdict verdict = VES_NOTE_ABSENT;
    struct ves_note_times found = {UINT64_MAX, 0};

    for (size_t i = 0; i < note->count; i++) {
        const struct ves_note_line *line = &note->lines[i];
        uint64_t time = 0;
        if (line->key_id != key->id || !ves_bytes_equal(line->name, key->name))
            continue;
        if (!is_good(note, line, key, &time))
            return VES_NOTE_BAD;
        verdict = VES_NOTE_GOOD;
        found.first = time < found.first ? time : found.first;
        found.last = time > found.last ? time : found.last;
    }
    if (verdict == VES_NOTE_GOOD && times)
        *times = found;
    return verdict;
}

void ves_note_line_write(struct ves_buf *buf, const struct ves_note_key *key,
                         const void *payload, size_t len)
{
    uint8_t bytes[4 + VES_NOTE_PAYLOAD_MAX];

    VES_ASSERT(len <= VES_NOTE_PAYLOAD_MAX);
    ves_store_u32(bytes, key->id);
    memcpy(bytes + 4, payload, len);
    ves_buf_put_str(buf, line_start);
    ves_buf_put_bytes(buf, key->name);
    ves_buf_put_u8(buf, ' ');
    ves_line_put_b64(buf, bytes, 4 + len);
    ves_buf_put_u8(buf, '\n');
}

void ves_note_sign(struct ves_buf *buf, struct ves_bytes text,
                   const struct ves_note_key *key,
                   const struct ves_secret_key *secret)
{
    struct ves_sig sig;

    VES_ASSERT(key->type == VES_NOTE_ED25519);
    ves_ed25519_sign(secret, text, &sig);
    ves_note_line_write(buf, key, sig.b, sizeof(sig.b));
}
