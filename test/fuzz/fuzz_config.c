/* fuzz_config.c -- whatever a person or a disk may put where VES reads its
 * configuration: settings by command, in the file and in the environment, key
 * files and credential files.
 *
 * The first byte says which; the rest is the value (of a setting: one more
 * byte for its name).  Asserted: a value is taken exactly when it is shown
 * afterwards, what is refused has words and changes nothing, numbers are
 * within their limits whatever the file holds, a key file that is taken is
 * spelt as the header says and its halves belong together.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/bytes.h"
#include "base/text.h"
#include "os/keyfile.h"
#include "ves/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

enum { VALUE_MAX = 4096 + 64, DOCUMENT_MAX = 64 * 1024 };

struct known {
    const char *name, *meta, *environment;
    uint64_t min, max;
};

/* As man/ves.1 has them. */
static const struct known known[] = {
    {"autoSync", "setting.autoSync", "VES_AUTO_SYNC", 0, 1},
    {"syncIntervalMs", "setting.syncIntervalMs", "VES_SYNC_INTERVAL_MS", 1000,
     86400000},
    {"batchSize", "setting.batchSize", "VES_BATCH_SIZE", 1, 1000},
    {"maxRetries", "setting.maxRetries", "VES_MAX_RETRIES", 0, 50},
    {"retryBaseDelayMs", "setting.retryBaseDelayMs", "VES_RETRY_BASE_DELAY_MS",
     100, 60000},
    {"retryMaxDelayMs", "setting.retryMaxDelayMs", "VES_RETRY_MAX_DELAY_MS",
     1000, 3600000},
    {"conflictStrategy", "setting.conflictStrategy", "VES_CONFLICT_STRATEGY", 0,
     3},
    {"outboxRetentionDays", "setting.outboxRetentionDays",
     "VES_OUTBOX_RETENTION_DAYS", 1, 3650},
};

enum { KNOWN = sizeof(known) / sizeof(known[0]) };

static char folder[64];
static struct ves_agent *agent;

static void path_of(const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", folder, name);
}

static void clean_up(void)
{
    char path[128];

    ves_agent_close(agent);
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.' || strlen(e->d_name) > 40)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%.40s", folder, e->d_name);
        (void)unlink(path);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(folder);
}

static void set_up(void)
{
    struct ves_agent_options options = {0};
    struct ves_agent_identity identity = {0};
    struct ves_error error;
    char path[128];

    for (size_t i = 0; i < KNOWN; i++)
        (void)unsetenv(known[i].environment);
    memset(&identity.stream, 7, sizeof(identity.stream));
    (void)snprintf(folder, sizeof(folder), "/tmp/ves-fuzz-XXXXXX");
    REQUIRE(mkdtemp(folder));
    path_of("store.db", path);
    options.path = path;
    REQUIRE(ves_agent_create(&options, &identity, &agent, &error) == VES_OK);
    (void)atexit(clean_up);
}

/* What `ves settings` shows of one of them; the document is the caller's. */
static struct ves_jr *show(void)
{
    struct ves_jw *jw = ves_jw_new(NULL, DOCUMENT_MAX);
    struct ves_error error;

    REQUIRE(jw && ves_agent_settings(agent, jw, &error) == VES_OK);
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    REQUIRE(jr);
    ves_jw_free(jw);
    return jr;
}

static const char *shown(struct ves_jr *jr, const struct known *setting)
{
    return ves_jr_str(jr, "/settings/%s", setting->name);
}

static bool is_same(const struct known *setting, const char *text,
                    const char *value)
{
    if (strcmp(setting->name, "autoSync") == 0)
        return strcmp(text, strcmp(value, "1") == 0   ? "true"
                            : strcmp(value, "0") == 0 ? "false"
                                                      : value) == 0;
    return strcmp(text, value) == 0;
}

static void require_limits(void)
{
    for (size_t i = 0; i < KNOWN; i++) {
        uint64_t value = ves_agent_setting(agent, known[i].name);
        REQUIRE(value >= known[i].min && value <= known[i].max);
    }
}

static void try_command(const struct known *setting, const char *value)
{
    struct ves_error error = {.status = VES_OK};
    struct ves_jr *before = show();

    enum ves_status status = ves_agent_set(agent, setting->name, value, &error);
    struct ves_jr *after = show();
    if (status == VES_OK) {
        REQUIRE(is_same(setting, shown(after, setting), value));
        REQUIRE(strcmp(ves_jr_str(after, "/sources/%s", setting->name),
                       "file") == 0);
    } else {
        REQUIRE(status == VES_INVALID && error.status == status &&
                error.text[0]);
        REQUIRE(strcmp(shown(after, setting), shown(before, setting)) == 0);
    }
    ves_jr_free(before);
    ves_jr_free(after);
    require_limits();
}

/* A file that somebody else has written into. */
static void try_stored(const struct known *setting, struct ves_bytes value)
{
    struct ves_store *store = agent->store;

    REQUIRE(store->ops->begin(store) == VES_OK);
    REQUIRE(store->ops->meta_put(store, setting->meta, value) == VES_OK);
    require_limits();
    ves_jr_free(show());
    store->ops->rollback(store);
}

static void try_environment(const struct known *setting, const char *value)
{
    struct ves_error error = {.status = VES_OK};
    uint64_t parsed = 0;

    REQUIRE(setenv(setting->environment, value, 1) == 0);
    enum ves_status status = ves_agent_check_environment(&error);
    bool is_taken = ves_agent_environment(setting->name, &parsed);
    /* An empty one counts as none. */
    REQUIRE((is_taken || !value[0]) == (status == VES_OK));
    if (is_taken)
        REQUIRE(parsed >= setting->min && parsed <= setting->max &&
                ves_agent_setting(agent, setting->name) == parsed);
    else if (value[0])
        REQUIRE(status == VES_INVALID &&
                strstr(error.text, setting->environment));
    REQUIRE(unsetenv(setting->environment) == 0);
}

/* ---- files --------------------------------------------------------------- */

static void put_file(const char *path, struct ves_bytes content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    REQUIRE(fd >= 0);
    REQUIRE(write(fd, content.ptr, content.len) == (ssize_t)content.len);
    REQUIRE(close(fd) == 0);
}

/* "ves-secret-key 1 agent", public, seed: nothing else, and they match. */
static void require_spelling(struct ves_bytes content,
                             const struct ves_public_key *key)
{
    static const char first[] = "ves-secret-key 1 agent\npublic ";
    static const char second[] = "\nseed ";
    struct ves_secret_key secret;
    struct ves_public_key made;
    uint8_t seed[VES_SEED_SIZE];
    char text[sizeof(first) + sizeof(second) + 2 * VES_KEY_SIZE +
              2 * VES_SEED_SIZE];
    size_t at = sizeof(first) - 1;
    size_t len =
        at + 2 * VES_KEY_SIZE + sizeof(second) - 1 + 2 * VES_SEED_SIZE + 1;

    REQUIRE(content.len == len);
    REQUIRE(ves_hex_decode(ves_bytes(content.ptr + len - 1 - 2 * VES_SEED_SIZE,
                                     2 * VES_SEED_SIZE),
                           seed, sizeof(seed)) == VES_OK);
    ves_ed25519_keypair(seed, &secret, &made);
    REQUIRE(memcmp(made.b, key->b, VES_KEY_SIZE) == 0);
    memcpy(text, first, at);
    ves_hex_encode(key->b, VES_KEY_SIZE, text + at);
    at += 2 * VES_KEY_SIZE;
    memcpy(text + at, second, sizeof(second) - 1);
    at += sizeof(second) - 1;
    ves_hex_encode(seed, sizeof(seed), text + at);
    at += 2 * VES_SEED_SIZE;
    text[at] = '\n';
    REQUIRE(ves_bytes_equal(content, ves_bytes(text, len)));
}

static void try_key_file(struct ves_bytes content)
{
    struct ves_signer *signer = NULL;
    struct ves_public_key key;
    struct ves_error error = {.status = VES_OK};
    bool is_sealed = false;
    char path[128];

    path_of("key", path);
    put_file(path, content);
    enum ves_status seen =
        ves_keyfile_inspect(path, VES_KEY_AGENT, &key, &is_sealed, &error);
    enum ves_status status =
        ves_keyfile_load(path, VES_KEY_AGENT, NULL, &signer, &error);
    REQUIRE((status == VES_OK) == (signer != NULL));
    if (status)
        REQUIRE(error.status == status && error.text[0]);
    if (seen == VES_OK)
        REQUIRE(is_sealed ? status == VES_AUTH
                          : status == VES_OK || status == VES_CORRUPT);
    else
        REQUIRE(status == seen);
    if (signer) {
        REQUIRE(memcmp(signer->public_key.b, key.b, VES_KEY_SIZE) == 0);
        require_spelling(content, &key);
    }
    ves_signer_free(signer);
}

static void try_credential(struct ves_bytes content)
{
    struct ves_error error = {.status = VES_OK};
    char *credential = NULL;
    char path[128];

    path_of("credential", path);
    put_file(path, content);
    enum ves_status status =
        ves_credential_file_read(path, &credential, &error);
    REQUIRE((status == VES_OK) == (credential != NULL));
    if (status) {
        REQUIRE(error.status == status && error.text[0]);
        return;
    }
    size_t len = strlen(credential);
    REQUIRE(len > 0 && len <= VES_CREDENTIAL_MAX);
    for (size_t i = 0; i < len; i++)
        REQUIRE(credential[i] > ' ' && credential[i] <= '~');
    REQUIRE(content.len == len ||
            (content.len == len + 1 && content.ptr[len] == '\n'));
    REQUIRE(memcmp(content.ptr, credential, len) == 0);
    ves_secret_free(credential);
}

static void try_setting(char what, struct ves_bytes input)
{
    char value[VALUE_MAX + 1];

    if (input.len == 0)
        return;
    const struct known *setting = &known[input.ptr[0] % KNOWN];
    struct ves_bytes rest = ves_bytes(input.ptr + 1, input.len - 1);
    if (what == 'f') {
        try_stored(setting, rest);
        return;
    }
    if (memchr(rest.ptr, 0, rest.len))
        return;
    memcpy(value, rest.ptr, rest.len);
    value[rest.len] = '\0';
    if (what == 's')
        try_command(setting, value);
    else
        try_environment(setting, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!agent) {
        REQUIRE(ves_crypto_init() == VES_OK);
        set_up();
    }
    if (size == 0 || size > VALUE_MAX)
        return 0;
    struct ves_bytes rest = ves_bytes(data + 1, size - 1);
    if (data[0] == 'k')
        try_key_file(rest);
    else if (data[0] == 'c')
        try_credential(rest);
    else if (data[0] == 's' || data[0] == 'f' || data[0] == 'e')
        try_setting((char)data[0], rest);
    return 0;
}
