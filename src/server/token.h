/* token.h -- JSON web tokens as credentials (RFC 7519, protocol.md B.1).
 *
 * Keys come from a JWK set (RFC 7517) in a file: each has a kid and exactly one
 * algorithm, HS256 (kty oct, at least 256 bits) or RS256 (kty RSA, at least
 * 2,048 bits).  A token may only be under the algorithm of its key, whatever
 * its header says: no "none", and no public key is ever a secret.
 *
 * Claims: exp and aud have to be there; sub is the tenant; stores one store, or
 * absent or empty for all; agent perhaps an agent; perms of read, write, admin,
 * separated by commas.  nbf is obeyed where it is there, iss where one is
 * wanted.  A token is never the operator's: the nil tenant is refused.
 */
#ifndef VES_SERVER_TOKEN_H
#define VES_SERVER_TOKEN_H

#include "os/jwt.h"
#include "server/auth.h"

enum {
    VES_TOKEN_MAX = 4096, /* characters */
    VES_TOKEN_KEYS_MAX = 16,
    VES_TOKEN_KID_MAX = 64,
    VES_TOKEN_SECRET_MIN = 32,
    VES_TOKEN_NAME_MAX = 256, /* of audience and issuer */
    VES_TOKEN_LEEWAY_S = 30   /* clocks differ */
};

struct ves_tokens;

struct ves_token_rules {
    const char *keys_file;
    const char *audience; /* that a token must name */
    const char *issuer;   /* NULL: any */
};

/* Reads the keys.  VES_REFUSED: others may read a file with a secret;
 * VES_MALFORMED, VES_INVALID: it is not such a set; VES_IO, VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_tokens_new(const struct ves_alloc *alloc,
               const struct ves_token_rules *rules, struct ves_tokens **out,
               struct ves_error *error);
void ves_tokens_free(struct ves_tokens *tokens); /* wipes; NULL is fine */

/* What a good token says. */
struct ves_token {
    struct ves_caller caller;
    int64_t until_ms;   /* it is good before */
    struct ves_hash id; /* the same for every token of the same caller */
};

/* VES_AUTH_OK, VES_AUTH_BAD_JWT or VES_AUTH_EXPIRED.  Reads no clock.
 * Thread-safe. */
enum ves_auth_result ves_tokens_check(const struct ves_tokens *tokens,
                                      struct ves_bytes text, int64_t now_ms,
                                      struct ves_token *out);

#endif
