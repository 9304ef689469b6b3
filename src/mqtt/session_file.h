/*
 * session_file: the text file "session" of the journal's directory, which says what each broker's
 * session holds for the bridge.
 *
 * After a restart the file shows what to subscribe and unsubscribe, and whether a broker without a
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
 * "connecting" stands in the file while CONNACK is awaited, if there was a session before. In
 * between the broker may answer that the session is lost. When the process dies there, the next
 * process is told that a session is present, which may be the new one, and reports a possible gap.
 *
 * "marks_repeats" says that the broker has set DUP in this session. From then on a delivery without
 * DUP is a new message, even when it equals an earlier one, also after a restart
 * (mqtt/redelivery.h).
 *
 * "doubled" names a filter of which the broker's queue may hold two copies (struct session).
 *
 * In texts "%", control characters and spaces are written as %XX. The file is ignored when it makes
 * no sense, belongs to another client_id, or is not a regular file. One thread.
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

/* How well the session's subscriptions are known. mqtt/receiver_connect.c changes the state. */
enum session_state {
    /* At first, and while subscriptions change: all filters must be subscribed again. Left when all
     * are subscribed. */
    SESSION_UNKNOWN,
    /* The broker's session holds exactly `held`. Left before CONNECT is sent. */
    SESSION_SETTLED,
    /* The session holds `held`, and perhaps filters that were not answered when the connection
     * ended. The file has no word for this state: after a restart it is SESSION_UNKNOWN. */
    SESSION_PARTLY,
    /* CONNECT was sent to a broker that had a session, and CONNACK has not come. Left at
     * CONNACK. */
    SESSION_CONNECTING,
};

struct session {
    char *url; /* owned; as configured */
    enum session_state state;
    int64_t seen_us;    /* wall clock, when we last knew that we were connected to it; 0 = never */
    bool marks_repeats; /* the broker has set DUP */
    struct subscription_set held;
    /* Filters of a SUBSCRIBE that is sent or about to be sent, and not answered: the session may
     * hold them. A later process finds them among `held`. */
    struct subscription_set asked;
    /* MQTT 3.1.1: filters that overlapped while subscriptions changed. The broker's queue may hold
     * two copies of a message that matches two of them; empty when that queue is over. Of these
     * subscriptions only the filters matter. */
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

/* The session at this broker; a new one is added. Valid until the next call. */
struct session *session_file_find(struct session_file *file, const char *url);

/* The number of a session's broker, for the journal's records (core/message.h): the same as long as
 * this file lives, whatever the order of broker.url; 0 when there are too many. */
uint8_t session_file_number(const struct session_file *file, const struct session *session);

/* Replaces the file: writes a temporary file, syncs and renames it. */
enum outcome session_file_save(const struct session_file *file, struct error *error) MUST_CHECK;

/* Adds `subscription` to `held`, in place of one with the same filter. */
void session_hold(struct session *session, const struct subscription *subscription);
void session_release(struct session *session, const char *filter);

/* The broker's session is new and holds no subscriptions. */
void session_forget(struct session *session);

/* To be called before SUBSCRIBE. Sets the state to unknown, and adds wanted filters that are not
 * held to `asked`, except covered ones. True when some wanted filter is not held. */
bool session_ask(struct session *session, const struct subscription_set *wanted);

#endif
