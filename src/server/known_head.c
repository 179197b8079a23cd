/* known_head.c -- what a client knows of a log, against the log. */
#include "server/known_head.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/log_epoch.h"
#include "engine/log_tree.h"
#include "os/clock.h"
#include "server/routes.h"
#include "server/server.h"

/* The text of the header as a note and what it says. */
struct known {
    struct ves_bytes note_text;
    struct ves_note *note;
    struct ves_checkpoint head;
    struct ves_hash stream_id;
};

static bool read_known(struct ves_request *request, struct ves_bytes text,
                       struct known *out)
{
    struct ves_error error = {0};
    uint8_t *bytes = ves_arena_bytes(&request->arena, text.len + 1);
    size_t len = text.len;
    out->note = ves_arena_alloc(&request->arena, sizeof(*out->note));
    if (!bytes || !out->note) {
        ves_reply_status(request, VES_NOMEM, NULL);
        return false;
    }
    enum ves_status status = VES_MALFORMED;
    if (text.len <= VES_KNOWN_HEAD_MAX)
        status = ves_b64_decode(text, bytes, &len);
    if (!status) {
        out->note_text = ves_bytes(bytes, len);
        status = ves_note_read(out->note_text, out->note, &error);
    }
    if (!status)
        status = ves_checkpoint_read(out->note->text, &out->head, &error);
    if (!status && !ves_origin_stream(out->head.origin, &out->stream_id))
        status = VES_MALFORMED;
    if (status)
        ves_reply_error(request, 400, NULL,
                        VES_KNOWN_HEAD " is not a checkpoint in base64: %s",
                        error.text[0] ? error.text
                                      : ves_status_message(VES_MALFORMED));
    return !status;
}

/* By any of our keys, under a name that this log has or had. */
static bool is_ours(struct ves_request *request, const struct known *known)
{
    const struct ves_identity *identity = &request->server->identity;
    struct ves_bytes name = known->head.origin, host;
    bool is_good = false;
    (void)ves_epoch_of_origin(name, &host);
    for (size_t i = 0;
         i < identity->key_count &&
         ves_bytes_equal(host, request->server->sequencer.log_host) && !is_good;
         i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, name, VES_NOTE_ED25519,
                          &identity->keys[i].public_key);
        is_good = ves_note_check(known->note, &key, NULL) == VES_NOTE_GOOD;
    }
    return is_good;
}

/* Of an epoch that was given up: that is known, and told; nothing is frozen.
 * true: answered. */
static bool tell_epoch(struct ves_request *request, const struct known *known,
                       const struct ves_stream_row *stream)
{
    struct ves_log_epoch last;
    struct ves_bytes host;
    enum ves_status status = ves_log_epoch_last(
        request->store, stream->stream_no,
        &request->server->sequencer.sequencer_id, &request->arena, &last);
    if (status)
        ves_reply_status(request, status, &request->store->error);
    else if (ves_epoch_of_origin(known->head.origin, &host) < last.epoch.number)
        ves_reply_error(request, 409, "LOG_EPOCH",
                        "what was lost of this log was given up: epoch %llu "
                        "was opened at number %llu and goes on from the head "
                        "of %llu entries, and yours of %llu is beyond it; ask "
                        "without " VES_KNOWN_HEAD ", and read that event",
                        (unsigned long long)last.epoch.number,
                        (unsigned long long)last.sequence,
                        (unsigned long long)last.epoch.common.size,
                        (unsigned long long)known->head.size);
    else
        return false;
    return true;
}

bool ves_known_head_check(struct ves_request *request, struct ves_bytes text)
{
    struct ves_store *store = request->store;
    struct known known;
    struct ves_stream_row stream;
    enum ves_log_claim claim;
    if (!read_known(request, text, &known))
        return false;
    enum ves_status status =
        store->ops->tlog_find(store, &known.stream_id, &stream);
    /* A log of others is none to the caller. */
    if (!status && ves_auth_allows(&request->caller,
                                   request->caller.rights & VES_RIGHT_READ
                                       ? VES_RIGHT_READ
                                       : VES_RIGHT_WRITE,
                                   &stream.stream.tenant, &stream.stream.store))
        status = VES_NOT_FOUND;
    if (status == VES_NOT_FOUND) {
        ves_reply_error(
            request, 409, "LOG_UNKNOWN",
            "this sequencer has no log of the stream that " VES_KNOWN_HEAD
            " is about; keep everything, and ask "
            "the operator whether its database was lost");
        return false;
    }
    if (!status)
        status = ves_log_claim_compare(store, &stream, &known.head, &claim);
    if (status) {
        ves_reply_status(request, status, &store->error);
        return false;
    }
    if (claim == VES_LOG_AGREES)
        return true;
    if (!is_ours(request, &known)) {
        ves_reply_error(request, 400, NULL,
                        VES_KNOWN_HEAD
                        " is not what this log was at %llu "
                        "entries, and no key of this sequencer signed it",
                        (unsigned long long)known.head.size);
        return false;
    }
    if (tell_epoch(request, &known, &stream))
        return false;
    request->evidence = known.note_text;
    request->evidence_size = known.head.size;
    request->evidence_stream = stream.stream;
    return false;
}

/* ---- on the committer's thread ------------------------------------------- */

static void freeze(struct ves_request *request)
{
    struct ves_server *server = request->server;
    char words[160];
    snprintf(words, sizeof(words),
             "a store holds a head of %llu entries that was signed here and "
             "is not in this log",
             (unsigned long long)request->evidence_size);
    enum ves_status status = ves_log_freeze(
        &server->sequencer, &request->evidence_stream, ves_bytes_str(words),
        request->evidence, ves_clock_now_ms());
    if (status) {
        ves_reply_status(request, status, &server->sequencer.store->error);
        return;
    }
    ves_log_say(&server->log, VES_LOG_ERROR, "log_frozen", words);
    ves_reply_error(request, 409, "LOG_FROZEN",
                    "%s: the stream is frozen, and the head is kept as "
                    "evidence. Keep everything; the operator has to bring "
                    "the newest database back, or to rebuild what is missing "
                    "(ves admin recover)",
                    words);
}

const struct ves_route ves_known_head_route = {.method = VES_METHOD_POST,
                                               .pattern = VES_KNOWN_HEAD,
                                               .kind = VES_ROUTE_WRITE,
                                               .access = VES_ACCESS_ANY,
                                               .handle = freeze};
