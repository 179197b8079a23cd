/* server.h -- what the files of src/mcp share: server, session, sink, call.
 *
 * A message comes in with a sink for what is sent because of it.  On standard
 * input and output there is one sink and one session; over HTTP each POST has
 * a sink of its own, and legacy clients have sessions.  Requests that run no
 * handler are answered by the thread that read them; handlers run on workers.
 *
 * mcp->lock guards sessions, calls in flight, subscriptions and questions.
 * It is held while a sink sends only where order matters, and no sink takes
 * it.
 */
#ifndef VES_MCP_SERVER_H
#define VES_MCP_SERVER_H

#include <pthread.h>
#include <stdatomic.h>

#include "mcp/message.h"
#include "mcp/registry.h"
#include "mcp/seal.h"
#include "ves/mcp.h"

enum {
    VES_MCP_WORKERS_MAX = 64,
    VES_MCP_BUSY_MAX = 8, /* workers that do not wait for a person */
    VES_MCP_QUEUE_MAX = 1024,
    VES_MCP_ROUNDS_MAX = 8,        /* questions after questions */
    VES_MCP_ASK_MS = 600 * 1000,   /* a person may think so long */
    VES_MCP_STATE_MS = 600 * 1000, /* what clients carry is so long good */
    VES_MCP_SESSIONS_MAX = 256,
    VES_MCP_SESSION_CALLS_MAX = 16, /* of one session over HTTP, in flight */
    VES_MCP_SUBSCRIPTIONS_MAX = 1024,
    VES_MCP_SESSION_SUBSCRIPTIONS_MAX = 128,
    VES_MCP_LISTENED_MAX = 128, /* resources one listening request names */
    VES_MCP_URI_MAX = 2048,
    VES_MCP_MESSAGE_MAX = 8 * 1024 * 1024,
    VES_MCP_REPLY_MAX = 64 * 1024 * 1024,
    /* What all messages under way may take together, bytes. */
    VES_MCP_HELD_MAX = 256 * 1024 * 1024,
    VES_MCP_END_MS = 10 * 1000 /* work goes on after the end of input */
};

/* Where messages to a client go. */
struct ves_mcp_sink {
    /* A notification or a request of ours. */
    void (*send)(struct ves_mcp_sink *sink, struct ves_bytes message);
    /* The answer; empty: there is none.  status is HTTP's. */
    void (*finish)(struct ves_mcp_sink *sink, struct ves_bytes message,
                   int status);
    void (*destroy)(struct ves_mcp_sink *sink);
    atomic_uint refs;
    atomic_bool is_gone; /* the client does not listen any more */
};
void ves_mcp_sink_init(struct ves_mcp_sink *sink);
struct ves_mcp_sink *ves_mcp_sink_keep(struct ves_mcp_sink *sink);
void ves_mcp_sink_drop(struct ves_mcp_sink *sink); /* NULL allowed */

/* Appends a message in one line: what others wrote may be laid out, and between
 * JSON tokens a blank is as good as a line end. */
void ves_mcp_put_line(struct ves_buf *out, struct ves_bytes message);

enum { VES_MCP_SESSION_ID = 32 };

/* The pipe, or a legacy session over HTTP. */
struct ves_mcp_session {
    struct ves_mcp *mcp;
    struct ves_mcp_session *next;
    atomic_uint refs;
    char id[VES_MCP_SESSION_ID + 1]; /* "" for the pipe */
    bool is_initialized;
    bool is_closed;
    enum ves_mcp_revision revision;
    unsigned abilities; /* enum ves_mcp_ability */
    int log_level;      /* of logging/setLevel; lower is louder; -1: none */
    struct ves_mcp_call *calls;   /* in flight */
    struct ves_mcp_sink *general; /* what belongs to no request; may be NULL */
    int64_t used_ms;
};
struct ves_mcp_session *ves_mcp_session_new(struct ves_mcp *mcp);
struct ves_mcp_session *ves_mcp_session_keep(struct ves_mcp_session *session);
void ves_mcp_session_drop(struct ves_mcp_session *session); /* NULL allowed */
/* Ends it: its calls are cancelled, its subscriptions forgotten. */
void ves_mcp_session_close(struct ves_mcp_session *session);

/* Somebody who wants to know of changes. */
struct ves_mcp_subscription {
    struct ves_mcp_subscription *next;
    struct ves_mcp_session *session; /* not kept: goes first; may be NULL */
    struct ves_mcp_sink *sink;       /* NULL: the session's general one */
    char *id;   /* of subscriptions/listen, as written; NULL: legacy */
    char *uris; /* one after the other, each with its NUL; empty one ends */
};

/* A question to the client. */
struct ves_mcp_question {
    struct ves_mcp_question *next;
    struct ves_bytes key;
    const char *method;
    struct ves_bytes params;
    uint64_t request_id; /* legacy: of our request; 0: not sent */
    bool is_answered;
    struct ves_buf answer; /* legacy; JSON */
};

struct ves_mcp_given { /* an answer, for the handler */
    struct ves_mcp_given *next;
    struct ves_bytes key;
    struct ves_jr *jr;
};

enum ves_mcp_purpose {
    VES_MCP_FOR_NONE,
    VES_MCP_FOR_TOOL,
    VES_MCP_FOR_RESOURCE,
    VES_MCP_FOR_PROMPT,
    VES_MCP_FOR_COMPLETION,
    VES_MCP_FOR_LISTENING
};

struct ves_mcp_call {
    struct ves_mcp *mcp;
    struct ves_mcp_session *session; /* kept; NULL: modern HTTP */
    struct ves_mcp_sink *sink;       /* kept */
    struct ves_mcp_call *next_in_session, *next_in_queue;
    struct ves_arena arena;
    size_t held; /* of the server's, for the message */
    struct ves_mcp_message message;
    enum ves_mcp_revision revision;
    unsigned abilities;
    int log_level;
    struct ves_bytes progress_token;
    atomic_bool is_cancelled;

    enum ves_mcp_purpose purpose;
    void (*listen)(struct ves_mcp_call *call); /* for LISTENING */
    const struct ves_mcp_tool_entry *tool;
    const struct ves_mcp_resource *resource;
    const struct ves_mcp_prompt *prompt;
    char *target, *variable, *argument, *typed; /* "" when not used */
    struct ves_jr *arguments;
    struct ves_hash belongs_to; /* what a sealed state is bound to */

    struct ves_jw *structured, *items; /* made when first asked for */
    size_t item_count;                 /* contents or completions */
    size_t offered;
    struct ves_mcp_question *questions;
    struct ves_mcp_given *given;
    struct ves_bytes state;
    struct ves_buf kept;
    struct ves_buf words; /* of a failure */
    int code;             /* 0: the tool failed; else of an error */
    const char *data;     /* JSON of that error, or NULL */
    double progress;
    int64_t progress_ms;
};

struct ves_mcp {
    struct ves_mcp_options options;
    const struct ves_alloc *alloc;
    struct ves_mcp_registry registry;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a question was answered, a call ended */
    struct ves_mcp_session *sessions; /* over HTTP */
    size_t session_count;
    struct ves_mcp_subscription *subscriptions;
    size_t subscription_count;
    uint64_t next_question;
    atomic_size_t held; /* bytes messages under way take */
    size_t in_flight;
    struct ves_mcp_call *queue, **queue_end;
    size_t queued, idle, workers;
    size_t waiting; /* workers that wait for a person */
    pthread_t threads[VES_MCP_WORKERS_MAX];
    pthread_cond_t has_work;
    bool is_closing;            /* workers go when the queue is empty */
    atomic_bool is_ending;      /* no more input: questions have no answer */
    atomic_bool is_stopping;    /* asked to stop: work ends soon */
    atomic_int_fast64_t end_ms; /* when work must end after is_ending */
    atomic_bool is_used;
    bool has_seal_key;
    uint8_t seal_key[VES_MCP_SEAL_KEY];
};

/* A line for the operator. */
void ves_mcp_say(const struct ves_mcp *mcp, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Reserves bytes for a message; false: too much is under way already. */
bool ves_mcp_hold(struct ves_mcp *mcp, size_t bytes);
void ves_mcp_release(struct ves_mcp *mcp, size_t bytes);

/* ---- calls (call.c) ------------------------------------------------------ */

/* Reads a message; NULL when out of memory. */
struct ves_mcp_call *ves_mcp_call_new(struct ves_mcp *mcp,
                                      struct ves_bytes bytes);
void ves_mcp_call_free(struct ves_mcp_call *call);
bool ves_mcp_is_modern(const struct ves_mcp_call *call);
/* Takes off what an earlier round of the handler wrote. */
void ves_mcp_call_reset(struct ves_mcp_call *call);
/* Text with a NUL in the call's arena; "" when out of memory. */
char *ves_mcp_call_text(struct ves_mcp_call *call, struct ves_bytes text);
/* Adds an answer; JSON. */
void ves_mcp_call_give(struct ves_mcp_call *call, struct ves_bytes key,
                       struct ves_bytes json);

/* Is there still time to work in? */
bool ves_mcp_may_go_on(const struct ves_mcp_call *call);

/* ---- running handlers (run.c) -------------------------------------------- */

/* Runs the handler, with questions and answers, and answers the request. */
void ves_mcp_call_run(struct ves_mcp_call *call);
/* The call is over: out of its session, freed. */
void ves_mcp_call_end(struct ves_mcp_call *call);
/* Gives the call to a worker, who ends it; answers it itself when there is no
 * room. */
void ves_mcp_enqueue(struct ves_mcp_call *call);
/* Waits until nothing is in flight, then until workers are gone. */
void ves_mcp_drain(struct ves_mcp *mcp);

/* The client answered a question of ours. */
void ves_mcp_answered(struct ves_mcp_session *session,
                      const struct ves_mcp_message *message);
/* The client does not want the answer any more. */
void ves_mcp_cancel(struct ves_mcp_session *session,
                    const struct ves_mcp_message *message);

/* ---- answers (reply.c) --------------------------------------------------- */

/* Appends an error message; id empty: without one.  data: JSON or NULL. */
void ves_mcp_put_error(struct ves_buf *out, struct ves_bytes id, int code,
                       const char *message, const char *data);
/* Answers with an error. */
void ves_mcp_reply_error(struct ves_mcp_call *call, int code,
                         const char *message, const char *data);
/* Same with the HTTP status. */
void ves_mcp_reply_error_status(struct ves_mcp_call *call, int code,
                                const char *message, const char *data,
                                int status);

enum { VES_MCP_UNCACHED = -1, VES_MCP_BARE = -2 };
/* Begins a result; members are appended to *out, each followed by a comma. */
void ves_mcp_reply_begin(const struct ves_mcp_call *call, struct ves_buf *out);
/* Ends and sends it.  ttl_ms: VES_MCP_UNCACHED, VES_MCP_BARE (also without
 * resultType, which is a member already), or how long it may be cached. */
void ves_mcp_reply_end(struct ves_mcp_call *call, struct ves_buf *out,
                       int64_t ttl_ms, bool is_public);
/* The result of the handler. */
void ves_mcp_reply_done(struct ves_mcp_call *call);
void ves_mcp_reply_failed(struct ves_mcp_call *call);
void ves_mcp_reply_ask(struct ves_mcp_call *call);
/* Opens what the client carried for us; false: it is not ours to trust. */
bool ves_mcp_open_state(struct ves_mcp_call *call, struct ves_bytes sealed);

/* ---- requests (dispatch.c) ----------------------------------------------- */

struct ves_mcp_inlet {
    struct ves_mcp_session *session; /* NULL: modern HTTP */
    struct ves_mcp_sink *sink;
    bool is_http;
    bool is_modern;                /* the header says so */
    enum ves_mcp_revision assumed; /* of legacy requests without session */
    /* Values of the headers a tool's parameters are repeated in; NULL: there
     * are no headers. */
    const char *(*header)(void *ctx, const char *name);
    void *header_ctx;
};

/* What a message asks for, going by its method alone. */
enum ves_mcp_purpose ves_mcp_purpose_of(const struct ves_mcp_message *message);
/* Takes the message and answers it, now or later. */
void ves_mcp_take(struct ves_mcp_call *call, const struct ves_mcp_inlet *inlet);

/* ---- the four kinds of work (target.c) ----------------------------------- */

/* Finds what the request is for and what it brings; false: answered. */
bool ves_mcp_aim(struct ves_mcp_call *call, const struct ves_mcp_inlet *inlet);

/* ---- subscriptions (subscribe.c) ----------------------------------------- */

/* These answer the request.  Whether there is a resource may be the store's
 * to say, so that they run as handlers do. */
void ves_mcp_listen(struct ves_mcp_call *call);      /* subscriptions/listen */
void ves_mcp_subscribe(struct ves_mcp_call *call);   /* legacy */
void ves_mcp_unsubscribe(struct ves_mcp_call *call); /* legacy */
/* Ends listening requests of that id (cancelled: no answer).  The lock is
 * held. */
void ves_mcp_unlisten(struct ves_mcp_session *session, struct ves_bytes id);
/* Forgets all of a session, or of a sink. */
void ves_mcp_forget_subscriptions(struct ves_mcp *mcp,
                                  struct ves_mcp_session *session,
                                  struct ves_mcp_sink *sink);
/* Answers every subscriptions/listen: the server ends. */
void ves_mcp_end_subscriptions(struct ves_mcp *mcp);

/* Level of RFC 5424 by name, 0 emergency to 7 debug; -1 unknown. */
int ves_mcp_level(struct ves_bytes name);

#endif
