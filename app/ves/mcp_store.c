/* mcp_store.c -- handles of the store: opened when first needed, kept for the
 * next call. */
#include <stdlib.h>
#include <string.h>

#include "mcp_app.h"

static enum ves_status open_store(struct mcp_app *app, struct ves_agent **agent,
                                  struct ves_error *error)
{
    struct ves_agent_options options;

    cli_store_options(app->cli, &options);
    /* A passphrase comes from a file or not at all: the terminal is the
     * host's. */
    const char *file = getenv("VES_PASSPHRASE_FILE");
    if (!file || !*file)
        options.passphrase = NULL;
    options.is_read_only = app->is_read_only || app->is_preview;
    return ves_agent_open(&options, agent, error);
}

/* A handle that is not in use, or a new one. */
static enum ves_status take(struct mcp_app *app, struct ves_agent **agent,
                            struct ves_error *error)
{
    enum ves_status status = VES_OK;

    *agent = NULL;
    pthread_mutex_lock(&app->lock);
    while (app->handle_count == 0 && app->handles_open == MCP_HANDLES)
        pthread_cond_wait(&app->given, &app->lock);
    if (app->handle_count > 0)
        *agent = app->handles[--app->handle_count];
    else
        app->handles_open++;
    const struct ves_contact contact = app->contact;
    pthread_mutex_unlock(&app->lock);
    if (!*agent)
        status = open_store(app, agent, error);
    if (!status)
        ves_agent_know(*agent, &contact);
    if (status) {
        pthread_mutex_lock(&app->lock);
        app->handles_open--;
        pthread_cond_signal(&app->given);
        pthread_mutex_unlock(&app->lock);
    }
    return status;
}

struct ves_agent *mcp_take_quietly(struct mcp_app *app)
{
    struct ves_agent *agent;

    return take(app, &agent, NULL) ? NULL : agent;
}

struct ves_agent *mcp_open_quietly(struct mcp_app *app)
{
    struct ves_agent *agent = NULL;

    return open_store(app, &agent, NULL) ? NULL : agent;
}

struct ves_agent *mcp_take(struct mcp_app *app, struct ves_mcp_call *call)
{
    struct ves_agent *agent;
    struct ves_error error = {VES_OK, ""};
    enum ves_status status = take(app, &agent, &error);

    if (status == VES_OK)
        return agent;
    if (status == VES_NOT_FOUND)
        mcp_error(call, "NOT_CONFIGURED",
                  "there is no VES store at the path this server was started "
                  "with",
                  "Nothing was changed.",
                  "ask the user to set up a store with ves init, or to start "
                  "the server with --db and the right file.");
    else if (status == VES_INVALID)
        mcp_error(call, "NOT_CONFIGURED",
                  "this server was started with a setting that cannot be",
                  "Nothing was changed.",
                  "tell the user; the server's log names the setting.");
    else if (status == VES_UNSUPPORTED &&
             (app->is_read_only || app->is_preview))
        mcp_error(call, "STORE_ERROR",
                  "another version of ves wrote this store, and it is opened "
                  "for reading only, so it was not brought up to date",
                  "Nothing was changed.",
                  "ask the user to run ves status once, or to update ves if "
                  "that fails.");
    else
        mcp_error_of(call, status, &error, "Nothing was changed.");
    if (status == VES_INVALID)
        mcp_log(error.text);
    return NULL;
}

void mcp_give(struct mcp_app *app, struct ves_agent *agent)
{
    pthread_mutex_lock(&app->lock);
    app->handles[app->handle_count++] = agent;
    pthread_cond_signal(&app->given);
    pthread_mutex_unlock(&app->lock);
}

enum ves_status mcp_probe(struct mcp_app *app, struct ves_mcp_call *call,
                          struct ves_agent *agent, uint32_t timeout_ms,
                          struct ves_contact *contact, struct ves_error *error)
{
    const struct ves_sync_options options = {.timeout_ms = timeout_ms,
                                             .progress = mcp_progress,
                                             .progress_ctx = call};
    enum ves_status status = ves_probe_quietly(agent, &options, contact, error);

    if (!contact->at_ms)
        return status;
    pthread_mutex_lock(&app->lock);
    app->contact = *contact;
    pthread_mutex_unlock(&app->lock);
    return status;
}

void mcp_close_store(struct mcp_app *app)
{
    while (app->handle_count > 0)
        ves_agent_close(app->handles[--app->handle_count]);
    free(app->standing);
    free(app->standing_result);
}

struct ves_jr *mcp_read(struct ves_jw *jw, enum ves_status status,
                        struct ves_error *error)
{
    struct ves_jr *jr = NULL;

    if (status == VES_OK)
        jr = ves_jr_new(NULL, ves_jw_view(jw));
    if (status == VES_OK && !jr) {
        error->status = VES_LIMIT;
        snprintf(error->text, sizeof(error->text),
                 "a document is too large to be read");
    }
    ves_jw_free(jw);
    return jr;
}

struct ves_jr *mcp_status(struct ves_mcp_call *call, struct ves_agent *agent)
{
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_agent_standing(agent, jw, &error);
    struct ves_jr *jr = mcp_read(jw, status, &error);

    if (!jr)
        mcp_error_of(call, status ? status : error.status, &error,
                     "Nothing was changed.");
    return jr;
}

bool mcp_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    struct ves_mcp_call *call = ctx;
    char text[96];

    if (total > 0)
        snprintf(text, sizeof(text), "%s: %llu of %llu", what,
                 (unsigned long long)done, (unsigned long long)total);
    else
        snprintf(text, sizeof(text), "%s: %llu", what,
                 (unsigned long long)done);
    return ves_mcp_progress(call, (double)done, (double)total, text);
}
