/* tls_server.h -- the certificates of who listens, read anew without a restart,
 * and those of clients, where only some may come.
 *
 * The library that serves HTTP asks for the pair at each handshake
 * (ves_tls_server_choose); it has no place for a context, so a process has one
 * of these at a time.  Pairs that were replaced are kept until the end, since
 * handshakes may still use them: one for each change.
 */
#ifndef VES_OS_TLS_SERVER_H
#define VES_OS_TLS_SERVER_H

#include "base/buf.h"

struct ves_tls_server;

/* Reads the pair and, unless client_ca_path is NULL, the authorities whose
 * certificates clients must show (PEM).  The paths are copied.  VES_BUSY:
 * there is another one; as of ves_tls_pair_read. */
VES_NODISCARD enum ves_status
ves_tls_server_new(const struct ves_alloc *alloc, const char *cert_path,
                   const char *key_path, const char *client_ca_path,
                   struct ves_tls_server **out, struct ves_error *error);
/* After the last handshake; NULL is fine. */
void ves_tls_server_free(struct ves_tls_server *tls);

/* Reads the pair's files again.  On failure the pair stays what it was.
 * *is_new: it was another one, and handshakes get it from now on.  From one
 * thread at a time. */
VES_NODISCARD enum ves_status ves_tls_server_reload(struct ves_tls_server *tls,
                                                    bool *is_new,
                                                    struct ves_error *error);

/* SHA-256 of the SubjectPublicKeyInfo of the pair in use.  Thread-safe. */
void ves_tls_server_spki(struct ves_tls_server *tls, struct ves_hash *out);

/* The authorities for clients, PEM with a NUL; NULL: anybody may come. */
const char *ves_tls_server_trust(const struct ves_tls_server *tls);

/* A gnutls_certificate_retrieve_function3, as a pointer without a type. */
void *ves_tls_server_choose(void);

/* Did the client of this gnutls_session_t show a certificate for clients that
 * one of the authorities vouches for, and that is valid now? */
bool ves_tls_server_vouches(void *session);

#endif
