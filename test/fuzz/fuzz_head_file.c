/* fuzz_head_file.c -- a head file as a disk or a person may leave it, and the
 * list of a witness.
 *
 * The first byte says which.  A head file that is taken gives heads that its
 * text has, the largest of a stream, and is taken again with the same heads;
 * one that is not has words.  A list that is taken has valid names and keys.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "server/head_file.h"
#include "witness/witness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static char folder[64], path[128];

static void clean_up(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

static void set_up(void)
{
    REQUIRE(ves_crypto_init() == VES_OK);
    (void)snprintf(folder, sizeof(folder), "/tmp/ves-fuzz-XXXXXX");
    REQUIRE(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/heads", folder);
    (void)atexit(clean_up);
}

static void put_file(struct ves_bytes content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    REQUIRE(fd >= 0);
    REQUIRE(write(fd, content.ptr, content.len) == (ssize_t)content.len);
    REQUIRE(close(fd) == 0);
}

struct seen {
    struct ves_bytes text;
    const struct ves_head_file *again; /* NULL: not opened again */
    size_t count;
};

/* The text has a line that is spelled so. */
static bool visit(void *ctx, const struct ves_hash *stream_id, uint64_t size,
                  const struct ves_hash *root)
{
    struct seen *seen = ctx;
    struct ves_hash other;
    uint64_t other_size;
    char line[2 * 2 * VES_HASH_SIZE + 32] = "";

    ves_hex_encode(stream_id->b, VES_HASH_SIZE, line);
    int len = 2 * VES_HASH_SIZE;
    len += snprintf(line + len, 32, " %llu ", (unsigned long long)size);
    ves_hex_encode(root->b, VES_HASH_SIZE, line + len);
    len += 2 * VES_HASH_SIZE;
    REQUIRE(memmem(seen->text.ptr, seen->text.len, line, (size_t)len));
    seen->count++;
    if (!seen->again)
        return true;
    REQUIRE(ves_head_file_get(seen->again, stream_id, &other_size, &other));
    REQUIRE(other_size == size && ves_hash_equal(&other, root));
    return true;
}

static enum ves_status open_it(struct ves_head_file *file)
{
    static const struct ves_uuid own = {{7}};
    struct ves_error error = {.status = VES_OK};

    enum ves_status status = ves_head_file_open(
        path, &own, false, ves_alloc_default(), 1, file, &error);
    REQUIRE(status == VES_OK ||
            (error.status == status && error.text[0] != '\0'));
    return status;
}

static void try_head_file(struct ves_bytes text)
{
    struct ves_head_file first, again;
    struct seen seen = {.text = text};

    put_file(text);
    enum ves_status status = open_it(&first);
    REQUIRE(status == VES_OK || status == VES_MALFORMED ||
            status == VES_REFUSED || status == VES_LIMIT ||
            status == VES_CORRUPT);
    if (status)
        return;
    REQUIRE(open_it(&again) == VES_OK);
    seen.again = &again;
    ves_head_file_each(&first, visit, &seen);
    REQUIRE(seen.count <= first.lines);
    ves_head_file_close(&first);
    ves_head_file_close(&again);
}

static void try_list(struct ves_bytes text)
{
    struct ves_witness witness;
    struct ves_error error = {.status = VES_OK};

    memset(&witness, 0, sizeof(witness));
    witness.alloc = ves_alloc_default();
    ves_buf_init(&witness.list, witness.alloc, text.len + 1);
    ves_buf_put_bytes(&witness.list, text);
    enum ves_status status = ves_witness_logs_read(&witness, &error);
    REQUIRE(status == VES_OK ||
            (error.status == status && error.text[0] != '\0'));
    REQUIRE(witness.log_count <= VES_WITNESS_LOGS_MAX);
    for (size_t i = 0; i < witness.log_count; i++) {
        const struct ves_witness_log *log = &witness.logs[i];
        REQUIRE(ves_note_name_is_valid(log->name));
        REQUIRE(ves_ed25519_key_is_valid(&log->key));
    }
    free(witness.logs);
    ves_buf_free(&witness.list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;

    if (!is_ready)
        set_up();
    is_ready = true;
    if (size == 0)
        return 0;
    if (data[0] == 'l')
        try_list(ves_bytes(data + 1, size - 1));
    else
        try_head_file(ves_bytes(data + 1, size - 1));
    return 0;
}
