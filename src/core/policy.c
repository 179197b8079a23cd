/* policy.c -- which logs and how many witnesses one wants to believe (C2SP
 * tlog-policy). */
#include "core/policy.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/lines.h"

struct reader {
    struct ves_policy *policy;
    struct ves_bytes rest; /* of the line at hand */
    size_t line;           /* its number, from 1 */
    bool has_quorum;
    struct ves_error *error;
};

static enum ves_status wrong(struct reader *reader, const char *what,
                             struct ves_bytes word)
{
    return ves_fail(reader->error, VES_MALFORMED, "policy line %zu: %s%s%.*s",
                    reader->line, what, word.len ? ": " : "",
                    (int)(word.len < 128 ? word.len : 128),
                    (const char *)word.ptr);
}

static enum ves_status too_many(struct reader *reader, const char *what)
{
    return ves_fail(reader->error, VES_LIMIT,
                    "policy line %zu: more than %d %s", reader->line,
                    (int)VES_POLICY_ITEMS_MAX, what);
}

static const struct ves_bytes nothing = {(const uint8_t *)"", 0};

/* The next word of the line; empty at its end. */
static struct ves_bytes next_word(struct reader *reader)
{
    struct ves_bytes *rest = &reader->rest;
    size_t from = 0, to;

    while (from < rest->len &&
           (rest->ptr[from] == ' ' || rest->ptr[from] == '\t'))
        from++;
    for (to = from;
         to < rest->len && rest->ptr[to] != ' ' && rest->ptr[to] != '\t';)
        to++;
    struct ves_bytes word = ves_bytes(rest->ptr + from, to - from);
    rest->ptr += to;
    rest->len -= to;
    return word;
}

static enum ves_status read_key(struct reader *reader, enum ves_note_type type,
                                struct ves_note_key *key)
{
    struct ves_error why = {.status = VES_OK};
    enum ves_status status = ves_note_key_read(next_word(reader), key, &why);

    if (status)
        return ves_fail(reader->error, status, "policy line %zu: %s",
                        reader->line, why.text);
    if (key->type != type)
        return ves_fail(reader->error, VES_MALFORMED,
                        "policy line %zu: the key of %.*s is %s", reader->line,
                        (int)key->name.len, (const char *)key->name.ptr,
                        type == VES_NOTE_ED25519
                            ? "a cosigner's; a log has one of type 1"
                            : "a log's; a witness has one of type 4");
    return VES_OK;
}

/* An optional URL, then the end. */
static enum ves_status read_url(struct reader *reader, struct ves_bytes *url)
{
    *url = next_word(reader);
    struct ves_bytes more = next_word(reader);
    return more.len == 0 ? VES_OK : wrong(reader, "more than one URL", more);
}

static bool is_same_key(const struct ves_note_key *a,
                        const struct ves_note_key *b)
{
    return memcmp(a->key.b, b->key.b, VES_KEY_SIZE) == 0;
}

static enum ves_status read_log(struct reader *reader)
{
    struct ves_policy *policy = reader->policy;
    struct ves_policy_log *log = &policy->logs[policy->log_count];

    if (policy->log_count == VES_POLICY_ITEMS_MAX)
        return too_many(reader, "logs");
    enum ves_status status = read_key(reader, VES_NOTE_ED25519, &log->key);
    if (status)
        return status;
    for (size_t i = 0; i < policy->log_count; i++) {
        if (is_same_key(&policy->logs[i].key, &log->key))
            return wrong(reader, "a log with this key was listed before",
                         log->key.name);
    }
    policy->log_count++;
    return read_url(reader, &log->url);
}

static int find_witness(const struct ves_policy *policy, struct ves_bytes name)
{
    for (size_t i = 0; i < policy->witness_count; i++) {
        if (ves_bytes_equal(policy->witnesses[i].name, name))
            return (int)i;
    }
    return VES_POLICY_NONE;
}

static int find_group(const struct ves_policy *policy, struct ves_bytes name)
{
    for (size_t i = 0; i < policy->group_count; i++) {
        if (ves_bytes_equal(policy->groups[i].name, name))
            return (int)i;
    }
    return VES_POLICY_NONE;
}

/* A name that nothing has yet. */
static enum ves_status read_new_name(struct reader *reader,
                                     struct ves_bytes *name)
{
    *name = next_word(reader);
    if (name->len == 0)
        return wrong(reader, "a name is missing", nothing);
    if (ves_bytes_is(*name, "none") ||
        find_witness(reader->policy, *name) >= 0 ||
        find_group(reader->policy, *name) >= 0)
        return wrong(reader, "the name is taken", *name);
    return VES_OK;
}

static enum ves_status read_witness(struct reader *reader)
{
    struct ves_policy *policy = reader->policy;
    struct ves_policy_witness *witness =
        &policy->witnesses[policy->witness_count];

    if (policy->witness_count == VES_POLICY_ITEMS_MAX)
        return too_many(reader, "witnesses");
    enum ves_status status = read_new_name(reader, &witness->name);
    if (status)
        return status;
    status = read_key(reader, VES_NOTE_COSIGNATURE, &witness->key);
    if (status)
        return status;
    /* Two names for one key would let one witness count twice. */
    for (size_t i = 0; i < policy->witness_count; i++) {
        if (is_same_key(&policy->witnesses[i].key, &witness->key))
            return wrong(reader, "a witness with this key was listed before",
                         policy->witnesses[i].name);
    }
    witness->group = VES_POLICY_NONE;
    policy->witness_count++;
    return read_url(reader, &witness->url);
}

/* Makes the thing of that name a member of group. */
static enum ves_status add_member(struct reader *reader, struct ves_bytes name,
                                  int group)
{
    struct ves_policy *policy = reader->policy;
    int witness = find_witness(policy, name), other = find_group(policy, name);
    int *place;

    if (witness >= 0)
        place = &policy->witnesses[witness].group;
    else if (other >= 0)
        place = &policy->groups[other].group;
    else
        return wrong(reader, "no witness or group of this name stands above",
                     name);
    if (*place != VES_POLICY_NONE)
        return wrong(reader, "is a member already; a name can be one once",
                     name);
    *place = group;
    return VES_OK;
}

static enum ves_status read_group(struct reader *reader)
{
    struct ves_policy *policy = reader->policy;
    struct ves_policy_group *group = &policy->groups[policy->group_count];
    uint64_t needed = 0, members = 0;

    if (policy->group_count == VES_POLICY_ITEMS_MAX)
        return too_many(reader, "groups");
    enum ves_status status = read_new_name(reader, &group->name);
    if (status)
        return status;
    struct ves_bytes rule = next_word(reader);
    for (;;) {
        struct ves_bytes name = next_word(reader);
        if (name.len == 0)
            break;
        status = add_member(reader, name, (int)policy->group_count);
        if (status)
            return status;
        members++;
    }
    if (ves_bytes_is(rule, "all"))
        needed = members;
    else if (ves_bytes_is(rule, "any"))
        needed = 1;
    else if (!ves_line_number(rule, &needed))
        needed = 0;
    if (members == 0 || needed == 0 || needed > members)
        return wrong(reader,
                     "a group needs \"all\", \"any\" or a number from 1 to its "
                     "number of members, and at least one member",
                     nothing);
    group->needed = (uint32_t)needed;
    group->group = VES_POLICY_NONE;
    policy->group_count++;
    return VES_OK;
}

static enum ves_status read_quorum(struct reader *reader)
{
    struct ves_policy *policy = reader->policy;
    struct ves_bytes name = next_word(reader);
    int witness = find_witness(policy, name), group = find_group(policy, name);

    if (reader->has_quorum)
        return wrong(reader, "a second quorum", nothing);
    if (next_word(reader).len > 0)
        return wrong(reader, "a quorum has one name", nothing);
    if (ves_bytes_is(name, "none")) {
        policy->quorum = VES_QUORUM_NONE;
    } else if (witness >= 0) {
        policy->quorum = VES_QUORUM_WITNESS;
        policy->quorum_index = (size_t)witness;
    } else if (group >= 0) {
        policy->quorum = VES_QUORUM_GROUP;
        policy->quorum_index = (size_t)group;
    } else {
        return wrong(reader, "no witness or group of this name stands above",
                     name);
    }
    reader->has_quorum = true;
    return VES_OK;
}

static enum ves_status read_line(struct reader *reader)
{
    for (size_t i = 0; i < reader->rest.len; i++) {
        uint8_t c = reader->rest.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return wrong(reader, "a control character", nothing);
    }
    struct ves_bytes word = next_word(reader);
    if (word.len == 0 || word.ptr[0] == '#')
        return VES_OK;
    if (ves_bytes_is(word, "log"))
        return read_log(reader);
    if (ves_bytes_is(word, "witness"))
        return read_witness(reader);
    if (ves_bytes_is(word, "group"))
        return read_group(reader);
    if (ves_bytes_is(word, "quorum"))
        return read_quorum(reader);
    return wrong(reader, "must begin with log, witness, group or quorum", word);
}

enum ves_status ves_policy_read(struct ves_bytes text, struct ves_policy *out,
                                struct ves_error *error)
{
    struct reader reader = {.policy = out, .error = error};

    if (text.len > VES_POLICY_MAX)
        return ves_fail(error, VES_LIMIT,
                        "a policy has at most %d bytes, this one %zu",
                        (int)VES_POLICY_MAX, text.len);
    memset(out, 0, sizeof(*out));
    while (text.len > 0) {
        reader.line++;
        if (!ves_line_take(&text, &reader.rest))
            return wrong(&reader, "the last line has no end", nothing);
        enum ves_status status = read_line(&reader);
        if (status)
            return status;
    }
    if (!reader.has_quorum)
        return ves_fail(error, VES_MALFORMED,
                        "the policy has no quorum line; \"quorum none\" asks "
                        "for no witness");
    return VES_OK;
}

bool ves_policy_is_met(const struct ves_policy *policy, uint64_t witnesses)
{
    uint32_t met[VES_POLICY_ITEMS_MAX] = {0};

    if (policy->quorum == VES_QUORUM_NONE)
        return true;
    if (policy->quorum == VES_QUORUM_WITNESS)
        return witnesses >> policy->quorum_index & 1;
    for (size_t i = 0; i < policy->witness_count; i++) {
        if (witnesses >> i & 1 && policy->witnesses[i].group >= 0)
            met[policy->witnesses[i].group]++;
    }
    /* Members stand above their group, so one pass is enough. */
    for (size_t i = 0; i < policy->group_count; i++) {
        const struct ves_policy_group *group = &policy->groups[i];
        if (met[i] >= group->needed && group->group >= 0)
            met[group->group]++;
    }
    size_t at = policy->quorum_index;
    return met[at] >= policy->groups[at].needed;
}

/* The quorum's own times: when it was first met, and until when it holds. */
static void find_times(const struct ves_policy *policy,
                       const struct ves_note_times *times,
                       struct ves_policy_verdict *out)
{
    uint64_t met_at = UINT64_MAX;

    if (policy->quorum == VES_QUORUM_NONE)
        return;
    for (size_t i = 0; i < policy->witness_count; i++) {
        uint64_t before = 0, after = 0;
        if ((out->witnesses >> i & 1) == 0)
            continue;
        for (size_t k = 0; k < policy->witness_count; k++) {
            uint64_t bit = out->witnesses & UINT64_C(1) << k;
            before |= times[k].first <= times[i].first ? bit : 0;
            after |= times[k].last >= times[i].last ? bit : 0;
        }
        if (times[i].first < met_at && ves_policy_is_met(policy, before))
            met_at = times[i].first;
        if (times[i].last > out->fresh_at && ves_policy_is_met(policy, after))
            out->fresh_at = times[i].last;
    }
    out->witnessed_at = met_at;
}

static void remember_bad(struct ves_policy_verdict *out,
                         const struct ves_note_key *key)
{
    out->has_bad = true;
    out->bad = key->name;
}

void ves_policy_check(const struct ves_policy *policy,
                      const struct ves_note *note,
                      const struct ves_checkpoint *checkpoint,
                      struct ves_policy_verdict *out)
{
    struct ves_note_times times[VES_POLICY_ITEMS_MAX] = {{0}};

    memset(out, 0, sizeof(*out));
    out->log = VES_POLICY_NONE;
    for (size_t i = 0; i < policy->log_count; i++) {
        const struct ves_note_key *key = &policy->logs[i].key;
        enum ves_note_verdict verdict = ves_note_check(note, key, NULL);
        if (verdict == VES_NOTE_BAD)
            remember_bad(out, key);
        else if (verdict == VES_NOTE_GOOD && out->log < 0 &&
                 ves_bytes_equal(key->name, checkpoint->origin))
            out->log = (int)i;
    }
    for (size_t i = 0; i < policy->witness_count; i++) {
        const struct ves_note_key *key = &policy->witnesses[i].key;
        enum ves_note_verdict verdict = ves_note_check(note, key, &times[i]);
        if (verdict == VES_NOTE_BAD)
            remember_bad(out, key);
        if (verdict != VES_NOTE_GOOD)
            continue;
        out->witnesses |= UINT64_C(1) << i;
        out->witness_count++;
    }
    out->is_met = !out->has_bad && ves_policy_is_met(policy, out->witnesses);
    if (out->is_met)
        find_times(policy, times, out);
}

/* Is the quorum met by those who went as far and spoke as late? */
static bool is_met_from(const struct ves_policy *policy,
                        const struct ves_policy_word *words, uint64_t size,
                        uint64_t time_s)
{
    uint64_t who = 0;

    for (size_t i = 0; i < policy->witness_count; i++) {
        if (words[i].size >= size && words[i].time_s >= time_s)
            who |= UINT64_C(1) << i;
    }
    return ves_policy_is_met(policy, who);
}

void ves_policy_reach(const struct ves_policy *policy,
                      const struct ves_policy_word *words,
                      struct ves_policy_reach *out)
{
    *out = (struct ves_policy_reach){.size = 0};
    if (policy->quorum == VES_QUORUM_NONE) {
        out->size = UINT64_MAX;
        return;
    }
    for (size_t i = 0; i < policy->witness_count; i++) {
        if (words[i].size > out->size &&
            is_met_from(policy, words, words[i].size, 0))
            out->size = words[i].size;
    }
    for (size_t i = 0; out->size > 0 && i < policy->witness_count; i++) {
        if (words[i].time_s > out->fresh_at &&
            is_met_from(policy, words, out->size, words[i].time_s))
            out->fresh_at = words[i].time_s;
    }
}
