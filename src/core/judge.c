/* judge.c -- the verdict on an event: a pure function of the log prefix. */
#include "core/judge.h"

#include <string.h>

#include "base/error.h"
#include "core/entity.h"
#include "core/types.h"

_Static_assert((int)VES_JUDGE_VERSION == 0, "the rules below are version 0");

const char *ves_verdict_name(enum ves_verdict verdict)
{
    switch (verdict) {
    case VES_VERDICT_NONE:
        return "";
    case VES_VERDICT_APPLIED:
        return "applied";
    case VES_VERDICT_CONFLICT:
        return "conflict";
    case VES_VERDICT_WAITING:
        return "waiting";
    case VES_VERDICT_SUPERSEDED:
        return "superseded";
    }
    return "";
}

/* decision 5: the author of such an event expects the other implementation's
 * answer, so base_version is compared with ver(e) and nothing else is. */
static enum ves_status check_foreign_base(const struct ves_judge_view *view,
                                          const struct ves_event *event,
                                          struct ves_refusal *refusal)
{
    struct ves_hash key, head;
    uint64_t version = 0;
    uint64_t head_applied_at = 0;

    ves_entity_key(event->entity_type, event->entity_id, &key);
    enum ves_status status =
        view->entity(view->ctx, &key, &version, &head, &head_applied_at);
    if (status || version == event->base_version)
        return status;

    struct ves_error detail;
    (void)ves_fail(&detail, VES_REFUSED, "expected %llu, actual %llu",
                   (unsigned long long)event->base_version,
                   (unsigned long long)version);
    status = ves_refuse(refusal, VES_REFUSAL_VERSION_CONFLICT, detail.text,
                        "base_version is %llu but the entity is at version "
                        "%llu; read it again and repeat the change on that",
                        (unsigned long long)event->base_version,
                        (unsigned long long)version);
    refusal->has_event_id = true;
    refusal->event_id = event->event_id;
    return status;
}

enum ves_status ves_judge(const struct ves_judge_view *view,
                          const struct ves_event *event,
                          struct ves_judgement *out,
                          struct ves_refusal *refusal)
{
    if (!event->context.is_present && event->has_base_version) {
        enum ves_status status = check_foreign_base(view, event, refusal);
        if (status)
            return status;
    }
    memset(out, 0, sizeof(*out));
    out->verdict = VES_VERDICT_APPLIED;
    return VES_OK;
}
