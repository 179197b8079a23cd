/* main.c -- ves: one program, git-like subcommands. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"

static const struct cli_command *const commands[] = {
    &cli_cmd_init,      &cli_cmd_append,     &cli_cmd_import,
    &cli_cmd_push,      &cli_cmd_pull,       &cli_cmd_ack,
    &cli_cmd_sync,      &cli_cmd_retry,      &cli_cmd_status,
    &cli_cmd_outbox,    &cli_cmd_show,       &cli_cmd_log,
    &cli_cmd_trail,     &cli_cmd_entity,     &cli_cmd_keys,
    &cli_cmd_settings,  &cli_cmd_quarantine, &cli_cmd_doctor,
    &cli_cmd_why,       &cli_cmd_backup,     &cli_cmd_prune,
    &cli_cmd_serve,     &cli_cmd_admin,      &cli_cmd_bench,
    &cli_cmd_conflicts, &cli_cmd_conflict,   &cli_cmd_resolve,
    &cli_cmd_mcp,       &cli_cmd_prove,      &cli_cmd_audit,
    &cli_cmd_verify,    &cli_cmd_witness,    &cli_cmd_fetch,
    &cli_cmd_witnesses, &cli_cmd_epoch,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void print_help(FILE *out)
{
    fputs("usage: ves COMMAND [OPTIONS] [ARGUMENTS]\n\n"
          "A store that works offline, signs every change and syncs it.\n\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-11s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nThe store is --db FILE, else $VES_DB, else ./ves.db.\n"
          "Exit codes: 0 done, 1 failed, 2 usage, 3 done in part, 4 sequencer "
          "not reached,\n5 refused by it.\n"
          "ves COMMAND --help tells more; ves(1) tells all.\n",
          out);
}

/* Words beside an option, in as many lines as a narrow terminal needs. */
static void print_beside(const char *left, const char *words)
{
    enum { LEFT = 27, WIDTH = 79 - LEFT };

    printf("  %-24s ", left);
    while (strlen(words) > WIDTH) {
        size_t len = WIDTH;
        while (len > 0 && words[len] != ' ')
            len--;
        if (len == 0)
            len = strcspn(words, " ");
        printf("%.*s\n%*s", (int)len, words, LEFT, "");
        words += len + strspn(words + len, " ");
    }
    puts(words);
}

static void print_command_help(const struct cli_command *command)
{
    const struct cli_option *option = command->options;

    cli_print_usage(stdout, command);
    printf("\n%s\n\n", command->summary);
    for (; option && option->name; option++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", option->name,
                 option->arg ? " " : "", option->arg ? option->arg : "");
        print_beside(left, option->help);
    }
    if (command->is_store)
        puts("  --db FILE                the store (default $VES_DB, then "
             "./ves.db)\n"
             "  --json                   one JSON document on standard "
             "output");
    puts("  --help                   this text");
    if (command->note)
        printf("\n%s\n", command->note);
}

static size_t option_count(const struct cli_command *command)
{
    size_t n = 0;

    while (command->options && command->options[n].name)
        n++;
    /* A table that outgrew its values is our own mistake. */
    if (n > CLI_OPTIONS_MAX)
        abort();
    return n;
}

/* Values above every character getopt might return. */
enum { OPT_FIRST = 256, OPT_DB = 1000, OPT_JSON, OPT_HELP };

static void give(struct cli *cli, size_t place, const char *value)
{
    if (cli->given_count == CLI_GIVEN_MAX)
        cli_usage(cli, "more than %d options", CLI_GIVEN_MAX);
    cli->given[cli->given_count].name = cli->command->options[place].name;
    cli->given[cli->given_count++].value = value;
    cli->values[place] = value;
}

/* -o is short for --out, where a command has that. */
static size_t place_of_out(const struct cli *cli)
{
    size_t i = 0, n = option_count(cli->command);

    while (i < n && strcmp(cli->command->options[i].name, "out") != 0)
        i++;
    if (i == n)
        cli_usage(cli, "no such option: -o");
    return i;
}

static bool has_json(const struct cli_command *command)
{
    bool has = command->is_store;

    for (size_t i = 0; i < option_count(command); i++)
        has |= strcmp(command->options[i].name, "json") == 0;
    return has;
}

static void parse(struct cli *cli, int argc, char **argv)
{
    struct option longs[CLI_OPTIONS_MAX + 4] = {0};
    size_t n = option_count(cli->command);
    int opt;

    /* A table with more is our own mistake. */
    if (n > CLI_OPTIONS_MAX)
        abort();
    for (size_t i = 0; i < n; i++)
        longs[i] = (struct option){
            cli->command->options[i].name,
            cli->command->options[i].arg ? required_argument : no_argument,
            NULL, OPT_FIRST + (int)i};
    if (cli->command->is_store) {
        longs[n++] = (struct option){"db", required_argument, NULL, OPT_DB};
        longs[n++] = (struct option){"json", no_argument, NULL, OPT_JSON};
    }
    longs[n] = (struct option){"help", no_argument, NULL, OPT_HELP};

    /* Known before the first complaint. */
    for (int i = 1; i < argc && has_json(cli->command); i++)
        cli->is_json |= strcmp(argv[i], "--json") == 0;
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":ho:", longs, NULL)) != -1) {
        if (opt == OPT_DB)
            cli->db = optarg;
        else if (opt == OPT_JSON)
            cli->is_json = true;
        else if (opt == OPT_HELP || opt == 'h') {
            print_command_help(cli->command);
            exit(CLI_DONE);
        } else if (opt == ':')
            cli_usage(cli, "%s needs a value", argv[optind - 1]);
        else if (opt == '?')
            cli_usage(cli, "no such option: %s", argv[optind - 1]);
        else if (opt == 'o')
            give(cli, place_of_out(cli), optarg);
        else
            give(cli, (size_t)(opt - OPT_FIRST), optarg ? optarg : "");
    }
    cli->argc = argc - optind;
    cli->argv = argv + optind;
    if (cli->argc < cli->command->args_min)
        cli_usage(cli, "missing argument: %s", cli->command->args);
    if (cli->command->args_max >= 0 && cli->argc > cli->command->args_max)
        cli_usage(cli, "one argument too many: %s",
                  cli->argv[cli->command->args_max]);
}

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* Is one word the other with one letter changed, added, dropped or swapped? */
static bool is_near(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    if (!*a && !*b)
        return true;
    if (*a && *b && a[1] == b[0] && a[0] == b[1] && a[0] &&
        strcmp(a + 2, b + 2) == 0)
        return true;
    return (*a && *b && strcmp(a + 1, b + 1) == 0) ||
           (*a && strcmp(a + 1, b) == 0) || (*b && strcmp(a, b + 1) == 0);
}

static int unknown(const char *name)
{
    fprintf(stderr, "ves: no command \"%s\"", cli_clean(name));
    for (size_t i = 0; i < COMMANDS; i++)
        if (is_near(name, commands[i]->name)) {
            fprintf(stderr, "; did you mean %s?", commands[i]->name);
            break;
        }
    fputs("\nves --help lists them\n", stderr);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct rlimit none = {0, 0};

    /* Keys are in memory: no core dump may carry them to disk. */
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);

    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("ves %s\n", ves_version());
        return CLI_DONE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        if (argc > 2 && find(argv[2]))
            print_command_help(find(argv[2]));
        else
            print_help(stdout);
        return CLI_DONE;
    }
    cli.command = find(argv[1]);
    if (!cli.command)
        return unknown(argv[1]);
    cli.is_terminal = isatty(STDERR_FILENO);
    parse(&cli, argc - 1, argv + 1);
    if (cli.command->is_store && !cli.db)
        cli.db = getenv("VES_DB") && *getenv("VES_DB") ? getenv("VES_DB")
                                                       : "./ves.db";
    return cli.command->run(&cli);
}
