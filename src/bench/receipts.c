/* receipts.c -- after the clock has stopped: is every answer true?
 *
 * One receipt for each event sent, by the sequencer's key, over this event and
 * its number; all numbers together are the next ones of the stream, each once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "bench/bench.h"
#include "core/receipt.h"
#include "json/json.h"

enum { ARENA_MAX = 64 * 1024 * 1024 };

struct checker {
    struct ves_bench_run *run;
    struct ves_bench_load *load;
    struct ves_error errors[256]; /* one a thread */
};

static enum ves_status check_receipt(struct checker *checker,
                                     const struct ves_json *node,
                                     struct ves_bench_event *event,
                                     struct ves_error *error)
{
    struct ves_bench_run *run = checker->run;
    struct ves_receipt receipt;
    struct ves_hash hash;
    if (ves_receipt_read(node, &receipt))
        return ves_fail(error, VES_REFUSED, "a receipt cannot be read");
    if (!ves_uuid_equal(&receipt.event_id, &event->id))
        return ves_fail(error, VES_REFUSED, "a receipt is for another event");
    ves_receipt_hash(&run->source.stream, &event->id, receipt.sequence_number,
                     &event->hash, &hash);
    if (!ves_hash_equal(&hash, &receipt.receipt_hash) ||
        !ves_ed25519_verify(&run->server.sequencer_key,
                            ves_bytes(hash.b, VES_HASH_SIZE),
                            &receipt.signature))
        return ves_fail(error, VES_REFUSED,
                        "the receipt of event %llu of the stream does not "
                        "verify",
                        (unsigned long long)receipt.sequence_number);
    event->sequence = receipt.sequence_number;
    return VES_OK;
}

static enum ves_status check_answer(struct checker *checker,
                                    struct ves_arena *arena,
                                    struct ves_bench_request *request,
                                    struct ves_error *error)
{
    const struct ves_json *root, *receipts, *node;
    struct ves_bytes answer = ves_bytes(request->answer, request->answer_len);
    size_t i = 0;
    if (request->status != 200)
        return ves_fail(error, VES_REFUSED, "the server answered HTTP %u: %.*s",
                        request->status,
                        (int)(answer.len < 300 ? answer.len : 300),
                        (const char *)answer.ptr);
    if (ves_json_read(arena, answer, NULL, &root, NULL))
        return ves_fail(error, VES_REFUSED, "an answer is not JSON");
    receipts = ves_json_member(root, "receipts");
    if (!receipts || receipts->count != request->count) {
        node = ves_json_member(root, "rejections");
        return ves_fail(
            error, VES_REFUSED,
            "%zu events were sent and %zu receipts came; %.*s", request->count,
            receipts ? receipts->count : 0,
            node ? (int)(node->text.len < 300 ? node->text.len : 300) : 0,
            node ? (const char *)node->text.ptr : "");
    }
    for (node = receipts->first; node; node = node->next) {
        enum ves_status status =
            check_receipt(checker, node, &request->events[i++], error);
        if (status)
            return status;
    }
    return VES_OK;
}

static void check_some(void *ctx, unsigned thread)
{
    struct checker *checker = ctx;
    struct ves_bench_load *load = checker->load;
    enum ves_status status = VES_OK;
    struct ves_arena arena;
    ves_arena_init(&arena, checker->run->alloc, ARENA_MAX);
    for (size_t i = thread; !status && i < load->count;
         i += checker->run->cores) {
        status = check_answer(checker, &arena, &load->requests[i],
                              &checker->errors[thread]);
        ves_arena_reset(&arena);
    }
    ves_arena_free(&arena);
}

/* head + 1 to head + events, each once. */
static enum ves_status check_numbers(struct ves_bench_run *run,
                                     const struct ves_bench_load *load)
{
    uint8_t *seen = calloc((size_t)load->events, 1);
    enum ves_status status = VES_OK;
    if (!seen)
        return ves_fail(run->error, VES_NOMEM, "out of memory");
    for (size_t i = 0; i < load->count; i++) {
        const struct ves_bench_request *request = &load->requests[i];
        for (size_t k = 0; k < request->count; k++) {
            uint64_t sequence = request->events[k].sequence;
            if (sequence <= run->head || sequence > run->head + load->events ||
                seen[sequence - run->head - 1]++)
                status = ves_fail(run->error, VES_REFUSED,
                                  "sequence number %llu was given twice or "
                                  "out of turn",
                                  (unsigned long long)sequence);
        }
    }
    free(seen);
    return status;
}

enum ves_status ves_bench_check(struct ves_bench_run *run,
                                struct ves_bench_load *load)
{
    struct checker *checker = calloc(1, sizeof(*checker));
    enum ves_status status = VES_OK;
    if (!checker)
        return ves_fail(run->error, VES_NOMEM, "out of memory");
    checker->run = run;
    checker->load = load;
    ves_bench_parallel(run->cores, check_some, checker);
    for (unsigned i = 0; !status && i < run->cores; i++) {
        if (checker->errors[i].status)
            status = ves_fail(run->error, checker->errors[i].status, "%s",
                              checker->errors[i].text);
    }
    free(checker);
    if (!status)
        status = check_numbers(run, load);
    if (!status) {
        run->head += load->events;
        run->report->receipts_verified += load->events;
    }
    return status;
}
