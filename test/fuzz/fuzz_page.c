/* fuzz_page.c -- pull pages: the cursor moves over verified events only.
 *
 * The bytes are a page for a store with own pending events.  Signatures are
 * judged by a stand-in (good when their first byte is even), so that inputs
 * get past them; everything else is real.  Whatever the page says: no crash,
 * the log stays dense and as it was, each new event is whole and was judged
 * good, and folding it all again gives the same state.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/event.h"
#include "crypto/crypto.h"
#include "engine/agent.h"
#include "store/store_mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_MS = 1770000000, ARENA_MAX = 64 << 20, ROWS_MAX = 2048 };

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void done(enum ves_status status)
{
    require(status == VES_OK);
}

/* ---- a store that pulls -------------------------------------------------- */

static void verify(struct ves_verifier *self, struct ves_verify_item *items,
                   size_t count)
{
    (void)self;
    for (size_t i = 0; i < count; i++)
        items[i].is_valid = items[i].sig.b[0] % 2 == 0;
}

static void sign(struct ves_signer *self, struct ves_sign_item *items,
                 size_t count)
{
    (void)self;
    memset(&items->sig, 0, count * sizeof(items->sig));
}

static struct ves_uuid id_of(uint8_t n)
{
    struct ves_uuid id = {{0}};
    id.b[15] = n;
    return id;
}

struct device {
    struct ves_signer signer;
    struct ves_verifier verifier;
    struct ves_agent_core core;
};

/* Agents 1, the store's own, and 2 have keys from number 1 on; agent 3's ends
 * at number 3. */
static void add_keys(struct ves_agent_core *core)
{
    struct ves_store *store = core->store;

    done(store->ops->begin(store));
    for (uint8_t n = 1; n <= 3; n++) {
        const struct ves_key_row row = {.tenant = core->stream.tenant,
                                        .agent = id_of(n),
                                        .key_id = 1,
                                        .algorithm = ves_bytes_str("ed25519")};
        const struct ves_key_span span = {.is_found = true,
                                          .valid_from_sequence = 1,
                                          .revoked_at_sequence =
                                              n == 3 ? 3 : 0};
        done(store->ops->key_put(store, &row));
        done(store->ops->key_span_put(store, core->stream_no, &row.agent, 1,
                                      &span));
    }
    done(store->ops->commit(store));
}

static void append(struct device *device, const char *type, const char *id,
                   const char *payload)
{
    /* Ids of different agents differ. */
    const struct ves_core_env env = {.now_ms = NOW_MS,
                                     .random = {device->core.agent.b[15]}};
    const struct ves_core_append what = {.event_type = ves_bytes_str(type),
                                         .entity_id = ves_bytes_str(id),
                                         .payload = ves_bytes_str(payload)};
    struct ves_uuid event_id;

    done(ves_core_append(&device->core, &env, &what, &event_id));
}

static void open_device(struct device *device, uint8_t agent)
{
    struct ves_core_identity identity = {.stream = {id_of(0xa1), id_of(0xa2)},
                                         .agent = id_of(agent),
                                         .key_id = 1,
                                         .sequencer_id = id_of(0xaa),
                                         .sequencer_keys = {{.version = 1}},
                                         .sequencer_key_count = 1};

    done(ves_crypto_init());
    memset(device, 0, sizeof(*device));
    device->signer.sign = sign;
    device->verifier.verify = verify;
    device->core = (struct ves_agent_core){.alloc = ves_alloc_default(),
                                           .signer = &device->signer,
                                           .verifier = &device->verifier};
    done(ves_store_mem_open(ves_alloc_default(), &device->core.store));
    done(ves_core_create(&device->core, &identity));
    add_keys(&device->core);
    append(device, "inventory.adjusted", "s", "{\"delta\":1}");
    append(device, "order.created", "o", "{\"note\":\"a\"}");
    append(device, "order.updated", "o", "{\"patch\":{\"note\":\"b\"}}");
}

/* ---- what must hold ------------------------------------------------------ */

struct log {
    struct ves_hash hashes[ROWS_MAX];
    size_t count;
};

static void check_row(const struct ves_log_row *row)
{
    struct ves_refusal refusal;
    struct ves_event event;
    struct ves_arena arena;
    struct ves_buf whole;

    require(row->signature.b[0] % 2 == 0);
    require(!row->has_receipt || row->receipt.b[0] % 2 == 0);
    ves_arena_init(&arena, ves_alloc_default(), ARENA_MAX);
    ves_buf_init(&whole, ves_alloc_default(), ARENA_MAX);
    ves_buf_put_bytes(&whole, row->envelope);
    ves_buf_put_u8(&whole, '}');
    done(ves_event_read(&arena, ves_buf_view(&whole), &event, &refusal));
    done(ves_event_check_logged(&arena, &event, &refusal));
    require(ves_hash_equal(&event.event_hash, &row->event_hash));
    require(ves_uuid_equal(&event.event_id, &row->event_id));
    require(memcmp(event.signature.b, row->signature.b, VES_SIG_SIZE) == 0);
    require(event.agent.b[15] >= 1 && event.agent.b[15] <= 3);
    require(event.agent.b[15] != 3 || row->sequence_number < 3);
    ves_buf_free(&whole);
    ves_arena_free(&arena);
}

static enum ves_status visit(void *ctx, const struct ves_log_row *row)
{
    struct log *log = ctx;

    require(log->count < ROWS_MAX);
    require(row->sequence_number == log->count + 1);
    check_row(row);
    log->hashes[log->count++] = row->event_hash;
    return VES_OK;
}

static void read_log(struct ves_agent_core *core, struct log *log)
{
    log->count = 0;
    done(core->store->ops->log_read(core->store, core->stream_no, 1, 0, visit,
                                    log));
}

/* Whether it was a page at all. */
static bool take(struct ves_agent_core *core, struct ves_bytes bytes,
                 uint64_t from, struct log *log)
{
    static struct log before;
    struct ves_pull_result result = {0};
    struct ves_page *page;
    bool needs_keys;

    before = *log;
    enum ves_status status =
        ves_core_page_read(core, bytes, from, &page, &needs_keys);
    require(status == VES_OK || status == VES_MALFORMED || status == VES_NOMEM);
    if (status)
        return false;
    ves_core_page_verify(core, page);
    status = ves_core_page_apply(core, page, NOW_MS, &result);
    ves_page_free(page);
    require(status == VES_OK || status == VES_AGAIN || status == VES_REFUSED ||
            status == VES_DIVERGED);
    require(status == VES_OK || core->error.text[0] != '\0');
    read_log(core, log);
    require(result.cursor == log->count);
    require(log->count == before.count + result.applied);
    require(memcmp(log->hashes, before.hashes,
                   before.count * sizeof(before.hashes[0])) == 0);
    uint64_t open;
    done(core->store->ops->record_count_open(core->store, VES_RECORD_QUARANTINE,
                                             core->stream_no, &open));
    require(status != VES_REFUSED || open > 0);
    return true;
}

static void fold_again(struct ves_agent_core *core)
{
    struct ves_core_status one, two;

    done(ves_core_status(core, &one));
    done(ves_core_refold(core));
    done(ves_core_status(core, &two));
    require(ves_hash_equal(&one.state_hash, &two.state_hash));
    require(memcmp(one.counts, two.counts, sizeof(one.counts)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct log log;
    struct device device;

    open_device(&device, 1);
    log.count = 0;
    if (take(&device.core, ves_bytes(data, size), 1, &log)) {
        (void)take(&device.core, ves_bytes(data, size), 1, &log);
        (void)take(&device.core, ves_bytes(data, size), log.count + 1, &log);
        if (log.count > 0)
            fold_again(&device.core);
    }
    append(&device, "order.updated", "o", "{\"patch\":{}}");
    ves_store_mem_close(device.core.store);
    return 0;
}
