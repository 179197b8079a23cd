/* agent_state.c -- transactions and the small values an agent remembers.
 *
 * Each value is a line of "name=value" words: readable with any tool, and a
 * later version adds words without breaking an earlier one.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/scratch.h"
#include "engine/agent_internal.h"

enum { VALUE_MAX = 4096 };

enum word_kind { WORD_U64, WORD_HASH, WORD_UUID };

struct word {
    const char *name;
    enum word_kind kind;
    size_t offset;
};

#define U64(type, member)                                \
    {                                                    \
#member, WORD_U64, offsetof(struct type, member) \
    }
#define HASH(type, member)                                \
    {                                                     \
#member, WORD_HASH, offsetof(struct type, member) \
    }
#define UUID(type, member)                                \
    {                                                     \
#member, WORD_UUID, offsetof(struct type, member) \
    }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct word state_words[] = {
    U64(ves_device_state, remote_head),
    U64(ves_device_state, last_pushed),
    U64(ves_device_state, last_push_ms),
    U64(ves_device_state, last_pull_ms),
    U64(ves_device_state, batch),
    U64(ves_device_state, push_failures),
    U64(ves_device_state, offline_failures),
    U64(ves_device_state, protocol_failures),
    U64(ves_device_state, suspect),
    U64(ves_device_state, next_attempt_ms),
    U64(ves_device_state, wait_ms),
    U64(ves_device_state, quiet_from_ms),
    U64(ves_device_state, quiet_ms),
    {"failed_1_ms", WORD_U64, offsetof(struct ves_device_state, failed_ms[0])},
    {"failed_2_ms", WORD_U64, offsetof(struct ves_device_state, failed_ms[1])},
    {"failed_3_ms", WORD_U64, offsetof(struct ves_device_state, failed_ms[2])},
    {"failed_4_ms", WORD_U64, offsetof(struct ves_device_state, failed_ms[3])},
    {"failed_5_ms", WORD_U64, offsetof(struct ves_device_state, failed_ms[4])},
    U64(ves_device_state, is_breaker_open),
    U64(ves_device_state, needs_auth),
    U64(ves_device_state, is_forbidden),
    U64(ves_device_state, is_diverged),
    U64(ves_device_state, is_copied),
    U64(ves_device_state, is_restoring),
    U64(ves_device_state, is_backup),
    U64(ves_device_state, was_backup),
    U64(ves_device_state, own_known),
    U64(ves_device_state, fork_from),
    U64(ves_device_state, seen_below),
    U64(ves_device_state, epoch_signed),
    U64(ves_device_state, has_taken_back),
    U64(ves_device_state, is_position_unproven),
};

static const struct word chain_words[] = {
    U64(ves_device_chain, agent_seq),   HASH(ves_device_chain, prev),
    U64(ves_device_chain, hlc_ms),      U64(ves_device_chain, hlc_counter),
    UUID(ves_device_chain, group),      U64(ves_device_chain, group_next),
    U64(ves_device_chain, group_count), U64(ves_device_chain, key_id),
};

static const struct word lease_words[] = {
    U64(ves_device_lease, is_held),       U64(ves_device_lease, token),
    U64(ves_device_lease, session),       U64(ves_device_lease, pid),
    U64(ves_device_lease, process_start), UUID(ves_device_lease, boot_id),
    U64(ves_device_lease, first),         U64(ves_device_lease, last),
    U64(ves_device_lease, sent),          U64(ves_device_lease, is_counted),
};

static bool read_word(const struct word *word, struct ves_bytes text, void *out)
{
    uint8_t *to = (uint8_t *)out + word->offset;
    uint64_t number;
    struct ves_uuid uuid;

    switch (word->kind) {
    case WORD_U64:
        if (ves_decimal_parse(text, &number))
            return false;
        memcpy(to, &number, sizeof(number));
        return true;
    case WORD_HASH:
        return ves_hex_decode(text, to, VES_HASH_SIZE) == VES_OK;
    case WORD_UUID:
        if (ves_uuid_parse(text, &uuid))
            return false;
        memcpy(to, &uuid, sizeof(uuid));
        return true;
    }
    return false;
}

/* Takes the text up to the next stop, which it drops; false at the end. */
static bool take(struct ves_bytes *rest, uint8_t stop, struct ves_bytes *part)
{
    const uint8_t *at = rest->len ? memchr(rest->ptr, stop, rest->len) : NULL;
    if (!at)
        return false;
    *part = ves_bytes(rest->ptr, (size_t)(at - rest->ptr));
    *rest = ves_bytes(at + 1, rest->len - part->len - 1);
    return true;
}

/* Its place, or count. */
static size_t word_find(const struct word *words, size_t count,
                        struct ves_bytes key)
{
    size_t i = 0;

    while (i < count && !ves_bytes_is(key, words[i].name))
        i++;
    return i;
}

static enum ves_status words_get(struct ves_agent_core *core,
                                 struct ves_arena *arena, const char *name,
                                 const struct word *words, size_t count,
                                 void *out)
{
    struct ves_bytes text, key, value;

    enum ves_status status =
        core->store->ops->meta_get(core->store, name, arena, &text);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (status)
        return status;
    /* They were written in this order, but for one that has come since. */
    for (size_t next = 0; take(&text, '=', &key); next++) {
        if (!take(&text, ' ', &value))
            return ves_fail(&core->error, VES_CORRUPT,
                            "the store's value \"%s\" is cut off", name);
        if (next >= count || !ves_bytes_is(key, words[next].name))
            next = word_find(words, count, key);
        if (next < count && !read_word(&words[next], value, out))
            return ves_fail(&core->error, VES_CORRUPT,
                            "the store's value \"%s\" has a bad \"%s\"", name,
                            words[next].name);
    }
    return VES_OK;
}

static void write_word(struct ves_buf *buf, const struct word *word,
                       const uint8_t *from)
{
    uint64_t number;
    struct ves_uuid uuid;

    ves_buf_put_str(buf, word->name);
    ves_buf_put_u8(buf, '=');
    switch (word->kind) {
    case WORD_U64:
        memcpy(&number, from, sizeof(number));
        ves_buf_put_decimal(buf, number);
        break;
    case WORD_HASH:
        ves_buf_put_hex(buf, from, VES_HASH_SIZE);
        break;
    case WORD_UUID:
        memcpy(&uuid, from, sizeof(uuid));
        ves_buf_put_uuid(buf, &uuid);
        break;
    }
    ves_buf_put_u8(buf, ' ');
}

static enum ves_status words_put(struct ves_agent_core *core, const char *name,
                                 const struct word *words, size_t count,
                                 const void *in)
{
    struct ves_buf buf;

    ves_buf_init(&buf, core->alloc, VALUE_MAX);
    for (size_t i = 0; i < count; i++)
        write_word(&buf, &words[i], (const uint8_t *)in + words[i].offset);
    enum ves_status status = ves_buf_status(&buf);
    if (!status)
        status =
            core->store->ops->meta_put(core->store, name, ves_buf_view(&buf));
    ves_buf_free(&buf);
    return status;
}

static enum ves_status say_begun(struct ves_agent_core *core,
                                 enum ves_status status)
{
    /* A store that knows more says more. */
    if (status == VES_BUSY && core->store->error.status != VES_BUSY)
        return ves_fail(&core->error, VES_BUSY,
                        "another process is writing to this store; nothing "
                        "was changed. Try again");
    return ves_device_say(core, status);
}

enum ves_status ves_device_begin(struct ves_agent_core *core)
{
    core->error.status = VES_OK;
    core->error.text[0] = '\0';
    return say_begun(core, core->store->ops->begin(core->store));
}

enum ves_status ves_device_begin_flat(struct ves_agent_core *core)
{
    core->error.status = VES_OK;
    core->error.text[0] = '\0';
    return say_begun(core, core->store->ops->begin_flat(core->store));
}

enum ves_status ves_device_end(struct ves_agent_core *core,
                               enum ves_status status)
{
    if (!status)
        status = core->store->ops->commit(core->store);
    if (status) {
        /* Words first: a rollback may overwrite the store's. */
        (void)ves_device_say(core, status);
        core->store->ops->rollback(core->store);
    }
    return status;
}

enum ves_status ves_device_say(struct ves_agent_core *core,
                               enum ves_status status)
{
    if (status == VES_OK || core->error.status == status)
        return status;
    const struct ves_error *store = &core->store->error;
    return ves_fail(&core->error, status, "%s",
                    store->status == status && store->text[0]
                        ? store->text
                        : ves_status_message(status));
}

enum ves_status ves_device_state_get(struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     struct ves_device_state *out)
{
    memset(out, 0, sizeof(*out));
    return words_get(core, arena, "sync", state_words, COUNT(state_words), out);
}

enum ves_status ves_device_state_put(struct ves_agent_core *core,
                                     const struct ves_device_state *state)
{
    return words_put(core, "sync", state_words, COUNT(state_words), state);
}

enum ves_status ves_device_chain_get(struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     struct ves_device_chain *out)
{
    memset(out, 0, sizeof(*out));
    return words_get(core, arena, "append", chain_words, COUNT(chain_words),
                     out);
}

enum ves_status ves_device_chain_put(struct ves_agent_core *core,
                                     const struct ves_device_chain *chain)
{
    return words_put(core, "append", chain_words, COUNT(chain_words), chain);
}

enum ves_status ves_device_lease_get(struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     struct ves_device_lease *out)
{
    memset(out, 0, sizeof(*out));
    return words_get(core, arena, "push.lease", lease_words, COUNT(lease_words),
                     out);
}

/* A program that did not count yet may have sent anything. */
uint64_t ves_device_sent(const struct ves_device_lease *lease)
{
    bool is_known = lease->is_counted || lease->sent > 0 || lease->token == 0;

    return is_known ? lease->sent : UINT64_MAX;
}

enum ves_status ves_device_lease_put(struct ves_agent_core *core,
                                     const struct ves_device_lease *lease)
{
    return words_put(core, "push.lease", lease_words, COUNT(lease_words),
                     lease);
}

enum ves_status ves_device_number_get(struct ves_agent_core *core,
                                      struct ves_arena *arena, const char *name,
                                      uint64_t fallback, uint64_t low,
                                      uint64_t high, uint64_t *out)
{
    struct ves_bytes text;

    *out = fallback;
    enum ves_status status =
        core->store->ops->meta_get(core->store, name, arena, &text);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (status)
        return status;
    if (ves_decimal_parse(text, out) || *out < low || *out > high)
        *out = fallback;
    return VES_OK;
}

enum ves_status ves_device_number_put(struct ves_agent_core *core,
                                      const char *name, uint64_t value)
{
    struct ves_buf buf;

    ves_buf_init(&buf, core->alloc, VALUE_MAX);
    ves_buf_put_decimal(&buf, value);
    enum ves_status status = ves_buf_status(&buf);
    if (!status)
        status =
            core->store->ops->meta_put(core->store, name, ves_buf_view(&buf));
    ves_buf_free(&buf);
    return status;
}

enum ves_status ves_device_cursor(struct ves_agent_core *core, uint64_t *cursor)
{
    enum ves_status status =
        core->store->ops->log_head(core->store, core->stream_no, cursor);
    if (status == VES_NOT_FOUND)
        return ves_fail(&core->error, VES_CORRUPT,
                        "the store does not hold its own stream");
    return status;
}

enum ves_status ves_device_where(struct ves_agent_core *core,
                                 struct ves_device_state *state,
                                 uint64_t *cursor)
{
    struct ves_arena arena;

    *cursor = 0;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_state_get(core, &arena, state);
    if (!status)
        status = ves_device_cursor(core, cursor);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}

uint64_t ves_device_time(int64_t now_ms)
{
    return now_ms < 0 ? 0 : (uint64_t)now_ms;
}

bool ves_device_is_due(uint64_t moment_ms, uint64_t wait_max_ms, int64_t now_ms)
{
    uint64_t now = ves_device_time(now_ms);
    return now >= moment_ms || moment_ms - now > wait_max_ms;
}

enum ves_status ves_device_text(struct ves_arena *arena, const char *text,
                                struct ves_bytes *out)
{
    return ves_arena_copy(arena, ves_bytes_str(text), out);
}
