/*
 * loader: the half that reads the journal: a thread that turns messages into committed rows.
 *
 *   connect ─▶ read progress ─▶ ┌▶ wait for messages ─▶ build a batch ─▶ store it ─┐
 *      ▲                        └──────────────◀ committed, or again ◀────────────┘
 *      └─────────────── connection lost, or progress is not where we think ◀───────┘
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_H
#define MQTT2PG_LOAD_LOADER_H

#include "ack/outbox.h"
#include "journal/journal.h"
#include "load/added_columns.h"
#include "load/batch_options.h"
#include "load/ruleset.h"
#include "pg/pg_connection.h"

struct loader_options {
    struct pg_options database;
    struct batch_options batch;
    struct journal *journal; /* borrowed */
    struct outbox *outbox;   /* borrowed; NULL: no acknowledgments */
    /* borrowed; lists the columns that add_columns has added. NULL: none are added */
    struct added_columns *added;
};

struct loader;

/* Starts the thread; it begins to connect. Borrows the ruleset until another one is in use. */
struct loader *loader_start(const struct loader_options *options, const struct ruleset *ruleset);

/* Is this the only process that stores for this client_id? While UNKNOWN or WAITS, the bridge
 * should take no message from the broker: the message would be acknowledged, and this process might
 * have to end with the message in its journal. */
enum loader_identity {
    LOADER_IDENTITY_UNKNOWN, /* the database has not answered yet */
    LOADER_IDENTITY_WAITS,   /* another session has it, perhaps that of a process that is gone */
    /* this process had the identity at least once; stays so while the database is away */
    LOADER_IDENTITY_OURS,
    /* The database can't be asked; meanwhile the journal takes messages. */
    LOADER_IDENTITY_UNREACHABLE,
    LOADER_IDENTITY_TAKEN, /* another process stores; this one is about to stop with exit code 4 */
};
enum loader_identity loader_identity(struct loader *loader);

/* Other rules and batch limits from the next batch on (reload). Borrows the ruleset. */
void loader_set_rules(struct loader *loader, struct ruleset *ruleset,
                      const struct batch_options *batch);

/* The ruleset in use: rulesets given before it may be freed. Any thread. */
const struct ruleset *loader_ruleset(struct loader *loader);

/* Stores what the journal has, as long as the database works and at most `milliseconds`, then ends
 * the thread and frees everything. True when the journal is stored to its end. NULL is legal. */
bool loader_stop(struct loader *loader, int64_t milliseconds);

#endif
