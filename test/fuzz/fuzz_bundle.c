/* fuzz_bundle.c -- bundles and proofs through the whole verifier.
 *
 * The verdict is never better than its worst line, and whatever bundle is
 * read gives each of its events' proofs, or none.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/bundle.h"
#include "crypto/crypto.h"
#include "ves/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

/* The log and witness of test/vectors/tlog_golden.json. */
static const char policy[] = "log ves.example/s/3f1c7c1e5f0b4d0f+dfaad4aa+"
                             "AYYsdb0jfnCGOKdycLe3T9Tc8xqqSuQLUka6A70s/uVN\n"
                             "witness w witness.ves.example/golden+6a114911+"
                             "BH+sStDI4T5c5To7j15HYB2nEW50csRVsWFvywyEk6XW\n"
                             "quorum w\n";

static void check_report(const struct ves_verify_report *report)
{
    enum ves_verify_verdict worst = VES_VERIFY_PROVEN;

    REQUIRE(report->count > 0);
    for (size_t i = 0; i < report->count; i++) {
        const struct ves_verify_property *line = &report->properties[i];
        REQUIRE(line->name[0] != '\0' && line->text[0] != '\0');
        REQUIRE(!strchr(line->text, '\n'));
        if (line->finding == VES_FINDING_FAILED)
            worst = VES_VERIFY_INVALID;
        else if (line->finding == VES_FINDING_NOT_PROVEN &&
                 worst < VES_VERIFY_BELOW_POLICY)
            worst = VES_VERIFY_BELOW_POLICY;
    }
    REQUIRE(report->verdict == worst);
}

static void take_apart(struct ves_bytes bytes)
{
    static struct ves_bundle bundle;
    struct ves_error error = {.status = VES_OK};
    struct ves_bundle_event event;
    struct ves_bytes events;
    struct ves_buf proof;
    size_t count = 0;

    enum ves_status status = ves_bundle_read(bytes, &bundle, &error);
    REQUIRE(error.status == status);
    if (status)
        return;
    ves_buf_init(&proof, ves_alloc_default(), 16 << 20);
    events = bundle.events;
    while (ves_bundle_next_event(&events, &event) && ++count <= 4) {
        ves_buf_reset(&proof);
        status = ves_bundle_extract(&bundle, ves_alloc_default(),
                                    event.sequence_number, &proof);
        REQUIRE(status == VES_OK || status == VES_REFUSED ||
                status == VES_NOMEM);
    }
    ves_buf_free(&proof);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ves_verify_report report;
    static bool is_ready;
    const struct ves_verify_anchors anchors = {.policy = ves_bytes_str(policy)};

    if (!is_ready)
        REQUIRE(ves_crypto_init() == VES_OK);
    is_ready = true;
    REQUIRE(ves_verify(NULL, ves_bytes(data, size), ves_bytes(NULL, 0),
                       &anchors, &report, NULL) == VES_OK);
    check_report(&report);
    take_apart(ves_bytes(data, size));
    return 0;
}
