/* attack_files.c -- writes good bundles, proofs and evidence, and attacks on
 * them.
 *
 * attack-files DIR: files, the policy they are checked under (DIR/policy),
 * requests to a witness (DIR/add-*, fork-*, the witness's list DIR/logs), and
 * DIR/expect.txt, one line a check with tabs between: file, exit code of "ves
 * verify", finding, property, words of its line, further options.  The attacks
 * are those of verifiability.md section 6.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/add_checkpoint.h"
#include "core/evidence.h"
#include "core/tlog_proof.h"
#include "test/lib/test_bundle.h"

enum { EVENTS = 20, SIZE = 11, LATER = 15, NOW = 1700000000 };

static const char *folder;
static FILE *expectations;
static struct test_bundle shop;
/* The same up to entry 6, which is the event with number 7: what a dishonest
 * sequencer shows to others. */
static struct test_log forked;

static void save(const char *name, struct ves_bytes bytes)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes.ptr, 1, bytes.len, file) != bytes.len ||
        fclose(file)) {
        fprintf(stderr, "attack-files: cannot write %s\n", path);
        exit(1);
    }
}

/* The file name must end with this code; its report has that line.  options
 * "" for none. */
static void expect(const char *name, int code, const char *finding,
                   const char *property, const char *words, const char *options)
{
    /* The shell takes tabs in a row for one. */
    fprintf(expectations, "%s\t%d\t%s\t%s\t%s\t%s\n", name, code, finding,
            property, *words ? words : ".", *options ? options : "-");
}

static void save_buf(const char *name, struct ves_buf *buf)
{
    assert_int_equal(ves_buf_status(buf), VES_OK);
    save(name, ves_buf_view(buf));
    ves_buf_free(buf);
}

/* ---- texts ---- */

static void replace(struct ves_buf *file, const char *old, const char *new)
{
    const uint8_t *found = memmem(file->ptr, file->len, old, strlen(old));
    struct ves_buf out;

    assert_non_null(found);
    size_t at = (size_t)(found - file->ptr), after = at + strlen(old);
    test_log_buf(&out);
    ves_buf_put(&out, file->ptr, at);
    ves_buf_put_str(&out, new);
    ves_buf_put(&out, file->ptr + after, file->len - after);
    ves_buf_free(file);
    *file = out;
}

/* The line that begins with text, its LF included, in memory of one's own. */
static char *line_of(const struct ves_buf *file, const char *text)
{
    const uint8_t *at = memmem(file->ptr, file->len, text, strlen(text));
    assert_non_null(at);
    const uint8_t *end = memchr(at, '\n', (size_t)(file->ptr + file->len - at));
    assert_non_null(end);
    return strndup((const char *)at, (size_t)(end + 1 - at));
}

static void replace_line(struct ves_buf *file, const char *begin,
                         const char *new)
{
    char *line = line_of(file, begin);
    replace(file, line, new);
    free(line);
}

/* ---- bundles ---- */

static const uint64_t chosen[] = {3, 4, 9};

/* The events of shop under a note, with the hashes of a tree. */
static void bundle_of(struct ves_buf *file, struct test_log *tree,
                      struct ves_bytes note)
{
    struct ves_buf directory;

    test_log_buf(file);
    test_log_buf(&directory);
    test_bundle_directory(&shop, &directory, 0);
    ves_bundle_begin(file, &shop.log.stream, ves_bytes_str("the shop's"));
    assert_int_equal(ves_bundle_keys(file, ves_buf_view(&directory)), VES_OK);
    for (size_t i = 0; i < 3; i++)
        ves_bundle_event(file, chosen[i],
                         &shop.events[chosen[i] - VES_TLOG_FIRST]);
    assert_int_equal(
        ves_bundle_end(file, test_log_source(tree), chosen, 3, SIZE, note),
        VES_OK);
    ves_buf_free(&directory);
}

static void good(struct ves_buf *file)
{
    test_log_buf(file);
    test_bundle_write(&shop, file, chosen, 3, SIZE, NOW);
}

static void attack_events(void)
{
    struct ves_buf file;
    struct test_event made;

    good(&file);
    replace(&file, "number 4", "number 5");
    expect("mutated.ves-bundle", 40, "FAILED", "events", "event 4", "");
    save_buf("mutated.ves-bundle", &file);

    /* Rightly hashed and signed by the agent; not what is in the log. */
    struct ves_buf line;
    good(&file);
    test_log_buf(&line);
    test_event_init(&made, &shop.log.stream, &shop.agent_id, 3);
    made.payload = "{\"note\":\"number 44\"}";
    ves_buf_put_str(&line, "event 4 ");
    test_event_write(&line, &made, &shop.agent, NULL);
    ves_buf_put_str(&line, "\n");
    replace_line(&file, "event 4 ", test_log_str(&line));
    ves_buf_free(&line);
    expect("substituted.ves-bundle", 40, "FAILED", "position", "does not have",
           "");
    expect("substituted.ves-bundle", 40, "PROVEN", "agent signatures", "3 of 3",
           "");
    save_buf("substituted.ves-bundle", &file);

    good(&file);
    replace_line(&file, "event 4 ", "");
    expect("dropped.ves-bundle", 40, "FAILED", "format", "imply", "");
    save_buf("dropped.ves-bundle", &file);

    good(&file);
    replace(&file, "event 3 ", "event X ");
    replace(&file, "event 4 ", "event 3 ");
    replace(&file, "event X ", "event 4 ");
    expect("reordered.ves-bundle", 40, "FAILED", "format", "ascend", "");
    save_buf("reordered.ves-bundle", &file);

    /* The envelopes change places, the numbers stay. */
    good(&file);
    char *third = line_of(&file, "event 3 ");
    char *fourth = line_of(&file, "event 4 ");
    char both[8192];
    snprintf(both, sizeof(both), "%s%s", third, fourth);
    char swapped[8192];
    snprintf(swapped, sizeof(swapped), "event 3 %sevent 4 %s", fourth + 8,
             third + 8);
    replace(&file, both, swapped);
    free(third);
    free(fourth);
    expect("exchanged.ves-bundle", 40, "FAILED", "position", "does not have",
           "");
    save_buf("exchanged.ves-bundle", &file);

    good(&file);
    char *again = line_of(&file, "event 4 ");
    snprintf(both, sizeof(both), "%s%s", again, again);
    replace(&file, again, both);
    free(again);
    expect("duplicated.ves-bundle", 40, "FAILED", "format", "ascend", "");
    save_buf("duplicated.ves-bundle", &file);

    good(&file);
    replace(&file, "event 9 ", "event 12 ");
    expect("beyond.ves-bundle", 40, "FAILED", "format", "beyond", "");
    save_buf("beyond.ves-bundle", &file);

    good(&file);
    file.len -= 10;
    expect("truncated.ves-bundle", 40, "FAILED", "format", "", "");
    save_buf("truncated.ves-bundle", &file);
}

/* S and S + L sign the same; only one of them is a signature. */
static void attack_signature(void)
{
    static const uint8_t order[32] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    struct ves_event event = shop.events[2];
    struct ves_buf note, file;
    unsigned carry = 0;

    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)event.signature.b[32 + i] + order[i];
        event.signature.b[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    /* The log, too, has the other spelling. */
    struct test_bundle other = shop;
    struct ves_leaf leaf = {event.stream, 1, event.event_hash, event.signature};
    const uint64_t first = 1;
    test_log_open(&other.log);
    other.log.log_key = shop.log.log_key;
    test_log_append(&other.log, &leaf);
    test_log_buf(&note);
    test_bundle_note(&other, &note, 1, NOW);
    test_log_buf(&file);
    ves_bundle_begin(&file, &event.stream, ves_bytes(NULL, 0));
    struct ves_buf directory;
    test_log_buf(&directory);
    test_bundle_directory(&shop, &directory, 0);
    assert_int_equal(ves_bundle_keys(&file, ves_buf_view(&directory)), VES_OK);
    ves_bundle_event(&file, first, &event);
    assert_int_equal(ves_bundle_end(&file, test_log_source(&other.log), &first,
                                    1, 1, ves_buf_view(&note)),
                     VES_OK);
    test_log_close(&other.log);
    ves_buf_free(&directory);
    ves_buf_free(&note);
    expect("malleable.ves-bundle", 40, "FAILED", "agent signatures",
           "event 1 is not signed", "");
    save_buf("malleable.ves-bundle", &file);
}

static void attack_hashes(void)
{
    static const char zero[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    static struct ves_bundle bundle;
    struct ves_buf file;
    char first[64], two[128];

    for (int kind = 0; kind < 3; kind++) {
        static const char *const names[] = {"hash-missing.ves-bundle",
                                            "hash-extra.ves-bundle",
                                            "hash-other.ves-bundle"};
        good(&file);
        assert_int_equal(ves_bundle_read(ves_buf_view(&file), &bundle, NULL),
                         VES_OK);
        snprintf(first, sizeof(first), "%.45s",
                 (const char *)bundle.covers.ptr);
        snprintf(two, sizeof(two), "%s%s", first, zero);
        replace(&file, first, kind == 0 ? "" : kind == 1 ? two : zero);
        expect(names[kind], 40, "FAILED", kind < 2 ? "format" : "position",
               kind < 2 ? "imply" : "does not have", "");
        save_buf(names[kind], &file);
    }
    good(&file);
    assert_int_equal(ves_bundle_read(ves_buf_view(&file), &bundle, NULL),
                     VES_OK);
    snprintf(first, sizeof(first), "%.45s", (const char *)bundle.covers.ptr);
    snprintf(two, sizeof(two), "%s", first);
    /* The last digit holds two bits too many: set one. */
    two[42] = (char)(two[42] + 1);
    replace(&file, first, two);
    expect("base64.ves-bundle", 40, "FAILED", "format", "base64", "");
    save_buf("base64.ves-bundle", &file);
}

/* ---- heads ---- */

/* A bundle under a note that is not the log's at SIZE. */
static void under(const char *name, struct ves_buf *note)
{
    struct ves_buf file;

    bundle_of(&file, &shop.log, ves_buf_view(note));
    save_buf(name, &file);
    ves_buf_free(note);
}

/* A note with any text, signed by a key. */
static void sign_text(struct ves_buf *out, const char *text,
                      const struct ves_note_key *key,
                      const struct ves_secret_key *secret)
{
    struct ves_sig sig;

    test_log_buf(out);
    ves_buf_put_str(out, text);
    ves_ed25519_sign(secret, ves_bytes_str(text), &sig);
    ves_buf_put_str(out, "\n");
    ves_note_line_write(out, key, sig.b, sizeof(sig.b));
}

/* The checkpoint's three lines. */
static const char *text_of(const char *origin, const char *size)
{
    static char text[512];
    struct ves_hash root = test_log_root(&shop.log, SIZE);
    char base64[64] = "";

    ves_b64_encode(root.b, VES_HASH_SIZE, base64);
    snprintf(text, sizeof(text), "%s\n%s\n%.44s\n", origin, size, base64);
    return text;
}

static void attack_heads(void)
{
    const struct ves_secret_key *secret = &shop.log.log_secret;
    struct ves_note_key key = shop.log.log_key;
    struct ves_public_key public_key = key.key;
    struct ves_buf note;

    sign_text(&note, text_of("other.example/ves", "11"), &key, secret);
    under("origin.ves-bundle", &note);
    expect("origin.ves-bundle", 40, "FAILED", "log signature",
           "no log of your policy", "");

    ves_note_key_init(&key, ves_bytes_str("other.example/ves"),
                      VES_NOTE_ED25519, &public_key);
    sign_text(&note, text_of(shop.origin, "11"), &key, secret);
    under("key-name.ves-bundle", &note);
    expect("key-name.ves-bundle", 40, "FAILED", "log signature",
           "no log of your policy", "");

    key = shop.log.log_key;
    key.id ^= 1;
    sign_text(&note, text_of(shop.origin, "11"), &key, secret);
    under("key-id.ves-bundle", &note);
    expect("key-id.ves-bundle", 40, "FAILED", "log signature",
           "no log of your policy", "");

    key.id ^= 1;
    sign_text(&note, text_of(shop.origin, "11"), &key, &shop.log.agent_secret);
    under("log-signature.ves-bundle", &note);
    expect("log-signature.ves-bundle", 40, "FAILED", "log signature",
           "worth nothing", "");

    sign_text(&note, text_of(shop.origin, "11"), &key, secret);
    static const uint8_t wrong[72] = {0};
    ves_note_line_write(&note, &shop.log.witness_key, wrong, sizeof(wrong));
    under("cosignature.ves-bundle", &note);
    expect("cosignature.ves-bundle", 40, "FAILED", "log signature",
           "worth nothing", "");

    struct ves_buf file;
    good(&file);
    replace(&file, "\n11\n", "\n011\n");
    expect("leading-zero.ves-bundle", 40, "FAILED", "format", "", "");
    save_buf("leading-zero.ves-bundle", &file);

    good(&file);
    replace(&file, "\n11\n", "\n11\r\n");
    expect("cr.ves-bundle", 40, "FAILED", "format", "", "");
    save_buf("cr.ves-bundle", &file);

    sign_text(&note, text_of(shop.origin, "11"), &key, secret);
    under("no-witness.ves-bundle", &note);
    expect("no-witness.ves-bundle", 10, "NOT PROVEN", "witnesses",
           "0 of your policy's 1", "");

    /* Frozen: an old head is shown as the latest. */
    expect("good.ves-bundle", 10, "NOT PROVEN", "freshness", "stale",
           "--stale 3600");
}

static void attack_history(void)
{
    struct ves_buf note, file;

    /* The caller holds what the log has signed for others. */
    test_log_buf(&note);
    test_log_checkpoint(&forked, &note, SIZE);
    save_buf("forked.checkpoint", &note);
    test_log_buf(&note);
    test_log_checkpoint(&shop.log, &note, SIZE);
    save_buf("known.checkpoint", &note);
    expect("good.ves-bundle", 0, "PROVEN", "known head", "",
           "--known DIR/known.checkpoint");
    expect("good.ves-bundle", 30, "FAILED", "known head", "two histories",
           "--known DIR/forked.checkpoint");
    /* A restored log that grew again: no head of that size is known. */
    test_log_buf(&note);
    test_log_checkpoint(&forked, &note, LATER);
    save_buf("later.checkpoint", &note);
    expect("good.ves-bundle", 0, "NOT PROVEN", "known head", "no head of 11",
           "--known DIR/later.checkpoint");
    /* Inserted: hashes of the other history under the head of this one. */
    test_log_buf(&note);
    test_bundle_note(&shop, &note, SIZE, NOW);
    bundle_of(&file, &forked, ves_buf_view(&note));
    ves_buf_free(&note);
    expect("inserted.ves-bundle", 40, "FAILED", "position", "does not have",
           "");
    save_buf("inserted.ves-bundle", &file);
}

/* ---- keys ---- */

static void attack_keys(void)
{
    struct ves_buf file, note, directory;
    struct test_signer stranger;
    char agent[256], key[80] = "", id[VES_UUID_TEXT + 1] = "";

    for (int kind = 0; kind < 3; kind++) {
        static const char *const names[] = {
            "revoked.ves-bundle", "directory.ves-bundle", "stolen.ves-bundle"};
        test_log_buf(&file);
        test_log_buf(&note);
        test_log_buf(&directory);
        test_signer_init(&stranger, 9);
        test_bundle_note(&shop, &note, SIZE, NOW);
        test_bundle_directory_by(
            &shop, &directory, kind == 0 ? 3 : 0, &shop.log.stream.store,
            kind == 1 ? &stranger.secret : &shop.log.log_secret);
        ves_bundle_begin(&file, &shop.log.stream, ves_bytes(NULL, 0));
        assert_int_equal(ves_bundle_keys(&file, ves_buf_view(&directory)),
                         VES_OK);
        ves_bundle_event(&file, 3, &shop.events[2]);
        const uint64_t third = 3;
        assert_int_equal(ves_bundle_end(&file, test_log_source(&shop.log),
                                        &third, 1, SIZE, ves_buf_view(&note)),
                         VES_OK);
        save_buf(names[kind], &file);
        ves_buf_free(&note);
        ves_buf_free(&directory);
    }
    expect("revoked.ves-bundle", 40, "FAILED", "agent keys",
           "event 3 was not valid", "");
    expect("directory.ves-bundle", 10, "NOT PROVEN", "key directories",
           "0 of 1", "");
    expect("directory.ves-bundle", 10, "NOT PROVEN", "agent signatures",
           "0 of 1", "");
    /* The caller knows that this key was no longer the agent's. */
    struct ves_buf text;
    test_log_buf(&text);
    ves_buf_put_uuid(&text, &shop.agent_id);
    snprintf(id, sizeof(id), "%s", test_log_str(&text));
    ves_buf_reset(&text);
    ves_buf_put_hex(&text, shop.agent.signer.public_key.b, VES_KEY_SIZE);
    snprintf(key, sizeof(key), "%s", test_log_str(&text));
    ves_buf_free(&text);
    snprintf(agent, sizeof(agent), "--agent-key %s/1/%s/1-3", id, key);
    expect("stolen.ves-bundle", 40, "FAILED", "agent keys", "event 3", agent);
    snprintf(agent, sizeof(agent), "--agent-key %s/1/%s/1-4", id, key);
    expect("stolen.ves-bundle", 0, "PROVEN", "agent keys", "you gave", agent);
    struct ves_buf other;
    test_log_buf(&other);
    ves_buf_put_hex(&other, stranger.signer.public_key.b, VES_KEY_SIZE);
    snprintf(agent, sizeof(agent), "--sequencer-key 0x%s",
             test_log_str(&other));
    ves_buf_free(&other);
    expect("directory.ves-bundle", 0, "PROVEN", "agent signatures", "1 of 1",
           agent);
}

/* ---- proofs of one entry ---- */

static void attack_proofs(void)
{
    struct ves_tlog_node node = {0, 4};
    struct ves_tlog_path path;
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_buf note, file;

    test_log_buf(&note);
    test_bundle_note(&shop, &note, 7, NOW);
    for (size_t i = 4; i <= 5; i++) {
        ves_leaf_write(&shop.log.leaves[i], entry);
        save(i == 4 ? "4.entry" : "5.entry", ves_bytes(entry, sizeof(entry)));
    }
    save("pad.entry", ves_bytes_str("VES_PAD_LEAF_V1"));
    assert_int_equal(
        ves_tlog_inclusion_make(test_log_source(&shop.log), node, 7, &path),
        VES_OK);
    for (int kind = 0; kind < 4; kind++) {
        static const char *const names[] = {
            "good.tlog-proof", "index.tlog-proof", "extra-hash.tlog-proof",
            "hashes-64.tlog-proof"};
        struct ves_tlog_path used = path;
        for (uint32_t i = used.count;
             kind >= 2 && i < (kind == 2 ? path.count + 1 : 64u); i++)
            used.hash[used.count++] = path.hash[0];
        test_log_buf(&file);
        ves_tlog_proof_write(&file, NULL, kind == 1 ? 7 : 4, &used,
                             ves_buf_view(&note));
        save_buf(names[kind], &file);
    }
    ves_buf_free(&note);
    expect("good.tlog-proof", 0, "PROVEN", "position", "1 events",
           "--entry DIR/4.entry");
    expect("good.tlog-proof", 40, "FAILED", "position", "does not have",
           "--entry DIR/5.entry");
    expect("good.tlog-proof", 40, "FAILED", "events", "carries no event", "");
    expect("good.tlog-proof", 40, "FAILED", "events", "not the 147 bytes",
           "--entry DIR/pad.entry");
    expect("index.tlog-proof", 40, "FAILED", "position", "does not have",
           "--entry DIR/4.entry");
    expect("extra-hash.tlog-proof", 40, "FAILED", "position", "does not have",
           "--entry DIR/4.entry");
    expect("hashes-64.tlog-proof", 40, "FAILED", "format", "",
           "--entry DIR/4.entry");
    /* The empty tree has no entry, whatever a log signs. */
    struct ves_hash hash;
    ves_leaf_write(&shop.log.leaves[0], entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    save("0.entry", ves_bytes(entry, sizeof(entry)));
    test_log_buf(&note);
    test_log_buf(&file);
    test_log_sign(&shop.log, &note, 0, &hash);
    test_log_cosign(&shop.log, &note, NOW);
    path.count = 0;
    ves_tlog_proof_write(&file, NULL, 0, &path, ves_buf_view(&note));
    ves_buf_free(&note);
    expect("size-0.tlog-proof", 40, "FAILED", "position", "does not have",
           "--entry DIR/0.entry");
    save_buf("size-0.tlog-proof", &file);
}

/* ---- receipts and evidence ---- */

static void promise(struct ves_evidence_receipt *out, uint64_t sequence)
{
    const struct ves_event *event = &shop.events[sequence - 1];
    struct ves_receipt *receipt = &out->receipt;

    memset(out, 0, sizeof(*out));
    out->event_hash = event->event_hash;
    receipt->sequencer_id = test_id(7);
    receipt->event_id = event->event_id;
    receipt->sequence_number = sequence;
    receipt->sequenced_at_ms = INT64_C(1767323045678);
    receipt->key_version = 1;
    ves_receipt_hash(&shop.log.stream, &event->event_id, sequence,
                     &event->event_hash, &receipt->receipt_hash);
    ves_ed25519_sign(&shop.log.log_secret,
                     ves_bytes(receipt->receipt_hash.b, VES_HASH_SIZE),
                     &receipt->signature);
}

static void save_evidence(const char *name, const struct ves_evidence *evidence)
{
    struct ves_buf file;
    test_log_buf(&file);
    ves_evidence_write(&file, evidence);
    save_buf(name, &file);
}

/* Of both trees at these sizes what stands at index 6. */
static void fork_evidence(const char *name, struct test_log *second)
{
    static struct ves_evidence evidence;
    struct ves_buf notes[2];
    struct test_log *logs[] = {&shop.log, second};
    const uint64_t sizes[] = {SIZE, LATER};

    memset(&evidence, 0, sizeof(evidence));
    evidence.kind = VES_EVIDENCE_FORK;
    evidence.has_node = true;
    evidence.node = (struct ves_tlog_node){0, 6};
    for (size_t i = 0; i < 2; i++) {
        const struct ves_tlog_source *source = test_log_source(logs[i]);
        test_log_buf(&notes[i]);
        test_log_checkpoint(logs[i], &notes[i], sizes[i]);
        evidence.heads[i].note_bytes = ves_buf_view(&notes[i]);
        assert_int_equal(source->read(source->ctx, &evidence.node, 1,
                                      &evidence.heads[i].hash),
                         VES_OK);
        assert_int_equal(ves_tlog_inclusion_make(source, evidence.node,
                                                 sizes[i],
                                                 &evidence.heads[i].path),
                         VES_OK);
    }
    save_evidence(name, &evidence);
    ves_buf_free(&notes[0]);
    ves_buf_free(&notes[1]);
}

/* The checkpoint of first at one size and of second at another, and of the last
 * entry that both should share the path in a tree of shown. */
static void last_evidence(const char *name, struct test_log *first,
                          uint64_t first_size, struct test_log *second,
                          uint64_t second_size, struct test_log *shown)
{
    static struct ves_evidence evidence;
    uint64_t small = first_size < second_size ? first_size : second_size;
    uint64_t large = first_size < second_size ? second_size : first_size;
    const struct ves_tlog_node node = {0, small - 1};
    struct ves_buf notes[2];

    memset(&evidence, 0, sizeof(evidence));
    evidence.kind = VES_EVIDENCE_FORK;
    test_log_buf(&notes[0]);
    test_log_buf(&notes[1]);
    test_log_checkpoint(first, &notes[0], first_size);
    test_log_checkpoint(second, &notes[1], second_size);
    for (size_t i = 0; i < 2; i++)
        evidence.heads[i].note_bytes = ves_buf_view(&notes[i]);
    if (shown) {
        const struct ves_tlog_source *source = test_log_source(shown);
        evidence.has_last = true;
        assert_int_equal(source->read(source->ctx, &node, 1, &evidence.last),
                         VES_OK);
        assert_int_equal(
            ves_tlog_inclusion_make(source, node, large, &evidence.last_path),
            VES_OK);
    }
    save_evidence(name, &evidence);
    ves_buf_free(&notes[0]);
    ves_buf_free(&notes[1]);
}

static void attack_last(void)
{
    struct test_log *log = &shop.log;

    last_evidence("fork-last.ves-evidence", log, SIZE, &forked, LATER, &forked);
    expect("fork-last.ves-evidence", 0, "PROVEN", "contradiction",
           "two histories", "");
    last_evidence("fork-first.ves-evidence", &forked, LATER, log, SIZE,
                  &forked);
    expect("fork-first.ves-evidence", 0, "PROVEN", "contradiction",
           "two histories", "");
    last_evidence("grown.ves-evidence", log, SIZE, log, LATER, log);
    expect("grown.ves-evidence", 40, "FAILED", "contradiction",
           "goes on from the smaller", "");
    last_evidence("last-other.ves-evidence", log, SIZE, &forked, LATER, log);
    expect("last-other.ves-evidence", 40, "FAILED", "contradiction",
           "is not in it", "");
    last_evidence("last-same.ves-evidence", log, SIZE, &forked, SIZE, log);
    expect("last-same.ves-evidence", 40, "FAILED", "contradiction",
           "of different sizes", "");
    /* Both signed, and neither contradicts the other by itself. */
    last_evidence("apart.ves-evidence", log, SIZE, &forked, LATER, NULL);
    expect("apart.ves-evidence", 10, "NOT PROVEN", "contradiction",
           "can be of one history", "");
    expect("apart.ves-evidence", 10, "PROVEN", "log signature", "", "");
}

static void receipt_evidence(const char *name, struct test_log *log,
                             uint8_t spoil)
{
    static struct ves_evidence evidence;
    struct ves_buf note;

    memset(&evidence, 0, sizeof(evidence));
    evidence.kind = VES_EVIDENCE_RECEIPT;
    promise(&evidence.receipts[0], 7);
    evidence.receipts[0].receipt.signature.b[3] ^= spoil;
    test_log_buf(&note);
    test_log_checkpoint(log, &note, LATER);
    evidence.heads[0].note_bytes = ves_buf_view(&note);
    evidence.node = (struct ves_tlog_node){0, 6};
    ves_leaf_write(&log->leaves[6], evidence.entry);
    evidence.entry_len = VES_LEAF_SIZE;
    assert_int_equal(ves_tlog_inclusion_make(test_log_source(log),
                                             evidence.node, LATER,
                                             &evidence.heads[0].path),
                     VES_OK);
    save_evidence(name, &evidence);
    ves_buf_free(&note);
}

static void attack_evidence(void)
{
    fork_evidence("fork-longer.ves-evidence", &forked);
    expect("fork-longer.ves-evidence", 0, "PROVEN", "contradiction",
           "two histories", "");
    fork_evidence("honest.ves-evidence", &shop.log);
    expect("honest.ves-evidence", 40, "FAILED", "contradiction",
           "agree in the place", "");
    attack_last();
    receipt_evidence("dropped.ves-evidence", &forked, 0);
    expect("dropped.ves-evidence", 0, "PROVEN", "contradiction",
           "another event where", "");
    receipt_evidence("kept.ves-evidence", &shop.log, 0);
    expect("kept.ves-evidence", 40, "FAILED", "contradiction",
           "has the event that was promised", "");
    receipt_evidence("receipt.ves-evidence", &forked, 1);
    expect("receipt.ves-evidence", 40, "FAILED", "receipt", "not signed", "");
    save("nothing.ves-bundle", ves_bytes_str("hello\n"));
    expect("nothing.ves-bundle", 40, "FAILED", "format", "first line", "");
    save("empty.ves-bundle", ves_bytes_str(""));
    expect("empty.ves-bundle", 40, "FAILED", "format", "first line", "");
}

/* ---- for a witness ---- */

/* A request to cosign what log has at new, grown from old. */
static void request(const char *name, struct test_log *log, uint64_t old,
                    uint64_t new)
{
    struct ves_tlog_path path = {0};
    struct ves_buf note, body;

    test_log_buf(&note);
    test_log_buf(&body);
    test_log_checkpoint(log, &note, new);
    if (old > 0)
        assert_int_equal(
            ves_tlog_consistency_make(test_log_source(log), old, new, &path),
            VES_OK);
    ves_add_checkpoint_write(&body, old, &path, ves_buf_view(&note));
    ves_buf_free(&note);
    save_buf(name, &body);
}

static void write_requests(void)
{
    struct ves_buf list;

    test_log_buf(&list);
    ves_buf_put_str(&list, "log ");
    ves_note_key_write(&list, &shop.log.log_key);
    ves_buf_put_str(&list, "\n");
    save_buf("logs", &list);
    request("add-0-9", &shop.log, 0, 9);
    request("add-9-15", &shop.log, 9, 15);
    request("fork-9-9", &forked, 9, 9);
    request("fork-9-15", &forked, 9, 15);
}

int main(int argc, char **argv)
{
    struct ves_buf file;
    char path[1024];

    if (argc != 2) {
        fprintf(stderr, "usage: attack-files DIR\n");
        return 2;
    }
    folder = argv[1];
    snprintf(path, sizeof(path), "%s/expect.txt", folder);
    expectations = fopen(path, "w");
    if (!expectations) {
        fprintf(stderr, "attack-files: cannot write %s\n", path);
        return 1;
    }
    test_bundle_open(&shop, EVENTS);
    test_log_open(&forked);
    forked.log_key = shop.log.log_key;
    for (size_t i = 0; i < EVENTS; i++) {
        struct ves_leaf leaf = shop.log.leaves[i];
        if (i == 6)
            leaf = (struct ves_leaf){leaf.stream, leaf.sequence_number,
                                     shop.log.leaves[0].event_hash,
                                     shop.log.leaves[0].signature};
        test_log_append(&forked, &leaf);
    }
    save("policy", ves_bytes_str(shop.policy));
    good(&file);
    save_buf("good.ves-bundle", &file);
    expect("good.ves-bundle", 0, "PROVEN", "position", "3 events", "");
    attack_events();
    attack_signature();
    attack_hashes();
    attack_heads();
    attack_history();
    attack_keys();
    attack_proofs();
    attack_evidence();
    write_requests();
    test_bundle_close(&shop);
    test_log_close(&forked);
    return fclose(expectations) ? 1 : 0;
}
