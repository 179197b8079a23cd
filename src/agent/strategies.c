/* strategies.c -- which strategy the settings name for entities of a type.
 *
 * Kept in one value of the store, "type=strategy" with blanks between, in
 * alphabetical order.
 */
#include <string.h>

#include "agent/strategies.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"

#define META   "setting.conflictStrategies"
#define PREFIX "conflictStrategy."

enum { TYPE_MAX = 64, LIST_MAX = 8192 };

bool ves_strategy_setting_is(const char *name)
{
    return strncmp(name, PREFIX, strlen(PREFIX)) == 0;
}

static enum ves_status read_list(struct ves_agent *agent, struct ves_bytes *out)
{
    enum ves_status status =
        agent->store->ops->meta_get(agent->store, META, &agent->arena, out);

    if (status == VES_NOT_FOUND)
        *out = ves_bytes(NULL, 0);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* Takes the next entry off the list; false at the end, or at what is none. */
static bool take_entry(struct ves_bytes *list, struct ves_bytes *type,
                       enum ves_strategy *strategy)
{
    const uint8_t *end = list->len ? memchr(list->ptr, ' ', list->len) : NULL;
    size_t len = end ? (size_t)(end - list->ptr) : list->len;
    const uint8_t *equal = len ? memchr(list->ptr, '=', len) : NULL;

    if (!equal)
        return false;
    size_t before = (size_t)(equal - list->ptr);
    *type = ves_bytes(list->ptr, before);
    if (!ves_strategy_read(ves_bytes(equal + 1, len - before - 1), strategy))
        return false;
    size_t used = len + (end != NULL);
    *list = ves_bytes(list->ptr + used, list->len - used);
    return true;
}

bool ves_strategies_hold(const char *meta, struct ves_bytes list)
{
    enum ves_strategy strategy;
    struct ves_bytes type;

    if (strcmp(meta, META) != 0)
        return false;
    while (take_entry(&list, &type, &strategy))
        ;
    return list.len == 0;
}

static enum ves_strategy general(struct ves_agent *agent)
{
    uint64_t value = ves_agent_setting(agent, "conflictStrategy");
    return value < VES_STRATEGIES ? (enum ves_strategy)value
                                  : VES_STRATEGY_MANUAL;
}

enum ves_strategy ves_agent_policy(struct ves_agent *agent,
                                   struct ves_bytes entity_type)
{
    struct ves_bytes list, type;
    enum ves_strategy strategy;

    if (read_list(agent, &list))
        return VES_STRATEGY_MANUAL;
    while (take_entry(&list, &type, &strategy)) {
        if (ves_bytes_equal(type, entity_type))
            return strategy;
    }
    return general(agent);
}

uint64_t ves_agent_policies_sum(struct ves_agent *agent)
{
    uint64_t sum = UINT64_C(14695981039346656037); /* FNV-1a */
    struct ves_bytes list;

    if (read_list(agent, &list))
        list = ves_bytes(NULL, 0);
    sum = (sum ^ (uint64_t)general(agent)) * UINT64_C(1099511628211);
    for (size_t i = 0; i < list.len; i++)
        sum = (sum ^ list.ptr[i]) * UINT64_C(1099511628211);
    return sum;
}

bool ves_agent_has_policy(struct ves_agent *agent)
{
    struct ves_bytes list, type;
    enum ves_strategy strategy;

    if (general(agent) != VES_STRATEGY_MANUAL)
        return true;
    if (read_list(agent, &list))
        return false;
    while (take_entry(&list, &type, &strategy)) {
        if (strategy != VES_STRATEGY_MANUAL)
            return true;
    }
    return false;
}

enum ves_status ves_strategy_settings_put(struct ves_agent *agent,
                                          struct ves_jw *jw)
{
    struct ves_bytes list, type;
    enum ves_strategy strategy;
    char name[TYPE_MAX + 1];

    enum ves_status status = read_list(agent, &list);
    ves_jw_key(jw, "conflictStrategies");
    ves_jw_object(jw);
    while (!status && take_entry(&list, &type, &strategy)) {
        if (type.len > TYPE_MAX)
            break;
        memcpy(name, type.ptr, type.len);
        name[type.len] = '\0';
        ves_jw_member_str(jw, name, ves_strategy_name(strategy));
    }
    ves_jw_end(jw);
    return status;
}

static bool is_type(const char *type)
{
    size_t len = strlen(type);

    for (size_t i = 0; i < len; i++) {
        char c = type[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '-'))
            return false;
    }
    return len > 0 && len <= TYPE_MAX;
}

static void put_entry(struct ves_buf *buf, struct ves_bytes type,
                      enum ves_strategy strategy)
{
    if (buf->len > 0)
        ves_buf_put_u8(buf, ' ');
    ves_buf_put_bytes(buf, type);
    ves_buf_putf(buf, "=%s", ves_strategy_name(strategy));
}

/* The list with that entry, or without one of that type. */
static enum ves_status change_list(struct ves_agent *agent, const char *type,
                                   const enum ves_strategy *strategy,
                                   struct ves_buf *out)
{
    struct ves_bytes list, name, ours = ves_bytes_str(type);
    enum ves_strategy value;
    bool is_placed = strategy == NULL;

    enum ves_status status = read_list(agent, &list);
    while (!status && take_entry(&list, &name, &value)) {
        int order = ves_bytes_compare(name, ours);
        if (order >= 0 && !is_placed) {
            put_entry(out, ours, *strategy);
            is_placed = true;
        }
        if (order != 0)
            put_entry(out, name, value);
    }
    if (!status && !is_placed)
        put_entry(out, ours, *strategy);
    return status ? status : ves_buf_status(out);
}

enum ves_status ves_strategy_setting_check(const char *name, const char *value,
                                           struct ves_error *error)
{
    enum ves_strategy strategy;

    if (!is_type(name + strlen(PREFIX)))
        return ves_fail(error, VES_INVALID,
                        "%.80s: the type of an entity is 1 to 64 of a-z, 0-9, "
                        "_ and -; nothing was changed",
                        name);
    if (strcmp(value, "default") != 0 &&
        !ves_strategy_read(ves_bytes_str(value), &strategy))
        return ves_fail(error, VES_INVALID,
                        "%.80s cannot be \"%.60s\": it must be accept_local, "
                        "accept_remote, merge, manual or default; nothing was "
                        "changed",
                        name, value);
    return VES_OK;
}

enum ves_status ves_strategy_setting_put(struct ves_agent *agent,
                                         const char *name, const char *value)
{
    bool is_default = strcmp(value, "default") == 0;
    enum ves_strategy strategy = VES_STRATEGY_MANUAL;
    struct ves_buf list;

    (void)ves_strategy_read(ves_bytes_str(value), &strategy);
    ves_buf_init(&list, agent->alloc, LIST_MAX);
    enum ves_status status = change_list(agent, name + strlen(PREFIX),
                                         is_default ? NULL : &strategy, &list);
    if (!status)
        status = agent->store->ops->meta_put(agent->store, META,
                                             ves_buf_view(&list));
    ves_buf_free(&list);
    return status;
}
