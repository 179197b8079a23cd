/* witness.h -- what a witness knows and decides, without HTTP.
 *
 * The folder:
 *
 *     key            the secret, a key file of kind "witness"
 *     vkey           its public half and the witness's name
 *     lock           held while a process serves the folder
 *     HEX            the last cosigned checkpoint of the origin whose SHA-256
 *                    HEX is: the log's lines and our own
 *
 * A file of an origin is replaced as a whole and on disk before a cosignature
 * leaves the process, so a crash at any time leaves a witness that knows at
 * least what others may know.  Between reading and replacing it the origin's
 * lock is held: that is the compare-and-swap.
 */
#ifndef VES_WITNESS_WITNESS_H
#define VES_WITNESS_WITNESS_H

#include <pthread.h>

#include "base/buf.h"
#include "core/add_checkpoint.h"
#include "port/crypt.h"
#include "ves/witness.h"

enum {
    VES_WITNESS_LOGS_MAX = 1024,
    VES_WITNESS_LOCKS = 64, /* origins share them */
    VES_WITNESS_PATH_MAX = 4096,
    VES_WITNESS_HEX = 64 /* characters of an origin's hash */
};

/* One line of the list of logs. */
struct ves_witness_log {
    bool is_prefix;
    struct ves_bytes name; /* origin, or what origins begin with */
    struct ves_public_key key;
};

struct ves_witness_http;

struct ves_witness {
    const struct ves_alloc *alloc;
    char dir[VES_WITNESS_PATH_MAX];
    int lock_fd;
    struct ves_signer *signer;
    struct ves_buf vkey; /* NUL behind it */
    struct ves_note_key key;
    struct ves_buf list; /* text that logs view */
    struct ves_witness_log *logs;
    size_t log_count;
    pthread_mutex_t locks[VES_WITNESS_LOCKS];
    struct ves_witness_http *http;
};

/* Reads key, name and logs, and locks the folder.  VES_INVALID without a name
 * at the first start or with another one later; VES_BUSY; VES_IO ... */
VES_NODISCARD enum ves_status
ves_witness_open(const struct ves_witness_options *options,
                 struct ves_witness **out, struct ves_error *error);
/* NULL allowed. */
void ves_witness_close(struct ves_witness *witness);

/* An answer: HTTP's status, and what its body is. */
struct ves_witness_reply {
    unsigned status;
    bool is_size; /* text/x.tlog.size; else text/plain */
    struct ves_buf body;
};

/* What add-checkpoint answers to this body at that time; the body of a refusal
 * says why.  May be called from several threads.  reply->body is the caller's
 * to free. */
void ves_witness_add(struct ves_witness *witness, struct ves_bytes body,
                     uint64_t now_s, struct ves_witness_reply *reply);

/* The last cosigned checkpoint of the origin with this hash; 404 when there is
 * none. */
void ves_witness_show(struct ves_witness *witness, struct ves_bytes hex,
                      struct ves_witness_reply *reply);

/* Reads the list of logs into witness->logs.  VES_MALFORMED with the line's
 * number, VES_LIMIT, VES_NOMEM. */
VES_NODISCARD enum ves_status ves_witness_logs_read(struct ves_witness *witness,
                                                    struct ves_error *error);

/* Serving it; http.c. */
VES_NODISCARD enum ves_status
ves_witness_http_start(struct ves_witness *witness,
                       const struct ves_witness_options *options,
                       struct ves_error *error);
void ves_witness_http_stop(struct ves_witness *witness);

#endif
