/*
 * pg_steps: many statements in one message to the server, in libpq's pipeline mode.
 *
 *   group   step step step … Sync     after a step that fails, the server skips the group's rest
 *   group   step … Sync
 *
 * All statements together cost one round trip to the server. They use the extended protocol, so a
 * parameter may be megabytes of binary arrays. libpq does not allow COPY in a pipeline: COPY is for
 * pg_query_run().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_STEPS_H
#define MQTT2PG_PG_PG_STEPS_H

#include "base/slice.h"
#include "pg/pg_connection.h"

/* One statement and, after pg_steps_run(), its result. */
struct pg_step {
    const char *sql;            /* borrowed */
    const struct slice *values; /* borrowed; data NULL = SQL's null */
    size_t count;               /* of values */
    bool binary;                /* all values are in binary form; false: all are texts */
    bool rolled_back;           /* the command tag is ROLLBACK, also of a COMMIT after an ERROR */
    bool ends_group;            /* a Sync follows this step */
    bool done;                  /* succeeded; false also when the server skipped the step */
    bool failed;                /* `failure` gives the reason */
    int64_t affected;           /* number of rows in the command tag */
    struct pg_failure *failure; /* owned; NULL unless failed */
};

/* A list of steps; zero-initialized memory is empty. */
struct pg_steps {
    struct pg_step *list; /* owned */
    size_t count;
    size_t capacity;
    size_t bytes; /* length of all values together */
};

/* Appends a step. Returns its index. */
size_t pg_steps_add(struct pg_steps *steps, const char *sql, const struct slice *values,
                    size_t count, bool binary);

/* Puts a Sync behind the step that was added last. */
void pg_steps_end_group(struct pg_steps *steps);

/*
 * Sends all steps and reads all answers; the last step ends its group. OUTCOME_OK: the server has
 * answered every step; the answers may be errors. OUTCOME_RETRY: the connection is lost, and
 * `failure` gives the reason; the steps that the server answered before have their results. Fault
 * point "pg.steps.sent": all steps are sent, no answer is read.
 */
enum outcome pg_steps_run(struct pg_connection *connection, struct pg_steps *steps,
                          struct pg_failure *failure) MUST_CHECK;

/* The first step that failed, or NULL. */
const struct pg_step *pg_steps_failed(const struct pg_steps *steps);

/* Empties the list and keeps its memory. */
void pg_steps_reset(struct pg_steps *steps);
void pg_steps_fini(struct pg_steps *steps);

#endif
