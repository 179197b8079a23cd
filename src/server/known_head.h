/* known_head.h -- what a client knows of a log, against the log.
 *
 * A store that followed a stream holds the last checkpoint it verified, and
 * sends it with its requests:
 *
 *   x-ves-known-head: BASE64 OF THE SIGNED CHECKPOINT
 *
 * A checkpoint that our key signed and our log does not have means that this
 * database was restored from a backup, or that somebody else signs with our
 * key.  Either way the stream is frozen with the checkpoint as evidence.  The
 * claim of a client alone freezes nothing: only our own signature does.
 */
#ifndef VES_SERVER_KNOWN_HEAD_H
#define VES_SERVER_KNOWN_HEAD_H

#include "server/request.h"

#define VES_KNOWN_HEAD "x-ves-known-head"

enum { VES_KNOWN_HEAD_MAX = 4096 }; /* characters of the header */

struct ves_route;

/* Looks at the header's text, with a reader's store in request->store.  false:
 * the answer is made, or, when request->evidence is not empty, the request is
 * to be handed to the committer with ves_known_head_route. */
bool ves_known_head_check(struct ves_request *request, struct ves_bytes text);

/* Freezes the stream and answers 409. */
extern const struct ves_route ves_known_head_route;

#endif
