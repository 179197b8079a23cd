/* cosigned.c -- the heads of one log that somebody cosigned, and their lines.
 */
#include "core/cosigned.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/uuid.h"
#include "core/lines.h"

static const char framing[] = "note";
static const char of_agent[] = "/agent/";

enum {
    OWN_LINES_MAX = VES_NOTE_LINES_MAX - VES_COSIGNED_COSIGNERS_MAX,
    COSIGNATURE = 8 + VES_SIG_SIZE,      /* bytes of a payload */
    ORIGIN_TAIL = 5 + 2 * VES_HASH_SIZE, /* "/ves/ID" */
    AGENT_TAIL = sizeof(of_agent) - 1 + VES_UUID_TEXT
};

/* ---- names of stores ------------------------------------------------------
 */

void ves_cosigner_name_write(struct ves_buf *buf, struct ves_bytes origin,
                             const struct ves_uuid *agent)
{
    VES_ASSERT(origin.len > ORIGIN_TAIL);
    ves_buf_put(buf, origin.ptr, origin.len - ORIGIN_TAIL);
    ves_buf_put_str(buf, of_agent);
    ves_buf_put_uuid(buf, agent);
}

bool ves_cosigner_agent(struct ves_bytes name, struct ves_bytes origin,
                        struct ves_uuid *agent)
{
    char text[VES_UUID_TEXT + 1];

    if (origin.len <= ORIGIN_TAIL)
        return false;
    size_t host = origin.len - ORIGIN_TAIL;
    if (name.len != host + AGENT_TAIL ||
        memcmp(name.ptr, origin.ptr, host) != 0 ||
        memcmp(name.ptr + host, of_agent, sizeof(of_agent) - 1) != 0)
        return false;
    struct ves_bytes id =
        ves_bytes(name.ptr + name.len - VES_UUID_TEXT, VES_UUID_TEXT);
    if (ves_uuid_parse(id, agent))
        return false;
    /* One spelling: another would be another cosigner. */
    ves_uuid_format(agent, text);
    return memcmp(id.ptr, text, VES_UUID_TEXT) == 0;
}

/* ---- lines ----------------------------------------------------------------
 */

bool ves_cosigned_line_read(const struct ves_note_line *line,
                            struct ves_cosigned_line *out)
{
    if (line->payload_len != COSIGNATURE)
        return false;
    *out = (struct ves_cosigned_line){.text = line->text,
                                      .name = line->name,
                                      .key_id = line->key_id,
                                      .time_s = ves_load_u64(line->payload)};
    return true;
}

/* The order of cosigners. */
static int compare(const struct ves_cosigned_line *a,
                   const struct ves_cosigned_line *b)
{
    int by_name = ves_bytes_compare(a->name, b->name);

    if (by_name)
        return by_name;
    return a->key_id < b->key_id ? -1 : a->key_id > b->key_id;
}

/* Where the cosigner's line is on a head, or belongs. */
static size_t place_of(const struct ves_cosigned_head *head,
                       const struct ves_cosigned_line *line, bool *is_there)
{
    size_t at = 0;
    int order = 1;

    while (at < head->count && (order = compare(&head->lines[at], line)) < 0)
        at++;
    *is_there = at < head->count && order == 0;
    return at;
}

static void remove_line(struct ves_cosigned_head *head, size_t at)
{
    head->count--;
    memmove(&head->lines[at], &head->lines[at + 1],
            (head->count - at) * sizeof(head->lines[0]));
}

static void put_line(struct ves_cosigned_head *head,
                     const struct ves_cosigned_line *line)
{
    bool is_there;
    size_t at = place_of(head, line, &is_there);

    if (!is_there) {
        VES_ASSERT(head->count < VES_COSIGNED_COSIGNERS_MAX);
        memmove(&head->lines[at + 1], &head->lines[at],
                (head->count - at) * sizeof(head->lines[0]));
        head->count++;
    }
    head->lines[at] = *line;
}

/* ---- heads ----------------------------------------------------------------
 */

static struct ves_cosigned_head *find(const struct ves_cosigned *set,
                                      uint64_t size)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->heads[i]->checkpoint.size == size)
            return set->heads[i];
    }
    return NULL;
}

const struct ves_cosigned_head *
ves_cosigned_find(const struct ves_cosigned *set, uint64_t size)
{
    return find(set, size);
}

/* A new head without lines, in its place. */
static struct ves_cosigned_head *make_head(struct ves_cosigned *set,
                                           struct ves_bytes note,
                                           const struct ves_checkpoint *head)
{
    struct ves_cosigned_head *made = ves_arena_alloc(set->arena, sizeof(*made));
    size_t at = set->count;

    if (!made)
        return NULL;
    VES_ASSERT(set->count <= VES_COSIGNED_HEADS_MAX);
    made->checkpoint = *head;
    made->note = note;
    for (; at > 0 && set->heads[at - 1]->checkpoint.size < head->size; at--)
        set->heads[at] = set->heads[at - 1];
    set->heads[at] = made;
    set->count++;
    return made;
}

static void forget_empty(struct ves_cosigned *set)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++) {
        if (set->heads[i]->count > 0)
            set->heads[kept++] = set->heads[i];
    }
    set->count = kept;
}

/* The newest head that has a line of this cosigner, or NULL; *line is it. */
static const struct ves_cosigned_head *
newest_of(const struct ves_cosigned *set, const struct ves_cosigned_line *who,
          const struct ves_cosigned_line **line)
{
    for (size_t i = 0; i < set->count; i++) {
        bool is_there;
        size_t at = place_of(set->heads[i], who, &is_there);

        if (is_there) {
            *line = &set->heads[i]->lines[at];
            return set->heads[i];
        }
    }
    return NULL;
}

/* Lines that a newer one of the same cosigner replaces, but not on the heads
 * where others may still join it. */
static void forget_old(struct ves_cosigned *set)
{
    const struct ves_cosigned_line *newest;

    for (size_t i = VES_COSIGNED_RECENT; i < set->count; i++) {
        struct ves_cosigned_head *head = set->heads[i];
        for (size_t k = head->count; k-- > 0;) {
            if (newest_of(set, &head->lines[k], &newest) != head)
                remove_line(head, k);
        }
    }
    forget_empty(set);
}

static void forget_cosigner(struct ves_cosigned *set,
                            const struct ves_cosigned_line *who)
{
    for (size_t i = 0; i < set->count; i++) {
        bool is_there;
        size_t at = place_of(set->heads[i], who, &is_there);

        if (is_there)
            remove_line(set->heads[i], at);
    }
    forget_empty(set);
}

/* Room for one more cosigner of its kind, at the cost of the one whose newest
 * line is on the smallest head.  Agents cannot push out witnesses. */
static bool make_room(struct ves_cosigned *set,
                      const struct ves_checkpoint *head,
                      const struct ves_cosigned_line *line)
{
    struct ves_uuid ignored;
    bool is_agent = ves_cosigner_agent(line->name, head->origin, &ignored);
    size_t max = is_agent ? VES_COSIGNED_AGENTS_MAX : VES_COSIGNED_OTHERS_MAX;
    const struct ves_cosigned_line *newest;
    struct ves_cosigned_line last = {.key_id = 0};
    uint64_t last_size = 0;
    size_t count = 0;

    for (size_t i = 0; i < set->count; i++) {
        const struct ves_cosigned_head *at = set->heads[i];
        for (size_t k = 0; k < at->count; k++) {
            if (ves_cosigner_agent(at->lines[k].name, head->origin, &ignored) !=
                    is_agent ||
                newest_of(set, &at->lines[k], &newest) != at)
                continue;
            count++;
            last = at->lines[k];
            last_size = at->checkpoint.size;
        }
    }
    if (count < max)
        return true;
    if (last_size >= head->size)
        return false;
    forget_cosigner(set, &last);
    return true;
}

enum ves_status ves_cosigned_add(struct ves_cosigned *set,
                                 struct ves_bytes note,
                                 const struct ves_checkpoint *head,
                                 const struct ves_cosigned_line *line,
                                 enum ves_cosigned_answer *answer)
{
    const struct ves_cosigned_line *before = NULL;
    bool is_there;

    VES_ASSERT(!ves_bytes_equal(line->name, head->origin));
    *answer = VES_COSIGNED_KNOWN;
    /* Another name is another log: what was said of the old one is of no use
     * to who follows the new. */
    if (set->count > 0 &&
        !ves_bytes_equal(set->heads[0]->checkpoint.origin, head->origin))
        set->count = 0;
    const struct ves_cosigned_head *newest = newest_of(set, line, &before);
    if (newest && (newest->checkpoint.size > head->size ||
                   (newest->checkpoint.size == head->size &&
                    before->time_s >= line->time_s)))
        return VES_OK;
    *answer = VES_COSIGNED_FULL;
    if (!newest && !make_room(set, head, line))
        return VES_OK;
    struct ves_cosigned_head *at = find(set, head->size);
    if (!at)
        at = make_head(set, note, head);
    if (!at)
        return VES_NOMEM;
    at->note = note;
    /* A text that was not written here may have more than are kept. */
    (void)place_of(at, line, &is_there);
    if (!is_there && at->count == VES_COSIGNED_COSIGNERS_MAX)
        return VES_OK;
    put_line(at, line);
    forget_old(set);
    *answer = VES_COSIGNED_ADDED;
    return VES_OK;
}

/* ---- the text -------------------------------------------------------------
 */

void ves_cosigned_note_write(struct ves_buf *buf, struct ves_bytes note,
                             const struct ves_cosigned_head *head)
{
    ves_buf_put_bytes(buf, note);
    for (size_t i = 0; head && i < head->count; i++)
        ves_buf_put_bytes(buf, head->lines[i].text);
}

void ves_cosigned_write(struct ves_buf *buf, const struct ves_cosigned *set)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct ves_cosigned_head *head = set->heads[i];
        size_t len = head->note.len;

        for (size_t k = 0; k < head->count; k++)
            len += head->lines[k].text.len;
        ves_buf_put_str(buf, framing);
        ves_buf_put_u8(buf, ' ');
        ves_buf_put_decimal(buf, len);
        ves_buf_put_u8(buf, '\n');
        ves_cosigned_note_write(buf, head->note, head);
    }
}

/* One note: the log's lines come first. */
static enum ves_status read_head(struct ves_cosigned *set,
                                 struct ves_bytes bytes, struct ves_note *note)
{
    struct ves_checkpoint checkpoint;
    struct ves_cosigned_line line;
    size_t own = 0;

    if (ves_note_read(bytes, note, NULL) ||
        ves_checkpoint_read(note->text, &checkpoint, NULL))
        return VES_CORRUPT;
    while (own < note->count &&
           ves_bytes_equal(note->lines[own].name, checkpoint.origin))
        own++;
    size_t rest = note->count - own;
    if (own == 0 || own > OWN_LINES_MAX || rest == 0 ||
        rest > VES_COSIGNED_COSIGNERS_MAX ||
        set->count == VES_COSIGNED_HEADS_MAX ||
        (set->count > 0 &&
         set->heads[set->count - 1]->checkpoint.size <= checkpoint.size))
        return VES_CORRUPT;
    struct ves_bytes base =
        ves_bytes(bytes.ptr, (size_t)(note->lines[own].text.ptr - bytes.ptr));
    struct ves_cosigned_head *head = make_head(set, base, &checkpoint);
    if (!head)
        return VES_NOMEM;
    for (size_t i = own; i < note->count; i++) {
        bool is_there;
        if (!ves_cosigned_line_read(&note->lines[i], &line) ||
            place_of(head, &line, &is_there) != head->count)
            return VES_CORRUPT;
        head->lines[head->count++] = line;
    }
    return VES_OK;
}

enum ves_status ves_cosigned_read(struct ves_bytes text,
                                  struct ves_arena *arena,
                                  struct ves_cosigned *out)
{
    struct ves_note *note = ves_arena_alloc(arena, sizeof(*note));
    enum ves_status status = VES_OK;

    memset(out, 0, sizeof(*out));
    out->arena = arena;
    if (!note)
        return VES_NOMEM;
    while (!status && text.len > 0) {
        uint64_t len;
        if (!ves_line_take_number(&text, framing, &len) || len > text.len)
            return VES_CORRUPT;
        status = read_head(out, ves_bytes(text.ptr, (size_t)len), note);
        text.ptr += len;
        text.len -= (size_t)len;
    }
    return status;
}
