/* fuzz_tile.c -- tile paths, entry bundles and edges: read means written the
 * same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/tlog_tile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static struct ves_buf again;

static void try_path(struct ves_bytes bytes)
{
    struct ves_tile tile;

    if (ves_tile_path_read(bytes, &tile))
        return;
    ves_buf_reset(&again);
    ves_tile_path_write(&again, &tile);
    REQUIRE(ves_bytes_equal(ves_buf_view(&again), bytes));
    REQUIRE(bytes.len <= VES_TILE_PATH_TEXT);
}

static void try_entries(struct ves_bytes bytes)
{
    struct ves_bytes rest = bytes, entry;
    enum ves_status status;

    ves_buf_reset(&again);
    while ((status = ves_tile_entry_next(&rest, &entry)) == VES_OK)
        ves_tile_entry_write(&again, entry);
    REQUIRE(status == VES_NOT_FOUND || status == VES_MALFORMED);
    REQUIRE(again.len + rest.len == bytes.len);
    REQUIRE(again.len == 0 || memcmp(again.ptr, bytes.ptr, again.len) == 0);
}

static void try_edge(struct ves_bytes bytes)
{
    struct ves_tlog_edge edge;

    if (ves_tlog_edge_read(bytes, &edge))
        return;
    ves_buf_reset(&again);
    ves_tlog_edge_write(&again, &edge);
    REQUIRE(ves_bytes_equal(ves_buf_view(&again), bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ves_buf_init(&again, ves_alloc_default(), 16 << 20);
    try_path(ves_bytes(data, size));
    try_entries(ves_bytes(data, size));
    try_edge(ves_bytes(data, size));
    ves_buf_free(&again);
    return 0;
}
