/* jwt.h -- signatures of JSON web tokens, by libjwt, loaded when somebody is
 * to show one.
 *
 * Only the signature is its business here: which key and algorithm a token may
 * be under, and what it says, is read by server/token.h.
 */
#ifndef VES_OS_JWT_H
#define VES_OS_JWT_H

#include "ves/ves.h"

enum ves_jwt_alg { VES_JWT_HS256, VES_JWT_RS256 };

/* Before the first of the calls below; VES_IO when libjwt is not installed. */
VES_NODISCARD enum ves_status ves_jwt_load(struct ves_error *error);

/* Is the token's signature good, under exactly this algorithm?  token is
 * NUL-terminated; key is the secret, or the PEM text of the public key, not
 * empty.  Thread-safe. */
bool ves_jwt_is_signed(const char *token, enum ves_jwt_alg alg,
                       struct ves_bytes key);

#endif
