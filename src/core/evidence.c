/* evidence.c -- a sequencer's signatures that cannot all be honest, in one
 * file. */
#include "core/evidence.h"

#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/lines.h"
#include "core/scratch.h"

static const char first_line[] = VES_EVIDENCE_MARK;

enum {
    RECEIPT_ARENA_MAX = 256 * 1024,
    RECEIPT_TEXT_MAX = 4096,
    INCLUSION_MAX = 63 /* hashes of an inclusion path */
};

const char *ves_evidence_kind_name(enum ves_evidence_kind kind)
{
    static const char *const names[] = {
#define X(name, word) [VES_EVIDENCE_##name] = (word),
        VES_EVIDENCE_MAP(X)
#undef X
    };
    VES_ASSERT(kind < sizeof(names) / sizeof(names[0]));
    return names[kind];
}

struct reader {
    struct ves_bytes rest;
    struct ves_evidence *out;
    const struct ves_alloc *alloc;
    struct ves_error *error;
};

static enum ves_status wrong(struct reader *reader, const char *what)
{
    return ves_fail(reader->error, VES_MALFORMED,
                    "the evidence is not readable: %s", what);
}

/* ---- notes ---- */

/* The first of two notes: its text, an empty line, its signatures, and the
 * empty line that ends it.  Texts of checkpoints have no empty line. */
static bool cut_note(struct ves_bytes *rest, struct ves_bytes *note)
{
    struct ves_bytes after = *rest, line;
    size_t empty = 0, len = 0;

    while (empty < 2) {
        if (!ves_line_take(&after, &line))
            return false;
        if (line.len == 0)
            empty++;
        len += empty < 2 ? line.len + 1 : 0;
    }
    *note = ves_bytes(rest->ptr, len);
    *rest = after;
    return true;
}

static enum ves_status read_head(struct reader *reader, struct ves_bytes note,
                                 struct ves_evidence_head *head)
{
    head->note_bytes = note;
    enum ves_status status = ves_note_read(note, &head->note, reader->error);
    if (status)
        return status;
    return ves_checkpoint_read(head->note.text, &head->checkpoint,
                               reader->error);
}

/* The note that is all the rest. */
static enum ves_status read_last_head(struct reader *reader,
                                      struct ves_evidence_head *head)
{
    if (!ves_line_take_text(&reader->rest, ""))
        return wrong(reader, "an empty line must stand before the checkpoint, "
                             "and hashes have 44 characters of base64");
    return read_head(reader, reader->rest, head);
}

/* ---- parts ---- */

static bool take_hash(struct ves_bytes *rest, const char *name,
                      struct ves_hash *out)
{
    struct ves_bytes value;
    return ves_line_take_value(rest, name, &value) && ves_line_hash(value, out);
}

static bool take_entry(struct reader *reader)
{
    struct ves_evidence *out = reader->out;
    struct ves_bytes value;

    out->entry_len = sizeof(out->entry);
    return ves_line_take_value(&reader->rest, "entry", &value) &&
           ves_b64_decode(value, out->entry, &out->entry_len) == VES_OK;
}

/* 64 digits in lower case. */
static bool take_event_hash(struct ves_bytes *rest, struct ves_hash *out)
{
    char again[2 * VES_HASH_SIZE];
    struct ves_bytes value;

    if (!ves_line_take_value(rest, "event", &value) ||
        value.len != sizeof(again) ||
        ves_hex_decode(value, out->b, VES_HASH_SIZE))
        return false;
    ves_hex_encode(out->b, VES_HASH_SIZE, again);
    return memcmp(again, value.ptr, sizeof(again)) == 0;
}

/* Receipts stand as ves_receipt_write spells them, so that there is one text
 * for each. */
static enum ves_status read_receipt(struct ves_arena *arena,
                                    struct ves_bytes json,
                                    struct ves_receipt *out)
{
    const struct ves_json *root;
    struct ves_scratch again;

    enum ves_status status = ves_json_read(arena, json, NULL, &root, NULL);
    if (status == VES_OK)
        status = ves_receipt_read(root, out);
    if (status)
        return status;
    ves_scratch_init(&again, arena, json.len, RECEIPT_TEXT_MAX);
    ves_receipt_write(&again.buf, out);
    status = ves_buf_status(&again.buf);
    if (status == VES_OK && !ves_bytes_equal(ves_buf_view(&again.buf), json))
        status = VES_MALFORMED;
    return status;
}

static enum ves_status read_promise(struct reader *reader,
                                    struct ves_evidence_receipt *out)
{
    struct ves_bytes value;
    struct ves_arena arena;

    if (!ves_line_take_value(&reader->rest, "receipt", &value) ||
        value.len > RECEIPT_TEXT_MAX)
        return wrong(reader, "a line \"receipt JSON\" is missing");
    ves_arena_init(&arena, reader->alloc, RECEIPT_ARENA_MAX);
    enum ves_status status = read_receipt(&arena, value, &out->receipt);
    ves_arena_free(&arena);
    if (status == VES_NOMEM)
        return status;
    if (status)
        return wrong(reader, "a receipt is not one in the spelling VES writes");
    if (!take_event_hash(&reader->rest, &out->event_hash))
        return wrong(reader,
                     "a line \"event HASH\", 64 lower-case digits, must "
                     "follow a receipt");
    return VES_OK;
}

/* ---- kinds ---- */

static enum ves_status read_fork(struct reader *reader)
{
    struct ves_evidence *out = reader->out;
    struct ves_bytes value, level, first_note;
    uint64_t number;

    out->has_node = ves_line_take_value(&reader->rest, "node", &value);
    if (out->has_node) {
        if (!ves_line_take_word(&value, &level) ||
            !ves_line_number(level, &number) || number > VES_TLOG_LEVEL_MAX ||
            !ves_line_number(value, &out->node.index))
            return wrong(reader, "its node is not two decimals, a level of at "
                                 "most 62 and an index");
        out->node.level = (uint32_t)number;
        if (!take_hash(&reader->rest, "first", &out->heads[0].hash) ||
            !ves_line_take_path(&reader->rest, INCLUSION_MAX,
                                &out->heads[0].path) ||
            !take_hash(&reader->rest, "second", &out->heads[1].hash) ||
            !ves_line_take_path(&reader->rest, INCLUSION_MAX,
                                &out->heads[1].path))
            return wrong(reader,
                         "\"first HASH\" and \"second HASH\", each with "
                         "its path, must follow its node");
    } else if (ves_line_take_value(&reader->rest, "last", &value)) {
        out->has_last = true;
        if (!ves_line_hash(value, &out->last) ||
            !ves_line_take_path(&reader->rest, INCLUSION_MAX, &out->last_path))
            return wrong(reader, "\"last HASH\" is not a hash and its path");
    }
    if (!ves_line_take_text(&reader->rest, "") ||
        !cut_note(&reader->rest, &first_note))
        return wrong(reader, "two checkpoints must end it, an empty line "
                             "before each");
    enum ves_status status = read_head(reader, first_note, &out->heads[0]);
    if (status)
        return status;
    return read_head(reader, reader->rest, &out->heads[1]);
}

static enum ves_status read_receipt_and_entry(struct reader *reader)
{
    struct ves_evidence *out = reader->out;

    enum ves_status status = read_promise(reader, &out->receipts[0]);
    if (status)
        return status;
    if (!take_entry(reader) ||
        !ves_line_take_path(&reader->rest, INCLUSION_MAX, &out->heads[0].path))
        return wrong(reader, "a line \"entry BASE64\" and its path must follow "
                             "the receipt");
    out->node.index = out->receipts[0].receipt.sequence_number - VES_TLOG_FIRST;
    return read_last_head(reader, &out->heads[0]);
}

static enum ves_status read_receipts(struct reader *reader)
{
    struct ves_evidence *out = reader->out;
    struct ves_bytes value, word;
    char tenant[VES_UUID_TEXT + 1], store[VES_UUID_TEXT + 1];

    if (!ves_line_take_value(&reader->rest, "stream", &value) ||
        !ves_line_take_word(&value, &word) ||
        ves_uuid_parse(word, &out->stream.tenant) ||
        ves_uuid_parse(value, &out->stream.store))
        return wrong(reader, "a line \"stream TENANT STORE\" is missing");
    ves_uuid_format(&out->stream.tenant, tenant);
    ves_uuid_format(&out->stream.store, store);
    if (!ves_bytes_is(word, tenant) || !ves_bytes_is(value, store))
        return wrong(reader, "its stream is not in lower case");
    for (size_t i = 0; i < 2; i++) {
        enum ves_status status = read_promise(reader, &out->receipts[i]);
        if (status)
            return status;
    }
    return reader->rest.len == 0
               ? VES_OK
               : wrong(reader, "nothing may follow the second receipt");
}

static enum ves_status read_entry(struct reader *reader)
{
    struct ves_evidence *out = reader->out;

    if (!ves_line_take_number(&reader->rest, "index", &out->node.index) ||
        !take_entry(reader) ||
        !ves_line_take_path(&reader->rest, INCLUSION_MAX, &out->heads[0].path))
        return wrong(reader, "the lines \"index N\", \"entry BASE64\" and its "
                             "path must follow the kind");
    return read_last_head(reader, &out->heads[0]);
}

enum ves_status ves_evidence_read(struct ves_bytes bytes,
                                  const struct ves_alloc *alloc,
                                  struct ves_evidence *out,
                                  struct ves_error *error)
{
    struct reader reader = {bytes, out, alloc, error};
    struct ves_bytes kind;

    if (bytes.len > VES_EVIDENCE_MAX)
        return ves_fail(error, VES_LIMIT,
                        "evidence has at most %d bytes, this file %zu",
                        (int)VES_EVIDENCE_MAX, bytes.len);
    memset(out, 0, sizeof(*out));
    if (!ves_line_take_text(&reader.rest, first_line))
        return ves_fail(error, VES_MALFORMED,
                        "the first line of evidence is \"%s\"", first_line);
    if (!ves_line_take_value(&reader.rest, "kind", &kind))
        return wrong(&reader, "the second line is \"kind WORD\"");
    if (ves_bytes_is(kind, ves_evidence_kind_name(VES_EVIDENCE_FORK))) {
        out->kind = VES_EVIDENCE_FORK;
        return read_fork(&reader);
    }
    if (ves_bytes_is(kind, ves_evidence_kind_name(VES_EVIDENCE_RECEIPT))) {
        out->kind = VES_EVIDENCE_RECEIPT;
        return read_receipt_and_entry(&reader);
    }
    if (ves_bytes_is(kind, ves_evidence_kind_name(VES_EVIDENCE_RECEIPTS))) {
        out->kind = VES_EVIDENCE_RECEIPTS;
        return read_receipts(&reader);
    }
    if (ves_bytes_is(kind, ves_evidence_kind_name(VES_EVIDENCE_ENTRY))) {
        out->kind = VES_EVIDENCE_ENTRY;
        return read_entry(&reader);
    }
    return wrong(&reader, "its kind is not fork, receipt, receipts or entry");
}

/* ---- writing ---- */

static void put_hash(struct ves_buf *buf, const char *name,
                     const struct ves_hash *hash)
{
    ves_buf_put_str(buf, name);
    ves_buf_put_u8(buf, ' ');
    ves_line_put_hash(buf, hash);
}

static void put_note(struct ves_buf *buf, const struct ves_evidence_head *head)
{
    ves_buf_put_u8(buf, '\n');
    ves_buf_put_bytes(buf, head->note_bytes);
}

static void put_promise(struct ves_buf *buf,
                        const struct ves_evidence_receipt *promise)
{
    ves_buf_put_str(buf, "receipt ");
    ves_receipt_write(buf, &promise->receipt);
    ves_buf_put_str(buf, "\nevent ");
    ves_buf_put_hex(buf, promise->event_hash.b, VES_HASH_SIZE);
    ves_buf_put_u8(buf, '\n');
}

static void put_entry(struct ves_buf *buf, const struct ves_evidence *evidence)
{
    ves_buf_put_str(buf, "entry ");
    ves_line_put_b64(buf, evidence->entry, evidence->entry_len);
    ves_buf_put_u8(buf, '\n');
    ves_line_put_path(buf, &evidence->heads[0].path);
    put_note(buf, &evidence->heads[0]);
}

static void put_fork(struct ves_buf *buf, const struct ves_evidence *evidence)
{
    static const char *const names[] = {"first", "second"};

    if (evidence->has_node) {
        ves_buf_put_str(buf, "node ");
        ves_buf_put_decimal(buf, evidence->node.level);
        ves_buf_put_u8(buf, ' ');
        ves_buf_put_decimal(buf, evidence->node.index);
        ves_buf_put_u8(buf, '\n');
        for (size_t i = 0; i < 2; i++) {
            put_hash(buf, names[i], &evidence->heads[i].hash);
            ves_line_put_path(buf, &evidence->heads[i].path);
        }
    } else if (evidence->has_last) {
        put_hash(buf, "last", &evidence->last);
        ves_line_put_path(buf, &evidence->last_path);
    }
    put_note(buf, &evidence->heads[0]);
    put_note(buf, &evidence->heads[1]);
}

void ves_evidence_write(struct ves_buf *buf,
                        const struct ves_evidence *evidence)
{
    ves_buf_put_str(buf, first_line);
    ves_buf_put_str(buf, "\nkind ");
    ves_buf_put_str(buf, ves_evidence_kind_name(evidence->kind));
    ves_buf_put_u8(buf, '\n');
    switch (evidence->kind) {
    case VES_EVIDENCE_FORK:
        put_fork(buf, evidence);
        break;
    case VES_EVIDENCE_RECEIPT:
        put_promise(buf, &evidence->receipts[0]);
        put_entry(buf, evidence);
        break;
    case VES_EVIDENCE_RECEIPTS:
        ves_buf_put_str(buf, "stream ");
        ves_buf_put_uuid(buf, &evidence->stream.tenant);
        ves_buf_put_u8(buf, ' ');
        ves_buf_put_uuid(buf, &evidence->stream.store);
        ves_buf_put_u8(buf, '\n');
        put_promise(buf, &evidence->receipts[0]);
        put_promise(buf, &evidence->receipts[1]);
        break;
    case VES_EVIDENCE_ENTRY:
        ves_buf_put_str(buf, "index ");
        ves_buf_put_decimal(buf, evidence->node.index);
        ves_buf_put_u8(buf, '\n');
        put_entry(buf, evidence);
        break;
    }
}

enum ves_status ves_evidence_last(const struct ves_evidence *evidence)
{
    const struct ves_checkpoint *small = &evidence->heads[0].checkpoint;
    const struct ves_checkpoint *large = &evidence->heads[1].checkpoint;
    struct ves_hash then, root;

    VES_ASSERT(evidence->has_last);
    if (small->size > large->size) {
        large = small;
        small = &evidence->heads[1].checkpoint;
    }
    if (small->size == 0 || small->size == large->size)
        return VES_INVALID;
    if (ves_tlog_inclusion_roots(&evidence->last_path, small->size - 1,
                                 large->size, &evidence->last, &then, &root) ||
        !ves_hash_equal(&root, &large->root))
        return VES_REFUSED;
    return ves_hash_equal(&then, &small->root) ? VES_NOT_FOUND : VES_OK;
}
