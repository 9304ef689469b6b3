/* SPDX-License-Identifier: MIT */
#include "mqtt/paho_socket.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Without /proc all descriptors up to this number are tried. */
enum { DESCRIPTORS_MAX = 65536 };

/* The first byte of DISCONNECT (MQTT 5.0, section 3.14), and how many of the last bytes are
 * searched for it. */
enum { DISCONNECT = 0xE0, TAIL_BYTES = 256, READ_BYTES = 65536 };

/* The remote port of a connected IP socket, else -1. */
static int remote_port(int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t length = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *) &peer, &length) != 0) {
        return -1;
    }
    if (peer.ss_family == AF_INET) {
        return ntohs(((struct sockaddr_in *) &peer)->sin_port);
    }
    return peer.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *) &peer)->sin6_port) : -1;
}

static void socket_note(struct paho_sockets *sockets, int fd, int port)
{
    struct stat status;
    if (sockets->count < PAHO_SOCKETS_MAX && remote_port(fd) == port && fstat(fd, &status) == 0) {
        sockets->list[sockets->count].fd = fd;
        sockets->list[sockets->count].inode = status.st_ino;
        sockets->count++;
        assert(sockets->count <= PAHO_SOCKETS_MAX);
    }
}

void paho_sockets_find(struct paho_sockets *sockets, int port)
{
    sockets->count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
            socket_note(sockets, fd, port);
        }
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            socket_note(sockets, (int) strtol(entry->d_name, NULL, 10), port);
        }
    }
    closedir(directory);
}

static bool is_among(const struct paho_sockets *sockets, int fd, ino_t inode)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->list[i].fd == fd && sockets->list[i].inode == inode) {
            return true;
        }
    }
    return false;
}

void paho_sockets_remove(struct paho_sockets *sockets, const struct paho_sockets *others)
{
    size_t kept = 0;
    for (size_t i = 0; i < sockets->count; i++) {
        if (!is_among(others, sockets->list[i].fd, sockets->list[i].inode)) {
            sockets->list[kept++] = sockets->list[i];
        }
    }
    assert(kept <= sockets->count);
    sockets->count = kept;
}

/* Is the descriptor still the same socket's? Paho may have closed it, and another thread may have
 * got its number. */
static bool is_same_socket(const struct paho_sockets *sockets, size_t i)
{
    struct stat status;
    return fstat(sockets->list[i].fd, &status) == 0 && status.st_ino == sockets->list[i].inode;
}

void paho_sockets_shut(const struct paho_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (is_same_socket(sockets, i)) {
            shutdown(sockets->list[i].fd, SHUT_RDWR);
        }
    }
}

void paho_sockets_acknowledge(const struct paho_sockets *sockets)
{
    int on = 1;
    for (size_t i = 0; i < sockets->count; i++) {
        /* The descriptor may belong to another socket by now, to which this option does no harm. */
        (void) setsockopt(sockets->list[i].fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    }
}

int paho_socket_keep(const struct paho_sockets *own)
{
    return own->count == 1 ? fcntl(own->list[0].fd, F_DUPFD_CLOEXEC, 0) : -1;
}

/* Finds a DISCONNECT that is the last packet: its length must lead exactly to the end. */
static int find_dismissal(const unsigned char *tail, size_t length)
{
    for (size_t i = 0; i + 3 <= length; i++) {
        if (tail[i] == DISCONNECT && tail[i + 1] == length - i - 2) {
            return tail[i + 2];
        }
    }
    return 0;
}

int paho_socket_dismissal(int kept, const struct paho_sockets *own)
{
    unsigned char bytes[TAIL_BYTES + READ_BYTES];
    size_t length = 0;
    ssize_t got;
    if (kept < 0 || own->count != 1 || is_same_socket(own, 0)) {
        return 0;
    }
    while ((got = recv(kept, bytes + length, READ_BYTES, MSG_DONTWAIT)) > 0) {
        length += (size_t) got;
        if (length > TAIL_BYTES) {
            memmove(bytes, bytes + length - TAIL_BYTES, TAIL_BYTES);
            length = TAIL_BYTES;
        }
    }
    assert(length <= TAIL_BYTES);
    return find_dismissal(bytes, length);
}

/* Waits for a connect() under way; returns its errno. */
static int connect_wait(int fd, int64_t milliseconds)
{
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    if (poll(&poller, 1, (int) milliseconds) <= 0) {
        return ETIMEDOUT;
    }
    int number = 0;
    socklen_t length = sizeof(number);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &length) == 0 ? number : errno;
}

enum outcome paho_probe_open(const char *numeric, int port, int64_t milliseconds, int *fd,
                             struct error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *address = NULL;
    char service[8];
    *fd = -1;
    snprintf(service, sizeof(service), "%d", port);
    if (getaddrinfo(numeric, service, &hints, &address) != 0) {
        return OUTCOME_OK; /* no socket to probe */
    }
    int number = 0;
    *fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0 || connect(*fd, address->ai_addr, address->ai_addrlen) != 0) {
        number = *fd >= 0 && errno == EINPROGRESS ? connect_wait(*fd, milliseconds) : errno;
    }
    freeaddrinfo(address);
    if (number != 0) {
        if (*fd >= 0) {
            close(*fd);
        }
        *fd = -1;
        errno = number;
        return error_set(error, OUTCOME_RETRY, "could not connect to %s port %d: %s%s", numeric,
                         port, strerror(number),
                         number == ECONNREFUSED
                             ? "; is the broker running there, and listening on that address?"
                             : "");
    }
    assert(*fd >= 0);
    return OUTCOME_OK;
}

enum outcome paho_probe(const char *numeric, int port, int64_t milliseconds, struct error *error)
{
    int fd = -1;
    enum outcome outcome = paho_probe_open(numeric, port, milliseconds, &fd, error);
    if (fd >= 0) {
        close(fd);
    }
    return outcome;
}
