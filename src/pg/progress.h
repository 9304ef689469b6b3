/*
 * progress: the table `progress`, which says how far this client's journal is stored, and the
 * bridge's own schema.
 *
 * The row moves in the transaction that stores the rows, by compare-and-set as its first statement.
 * So reading the row waits for its lock and then shows whether an unanswered COMMIT took effect,
 * and a second process with the same client_id can't store.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_PROGRESS_H
#define MQTT2PG_PG_PROGRESS_H

#include "pg/pg_connection.h"

enum { PROGRESS_CLIENT_ID_MAX = 65536 }; /* MQTT's limit on texts */

/*
 * Makes the schema and its tables when they are missing (sql/mqtt2pg.sql with the configured schema
 * name). When they exist, no CREATE privilege is needed. OUTCOME_FATAL, with the command to run by
 * hand, when they are missing and the role may not make them. What storing can do without (an
 * index, a column for a command) is only told in the log then.
 */
enum outcome progress_ensure_schema(struct pg_connection *connection,
                                    struct error *error) MUST_CHECK;

/* The SQL of the schema, for `mqtt2pg schema`. */
void progress_schema_sql(struct buf *out, const char *schema);

/* Who has the identity. */
struct progress_lock {
    bool taken;
    /* the holder's COMMIT waits for a synchronous standby: its process may be gone */
    bool holder_waits;
    char holder[64]; /* "pid 17 from 10.0.0.2"; "" = ours, or not told */
};

/* Takes the session's advisory lock for this client_id. `taken` is false when another session holds
 * it: another process stores under this client_id. */
enum outcome progress_lock(struct pg_connection *connection, struct progress_lock *lock,
                           struct pg_failure *failure) MUST_CHECK;

/* Which row of `progress` was found. */
enum progress_owner {
    PROGRESS_NONE,    /* neither this client nor this journal has a row */
    PROGRESS_OURS,    /* of this client and this journal */
    PROGRESS_RENAMED, /* of this journal under another client_id: progress_adopt() */
    /* of the journal that this client stored last; the present journal has no row */
    PROGRESS_OTHER_JOURNAL,
};

struct progress {
    enum progress_owner owner;
    char client_id[PROGRESS_CLIENT_ID_MAX];
    char journal[40]; /* its UUID */
    uint64_t position;
    int64_t stored_at_us;
};

enum outcome progress_read(struct pg_connection *connection, const char *journal,
                           struct progress *progress, struct pg_failure *failure) MUST_CHECK;

/* Takes over the row of this journal and its dead letters from the client_id `former`. *adopted is
 * false when a process stores under that client_id. */
enum outcome progress_adopt(struct pg_connection *connection, const char *journal,
                            const char *former, bool *adopted,
                            struct pg_failure *failure) MUST_CHECK;

/* Writes the row without comparing: at the first start, or for a new journal. */
enum outcome progress_write(struct pg_connection *connection, const char *journal,
                            uint64_t position, struct pg_failure *failure) MUST_CHECK;

/* A step of this client's row. With from = to the position stays, and only stored_at shows that
 * rows were stored. */
struct progress_step {
    const char *journal; /* borrowed */
    uint64_t from;
    uint64_t to;
};

/* Inside a transaction. *stored_at_us is greater than before; 0: the row is not where we think;
 * roll back and read it. */
enum outcome progress_move(struct pg_connection *connection, const struct progress_step *step,
                           int64_t *stored_at_us, struct pg_failure *failure) MUST_CHECK;

/* The same step as a statement that fails with PROGRESS_STALE_STATE when the row is at another
 * position: in one form with parameters, in another without. */
#define PROGRESS_STALE_STATE "22012" /* division_by_zero */
enum { PROGRESS_VALUES_MAX = 8 };
struct progress_statement {
    struct buf sql;  /* owned */
    struct buf text; /* owned */
    struct buf store;
    struct slice values[PROGRESS_VALUES_MAX];
    size_t count; /* of values */
};
void progress_statement_init(struct progress_statement *statement,
                             const struct pg_connection *connection,
                             const struct progress_step *step);

/* Makes the two forms of another statement that fails in the same way. In `sql`, "mqtt2pg." stands
 * for the schema, and "$" occurs in parameters only. Copies the values. */
void progress_statement_make(struct progress_statement *statement,
                             const struct pg_connection *connection, const char *sql,
                             struct pg_params params);
void progress_statement_fini(struct progress_statement *statement);

#endif
