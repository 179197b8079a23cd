/* bench.h -- what the files of the benchmark share. */
#ifndef VES_BENCH_BENCH_H
#define VES_BENCH_BENCH_H

#include <sys/types.h>

#include "base/buf.h"
#include "crypto/crypto.h"
#include "ves/agent.h"
#include "ves/bench.h"

enum {
    VES_BENCH_AGENTS = 64, /* one for each connection of the widest test */
    VES_BENCH_CREDENTIAL_MAX = 256,
    VES_BENCH_PATH_MAX = 1024,
    VES_BENCH_ID_MAX = 32
};

/* ---- the limit ------------------------------------------------------------
 */

/* Time of one operation on one core while all cores do the same. */
struct ves_bench_limit {
    double verify_us;
    double sign_us;
    double insert_us; /* a row in a plain table of the database (--store), both
                         sides' processor time; 0 without one */
    double both_us;   /* one verification and one signature, one after the
                         other; of the better moment, not the better of each */
};

/* ---- events ---------------------------------------------------------------
 */

struct ves_bench_agent {
    struct ves_uuid id;
    struct ves_secret_key secret;
    struct ves_public_key key;
    uint64_t seq; /* of its last event */
    struct ves_hash prev;
};

/* Tills that sell: each sale is an order and two stock movements. */
struct ves_bench_source {
    struct ves_stream stream;
    struct ves_bench_agent agents[VES_BENCH_AGENTS];
    uint64_t made; /* events */
    int64_t now_ms;
};

struct ves_bench_event {
    struct ves_uuid id;
    struct ves_hash hash;
    uint64_t sequence; /* by its receipt */
};

/* One POST, built before the clock starts, checked after it stops. */
struct ves_bench_request {
    uint8_t *bytes; /* head and body; owned */
    size_t len;
    struct ves_bench_event *events; /* owned */
    size_t count;
    uint64_t first;  /* number of its first event in the source */
    uint8_t *answer; /* body; owned */
    size_t answer_len;
    uint32_t status; /* HTTP */
    uint64_t latency_us;
};

/* Requests of one size; request i is of agent i % agents. */
struct ves_bench_load {
    struct ves_bench_request *requests;
    size_t count;
    size_t batch;
    size_t agents;
    uint64_t events;
    /* out */
    double seconds;
    double server_s, sender_s, database_s; /* of processor time */
    uint64_t p50_us, p99_us;
};

/* ---- the server -----------------------------------------------------------
 */

struct ves_bench_server {
    pid_t pid;         /* 0: none runs */
    const char *name;  /* its files begin with; NULL: "server" */
    long database_pid; /* PostgreSQL's first process; 0: not here */
    char db[VES_BENCH_PATH_MAX];
    char signing_key[VES_BENCH_PATH_MAX]; /* with --store */
    char admin_key_file[VES_BENCH_PATH_MAX + 16];
    char url[128];
    uint16_t port;
    char credential[VES_BENCH_CREDENTIAL_MAX];
    struct ves_uuid sequencer_id;
    struct ves_public_key sequencer_key;
};

/* ---- one run --------------------------------------------------------------
 */

struct ves_bench_run {
    const struct ves_bench_options *options;
    struct ves_bench_report *report;
    struct ves_error *error;
    const struct ves_alloc *alloc;
    unsigned cores;
    char folder[VES_BENCH_PATH_MAX - 64];
    struct ves_bench_server server;
    struct ves_bench_source source;
    uint64_t head; /* of the stream */
};

/* bench.c */

/* Calls work(ctx, i) for i in [0, threads) on as many threads. */
void ves_bench_parallel(unsigned threads, void (*work)(void *ctx, unsigned i),
                        void *ctx);
double ves_bench_now(void); /* seconds since some moment */
/* Between steps; VES_AGAIN when somebody wants to stop. */
VES_NODISCARD enum ves_status ves_bench_step(struct ves_bench_run *run,
                                             const char *what, uint64_t done,
                                             uint64_t total);
/* Adds to the report; target at least (or at most) that. */
struct ves_bench_figure *ves_bench_add(struct ves_bench_run *run,
                                       const struct ves_bench_figure *figure);
/* The middle ratio of some rounds of the same figure; count is odd. */
const struct ves_bench_figure *ves_bench_median(struct ves_bench_figure *rounds,
                                                size_t count);
/* The middle one, the upper of two; sorts them. */
double ves_bench_middle(double *values, size_t count);
/* "FOLDER/NAME" */
void ves_bench_path(const struct ves_bench_run *run, const char *name,
                    char out[VES_BENCH_PATH_MAX]);

/* limit.c */

void ves_bench_limit(struct ves_bench_run *run, struct ves_bench_limit *out);
/* Measures again and keeps the better of each. */
void ves_bench_limit_again(struct ves_bench_run *run,
                           struct ves_bench_limit *best);
/* Median of 4 KiB appended and flushed, in the folder. */
VES_NODISCARD enum ves_status ves_bench_fsync(struct ves_bench_run *run,
                                              double *us);

/* events.c */

void ves_bench_source_init(struct ves_bench_source *source);
/* Builds and signs count requests of batch events, from that many agents, on
 * all cores.  Freed with _free, also after a failure. */
VES_NODISCARD enum ves_status ves_bench_load_make(struct ves_bench_run *run,
                                                  size_t count, size_t batch,
                                                  size_t agents,
                                                  struct ves_bench_load *out);
void ves_bench_load_free(struct ves_bench_run *run,
                         struct ves_bench_load *load);

/* The same event number without context and signature, for ves_append: its
 * payload in *payload, its aggregate id in *aggregate. */
void ves_bench_append_fill(uint64_t number, struct ves_buf *payload,
                           char aggregate[VES_BENCH_ID_MAX],
                           struct ves_append *out);

/* load.c */

/* Sends everything over connections keep-alive connections, one request each
 * at a time, on the calling thread.  load->agents must be a multiple of
 * connections, so that an agent's events stay in order. */
VES_NODISCARD enum ves_status ves_bench_send(struct ves_bench_run *run,
                                             struct ves_bench_load *load,
                                             size_t connections);

/* receipts.c */

/* Verifies every receipt and that the numbers are run->head + 1 and on, each
 * once; moves run->head. */
VES_NODISCARD enum ves_status ves_bench_check(struct ves_bench_run *run,
                                              struct ves_bench_load *load);

/* database.c */

/* Makes options->store a sequencer's. */
VES_NODISCARD enum ves_status ves_bench_database(struct ves_bench_run *run);
/* Measures limit->insert_us with batches of that many rows; 0 without a
 * database. */
VES_NODISCARD enum ves_status
ves_bench_database_limit(struct ves_bench_run *run, size_t batch,
                         struct ves_bench_limit *limit);
/* Processor seconds of all its processes so far; 0 when there is none here. */
double ves_bench_database_cpu(const struct ves_bench_server *server);

/* server.c */

VES_NODISCARD enum ves_status ves_bench_server_start(struct ves_bench_run *run);
void ves_bench_server_stop(struct ves_bench_server *server);
/* Processor time used so far, in seconds. */
double ves_bench_server_cpu(const struct ves_bench_server *server);
/* Resident now and at most so far, in MB; 0 when /proc does not say. */
void ves_bench_server_memory(const struct ves_bench_server *server, double *now,
                             double *most);

/* machine.c */

void ves_bench_machine(const char *folder, struct ves_bench_machine *out);
double ves_bench_load_average(void);

/* What /proc says of a process; false: nothing. */
struct ves_bench_process {
    char name[64];
    long parent;
    double own_s, gone_s; /* of the processor: its, of children that ended */
};
bool ves_bench_process(pid_t pid, struct ves_bench_process *out);

/* ingest.c, pull.c, append.c, million.c */

VES_NODISCARD enum ves_status ves_bench_ingest(struct ves_bench_run *run);
VES_NODISCARD enum ves_status ves_bench_pull(struct ves_bench_run *run);
VES_NODISCARD enum ves_status ves_bench_append(struct ves_bench_run *run);
VES_NODISCARD enum ves_status ves_bench_million(struct ves_bench_run *run);

/* A store of its own that pulls the run's stream. */
VES_NODISCARD enum ves_status ves_bench_reader(struct ves_bench_run *run,
                                               const char *name,
                                               struct ves_agent **out);
/* Deletes a store's files. */
void ves_bench_forget(struct ves_bench_run *run, const char *name);

#endif
