/* cmd_admin.c -- ves admin: what needs the admin key of a sequencer. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cli.h"
#include "ves/serve.h"

/* revoke: how long the log is asked, and how often; milliseconds. */
enum {
    HEAD_MS = 10000, /* for a signed head over an event that is there */
    EVENT_MS = 1000, /* for the event */
    STEP_MS = 200
};

static const struct cli_option options[] = {
    {"server", "URL", "the sequencer, https://HOST:PORT"},
    {"key-file", "FILE", "file with the admin key"},
    {"ca", "FILE", "CA certificates to trust instead of the machine's"},
    {"tenant", "UUID", "the stream's tenant"},
    {"store", "UUID", "the stream's store; init, recover: postgres://..."},
    {"signing-key", "FILE",
     "init: where the sequencer's key is, or is made; recover: where it is"},
    {"admin-key-file", "FILE", "init: where the admin key is made"},
    {"from", "FILE|URL", "migrate-store: the sequencer's store to leave"},
    {"to", "FILE|URL", "migrate-store: the empty one to move to"},
    {"seal", NULL, "init: seal the signing key with a passphrase"},
    {"uses", "N", "invite: how often it may be redeemed (default 1, 0: any)"},
    {"valid", "HOURS", "invite: how long it is valid (default 168)"},
    {"read-only", NULL, "invite: the new store may only pull"},
    {"strict", "on|off",
     "keys: from now on only keys the stream's owner signed for, or others "
     "again"},
    {"agent", "UUID",
     "policy: whose; revoke: whose key, and with --store it is the word of "
     "that stream's owner"},
    {"key-id", "N", "revoke: which key (default 1)"},
    {"with-api-keys", NULL,
     "revoke: its API keys too, so that it cannot even read"},
    {"allow-events", "LIST",
     "policy: event types it may send, between commas; order.* for all that "
     "begin so"},
    {"allow-entities", "LIST", "policy: entity types, likewise"},
    {"max-payload", "BYTES", "policy: no larger payloads"},
    {"any-base", NULL, "policy: events need not say what they are based on"},
    {"off", NULL, "policy: keep it, but do not ask it"},
    {"db", "FILE",
     "rules: a store of the stream; recover, trail: the sequencer's"},
    {"head-file", "FILE", "recover: where the signed heads are"},
    {"new-epoch", NULL,
     "recover: go on without signed events that are lost for good"},
    {"give-up", "COUNT", "recover: how many of them there are, exactly"},
    {"reason", "TEXT", "recover: what the stores are told about it"},
    {"json", NULL, "one JSON document on standard output"},
    {NULL, NULL, NULL}};

enum { REASON_MAX = 500 };
#define GIVE_UP_MAX (UINT64_C(1) << 40)

static int invite(struct cli *cli)
{
    struct ves_invite_options what = {
        .url = cli_get(cli, "server"),
        .key_file = cli_get(cli, "key-file"),
        .tls_ca = cli_get(cli, "ca"),
        .uses = (uint32_t)cli_number(cli, "uses", 0, 1000000, 1),
        .valid_s = cli_number(cli, "valid", 1, 87600, 168) * 3600,
        .is_read_only = cli_get(cli, "read-only") != NULL,
    };
    struct ves_stream stream, made;
    static char text[16 * 1024];
    char tenant[VES_UUID_TEXT + 1], store[VES_UUID_TEXT + 1];

    if (!cli_get(cli, "tenant") != !cli_get(cli, "store"))
        cli_usage(cli, "--tenant and --store go together (without both a new "
                       "stream is made)");
    if (cli_get(cli, "tenant")) {
        cli_uuid(cli, cli_get(cli, "tenant"), &stream.tenant);
        cli_uuid(cli, cli_get(cli, "store"), &stream.store);
        what.stream = &stream;
    }
    enum ves_status status =
        ves_invite(&what, text, sizeof(text), &made, &cli->error);
    if (status)
        return cli_fail(cli, status);
    cli_uuid_text(&made.tenant, tenant);
    cli_uuid_text(&made.store, store);
    int code = CLI_DONE;
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        ves_jw_object(jw);
        ves_jw_key(jw, "tenantId");
        ves_jw_str(jw, tenant);
        ves_jw_key(jw, "storeId");
        ves_jw_str(jw, store);
        ves_jw_key(jw, "invitation");
        ves_jw_str(jw, text);
        ves_jw_end(jw);
        code = cli_print(jw);
    } else {
        if (!what.stream)
            printf("a new stream: --tenant %s --store %s\n", tenant, store);
        printf("%s\n", text);
    }
    explicit_bzero(text, sizeof(text));
    return code;
}

/* One administrative request; the reply is in jw.  CLI_DONE or the exit code
 * to leave with, after words on standard error. */
static int ask(struct cli *cli, const char *method, const char *path,
               struct ves_jw *jw)
{
    struct ves_bytes none = {NULL, 0};
    uint32_t http_status = 0;
    enum ves_status status = ves_admin_call(
        cli_get(cli, "server"), cli_get(cli, "key-file"), cli_get(cli, "ca"),
        method, path, none, jw, &http_status, &cli->error);

    if (status)
        return cli_fail(cli, status);
    return http_status < 300 ? CLI_DONE : CLI_REFUSED;
}

/* What came back, and how it went. */
static int print_reply(struct ves_jw *jw, int code)
{
    if (ves_jw_view(jw).len == 0) {
        ves_jw_free(jw);
        return code;
    }
    int printed = cli_print(jw);
    return printed ? printed : code;
}

/* Sends one administrative request and prints the reply. */
static int call(struct cli *cli, const char *method, const char *path)
{
    struct ves_jw *jw = cli_writer();

    return print_reply(jw, ask(cli, method, path, jw));
}

/* Revokes every live API key that is bound to an agent. */
static int revoke_api_keys(struct cli *cli, const char *tenant,
                           const char *agent)
{
    struct ves_jw *jw = cli_writer();
    char path[512];

    snprintf(path, sizeof(path), "/api/v1/api-keys?tenant_id=%s", tenant);
    int code = ask(cli, "GET", path, jw);
    struct ves_jr *jr =
        code ? NULL : ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    size_t count = jr ? ves_jr_count(jr, "/apiKeys") : 0;
    for (size_t i = 0; code == CLI_DONE && i < count; i++) {
        if (strcasecmp(ves_jr_str(jr, "/apiKeys/%zu/agentId", i), agent) != 0 ||
            ves_jr_has(jr, "/apiKeys/%zu/revokedAt", i))
            continue;
        snprintf(path, sizeof(path), "/api/v1/api-keys/%s",
                 ves_jr_str(jr, "/apiKeys/%zu/id", i));
        ves_jw_reset(jw);
        code = ask(cli, "DELETE", path, jw);
    }
    ves_jr_free(jr);
    ves_jw_free(jw);
    return code;
}

/* Offline: the sequencer is stopped, and its file is at hand. */
static void put_count(struct ves_jw *jw, const char *name, uint64_t count)
{
    ves_jw_key(jw, name);
    ves_jw_u64(jw, count);
}

static int partly(const struct ves_recovered *done)
{
    return done->beyond > 0 || done->doubtful > 0 ? CLI_PARTIAL : CLI_DONE;
}

/* Revocations that no log has. */
static void print_ends(const struct ves_recovered *done)
{
    char id[VES_UUID_TEXT + 1];

    if (done->revocations > 0)
        printf("%llu revocations made again, which a store was shown\n",
               (unsigned long long)done->revocations);
    if (done->doubtful > 0) {
        printf("WARNING: %llu keys CAN SIGN AGAIN that were revoked, as a "
               "store's file has it and nothing here shows; the first is key "
               "%lu of agent %s",
               (unsigned long long)done->doubtful,
               (unsigned long)done->doubtful_key_id,
               cli_uuid_text(&done->doubtful_agent, id));
        printf(". Look at \"ves keys\" of the store, and revoke them again "
               "(ves admin revoke) as soon as the sequencer runs\n");
    }
    if (done->ownerless > 0)
        printf(
            "WARNING: %llu streams have no owner, so that their revocations "
            "are in no log. Those made after the backup, which none of these "
            "stores was shown, ARE LOST: revoke every key that has to stay "
            "revoked again (ves admin keys lists them)\n",
            (unsigned long long)done->ownerless);
}

/* What is in no log and no store, and so did not come back. */
static void print_acts(const struct ves_recovered *done)
{
    char text[64] = "";
    time_t seconds = (time_t)(done->last_act_ms / 1000);
    struct tm utc;

    if (done->streams + done->epochs == 0)
        return;
    if (done->last_act > 0 && gmtime_r(&seconds, &utc))
        strftime(text, sizeof(text), ", of %Y-%m-%dT%H:%M:%SZ", &utc);
    printf("WARNING: what administrators did after the backup DID NOT COME "
           "BACK: what agents may send (ves admin policy), API keys that were "
           "made, and those that were revoked, which ARE GOOD AGAIN. The last "
           "act in this database is number %llu%s (ves admin trail); the "
           "sequencer wrote a line \"admin\" to its log for each, those with "
           "a larger \"no\" are to be done again\n",
           (unsigned long long)done->last_act, text);
}

static int recover(struct cli *cli)
{
    struct ves_serve_options serve = {.db = cli_get(cli, "db"),
                                      .store = cli_get(cli, "store"),
                                      .signing_key =
                                          cli_get(cli, "signing-key"),
                                      .head_file = cli_get(cli, "head-file")};
    struct ves_agent_options for_passphrase;
    struct ves_recovered done;

    serve.new_epoch = cli_get(cli, "new-epoch") != NULL;
    serve.give_up = cli_number(cli, "give-up", 1, GIVE_UP_MAX, 0);
    serve.epoch_reason = cli_get(cli, "reason");
    if (!serve.db == !serve.store || (cli->argc < 2 && !serve.new_epoch))
        cli_usage(cli, "recover wants --db FILE or --store URL, --head-file "
                       "FILE and the files of stores");
    if (!serve.store != !serve.signing_key)
        cli_usage(cli, "--store URL and --signing-key FILE go together");
    if (!serve.new_epoch != !cli_get(cli, "give-up") ||
        (serve.epoch_reason && !serve.new_epoch))
        cli_usage(cli, "--new-epoch and --give-up COUNT go together, and "
                       "--reason goes with them");
    if (serve.epoch_reason && strlen(serve.epoch_reason) > REASON_MAX)
        cli_usage(cli, "--reason has at most %d bytes", (int)REASON_MAX);
    cli_store_options(cli, &for_passphrase);
    serve.passphrase = for_passphrase.passphrase;
    enum ves_status status =
        ves_server_recover(&serve, (const char *const *)cli->argv + 1,
                           (size_t)cli->argc - 1, &done, &cli->error);
    if (status)
        return cli_fail_here(cli, status);
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        ves_jw_object(jw);
        put_count(jw, "streams", done.streams);
        put_count(jw, "events", done.events);
        put_count(jw, "epochs", done.epochs);
        put_count(jw, "givenUp", done.given_up);
        put_count(jw, "beyond", done.beyond);
        put_count(jw, "revocations", done.revocations);
        put_count(jw, "doubtfulRevocations", done.doubtful);
        put_count(jw, "streamsWithoutOwner", done.ownerless);
        put_count(jw, "lastAct", done.last_act);
        ves_jw_key(jw, "lastActAt");
        ves_jw_time(jw, done.last_act_ms);
        ves_jw_end(jw);
        return cli_print(jw) ? CLI_FAILED : partly(&done);
    }
    printf("%llu streams made whole, %llu events put back\n",
           (unsigned long long)done.streams, (unsigned long long)done.events);
    if (done.epochs > 0)
        printf("%llu new epochs, %llu signed events given up: every store is "
               "told at its next pull\n",
               (unsigned long long)done.epochs,
               (unsigned long long)done.given_up);
    if (done.beyond > 0)
        printf("a store has %llu events of this sequencer's behind the end of "
               "this database, and no signed head asked for them: it is an "
               "older copy of itself. Do not serve it, their numbers would be "
               "given twice; name the head file that was kept beside it "
               "(--head-file), or restore a newer backup\n",
               (unsigned long long)done.beyond);
    print_ends(&done);
    print_acts(&done);
    return partly(&done);
}

static int init(struct cli *cli)
{
    struct ves_serve_options serve = {.store = cli_get(cli, "store"),
                                      .signing_key =
                                          cli_get(cli, "signing-key"),
                                      .seal_key = cli_get(cli, "seal") != NULL};
    const char *admin_key_file = cli_get(cli, "admin-key-file");
    struct ves_agent_options for_passphrase;

    if (!serve.store || !serve.signing_key || !admin_key_file)
        cli_usage(cli, "init wants --store URL, --signing-key FILE and "
                       "--admin-key-file FILE");
    cli_store_options(cli, &for_passphrase);
    serve.passphrase = for_passphrase.passphrase;
    enum ves_status status =
        ves_server_init(&serve, admin_key_file, &cli->error);
    if (status)
        return cli_fail_here(cli, status);
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        ves_jw_object(jw);
        ves_jw_key(jw, "signingKey");
        ves_jw_str(jw, serve.signing_key);
        ves_jw_key(jw, "adminKeyFile");
        ves_jw_str(jw, admin_key_file);
        ves_jw_end(jw);
        return cli_print(jw);
    }
    printf("the database is a sequencer's now; its signing key is %s, the "
           "admin key is in %s\nkeep both, they are shown nowhere else; every "
           "ves serve on this database needs the signing key\n",
           serve.signing_key, admin_key_file);
    return CLI_DONE;
}

static int migrate_store(struct cli *cli)
{
    const char *from = cli_get(cli, "from"), *to = cli_get(cli, "to");
    struct ves_migrated done;

    if (!from || !to)
        cli_usage(cli, "migrate-store wants --from and --to, each a FILE or "
                       "postgres://USER@HOST/DATABASE");
    enum ves_status status = ves_server_migrate(from, to, &done, &cli->error);
    if (status)
        return cli_fail_here(cli, status);
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        ves_jw_object(jw);
        put_count(jw, "streams", done.streams);
        put_count(jw, "events", done.events);
        ves_jw_end(jw);
        return cli_print(jw);
    }
    printf("%llu streams with %llu events moved; every tree is the one that "
           "was signed\nthe streams that were left are frozen; serve the new "
           "store with the same signing key\n",
           (unsigned long long)done.streams, (unsigned long long)done.events);
    return CLI_DONE;
}

static const char *need(struct cli *cli, const char *name)
{
    const char *value = cli_get(cli, name);
    struct ves_uuid checked;

    if (!value)
        cli_usage(cli, "--%s is needed", name);
    if (strcmp(name, "key-id") != 0)
        cli_uuid(cli, value, &checked);
    return value;
}

static struct ves_admin admin_of(const struct cli *cli)
{
    return (struct ves_admin){.url = cli_get(cli, "server"),
                              .key_file = cli_get(cli, "key-file"),
                              .tls_ca = cli_get(cli, "ca")};
}

static int set_policy(struct cli *cli, const char *strict)
{
    const struct ves_admin admin = admin_of(cli);
    bool is_strict = strcmp(strict, "on") == 0;
    uint32_t http_status = 0;
    struct ves_stream stream;

    if (!is_strict && strcmp(strict, "off") != 0)
        cli_usage(cli, "--strict is on or off, not %s", strict);
    cli_uuid(cli, need(cli, "tenant"), &stream.tenant);
    cli_uuid(cli, need(cli, "store"), &stream.store);
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_admin_key_policy(
        &admin, &stream, is_strict, jw, &http_status, &cli->error);
    if (status) {
        ves_jw_free(jw);
        return cli_fail(cli, status);
    }
    return print_reply(jw, http_status < 300 ? CLI_DONE : CLI_REFUSED);
}

/* Asks the log until it has the end of the key under a signed head. */
static enum ves_status seek_end(struct cli *cli, const struct ves_admin *admin,
                                const struct ves_stream *stream,
                                const struct ves_uuid *agent, uint32_t key_id,
                                struct ves_key_end *end)
{
    const struct timespec step = {0, STEP_MS * 1000 * 1000};
    enum ves_status status;

    for (int waited = 0;; waited += STEP_MS) {
        status =
            ves_admin_key_end(admin, stream, agent, key_id, end, &cli->error);
        int patience = status == VES_AGAIN       ? HEAD_MS
                       : status == VES_NOT_FOUND ? EVENT_MS
                                                 : 0;
        if (waited >= patience)
            return status;
        nanosleep(&step, NULL);
    }
}

/* The sequencer said that the key is revoked; does its log? */
static int confirm(struct cli *cli, const struct ves_admin *admin,
                   const struct ves_stream *stream,
                   const struct ves_uuid *agent, uint32_t key_id)
{
    struct ves_key_end end;
    struct ves_error why;
    struct ves_jw *jw = cli_writer();

    enum ves_status status = seek_end(cli, admin, stream, agent, key_id, &end);
    why = cli->error;
    ves_jw_object(jw);
    ves_jw_key(jw, "agentId");
    ves_jw_uuid(jw, agent);
    put_count(jw, "keyId", key_id);
    ves_jw_key(jw, "confirmed");
    ves_jw_bool(jw, !status);
    if (end.sequence_number > 0) {
        put_count(jw, "revokedAtSequence", end.sequence_number);
        ves_jw_key(jw, "signedBy");
        ves_jw_str(jw, end.by);
    }
    if (!status)
        put_count(jw, "logSize", end.size);
    ves_jw_end(jw);
    int code = print_reply(jw, CLI_DONE);
    if (!status)
        return code;
    snprintf(cli->error.text, sizeof(cli->error.text),
             "the sequencer answered that it revoked the key, and that is NOT "
             "confirmed: %.300s. Until it is, the key may still sign; say so "
             "again, or look at \"ves keys\" of a store that synced",
             why.text);
    (void)cli_fail(cli, status);
    return status == VES_UNREACHABLE ? CLI_UNREACHABLE
           : status == VES_AGAIN     ? CLI_PARTIAL
                                     : CLI_REFUSED;
}

/* The owner of that stream says so.  *is_taken: the sequencer took it. */
static int revoke_by_owner(struct cli *cli, const char *tenant,
                           const char *agent, uint32_t key_id, bool *is_taken)
{
    const struct ves_admin admin = admin_of(cli);
    struct ves_jw *jw = cli_writer();
    uint32_t http_status = 0;
    struct ves_stream stream;
    struct ves_uuid id;

    cli_uuid(cli, tenant, &stream.tenant);
    cli_uuid(cli, cli_get(cli, "store"), &stream.store);
    cli_uuid(cli, agent, &id);
    enum ves_status status = ves_admin_revoke_key(
        &admin, &stream, &id, key_id, jw, &http_status, &cli->error);
    *is_taken = !status && http_status < 300;
    if (!*is_taken)
        return print_reply(jw, status ? cli_fail(cli, status) : CLI_REFUSED);
    ves_jw_free(jw);
    return confirm(cli, &admin, &stream, &id, key_id);
}

/* With a store the owner of that stream says so; without, the operator does,
 * for all streams of the tenant. */
static int revoke(struct cli *cli)
{
    const char *agent = need(cli, "agent"), *tenant = need(cli, "tenant");
    uint32_t key_id = (uint32_t)cli_number(cli, "key-id", 0, UINT32_MAX, 1);
    bool is_taken;
    char path[512];
    int code;

    if (cli_get(cli, "store")) {
        code = revoke_by_owner(cli, tenant, agent, key_id, &is_taken);
    } else {
        struct ves_jw *jw = cli_writer();
        snprintf(path, sizeof(path), "/api/v1/agents/%s/keys/%lu?tenant_id=%s",
                 agent, (unsigned long)key_id, tenant);
        code = print_reply(jw, ask(cli, "DELETE", path, jw));
        is_taken = code == CLI_DONE;
    }
    if (is_taken && cli_get(cli, "with-api-keys")) {
        int other = revoke_api_keys(cli, tenant, agent);
        code = code ? code : other;
    }
    return code;
}

static bool is_asked_of_a_server(const char *act)
{
    static const char *const acts[] = {"invite", "keys",     "revoke",
                                       "policy", "refusals", "metrics"};

    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        if (strcmp(act, acts[i]) == 0)
            return true;
    return false;
}

static int run(struct cli *cli)
{
    const char *act = cli->argv[0];
    char path[512];

    cli->is_json = cli_get(cli, "json") != NULL;
    if (strcmp(act, "rules") == 0)
        return cli_admin_rules(cli);
    if (strcmp(act, "recover") == 0)
        return recover(cli);
    if (strcmp(act, "init") == 0)
        return init(cli);
    if (strcmp(act, "migrate-store") == 0)
        return migrate_store(cli);
    if (strcmp(act, "trail") == 0)
        return cli_admin_trail(cli);
    if (cli->argc > 1)
        cli_usage(cli, "%s takes no further argument", act);
    if (!is_asked_of_a_server(act))
        cli_usage(
            cli,
            "no such act: %s (init, invite, keys, revoke, policy, refusals, "
            "metrics, rules, recover, migrate-store, trail)",
            act);
    if (!cli_get(cli, "server") || !cli_get(cli, "key-file"))
        cli_usage(cli, "--server URL and --key-file FILE are needed");
    if (strcmp(act, "invite") == 0)
        return invite(cli);
    if (cli_get(cli, "strict") && strcmp(act, "keys") != 0)
        cli_usage(cli, "--strict is for keys");
    if (strcmp(act, "keys") == 0 && cli_get(cli, "strict"))
        return set_policy(cli, cli_get(cli, "strict"));
    if (strcmp(act, "keys") == 0) {
        snprintf(path, sizeof(path),
                 "/api/v1/ves/keys?tenant_id=%s&store_id=%s",
                 need(cli, "tenant"), need(cli, "store"));
        return call(cli, "GET", path);
    }
    if (strcmp(act, "revoke") == 0)
        return revoke(cli);
    if (strcmp(act, "policy") == 0)
        return cli_admin_policy(cli);
    if (strcmp(act, "refusals") == 0) {
        snprintf(path, sizeof(path),
                 "/api/v1/ves/refusals?tenant_id=%s&store_id=%s",
                 need(cli, "tenant"), need(cli, "store"));
        return call(cli, "GET", path);
    }
    return call(cli, "GET", "/metrics");
}

const struct cli_command cli_cmd_admin = {
    .name = "admin",
    .args =
        "init|invite|keys|revoke|policy|refusals|metrics|rules|recover|migrate-"
        "store|trail",
    .summary = "invite stores, list and revoke keys, publish event types",
    .args_min = 1,
    .args_max = 1 + VES_RECOVER_STORES_MAX,
    .options = options,
    .run = run,
};
