/* cmd_witness.c -- ves witness: cosign what logs sign. */
#include "ves/witness.h"

#include <time.h>

#include "cli.h"
#include "ves/json.h"

static const struct cli_option options[] = {
    {"dir", "DIR", "key and state (made at the first start; never restore it)"},
    {"logs", "FILE", "whose checkpoints: \"log VKEY\", \"prefix PREFIX KEY\""},
    {"name", "NAME", "the witness's name, at the first start"},
    {"listen", "HOST:PORT", "where to listen (default 127.0.0.1:8090)"},
    {"tls-cert", "FILE", "certificate chain, PEM"},
    {"tls-key", "FILE", "its private key, PEM"},
    {"token-file", "FILE", "bearer token that submissions must show"},
    {"port-file", "FILE", "write HOST:PORT there once listening"},
    {"seal", NULL, "seal a key that is made now with a passphrase"},
    {"json", NULL, "its key and where it listens, as JSON on standard output"},
    {NULL, NULL, NULL}};

static void print_key(const struct cli *cli, const struct ves_witness *witness)
{
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();

        ves_jw_object(jw);
        ves_jw_key(jw, "url");
        ves_jw_str(jw, ves_witness_url(witness));
        ves_jw_key(jw, "vkey");
        ves_jw_str(jw, ves_witness_vkey(witness));
        ves_jw_end(jw);
        (void)cli_print(jw);
    } else {
        printf("%s\n", ves_witness_vkey(witness));
    }
    fflush(stdout);
}

static int run(struct cli *cli)
{
    struct ves_witness_options witness_options = {
        .dir = cli_get(cli, "dir"),
        .logs = cli_get(cli, "logs"),
        .name = cli_get(cli, "name"),
        .listen =
            cli_get(cli, "listen") ? cli_get(cli, "listen") : "127.0.0.1:8090",
        .tls_cert = cli_get(cli, "tls-cert"),
        .tls_key = cli_get(cli, "tls-key"),
        .token_file = cli_get(cli, "token-file"),
        .port_file = cli_get(cli, "port-file"),
        .seal_key = cli_get(cli, "seal") != NULL,
    };
    struct ves_agent_options for_passphrase;
    struct timespec step = {0, 50 * 1000 * 1000};
    struct ves_witness *witness;

    cli->is_json = cli_get(cli, "json") != NULL;
    if (!witness_options.dir || !witness_options.logs)
        cli_usage(cli, "--dir DIR and --logs FILE are needed");
    if (!witness_options.tls_cert != !witness_options.tls_key)
        cli_usage(cli, "--tls-cert and --tls-key go together");
    cli_store_options(cli, &for_passphrase);
    witness_options.passphrase = for_passphrase.passphrase;
    cli_catch_signals();
    enum ves_status status =
        ves_witness_start(&witness_options, &witness, &cli->error);
    if (status)
        return cli_fail_here(cli, status);
    print_key(cli, witness);
    fprintf(stderr, "ves witness: listening on %s\n", ves_witness_url(witness));
    while (!cli_is_stopped())
        nanosleep(&step, NULL);
    fputs("ves witness: stopping\n", stderr);
    ves_witness_stop(witness);
    return CLI_DONE;
}

const struct cli_command cli_cmd_witness = {
    .name = "witness",
    .args = "",
    .summary = "cosign the checkpoints of logs",
    .options = options,
    .run = run,
};
