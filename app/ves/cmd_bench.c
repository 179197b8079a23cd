/* cmd_bench.c -- ves bench: this machine and VES on it, as ratios. */
#include "ves/bench.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct cli_option options[] = {
    {"quick", NULL, "one short round of each (under 20 seconds)"},
    {"million", NULL, "also a million events in one stream (minutes)"},
    {"only", "PART", "ingest, pull, append or million"},
    {"store", "URL",
     "with --only ingest: an empty database, postgres://USER@HOST/DATABASE"},
    {"dir", "DIR", "where the files go: the disk to measure (/var/tmp)"},
    {"json", NULL, "one JSON document on standard output"},
    {NULL, NULL, NULL}};

static unsigned parts_of(const struct cli *cli)
{
    static const struct {
        const char *name;
        unsigned part;
    } known[] = {{"ingest", VES_BENCH_INGEST},
                 {"pull", VES_BENCH_PULL},
                 {"append", VES_BENCH_APPEND},
                 {"million", VES_BENCH_MILLION}};
    const char *only = cli_get(cli, "only");
    unsigned parts = VES_BENCH_INGEST | VES_BENCH_PULL | VES_BENCH_APPEND;

    if (!only)
        return cli_get(cli, "million") ? parts | VES_BENCH_MILLION : parts;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(only, known[i].name) == 0)
            return known[i].part;
    cli_usage(cli, "--only takes ingest, pull, append or million");
}

/* ---- for people ----------------------------------------------------------
 */

static void print_machine(const struct ves_bench_report *report)
{
    const struct ves_bench_machine *machine = &report->machine;

    printf("%s, %u core%s, %llu MB\n", machine->processor, machine->cores,
           machine->cores == 1 ? "" : "s",
           (unsigned long long)machine->memory_mb);
    printf("%s; %s; SQLite %s\n", machine->kernel, machine->compiler,
           machine->sqlite);
    printf("files on %s%s: 4 KiB appended and flushed in %.0f us (median)\n",
           machine->filesystem, machine->is_in_memory ? " (in memory!)" : "",
           report->fsync_us);
    printf("load average %.2f before, %.2f after; %.0f s\n",
           machine->load_before, machine->load_after, report->seconds);
    printf("one core, all busy: verify %.1f us, sign %.1f us\n",
           report->verify_us, report->sign_us);
    if (report->receipts_verified)
        printf("%.0f bytes an event; %llu receipts verified after the clock "
               "stopped, none wrong\n",
               report->event_bytes,
               (unsigned long long)report->receipts_verified);
}

static void print_figures(const struct ves_bench_report *report)
{
    printf("\n%-38s %10s %10s  %6s %7s  %s\n", "", "measured", "limit", "ratio",
           "target", "");
    for (size_t i = 0; i < report->count; i++) {
        const struct ves_bench_figure *figure = &report->figures[i];
        printf("%-38s %10.*f %10.*f  %6.2f %s %4.2f  %s%s%s\n", figure->name,
               figure->figure < 100 ? 1 : 0, figure->figure,
               figure->limit < 100 ? 1 : 0, figure->limit, figure->ratio,
               figure->is_ceiling ? "<=" : ">=", figure->target,
               figure->is_met ? cli_green() : cli_red(),
               figure->is_met ? "met" : "MISSED", cli_plain());
        printf("    %s; limit: %s%s%s\n", figure->unit, figure->limit_name,
               figure->note[0] ? "; " : "", figure->note);
    }
}

/* ---- for programs --------------------------------------------------------
 */

static void put_text(struct ves_jw *jw, const char *name, const char *text)
{
    ves_jw_key(jw, name);
    ves_jw_str(jw, text);
}

static void put_number(struct ves_jw *jw, const char *name, double number)
{
    ves_jw_key(jw, name);
    ves_jw_double(jw, number);
}

static void put_machine(struct ves_jw *jw,
                        const struct ves_bench_machine *machine)
{
    ves_jw_key(jw, "machine");
    ves_jw_object(jw);
    put_text(jw, "processor", machine->processor);
    put_number(jw, "cores", machine->cores);
    put_number(jw, "memoryMB", (double)machine->memory_mb);
    put_text(jw, "kernel", machine->kernel);
    put_text(jw, "filesystem", machine->filesystem);
    put_text(jw, "compiler", machine->compiler);
    put_text(jw, "sqlite", machine->sqlite);
    put_number(jw, "loadBefore", machine->load_before);
    put_number(jw, "loadAfter", machine->load_after);
    ves_jw_end(jw);
}

static void put_figure(struct ves_jw *jw, const struct ves_bench_figure *figure)
{
    ves_jw_object(jw);
    put_text(jw, "name", figure->name);
    put_text(jw, "unit", figure->unit);
    put_number(jw, "measured", figure->figure);
    put_number(jw, "limit", figure->limit);
    put_text(jw, "limitName", figure->limit_name);
    put_number(jw, "ratio", figure->ratio);
    put_number(jw, figure->is_ceiling ? "targetAtMost" : "targetAtLeast",
               figure->target);
    ves_jw_key(jw, "met");
    ves_jw_bool(jw, figure->is_met);
    put_text(jw, "note", figure->note);
    ves_jw_end(jw);
}

static int print_json(const struct ves_bench_report *report)
{
    struct ves_jw *jw = cli_writer();

    ves_jw_object(jw);
    put_machine(jw, &report->machine);
    put_number(jw, "verifyMicroseconds", report->verify_us);
    put_number(jw, "signMicroseconds", report->sign_us);
    put_number(jw, "fsyncMicroseconds", report->fsync_us);
    put_number(jw, "eventBytes", report->event_bytes);
    put_number(jw, "receiptsVerified", (double)report->receipts_verified);
    put_number(jw, "seconds", report->seconds);
    ves_jw_key(jw, "figures");
    ves_jw_array(jw);
    for (size_t i = 0; i < report->count; i++)
        put_figure(jw, &report->figures[i]);
    ves_jw_end(jw);
    ves_jw_end(jw);
    return cli_print(jw);
}

static int run(struct cli *cli)
{
    struct ves_bench_report *report = calloc(1, sizeof(*report));
    const struct ves_bench_options bench = {
        .folder = cli_get(cli, "dir") ? cli_get(cli, "dir") : "/var/tmp",
        .store = cli_get(cli, "store"),
        .parts = parts_of(cli),
        .is_quick = cli_get(cli, "quick") != NULL,
        .progress = cli_progress,
        .progress_ctx = cli,
    };

    cli->is_json = cli_get(cli, "json") != NULL;
    if (bench.store && bench.parts != VES_BENCH_INGEST)
        cli_usage(cli, "--store goes with --only ingest");
    if (!report)
        return CLI_FAILED;
    cli_catch_signals();
    enum ves_status status = ves_bench(&bench, report, &cli->error);
    cli_progress_end(cli);
    if (status) {
        free(report);
        (void)cli_fail(cli, status);
        return CLI_FAILED;
    }
    int code = CLI_DONE;
    if (cli->is_json) {
        code = print_json(report);
    } else {
        print_machine(report);
        print_figures(report);
    }
    free(report);
    return code;
}

const struct cli_command cli_cmd_bench = {
    .name = "bench",
    .args = "",
    .summary = "measure this machine and VES on it",
    .options = options,
    .run = run,
};
