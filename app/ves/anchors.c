/* anchors.c -- what the caller of ves verify believes, out of its options. */
#include "anchors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { POLICY_FILE_MAX = 64 * 1024, NOTE_FILE_MAX = 64 * 1024 };

static int digit_of(const char *alphabet, char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* 64 hexadecimal digits, perhaps behind "0x". */
static bool read_hex(const char *text, size_t len, uint8_t out[VES_HASH_SIZE])
{
    if (len == 66 && text[0] == '0' && text[1] == 'x')
        text += 2, len -= 2;
    if (len != 64)
        return false;
    for (size_t i = 0; i < VES_HASH_SIZE; i++) {
        int high = digit_of("0123456789abcdef", text[2 * i]);
        int low = digit_of("0123456789abcdef", text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* 44 characters of base64 with one "=", in their one canonical form. */
static bool read_base64(const char *text, size_t len,
                        uint8_t out[VES_HASH_SIZE])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t held = 0, n = 0;

    if (len != 44 || text[43] != '=')
        return false;
    for (size_t i = 0; i < 43; i++) {
        int digit = digit_of(alphabet, text[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[n++] = (uint8_t)(bits >> held);
            bits &= (1u << held) - 1;
        }
    }
    return n == VES_HASH_SIZE && bits == 0;
}

static bool read_32(const char *text, size_t len, uint8_t out[VES_HASH_SIZE])
{
    return read_hex(text, len, out) || read_base64(text, len, out);
}

/* A decimal without sign and leading zeros in front of end; where it ends. */
static const char *read_number(const char *text, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9' ||
        (*text == '0' && text[1] >= '0' && text[1] <= '9'))
        return NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno || *out > INT64_MAX ? NULL : end;
}

static void read_stream(const struct cli *cli, const char *text,
                        struct ves_stream *out)
{
    char tenant[VES_UUID_TEXT + 1] = "";

    if (strlen(text) != 2 * VES_UUID_TEXT + 1 || text[VES_UUID_TEXT] != '/')
        cli_usage(cli, "--stream takes TENANT/STORE, two UUIDs");
    memcpy(tenant, text, VES_UUID_TEXT);
    cli_uuid(cli, tenant, &out->tenant);
    cli_uuid(cli, text + VES_UUID_TEXT + 1, &out->store);
}

/* AGENT/ID/KEY or AGENT/ID/KEY/FROM-UNTIL; UNTIL may be missing. */
static void read_agent(const struct cli *cli, const char *text,
                       struct ves_verify_agent *out)
{
    char agent[VES_UUID_TEXT + 1] = "";
    uint64_t id = 0;
    const char *at = text;

    if (strlen(text) > VES_UUID_TEXT && text[VES_UUID_TEXT] == '/') {
        memcpy(agent, text, VES_UUID_TEXT);
        cli_uuid(cli, agent, &out->agent);
        at = read_number(text + VES_UUID_TEXT + 1, &id);
    }
    if (!*agent || !at || *at != '/' || id > UINT32_MAX)
        cli_usage(cli, "--agent-key takes AGENT/ID/KEY[/FROM-UNTIL]");
    out->key_id = (uint32_t)id;
    at++;
    /* base64 has slashes of its own. */
    size_t len = strlen(at) >= 44 && at[43] == '='
                     ? 44
                     : strspn(at, "x0123456789abcdef");
    const char *range = at[len] == '/' ? at + len : NULL;
    if (!range)
        len = strlen(at);
    if (!read_32(at, len, out->key.b))
        cli_usage(cli, "--agent-key: KEY is 64 hexadecimal digits or 44 "
                       "characters of base64");
    if (!range)
        return;
    at = read_number(range + 1, &out->from_sequence);
    if (at && *at == '-')
        at = at[1] ? read_number(at + 1, &out->until_sequence) : at + 1;
    if (!at || *at)
        cli_usage(cli, "--agent-key: FROM-UNTIL are two sequence numbers; it "
                       "may not sign UNTIL any more");
}

static void read_head(const struct cli *cli, const char *text,
                      struct ves_verify_head *out)
{
    const char *at = read_number(text, &out->size);

    if (!at || *at != ':' || !read_32(at + 1, strlen(at + 1), out->root.b))
        cli_usage(cli, "--head takes SIZE:ROOT, the root in base64 as a "
                       "checkpoint has it, or as 64 hexadecimal digits");
}

/* A signed checkpoint: origin, size, root, empty line, signatures. */
static void read_known(struct cli *cli, const char *path,
                       struct ves_verify_head *out, char **note)
{
    size_t len;

    *note = cli_read_file(cli, path, NOTE_FILE_MAX, &len);
    if (!*note)
        cli_usage(cli, "--known: %s", cli->error.text);
    const char *size = strchr(*note, '\n');
    const char *root = size ? read_number(size + 1, &out->size) : NULL;
    const char *end = root && *root == '\n' ? strchr(root + 1, '\n') : NULL;
    if (!end || end[1] != '\n' || strlen(*note) != len ||
        !read_base64(root + 1, (size_t)(end - root - 1), out->root.b))
        cli_usage(cli, "--known: %s is no signed checkpoint", path);
    out->origin.ptr = (const uint8_t *)*note;
    out->origin.len = (size_t)(size - *note);
}

/* A store, or a sequencer's head file? */
static bool keeps_heads(const char *path)
{
    static const char *const marks[] = {"SQLite format 3", "ves-heads 1 "};
    FILE *file = fopen(path, "rb");
    char text[16] = "";

    size_t len = file ? fread(text, 1, sizeof(text), file) : 0;
    if (file)
        fclose(file);
    for (size_t i = 0; i < 2; i++)
        if (len >= strlen(marks[i]) &&
            memcmp(text, marks[i], strlen(marks[i])) == 0)
            return true;
    return false;
}

void cli_anchors_heads(struct cli *cli, struct cli_anchors *out)
{
    struct ves_verify_anchors *anchors = &out->anchors;
    const char *value;
    size_t at = 0;

    while ((value = cli_next(cli, "head", &at))) {
        if (anchors->head_count == CLI_ANCHORS_MAX)
            cli_usage(cli, "more than %d heads", CLI_ANCHORS_MAX);
        read_head(cli, value, &out->heads[anchors->head_count++]);
    }
    for (at = 0; (value = cli_next(cli, "known", &at));) {
        if (anchors->head_count == CLI_ANCHORS_MAX ||
            out->file_count == CLI_ANCHORS_MAX)
            cli_usage(cli, "more than %d heads", CLI_ANCHORS_MAX);
        if (out->takes_files && keeps_heads(value)) {
            out->files[out->file_count++] = value;
            continue;
        }
        read_known(cli, value, &out->heads[anchors->head_count],
                   &out->notes[anchors->head_count]);
        anchors->head_count++;
    }
    anchors->heads = out->heads;
}

static void read_sequencer_keys(struct cli *cli, struct cli_anchors *out)
{
    struct ves_verify_anchors *anchors = &out->anchors;
    const char *value;
    size_t at = 0;

    while ((value = cli_next(cli, "sequencer-key", &at))) {
        if (anchors->sequencer_key_count == CLI_ANCHORS_MAX)
            cli_usage(cli, "more than %d sequencer keys", CLI_ANCHORS_MAX);
        if (!read_32(value, strlen(value),
                     out->sequencer_keys[anchors->sequencer_key_count++].b))
            cli_usage(cli, "--sequencer-key takes 64 hexadecimal digits or "
                           "44 characters of base64");
    }
    anchors->sequencer_keys = out->sequencer_keys;
}

static void read_agents(struct cli *cli, struct cli_anchors *out)
{
    struct ves_verify_anchors *anchors = &out->anchors;
    const char *value;
    size_t at = 0;

    while ((value = cli_next(cli, "agent-key", &at))) {
        if (anchors->agent_count == CLI_ANCHORS_MAX)
            cli_usage(cli, "more than %d agent keys", CLI_ANCHORS_MAX);
        read_agent(cli, value, &out->agents[anchors->agent_count++]);
    }
    anchors->agents = out->agents;
}

static void read_owner(struct cli *cli, struct cli_anchors *out)
{
    const char *value = cli_get(cli, "owner-key");

    if (!value)
        return;
    if (!read_32(value, strlen(value), out->owner_key.b))
        cli_usage(cli, "--owner-key takes 64 hexadecimal digits or 44 "
                       "characters of base64");
    out->anchors.owner_key = &out->owner_key;
}

void cli_anchors_keys(struct cli *cli, struct cli_anchors *out)
{
    memset(out, 0, sizeof(*out));
    read_sequencer_keys(cli, out);
    read_agents(cli, out);
}

void cli_anchors_log(struct cli *cli, struct cli_anchors *out)
{
    const char *policy = cli_get(cli, "policy");
    size_t len;

    if (policy) {
        out->policy = cli_read_file(cli, policy, POLICY_FILE_MAX, &len);
        if (!out->policy)
            cli_usage(cli, "--policy: %s", cli->error.text);
        /* It would be taken for none, which asks for nobody. */
        if (len == 0)
            cli_usage(cli, "--policy: %s is empty", policy);
        out->anchors.policy.ptr = (const uint8_t *)out->policy;
        out->anchors.policy.len = len;
    }
    if (cli_get(cli, "stream")) {
        read_stream(cli, cli_get(cli, "stream"), &out->stream);
        out->anchors.stream = &out->stream;
    }
    read_sequencer_keys(cli, out);
    read_owner(cli, out);
    read_agents(cli, out);
}

void cli_anchors_read(struct cli *cli, struct cli_anchors *out)
{
    memset(out, 0, sizeof(*out));
    if (!cli_get(cli, "policy"))
        cli_usage(cli, "--policy FILE is needed: whom do you believe?");
    cli_anchors_log(cli, out);
    cli_anchors_heads(cli, out);
    out->anchors.stale_after_s = cli_number(cli, "stale", 1, INT32_MAX, 0);
    if (out->anchors.stale_after_s > 0)
        out->anchors.now_s = (uint64_t)time(NULL);
}

void cli_anchors_free(struct cli_anchors *anchors)
{
    for (size_t i = 0; i < CLI_ANCHORS_MAX; i++)
        free(anchors->notes[i]);
    free(anchors->policy);
}

const char *cli_anchors_note(const char *text)
{
    const char *at = strstr(text, "\n\n");
    return at ? at + 2 : NULL;
}
