/* fuzz_evidence.c -- evidence files: read means written the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ves_evidence evidence;
    struct ves_error error = {.status = VES_OK};
    struct ves_bytes bytes = ves_bytes(data, size);
    struct ves_buf again;

    enum ves_status status =
        ves_evidence_read(bytes, ves_alloc_default(), &evidence, &error);
    REQUIRE(error.status == status);
    if (status)
        return 0;
    ves_buf_init(&again, ves_alloc_default(), size);
    ves_evidence_write(&again, &evidence);
    REQUIRE(ves_bytes_equal(ves_buf_view(&again), bytes));
    ves_buf_free(&again);
    return 0;
}
