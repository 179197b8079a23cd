/* ves/witness.h -- a witness of transparency logs (libves-server, not part of
 * libves: only the ves program links it).
 *
 * It cosigns a log's checkpoint when the tree only added to the one it has
 * cosigned before, and remembers that before it answers: C2SP tlog-witness
 * with Ed25519 cosignatures (v1).
 */
#ifndef VES_WITNESS_H
#define VES_WITNESS_H

#include "ves/ves.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ves_witness;

struct ves_witness_options {
    /* Folder, made with mode 0700 when missing: the key, the name, a lock, and
     * a file for each origin.  It must never be restored from a copy: a
     * witness that forgot cosigns a fork. */
    const char *dir;
    const char *name; /* in signature lines; NULL: as before */
    /* Whose checkpoints are cosigned, lines of
     *     log NAME+ID+KEY        this origin
     *     prefix PREFIX KEY      every origin that begins so; KEY is the last
     *                            part of such a log's key
     * with "#" comments.  Read once. */
    const char *logs;
    const char *listen;   /* HOST:PORT; port 0: any free one */
    const char *tls_cert; /* PEM files; both or none */
    const char *tls_key;
    const char *token_file; /* its first line is what clients must show as
                               bearer token to submit; NULL: nothing */
    const char *port_file;  /* written with "HOST:PORT\n" once listening */
    bool seal_key;          /* seal a key made now with passphrase's answer */
    int (*passphrase)(void *ctx, char *out, size_t size); /* may be NULL */
    void *passphrase_ctx;
};

/* Opens the folder, listens and serves POST /add-checkpoint and GET
 * /HEX/checkpoint, HEX being the SHA-256 of the origin.  Refuses to listen off
 * loopback without TLS; VES_BUSY while another process has the folder. */
VES_NODISCARD enum ves_status
ves_witness_start(const struct ves_witness_options *options,
                  struct ves_witness **out, struct ves_error *error);
/* Where it listens; its key as policies name it.  Valid until stop. */
const char *ves_witness_url(const struct ves_witness *witness);
const char *ves_witness_vkey(const struct ves_witness *witness);
/* Answers what is under way, then stops. */
void ves_witness_stop(struct ves_witness *witness);

#ifdef __cplusplus
}
#endif
#endif
