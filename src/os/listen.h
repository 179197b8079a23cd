/* listen.h -- HOST:PORT, the loopback rule and the listening socket. */
#ifndef VES_OS_LISTEN_H
#define VES_OS_LISTEN_H

#include "ves/ves.h"

enum { VES_LISTEN_HOST_MAX = 255, VES_LISTEN_BACKLOG = 1024 };

struct ves_listen_address {
    char host[VES_LISTEN_HOST_MAX + 1]; /* without brackets */
    char port[6];
    bool is_v6; /* written with brackets */
};

/* Reads "host:port", "1.2.3.4:port" or "[v6]:port".  VES_INVALID.  Pure. */
VES_NODISCARD enum ves_status ves_listen_read(const char *text,
                                              struct ves_listen_address *out,
                                              struct ves_error *error);

/* Is every address the name has loopback?  VES_INVALID: it has none. */
VES_NODISCARD enum ves_status
ves_listen_is_loopback(const struct ves_listen_address *address, bool *out,
                       struct ves_error *error);

/* Resolves, binds and listens.  Without is_tls every address the name has must
 * be loopback, else VES_REFUSED.  *port is the one bound.  VES_IO. */
VES_NODISCARD enum ves_status
ves_listen_open(const struct ves_listen_address *address, bool is_tls, int *fd,
                unsigned *port, struct ves_error *error);

/* Ends a connection from both sides, whoever waits for it; the descriptor stays
 * its owner's to close. */
void ves_listen_hang_up(int fd);

#endif
