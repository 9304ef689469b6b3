/* SPDX-License-Identifier: MIT */
#include "pg/pg_statements.h"

#include "base/buf.h"
#include "unit.h"

static const struct {
    const char *sql;
    const char *statements; /* with "|" between them; NULL: something has no end */
} splits[] = {
    {"", ""},
    {" \n;;; -- nothing\n /* at /* all */ ; */ ;", ""},
    {"select 1", "select 1"},
    {"select 1;", "select 1"},
    {" select 1 ;; select 2 ; ", "select 1 |select 2 "},
    {"select ';'; select 2", "select ';'|select 2"},
    {"select 'it''s;'; select 2", "select 'it''s;'|select 2"},
    {"select 'back\\'; select 2", "select 'back\\'|select 2"},
    {"select E'it\\';'; select 2", "select E'it\\';'|select 2"},
    {"select e'a\\\\'; select 2", "select e'a\\\\'|select 2"},
    {"select E'a'\n  'b\\';'; select 2", "select E'a'\n  'b\\';'|select 2"},
    {"select E'a' -- ;\n 'b\\';'; select 2", "select E'a' -- ;\n 'b\\';'|select 2"},
    {"select E'a' 'b\\'; select 2", "select E'a' 'b\\'|select 2"}, /* no line's end: not one text */
    {"select table'x\\'; select 2", "select table'x\\'|select 2"}, /* the e belongs to a word */
    {"select 1e'\\';'; select 2", "select 1e'\\';'|select 2"},
    {"select U&'\\0041;'; select 2", "select U&'\\0041;'|select 2"},
    {"select \"a;b\"\"c;\"; select 2", "select \"a;b\"\"c;\"|select 2"},
    {"select \"a\\\"; select 2", "select \"a\\\"|select 2"},
    {"do $$ begin; end; $$; select 2", "do $$ begin; end; $$|select 2"},
    {"do $a_1$ $$ ; $b$ ; $a_1$; select 2", "do $a_1$ $$ ; $b$ ; $a_1$|select 2"},
    {"select a$b$c; select 2", "select a$b$c|select 2"}, /* a name with dollars */
    {"select $1; select $2", "select $1|select $2"},
    {"select $1$ ; $", "select $1$ |$"},
    {"select 1 -- ; '\n; select 2", "select 1 -- ; '\n|select 2"},
    {"select 1 /* ; /* ' */ ; */; select 2", "select 1 /* ; /* ' */ ; */|select 2"},
    {"select 1 - - 2 / 3 * 4; select 2", "select 1 - - 2 / 3 * 4|select 2"},
    {"create rule r as on insert to t do (select 1; select 2); select 3",
     "create rule r as on insert to t do (select 1; select 2)|select 3"},
    {"select ')'; select (2)", "select ')'|select (2)"},
    {"select 1); select 2", "select 1)|select 2"}, /* the server refuses the first */
    {"select \xc3\xa9$a$; select 2", "select \xc3\xa9$a$|select 2"},
    {"select 'a", NULL},
    {"select 'a''", NULL},
    {"select E'a\\'", NULL},
    {"select E'a\\", NULL},
    {"select \"a", NULL},
    {"select $x$ $y$", NULL},
    {"select 1 /* /* */", NULL},
    {"/*", NULL},
};

static void test_split(void)
{
    for (size_t i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
        struct slice sql = slice_of(splits[i].sql), statement = {0};
        struct buf found = {0};
        struct error error = {0};
        enum outcome outcome;
        UNIT_CASE("%s", splits[i].sql);
        while ((outcome = pg_take_statement(&sql, &statement, &error)) == OUTCOME_OK &&
               statement.length > 0) {
            buf_append_text(&found, found.length > 0 ? "|" : "");
            buf_append_slice(&found, statement);
        }
        CHECK_INT_EQ(outcome, splits[i].statements == NULL ? OUTCOME_REJECT : OUTCOME_OK);
        if (splits[i].statements != NULL) {
            CHECK_TEXT_EQ(buf_string(&found), splits[i].statements);
        }
        buf_fini(&found);
    }
}

static const struct {
    const char *sql;
    const char *refused; /* NULL: it may be part of a batch */
} checks[] = {
    {"insert into t select * from batch; update t set x = 1; delete from u", NULL},
    {"with x as (select 1) insert into t select * from x", NULL},
    {"call store(1)", NULL},
    {"do $$ begin perform 1; end $$", NULL},
    {"select 'commit'; insert into \"commit\" select begin from t -- commit\n", NULL},
    {"insert into t values ('; commit;')", NULL},
    {"refresh materialized view concurrently v", NULL},
    {"create index i on t (x)", NULL},
    {"prepare p as select 1", NULL},
    {"copy t from '/tmp/x'", NULL},
    {"select 1; commit", "commit"},
    {"COMMIT AND CHAIN", "commit"},
    {"/* */ Begin", "begin"},
    {"-- x\nstart transaction", "start"},
    {"rollback to savepoint s", "rollback"},
    {"abort", "abort"},
    {"end", "end"},
    {"savepoint s", "savepoint"},
    {"release s", "release"},
    {"prepare/**/transaction 'x'", "prepare transaction"},
    {"vacuum t", "vacuum"},
    {"discard all", "discard"},
    {"create\n database x", "create database"},
    {"drop database x", "drop database"},
    {"create tablespace x location 'y'", "create tablespace"},
    {"drop tablespace x", "drop tablespace"},
    {"alter system set x = 1", "alter system"},
    {"create index concurrently i on t (x)", "create index … concurrently"},
    {"create unique index Concurrently i on t (x)", "create unique … concurrently"},
    {"drop index concurrently i", "drop index … concurrently"},
    {"reindex table concurrently t", "reindex … concurrently"},
    {"reindex database x", "reindex database"},
    {"reindex schema x", "reindex schema"},
    {"reindex system x", "reindex system"},
    {"alter table t detach partition p concurrently", "alter … concurrently"},
    {"copy t from stdin", "copy … stdin"},
    {"copy (select 1) to stdout", "copy … stdout"},
    {"", "empty"},
    {" ; -- nothing", "empty"},
    {"select 'x", "no end"},
};

static void test_check(void)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        struct error error = {0};
        UNIT_CASE("%s", checks[i].sql);
        CHECK_INT_EQ(pg_check_statements(slice_of(checks[i].sql), &error),
                     checks[i].refused == NULL ? OUTCOME_OK : OUTCOME_REJECT);
        if (checks[i].refused != NULL && strstr(error.text, checks[i].refused) == NULL) {
            CHECK_TEXT_EQ(error.text, checks[i].refused);
        }
    }
}

UNIT_MAIN("pg_statements", {"split", test_split}, {"check", test_check})
