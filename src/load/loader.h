/*
 * loader: the pulling half: a thread that turns the journal into committed rows.
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
    struct journal *journal;     /* borrowed */
    struct outbox *outbox;       /* borrowed; NULL: no acknowledgments */
    struct added_columns *added; /* borrowed; gets what add_columns adds. NULL: nothing is added */
};

struct loader;

/* Starts the thread; it begins to connect. Borrows the ruleset until another one is in use. */
struct loader *loader_start(const struct loader_options *options, const struct ruleset *ruleset);

/* Is this the only process that stores for this client_id? While UNKNOWN, no message should be
 * taken from the broker: it would be acknowledged and then lie in the journal of a process that
 * ends. */
enum loader_identity {
    LOADER_IDENTITY_UNKNOWN, /* the database has not answered yet */
    LOADER_IDENTITY_OURS,    /* this process was told so once; kept while the database is away */
    /* The database can't be asked; meanwhile the journal takes messages. */
    LOADER_IDENTITY_UNREACHABLE,
    LOADER_IDENTITY_TAKEN, /* another process stores; this one is about to stop with exit code 4 */
};
enum loader_identity loader_identity(struct loader *loader);

/* Other rules and batch limits from the next batch on (reload). Borrows the ruleset. */
void loader_set_rules(struct loader *loader, struct ruleset *ruleset,
                      const struct batch_options *batch);

/* The ruleset in use: those given before it may be freed. Any thread. */
const struct ruleset *loader_ruleset(struct loader *loader);

/* Stores what the journal has, as long as the database works and at most `milliseconds`, then ends
 * the thread and frees everything. True when the journal is stored to its end. NULL is legal. */
bool loader_stop(struct loader *loader, int64_t milliseconds);

#endif
