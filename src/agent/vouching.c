/* vouching.c -- who vouches for the log, and what of it counts. */
#include <string.h>

#include "agent/agent.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/time.h"
#include "core/cosigned.h"
#include "core/merkle.h"
#include "os/clock.h"

enum {
    STALE_S = 86400, /* a quorum's last word older than that is old news */
    LINE_MAX_BYTES = 1024
};

/* The last second of the year 9999. */
static const uint64_t TIME_MAX_S = UINT64_C(253402300799);

static void put_vkey(struct ves_agent *agent, struct ves_jw *jw,
                     const char *name, const struct ves_note_key *key)
{
    struct ves_buf text;

    ves_buf_init(&text, agent->alloc, LINE_MAX_BYTES);
    ves_note_key_write(&text, key);
    ves_jw_member(jw, name, ves_buf_view(&text));
    ves_buf_free(&text);
}

static void put_seconds(struct ves_jw *jw, const char *name, uint64_t time_s)
{
    char text[VES_TIME_TEXT + 1];

    ves_jw_key(jw, name);
    if (time_s == 0 || time_s > TIME_MAX_S) {
        ves_jw_null(jw);
        return;
    }
    ves_time_format((int64_t)time_s * 1000, text);
    ves_jw_str(jw, text);
}

/* ---- keys as policies name them --------------------------------------------
 */

struct keys {
    struct ves_agent *agent;
    struct ves_jw *jw;
    struct ves_bytes origin;
};

static enum ves_status put_agent_key(void *ctx, const struct ves_key_row *row,
                                     const struct ves_key_span *span)
{
    const struct keys *keys = ctx;
    struct ves_agent *agent = keys->agent;
    struct ves_note_key key;
    struct ves_buf name;

    if (row->revoked_at_ms || (span->is_found && span->revoked_at_sequence))
        return VES_OK;
    ves_buf_init(&name, agent->alloc, LINE_MAX_BYTES);
    ves_cosigner_name_write(&name, keys->origin, &row->agent);
    ves_note_key_init(&key, ves_buf_view(&name), VES_NOTE_COSIGNATURE,
                      &row->public_key);
    ves_jw_object(keys->jw);
    ves_jw_member_uuid(keys->jw, "agentId", &row->agent);
    ves_jw_member_u64(keys->jw, "keyId", row->key_id);
    ves_jw_member_bool(keys->jw, "own",
                       ves_uuid_equal(&row->agent, &agent->core.agent));
    put_vkey(agent, keys->jw, "vkey", &key);
    ves_jw_end(keys->jw);
    ves_buf_free(&name);
    return ves_jw_status(keys->jw);
}

static enum ves_status put_keys(struct ves_agent *agent, struct ves_jw *jw,
                                struct ves_bytes origin)
{
    struct keys keys = {agent, jw, origin};
    enum ves_status status = VES_OK;

    ves_jw_key(jw, "logKeys");
    ves_jw_array(jw);
    for (size_t i = 0; origin.len && i < agent->core.sequencer_key_count; i++) {
        struct ves_note_key key;
        struct ves_buf text;
        ves_note_key_init(&key, origin, VES_NOTE_ED25519,
                          &agent->core.sequencer_keys[i].public_key);
        ves_buf_init(&text, agent->alloc, LINE_MAX_BYTES);
        ves_note_key_write(&text, &key);
        ves_jw_bytes(jw, ves_buf_view(&text));
        ves_buf_free(&text);
    }
    ves_jw_end(jw);
    ves_jw_key(jw, "stores");
    ves_jw_array(jw);
    if (origin.len)
        status = agent->store->ops->key_list(
            agent->store, &agent->core.stream.tenant, NULL,
            agent->core.stream_no, put_agent_key, &keys);
    ves_jw_end(jw);
    return status;
}

/* ---- the document ----------------------------------------------------------
 */

static void put_witnesses(struct ves_agent *agent, struct ves_jw *jw,
                          const struct ves_core_witnessing *now)
{
    ves_jw_key(jw, "witnesses");
    ves_jw_array(jw);
    for (size_t i = 0; now->policy && i < now->policy->witness_count; i++) {
        const struct ves_policy_witness *witness = &now->policy->witnesses[i];
        ves_jw_object(jw);
        ves_jw_member(jw, "name", witness->name);
        put_vkey(agent, jw, "vkey", &witness->key);
        ves_jw_member_u64(jw, "size", now->words[i].size);
        put_seconds(jw, "cosignedAt", now->words[i].time_s);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

static bool is_stale(const struct ves_core_witnessing *now)
{
    uint64_t now_s = (uint64_t)(ves_clock_now_ms() / 1000);

    return now->policy && now->policy->quorum != VES_QUORUM_NONE &&
           now->reach.fresh_at + STALE_S < now_s;
}

enum ves_status ves_agent_witnesses(struct ves_agent *agent, struct ves_jw *jw,
                                    struct ves_error *error)
{
    struct ves_core_witnessing now;

    ves_agent_start(agent);
    enum ves_status status =
        ves_core_witnessing(&agent->core, &agent->arena, &now);
    if (status)
        return ves_agent_fail(agent, status, error, "reading who vouches");
    ves_jw_object(jw);
    ves_jw_key(jw, "origin");
    if (now.origin.len)
        ves_jw_bytes(jw, now.origin);
    else
        ves_jw_null(jw);
    ves_jw_member_u64(jw, "logged", now.logged);
    ves_jw_member_u64(jw, "witnessed", now.witnessed);
    put_seconds(jw, "freshAt", now.reach.fresh_at);
    ves_jw_member_bool(jw, "isStale", is_stale(&now));
    ves_jw_member_bool(jw, "hasPolicy", now.policy != NULL);
    put_witnesses(agent, jw, &now);
    ves_jw_key(jw, "own");
    ves_jw_object(jw);
    ves_jw_member_u64(jw, "size", now.own.size);
    put_seconds(jw, "cosignedAt", now.own.time_s);
    ves_jw_end(jw);
    ves_jw_member_str(jw, "url", agent->url[0] ? agent->url : NULL);
    status = put_keys(agent, jw, now.origin);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the keys");
    ves_jw_end(jw);
    return ves_agent_jw_end(jw, error);
}

/* ---- the policy ------------------------------------------------------------
 */

/* A policy that names logs must name the one that is followed. */
static enum ves_status check_logs(struct ves_agent *agent,
                                  const struct ves_policy *policy,
                                  struct ves_bytes origin,
                                  struct ves_error *error)
{
    bool is_named = policy->log_count == 0 || origin.len == 0;

    for (size_t i = 0; i < policy->log_count && !is_named; i++) {
        const struct ves_note_key *key = &policy->logs[i].key;
        for (size_t k = 0; k < agent->core.sequencer_key_count; k++)
            is_named |=
                ves_bytes_equal(key->name, origin) &&
                memcmp(key->key.b, agent->core.sequencer_keys[k].public_key.b,
                       VES_KEY_SIZE) == 0;
    }
    return is_named ? VES_OK
                    : ves_fail(error, VES_INVALID,
                               "the policy is for other logs than the one "
                               "this store follows (%.*s); nothing was changed",
                               (int)origin.len, (const char *)origin.ptr);
}

enum ves_status ves_agent_set_policy(struct ves_agent *agent, const char *text,
                                     size_t len, struct ves_error *error)
{
    struct ves_core_witnessing now;
    struct ves_policy *policy;
    struct ves_error why = {.status = VES_OK};

    ves_agent_start(agent);
    enum ves_status status =
        ves_agent_need_write(agent, "setting the policy", error);
    if (status)
        return status;
    policy = ves_arena_alloc(&agent->arena, sizeof(*policy));
    if (!policy)
        return ves_fail(error, VES_NOMEM, "out of memory");
    if (len > 0)
        status = ves_policy_read(ves_bytes(text, len), policy, &why);
    if (status)
        return ves_fail(error, status, "%s; nothing was changed", why.text);
    status = ves_core_witnessing(&agent->core, &agent->arena, &now);
    if (status)
        return ves_agent_fail(agent, status, error, "setting the policy");
    if (len > 0)
        status = check_logs(agent, policy, now.origin, error);
    if (status)
        return status;
    status = ves_core_set_policy(&agent->core, ves_bytes(text, len));
    return status ? ves_agent_fail(agent, status, error, "setting the policy")
                  : VES_OK;
}
