/* anchors.h -- what the caller of ves verify believes, out of its options. */
#ifndef VES_APP_ANCHORS_H
#define VES_APP_ANCHORS_H

#include "cli.h"
#include "ves/verify.h"

enum { CLI_ANCHORS_MAX = 64 }; /* of each kind */

/* Owns what the anchors borrow. */
struct cli_anchors {
    struct ves_verify_anchors anchors;
    char *policy;
    struct ves_stream stream;
    struct ves_public_key owner_key;
    struct ves_public_key sequencer_keys[CLI_ANCHORS_MAX];
    struct ves_verify_agent agents[CLI_ANCHORS_MAX];
    struct ves_verify_head heads[CLI_ANCHORS_MAX];
    /* Signed checkpoints of --known, by head: evidence can be made of them;
     * NULL where only size and root are known. */
    char *notes[CLI_ANCHORS_MAX];
    /* Files of --known that keep many heads, for who takes_files. */
    bool takes_files;
    const char *files[CLI_ANCHORS_MAX];
    size_t file_count;
};

/* The options it reads; for a command's table. */
#define CLI_ANCHOR_OPTIONS                                                   \
    {"policy", "FILE", "logs, witnesses and quorum (C2SP tlog-policy)"},     \
        {"stream", "TENANT/STORE", "the stream it must be of"},              \
        {"sequencer-key", "KEY", "a key that signs receipts (repeatable)"},  \
        {"owner-key", "KEY", "the stream's owner: agents' keys by the log"}, \
        {"agent-key", "AGENT/ID/KEY",                                        \
         "an agent's key you know; /FROM-UNTIL limits it (rep.)"},           \
        {"head", "SIZE:ROOT", "a head of the log you know (repeatable)"},    \
        {"known", "FILE", "a signed checkpoint of the log you hold (rep.)"}, \
    {                                                                        \
        "stale", "SECONDS", "witnesses' word may be that old (default: any)" \
    }

/* Ends the program with CLI_USAGE where an option cannot be read.  Free with
 * cli_anchors_free. */
void cli_anchors_read(struct cli *cli, struct cli_anchors *out);
/* The heads alone: --head and --known. */
void cli_anchors_heads(struct cli *cli, struct cli_anchors *out);
/* --policy, --stream, --owner-key, --sequencer-key and --agent-key as far as
 * they are given.
 */
void cli_anchors_log(struct cli *cli, struct cli_anchors *out);
void cli_anchors_free(struct cli_anchors *anchors);

/* --agent-key and --sequencer-key alone. */
void cli_anchors_keys(struct cli *cli, struct cli_anchors *out);

/* The signed checkpoint in a bundle or a proof: what stands behind the first
 * empty line; NULL when there is none.  Points into text. */
const char *cli_anchors_note(const char *text);

#endif
