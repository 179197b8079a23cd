/* framing.h -- does the head of a request say the same to everybody?
 *
 * A proxy before us that reads one otherwise would take what is in a body for
 * a request of somebody else (RFC 9112, 5.1, 6.1 and 6.3), or let one key pass
 * and have another one counted.
 */
#ifndef VES_OS_FRAMING_H
#define VES_OS_FRAMING_H

#include "os/mhd.h"

enum { VES_FRAMING_NAMES_MAX = 8 };

/* What to say to whoever sends such a request; afterwards its connection is to
 * be closed, since nobody knows where the next one begins. */
#define VES_FRAMING_WORDS                                                      \
    "the headers say more than once where the body ends, which host is meant " \
    "or who asks, name a Transfer-Encoding other than chunked, or have a "     \
    "blank before a colon; send one of each"

/* Is there more than one of Content-Length and Transfer-Encoding, an encoding
 * other than chunked, a name that is none (libmicrohttpd takes a blank before
 * the colon for a part of the name, others for none of it), or more than one
 * field of a name in `once`?  once: at most VES_FRAMING_NAMES_MAX, then NULL.
 */
VES_NODISCARD bool ves_framing_is_ambiguous(struct MHD_Connection *connection,
                                            const char *const *once);

#endif
