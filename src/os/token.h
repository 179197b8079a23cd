/* token.h -- one bearer token out of a file, kept as its hash. */
#ifndef VES_OS_TOKEN_H
#define VES_OS_TOKEN_H

#include "ves/ves.h"

struct ves_token {
    bool is_set; /* false: everybody may come in */
    struct ves_hash hash;
};

/* The first line of a secret file (ves_file_read_secret, whose errors it has),
 * without blanks behind; path NULL: no token.  VES_INVALID: an empty line. */
VES_NODISCARD enum ves_status ves_token_read(const char *path,
                                             struct ves_token *out,
                                             struct ves_error *error);

/* Does an Authorization header, NULL when there is none, show it?  Takes as
 * long whatever was given. */
bool ves_token_is_shown(const struct ves_token *token,
                        const char *authorization);

#endif
