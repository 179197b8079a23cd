/* test_page.h -- filtered pages of a test_bundle's log, true ones and lies. */
#ifndef VES_TEST_PAGE_H
#define VES_TEST_PAGE_H

#include "core/tlog_cover.h"
#include "test/lib/test_bundle.h"

enum { TEST_PAGE_MAX = 64, TEST_PAGE_COVERS = 512 };

/* What test_page_write makes a page of; all of it may be changed before. */
struct test_page {
    struct test_bundle *bundle;
    const char *type, *id;             /* "": any */
    uint64_t from, next;               /* sequence numbers */
    uint64_t size;                     /* of the checkpoint */
    uint64_t sequences[TEST_PAGE_MAX]; /* whose events are shown */
    uint64_t said[TEST_PAGE_MAX];      /* the numbers they are shown with */
    size_t count;
    struct ves_hash cover[TEST_PAGE_COVERS];
    size_t cover_count;
    struct ves_tlog_path path;
    const struct ves_hash *root; /* signed in the place of the true one */
    const char *origin;          /* NULL: the bundle's */
    bool has_bad_note, has_null_note, has_bad_receipt, has_no_receipts;
    uint32_t receipt_version;
    const char *replace[2]; /* old and new text, once; NULL: none */
};

/* The true page of [from, next) under the log's head at size. */
struct test_page test_page(struct test_bundle *bundle, const char *type,
                           const char *id, uint64_t from, uint64_t next,
                           uint64_t size);
/* Chooses events, covers and path anew, for type and id as they are now. */
void test_page_fill(struct test_page *page);
/* Leaves one event out, and nothing else. */
void test_page_drop(struct test_page *page, size_t index);
void test_page_write(const struct test_page *page, struct ves_buf *out);

#endif
