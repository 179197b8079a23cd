/* verify.c -- the one way into the verifiers of bundles, proofs, evidence. */
#include "ves/verify.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/inspection.h"
#include "core/lines.h"
#include "crypto/crypto.h"

enum { EVENT_ARENA_MAX = 64 * 1024 * 1024, KEYS_ARENA_MAX = 256 * 1024 * 1024 };

static enum ves_status dispatch(struct ves_inspection *in,
                                struct ves_bytes file, struct ves_bytes entry)
{
    struct ves_bytes rest = file;

    if (ves_line_take_text(&rest, "ves-bundle@v1"))
        return ves_verify_bundle(in, file);
    if (ves_line_take_text(&rest, "ves-evidence@v1"))
        return ves_verify_evidence(in, file);
    if (ves_line_take_text(&rest, "c2sp.org/tlog-proof@v1"))
        return ves_verify_proof(in, file, entry);
    in->report->format = "unknown";
    ves_inspection_say(in, "format", VES_FINDING_FAILED,
                       "the first line is neither \"ves-bundle@v1\" nor "
                       "\"ves-evidence@v1\" nor \"c2sp.org/tlog-proof@v1\"");
    return VES_OK;
}

enum ves_status ves_verify(const struct ves_alloc *alloc, struct ves_bytes file,
                           struct ves_bytes entry,
                           const struct ves_verify_anchors *anchors,
                           struct ves_verify_report *report,
                           struct ves_error *error)
{
    struct ves_error why = {.status = VES_OK};

    memset(report, 0, sizeof(*report));
    report->verdict = VES_VERIFY_INVALID;
    report->format = "unknown";
    if (ves_crypto_init())
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    if (!alloc)
        alloc = ves_alloc_default();
    struct ves_inspection *in = alloc->realloc(alloc->ctx, NULL, sizeof(*in));
    if (!in)
        return ves_fail(error, VES_NOMEM,
                        "out of memory; the file was not looked at");
    memset(in, 0, sizeof(*in));
    in->alloc = alloc;
    in->anchors = anchors;
    in->report = report;
    enum ves_status status =
        ves_policy_read(anchors->policy, &in->policy, &why);
    if (status) {
        status =
            ves_fail(error, VES_INVALID, "%s; nothing was verified", why.text);
    } else {
        report->verdict = VES_VERIFY_PROVEN;
        ves_arena_init(&in->arena, alloc, EVENT_ARENA_MAX);
        ves_arena_init(&in->keys_arena, alloc, KEYS_ARENA_MAX);
        status = dispatch(in, file, entry);
        ves_arena_free(&in->keys_arena);
        ves_arena_free(&in->arena);
        if (status) {
            report->verdict = VES_VERIFY_INVALID;
            ves_fail(error, status,
                     "out of memory; the file was not verified to its end");
        }
    }
    alloc->realloc(alloc->ctx, in, 0);
    return status;
}
