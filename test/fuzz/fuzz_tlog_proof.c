/* fuzz_tlog_proof.c -- .tlog-proof files: read means written the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/tlog_proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ves_bytes bytes = ves_bytes(data, size), extra = {NULL, 0};
    struct ves_error error = {.status = VES_OK};
    struct ves_tlog_proof proof;
    struct ves_buf again;

    enum ves_status status = ves_tlog_proof_read(bytes, &proof, &error);
    REQUIRE(error.status == status);
    if (status)
        return 0;
    uint8_t *raw = malloc(proof.has_extra ? proof.extra.len : 1);
    REQUIRE(raw);
    if (proof.has_extra) {
        size_t len = proof.extra.len;
        REQUIRE(ves_b64_decode(proof.extra, raw, &len) == VES_OK);
        extra = ves_bytes(raw, len);
    }
    ves_buf_init(&again, ves_alloc_default(), size);
    ves_tlog_proof_write(&again, proof.has_extra ? &extra : NULL, proof.index,
                         &proof.path, proof.note);
    REQUIRE(ves_bytes_equal(ves_buf_view(&again), bytes));
    ves_buf_free(&again);
    free(raw);
    return 0;
}
