/* SPDX-License-Identifier: MIT */
#include "pg/short_ddl.h"

#include <assert.h>
#include <string.h>

/* May the failure pass? Only an error about the table, or one that a trigger raised, is
 * permanent. */
static bool may_pass(const struct pg_failure *failure)
{
    return failure->action != SQL_RULE && failure->action != SQL_ROW;
}

/* The server must end the statement before this side gives up the connection. */
static int64_t run_ms(const struct pg_connection *connection)
{
    int64_t half = pg_statement_ms(connection) / 2;

    assert(half > 0);
    return half < SHORT_DDL_RUN_MS ? half : SHORT_DDL_RUN_MS;
}

/* One message with its own BEGIN and COMMIT, so one round trip: no lock is held while an answer
 * travels. After an error the transaction stays open, aborted. */
enum short_ddl short_ddl_run(struct pg_connection *connection, const char *statements,
                             struct pg_failure *failure)
{
    struct pg_failure after;
    struct buf sql = {0};
    enum short_ddl result = SHORT_DDL_DONE;

    assert(statements[0] != '\0' && statements[strlen(statements) - 1] == ';');
    buf_printf(&sql, "begin; set local lock_timeout = %d; set local statement_timeout = %d; ",
               SHORT_DDL_LOCK_MS, (int) run_ms(connection));
    buf_append_text(&sql, statements);
    buf_append_text(&sql, " commit");
    if (pg_run(connection, buf_string(&sql), failure) != OUTCOME_OK) {
        if (!pg_is_connected(connection) || pg_run(connection, "rollback", &after) != OUTCOME_OK) {
            result = SHORT_DDL_LOST;
        } else {
            result = may_pass(failure) ? SHORT_DDL_LATER : SHORT_DDL_REFUSED;
        }
    }
    buf_fini(&sql);
    return result;
}
