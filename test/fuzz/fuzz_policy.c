/* fuzz_policy.c -- policies: what is read has no loop and a reachable quorum.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ves_policy policy;
    static bool is_ready;
    struct ves_error error = {.status = VES_OK};

    if (!is_ready)
        REQUIRE(ves_crypto_init() == VES_OK);
    is_ready = true;
    enum ves_status status =
        ves_policy_read(ves_bytes(data, size), &policy, &error);
    REQUIRE(error.status == status);
    if (status) {
        REQUIRE(error.text[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < policy.group_count; i++) {
        REQUIRE(policy.groups[i].needed >= 1);
        REQUIRE(policy.groups[i].group == VES_POLICY_NONE ||
                policy.groups[i].group > (int)i);
    }
    uint64_t all = policy.witness_count == 64
                       ? UINT64_MAX
                       : (UINT64_C(1) << policy.witness_count) - 1;
    REQUIRE(ves_policy_is_met(&policy, all));
    REQUIRE(ves_policy_is_met(&policy, 0) ==
            (policy.quorum == VES_QUORUM_NONE));
    return 0;
}
