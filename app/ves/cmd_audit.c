/* cmd_audit.c -- ves audit: a store checked from its first event on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "anchors.h"
#include "audit_picture.h"
#include "ves/audit.h"

enum { LISTED = 20, CREDENTIAL_MAX = 4096, DOCUMENT_MAX = 64 * 1024 * 1024 };

static const struct cli_option options[] = {
    {"sequencer", "URL", "instead of FILE: a sequencer's stream and log"},
    {"tiles", "DIR", "instead of FILE: checkpoint and tiles in a folder"},
    {"stream", "TENANT/STORE", "the stream of --sequencer"},
    {"credential-file", "FILE", "an API key that may read it, mode 0600"},
    {"sequencer-key", "KEY", "the sequencer's first receipt key"},
    {"owner-key", "KEY", "its stream's owner: agents' keys by the log"},
    {"agent-key", "AGENT/ID/KEY", "of --tiles: who may have signed (rep.)"},
    {"ca", "FILE", "trust this certificate authority, PEM"},
    {"policy", "FILE", "logs and witnesses you believe (tlog-policy)"},
    {"report", "FILE", "write the report there as JSON, too"},
    {"picture", "FILE", "draw the log there, as SVG"},
    {"head", "SIZE:ROOT", "a head of the log you know (repeatable)"},
    {"known", "FILE", "a checkpoint, a store, a head file you have (rep.)"},
    {"resume", "FILE", "keep there how far it came; go on from there"},
    {"threads", "N", "threads that verify (default: one per core)"},
    {"work", "DIR", "where the copy is made (default /var/tmp)"},
    {"json", NULL, "one JSON document on standard output"},
    {NULL, NULL, NULL}};

static void print_checks(struct ves_jr *jr)
{
    size_t count = ves_jr_count(jr, "/checks");

    for (size_t i = 0; i < count; i++) {
        const char *finding = ves_jr_str(jr, "/checks/%zu/finding", i);
        const char *colour = strcmp(finding, "PROVEN") == 0   ? cli_green()
                             : strcmp(finding, "FAILED") == 0 ? cli_red()
                                                              : cli_bold();
        printf("%s%-10s%s  %s: %s\n", colour, finding, cli_plain(),
               ves_jr_str(jr, "/checks/%zu/name", i),
               cli_str(jr, "/checks/%zu/text", i));
    }
}

static void print_findings(struct ves_jr *jr)
{
    size_t count = ves_jr_count(jr, "/findings");
    uint64_t total = ves_jr_u64(jr, "/findingsTotal");

    for (size_t i = 0; i < count && i < LISTED; i++) {
        if (ves_jr_u64(jr, "/findings/%zu/sequenceNumber", i) > 0)
            printf("  number %llu, %s: %s\n",
                   (unsigned long long)ves_jr_u64(
                       jr, "/findings/%zu/sequenceNumber", i),
                   ves_jr_str(jr, "/findings/%zu/check", i),
                   cli_str(jr, "/findings/%zu/text", i));
        else
            printf("  %s: %s\n", ves_jr_str(jr, "/findings/%zu/check", i),
                   cli_str(jr, "/findings/%zu/text", i));
    }
    if (total > LISTED)
        printf("  and %llu more%s\n", (unsigned long long)(total - LISTED),
               count > LISTED ? " (--report FILE lists them)" : "");
}

static void print_agent(struct ves_jr *jr, size_t stream, size_t agent)
{
    size_t holes =
        ves_jr_count(jr, "/streams/%zu/agents/%zu/missing", stream, agent);

    printf("  agent %s: %llu events",
           cli_str(jr, "/streams/%zu/agents/%zu/agentId", stream, agent),
           (unsigned long long)ves_jr_u64(jr, "/streams/%zu/agents/%zu/events",
                                          stream, agent));
    for (size_t h = 0; h < holes && h < LISTED; h++) {
        unsigned long long from = (unsigned long long)ves_jr_u64(
            jr, "/streams/%zu/agents/%zu/missing/%zu/from", stream, agent, h);
        unsigned long long to = (unsigned long long)ves_jr_u64(
            jr, "/streams/%zu/agents/%zu/missing/%zu/to", stream, agent, h);
        printf(h == 0 ? "; not in the log, of its own numbers: " : ", ");
        if (from == to)
            printf("%llu", from);
        else
            printf("%llu-%llu", from, to);
    }
    puts(holes > LISTED ? " ..." : "");
}

static void print_text(struct ves_jr *jr)
{
    size_t streams = ves_jr_count(jr, "/streams");
    size_t limits = ves_jr_count(jr, "/cannotBeProven");

    print_checks(jr);
    print_findings(jr);
    for (size_t i = 0; i < streams; i++) {
        size_t agents = ves_jr_count(jr, "/streams/%zu/agents", i);
        printf("stream %s %s: %llu events, root %s\n",
               cli_str(jr, "/streams/%zu/tenantId", i),
               cli_str(jr, "/streams/%zu/storeId", i),
               (unsigned long long)ves_jr_u64(jr, "/streams/%zu/events", i),
               cli_str(jr, "/streams/%zu/rootHash", i));
        for (size_t a = 0; a < agents && a < LISTED; a++)
            print_agent(jr, i, a);
        if (agents > LISTED)
            printf("  and %zu agents more\n", agents - LISTED);
    }
    for (size_t i = 0; i < limits; i++)
        printf("no audit can prove %s\n",
               ves_jr_str(jr, "/cannotBeProven/%zu", i));
    printf("%s: %s; %llu signatures in %.1f s\n", cli_str(jr, "/path"),
           strcmp(ves_jr_str(jr, "/verdict"), "SOUND") == 0 ? "sound"
           : strcmp(ves_jr_str(jr, "/verdict"), "WRONG") == 0
               ? "wrong: do not rely on it"
               : "nothing wrong, but not everything could be checked",
           (unsigned long long)ves_jr_u64(jr, "/signatures"),
           (double)ves_jr_u64(jr, "/milliseconds") / 1000);
}

static FILE *create(const struct cli *cli, const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file)
        fprintf(stderr, "ves %s: cannot write %s: %s\n", cli->command->name,
                cli_clean(path), strerror(errno));
    return file;
}

static bool finish(const struct cli *cli, FILE *file, const char *path)
{
    bool is_bad = ferror(file) != 0;

    if (fclose(file) == 0 && !is_bad)
        return true;
    fprintf(stderr, "ves %s: cannot write %s\n", cli->command->name,
            cli_clean(path));
    return false;
}

/* Report and picture, as far as they are wanted. */
static bool write_files(const struct cli *cli, const struct ves_jw *jw,
                        struct ves_jr *jr)
{
    const char *report = cli_get(cli, "report");
    const char *picture = cli_get(cli, "picture");
    bool is_fine = true;

    if (report) {
        FILE *file = create(cli, report);
        struct ves_bytes doc = ves_jw_view(jw);
        if (file) {
            fwrite(doc.ptr, 1, doc.len, file);
            fputc('\n', file);
        }
        is_fine = file && finish(cli, file, report);
    }
    if (picture) {
        FILE *file = create(cli, picture);
        if (file)
            audit_picture(file, jr);
        is_fine &= file && finish(cli, file, picture);
    }
    return is_fine;
}

/* One of a file, a folder and a sequencer, with what that needs. */
static void check_use(const struct cli *cli, const struct cli_anchors *anchors)
{
    bool is_remote = cli_get(cli, "sequencer") != NULL;

    if (cli->argc + (cli_get(cli, "tiles") != NULL) + is_remote != 1)
        cli_usage(cli, "audit takes one of FILE, --tiles DIR and --sequencer "
                       "URL");
    if (!is_remote && anchors->anchors.owner_key)
        cli_usage(cli, "--owner-key goes with --sequencer: a store knows its "
                       "owner");
    if (is_remote &&
        (!anchors->anchors.stream || !cli_get(cli, "credential-file") ||
         anchors->anchors.sequencer_key_count == 0))
        cli_usage(cli, "--sequencer needs --stream TENANT/STORE, "
                       "--credential-file FILE and --sequencer-key KEY");
}

/* The first line of --credential-file; NULL without one. */
static char *read_credential(struct cli *cli)
{
    const char *path = cli_get(cli, "credential-file");
    struct stat st;
    size_t len;

    if (!path)
        return NULL;
    if (stat(path, &st) || (st.st_mode & (S_IRWXG | S_IRWXO)))
        cli_usage(cli,
                  "--credential-file: %s is not there or is open to "
                  "others; run: chmod 600",
                  path);
    char *text = cli_read_file(cli, path, CREDENTIAL_MAX, &len);
    if (!text)
        cli_usage(cli, "--credential-file: %s", cli->error.text);
    text[strcspn(text, "\r\n")] = '\0';
    return text;
}

static void wipe(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static int run(struct cli *cli)
{
    static struct cli_anchors anchors;
    enum ves_audit_verdict verdict;

    cli->is_json = cli_get(cli, "json") != NULL;
    anchors.takes_files = true;
    cli_anchors_heads(cli, &anchors);
    cli_anchors_log(cli, &anchors);
    check_use(cli, &anchors);
    char *credential = read_credential(cli);
    const struct ves_audit_options audit = {
        .path = cli->argc > 0 ? cli->argv[0] : NULL,
        .tiles_dir = cli_get(cli, "tiles"),
        .url = cli_get(cli, "sequencer"),
        .credential = credential,
        .tls_ca = cli_get(cli, "ca"),
        .stream = anchors.anchors.stream,
        .sequencer_key = anchors.anchors.sequencer_key_count > 0
                             ? anchors.sequencer_keys
                             : NULL,
        .owner_key = anchors.anchors.owner_key,
        .policy = anchors.anchors.policy,
        .agents = anchors.anchors.agents,
        .agent_count = anchors.anchors.agent_count,
        .work_dir = cli_get(cli, "work") ? cli_get(cli, "work") : "/var/tmp",
        .threads = (unsigned)cli_number(cli, "threads", 1, 64, 0),
        .resume_path = cli_get(cli, "resume"),
        .heads = anchors.heads,
        .head_count = anchors.anchors.head_count,
        .known = anchors.files,
        .known_count = anchors.file_count,
        .progress = cli_progress,
        .progress_ctx = cli};
    struct ves_jw *jw = ves_jw_new(ves_alloc_default(), DOCUMENT_MAX);
    if (!jw)
        return cli_fail_here(cli, VES_NOMEM);
    cli_catch_signals();
    enum ves_status status = ves_audit_run(&audit, jw, &verdict, &cli->error);
    cli_progress_end(cli);
    cli_anchors_free(&anchors);
    wipe(credential);
    if (status) {
        ves_jw_free(jw);
        return status == VES_AGAIN ? (cli_fail(cli, status), CLI_PARTIAL)
                                   : cli_fail_here(cli, status);
    }
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    int code = jr && write_files(cli, jw, jr) ? (int)verdict : CLI_FAILED;
    if (cli->is_json) {
        ves_jr_free(jr);
        return cli_print(jw) ? CLI_FAILED : code;
    }
    if (jr)
        print_text(jr);
    ves_jr_free(jr);
    ves_jw_free(jw);
    return fflush(stdout) || ferror(stdout) ? CLI_FAILED : code;
}

const struct cli_command cli_cmd_audit = {
    .name = "audit",
    .args = "[FILE]",
    .summary = "check a store from its first event on",
    .args_max = 1,
    .options = options,
    .run = run,
};
