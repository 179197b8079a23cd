/* test_util.c -- files, hexadecimal text and reference hashes for tests. */
#include "test/lib/test_util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/uuid.h"
#include "crypto/crypto.h"

static _Noreturn void die(const char *what, const char *detail)
{
    fprintf(stderr, "test: %s: %.200s\n", what, detail);
    abort();
}

const char *test_shared_dir(void)
{
    const char *dir = getenv("VES_SHARED");
    return dir && *dir ? dir : "../shared";
}

struct ves_bytes test_read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return ves_bytes(NULL, 0);

    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), 64 * 1024 * 1024);
    for (;;) {
        uint8_t *room = ves_buf_reserve(&buf, 65536);
        if (!room)
            die(path, "too big");
        size_t n = fread(room, 1, 65535, file);
        buf.len += n;
        if (n == 0)
            break;
    }
    if (ferror(file))
        die(path, strerror(errno));
    fclose(file);
    ves_buf_put_u8(&buf, 0);
    return ves_bytes(buf.ptr, buf.len - 1);
}

struct ves_bytes test_read_shared(const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/%s", test_shared_dir(), name);
    if (n < 0 || (size_t)n >= sizeof(path))
        die(name, "path too long");
    return test_read_file(path);
}

void test_hex(const char *hex, void *out, size_t len)
{
    if (strlen(hex) != 2 * len || ves_hex_decode(ves_bytes_str(hex), out, len))
        die("not hexadecimal of the right length", hex);
}

struct ves_hash test_hash(const char *hex)
{
    struct ves_hash hash;
    test_hex(hex, hash.b, VES_HASH_SIZE);
    return hash;
}

struct ves_uuid test_uuid(const char *text)
{
    struct ves_uuid uuid;
    if (ves_uuid_parse(ves_bytes_str(text), &uuid))
        die("not a UUID", text);
    return uuid;
}

bool test_is_hex(struct ves_bytes text, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = data;

    if (text.len == 2 * len + 2 && memcmp(text.ptr, "0x", 2) == 0) {
        text.ptr += 2;
        text.len -= 2;
    }
    if (text.len != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text.ptr[2 * i] != digits[bytes[i] >> 4] ||
            text.ptr[2 * i + 1] != digits[bytes[i] & 15])
            return false;
    }
    return true;
}

const struct ves_json *test_json(struct ves_arena *arena, const char *text)
{
    const struct ves_json *root;
    struct ves_json_where where = {0, ""};
    if (ves_json_read(arena, ves_bytes_str(text), NULL, &root, &where))
        die(where.reason, text);
    return root;
}

static void put_u32(struct ves_buf *buf, size_t value)
{
    uint8_t b[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                    (uint8_t)(value >> 8), (uint8_t)value};
    ves_buf_put(buf, b, 4);
}

static void finish(struct ves_buf *buf, struct ves_hash *out)
{
    if (ves_buf_status(buf))
        die("reference hash", "out of memory");
    ves_sha256_one(buf->ptr, buf->len, out);
    ves_buf_free(buf);
}

void test_rust_recipients_hash(const struct test_recipient *list, size_t count,
                               struct ves_hash *out)
{
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), 1 << 20);
    ves_buf_put_str(&buf, "VES_RECIPIENTS_V1");
    for (size_t i = 0; i < count; i++) {
        put_u32(&buf, list[i].kid);
        put_u32(&buf, list[i].enc.len);
        ves_buf_put_bytes(&buf, list[i].enc);
        put_u32(&buf, list[i].wrap.len);
        ves_buf_put_bytes(&buf, list[i].wrap);
    }
    finish(&buf, out);
}

void test_js_recipients_hash(struct ves_bytes jcs, struct ves_hash *out)
{
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), 1 << 20);
    ves_buf_put_str(&buf, "VES_RECIPIENTS_V1");
    ves_buf_put_bytes(&buf, jcs);
    finish(&buf, out);
}

void test_cipher_hash(bool is_js, struct ves_bytes nonce,
                      const struct ves_hash *aad, struct ves_bytes ciphertext,
                      struct ves_bytes tag, const struct ves_hash *recipients,
                      struct ves_hash *out)
{
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), 1 << 24);
    ves_buf_put_str(&buf, "VES_PAYLOAD_CIPHER_V1");
    if (!is_js)
        put_u32(&buf, 1);
    ves_buf_put_bytes(&buf, nonce);
    ves_buf_put(&buf, aad->b, VES_HASH_SIZE);
    if (!is_js)
        put_u32(&buf, ciphertext.len);
    ves_buf_put_bytes(&buf, ciphertext);
    ves_buf_put_bytes(&buf, tag);
    ves_buf_put(&buf, recipients->b, VES_HASH_SIZE);
    finish(&buf, out);
}
