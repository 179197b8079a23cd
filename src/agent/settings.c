/* settings.c -- the few knobs of a store and where their values come from.
 *
 * Environment over file over default (design.md 6).
 */
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/strategies.h"
#include "agent/words.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "os/clock.h"

enum setting_kind { KIND_BOOL, KIND_NUMBER, KIND_STRATEGY };

struct setting {
    const char *name;
    const char *meta;        /* where the file keeps it */
    const char *environment; /* which variable overrides it */
    enum setting_kind kind;
    uint64_t fallback, min, max;
};

static const struct setting settings[] = {
    {"autoSync", "setting.autoSync", "VES_AUTO_SYNC", KIND_BOOL, 0, 0, 1},
    {"syncIntervalMs", "setting.syncIntervalMs", "VES_SYNC_INTERVAL_MS",
     KIND_NUMBER, 30000, 1000, 86400000},
    {"batchSize", "setting.batchSize", "VES_BATCH_SIZE", KIND_NUMBER, 100, 1,
     1000},
    {"maxRetries", "setting.maxRetries", "VES_MAX_RETRIES", KIND_NUMBER, 3, 0,
     50},
    {"retryBaseDelayMs", "setting.retryBaseDelayMs", "VES_RETRY_BASE_DELAY_MS",
     KIND_NUMBER, 1000, 100, 60000},
    {"retryMaxDelayMs", "setting.retryMaxDelayMs", "VES_RETRY_MAX_DELAY_MS",
     KIND_NUMBER, 30000, 1000, 3600000},
    {"cosign", "setting.cosign", "VES_COSIGN", KIND_BOOL, 1, 0, 1},
    {"conflictStrategy", "setting.conflictStrategy", "VES_CONFLICT_STRATEGY",
     KIND_STRATEGY, 3, 0, 3},
    {"outboxRetentionDays", "setting.outboxRetentionDays",
     "VES_OUTBOX_RETENTION_DAYS", KIND_NUMBER, 30, 1, 3650},
};

enum { SETTINGS = sizeof(settings) / sizeof(settings[0]) };

static const char *const strategies[] = {"accept_local", "accept_remote",
                                         "merge", "manual"};

static const struct setting *find_setting(const char *name)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    }
    return NULL;
}

/* What a setting may be, for a sentence that begins "it must be". */
static void describe(const struct setting *setting, struct ves_error *out)
{
    if (setting->kind == KIND_BOOL)
        ves_fail(out, VES_INVALID, "true or false");
    else if (setting->kind == KIND_STRATEGY)
        ves_fail(out, VES_INVALID,
                 "accept_local, accept_remote, merge or manual");
    else
        ves_fail(out, VES_INVALID, "a number from %llu to %llu",
                 (unsigned long long)setting->min,
                 (unsigned long long)setting->max);
}

static bool parse(const struct setting *setting, struct ves_bytes text,
                  uint64_t *out)
{
    if (setting->kind == KIND_BOOL) {
        bool is_true = ves_bytes_is(text, "true") || ves_bytes_is(text, "1");

        *out = is_true;
        return is_true || ves_bytes_is(text, "false") ||
               ves_bytes_is(text, "0");
    }
    if (setting->kind == KIND_STRATEGY) {
        for (uint64_t i = 0; i <= setting->max; i++) {
            if (ves_bytes_is(text, strategies[i])) {
                *out = i;
                return true;
            }
        }
        return false;
    }
    return ves_decimal_parse(text, out) == VES_OK && *out >= setting->min &&
           *out <= setting->max;
}

bool ves_agent_setting_holds(const char *meta, const char *text)
{
    uint64_t value;

    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].meta, meta) == 0)
            return parse(&settings[i], ves_bytes_str(text), &value);
    }
    return ves_strategies_hold(meta, ves_bytes_str(text));
}

enum setting_source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT };

static const char *const source_names[] = {"default", "file", "environment"};

/* secure_getenv: a host that runs with somebody else's rights takes no orders
 * from the environment. */
bool ves_agent_environment(const char *name, uint64_t *value)
{
    const struct setting *setting = find_setting(name);
    const char *text = setting ? secure_getenv(setting->environment) : NULL;

    return text && parse(setting, ves_bytes_str(text), value);
}

static enum ves_status read_setting(struct ves_agent *agent,
                                    const struct setting *setting,
                                    uint64_t *value,
                                    enum setting_source *source)
{
    struct ves_bytes stored;

    if (ves_agent_environment(setting->name, value)) {
        *source = SOURCE_ENVIRONMENT;
        return VES_OK;
    }
    enum ves_status status = agent->store->ops->meta_get(
        agent->store, setting->meta, &agent->arena, &stored);
    if (status && status != VES_NOT_FOUND)
        return status;
    *source = SOURCE_FILE;
    if (status == VES_OK && parse(setting, stored, value))
        return VES_OK;
    *source = SOURCE_DEFAULT;
    *value = setting->fallback;
    return VES_OK;
}

enum ves_status ves_agent_check_environment(struct ves_error *error)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *text = secure_getenv(settings[i].environment);
        uint64_t value;
        struct ves_error rule;

        /* An empty one counts as none. */
        if (!text || !text[0] ||
            parse(&settings[i], ves_bytes_str(text), &value))
            continue;
        describe(&settings[i], &rule);
        return ves_fail(error, VES_INVALID,
                        "the environment variable %s is \"%.40s\", but must "
                        "be %s; nothing was done; correct or unset it",
                        settings[i].environment, text, rule.text);
    }
    return VES_OK;
}

static void put_value(struct ves_jw *jw, const struct setting *setting,
                      uint64_t value)
{
    ves_jw_key(jw, setting->name);
    if (setting->kind == KIND_BOOL)
        ves_jw_bool(jw, value != 0);
    else if (setting->kind == KIND_STRATEGY)
        ves_jw_str(jw, strategies[value]);
    else
        ves_jw_u64(jw, value);
}

static void put_fixed(struct ves_agent *agent, struct ves_jw *jw)
{
    struct ves_buf key;

    ves_buf_init(&key, agent->alloc, 128);
    ves_buf_put_uuid(&key, &agent->core.agent);
    ves_buf_put_str(&key, "#");
    ves_buf_put_decimal(&key, agent->core.key_id);

    ves_jw_key(jw, "fixed");
    ves_jw_object(jw);
    ves_jw_key(jw, "sequencerUrl");
    ves_jw_str(jw, agent->url[0] ? agent->url : NULL);
    ves_jw_key(jw, "tenantId");
    ves_jw_uuid(jw, &agent->core.stream.tenant);
    ves_jw_key(jw, "storeId");
    ves_jw_uuid(jw, &agent->core.stream.store);
    ves_jw_key(jw, "agentId");
    ves_jw_uuid(jw, &agent->core.agent);
    ves_jw_key(jw, "signingKeyId");
    ves_jw_bytes(jw, ves_buf_view(&key));
    ves_jw_key(jw, "readOnly");
    ves_jw_bool(jw, agent->is_read_only);
    ves_jw_end(jw);
    ves_buf_free(&key);
}

enum ves_status ves_agent_settings(struct ves_agent *agent, struct ves_jw *jw,
                                   struct ves_error *error)
{
    uint64_t values[SETTINGS], version = 0;
    enum setting_source sources[SETTINGS];

    ves_agent_start(agent);
    enum ves_status status = ves_agent_check_environment(error);
    if (status)
        return status;
    for (size_t i = 0; i < SETTINGS && !status; i++)
        status = read_setting(agent, &settings[i], &values[i], &sources[i]);
    if (!status)
        status = ves_agent_meta_u64(agent, "settings.version", &version);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the settings");

    ves_jw_object(jw);
    ves_jw_key(jw, "version");
    ves_jw_u64(jw, version);
    ves_jw_key(jw, "settings");
    ves_jw_object(jw);
    for (size_t i = 0; i < SETTINGS; i++)
        put_value(jw, &settings[i], values[i]);
    ves_jw_end(jw);
    status = ves_strategy_settings_put(agent, jw);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the settings");
    ves_jw_key(jw, "sources");
    ves_jw_object(jw);
    for (size_t i = 0; i < SETTINGS; i++) {
        ves_jw_key(jw, settings[i].name);
        ves_jw_str(jw, source_names[sources[i]]);
    }
    ves_jw_end(jw);
    put_fixed(agent, jw);
    ves_jw_key(jw, "lockedByOperator");
    ves_jw_array(jw);
    for (size_t i = 0; i < SETTINGS; i++) {
        if (sources[i] == SOURCE_ENVIRONMENT)
            ves_jw_str(jw, settings[i].name);
    }
    ves_jw_end(jw);
    ves_jw_end(jw);
    return ves_agent_jw_end(jw, error);
}

/* The lower delay must not be above the upper one, as they will be. */
static enum ves_status check_delays(struct ves_agent *agent,
                                    const struct ves_setting_change *changes,
                                    size_t count, struct ves_error *error)
{
    uint64_t base = ves_agent_setting(agent, "retryBaseDelayMs");
    uint64_t max = ves_agent_setting(agent, "retryMaxDelayMs");

    for (size_t i = 0; i < count; i++) {
        const struct setting *setting = find_setting(changes[i].name);
        struct ves_bytes text = ves_bytes_str(changes[i].value);

        if (!setting)
            continue;
        if (strcmp(setting->name, "retryBaseDelayMs") == 0)
            (void)parse(setting, text, &base);
        if (strcmp(setting->name, "retryMaxDelayMs") == 0)
            (void)parse(setting, text, &max);
    }
    if (base <= max)
        return VES_OK;
    return ves_fail(error, VES_INVALID,
                    "retryBaseDelayMs (%llu) would be above retryMaxDelayMs "
                    "(%llu); nothing was changed; change the other one first",
                    (unsigned long long)base, (unsigned long long)max);
}

static enum ves_status check_change(const struct ves_setting_change *change,
                                    struct ves_error *error)
{
    const struct setting *setting = find_setting(change->name);
    struct ves_error rule;
    uint64_t parsed;

    if (ves_strategy_setting_is(change->name))
        return ves_strategy_setting_check(change->name, change->value, error);
    if (!setting)
        return ves_fail(error, VES_NOT_FOUND,
                        "there is no setting \"%.60s\"; nothing was changed; "
                        "`ves settings` lists them",
                        change->name);
    describe(setting, &rule);
    if (!parse(setting, ves_bytes_str(change->value), &parsed))
        return ves_fail(error, VES_INVALID,
                        "%s cannot be \"%.60s\": it must be %s; nothing was "
                        "changed",
                        setting->name, change->value, rule.text);
    return VES_OK;
}

static enum ves_status put_setting(struct ves_agent *agent,
                                   const struct ves_setting_change *change)
{
    const struct ves_store_ops *ops = agent->store->ops;
    const struct setting *setting = find_setting(change->name);
    struct ves_record record = {.at_ms = ves_clock_now_ms(),
                                .code = ves_bytes_str("settings")};
    struct ves_jw *jw = ves_jw_new(agent->alloc, 4096);

    if (!jw)
        return VES_NOMEM;
    ves_jw_object(jw);
    ves_jw_member_str(jw, "name", change->name);
    ves_jw_member_str(jw, "value", change->value);
    ves_jw_end(jw);
    record.detail = ves_jw_view(jw);
    enum ves_status status = ves_jw_status(jw);
    if (!status)
        status = setting ? ops->meta_put(agent->store, setting->meta,
                                         ves_bytes_str(change->value))
                         : ves_strategy_setting_put(agent, change->name,
                                                    change->value);
    if (!status)
        status = ops->record_append(agent->store, VES_RECORD_TRAIL,
                                    agent->core.stream_no, &record, 1);
    ves_jw_free(jw);
    return status;
}

/* version NULL: whatever it is.  Inside a transaction. */
static enum ves_status put_settings(struct ves_agent *agent,
                                    const struct ves_setting_change *changes,
                                    size_t count, uint64_t *version)
{
    uint64_t now;
    enum ves_status status =
        ves_agent_meta_u64(agent, "settings.version", &now);

    if (!status && version && *version != now)
        return VES_CONFLICT;
    for (size_t i = 0; i < count && !status; i++)
        status = put_setting(agent, &changes[i]);
    if (!status)
        status = ves_agent_meta_put_u64(agent, "settings.version", now + 1);
    if (!status && version)
        *version = now + 1;
    return status;
}

static enum ves_status set_all(struct ves_agent *agent,
                               const struct ves_setting_change *changes,
                               size_t count, uint64_t *version, bool dry_run,
                               struct ves_error *error)
{
    enum ves_status status = VES_OK;

    ves_agent_start(agent);
    if (!dry_run)
        status = ves_agent_need_write(agent, "changing a setting", error);
    for (size_t i = 0; i < count && !status; i++)
        status = check_change(&changes[i], error);
    if (!status)
        status = check_delays(agent, changes, count, error);
    if (status || dry_run)
        return status;
    status = ves_agent_begin_write(agent);
    if (!status)
        status = ves_agent_end_write(
            agent, put_settings(agent, changes, count, version));
    if (status == VES_CONFLICT)
        return ves_fail(error, status,
                        "the settings were changed since they were read; "
                        "nothing was changed; read them again");
    if (status)
        return ves_agent_fail(agent, status, error, "changing a setting");
    return VES_OK;
}

enum ves_status ves_agent_set_all(struct ves_agent *agent,
                                  const struct ves_setting_change *changes,
                                  size_t count, uint64_t *version, bool dry_run,
                                  struct ves_error *error)
{
    return set_all(agent, changes, count, version, dry_run, error);
}

enum ves_status ves_agent_set(struct ves_agent *agent, const char *name,
                              const char *value, struct ves_error *error)
{
    const struct ves_setting_change change = {name, value};

    return set_all(agent, &change, 1, NULL, false, error);
}

uint64_t ves_agent_setting(struct ves_agent *agent, const char *name)
{
    const struct setting *setting = find_setting(name);
    uint64_t value;
    enum setting_source source;

    VES_ASSERT(setting);
    if (read_setting(agent, setting, &value, &source))
        return setting->fallback;
    return value;
}
