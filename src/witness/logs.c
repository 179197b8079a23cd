/* logs.c -- whose checkpoints a witness cosigns: its list. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "witness/witness.h"

/* Takes the next word from the front of *line. */
static struct ves_bytes take_word(struct ves_bytes *line)
{
    size_t from = 0, to;

    while (from < line->len &&
           (line->ptr[from] == ' ' || line->ptr[from] == '\t'))
        from++;
    for (to = from;
         to < line->len && line->ptr[to] != ' ' && line->ptr[to] != '\t';)
        to++;
    struct ves_bytes word = ves_bytes(line->ptr + from, to - from);
    *line = ves_bytes(line->ptr + to, line->len - to);
    return word;
}

static bool is_word(struct ves_bytes word, const char *text)
{
    return ves_bytes_equal(word, ves_bytes_str(text));
}

/* The last part of a log's key: base64 of type and 32 bytes. */
static bool read_key(struct ves_bytes text, struct ves_public_key *out)
{
    uint8_t bytes[1 + VES_KEY_SIZE];
    size_t len = sizeof(bytes);

    if (text.len != ves_b64_len(sizeof(bytes)) ||
        ves_b64_decode(text, bytes, &len) || len != sizeof(bytes) ||
        bytes[0] != VES_NOTE_ED25519)
        return false;
    for (size_t i = 0; i < VES_KEY_SIZE; i++)
        out->b[i] = bytes[1 + i];
    return ves_ed25519_key_is_valid(out);
}

static enum ves_status read_line(struct ves_bytes line, size_t number,
                                 struct ves_witness_log *out,
                                 struct ves_error *error)
{
    struct ves_bytes word = take_word(&line), name = take_word(&line);
    struct ves_error why = {.status = VES_OK};
    struct ves_note_key key;

    if (is_word(word, "log")) {
        enum ves_status status = ves_note_key_read(name, &key, &why);
        if (status)
            return ves_fail(error, VES_MALFORMED, "line %zu: %s", number,
                            why.text);
        if (key.type != VES_NOTE_ED25519)
            return ves_fail(error, VES_MALFORMED,
                            "line %zu: that is a witness's key, not a log's",
                            number);
        *out = (struct ves_witness_log){false, key.name, key.key};
    } else if (is_word(word, "prefix")) {
        *out = (struct ves_witness_log){true, name, {{0}}};
        if (!ves_note_name_is_valid(name) ||
            !read_key(take_word(&line), &out->key))
            return ves_fail(error, VES_MALFORMED,
                            "line %zu: \"prefix PREFIX KEY\", KEY being what "
                            "stands behind the last \"+\" of a log's key",
                            number);
    } else {
        return ves_fail(error, VES_MALFORMED,
                        "line %zu: it begins with neither \"log\" nor "
                        "\"prefix\"",
                        number);
    }
    if (take_word(&line).len > 0)
        return ves_fail(error, VES_MALFORMED, "line %zu: a word too many",
                        number);
    return VES_OK;
}

static struct ves_bytes take_line(struct ves_bytes *text)
{
    size_t n = 0;

    while (n < text->len && text->ptr[n] != '\n')
        n++;
    struct ves_bytes line = ves_bytes(text->ptr, n);
    size_t used = n < text->len ? n + 1 : n;
    *text = ves_bytes(text->ptr + used, text->len - used);
    return line;
}

enum ves_status ves_witness_logs_read(struct ves_witness *witness,
                                      struct ves_error *error)
{
    const struct ves_alloc *alloc = witness->alloc;
    struct ves_bytes text = ves_buf_view(&witness->list);

    witness->logs = alloc->realloc(
        alloc->ctx, NULL, VES_WITNESS_LOGS_MAX * sizeof(*witness->logs));
    if (!witness->logs)
        return ves_fail(error, VES_NOMEM, "out of memory");
    for (size_t number = 1; text.len > 0; number++) {
        struct ves_bytes line = take_line(&text), rest = line;
        struct ves_bytes word = take_word(&rest);
        if (word.len == 0 || word.ptr[0] == '#')
            continue;
        if (witness->log_count == VES_WITNESS_LOGS_MAX)
            return ves_fail(error, VES_LIMIT, "line %zu: more than %d logs",
                            number, (int)VES_WITNESS_LOGS_MAX);
        enum ves_status status =
            read_line(line, number, &witness->logs[witness->log_count], error);
        if (status)
            return status;
        witness->log_count++;
    }
    return VES_OK;
}
