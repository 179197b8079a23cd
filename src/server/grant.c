/* grant.c -- giving out and taking back API keys, inside a transaction. */
#include "server/grant.h"

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/crypto.h"
#include "os/random.h"

enum ves_status ves_grant_make(struct ves_store *store,
                               struct ves_credential_row *row,
                               char text[VES_API_KEY_TEXT + 1],
                               struct ves_error *error)
{
    uint8_t random[VES_API_KEY_RANDOM];
    enum ves_status status = ves_random(random, sizeof(random), error);
    if (status)
        return status;
    ves_api_key_make(&row->tenant, random, text);
    ves_wipe(random, sizeof(random));
    ves_api_key_hash(ves_bytes_str(text), &row->key_hash);
    status = store->ops->credential_put(store, row);
    if (status) {
        ves_wipe(text, VES_API_KEY_TEXT + 1);
        return ves_fail(error, status, "the API key could not be stored: %s",
                        store->error.text);
    }
    return VES_OK;
}

struct find {
    struct ves_grant_list *list;
    bool (*matches)(const void *ctx, const struct ves_credential_row *row);
    const void *ctx;
};

static enum ves_status take(void *ctx, const struct ves_credential_row *row)
{
    struct find *find = ctx;
    struct ves_grant_list *list = find->list;
    if (!find->matches(find->ctx, row))
        return VES_OK;
    struct ves_grant_item *item = ves_arena_alloc(list->arena, sizeof(*item));
    if (!item)
        return VES_NOMEM;
    item->row = *row;
    *list->end = item;
    list->end = &item->next;
    list->count++;
    return ves_arena_copy(list->arena, row->label, &item->row.label);
}

enum ves_status ves_grant_find(
    struct ves_store *store, struct ves_arena *arena,
    bool (*matches)(const void *ctx, const struct ves_credential_row *row),
    const void *ctx, struct ves_grant_list *out)
{
    struct find find = {.list = out, .matches = matches, .ctx = ctx};
    *out = (struct ves_grant_list){.arena = arena};
    out->end = &out->first;
    return store->ops->credential_list(store, take, &find);
}

enum ves_status ves_grant_revoke(struct ves_store *store,
                                 struct ves_grant_list *list, int64_t now_ms)
{
    enum ves_status status = VES_OK;
    for (struct ves_grant_item *item = list->first; item && !status;
         item = item->next) {
        if (item->row.revoked_ms)
            continue;
        item->row.revoked_ms = now_ms > 0 ? now_ms : 1;
        status = store->ops->credential_put(store, &item->row);
    }
    return status;
}

enum ves_status ves_grant_publish(struct ves_credentials *creds,
                                  const struct ves_grant_list *list)
{
    enum ves_status status = VES_OK;
    for (const struct ves_grant_item *item = list->first; item;
         item = item->next) {
        enum ves_status own = ves_credentials_put(creds, &item->row);
        status = status ? status : own;
    }
    return status;
}
