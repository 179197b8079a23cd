/* cli.h -- what the subcommands of ves share: options, output, exit codes. */
#ifndef VES_APP_CLI_H
#define VES_APP_CLI_H

#include <stdio.h>

#include "ves/agent.h"
#include "ves/sync.h"

/* ves(1) EXIT STATUS. */
enum cli_exit {
    CLI_DONE = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_PARTIAL = 3,     /* some events failed or conflict */
    CLI_UNREACHABLE = 4, /* no answer from the sequencer */
    CLI_REFUSED = 5      /* the sequencer said no, or said something false */
};

enum { CLI_OPTIONS_MAX = 48, CLI_GIVEN_MAX = 256 };

struct cli_option {
    const char *name; /* without dashes; NULL ends a table */
    const char *arg;  /* "N", "FILE" ...; NULL for a flag */
    const char *help;
};

struct cli;

struct cli_command {
    const char *name;
    const char *args; /* synopsis of the positional arguments, "" for none */
    const char *summary;
    int args_min, args_max;           /* args_max -1: any number */
    bool is_store;                    /* takes --db and --json */
    const struct cli_option *options; /* may be NULL */
    const char *note; /* below the options of --help; NULL: nothing */
    int (*run)(struct cli *cli);
};

/* One invocation. */
struct cli {
    const struct cli_command *command;
    const char *values[CLI_OPTIONS_MAX]; /* by place in the option table */
    /* All that were given, in order: for options that may be repeated. */
    struct {
        const char *name, *value;
    } given[CLI_GIVEN_MAX];
    size_t given_count;
    const char *db; /* store commands only */
    bool is_json;
    bool is_terminal; /* standard error is one: progress and colours */
    int argc;         /* positional arguments */
    char **argv;
    struct ves_error error;
    bool shows_progress;
};

/* The value of an option of this command: NULL when it was not given, "" for
 * a flag that was. */
const char *cli_get(const struct cli *cli, const char *name);

/* The next value of an option that may be repeated; *at is 0 at first.  NULL
 * when there is no other. */
const char *cli_next(const struct cli *cli, const char *name, size_t *at);

/* The value as a whole number; fallback when not given.  Ends the program
 * with CLI_USAGE when it is no number in [min, max]. */
uint64_t cli_number(const struct cli *cli, const char *name, uint64_t min,
                    uint64_t max, uint64_t fallback);

/* The value as one of some words, NULL ends them; NULL when not given.  Ends
 * the program with CLI_USAGE when it is none of them. */
const char *cli_word(const struct cli *cli, const char *name,
                     const char *const *words);

/* "usage: ves ...", on two lines where one is too long. */
void cli_print_usage(FILE *out, const struct cli_command *command);
/* Ends the program with CLI_USAGE and a line on standard error. */
_Noreturn void cli_usage(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints cli->error (as JSON on standard error with --json) and returns the
 * exit code that goes with status. */
int cli_fail(struct cli *cli, enum ves_status status);
/* The same where no sequencer had a part in it: what was refused was refused
 * here, and CLI_REFUSED would be misleading. */
int cli_fail_here(struct cli *cli, enum ves_status status);
int cli_exit_code(enum ves_status status);

/* Opens the store of --db; CLI_DONE or the exit code to leave with. */
int cli_open(struct cli *cli, bool is_read_only, struct ves_agent **agent);

/* Fills options for the store of --db: path and passphrase. */
void cli_store_options(struct cli *cli, struct ves_agent_options *options);

/* Bytes of the character at text, which has left bytes.  Not safe: somebody
 * might obey it instead of showing it (controls, line and paragraph
 * separators, writing directions, what is not seen at all). */
size_t cli_character(const char *text, size_t left, bool *is_safe);

/* Text of others may hold what a terminal would obey: escape sequences, line
 * ends, a change of writing direction.  Returns text with all of that spelt
 * out as \u001b, text itself when there is none; never freed. */
const char *cli_clean(const char *text);
/* ves_jr_str, cleaned: for everything that is printed for people. */
const char *cli_str(struct ves_jr *jr, const char *pointer, ...)
    __attribute__((format(printf, 2, 3)));

/* A JSON writer, or the program ends: memory is not to be had. */
struct ves_jw *cli_writer(void);
/* Prints a document and a line end; frees it.  CLI_DONE or CLI_FAILED. */
int cli_print(struct ves_jw *jw);

/* Prints a document of the library's for people: cleaned, a member a line. */
void cli_print_indented(const char *json);
/* The same as cli_print on standard error. */
void cli_print_error(struct ves_jw *jw);

/* Reads an argument that may be "@FILE" or "-" (standard input) into memory
 * that the caller frees, NUL-terminated; NULL with cli->error. */
char *cli_read_argument(struct cli *cli, const char *argument, size_t max,
                        size_t *len);
/* The same for a file's name, or "-". */
char *cli_read_file(struct cli *cli, const char *path, size_t max, size_t *len);
bool cli_is_uuid(const char *text);
/* Parses a UUID or ends the program with CLI_USAGE. */
void cli_uuid(const struct cli *cli, const char *text, struct ves_uuid *out);

/* A ves_progress: a bar on standard error when that is a terminal; stops when
 * Ctrl-C was pressed. */
bool cli_progress(void *cli, const char *what, uint64_t done, uint64_t total);
/* Takes the bar away. */
void cli_progress_end(struct cli *cli);
/* Was SIGINT or SIGTERM received? */
bool cli_is_stopped(void);
/* From here on SIGINT and SIGTERM only set that flag. */
void cli_catch_signals(void);

/* From here on SIGHUP only sets a flag, which taking it clears. */
void cli_catch_hangup(void);
bool cli_take_hangup(void);

/* Escape sequences when standard output is a terminal, else "". */
const char *cli_bold(void);
const char *cli_red(void);
const char *cli_green(void);
const char *cli_plain(void);

/* Writes a UUID's text into a buffer of the caller's. */
const char *cli_uuid_text(const struct ves_uuid *uuid,
                          char out[VES_UUID_TEXT + 1]);

/* ves keys rotate; an exit code. */
int cli_keys_rotate(struct cli *cli);

/* ves admin rules ...; an exit code. */
int cli_admin_rules(struct cli *cli);
/* What administrators did, offline. */
int cli_admin_trail(struct cli *cli);
/* cmd_policy.c: ves admin policy */
int cli_admin_policy(struct cli *cli);

extern const struct cli_command cli_cmd_init, cli_cmd_append, cli_cmd_import,
    cli_cmd_push, cli_cmd_pull, cli_cmd_ack, cli_cmd_sync, cli_cmd_retry,
    cli_cmd_status, cli_cmd_outbox, cli_cmd_show, cli_cmd_log, cli_cmd_trail,
    cli_cmd_entity, cli_cmd_keys, cli_cmd_settings, cli_cmd_quarantine,
    cli_cmd_doctor, cli_cmd_why, cli_cmd_backup, cli_cmd_prune, cli_cmd_serve,
    cli_cmd_admin, cli_cmd_bench, cli_cmd_mcp, cli_cmd_conflicts,
    cli_cmd_conflict, cli_cmd_resolve, cli_cmd_verify, cli_cmd_witness,
    cli_cmd_witnesses, cli_cmd_audit, cli_cmd_prove, cli_cmd_fetch,
    cli_cmd_epoch;

#endif
