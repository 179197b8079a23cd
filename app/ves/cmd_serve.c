/* cmd_serve.c -- ves serve: the sequencer. */
#include "ves/serve.h"

#include <string.h>
#include <time.h>

#include "cli.h"
#include "ves/json.h"

static const struct cli_option options[] = {
    {"db", "FILE", "the sequencer's SQLite file (made at the first start)"},
    {"store", "URL",
     "instead: postgres://USER@HOST/DATABASE, which others may serve, too"},
    {"signing-key", "FILE", "the signing key of --store"},
    {"listen", "HOST:PORT", "where to listen (default 127.0.0.1:8080)"},
    {"tls-cert", "FILE", "certificate chain, PEM"},
    {"tls-key", "FILE", "its private key, PEM"},
    {"tls-client-ca", "FILE",
     "only clients with a certificate of these authorities (PEM)"},
    {"jwt-keys", "FILE", "accept JSON web tokens under the keys of this set"},
    {"jwt-audience", "NAME", "... that name this audience"},
    {"jwt-issuer", "NAME", "... of this issuer (default: any)"},
    {"threads", "N", "threads that verify (default: one per core)"},
    {"require-v2", NULL, "refuse new events of signing version 1"},
    {"rate-limit", "N",
     "requests a second with one credential (default 500, on loopback and 0: "
     "any)"},
    {"tenant-rate-limit", "N", "... of one tenant (default 2000)"},
    {"address-rate-limit", "N",
     "... from one address without a credential (default 20)"},
    {"address-connections", "N",
     "connections from one address (default 512, on loopback and 0: any)"},
    {"credential-connections", "N",
     "... with one credential (default 256, on loopback and 0: any)"},
    {"port-file", "FILE", "write HOST:PORT there once listening"},
    {"log-format", "text|json", "form of the log on standard error"},
    {"log-level", "0|1|2", "errors, notices (default), requests"},
    {"head-file", "FILE",
     "keep signed heads there, outside the database's folder"},
    {"new-head-file", NULL, "make it although the database had one"},
    {"log-host", "NAME", "what the names of logs begin with (first start)"},
    {"origin", "NAME", "the same"},
    {"witness-policy", "FILE",
     "ask the witnesses with a URL in it to cosign heads"},
    {"seal", NULL, "seal a key that is made now with a passphrase"},
    {"rotate-key", NULL, "make the next receipt key, then serve"},
    {"json", NULL, "where it listens, as JSON on standard output"},
    {NULL, NULL, NULL}};

/* 0 is what the caller means by none; not given is what the library does. */
static uint32_t limit(const struct cli *cli, const char *name, uint32_t max)
{
    uint64_t asked = cli_number(cli, name, 0, max, 0);
    return cli_get(cli, name) && asked == 0 ? VES_SERVE_NO_LIMIT
                                            : (uint32_t)asked;
}

/* One document, as soon as it listens; what it says later is its log. */
static void print_place(const struct ves_server *server)
{
    const char *admin_key = ves_server_new_admin_key(server);
    struct ves_jw *jw = cli_writer();

    ves_jw_object(jw);
    ves_jw_key(jw, "url");
    ves_jw_str(jw, ves_server_url(server));
    ves_jw_key(jw, "newAdminKeyFile");
    if (admin_key)
        ves_jw_str(jw, admin_key);
    else
        ves_jw_null(jw);
    ves_jw_end(jw);
    (void)cli_print(jw);
    fflush(stdout);
}

static void read_again(struct ves_server *server)
{
    struct ves_error error = {VES_OK, ""};
    bool is_new;
    if (ves_server_reload(server, &is_new, &error))
        fprintf(stderr, "ves serve: %s; the certificate in use stays\n",
                error.text);
    else
        fprintf(stderr, "ves serve: %s\n",
                is_new ? "new connections get the new certificate"
                       : "the certificate is the same as before");
}

static int run(struct cli *cli)
{
    struct ves_serve_options serve = {
        .db = cli_get(cli, "db"),
        .store = cli_get(cli, "store"),
        .signing_key = cli_get(cli, "signing-key"),
        .listen =
            cli_get(cli, "listen") ? cli_get(cli, "listen") : "127.0.0.1:8080",
        .tls_cert = cli_get(cli, "tls-cert"),
        .tls_key = cli_get(cli, "tls-key"),
        .tls_client_ca = cli_get(cli, "tls-client-ca"),
        .jwt_keys = cli_get(cli, "jwt-keys"),
        .jwt_audience = cli_get(cli, "jwt-audience"),
        .jwt_issuer = cli_get(cli, "jwt-issuer"),
        .require_v2 = cli_get(cli, "require-v2") != NULL,
        .threads = (unsigned)cli_number(cli, "threads", 1, 64, 0),
        .rate_limit = limit(cli, "rate-limit", VES_SERVE_RATE_MAX),
        .tenant_rate_limit =
            limit(cli, "tenant-rate-limit", VES_SERVE_RATE_MAX),
        .address_rate_limit =
            limit(cli, "address-rate-limit", VES_SERVE_RATE_MAX),
        .address_connections = limit(cli, "address-connections", 4096),
        .credential_connections = limit(cli, "credential-connections", 4096),
        .port_file = cli_get(cli, "port-file"),
        .log_format = cli_get(cli, "log-format"),
        .log_level = (unsigned)cli_number(cli, "log-level", 0, 2, 1),
        .head_file = cli_get(cli, "head-file"),
        .new_head_file = cli_get(cli, "new-head-file") != NULL,
        .log_host =
            cli_get(cli, cli_get(cli, "origin") ? "origin" : "log-host"),
        .witness_policy = cli_get(cli, "witness-policy"),
        .rotate_key = cli_get(cli, "rotate-key") != NULL,
        .seal_key = cli_get(cli, "seal") != NULL,
    };
    struct ves_agent_options for_passphrase;
    struct timespec step = {0, 50 * 1000 * 1000};
    struct ves_server *server;

    cli->is_json = cli_get(cli, "json") != NULL;
    if (!serve.db == !serve.store)
        cli_usage(cli, "--db FILE or --store URL is needed");
    if (!serve.store != !serve.signing_key)
        cli_usage(cli, "--store and --signing-key go together");
    if (!serve.tls_cert != !serve.tls_key)
        cli_usage(cli, "--tls-cert and --tls-key go together");
    if (serve.tls_client_ca && !serve.tls_cert)
        cli_usage(cli, "--tls-client-ca goes with --tls-cert and --tls-key");
    if (!serve.jwt_keys != !serve.jwt_audience)
        cli_usage(cli, "--jwt-keys and --jwt-audience go together");
    if (cli_get(cli, "log-host") && cli_get(cli, "origin"))
        cli_usage(cli, "--origin is another word for --log-host; give one");
    if (serve.log_format && strcmp(serve.log_format, "text") != 0 &&
        strcmp(serve.log_format, "json") != 0)
        cli_usage(cli, "--log-format is text or json");
    cli_store_options(cli, &for_passphrase);
    serve.passphrase = for_passphrase.passphrase;
    cli_catch_signals();
    cli_catch_hangup();
    enum ves_status status = ves_server_start(&serve, &server, &cli->error);
    if (status)
        return cli_fail_here(cli, status);
    if (ves_server_new_admin_key(server))
        fprintf(stderr,
                "ves serve: made an admin key in %s; keep it, it is shown "
                "nowhere else\n",
                ves_server_new_admin_key(server));
    fprintf(stderr, "ves serve: listening on %s\n", ves_server_url(server));
    if (cli->is_json)
        print_place(server);
    while (!cli_is_stopped()) {
        nanosleep(&step, NULL);
        if (cli_take_hangup())
            read_again(server);
    }
    fputs("ves serve: stopping\n", stderr);
    ves_server_stop(server);
    return CLI_DONE;
}

const struct cli_command cli_cmd_serve = {
    .name = "serve",
    .args = "",
    .summary = "be the sequencer",
    .options = options,
    .run = run,
};
