/*
 * pg_steps: many statements in one message to the server, in libpq's pipeline mode.
 *
 *   group   step step step … Sync     a step that fails passes over the rest of its group
 *   group   step … Sync
 *
 * However many statements there are, the round trip to the server is paid once. The statements use
 * the extended protocol, so a parameter may be megabytes of binary arrays; COPY is not possible
 * here (pg_run_query() is for COPY).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PG_STEPS_H
#define MQTT2PG_PG_PG_STEPS_H

#include "base/slice.h"
#include "pg/pg_connection.h"

/* One statement and, after pg_steps_run(), what became of it. */
struct pg_step {
    const char *sql;            /* borrowed */
    const struct slice *values; /* borrowed; data NULL = null */
    size_t count;
    bool binary;                /* all values are in binary form, else all are text */
    bool rolled_back;           /* a COMMIT of what had failed: it answered ROLLBACK */
    bool ends_group;            /* the Sync stands behind it */
    bool done;                  /* it succeeded; false also for a step that was passed over */
    bool failed;                /* `failure` says why */
    int64_t affected;           /* rows, by the command tag */
    struct pg_failure *failure; /* owned; NULL unless failed */
};

/* A list of steps; zero-initialized memory is empty. */
struct pg_steps {
    struct pg_step *list; /* owned */
    size_t count;
    size_t capacity;
    size_t bytes; /* of all values */
};

/* Appends a step. Returns its index. */
size_t pg_steps_add(struct pg_steps *steps, const char *sql, const struct slice *values,
                    size_t count, bool binary);

/* The step added last ends its group. */
void pg_steps_end_group(struct pg_steps *steps);

/*
 * Sends all steps and reads all answers; the last step ends a group. OUTCOME_OK when the server has
 * answered everything, whatever the answers are. OUTCOME_RETRY: the connection is lost, and
 * `failure` says why; steps that were answered before say so. Fault point "pg.steps.sent": all is
 * sent, nothing read.
 */
enum outcome pg_steps_run(struct pg_connection *connection, struct pg_steps *steps,
                          struct pg_failure *failure) MUST_CHECK;

/* The first step that failed, or NULL. */
const struct pg_step *pg_steps_failed(const struct pg_steps *steps);

/* Empties the list. */
void pg_steps_reset(struct pg_steps *steps);
void pg_steps_fini(struct pg_steps *steps);

#endif
