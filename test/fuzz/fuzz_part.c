/* fuzz_part.c -- filtered pages of a hostile sequencer, several in a row.
 *
 * The first byte says how many bytes of the rest are the first page, in parts
 * of 256.  Whatever they are: no crash, what is refused leaves everything as it
 * was, and what is taken stands in ascending places that the bundle made of it
 * has, too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/part.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* The stream and the key of test/lib/test_bundle.c, whose pages the corpus
 * has. */
static const struct ves_stream stream = {
    {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
      0xcc, 0xdd, 0xee, 0xff}},
    {{0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96, 0xa5, 0xb4,
      0xc3, 0xd2, 0xe1, 0xf0}}};
static const struct ves_sequencer_key key = {
    1, {{0x86, 0x2c, 0x75, 0xbd, 0x23, 0x7e, 0x70, 0x86, 0x38, 0xa7, 0x72,
         0x70, 0xb7, 0xb7, 0x4f, 0xd4, 0xdc, 0xf3, 0x1a, 0xaa, 0x4a, 0xe4,
         0x0b, 0x52, 0x46, 0xba, 0x03, 0xbd, 0x2c, 0xfe, 0xe5, 0x4d}}};

static void check(const struct ves_part *part)
{
    struct ves_bytes lines = ves_buf_view(&part->lines);
    struct ves_bundle_event event;
    uint64_t before = 0;

    REQUIRE(part->edge.size <= part->head_size);
    for (size_t i = 0; i < part->count; i++) {
        REQUIRE(part->sequences[i] > before);
        before = part->sequences[i];
        REQUIRE(ves_bundle_next_event(&lines, &event));
        REQUIRE(event.sequence_number == before);
    }
    REQUIRE(lines.len == 0 && before <= part->edge.size);
}

static void check_bundle(const struct ves_part *part)
{
    struct ves_bundle bundle;
    struct ves_error error;
    struct ves_buf out;

    if (part->count == 0 || part->edge.size != part->head_size)
        return;
    ves_buf_init(&out, ves_alloc_default(), VES_BUNDLE_MAX);
    REQUIRE(ves_part_bundle(part, ves_bytes(NULL, 0), ves_bytes_str("{}"),
                            &out) == VES_OK);
    REQUIRE(ves_bundle_read(ves_buf_view(&out), &bundle, &error) == VES_OK);
    REQUIRE(bundle.event_count == part->count);
    ves_buf_free(&out);
}

static void take(struct ves_part *part, struct ves_bytes page)
{
    struct ves_tlog_edge edge = part->edge;
    size_t count = part->count, covers = part->cover_count,
           len = part->lines.len;
    struct ves_error error = {.status = VES_OK};
    bool more = true;

    enum ves_status status = ves_part_take(part, page, &more, &error);
    check(part);
    if (status == VES_OK) {
        REQUIRE(more == (part->edge.size < part->head_size));
        check_bundle(part);
        return;
    }
    REQUIRE(error.status == status && error.text[0] != '\0' && !more);
    REQUIRE(memcmp(&edge, &part->edge, sizeof(edge)) == 0);
    REQUIRE(count == part->count && covers == part->cover_count &&
            len == part->lines.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    struct ves_part part;

    if (!is_ready)
        REQUIRE(ves_crypto_init() == VES_OK);
    is_ready = true;
    if (size == 0)
        return 0;
    size_t first = (size_t)data[0] * 256;
    data++;
    size--;
    if (first > size)
        first = size;
    ves_part_init(&part, ves_alloc_default(), &stream,
                  ves_bytes_str("customer"), ves_bytes(NULL, 0), &key, 1);
    take(&part, ves_bytes(data, first));
    take(&part, ves_bytes(data + first, size - first));
    ves_part_free(&part);
    return 0;
}
