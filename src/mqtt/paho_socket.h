/*
 * paho_socket: finds out about Paho's connections what Paho does not say: which socket a connection
 * has, and why a connection fails.
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

/* The sockets that were found. The inode shows whether a descriptor still belongs to the same
 * socket. */
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

/* Removes the sockets that are also among `others`. */
void paho_sockets_remove(struct paho_sockets *sockets, const struct paho_sockets *others);

/* Makes TCP acknowledge the received bytes now. A broker with Nagle's algorithm (Mosquitto) sends
 * its next small packet only after this acknowledgment, which the kernel would otherwise delay by
 * 40 ms when the bridge has nothing to send. */
void paho_sockets_acknowledge(const struct paho_sockets *sockets);

/*
 * A second descriptor for a link's own socket, for paho_socket_dismissal(); -1 when it is not known
 * which socket that is. The caller must close it soon after Paho has closed its own.
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

/* Like paho_probe(), but keeps the connection: *fd is non-blocking and closed by the caller; -1
 * when there is none, also with OUTCOME_OK (not a numeric address). */
enum outcome paho_probe_open(const char *numeric, int port, int64_t milliseconds, int *fd,
                             struct error *error) MUST_CHECK;

#endif
