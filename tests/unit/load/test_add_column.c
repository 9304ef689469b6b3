/* What the answer of PostgreSQL makes of a column, over a scripted server.
 * SPDX-License-Identifier: MIT */
#include "pg/add_column.h"

#include "load/pg_script.h"

/* What passes is tried again; a key is refused for good only for a reason that stays. */
static void test_answers(void)
{
    static const struct {
        const char *sql, *answer; /* of the server; see pg_script.h */
        enum add_column_result result;
    } cases[] = {
        {"nothing", "TAG:", ADD_COLUMN_DONE},
        {"alter table", "ERROR:55P03:lock timeout", ADD_COLUMN_LATER},
        {"alter table", "ERROR:40P01:deadlock", ADD_COLUMN_LATER},
        {"alter table", "ERROR:40001:serialization", ADD_COLUMN_LATER},
        {"alter table", "ERROR:57014:statement timeout", ADD_COLUMN_LATER},
        {"commit", "ERROR:53100:disk full", ADD_COLUMN_LATER},
        {"alter table", "ERROR:25006:read-only", ADD_COLUMN_LATER},
        {"alter table", "ERROR:42501:must be owner", ADD_COLUMN_REFUSED},
        {"alter table", "ERROR:54011:too many columns", ADD_COLUMN_REFUSED},
        {"alter table", "ERROR:P0001:raised by an event trigger", ADD_COLUMN_REFUSED},
        {"alter table", "ERROR:42701:there is one", ADD_COLUMN_REFUSED},
        {"alter table", "FATAL:57P01:terminating", ADD_COLUMN_LOST},
        {"alter table", "CLOSE", ADD_COLUMN_LOST},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct new_column column = {"t", "power", "numeric", "$.power"};
        struct pg_failure failure = {.message = ""};
        struct pg_connection *connection;
        struct pg_script script;

        UNIT_CASE("%s", cases[i].answer);
        pg_script_start(&script);
        connection = pg_script_connect(&script);
        pg_script_add(&script,
                      (struct script_line){.sql = cases[i].sql, .answer = cases[i].answer});
        CHECK_INT_EQ(add_column(connection, &column, &failure), cases[i].result);
        pg_connection_free(connection);
        pg_script_stop(&script);
    }
    UNIT_CASE("%s", "");
}

UNIT_MAIN("load/add_column", {"answers", test_answers})
