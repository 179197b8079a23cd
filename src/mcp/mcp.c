/* mcp.c -- making and freeing a server. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "crypto/crypto.h"
#include "mcp/server.h"
#include "os/timed.h"

void ves_mcp_say(const struct ves_mcp *mcp, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (mcp->options.say)
        mcp->options.say(mcp->options.ctx, text);
    else
        fprintf(stderr, "%s: %s\n", mcp->options.name, text);
}

enum ves_status ves_mcp_new(const struct ves_mcp_options *options,
                            struct ves_mcp **out, struct ves_error *error)
{
    const struct ves_alloc *alloc = ves_alloc_default();
    struct ves_mcp *mcp = alloc->realloc(alloc->ctx, NULL, sizeof(*mcp));

    if (!mcp)
        return ves_fail(error, VES_NOMEM, "out of memory");
    if (ves_crypto_init()) {
        alloc->realloc(alloc->ctx, mcp, 0);
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    }
    memset(mcp, 0, sizeof(*mcp));
    mcp->options = *options;
    if (!mcp->options.message_max)
        mcp->options.message_max = VES_MCP_MESSAGE_MAX;
    mcp->alloc = alloc;
    mcp->queue_end = &mcp->queue;
    pthread_mutex_init(&mcp->lock, NULL);
    ves_timed_cond_init(&mcp->changed);
    pthread_cond_init(&mcp->has_work, NULL);
    enum ves_status status =
        ves_mcp_registry_make(&mcp->registry, alloc, &mcp->options, error);
    if (status) {
        ves_mcp_free(mcp);
        return status;
    }
    *out = mcp;
    return VES_OK;
}

void ves_mcp_free(struct ves_mcp *mcp)
{
    if (!mcp)
        return;
    const struct ves_alloc *alloc = mcp->alloc;
    ves_mcp_drain(mcp);
    ves_mcp_end_subscriptions(mcp);
    ves_mcp_registry_free(&mcp->registry);
    pthread_cond_destroy(&mcp->has_work);
    pthread_cond_destroy(&mcp->changed);
    pthread_mutex_destroy(&mcp->lock);
    ves_wipe(mcp->seal_key, sizeof(mcp->seal_key));
    alloc->realloc(alloc->ctx, mcp, 0);
}

bool ves_mcp_is_stopping(const struct ves_mcp *mcp)
{
    return atomic_load(&mcp->is_stopping) || atomic_load(&mcp->is_ending);
}

bool ves_mcp_is_used(const struct ves_mcp *mcp)
{
    return atomic_load(&mcp->is_used);
}
