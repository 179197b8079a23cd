/* epochs.c -- openings of epochs (ADR 0024): does each hold, and which numbers
 * were given up? */
#include "audit/audit.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "core/epoch.h"
#include "crypto/crypto.h"

/* The head that is given up was signed; whoever says so had better show it. */
static bool is_signed(const struct ves_audit *audit,
                      const struct ves_epoch *epoch,
                      const struct ves_note *note)
{
    bool is_good = false;

    for (size_t i = 0; i < audit->key_count; i++)
        is_good |= ves_epoch_is_signed(epoch, note, &audit->keys[i].key);
    return is_good;
}

/* Who knows only its keys finds what is its own by them. */
static bool is_own(const struct ves_audit *audit,
                   const struct ves_audit_stream *stream,
                   const struct ves_event *event)
{
    const struct ves_uuid *sequencer = &stream->logged.log.sequencer;
    bool is_good = false;

    if (!ves_uuid_is_nil(sequencer))
        return ves_uuid_equal(&event->agent, sequencer);
    for (size_t i = 0; i < audit->key_count; i++)
        is_good |= ves_ed25519_verify(
            &audit->keys[i].key, ves_bytes(event->event_hash.b, VES_HASH_SIZE),
            &event->signature);
    return is_good;
}

static void check(struct ves_audit *audit, struct ves_audit_stream *stream,
                  const struct ves_epoch *epoch, const struct ves_note *note,
                  uint64_t sequence)
{
    struct ves_hash root;

    ves_tlog_edge_root(&stream->edge, &root);
    if (epoch->common.size != stream->edge.size ||
        !ves_hash_equal(&root, &epoch->common.root))
        ves_audit_find(audit, VES_AUDIT_TREE, sequence,
                       "epoch %llu goes on from another head than these events "
                       "lead to",
                       (unsigned long long)epoch->number);
    if (epoch->number != stream->epoch + 1)
        ves_audit_find(audit, VES_AUDIT_TREE, sequence,
                       "epoch %llu is opened in epoch %llu",
                       (unsigned long long)epoch->number,
                       (unsigned long long)stream->epoch);
    if (!is_signed(audit, epoch, note))
        ves_audit_find(audit, VES_AUDIT_TREE, sequence,
                       "the head that epoch %llu gives up is not signed by the "
                       "sequencer's key",
                       (unsigned long long)epoch->number);
    ves_audit_unknown(
        audit, VES_AUDIT_TREE,
        "epoch %llu was opened at number %llu: what was signed "
        "before as numbers %llu to %llu was given up",
        (unsigned long long)epoch->number, (unsigned long long)sequence,
        (unsigned long long)sequence, (unsigned long long)epoch->lost.size);
    stream->epoch = epoch->number;
}

enum ves_status ves_audit_epoch_take(struct ves_audit *audit,
                                     struct ves_audit_stream *stream,
                                     const struct ves_event *event,
                                     uint64_t sequence, struct ves_arena *arena)
{
    struct ves_error why = {.status = VES_OK};
    struct ves_epoch epoch;

    if (!ves_epoch_is_opening(event) || !is_own(audit, stream, event))
        return VES_OK;
    struct ves_note *note = ves_arena_alloc(arena, sizeof(*note));
    if (!note)
        return VES_NOMEM;
    if (ves_epoch_read(event, sequence, &epoch, note, &why))
        ves_audit_find(audit, VES_AUDIT_TREE, sequence, "%s", why.text);
    else
        check(audit, stream, &epoch, note, sequence);
    return VES_OK;
}
