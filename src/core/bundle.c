/* bundle.c -- events with the proof that they stand in a log, in one file. */
#include "core/bundle.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "core/lines.h"
#include "core/tlog_proof.h"

static const char first_line[] = "ves-bundle@v1";

/* "TENANT STORE", in lower case. */
static bool read_stream(struct ves_bytes text, struct ves_stream *out)
{
    struct ves_bytes word;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'F')
            return false;
    }
    return ves_line_take_word(&text, &word) &&
           ves_uuid_parse(word, &out->tenant) == VES_OK &&
           ves_uuid_parse(text, &out->store) == VES_OK;
}

bool ves_bundle_name_is_valid(struct ves_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7E)
            return false;
    }
    return text.len > 0 && text.len <= VES_BUNDLE_NAME_MAX;
}

bool ves_bundle_next_keys(struct ves_bytes *keys, struct ves_bytes *json)
{
    return ves_line_take_value(keys, "keys", json);
}

bool ves_bundle_next_event(struct ves_bytes *events,
                           struct ves_bundle_event *out)
{
    struct ves_bytes rest = *events, value, number;

    if (!ves_line_take_value(&rest, "event", &value) ||
        !ves_line_take_word(&value, &number) ||
        !ves_line_number(number, &out->sequence_number) || value.len == 0)
        return false;
    out->envelope = value;
    *events = rest;
    return true;
}

/* The bytes between two ends of the same text. */
static struct ves_bytes between(struct ves_bytes from, struct ves_bytes to)
{
    return ves_bytes(from.ptr, (size_t)(to.ptr - from.ptr));
}

static enum ves_status read_head(struct ves_bytes *rest, struct ves_bundle *out,
                                 struct ves_error *error)
{
    struct ves_bytes value;

    if (!ves_line_take_text(rest, first_line))
        return ves_fail(error, VES_MALFORMED,
                        "the first line of a bundle is \"%s\"", first_line);
    if (!ves_line_take_value(rest, "stream", &value) ||
        !read_stream(value, &out->stream))
        return ves_fail(error, VES_MALFORMED,
                        "the second line of a bundle is \"stream TENANT "
                        "STORE\", two lower-case UUIDs");
    out->policy = ves_bytes(NULL, 0);
    if (ves_line_take_value(rest, "policy", &out->policy) &&
        !ves_bundle_name_is_valid(out->policy))
        return ves_fail(error, VES_MALFORMED,
                        "the bundle's policy name is not plain text of at most "
                        "%d characters",
                        (int)VES_BUNDLE_NAME_MAX);
    out->keys = *rest;
    out->keys_count = 0;
    while (ves_bundle_next_keys(rest, &value)) {
        if (++out->keys_count > VES_BUNDLE_KEYS_MAX)
            return ves_fail(error, VES_LIMIT,
                            "a bundle has at most %d key directories",
                            (int)VES_BUNDLE_KEYS_MAX);
    }
    out->keys = between(out->keys, *rest);
    return VES_OK;
}

static enum ves_status read_events(struct ves_bytes *rest,
                                   struct ves_bundle *out,
                                   struct ves_error *error)
{
    struct ves_bundle_event event;
    uint64_t before = VES_TLOG_FIRST - 1;

    out->events = *rest;
    for (out->event_count = 0; ves_bundle_next_event(rest, &event);
         before = event.sequence_number) {
        if (event.sequence_number <= before)
            return ves_fail(error, VES_MALFORMED,
                            "event %llu of the bundle does not come after "
                            "%llu; they ascend from %d",
                            (unsigned long long)event.sequence_number,
                            (unsigned long long)before, (int)VES_TLOG_FIRST);
        if (++out->event_count > VES_BUNDLE_EVENTS_MAX)
            return ves_fail(error, VES_LIMIT, "a bundle has at most %d events",
                            (int)VES_BUNDLE_EVENTS_MAX);
    }
    if (out->event_count == 0)
        return ves_fail(error, VES_MALFORMED,
                        "the bundle has no line \"event SEQUENCE JSON\" where "
                        "one must be");
    out->events = between(out->events, *rest);
    return VES_OK;
}

/* How many hashes the gaps need.  False when an event is beyond the tree. */
static bool count_covers(const struct ves_bundle *bundle, uint64_t *count)
{
    struct ves_bytes events = bundle->events;
    struct ves_bundle_event event;
    struct ves_tlog_node node;
    uint64_t at = 0;

    *count = 0;
    while (ves_bundle_next_event(&events, &event)) {
        uint64_t index = event.sequence_number - VES_TLOG_FIRST;
        if (index >= bundle->checkpoint.size)
            return false;
        while (ves_tlog_cover_next(&at, index, &node))
            ++*count;
        at = index + 1;
    }
    while (ves_tlog_cover_next(&at, bundle->checkpoint.size, &node))
        ++*count;
    return true;
}

static enum ves_status read_covers(struct ves_bytes *rest,
                                   struct ves_bundle *out, uint64_t *count,
                                   struct ves_error *error)
{
    struct ves_bytes line, after = *rest;
    struct ves_hash hash;

    out->covers = *rest;
    for (*count = 0; ves_line_take(&after, &line) && line.len > 0; ++*count) {
        if (!ves_line_hash(line, &hash))
            return ves_fail(error, VES_MALFORMED,
                            "line %llu behind the bundle's events is not a "
                            "hash, 44 characters of base64",
                            (unsigned long long)*count + 1);
        *rest = after;
    }
    out->covers = between(out->covers, *rest);
    if (!ves_line_take_text(rest, ""))
        return ves_fail(error, VES_MALFORMED,
                        "an empty line and a checkpoint must follow the "
                        "bundle's hashes");
    return VES_OK;
}

enum ves_status ves_bundle_read(struct ves_bytes bytes, struct ves_bundle *out,
                                struct ves_error *error)
{
    uint64_t covers, needed;

    if (bytes.len > VES_BUNDLE_MAX)
        return ves_fail(error, VES_LIMIT,
                        "a bundle has at most %d bytes, this one %zu",
                        (int)VES_BUNDLE_MAX, bytes.len);
    enum ves_status status = read_head(&bytes, out, error);
    if (status == VES_OK)
        status = read_events(&bytes, out, error);
    if (status == VES_OK)
        status = read_covers(&bytes, out, &covers, error);
    if (status)
        return status;
    out->note_bytes = bytes;
    status = ves_note_read(bytes, &out->note, error);
    if (status == VES_OK)
        status = ves_checkpoint_read(out->note.text, &out->checkpoint, error);
    if (status)
        return status;
    if (!count_covers(out, &needed))
        return ves_fail(error, VES_MALFORMED,
                        "an event of the bundle lies beyond the %llu entries "
                        "of its checkpoint",
                        (unsigned long long)out->checkpoint.size);
    if (covers != needed)
        return ves_fail(error, VES_MALFORMED,
                        "the bundle has %llu hashes; its events and the size "
                        "of its checkpoint imply %llu",
                        (unsigned long long)covers, (unsigned long long)needed);
    return VES_OK;
}

/* Is the envelope written as we write it? */
static enum ves_status check_spelling(struct ves_arena *arena,
                                      const struct ves_bundle_event *item,
                                      const struct ves_event *event,
                                      struct ves_refusal *refusal)
{
    struct ves_buf buf;

    ves_buf_init(&buf, arena->alloc, item->envelope.len);
    ves_event_write(&buf, event);
    enum ves_status status = ves_buf_status(&buf);
    bool is_same =
        status == VES_OK && ves_bytes_equal(ves_buf_view(&buf), item->envelope);
    ves_buf_free(&buf);
    if (status == VES_NOMEM)
        return status;
    return is_same ? VES_OK
                   : ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, NULL,
                                "it is not in the one spelling bundles have: "
                                "members in order, canonical payload, nothing "
                                "unknown");
}

enum ves_status ves_bundle_event_check(struct ves_arena *arena,
                                       const struct ves_bundle *bundle,
                                       const struct ves_bundle_event *item,
                                       struct ves_event *event,
                                       struct ves_leaf *leaf,
                                       struct ves_refusal *refusal)
{
    enum ves_status status =
        ves_event_read(arena, item->envelope, event, refusal);
    if (status == VES_OK)
        status = ves_event_check_logged(arena, event, refusal);
    if (status == VES_OK)
        status = check_spelling(arena, item, event, refusal);
    if (status)
        return status;
    if (!ves_stream_equal(&event->stream, &bundle->stream))
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, NULL,
                          "it is of another stream than the bundle");
    leaf->stream = event->stream;
    leaf->sequence_number = item->sequence_number;
    leaf->event_hash = event->event_hash;
    leaf->signature = event->signature;
    return VES_OK;
}

void ves_bundle_sum_init(struct ves_bundle_sum *sum,
                         const struct ves_bundle *bundle)
{
    memset(&sum->edge, 0, sizeof(sum->edge));
    sum->covers = bundle->covers;
}

/* Brings the edge to size with covers; _read made sure they are there. */
static void add_covers(struct ves_bundle_sum *sum, uint64_t size)
{
    struct ves_tlog_node node;

    for (uint64_t at = sum->edge.size; ves_tlog_cover_next(&at, size, &node);) {
        struct ves_bytes line;
        struct ves_hash hash;
        bool is_read =
            ves_line_take(&sum->covers, &line) && ves_line_hash(line, &hash);
        VES_ASSERT(is_read);
        enum ves_status status =
            ves_tlog_edge_add(&sum->edge, node.level, &hash);
        VES_ASSERT(status == VES_OK);
    }
}

void ves_bundle_sum_add(struct ves_bundle_sum *sum, const struct ves_leaf *leaf)
{
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_hash hash;

    add_covers(sum, leaf->sequence_number - VES_TLOG_FIRST);
    ves_leaf_write(leaf, entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    enum ves_status status = ves_tlog_edge_add(&sum->edge, 0, &hash);
    VES_ASSERT(status == VES_OK);
}

void ves_bundle_sum_end(struct ves_bundle_sum *sum,
                        const struct ves_bundle *bundle, struct ves_hash *root)
{
    add_covers(sum, bundle->checkpoint.size);
    VES_ASSERT(sum->covers.len == 0);
    ves_tlog_edge_root(&sum->edge, root);
}

void ves_bundle_begin(struct ves_buf *buf, const struct ves_stream *stream,
                      struct ves_bytes policy_name)
{
    ves_buf_put_str(buf, first_line);
    ves_buf_put_str(buf, "\nstream ");
    ves_buf_put_uuid(buf, &stream->tenant);
    ves_buf_put_u8(buf, ' ');
    ves_buf_put_uuid(buf, &stream->store);
    ves_buf_put_u8(buf, '\n');
    if (policy_name.len == 0)
        return;
    VES_ASSERT(ves_bundle_name_is_valid(policy_name));
    ves_buf_put_str(buf, "policy ");
    ves_buf_put_bytes(buf, policy_name);
    ves_buf_put_u8(buf, '\n');
}

enum ves_status ves_bundle_keys(struct ves_buf *buf, struct ves_bytes json)
{
    if (json.len == 0 || memchr(json.ptr, '\n', json.len))
        return VES_MALFORMED;
    ves_buf_put_str(buf, "keys ");
    ves_buf_put_bytes(buf, json);
    ves_buf_put_u8(buf, '\n');
    return VES_OK;
}

void ves_bundle_event(struct ves_buf *buf, uint64_t sequence_number,
                      const struct ves_event *event)
{
    ves_buf_put_str(buf, "event ");
    ves_buf_put_decimal(buf, sequence_number);
    ves_buf_put_u8(buf, ' ');
    ves_event_write(buf, event);
    ves_buf_put_u8(buf, '\n');
}

/* Nodes that wait to be read together. */
struct batch {
    struct ves_tlog_node nodes[VES_TLOG_READ_MAX];
    size_t count;
    const struct ves_tlog_source *source;
    struct ves_buf *buf;
};

static enum ves_status flush(struct batch *batch)
{
    struct ves_hash hash[VES_TLOG_READ_MAX];

    if (batch->count == 0)
        return VES_OK;
    enum ves_status status = batch->source->read(
        batch->source->ctx, batch->nodes, batch->count, hash);
    if (status)
        return status;
    for (size_t i = 0; i < batch->count; i++)
        ves_line_put_hash(batch->buf, &hash[i]);
    batch->count = 0;
    return VES_OK;
}

/* Covers of [at, end). */
static enum ves_status put_covers(struct batch *batch, uint64_t at,
                                  uint64_t end)
{
    struct ves_tlog_node node;

    while (ves_tlog_cover_next(&at, end, &node)) {
        if (batch->count == VES_TLOG_READ_MAX) {
            enum ves_status status = flush(batch);
            if (status)
                return status;
        }
        batch->nodes[batch->count++] = node;
    }
    return VES_OK;
}

enum ves_status ves_bundle_end(struct ves_buf *buf,
                               const struct ves_tlog_source *source,
                               const uint64_t *sequences, size_t count,
                               uint64_t size, struct ves_bytes note)
{
    struct batch batch = {.source = source, .buf = buf};
    enum ves_status status = VES_OK;
    uint64_t at = 0;

    for (size_t i = 0; i < count && status == VES_OK; i++) {
        uint64_t index = sequences[i] - VES_TLOG_FIRST;
        VES_ASSERT(index >= at && index < size);
        status = put_covers(&batch, at, index);
        at = index + 1;
    }
    if (status == VES_OK)
        status = put_covers(&batch, at, size);
    if (status == VES_OK)
        status = flush(&batch);
    if (status)
        return status;
    ves_buf_put_u8(buf, '\n');
    ves_buf_put_bytes(buf, note);
    return ves_buf_status(buf);
}
