/*
 * tap: the live messages of one rule, with the rows that they become.
 *
 * A tap reads the journal beside the loader, with a reader, a ruleset and a mapper of its own. So a
 * rule that nobody taps costs nothing, and a tap waits neither for the loader nor for the database.
 * Each poll looks at TAP_SCAN_MAX messages at most and shows TAP_MESSAGES_MAX; further messages are
 * counted. The rules are those in force when the tap is opened. One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_TAP_H
#define MQTT2PG_BRIDGE_TAP_H

#include "bridge/generation.h"
#include "journal/journal.h"
#include "pg/pg_connection.h"

#define TAP_MESSAGES_MAX 20
#define TAP_SCAN_MAX 5000  /* messages of the journal, of all rules */
#define TAP_LOOK_BACK 1000 /* messages that a new tap looks at, to show something at once */
#define TAP_LINES_BYTES_MAX ((size_t) 8192) /* of one message's rows, as text */

struct tap;

/* What all taps of a service have in common. All borrowed. */
struct tap_options {
    struct journal *journal;
    const struct pg_options *database; /* for formats with state; it need not be there */
    const struct config *settings;     /* those that the journal and the broker are used with */
};

/* Takes the generation. NULL when it has no rule of that name; the generation is freed then too. */
struct tap *tap_new(const struct tap_options *options, struct generation *generation,
                    const char *rule);
void tap_free(struct tap *tap);

const char *tap_rule(const struct tap *tap);

/*
 * Appends, as one JSON object, the messages from number `from` on (0: the newest messages):
 *   {"rule":…,"next":N,"more":N,"skipped":N,
 *    "messages":[{"sequence":N,"at":TIME,"topic":…,"payload":…,"lines":[…]}]}
 * `next` is the `from` of the next poll; `more` messages of the rule are not shown, `skipped`
 * messages of whatever rule were not looked at. `lines` are those of `explain`. OUTCOME_RETRY when
 * the journal can't be read.
 */
enum outcome tap_poll(struct tap *tap, uint64_t from, struct buf *out,
                      struct error *error) MUST_CHECK;

#endif
