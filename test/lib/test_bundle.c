/* test_bundle.c -- a log of real, signed events, and bundles made of it. */
#include "test/lib/test_bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/keydir.h"

static void set_names(struct test_bundle *bundle)
{
    struct ves_hash id;
    struct ves_buf buf;

    test_log_buf(&buf);
    ves_stream_id(&bundle->log.stream, &id);
    ves_origin_write(&buf, ves_bytes_str("shop.example"), &id);
    snprintf(bundle->origin, sizeof(bundle->origin), "%s", test_log_str(&buf));
    struct ves_public_key key = bundle->log.log_key.key;
    ves_note_key_init(&bundle->log.log_key, ves_bytes_str(bundle->origin),
                      VES_NOTE_ED25519, &key);
    ves_buf_reset(&buf);
    ves_buf_put_str(&buf, "log ");
    ves_note_key_write(&buf, &bundle->log.log_key);
    ves_buf_put_str(&buf, "\n");
    snprintf(bundle->no_witness, sizeof(bundle->no_witness), "%squorum none\n",
             test_log_str(&buf));
    ves_buf_put_str(&buf, "witness w ");
    ves_note_key_write(&buf, &bundle->log.witness_key);
    ves_buf_put_str(&buf, "\nquorum w\n");
    snprintf(bundle->policy, sizeof(bundle->policy), "%s", test_log_str(&buf));
    ves_buf_free(&buf);
}

static void add_event(struct test_bundle *bundle, uint32_t n)
{
    struct ves_event *event = &bundle->events[n];
    struct test_event made;
    struct ves_refusal refusal;
    struct ves_bytes kept;
    struct ves_buf buf;
    char payload[64], name[16];

    test_log_buf(&buf);
    test_event_init(&made, &bundle->log.stream, &bundle->agent_id, n);
    snprintf(name, sizeof(name), "A-%u", n % 5);
    made.fields.entity_type = ves_bytes_str(n % 3 ? "order" : "customer");
    made.fields.entity_id = ves_bytes_str(name);
    snprintf(payload, sizeof(payload), "{\"note\":\"number %u\"}", n + 1);
    made.payload = payload;
    if (n % 8 == 7)
        made.fields.ves_version = 1;
    test_event_write(&buf, &made, &bundle->agent, NULL);
    assert_int_equal(ves_arena_copy(&bundle->arena, ves_buf_view(&buf), &kept),
                     VES_OK);
    assert_int_equal(ves_event_read(&bundle->arena, kept, event, &refusal),
                     VES_OK);
    assert_int_equal(ves_event_check(&bundle->arena, event, &refusal), VES_OK);
    const struct ves_leaf leaf = {event->stream, n + VES_TLOG_FIRST,
                                  event->event_hash, event->signature};
    test_log_append(&bundle->log, &leaf);
    ves_buf_free(&buf);
}

void test_bundle_open(struct test_bundle *bundle, size_t count)
{
    memset(bundle, 0, sizeof(*bundle));
    test_log_open(&bundle->log);
    set_names(bundle);
    test_signer_init(&bundle->agent, 5);
    bundle->agent_id = test_id(1000000);
    ves_arena_init(&bundle->arena, ves_alloc_default(), 256 << 20);
    bundle->events = calloc(count, sizeof(*bundle->events));
    assert_non_null(bundle->events);
    for (; bundle->count < count; bundle->count++)
        add_event(bundle, (uint32_t)bundle->count);
}

void test_bundle_close(struct test_bundle *bundle)
{
    free(bundle->events);
    ves_arena_free(&bundle->arena);
    test_log_close(&bundle->log);
}

void test_bundle_directory_by(const struct test_bundle *bundle,
                              struct ves_buf *out, uint64_t revoked_at,
                              const struct ves_uuid *store,
                              const struct ves_secret_key *secret)
{
    struct ves_arena arena;
    struct ves_hash hash;
    struct ves_sig sig;
    size_t from = out->len;

    ves_buf_put_str(out, "{\"tenantId\":\"");
    ves_buf_put_uuid(out, &bundle->log.stream.tenant);
    ves_buf_put_str(out, "\",\"storeId\":\"");
    ves_buf_put_uuid(out, store);
    ves_buf_put_str(out, "\",\"keys\":[{\"agentId\":\"");
    ves_buf_put_uuid(out, &bundle->agent_id);
    ves_buf_put_str(out, "\",\"keyId\":1,\"algorithm\":\"ed25519\","
                         "\"publicKey\":\"0x");
    ves_buf_put_hex(out, bundle->agent.signer.public_key.b, VES_KEY_SIZE);
    ves_buf_put_str(out, "\",\"validFromSequence\":1");
    if (revoked_at > 0) {
        ves_buf_put_str(out, ",\"revokedAtSequence\":");
        ves_buf_put_decimal(out, revoked_at);
    }
    ves_buf_put_str(out, "}],\"signedAt\":\"2026-01-02T03:04:05Z\"");
    /* Signed as it is so far, which is a whole object but for its brace. */
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    size_t end = out->len;
    ves_buf_put_str(out, "}");
    const struct ves_json *root = NULL;
    assert_int_equal(ves_json_read(&arena,
                                   ves_bytes(out->ptr + from, out->len - from),
                                   NULL, &root, NULL),
                     VES_OK);
    assert_int_equal(ves_keydir_hash(&arena, ves_alloc_default(), root, &hash),
                     VES_OK);
    ves_arena_free(&arena);
    ves_ed25519_sign(secret, ves_bytes(hash.b, sizeof(hash.b)), &sig);
    out->len = end;
    ves_buf_put_str(out, ",\"directorySignature\":\"0x");
    ves_buf_put_hex(out, sig.b, sizeof(sig.b));
    ves_buf_put_str(out, "\"}");
}

void test_bundle_directory(const struct test_bundle *bundle,
                           struct ves_buf *out, uint64_t revoked_at)
{
    test_bundle_directory_by(bundle, out, revoked_at, &bundle->log.stream.store,
                             &bundle->log.log_secret);
}

void test_bundle_note(struct test_bundle *bundle, struct ves_buf *out,
                      uint64_t size, uint64_t time_s)
{
    struct ves_buf note;

    test_log_buf(&note);
    test_log_checkpoint(&bundle->log, &note, size);
    if (time_s > 0)
        test_log_cosign(&bundle->log, &note, time_s);
    ves_buf_put_bytes(out, ves_buf_view(&note));
    ves_buf_free(&note);
}

void test_bundle_write(struct test_bundle *bundle, struct ves_buf *out,
                       const uint64_t *sequences, size_t count, uint64_t size,
                       uint64_t time_s)
{
    struct ves_buf directory, note;

    test_log_buf(&directory);
    test_log_buf(&note);
    test_bundle_directory(bundle, &directory, 0);
    test_bundle_note(bundle, &note, size, time_s);
    ves_bundle_begin(out, &bundle->log.stream, ves_bytes_str("the shop's"));
    assert_int_equal(ves_bundle_keys(out, ves_buf_view(&directory)), VES_OK);
    for (size_t i = 0; i < count; i++)
        ves_bundle_event(out, sequences[i],
                         &bundle->events[sequences[i] - VES_TLOG_FIRST]);
    assert_int_equal(ves_bundle_end(out, test_log_source(&bundle->log),
                                    sequences, count, size,
                                    ves_buf_view(&note)),
                     VES_OK);
    ves_buf_free(&directory);
    ves_buf_free(&note);
}

struct ves_verify_anchors test_bundle_anchors(const struct test_bundle *bundle)
{
    const struct ves_verify_anchors anchors = {
        .policy = ves_bytes_str(bundle->policy)};
    return anchors;
}

enum ves_verify_verdict
test_bundle_verify(const struct ves_verify_anchors *anchors,
                   struct ves_bytes file, struct ves_bytes entry,
                   struct ves_verify_report *report)
{
    static struct ves_verify_report own;
    struct ves_error error;

    if (!report)
        report = &own;
    assert_int_equal(ves_verify(NULL, file, entry, anchors, report, &error),
                     VES_OK);
    return report->verdict;
}

const struct ves_verify_property *
test_bundle_line(const struct ves_verify_report *report, const char *name)
{
    for (size_t i = 0; i < report->count; i++) {
        if (strcmp(report->properties[i].name, name) == 0)
            return &report->properties[i];
    }
    return NULL;
}
