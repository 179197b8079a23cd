/* add_checkpoint.c -- what a log asks of a witness (C2SP tlog-witness). */
#include "core/add_checkpoint.h"

#include "base/bytes.h"
#include "base/error.h"
#include "core/lines.h"

enum ves_status ves_add_checkpoint_read(struct ves_bytes body,
                                        struct ves_add_checkpoint *out,
                                        struct ves_error *error)
{
    if (body.len > VES_ADD_CHECKPOINT_MAX)
        return ves_fail(error, VES_LIMIT,
                        "a request has at most %d bytes, this one %zu",
                        (int)VES_ADD_CHECKPOINT_MAX, body.len);
    if (!ves_line_take_number(&body, "old", &out->old_size))
        return ves_fail(error, VES_MALFORMED,
                        "the first line is \"old N\", N a decimal");
    if (!ves_line_take_path(&body, VES_ADD_CHECKPOINT_PATH_MAX, &out->path))
        return ves_fail(error, VES_MALFORMED,
                        "a consistency proof has at most %d hashes",
                        (int)VES_ADD_CHECKPOINT_PATH_MAX);
    if (!ves_line_take_text(&body, ""))
        return ves_fail(error, VES_MALFORMED,
                        "an empty line must follow the hashes, each 44 "
                        "characters of base64");
    enum ves_status status = ves_note_read(body, &out->note, error);
    if (status)
        return status;
    return ves_checkpoint_read(out->note.text, &out->checkpoint, error);
}

void ves_add_checkpoint_write(struct ves_buf *buf, uint64_t old_size,
                              const struct ves_tlog_path *path,
                              struct ves_bytes note)
{
    ves_buf_put_str(buf, "old ");
    ves_buf_put_decimal(buf, old_size);
    ves_buf_put_u8(buf, '\n');
    ves_line_put_path(buf, path);
    ves_buf_put_u8(buf, '\n');
    ves_buf_put_bytes(buf, note);
}

static bool is_signed(const struct ves_note *note,
                      const struct ves_note_key *keys, size_t count)
{
    bool has_good = false;

    for (size_t i = 0; i < count; i++) {
        enum ves_note_verdict verdict = ves_note_check(note, &keys[i], NULL);
        if (verdict == VES_NOTE_BAD)
            return false;
        has_good |= verdict == VES_NOTE_GOOD;
    }
    return has_good;
}

enum ves_witness_answer
ves_witness_decide(const struct ves_add_checkpoint *request,
                   const struct ves_note_key *keys, size_t count,
                   const struct ves_witness_head *head)
{
    const struct ves_checkpoint *new = &request->checkpoint;
    struct ves_hash root = head->root;

    if (!is_signed(&request->note, keys, count))
        return VES_WITNESS_FORBIDDEN;
    if (request->old_size > new->size)
        return VES_WITNESS_MALFORMED;
    if (request->old_size != head->size)
        return VES_WITNESS_CONFLICT;
    if (head->size == 0)
        ves_tlog_empty_root(&root);
    return ves_tlog_consistency_check(&request->path, head->size, &root,
                                      new->size, &new->root) == VES_OK
               ? VES_WITNESS_OK
               : VES_WITNESS_INCONSISTENT;
}

enum ves_status ves_witness_size_read(struct ves_bytes body, uint64_t *size)
{
    struct ves_bytes line;
    uint64_t value;

    if (!ves_line_take(&body, &line) || body.len > 0 ||
        !ves_line_number(line, &value))
        return VES_MALFORMED;
    *size = value;
    return VES_OK;
}

void ves_witness_size_write(struct ves_buf *buf, uint64_t size)
{
    ves_buf_put_decimal(buf, size);
    ves_buf_put_u8(buf, '\n');
}
