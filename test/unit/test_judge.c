/* test_judge.c -- verdicts of rule version 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/entity.h"
#include "core/judge.h"

/* One entity, and how often it was asked for. */
struct log {
    struct ves_hash key;
    uint64_t version;
    enum ves_status status;
    int calls;
};

static enum ves_status find_entity(void *ctx, const struct ves_hash *key,
                                   uint64_t *version, struct ves_hash *head,
                                   uint64_t *head_applied_at)
{
    struct log *log = ctx;
    log->calls++;
    memset(head, 0, sizeof(*head));
    *head_applied_at = 0;
    *version = ves_hash_equal(key, &log->key) ? log->version : 0;
    return log->status;
}

static struct log log_of(uint64_t version)
{
    struct log log = {.version = version};
    ves_entity_key(ves_bytes_str("order"), ves_bytes_str("A-1"), &log.key);
    return log;
}

static struct ves_event event_with_base(bool has_base, uint64_t base)
{
    struct ves_event event;
    memset(&event, 0, sizeof(event));
    event.entity_type = ves_bytes_str("order");
    event.entity_id = ves_bytes_str("A-1");
    event.event_type = ves_bytes_str("order.updated");
    event.event_id.b[3] = 9;
    event.has_base_version = has_base;
    event.base_version = base;
    return event;
}

static enum ves_status judge(struct log *log, const struct ves_event *event,
                             struct ves_judgement *out,
                             struct ves_refusal *refusal)
{
    const struct ves_judge_view view = {.ctx = log, .entity = find_entity};
    memset(out, 0xEE, sizeof(*out));
    memset(refusal, 0, sizeof(*refusal));
    return ves_judge(&view, event, out, refusal);
}

static void expect_applied(struct log *log, const struct ves_event *event)
{
    struct ves_judgement out;
    struct ves_refusal refusal;
    assert_int_equal(judge(log, event, &out, &refusal), VES_OK);
    assert_int_equal(out.verdict, VES_VERDICT_APPLIED);
    assert_string_equal(out.sub_code, "");
    assert_false(out.has_conflict_id);
    assert_true(ves_hash_is_zero(&out.conflict_id));
}

static void foreign_event_on_the_right_version_is_applied(void **state)
{
    struct log log = log_of(7);
    struct ves_event event = event_with_base(true, 7);
    (void)state;
    expect_applied(&log, &event);
    assert_int_equal(log.calls, 1);
    log = log_of(0);
    event = event_with_base(true, 0);
    expect_applied(&log, &event);
    /* The version is that of the event's own entity. */
    log = log_of(7);
    event.entity_id = ves_bytes_str("A-2");
    expect_applied(&log, &event);
}

/* protocol.md B.3: "version_conflict: expected X, actual Y". */
static void foreign_event_on_another_version_is_refused(void **state)
{
    static const struct {
        uint64_t version, base;
        const char *reason;
    } cases[] = {
        {7, 6, "version_conflict: expected 6, actual 7"},
        {7, 8, "version_conflict: expected 8, actual 7"},
        {1, 0, "version_conflict: expected 0, actual 1"},
        {0, UINT64_MAX,
         "version_conflict: expected 18446744073709551615, actual 0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct log log = log_of(cases[i].version);
        struct ves_event event = event_with_base(true, cases[i].base);
        struct ves_judgement out;
        struct ves_refusal refusal;
        assert_int_equal(judge(&log, &event, &out, &refusal), VES_REFUSED);
        assert_int_equal(refusal.code, VES_REFUSAL_VERSION_CONFLICT);
        assert_string_equal(refusal.reason, cases[i].reason);
        assert_true(refusal.has_event_id);
        assert_true(ves_uuid_equal(&refusal.event_id, &event.event_id));
        assert_true(strlen(refusal.message) > 0);
    }
}

static void foreign_event_without_base_is_never_refused(void **state)
{
    struct log log = log_of(7);
    struct ves_event event = event_with_base(false, 3);
    (void)state;
    expect_applied(&log, &event);
    assert_int_equal(log.calls, 0);
}

static void event_with_context_is_applied_whatever_its_base(void **state)
{
    struct log log = log_of(7);
    struct ves_event event = event_with_base(true, 3);
    (void)state;
    event.context.is_present = true;
    expect_applied(&log, &event);
}

static void a_failing_view_is_no_verdict(void **state)
{
    struct log log = log_of(7);
    struct ves_event event = event_with_base(true, 3);
    struct ves_judgement out;
    struct ves_refusal refusal;
    (void)state;
    log.status = VES_IO;
    assert_int_equal(judge(&log, &event, &out, &refusal), VES_IO);
    assert_int_equal(refusal.code, VES_REFUSAL_NONE);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(ves_verdict_name(VES_VERDICT_NONE), "");
    assert_string_equal(ves_verdict_name(VES_VERDICT_APPLIED), "applied");
    assert_string_equal(ves_verdict_name(VES_VERDICT_CONFLICT), "conflict");
    assert_string_equal(ves_verdict_name(VES_VERDICT_WAITING), "waiting");
    assert_string_equal(ves_verdict_name(VES_VERDICT_SUPERSEDED), "superseded");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_event_on_the_right_version_is_applied),
        cmocka_unit_test(foreign_event_on_another_version_is_refused),
        cmocka_unit_test(foreign_event_without_base_is_never_refused),
        cmocka_unit_test(event_with_context_is_applied_whatever_its_base),
        cmocka_unit_test(a_failing_view_is_no_verdict),
        cmocka_unit_test(names),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
