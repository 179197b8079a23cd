/* test_page.c -- filtered pages of a test_bundle's log, true ones and lies. */
#include "test/lib/test_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/receipt.h"
#include "json/jcs.h"

static bool is_match(const struct test_page *page,
                     const struct ves_event *event)
{
    return (!*page->type || ves_bytes_is(event->entity_type, page->type)) &&
           (!*page->id || ves_bytes_is(event->entity_id, page->id));
}

void test_page_fill(struct test_page *page)
{
    const struct ves_tlog_source *source = test_log_source(&page->bundle->log);
    uint64_t index[TEST_PAGE_MAX];

    page->count = 0;
    for (uint64_t s = page->from; s < page->next; s++) {
        if (!is_match(page, &page->bundle->events[s - VES_TLOG_FIRST]))
            continue;
        assert_true(page->count < TEST_PAGE_MAX);
        index[page->count] = s - VES_TLOG_FIRST;
        page->said[page->count] = s;
        page->sequences[page->count++] = s;
    }
    assert_int_equal(
        ves_tlog_cover_make(source, page->from - VES_TLOG_FIRST,
                            page->next - VES_TLOG_FIRST,
                            (struct ves_tlog_kept){index, page->count},
                            page->cover, TEST_PAGE_COVERS, &page->cover_count),
        VES_OK);
    assert_int_equal(ves_tlog_consistency_make(source,
                                               page->next - VES_TLOG_FIRST,
                                               page->size, &page->path),
                     VES_OK);
}

struct test_page test_page(struct test_bundle *bundle, const char *type,
                           const char *id, uint64_t from, uint64_t next,
                           uint64_t size)
{
    struct test_page page = {.bundle = bundle,
                             .type = type,
                             .id = id,
                             .from = from,
                             .next = next,
                             .size = size,
                             .receipt_version = 1};
    test_page_fill(&page);
    return page;
}

void test_page_drop(struct test_page *page, size_t index)
{
    page->count--;
    for (size_t i = index; i < page->count; i++) {
        page->sequences[i] = page->sequences[i + 1];
        page->said[i] = page->said[i + 1];
    }
}

static void put_receipt(const struct test_page *page, struct ves_buf *out,
                        const struct ves_event *event, uint64_t sequence)
{
    const struct test_log *log = &page->bundle->log;
    struct ves_receipt receipt = {.event_id = event->event_id,
                                  .sequence_number = sequence,
                                  .sequenced_at_ms = 1770000000000,
                                  .key_version = page->receipt_version};

    ves_receipt_hash(&log->stream, &event->event_id, sequence,
                     &event->event_hash, &receipt.receipt_hash);
    ves_ed25519_sign(&log->log_secret,
                     ves_bytes(receipt.receipt_hash.b, VES_HASH_SIZE),
                     &receipt.signature);
    receipt.signature.b[7] ^= page->has_bad_receipt ? 1 : 0;
    ves_buf_put_str(out, ",\"receipt\":");
    ves_receipt_write(out, &receipt);
}

static void put_item(const struct test_page *page, struct ves_buf *out,
                     size_t i)
{
    const struct ves_event *event =
        &page->bundle->events[page->sequences[i] - VES_TLOG_FIRST];

    ves_buf_put_str(out, i ? ",{\"envelope\":" : "{\"envelope\":");
    ves_event_write_open(out, event);
    ves_event_write_position(out, page->said[i],
                             ves_bytes_str("2026-01-02T03:04:05.000Z"));
    if (!page->has_no_receipts)
        put_receipt(page, out, event, page->said[i]);
    ves_buf_put_str(out, "}");
}

static void put_hashes(struct ves_buf *out, const char *name,
                       const struct ves_hash *hashes, size_t count)
{
    ves_buf_putf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        ves_buf_put_str(out, i ? ",\"" : "\"");
        ves_buf_put_hex(out, hashes[i].b, VES_HASH_SIZE);
        ves_buf_put_str(out, "\"");
    }
    ves_buf_put_str(out, "]");
}

static void put_note(const struct test_page *page, struct ves_buf *out)
{
    struct test_log *log = &page->bundle->log;
    struct ves_hash root =
        page->root ? *page->root : test_log_root(log, page->size);
    struct ves_checkpoint head = {
        ves_bytes_str(page->origin ? page->origin : page->bundle->origin),
        page->size, root};
    struct ves_note_key key;
    struct ves_buf note, text;

    test_log_buf(&note);
    test_log_buf(&text);
    ves_checkpoint_write(&text, &head);
    ves_buf_put_bytes(&note, ves_buf_view(&text));
    ves_buf_put_u8(&note, '\n');
    ves_note_key_init(&key, head.origin, VES_NOTE_ED25519, &log->log_key.key);
    if (page->has_bad_note)
        text.ptr[text.len - 3] ^= 1;
    ves_note_sign(&note, ves_buf_view(&text), &key, &log->log_secret);
    ves_buf_put_str(out, ",\"checkpoint\":");
    ves_jcs_write_string(out, ves_buf_view(&note));
    ves_buf_free(&note);
    ves_buf_free(&text);
}

static void put_replaced(const struct test_page *page, struct ves_buf *out,
                         const struct ves_buf *made)
{
    const char *old = page->replace[0];
    const uint8_t *found =
        old ? memmem(made->ptr, made->len, old, strlen(old)) : NULL;

    if (!old) {
        ves_buf_put_bytes(out, ves_buf_view(made));
        return;
    }
    assert_non_null(found);
    size_t at = (size_t)(found - made->ptr), behind = at + strlen(old);
    ves_buf_put(out, made->ptr, at);
    ves_buf_put_str(out, page->replace[1]);
    ves_buf_put(out, made->ptr + behind, made->len - behind);
}

void test_page_write(const struct test_page *page, struct ves_buf *out)
{
    struct ves_buf made;

    test_log_buf(&made);
    ves_buf_put_str(&made, "{\"events\":[");
    for (size_t i = 0; i < page->count; i++)
        put_item(page, &made, i);
    ves_buf_putf(&made, "],\"next_sequence\":%llu",
                 (unsigned long long)page->next);
    put_hashes(&made, "covers", page->cover, page->cover_count);
    if (page->has_null_note)
        ves_buf_put_str(&made, ",\"checkpoint\":null");
    else
        put_note(page, &made);
    put_hashes(&made, "consistency", page->path.hash, page->path.count);
    ves_buf_put_str(&made, "}");
    put_replaced(page, out, &made);
    ves_buf_free(&made);
}
