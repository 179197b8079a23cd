/* server.c -- the sequencer under test: a process of its own. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "bench/bench.h"
#include "os/keyfile.h"
#include "ves/json.h"
#include "ves/sync.h"

enum {
    WAIT_STEPS = 1000, /* of 10 ms */
    ANSWER_MAX = 1024 * 1024,
    BODY_MAX = 512
};

static void nap(void)
{
    struct timespec step = {0, 10 * 1000 * 1000};
    nanosleep(&step, NULL);
}

static void file_path(const struct ves_bench_run *run, const char *suffix,
                      char out[VES_BENCH_PATH_MAX])
{
    char name[64];
    snprintf(name, sizeof(name), "%s%s",
             run->server.name ? run->server.name : "server", suffix);
    ves_bench_path(run, name, out);
}

/* Only calls that are safe after fork in a program with threads. */
static void become(const char *program, char *const *args, const char *log)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    int fd = open(log, O_CREAT | O_WRONLY | O_APPEND, 0600);
    if (fd >= 0 && dup2(fd, STDERR_FILENO) >= 0)
        execv(program, args);
    _exit(127);
}

static enum ves_status spawn(struct ves_bench_run *run, const char *port_file)
{
    struct ves_bench_server *server = &run->server;
    const char *program =
        run->options->program ? run->options->program : "/proc/self/exe";
    char log[VES_BENCH_PATH_MAX];
    char *args[] = {(char[]){"ves"},
                    (char[]){"serve"},
                    run->options->store ? (char[]){"--store"}
                                        : (char[]){"--db"},
                    run->options->store ? (char *)(uintptr_t)run->options->store
                                        : server->db,
                    (char[]){"--listen"},
                    (char[]){"127.0.0.1:0"},
                    (char[]){"--port-file"},
                    strdup(port_file),
                    run->options->store ? (char[]){"--signing-key"} : NULL,
                    server->signing_key,
                    NULL};
    file_path(run, ".log", log);
    if (!args[7])
        return ves_fail(run->error, VES_NOMEM, "out of memory");
    pid_t pid = fork();
    if (pid == 0)
        become(program, args, log);
    free(args[7]);
    if (pid < 0)
        return ves_fail(run->error, VES_IO, "no process can be made");
    server->pid = pid;
    return VES_OK;
}

static enum ves_status read_port(struct ves_bench_run *run,
                                 const char *port_file)
{
    struct ves_bench_server *server = &run->server;
    char text[64] = "";
    for (int i = 0; i < WAIT_STEPS; i++) {
        FILE *file = fopen(port_file, "re");
        bool is_there = file && fgets(text, sizeof(text), file);
        if (file)
            fclose(file);
        const char *colon = strrchr(text, ':');
        if (is_there && colon) {
            server->port = (uint16_t)strtoul(colon + 1, NULL, 10);
            snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u",
                     (unsigned)server->port);
            return VES_OK;
        }
        if (waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            server->pid = 0;
            break;
        }
        nap();
    }
    return ves_fail(run->error, VES_IO,
                    "the server does not start; \"ves serve\" on a file in "
                    "the same folder tells why");
}

/* ---- asking it ------------------------------------------------------------
 */

static enum ves_status ask(struct ves_bench_run *run, const char *method,
                           const char *path, struct ves_bytes body,
                           struct ves_jr **out)
{
    struct ves_bench_server *server = &run->server;
    uint32_t http = 0;
    struct ves_jw *jw = ves_jw_new(run->alloc, ANSWER_MAX);
    if (!jw)
        return ves_fail(run->error, VES_NOMEM, "out of memory");
    enum ves_status status =
        ves_admin_call(server->url, server->admin_key_file, NULL, method, path,
                       body, jw, &http, run->error);
    *out = NULL;
    if (!status && http != 200)
        status =
            ves_fail(run->error, VES_REFUSED, "%s %s was answered with HTTP %u",
                     method, path, http);
    if (!status)
        *out = ves_jr_new(run->alloc, ves_jw_view(jw));
    ves_jw_free(jw);
    if (!status && !*out)
        status = ves_fail(run->error, VES_REFUSED, "%s: not JSON", path);
    return status;
}

static enum ves_status learn_identity(struct ves_bench_run *run)
{
    struct ves_bench_server *server = &run->server;
    struct ves_jr *jr;
    enum ves_status status =
        ask(run, "GET", "/api/v1/ves/sequencer-keys", ves_bytes(NULL, 0), &jr);
    if (status)
        return status;
    if (ves_uuid_parse(ves_bytes_str(ves_jr_str(jr, "/sequencerId")),
                       &server->sequencer_id) ||
        ves_hex_decode(ves_bytes_str(ves_jr_str(jr, "/keys/0/publicKey")),
                       server->sequencer_key.b, VES_KEY_SIZE))
        status = ves_fail(run->error, VES_REFUSED,
                          "the server does not name its key");
    ves_jr_free(jr);
    return status;
}

static enum ves_status register_agents(struct ves_bench_run *run)
{
    struct ves_bench_source *source = &run->source;
    enum ves_status status = VES_OK;
    char tenant[VES_UUID_TEXT + 1], agent[VES_UUID_TEXT + 1];
    char key[2 * VES_KEY_SIZE + 1], body[BODY_MAX];
    ves_uuid_format(&source->stream.tenant, tenant);
    for (size_t i = 0; !status && i < VES_BENCH_AGENTS; i++) {
        struct ves_jr *jr;
        ves_uuid_format(&source->agents[i].id, agent);
        ves_hex_encode(source->agents[i].key.b, VES_KEY_SIZE, key);
        key[2 * VES_KEY_SIZE] = '\0';
        snprintf(body, sizeof(body),
                 "{\"tenantId\":\"%s\",\"agentId\":\"%s\",\"keyId\":1,"
                 "\"publicKey\":\"%s\"}",
                 tenant, agent, key);
        status =
            ask(run, "POST", "/api/v1/agents/keys", ves_bytes_str(body), &jr);
        ves_jr_free(jr);
    }
    return status;
}

static enum ves_status read_credential(struct ves_bench_run *run)
{
    struct ves_bench_server *server = &run->server;
    char *text;
    enum ves_status status =
        ves_credential_file_read(server->admin_key_file, &text, run->error);
    if (status)
        return status;
    snprintf(server->credential, sizeof(server->credential), "%s", text);
    ves_secret_free(text);
    return VES_OK;
}

enum ves_status ves_bench_server_start(struct ves_bench_run *run)
{
    struct ves_bench_server *server = &run->server;
    char port_file[VES_BENCH_PATH_MAX];
    if (server->pid)
        return VES_OK;
    file_path(run, ".db", server->db);
    file_path(run, ".port", port_file);
    snprintf(server->admin_key_file, sizeof(server->admin_key_file),
             "%s.admin-key", server->db);
    enum ves_status status =
        run->options->store ? ves_bench_database(run) : VES_OK;
    if (!status)
        status = spawn(run, port_file);
    if (!status)
        status = read_port(run, port_file);
    if (!status)
        status = read_credential(run);
    if (!status)
        status = learn_identity(run);
    if (!status)
        status = register_agents(run);
    return status;
}

void ves_bench_server_stop(struct ves_bench_server *server)
{
    if (!server->pid)
        return;
    kill(server->pid, SIGTERM);
    for (int i = 0; i < WAIT_STEPS; i++) {
        if (waitpid(server->pid, NULL, WNOHANG) != 0) {
            server->pid = 0;
            return;
        }
        nap();
    }
    kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void ves_bench_server_memory(const struct ves_bench_server *server, double *now,
                             double *most)
{
    char path[64], line[256];
    *now = *most = 0;
    snprintf(path, sizeof(path), "/proc/%ld/status", (long)server->pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            *now = strtod(line + 6, NULL) / 1024;
        else if (strncmp(line, "VmHWM:", 6) == 0)
            *most = strtod(line + 6, NULL) / 1024;
    }
    if (file)
        fclose(file);
}

double ves_bench_server_cpu(const struct ves_bench_server *server)
{
    struct ves_bench_process seen;

    return ves_bench_process(server->pid, &seen) ? seen.own_s : 0;
}
