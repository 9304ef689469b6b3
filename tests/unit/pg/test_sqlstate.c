/* SPDX-License-Identifier: MIT */
#include "pg/sqlstate.h"
#include "unit.h"

/* Class by class. FATAL ends the connection, whatever the code. */
static const struct {
    const char *sqlstate;
    enum sql_action error;
    enum sql_action fatal;
} cases[] = {
    {NULL, SQL_RECONNECT, SQL_RECONNECT},
    {"", SQL_RECONNECT, SQL_RECONNECT},
    {"08000", SQL_RULE, SQL_RECONNECT}, /* a foreign table's server; ours */
    {"08001", SQL_RULE, SQL_RECONNECT},
    {"08006", SQL_RULE, SQL_RECONNECT},
    {"08007", SQL_RECONNECT, SQL_RECONNECT},
    {"08P01", SQL_ROW, SQL_RECONNECT}, /* a malformed value; PgBouncer's own errors */
    {"57P01", SQL_RECONNECT, SQL_RECONNECT},
    {"57P02", SQL_RECONNECT, SQL_RECONNECT},
    {"57P03", SQL_RECONNECT, SQL_RECONNECT},
    {"57P05", SQL_RECONNECT, SQL_RECONNECT},
    {"25P03", SQL_RECONNECT, SQL_RECONNECT},
    {"25P02", SQL_RECONNECT, SQL_RECONNECT},
    {"25006", SQL_READ_WRITE, SQL_READ_WRITE},
    {"57P04", SQL_READ_WRITE, SQL_READ_WRITE},
    {"40001", SQL_RETRY, SQL_RECONNECT},
    {"40P01", SQL_RETRY, SQL_RECONNECT},
    {"55P03", SQL_RETRY, SQL_RECONNECT},
    {"55006", SQL_RETRY, SQL_RECONNECT},
    {"40003", SQL_RECONNECT, SQL_RECONNECT},
    {"53000", SQL_WAIT, SQL_WAIT},
    {"53100", SQL_WAIT, SQL_WAIT},
    {"53200", SQL_SMALLER, SQL_RECONNECT},
    {"53300", SQL_WAIT, SQL_WAIT},
    {"53400", SQL_SMALLER, SQL_RECONNECT},
    {"58030", SQL_WAIT, SQL_WAIT},
    {"58P01", SQL_WAIT, SQL_WAIT},
    {"57014", SQL_SMALLER, SQL_RECONNECT},
    {"22003", SQL_ROW, SQL_RECONNECT},
    {"22021", SQL_ROW, SQL_RECONNECT},
    {"22P02", SQL_ROW, SQL_RECONNECT},
    {"23502", SQL_ROW, SQL_RECONNECT},
    {"23503", SQL_ROW, SQL_RECONNECT},
    {"23505", SQL_ROW, SQL_RECONNECT},
    {"23514", SQL_ROW, SQL_RECONNECT},
    {"23P01", SQL_ROW, SQL_RECONNECT},
    {"54000", SQL_ROW, SQL_RECONNECT},
    {"54001", SQL_ROW, SQL_RECONNECT},
    {"P0001", SQL_ROW, SQL_RECONNECT},
    {"P0002", SQL_ROW, SQL_RECONNECT},
    {"38000", SQL_ROW, SQL_RECONNECT},
    {"39004", SQL_ROW, SQL_RECONNECT},
    {"21000", SQL_ROW, SQL_RECONNECT},
    {"44000", SQL_ROW, SQL_RECONNECT},
    {"42P01", SQL_RULE, SQL_RECONNECT},
    {"42501", SQL_RULE, SQL_RECONNECT},
    {"42703", SQL_RULE, SQL_RECONNECT},
    {"42601", SQL_RULE, SQL_RECONNECT},
    {"3D000", SQL_RULE, SQL_RECONNECT},
    {"3F000", SQL_RULE, SQL_RECONNECT},
    {"28000", SQL_RULE, SQL_RECONNECT},
    {"28P01", SQL_RULE, SQL_RECONNECT},
    {"0A000", SQL_RULE, SQL_RECONNECT},
    {"26000", SQL_RULE, SQL_RECONNECT},
    {"55000", SQL_RULE, SQL_RECONNECT},
    {"HV000", SQL_RULE, SQL_RECONNECT},
    {"XX001", SQL_WAIT, SQL_WAIT},
    {"XX002", SQL_WAIT, SQL_WAIT},
    {"XX000", SQL_ROW, SQL_RECONNECT},
    {"09000", SQL_ROW, SQL_RECONNECT},
    {"0P000", SQL_RULE, SQL_RECONNECT},
    {"20000", SQL_ROW, SQL_RECONNECT},
    {"24000", SQL_RULE, SQL_RECONNECT},
    {"27000", SQL_ROW, SQL_RECONNECT},
    {"2B000", SQL_RULE, SQL_RECONNECT},
    {"2D000", SQL_RULE, SQL_RECONNECT},
    {"2F002", SQL_ROW, SQL_RECONNECT},
    {"34000", SQL_RULE, SQL_RECONNECT},
    {"54011", SQL_RULE, SQL_RECONNECT},
    {"54023", SQL_RULE, SQL_RECONNECT},
    {"72000", SQL_RETRY, SQL_RECONNECT},
    {"99999", SQL_ROW, SQL_RECONNECT}, /* a trigger's own */
    {"2", SQL_ROW, SQL_RECONNECT},
};

static void test_classes(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].sqlstate != NULL ? cases[i].sqlstate : "NULL");
        CHECK_TEXT_EQ(sql_action_name(sql_action_of(cases[i].sqlstate, false)),
                      sql_action_name(cases[i].error));
        CHECK_TEXT_EQ(sql_action_name(sql_action_of(cases[i].sqlstate, true)),
                      sql_action_name(cases[i].fatal));
    }
}

/* A row of the table that no case above meets could say anything. */
static bool has_case(const char *prefix)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].sqlstate != NULL && prefix[0] != '\0' &&
            strncmp(cases[i].sqlstate, prefix, strlen(prefix)) == 0) {
            return true;
        }
    }
    return false;
}

static void test_table(void)
{
    for (size_t i = 0; i < sql_action_count; i++) {
        const struct sql_action_row *row = &sql_actions[i];
        UNIT_CASE("%s", row->prefix);
        CHECK(strlen(row->prefix) == 2 || strlen(row->prefix) == 5);
        CHECK(row->why[0] != '\0');
        CHECK(has_case(row->prefix));
        CHECK(i == 0 || strcmp(sql_actions[i - 1].prefix, row->prefix) < 0);
        /* An exception says something else than its class. */
        for (size_t k = 0; k < i; k++) {
            bool of_class = strncmp(sql_actions[k].prefix, row->prefix, 2) == 0 &&
                            strlen(sql_actions[k].prefix) == 2;
            CHECK(!of_class || sql_actions[k].action != row->action);
        }
    }
}

UNIT_MAIN("sqlstate", {"classes", test_classes}, {"table", test_table})
