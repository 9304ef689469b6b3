/*
 * session_file: what each broker's session holds for us, in the text file "session" of the
 * journal's directory.
 *
 * From it a restart knows what to subscribe and unsubscribe, and whether a broker that has no
 * session has lost one:
 *
 *   mqtt2pg session 1
 *   client_id plant-7
 *   broker mqtt://localhost:1883
 *   seen 1795405962000000
 *   settled
 *   connecting
 *   marks_repeats
 *   subscription 1 1 23481723 devices/+/telemetry        qos, retain handling, identifier, filter
 *   doubled devices/#
 *   last mqtt://localhost:1883
 *
 * "settled" is removed before a connection is tried and written again when all is subscribed. In
 * between the broker may make a new, empty session. When the process dies there, the next process
 * finds a session that is not settled, and subscribes everything again.
 *
 * "connecting" stands there while an answer to CONNECT is awaited, if there was a session before.
 * In between the broker may answer that the session is lost. When the process dies there, the next
 * process is told that a session is present, which may be the new one, and reports a possible gap.
 *
 * "marks_repeats" says that the broker has set DUP in this session. From then on a delivery without
 * DUP is a new message, also after a restart, whatever it equals (mqtt/redelivery.h).
 *
 * "doubled" names a filter of which the broker's queue may hold two copies (struct session).
 *
 * In texts "%", control characters and spaces are written as %XX. A file that makes no sense, that
 * belongs to another client_id, or that is no regular file is ignored. One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MQTT_SESSION_FILE_H
#define MQTT2PG_MQTT_SESSION_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/outcome.h"
#include "core/message.h"
#include "core/subscription.h"

/* What is known of a session. mqtt/receiver_connect.c changes the state. */
enum session_state {
    /* At first, and while subscriptions change: everything must be subscribed again. Left when all
     * is subscribed. */
    SESSION_UNKNOWN,
    /* The broker's session holds exactly `held`. Left before CONNECT is sent. */
    SESSION_SETTLED,
    /* The session holds `held`, and perhaps filters that were not answered when the connection
     * ended. The file has no word for this state: after a restart it is SESSION_UNKNOWN. */
    SESSION_PARTLY,
    /* CONNECT was sent to a broker that had a session, and nobody knows what CONNACK said. Left at
     * CONNACK. */
    SESSION_CONNECTING,
};

struct session {
    char *url; /* owned; as configured */
    enum session_state state;
    int64_t seen_us;    /* wall clock, when we last knew that we were connected to it; 0 = never */
    bool marks_repeats; /* the broker has set DUP */
    struct subscription_set held;
    /* Sent in a SUBSCRIBE or about to be, and not answered: the session may hold them. A later
     * process finds them among `held`. */
    struct subscription_set asked;
    /* MQTT 3.1.1: filters that overlapped while subscriptions changed. The broker's queue may hold
     * two copies of a message that matches two of them; empty when that queue is over. Only the
     * filters count. */
    struct subscription_set doubled;
};

struct session_file {
    char *directory;      /* owned */
    char *client_id;      /* owned */
    char *last_url;       /* owned; of the broker that we were connected to last, or NULL */
    struct session *list; /* owned */
    size_t count;
};

/* Reads the file; begins an empty one when there is none or it makes no sense (a warning). Copies
 * the texts. */
void session_file_init(struct session_file *file, const char *directory, const char *client_id);
void session_file_fini(struct session_file *file);

/* The session at this broker, made when missing; valid until the next one is made. */
struct session *session_file_find(struct session_file *file, const char *url);

/* The number of a session's broker, for the journal's records (core/message.h): the same as long as
 * this file lives, whatever the order of broker.url; 0 when there are too many. */
uint8_t session_file_number(const struct session_file *file, const struct session *session);

/* Replaces the file: writes a temporary file, syncs and renames it. */
enum outcome session_file_save(const struct session_file *file, struct error *error) MUST_CHECK;

/* Makes `subscription` part of what is held, in place of one with the same filter. */
void session_hold(struct session *session, const struct subscription *subscription);
void session_release(struct session *session, const char *filter);

/* The broker's session is a new one: it holds nothing. */
void session_forget(struct session *session);

/* Before SUBSCRIBE: sets the state to unknown, and adds wanted filters that are not held to
 * `asked`, except covered ones. True when some wanted filter is not held. */
bool session_ask(struct session *session, const struct subscription_set *wanted);

#endif
