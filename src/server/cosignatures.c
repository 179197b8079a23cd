/* cosignatures.c -- who vouches for our heads: taking it in. */
#include "server/cosignatures.h"

#include <limits.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/log_epoch.h"
#include "engine/log_tree.h"
#include "os/clock.h"
#include "server/server.h"

enum { HEADER_NOTE_MAX = 4096 /* characters of one note */ };

/* ---- waiting for the committer --------------------------------------------
 */

void ves_cosignatures_init(struct ves_cosignatures *cosignatures)
{
    memset(cosignatures, 0, sizeof(*cosignatures));
    pthread_mutex_init(&cosignatures->lock, NULL);
}

void ves_cosignatures_deinit(struct ves_cosignatures *cosignatures,
                             const struct ves_alloc *alloc)
{
    for (size_t i = 0; i < cosignatures->count; i++)
        alloc->realloc(alloc->ctx, cosignatures->waiting[i], 0);
    cosignatures->count = 0;
    pthread_mutex_destroy(&cosignatures->lock);
}

static struct ves_bytes move(uint8_t **to, struct ves_bytes from)
{
    struct ves_bytes moved = ves_bytes(*to, from.len);

    memcpy(*to, from.ptr, from.len);
    *to += from.len;
    return moved;
}

/* One block: the item, then the bytes it views. */
static struct ves_log_cosigned *copy(const struct ves_alloc *alloc,
                                     const struct ves_log_cosigned *item)
{
    size_t size = sizeof(*item) + item->note.len + item->line.text.len +
                  item->line.name.len + item->head.origin.len;
    struct ves_log_cosigned *made = alloc->realloc(alloc->ctx, NULL, size);

    if (!made)
        return NULL;
    uint8_t *bytes = (uint8_t *)(made + 1);
    *made = *item;
    made->note = move(&bytes, item->note);
    made->line.text = move(&bytes, item->line.text);
    made->line.name = move(&bytes, item->line.name);
    made->head.origin = move(&bytes, item->head.origin);
    return made;
}

bool ves_cosignatures_push(struct ves_server *server,
                           const struct ves_log_cosigned *item)
{
    struct ves_cosignatures *cosignatures = &server->cosignatures;
    struct ves_log_cosigned *made = copy(server->alloc, item);

    if (!made)
        return false;
    pthread_mutex_lock(&cosignatures->lock);
    bool has_room = cosignatures->count < VES_COSIGNATURES_WAITING_MAX;
    if (has_room)
        cosignatures->waiting[cosignatures->count++] = made;
    pthread_mutex_unlock(&cosignatures->lock);
    if (has_room)
        ves_pipeline_poke(server);
    else
        server->alloc->realloc(server->alloc->ctx, made, 0);
    return has_room;
}

unsigned ves_cosignatures_wait_ms(struct ves_server *server)
{
    struct ves_cosignatures *cosignatures = &server->cosignatures;

    pthread_mutex_lock(&cosignatures->lock);
    size_t count = cosignatures->count;
    pthread_mutex_unlock(&cosignatures->lock);
    if (count == 0)
        return UINT_MAX;
    uint64_t ms = (ves_metric_now_us() - cosignatures->stored_us) / 1000;
    return ms >= VES_COSIGNATURES_MS ? 0 : VES_COSIGNATURES_MS - (unsigned)ms;
}

void ves_cosignatures_store(struct ves_server *server)
{
    struct ves_cosignatures *cosignatures = &server->cosignatures;
    struct ves_log_cosigned *taken[VES_COSIGNATURES_WAITING_MAX];
    struct ves_log_cosigned items[VES_COSIGNATURES_WAITING_MAX];
    size_t added;

    pthread_mutex_lock(&cosignatures->lock);
    size_t count = cosignatures->count;
    memcpy(taken, cosignatures->waiting, count * sizeof(taken[0]));
    cosignatures->count = 0;
    pthread_mutex_unlock(&cosignatures->lock);
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        items[i] = *taken[i];
    cosignatures->stored_us = ves_metric_now_us();
    enum ves_status status =
        ves_log_cosigned_keep(&server->sequencer, items, count, &added);
    for (size_t i = 0; i < count; i++)
        server->alloc->realloc(server->alloc->ctx, taken[i], 0);
    if (!status) {
        ves_metric_add(&server->metrics.cosignatures, added);
        return;
    }
    /* They are not tried again: whoever made them makes others. */
    const struct ves_log_field fields[] = {
        {"status", ves_status_name(status), 0},
        {"lines", NULL, count},
        {"message", server->sequencer.store->error.text, 0}};
    ves_log_write(&server->log, VES_LOG_ERROR, "cosignatures_failed", fields,
                  3);
}

/* ---- what a store sends ----------------------------------------------------
 */

/* One note of the header while it is looked at. */
struct offer {
    struct ves_request *request;
    struct ves_bytes bytes;
    struct ves_note *note;
    struct ves_hash stream_id;
    struct ves_stream_row stream;
    struct ves_uuid agent;
    struct ves_note_key key; /* the cosigner's, once found */
    bool has_key;
    struct ves_log_cosigned item;
};

/* Words why it is of no use; NULL: go on. */
typedef const char *check(struct offer *offer);

static const char *read_offer(struct offer *offer)
{
    struct ves_log_cosigned *item = &offer->item;

    if (ves_note_read(offer->bytes, offer->note, NULL) ||
        ves_checkpoint_read(offer->note->text, &item->head, NULL) ||
        !ves_origin_stream(item->head.origin, &offer->stream_id))
        return "not a signed checkpoint";
    size_t count = 0;
    for (size_t i = 0; i < offer->note->count; i++) {
        struct ves_cosigned_line line;
        if (ves_cosigned_line_read(&offer->note->lines[i], &line) &&
            ves_cosigner_agent(line.name, item->head.origin, &offer->agent)) {
            item->line = line;
            count++;
        }
    }
    return count == 1 ? NULL : "not one line of one store";
}

/* Is it the caller's to say, and about a head of our log? */
static const char *find_log(struct offer *offer)
{
    struct ves_request *request = offer->request;
    struct ves_store *store = request->store;
    const struct ves_caller *caller = &request->caller;
    enum ves_log_claim claim;

    if (store->ops->tlog_find(store, &offer->stream_id, &offer->stream))
        return "there is no such log";
    offer->item.stream_no = offer->stream.stream_no;
    if (ves_auth_allows(
            caller,
            caller->rights & VES_RIGHT_READ ? VES_RIGHT_READ : VES_RIGHT_WRITE,
            &offer->stream.stream.tenant, &offer->stream.stream.store))
        return "not this credential's stream";
    if (caller->has_agent && !ves_uuid_equal(&caller->agent, &offer->agent))
        return "another agent's line";
    if (ves_log_claim_compare(store, &offer->stream, &offer->item.head,
                              &claim) ||
        claim != VES_LOG_AGREES)
        return "not a head of this log";
    return NULL;
}

/* Said before?  Looked at before any signature is. */
static const char *find_news(struct offer *offer)
{
    struct ves_request *request = offer->request;
    const struct ves_log_cosigned *item = &offer->item;
    struct ves_cosigned set;

    if (ves_log_cosigned_get(request->store, item->stream_no, &request->arena,
                             &set))
        return NULL;
    for (size_t i = 0; i < set.count; i++) {
        const struct ves_cosigned_head *head = set.heads[i];
        for (size_t k = 0; k < head->count; k++) {
            const struct ves_cosigned_line *line = &head->lines[k];
            if (line->key_id == item->line.key_id &&
                ves_bytes_equal(line->name, item->line.name) &&
                (head->checkpoint.size > item->head.size ||
                 (head->checkpoint.size == item->head.size &&
                  line->time_s >= item->line.time_s)))
                return "nothing new";
        }
    }
    return NULL;
}

/* Our own signature, and the note cut down to it. */
static const char *check_ours(struct offer *offer)
{
    struct ves_request *request = offer->request;
    struct ves_server *server = request->server;
    struct ves_bytes origin = offer->item.head.origin;
    struct ves_buf buf;
    const char *why = NULL;

    ves_buf_init(&buf, server->alloc, HEADER_NOTE_MAX);
    if (ves_log_origin_write(&buf, &server->sequencer, request->store,
                             offer->stream.stream_no, &offer->stream_id))
        why = "out of memory";
    if (!why && !ves_bytes_equal(ves_buf_view(&buf), origin))
        why = "another log's name";
    ves_buf_reset(&buf);
    ves_buf_put_bytes(&buf, offer->note->text);
    ves_buf_put_u8(&buf, '\n');
    if (!why &&
        !ves_identity_own_lines(&server->identity, origin, offer->note, &buf))
        why = "not signed by this sequencer";
    if (!why && (ves_buf_status(&buf) ||
                 ves_arena_copy(&request->arena, ves_buf_view(&buf),
                                &offer->item.note)))
        why = "out of memory";
    ves_buf_free(&buf);
    return why;
}

static enum ves_status visit_key(void *ctx, const struct ves_key_row *row,
                                 const struct ves_key_span *span)
{
    struct offer *offer = ctx;
    struct ves_note_key key;

    if (offer->has_key || row->revoked_at_ms ||
        (span->is_found && span->revoked_at_sequence) ||
        (row->has_store &&
         !ves_uuid_equal(&row->store, &offer->stream.stream.store)))
        return VES_OK;
    ves_note_key_init(&key, offer->item.line.name, VES_NOTE_COSIGNATURE,
                      &row->public_key);
    if (key.id == offer->item.line.key_id) {
        offer->key = key;
        offer->has_key = true;
    }
    return VES_OK;
}

static const char *check_line(struct offer *offer)
{
    struct ves_store *store = offer->request->store;
    uint64_t now_s = (uint64_t)(ves_clock_now_ms() / 1000);

    if (offer->item.line.time_s > now_s + VES_COSIGNATURES_AHEAD_S)
        return "dated in the future";
    if (store->ops->key_list(store, &offer->stream.stream.tenant, &offer->agent,
                             offer->item.stream_no, visit_key, offer) ||
        !offer->has_key)
        return "no key of this agent";
    return ves_note_check(offer->note, &offer->key, NULL) == VES_NOTE_GOOD
               ? NULL
               : "the signature does not verify";
}

static const char *let_wait(struct offer *offer)
{
    return ves_cosignatures_push(offer->request->server, &offer->item)
               ? NULL
               : "too many wait";
}

static const char *look_at(struct offer *offer)
{
    static check *const checks[] = {read_offer, find_log,   find_news,
                                    check_ours, check_line, let_wait};
    const char *why = NULL;

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && !why; i++)
        why = checks[i](offer);
    return why;
}

/* At most once a second, because anybody with an API key can cause it. */
static void say_ignored(struct ves_request *request, const char *why)
{
    struct ves_cosignatures *cosignatures = &request->server->cosignatures;
    uint64_t now_s = ves_metric_now_us() / 1000000 + 1;
    const struct ves_log_field fields[] = {{"message", why, 0},
                                           {"requestId", request->id, 0}};

    ves_metric_add(&request->server->metrics.cosignatures_ignored, 1);
    if (atomic_exchange(&cosignatures->said_s, now_s) != now_s)
        ves_log_write(&request->server->log, VES_LOG_NOTICE,
                      "cosignature_ignored", fields, 2);
}

static struct ves_bytes take_part(struct ves_bytes *text)
{
    const uint8_t *comma = memchr(text->ptr, ',', text->len);
    size_t len = comma ? (size_t)(comma - text->ptr) : text->len;
    struct ves_bytes part = ves_bytes(text->ptr, len);

    len += comma != NULL;
    text->ptr += len;
    text->len -= len;
    while (part.len > 0 && *part.ptr == ' ')
        part = ves_bytes(part.ptr + 1, part.len - 1);
    return part;
}

static const char *take_note(struct ves_request *request,
                             struct ves_bytes base64)
{
    struct ves_arena *arena = &request->arena;
    struct offer *offer = ves_arena_alloc(arena, sizeof(*offer));
    uint8_t *bytes = ves_arena_bytes(arena, HEADER_NOTE_MAX);
    size_t len = HEADER_NOTE_MAX;

    if (offer)
        offer->note = ves_arena_alloc(arena, sizeof(*offer->note));
    if (!offer || !bytes || !offer->note)
        return "out of memory";
    if (base64.len > HEADER_NOTE_MAX || ves_b64_decode(base64, bytes, &len))
        return "not base64";
    offer->request = request;
    offer->bytes = ves_bytes(bytes, len);
    return look_at(offer);
}

void ves_cosignatures_take(struct ves_request *request, struct ves_bytes text)
{
    for (size_t i = 0; text.len > 0 && i < VES_COSIGNATURES_NOTES_MAX; i++) {
        const char *why = take_note(request, take_part(&text));
        if (why)
            say_ignored(request, why);
    }
}
