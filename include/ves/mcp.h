/* ves/mcp.h -- a server of the Model Context Protocol (libves-server, not part
 * of libves: only programs that serve link it).
 *
 * Knows nothing of VES.  A host registers tools, resources and prompts; the
 * library speaks the protocol: revisions 2024-11-05 to 2025-11-25 (with a
 * handshake) and 2026-07-28 (without), decided by each request, over standard
 * input and output and over HTTP.  A handler is written once: what the
 * revision of the request does not know is left out of the answer, and a
 * question to the user becomes a result or a request of the server's own,
 * whichever the client speaks.
 */
#ifndef VES_MCP_H
#define VES_MCP_H

#include "ves/json.h"
#include "ves/ves.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ves_mcp;      /* a server */
struct ves_mcp_call; /* one request, while its handler runs */

/* ---- handlers -------------------------------------------------------------
 * A handler runs on a thread of the server's, several at a time.  Everything
 * it gets lives until it returns.
 */

enum ves_mcp_outcome {
    VES_MCP_DONE,  /* what was written is the result */
    VES_MCP_ASK,   /* questions were asked; the handler runs again, from its
                      start, with the answers */
    VES_MCP_FAILED /* ves_mcp_fail or ves_mcp_reject said why */
};

typedef enum ves_mcp_outcome ves_mcp_handler(struct ves_mcp_call *call,
                                             void *ctx);

/* Arguments of a tool (they satisfy its input schema; absent ones are absent)
 * or of a prompt (strings). */
struct ves_jr *ves_mcp_arguments(struct ves_mcp_call *call);
/* Name of the tool or prompt, URI of the resource that is read. */
const char *ves_mcp_target(struct ves_mcp_call *call);
/* What stands for the {variable} of a resource template, decoded. */
const char *ves_mcp_variable(struct ves_mcp_call *call);

/* The structured result of a tool: write one object.  It is sent as such and
 * as text. */
struct ves_jw *ves_mcp_structured(struct ves_mcp_call *call);
/* The open array of the result: content blocks of a tool (instead of or after
 * the structured result), messages of a prompt. */
struct ves_jw *ves_mcp_items(struct ves_mcp_call *call);
/* Adds the text, or the bytes, of the resource that is read. */
void ves_mcp_text(struct ves_mcp_call *call, struct ves_bytes text);
void ves_mcp_blob(struct ves_mcp_call *call, struct ves_bytes data);

/* The tool failed: text is all a model sees.  In anything but a tool an
 * internal error.  Returns VES_MCP_FAILED. */
enum ves_mcp_outcome ves_mcp_fail(struct ves_mcp_call *call, const char *format,
                                  ...) __attribute__((format(printf, 2, 3)));
/* An error of the protocol, which no model sees.  data: JSON or NULL. */
enum ves_mcp_outcome ves_mcp_reject(struct ves_mcp_call *call, int code,
                                    const char *message, const char *data);
/* There is no such resource. */
enum ves_mcp_outcome ves_mcp_no_resource(struct ves_mcp_call *call);

/* What the client can be asked for. */
enum ves_mcp_ability {
    VES_MCP_FORM = 1,     /* elicitation/create with a form */
    VES_MCP_SAMPLING = 2, /* sampling/createMessage */
    VES_MCP_ROOTS = 4     /* roots/list */
};
bool ves_mcp_can(const struct ves_mcp_call *call, enum ves_mcp_ability ability);

/* The client's answer to a question of that key; NULL while there is none.
 * {action, content} of a form, the result of other questions. */
struct ves_jr *ves_mcp_answer(struct ves_mcp_call *call, const char *key);
/* Asks; then return VES_MCP_ASK.  Several keys may be asked at a time.
 * params: JSON object.  A client that cannot be asked gets error -32021. */
void ves_mcp_ask(struct ves_mcp_call *call, const char *key, const char *method,
                 struct ves_bytes params);
/* What the handler kept when it asked; "" the first time.  The client carries
 * it, sealed: nobody else made it, it belongs to this request, and it is at
 * most ten minutes old.  That it is used once is the handler's business. */
struct ves_bytes ves_mcp_state(const struct ves_mcp_call *call);
void ves_mcp_keep(struct ves_mcp_call *call, struct ves_bytes state);

/* Tells a client that asked for it how far the work is; drops what comes too
 * fast.  False: the client does not wait any more, or the server is to stop;
 * end at the next place where everything is whole. */
bool ves_mcp_progress(struct ves_mcp_call *call, double done, double total,
                      const char *message);
bool ves_mcp_is_cancelled(const struct ves_mcp_call *call);
/* A log message to the client, if it wants them at that level ("info"). */
void ves_mcp_log(struct ves_mcp_call *call, const char *level,
                 const char *text);

/* Completion: which argument, and what is typed of it; adds a value (those
 * that do not begin with the typed text and those beyond 100 are not sent). */
const char *ves_mcp_argument(const struct ves_mcp_call *call);
const char *ves_mcp_typed(const struct ves_mcp_call *call);
void ves_mcp_offer(struct ves_mcp_call *call, const char *value);

/* ---- what a server has ----------------------------------------------------
 * Texts are the host's and outlive the server.  Schemas are JSON texts, laid
 * out as one likes; a string in them may be written in parts, as in C.
 */

struct ves_mcp_tool {
    const char *name;
    const char *title;
    const char *description;
    const char *input_schema;
    const char *output_schema; /* may be NULL */
    bool is_read_only, is_destructive, is_idempotent, is_open_world;
    bool has_no_hints; /* none of those four is said */
    ves_mcp_handler *run;
};

struct ves_mcp_resource {
    const char *uri; /* of a template: "scheme://name/{variable}" */
    const char *name;
    const char *title;
    const char *description;
    const char *mime_type;
    double priority; /* 0 to 1; 0: not said */
    bool is_template;
    bool is_subscribable;
    /* Of a subscribable template: is there a resource with that variable?
     * NULL: every one is.  Runs as handlers do. */
    bool (*is_there)(void *ctx, const char *variable);
    bool is_public;  /* the same for everybody: shared caches may keep it */
    uint32_t ttl_ms; /* how long it may be cached */
    ves_mcp_handler *read;
};

struct ves_mcp_prompt_argument {
    const char *name; /* NULL ends a list */
    const char *description;
    bool is_required;
};

struct ves_mcp_prompt {
    const char *name;
    const char *title;
    const char *description;
    const struct ves_mcp_prompt_argument *arguments; /* may be NULL */
    ves_mcp_handler *get;
};

struct ves_mcp_options {
    const char *name, *title, *version, *instructions;
    const struct ves_mcp_tool *tools; /* each list ends with a NULL name/uri */
    const struct ves_mcp_resource *resources;
    const struct ves_mcp_prompt *prompts;
    ves_mcp_handler *complete; /* for all of them; may be NULL */
    void *ctx;                 /* of every handler */
    bool has_logging;
    /* Gives the 32 bytes that seal what clients carry; asked when first
     * needed.  False: questions fail. */
    bool (*seal_key)(void *ctx, uint8_t key[32]);
    /* Writes a line for the operator; NULL: standard error. */
    void (*say)(void *ctx, const char *text);
    uint32_t progress_interval_ms; /* at least between two notifications */
    size_t message_max;            /* bytes; 0: 8 MiB */
    size_t result_max;             /* of a tool's structured text; 0: none */
    bool checks_output; /* own results against their schemas; for tests */
};

/* Checks the definitions and prepares the lists.  VES_INVALID names what is
 * wrong with a definition. */
VES_NODISCARD enum ves_status ves_mcp_new(const struct ves_mcp_options *options,
                                          struct ves_mcp **out,
                                          struct ves_error *error);
void ves_mcp_free(struct ves_mcp *mcp); /* NULL allowed */

/* A resource changed: tells those who subscribed.  Any thread. */
void ves_mcp_updated(struct ves_mcp *mcp, const char *uri);
/* Does anybody subscribe to anything? */
bool ves_mcp_is_watched(struct ves_mcp *mcp);
/* Shows every URI somebody subscribes to that begins with prefix; one that
 * several subscribe to is shown several times.  Nothing of the server may be
 * called from see. */
void ves_mcp_each_watched(struct ves_mcp *mcp, const char *prefix,
                          void (*see)(void *ctx, const char *uri), void *ctx);
/* Is the server about to end? */
bool ves_mcp_is_stopping(const struct ves_mcp *mcp);
/* Has any request but those of a handshake been received? */
bool ves_mcp_is_used(const struct ves_mcp *mcp);

/* ---- serving --------------------------------------------------------------
 */

/* Speaks on standard input and output until input ends or the process is
 * asked to stop; everything that was read is answered.  Standard output is
 * taken away from the rest of the program, which writes to standard error
 * from then on. */
VES_NODISCARD enum ves_status ves_mcp_run_stdio(struct ves_mcp *mcp,
                                                struct ves_error *error);

struct ves_mcp_http_options {
    const char *listen;        /* HOST:PORT, loopback; port 0: any free one */
    const char *token_file;    /* clients must show its first line; or NULL */
    const char *allow_origins; /* besides loopback's, separated by commas */
    const char *port_file;     /* gets "HOST:PORT\n" once listening; or NULL */
};

/* Serves POST /mcp over HTTP until the process is asked to stop. */
VES_NODISCARD enum ves_status
ves_mcp_run_http(struct ves_mcp *mcp,
                 const struct ves_mcp_http_options *options,
                 struct ves_error *error);

#ifdef __cplusplus
}
#endif
#endif
