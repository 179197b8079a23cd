/* own_event.c -- events of the sequencer's own agent. */
#include "engine/own_event.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/time.h"
#include "base/uuid.h"
#include "core/scratch.h"
#include "crypto/crypto.h"
#include "crypto/verifier.h"
#include "json/jcs.h"

enum { ELEMENT_MAX = 64 * 1024 };

/* ---- the envelope -------------------------------------------------------- */

static enum ves_status read_payload(struct ves_arena *arena,
                                    const struct ves_own_event *what,
                                    struct ves_event *event)
{
    struct ves_scratch scratch;

    enum ves_status status =
        ves_json_read(arena, what->payload, NULL, &event->payload, NULL);
    if (status)
        return status;
    ves_scratch_init(&scratch, arena, what->payload.len + 64, ELEMENT_MAX);
    status = ves_jcs_write(&scratch.buf, arena, event->payload);
    if (!status)
        status = ves_buf_status(&scratch.buf);
    event->payload_jcs = ves_buf_view(&scratch.buf);
    ves_payload_plain_hash(event->payload_jcs, NULL,
                           &event->payload_plain_hash);
    return status;
}

static void make_id(const struct ves_event *event, struct ves_uuid *out)
{
    struct ves_hash hash;
    const struct ves_bytes parts[] = {
        ves_bytes_str("VES_OWN_EVENT_V1"),
        ves_bytes(event->stream.tenant.b, VES_UUID_SIZE),
        ves_bytes(event->stream.store.b, VES_UUID_SIZE), event->event_type,
        ves_bytes(event->payload_plain_hash.b, VES_HASH_SIZE)};

    ves_sha256(parts, sizeof(parts) / sizeof(parts[0]), &hash);
    ves_uuid_make_v8(&hash, out);
}

static enum ves_status write_body(struct ves_sequencer *sequencer,
                                  const struct ves_own_event *what,
                                  int64_t now_ms, struct ves_arena *arena,
                                  struct ves_bytes *body)
{
    char created_at[VES_TIME_TEXT + 1];
    struct ves_sign_item item;
    struct ves_scratch scratch;
    struct ves_event event = {.ves_version = 2,
                              .stream = what->stream,
                              .agent = sequencer->sequencer_id,
                              .agent_key_id = sequencer->key_version,
                              .entity_type = ves_bytes_str(what->entity_type),
                              .entity_id = ves_bytes_str(what->entity_id),
                              .event_type = ves_bytes_str(what->event_type),
                              .payload_kind = VES_PAYLOAD_PLAIN};

    ves_time_format(now_ms, created_at);
    event.created_at = ves_bytes_str(created_at);
    enum ves_status status = read_payload(arena, what, &event);
    if (status)
        return status;
    make_id(&event, &event.event_id);
    ves_event_signing_hash(&event, &item.hash);
    sequencer->signer->sign(sequencer->signer, &item, 1);
    event.signature = item.sig;
    ves_scratch_init(&scratch, arena, event.payload_jcs.len + 2048,
                     ELEMENT_MAX);
    ves_buf_put_str(&scratch.buf, "{\"agentId\":\"");
    ves_buf_put_uuid(&scratch.buf, &event.agent);
    ves_buf_put_str(&scratch.buf, "\",\"events\":[");
    ves_event_write(&scratch.buf, &event);
    ves_buf_put_str(&scratch.buf, "]}");
    *body = ves_buf_view(&scratch.buf);
    return ves_buf_status(&scratch.buf);
}

/* ---- prepared like any other --------------------------------------------- */

static bool find_own(void *ctx, const struct ves_uuid *tenant,
                     const struct ves_uuid *agent, uint32_t key_id,
                     struct ves_public_key *out)
{
    const struct ves_sequencer *sequencer = ctx;
    (void)tenant;

    if (key_id != sequencer->key_version ||
        !ves_uuid_equal(agent, &sequencer->sequencer_id))
        return false;
    *out = sequencer->signer->public_key;
    return true;
}

enum ves_status ves_own_event_prepare(struct ves_sequencer *sequencer,
                                      const struct ves_own_event *what,
                                      int64_t now_ms, struct ves_arena *arena,
                                      struct ves_ingest *ingest)
{
    const struct ves_caller caller = {.tenant = what->stream.tenant,
                                      .has_store = true,
                                      .store = what->stream.store,
                                      .has_agent = true,
                                      .agent = sequencer->sequencer_id,
                                      .rights = VES_RIGHT_WRITE};
    const struct ves_key_source keys = {.ctx = sequencer, .find = find_own};
    struct ves_verifier verifier = {.verify = ves_verify_each};
    struct ves_bytes body;

    enum ves_status status = write_body(sequencer, what, now_ms, arena, &body);
    if (status)
        return status;
    status = ves_ingest_read(ingest, sequencer->alloc, body, &caller);
    if (status)
        return status;
    VES_ASSERT(ingest->http_status == 200 && ingest->count == 1);
    ingest->is_own = true;
    status =
        ves_ingest_prepare(ingest, sequencer->alloc, &keys, &verifier, false);
    if (status)
        ves_ingest_free(ingest);
    return status;
}

enum ves_status ves_own_key_put(struct ves_sequencer *sequencer,
                                const struct ves_uuid *tenant)
{
    struct ves_store *store = sequencer->store;
    const struct ves_key_row row = {.tenant = *tenant,
                                    .agent = sequencer->sequencer_id,
                                    .key_id = sequencer->key_version,
                                    .public_key = sequencer->signer->public_key,
                                    .algorithm = ves_bytes_str("ed25519"),
                                    .registrar = ves_bytes_str("sequencer")};
    struct ves_key_row old;
    struct ves_arena arena;

    ves_arena_init(&arena, sequencer->alloc, ELEMENT_MAX);
    enum ves_status status = store->ops->key_get(store, tenant, &row.agent,
                                                 row.key_id, &arena, &old);
    bool is_there =
        !status && ves_bytes_equal(ves_bytes(old.public_key.b, VES_KEY_SIZE),
                                   ves_bytes(row.public_key.b, VES_KEY_SIZE));
    ves_arena_free(&arena);
    if (is_there || (status && status != VES_NOT_FOUND))
        return status;
    return store->ops->key_put(store, &row);
}
