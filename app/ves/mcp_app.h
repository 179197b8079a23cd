/* mcp_app.h -- what the tools, resources and prompts of ves mcp share. */
#ifndef VES_APP_MCP_APP_H
#define VES_APP_MCP_APP_H

#include <pthread.h>
#include <stdatomic.h>

#include "cli.h"
#include "ves/mcp.h"

enum {
    MCP_HANDLES = 6,       /* of the store, at most */
    MCP_SHORT = 7600,      /* bytes of a result nobody asked to be longer */
    MCP_LONG = 36000,      /* bytes of a result somebody asked for */
    MCP_RESULT_MAX = 40000 /* what hosts take at all */
};

/* What no tool does: settling is the word of a person (ADR 0083). */
#define MCP_REFUSED_STEP                                                      \
    "Tell the user which events were refused for good; pushing them again "   \
    "does not help. A person who has looked into one settles it: ves outbox " \
    "--settle EVENT --reason TEXT"

/* How the setting autoSync hears of news. */
enum mcp_delivery { MCP_NO_DELIVERY, MCP_POLLING, MCP_STREAM };

/* ves mcp while it runs.  Calls come from several threads. */
struct mcp_app {
    struct cli *cli;
    bool is_read_only; /* --read-only: the store is not even opened to write */
    bool is_preview;   /* --dry-run: every change is only shown; the same */
    const char *allow; /* --allow: entity types an agent may decide about */
    struct ves_mcp *mcp;
    pthread_mutex_t lock;                   /* of the handles */
    pthread_cond_t given;                   /* a handle was given back */
    struct ves_agent *handles[MCP_HANDLES]; /* not in use, kept open */
    size_t handle_count, handles_open;
    struct ves_contact contact; /* of the last probe, for every handle */
    /* What get_sync_status last made of which document of the library's; owned,
     * NULL: nothing yet.  Under lock. */
    char *standing, *standing_result;
    enum mcp_delivery standing_delivery;
    /* One push or pull at a time; taken before a handle, so that those who
     * wait for their turn hold none. */
    pthread_mutex_t sync_lock;
    pthread_t watcher;
    bool has_watcher;
    atomic_bool is_ending;
    atomic_int delivery; /* enum mcp_delivery */
};

/* ---- the store (mcp_store.c) ---------------------------------------------
 */

/* A handle for this call alone; waits while all are in use.  NULL: the call
 * has failed, in words. */
struct ves_agent *mcp_take(struct mcp_app *app, struct ves_mcp_call *call);
/* The same for a thread without a call; NULL when it cannot be had. */
struct ves_agent *mcp_take_quietly(struct mcp_app *app);
void mcp_give(struct mcp_app *app, struct ves_agent *agent);
/* One that is the caller's, closed with ves_agent_close; NULL: none. */
struct ves_agent *mcp_open_quietly(struct mcp_app *app);
void mcp_close_store(struct mcp_app *app);

/* Asks the sequencer for its head within timeout_ms, for as long as the client
 * waits, and writes nothing; what it showed, *contact, every handle knows from
 * then on. */
enum ves_status mcp_probe(struct mcp_app *app, struct ves_mcp_call *call,
                          struct ves_agent *agent, uint32_t timeout_ms,
                          struct ves_contact *contact, struct ves_error *error);

/* A document of the library's, read; NULL: *error says why. */
struct ves_jr *mcp_read(struct ves_jw *jw, enum ves_status status,
                        struct ves_error *error);
/* The status document, read; NULL: the call has failed. */
struct ves_jr *mcp_status(struct ves_mcp_call *call, struct ves_agent *agent);

/* What a long operation calls between requests: progress to the client, and
 * whether to go on. */
bool mcp_progress(void *call, const char *what, uint64_t done, uint64_t total);

/* ---- words (mcp_words.c) -------------------------------------------------
 */

/* What the library said, which is made for showing, up to where it goes on to
 * what did not change and to what to type. */
void mcp_what(char *out, size_t size, const char *words);
/* Fails: "CODE: what.\nstate\nNext: next".  None of the three ends with a
 * full stop but state. */
enum ves_mcp_outcome mcp_error(struct ves_mcp_call *call, const char *code,
                               const char *what, const char *state,
                               const char *next);
/* Fails with what a status of the library's means for a model. */
enum ves_mcp_outcome mcp_error_of(struct ves_mcp_call *call,
                                  enum ves_status status,
                                  const struct ves_error *error,
                                  const char *state);
/* The same of what a conversation with the sequencer came to; tool is what to
 * call again.  wait_s: it is busy and wants to be left alone for so long, 0
 * when it is not. */
enum ves_mcp_outcome mcp_error_of_sync(struct ves_mcp_call *call,
                                       enum ves_status status,
                                       const struct ves_error *error,
                                       const char *state, uint32_t wait_s);
/* At most max characters of text for people to read, cut with "..." to size
 * bytes; what somebody might obey instead is a character like ' '. */
void mcp_shown(char *out, size_t size, const char *text, size_t max,
               char instead);
/* A line for the operator, who may see what a model may not; harmless to a
 * terminal. */
void mcp_log(const char *words);
/* --read-only refuses, unless the call asked for a preview. */
bool mcp_may_write(struct mcp_app *app, struct ves_mcp_call *call);
/* Is this call only to show what it would do? */
bool mcp_is_preview(struct mcp_app *app, struct ves_mcp_call *call);

/* Members of an object; empty texts and zeros are left out by _str and _time.
 */
void mcp_put_str(struct ves_jw *jw, const char *name, const char *value);
void mcp_put_u64(struct ves_jw *jw, const char *name, uint64_t value);
void mcp_put_uuid(struct ves_jw *jw, const char *name,
                  const struct ves_uuid *id);
void mcp_put_bool(struct ves_jw *jw, const char *name, bool value);
void mcp_put_raw(struct ves_jw *jw, const char *name, const char *json);
/* Copies a member from a document if it is there and not null. */
void mcp_copy_str(struct ves_jw *jw, const char *name, struct ves_jr *jr,
                  const char *pointer, ...)
    __attribute__((format(printf, 4, 5)));
void mcp_copy_u64(struct ves_jw *jw, const char *name, struct ves_jr *jr,
                  const char *pointer, ...)
    __attribute__((format(printf, 4, 5)));
void mcp_putf(struct ves_jw *jw, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The member "fields": what differs in a conflict, both sides and perhaps what
 * they began with, as far as there is room. */
void mcp_put_fields(struct ves_jw *jw, struct ves_jr *conflict, bool has_base);

/* "1 event", "3 events". */
const char *mcp_count(char out[48], uint64_t n, const char *noun);
bool mcp_uuid(const char *text, struct ves_uuid *out);

/* ---- tools ---------------------------------------------------------------
 */

ves_mcp_handler mcp_get_sync_status;    /* mcp_status.c */
ves_mcp_handler mcp_get_sync_settings;  /* mcp_settings.c */
ves_mcp_handler mcp_set_sync_settings;  /* mcp_settings.c */
ves_mcp_handler mcp_push_events;        /* mcp_sync.c */
ves_mcp_handler mcp_pull_events;        /* mcp_sync.c */
ves_mcp_handler mcp_acknowledge_events; /* mcp_ack.c */
ves_mcp_handler mcp_list_outbox_events; /* mcp_outbox.c */
ves_mcp_handler mcp_get_outbox_event;   /* mcp_outbox.c */
ves_mcp_handler mcp_resolve_conflict;   /* mcp_resolve.c */

extern const struct ves_mcp_tool mcp_tools[]; /* mcp_tools.c */
extern const char mcp_result_get_sync_status[], mcp_result_push_events[],
    mcp_result_pull_events[], mcp_result_list_outbox_events[],
    mcp_result_get_outbox_event[], mcp_result_acknowledge_events[],
    mcp_result_resolve_conflict[], mcp_result_get_sync_settings[],
    mcp_result_set_sync_settings[];                   /* mcp_results.c */
extern const struct ves_mcp_resource mcp_resources[]; /* mcp_resources.c */
extern const struct ves_mcp_prompt mcp_prompts[];     /* mcp_prompts.c */
ves_mcp_handler mcp_complete;                         /* mcp_prompts.c */

/* Writes what get_sync_status says of local state.  is_fresh: the sequencer was
 * asked just now. */
enum ves_status mcp_write_status(struct ves_jw *jw, struct ves_jr *status,
                                 const char *probe_error, bool is_fresh,
                                 enum mcp_delivery delivery);
/* Is a conflict about a record of this type for people to decide?
 * (mcp_resolve.c) */
bool mcp_needs_person(const struct mcp_app *app, const char *entity_type);
/* Does --allow LIST name such types only, by comma?  A word that means nothing
 * would be taken for one that does. */
bool mcp_may_allow(const char *list);
/* Writes what get_sync_settings says. */
enum ves_status mcp_write_settings(struct mcp_app *app, struct ves_jw *jw,
                                   struct ves_jr *settings);

/* ---- in the background (mcp_watch.c) -------------------------------------
 */

/* ---- between calls (mcp_follow.c, mcp_watch.c) ---------------------------
 */

/* What follows the sequencer while autoSync is on; one thread's.  NULL: no
 * memory, and then nothing is followed. */
struct mcp_following *mcp_follow_new(struct mcp_app *app);
void mcp_follow_free(struct mcp_following *f);
/* Begins, or ends, as the settings say. */
void mcp_follow_settings(struct mcp_following *f, struct ves_agent *agent);
/* Waits at most so long, and syncs when that is due.  f may be NULL. */
void mcp_follow_wait(struct mcp_following *f, uint32_t ms);
static inline enum mcp_delivery mcp_delivery(struct mcp_app *app)
{
    return (enum mcp_delivery)atomic_load(&app->delivery);
}

/* Tells subscribers of changes; syncs when the setting autoSync says so. */
/* Can an event with the id in variable be watched? */
bool mcp_has_event(void *app, const char *variable);
void mcp_watch_start(struct mcp_app *app);
void mcp_watch_stop(struct mcp_app *app);

#endif
