/* cmd_verify.c -- ves verify: bundles, proofs and evidence, offline. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "anchors.h"

enum { FILE_MAX = 256 * 1024 * 1024, ENTRY_MAX = 1024 };

static const struct cli_option options[] = {
    CLI_ANCHOR_OPTIONS,
    {"entry", "FILE", "the entry a .tlog-proof is about, 147 bytes"},
    {"evidence", "FILE", "where to write evidence of a fork"},
    {"json", NULL, "one JSON document on standard output"},
    {NULL, NULL, NULL}};

static const char *verdict_name(enum ves_verify_verdict verdict)
{
    switch (verdict) {
    case VES_VERIFY_PROVEN:
        return "PROVEN";
    case VES_VERIFY_BELOW_POLICY:
        return "BELOW_POLICY";
    case VES_VERIFY_CONTRADICTION:
        return "CONTRADICTION";
    case VES_VERIFY_INVALID:
        return "INVALID";
    }
    return "INVALID";
}

static const char *verdict_words(enum ves_verify_verdict verdict)
{
    switch (verdict) {
    case VES_VERIFY_PROVEN:
        return "proven under your policy";
    case VES_VERIFY_BELOW_POLICY:
        return "valid, but less than you asked for";
    case VES_VERIFY_CONTRADICTION:
        return "contradicts a head you know: the log showed two histories";
    case VES_VERIFY_INVALID:
        return "not valid: do not rely on it";
    }
    return "not valid: do not rely on it";
}

static void print_json(const struct ves_verify_report *report, const char *path,
                       const char *evidence, struct ves_jw *jw)
{
    ves_jw_object(jw);
    ves_jw_key(jw, "file");
    ves_jw_str(jw, path);
    ves_jw_key(jw, "format");
    ves_jw_str(jw, report->format);
    ves_jw_key(jw, "verdict");
    ves_jw_str(jw, verdict_name(report->verdict));
    ves_jw_key(jw, "exitCode");
    ves_jw_u64(jw, (uint64_t)report->verdict);
    ves_jw_key(jw, "properties");
    ves_jw_array(jw);
    for (size_t i = 0; i < report->count; i++) {
        ves_jw_object(jw);
        ves_jw_key(jw, "name");
        ves_jw_str(jw, report->properties[i].name);
        ves_jw_key(jw, "finding");
        ves_jw_str(jw, ves_verify_finding_name(report->properties[i].finding));
        ves_jw_key(jw, "text");
        ves_jw_str(jw, report->properties[i].text);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    ves_jw_key(jw, "cannotBeProven");
    ves_jw_array(jw);
    for (size_t i = 0; i < report->unprovable_count; i++)
        ves_jw_str(jw, report->unprovable[i]);
    ves_jw_end(jw);
    ves_jw_key(jw, "events");
    ves_jw_u64(jw, report->events);
    if (report->origin[0]) {
        ves_jw_key(jw, "origin");
        ves_jw_str(jw, report->origin);
        ves_jw_key(jw, "treeSize");
        ves_jw_u64(jw, report->head.size);
        ves_jw_key(jw, "rootHash");
        ves_jw_hex(jw, "0x", report->head.root.b, VES_HASH_SIZE);
    }
    if (report->witnessed_at > 0) {
        ves_jw_key(jw, "witnessedAt");
        ves_jw_time(jw, (int64_t)report->witnessed_at * 1000);
    }
    if (evidence) {
        ves_jw_key(jw, "evidence");
        ves_jw_str(jw, evidence);
    }
    ves_jw_end(jw);
}

static void print_text(const struct ves_verify_report *report, const char *path,
                       const char *evidence)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct ves_verify_property *line = &report->properties[i];
        const char *colour = line->finding == VES_FINDING_PROVEN   ? cli_green()
                             : line->finding == VES_FINDING_FAILED ? cli_red()
                                                                   : cli_bold();
        printf("%s%-10s%s  %s: %s\n", colour,
               ves_verify_finding_name(line->finding), cli_plain(), line->name,
               cli_clean(line->text));
    }
    for (size_t i = 0; i < report->unprovable_count; i++)
        printf("no file can prove %s\n", report->unprovable[i]);
    if (evidence)
        printf("evidence of two histories written to %s\n",
               cli_clean(evidence));
    printf("%s: %s (%s)\n", cli_clean(path), verdict_words(report->verdict),
           report->format);
}

/* The evidence file: both signed checkpoints. */
static char *fork_text(const char *known, const char *shown)
{
    static const char head[] = "ves-evidence@v1\nkind fork\n\n";
    size_t size = sizeof(head) + strlen(known) + strlen(shown) + 1;
    char *text = malloc(size);

    if (text)
        snprintf(text, size, "%s%s\n%s", head, known, shown);
    return text;
}

static bool save(struct cli *cli, const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    size_t len = strlen(text), done = 0;

    while (fd >= 0 && done < len) {
        ssize_t n = write(fd, text + done, len - done);
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    bool is_saved = fd >= 0 && done == len && fsync(fd) == 0;
    if (!is_saved)
        snprintf(cli->error.text, sizeof(cli->error.text),
                 "the evidence could not be written to %.300s: %s (--evidence "
                 "FILE names another place)",
                 path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return is_saved;
}

/* When the file's checkpoint contradicts one of --known, both together are
 * evidence, provided that the log signed both; path is then written. */
static bool save_fork(struct cli *cli, const struct cli_anchors *anchors,
                      const char *file, const struct ves_verify_report *report,
                      const char *path, bool *is_written)
{
    const char *shown = cli_anchors_note(file);
    static struct ves_verify_report proof;
    bool is_fine = true;

    *is_written = false;
    for (size_t i = 0; shown && i < anchors->anchors.head_count; i++) {
        const struct ves_verify_head *head = &anchors->heads[i];
        if (!anchors->notes[i] || head->size != report->head.size ||
            memcmp(head->root.b, report->head.root.b, VES_HASH_SIZE) == 0)
            continue;
        char *text = fork_text(anchors->notes[i], shown);
        const struct ves_bytes none = {NULL, 0};
        struct ves_bytes bytes = {(const uint8_t *)text,
                                  text ? strlen(text) : 0};
        if (text &&
            ves_verify(NULL, bytes, none, &anchors->anchors, &proof, NULL) ==
                VES_OK &&
            proof.verdict == VES_VERIFY_PROVEN) {
            is_fine = *is_written = save(cli, path, text);
            shown = NULL;
        }
        free(text);
    }
    return is_fine;
}

static int report_on(struct cli *cli, const struct cli_anchors *anchors,
                     struct ves_bytes file, struct ves_bytes entry)
{
    static struct ves_verify_report report;
    char path[4096];
    bool is_written = false;

    enum ves_status status =
        ves_verify(NULL, file, entry, &anchors->anchors, &report, &cli->error);
    if (status == VES_INVALID)
        cli_usage(cli, "--policy: %s", cli->error.text);
    if (status)
        return cli_fail_here(cli, status);
    snprintf(path, sizeof(path), "%s.ves-evidence",
             strcmp(cli->argv[0], "-") == 0 ? "stdin" : cli->argv[0]);
    const char *evidence =
        cli_get(cli, "evidence") ? cli_get(cli, "evidence") : path;
    if (report.verdict == VES_VERIFY_CONTRADICTION &&
        !save_fork(cli, anchors, (const char *)file.ptr, &report, evidence,
                   &is_written))
        fprintf(stderr, "ves verify: %s\n", cli_clean(cli->error.text));
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        print_json(&report, cli->argv[0], is_written ? evidence : NULL, jw);
        if (cli_print(jw))
            return CLI_FAILED;
    } else {
        print_text(&report, cli->argv[0], is_written ? evidence : NULL);
        if (fflush(stdout) || ferror(stdout))
            return CLI_FAILED;
    }
    return (int)report.verdict;
}

static int run(struct cli *cli)
{
    static struct cli_anchors anchors;
    const char *entry_path = cli_get(cli, "entry");
    size_t len, entry_len = 0;
    char *entry = NULL;

    cli->is_json = cli_get(cli, "json") != NULL;
    cli_anchors_read(cli, &anchors);
    if (entry_path) {
        entry = cli_read_file(cli, entry_path, ENTRY_MAX, &entry_len);
        if (!entry)
            cli_usage(cli, "--entry: %s", cli->error.text);
        if (entry_len == 0)
            cli_usage(cli, "--entry: %s is empty", entry_path);
    }
    char *file = cli_read_file(cli, cli->argv[0], FILE_MAX, &len);
    int code;
    if (file) {
        const struct ves_bytes bytes = {(const uint8_t *)file, len};
        const struct ves_bytes about = {(const uint8_t *)entry, entry_len};
        code = report_on(cli, &anchors, bytes, about);
    } else {
        code = cli_fail_here(cli, VES_IO);
    }
    free(file);
    free(entry);
    cli_anchors_free(&anchors);
    return code;
}

const struct cli_command cli_cmd_verify = {
    .name = "verify",
    .args = "FILE",
    .summary = "check a bundle, a proof or evidence, offline",
    .args_min = 1,
    .args_max = 1,
    .options = options,
    .run = run,
};
