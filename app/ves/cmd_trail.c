/* cmd_trail.c -- ves admin trail: what administrators did, checked. */
#include "cli.h"
#include "ves/serve.h"

static void print_record(void *ctx, const struct ves_trail_record *record)
{
    struct ves_jw *jw = cli_writer();

    (void)ctx;
    ves_jw_object(jw);
    ves_jw_key(jw, "no");
    ves_jw_u64(jw, record->no);
    ves_jw_key(jw, "at");
    ves_jw_time(jw, record->at_ms);
    ves_jw_key(jw, "code");
    ves_jw_bytes(jw, record->code);
    ves_jw_key(jw, "detail");
    ves_jw_raw(jw, record->detail);
    ves_jw_key(jw, "hash");
    ves_jw_hex(jw, "", record->hash.b, sizeof(record->hash.b));
    ves_jw_end(jw);
    (void)cli_print(jw);
}

int cli_admin_trail(struct cli *cli)
{
    const struct ves_serve_options serve = {.db = cli_get(cli, "db"),
                                            .store = cli_get(cli, "store")};
    struct ves_trail trail;

    if (!serve.db == !serve.store)
        cli_usage(cli, "trail wants --db FILE or --store URL, the sequencer's");
    enum ves_status status =
        ves_server_trail(&serve, print_record, NULL, &trail, &cli->error);
    if (status)
        return cli_fail_here(cli, status);
    fprintf(stderr, "ves admin: %llu records, none was changed\n",
            (unsigned long long)trail.count);
    return CLI_DONE;
}
