/* fuzz_note.c -- signed notes, keys, checkpoints and a witness's requests.
 *
 * What is read can be told again in the same bytes, and every signature line
 * lies within the input.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/add_checkpoint.h"
#include "core/checkpoint.h"
#include "core/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static struct ves_note note;

static void try_note(struct ves_bytes bytes)
{
    struct ves_checkpoint checkpoint;
    struct ves_buf again;

    if (ves_note_read(bytes, &note, NULL))
        return;
    const uint8_t *at = note.text.ptr + note.text.len + 1;
    for (size_t i = 0; i < note.count; i++) {
        REQUIRE(note.lines[i].text.ptr == at);
        REQUIRE(ves_note_name_is_valid(note.lines[i].name));
        at += note.lines[i].text.len;
    }
    REQUIRE(at == bytes.ptr + bytes.len);
    if (ves_checkpoint_read(note.text, &checkpoint, NULL))
        return;
    ves_buf_init(&again, ves_alloc_default(), VES_CHECKPOINT_TEXT_MAX);
    ves_checkpoint_write(&again, &checkpoint);
    REQUIRE(ves_bytes_equal(ves_buf_view(&again), note.text));
    ves_buf_free(&again);
}

static void try_key(struct ves_bytes bytes)
{
    struct ves_note_key key;
    struct ves_buf again;

    if (ves_note_key_read(bytes, &key, NULL))
        return;
    ves_buf_init(&again, ves_alloc_default(), bytes.len);
    ves_note_key_write(&again, &key);
    REQUIRE(ves_bytes_equal(ves_buf_view(&again), bytes));
    ves_buf_free(&again);
}

static void try_request(struct ves_bytes bytes)
{
    static struct ves_add_checkpoint request;
    struct ves_buf again;

    if (ves_add_checkpoint_read(bytes, &request, NULL))
        return;
    const uint8_t *from = request.note.text.ptr;
    ves_buf_init(&again, ves_alloc_default(), bytes.len);
    ves_add_checkpoint_write(
        &again, request.old_size, &request.path,
        ves_bytes(from, (size_t)(bytes.ptr + bytes.len - from)));
    REQUIRE(ves_bytes_equal(ves_buf_view(&again), bytes));
    ves_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    if (!is_ready)
        REQUIRE(ves_crypto_init() == VES_OK);
    is_ready = true;

    try_note(ves_bytes(data, size));
    try_key(ves_bytes(data, size));
    try_request(ves_bytes(data, size));
    return 0;
}
