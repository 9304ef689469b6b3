/*
 * paho_socket: what Paho does not tell about its connections: which socket it is, and why there is
 * none.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_PAHO_SOCKET_H
#define MQTT2PG_MQTT_PAHO_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/outcome.h"

#define PAHO_SOCKETS_MAX 16

/* Sockets as they were found; the inode tells whether a descriptor is still the same one. */
struct paho_sockets {
    struct {
        int fd;
        ino_t inode;
    } list[PAHO_SOCKETS_MAX];
    size_t count;
};

/* All TCP sockets of this process that are connected to this port. */
void paho_sockets_find(struct paho_sockets *sockets, int port);

/* Shuts down those that still exist. */
void paho_sockets_shut(const struct paho_sockets *sockets);

/* Takes out those that are also among `others`. */
void paho_sockets_remove(struct paho_sockets *sockets, const struct paho_sockets *others);

/* Has TCP acknowledge now what has arrived on them. Nothing else tells a broker that leaves Nagle's
 * algorithm on (Mosquitto does) to send its next small packet while we have nothing to send: the
 * kernel would wait 40 ms for it. */
void paho_sockets_acknowledge(const struct paho_sockets *sockets);

/*
 * A second descriptor for a link's own socket, for paho_socket_dismissal(); -1 when it is not known
 * which one that is. The caller closes it, soon after Paho has closed its own.
 */
int paho_socket_keep(const struct paho_sockets *own);

/*
 * The reason code of a DISCONNECT (MQTT 5) that arrived and that Paho never read. A broker that
 * throws a client out sends DISCONNECT and closes; Paho gives the connection up at the first PUBACK
 * that it cannot write, and does not read the rest. 0: there is no DISCONNECT, or Paho has not
 * closed the socket.
 */
int paho_socket_dismissal(int kept, const struct paho_sockets *own);

/* Why did a connection to this address fail? Tries a TCP connection, at most `milliseconds`, and
 * closes it. OUTCOME_OK: TCP works. */
enum outcome paho_probe(const char *numeric, int port, int64_t milliseconds,
                        struct error *error) MUST_CHECK;

/* The same, and the connection stays: *fd, non-blocking, the caller closes it; -1 when there is
 * none, also with OUTCOME_OK (not a numeric address). */
enum outcome paho_probe_open(const char *numeric, int port, int64_t milliseconds, int *fd,
                             struct error *error) MUST_CHECK;

#endif
