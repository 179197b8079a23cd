/* listen.c -- HOST:PORT, the loopback rule and the listening socket. */
#include "os/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "os/file.h"

static enum ves_status malformed(struct ves_error *error)
{
    return ves_fail(error, VES_INVALID,
                    "the address to listen on must be HOST:PORT, for example "
                    "127.0.0.1:8080 or [::1]:8080");
}

enum ves_status ves_listen_read(const char *text,
                                struct ves_listen_address *out,
                                struct ves_error *error)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    *out = (struct ves_listen_address){0};
    if (!colon || strlen(colon + 1) > 5 ||
        ves_decimal_parse(ves_bytes_str(colon + 1), &port) || port > 65535)
        return malformed(error);
    struct ves_bytes host = ves_bytes(text, (size_t)(colon - text));
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']') {
        host = ves_bytes(host.ptr + 1, host.len - 2);
        out->is_v6 = true;
    }
    if (host.len == 0 || host.len > VES_LISTEN_HOST_MAX ||
        (!out->is_v6 && memchr(host.ptr, ':', host.len)))
        return malformed(error);
    memcpy(out->host, host.ptr, host.len);
    memcpy(out->port, colon + 1, strlen(colon + 1));
    return VES_OK;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    return false;
}

static unsigned bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len))
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port
                                                   : address.v4.sin_port);
}

/* A listening socket, or -1 with errno. */
static int try_one(const struct addrinfo *info)
{
    int on = 1;
    int fd = socket(info->ai_family,
                    info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    info->ai_protocol);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, info->ai_addr, info->ai_addrlen) == 0 &&
        listen(fd, VES_LISTEN_BACKLOG) == 0)
        return fd;
    int saved = errno;
    (void)close(fd);
    errno = saved;
    return -1;
}

static enum ves_status resolve(const struct ves_listen_address *address,
                               struct addrinfo **list, struct ves_error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int result = getaddrinfo(address->host, address->port, &hints, list);
    if (result)
        return ves_fail(error, VES_INVALID, "%s cannot be listened on: %s",
                        address->host, gai_strerror(result));
    return VES_OK;
}

enum ves_status ves_listen_is_loopback(const struct ves_listen_address *address,
                                       bool *out, struct ves_error *error)
{
    struct addrinfo *list = NULL;
    enum ves_status status = resolve(address, &list, error);
    if (status)
        return status;
    *out = true;
    for (const struct addrinfo *info = list; info; info = info->ai_next)
        *out = *out && is_loopback(info->ai_addr);
    freeaddrinfo(list);
    return VES_OK;
}

enum ves_status ves_listen_open(const struct ves_listen_address *address,
                                bool is_tls, int *fd, unsigned *port,
                                struct ves_error *error)
{
    struct addrinfo *list = NULL;
    enum ves_status status = resolve(address, &list, error);
    if (status)
        return status;
    for (const struct addrinfo *info = list; info; info = info->ai_next) {
        if (!is_tls && !is_loopback(info->ai_addr))
            status = ves_fail(
                error, VES_REFUSED,
                "%s is not loopback, and without TLS everybody on the way "
                "could read and change what is sent; listen on 127.0.0.1 (or "
                "give ves serve --tls-cert and --tls-key)",
                address->host);
    }
    *fd = -1;
    int reason = 0;
    for (const struct addrinfo *info = list; !status && info && *fd < 0;
         info = info->ai_next) {
        *fd = try_one(info);
        reason = *fd < 0 ? errno : 0;
    }
    freeaddrinfo(list);
    if (status)
        return status;
    if (*fd < 0)
        return ves_fail(error, VES_IO, "cannot listen on %s port %s: %s",
                        address->host, address->port, ves_file_reason(reason));
    *port = bound_port(*fd);
    return VES_OK;
}

void ves_listen_hang_up(int fd)
{
    (void)shutdown(fd, SHUT_RDWR);
}
