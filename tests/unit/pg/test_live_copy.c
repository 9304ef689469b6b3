/* COPY against a real PostgreSQL: which line failed, losses, early errors, memory.
 *
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "pg/pg_live.h"
#include "row/copy_format.h"

/* Rows of COPY BINARY by hand, so that they can be wrong. */
static void start_row(struct buf *rows, uint16_t fields)
{
    buf_append_be16(rows, fields);
}

static void add_field(struct buf *rows, const void *bytes, size_t length)
{
    buf_append_be32(rows, (uint32_t) length);
    buf_append(rows, bytes, length);
}

static void add_int4(struct buf *rows, uint32_t value)
{
    buf_append_be32(rows, 4);
    buf_append_be32(rows, value);
}

static enum outcome copy_binary(struct pg_connection *connection, const char *sql,
                                const struct buf *rows, struct pg_failure *failure)
{
    struct buf header = {0};
    struct buf trailer = {0};
    copy_append_header(&header, COPY_BINARY);
    copy_append_trailer(&trailer, COPY_BINARY);
    const struct slice parts[] = {buf_slice(&header), buf_slice(rows), buf_slice(&trailer)};
    enum outcome outcome = pg_copy(connection, sql, parts, 3, failure);
    buf_fini(&header);
    buf_fini(&trailer);
    return outcome;
}

struct bad_value {
    const char *name;
    const char *type;
    const char *bytes;
    size_t length;
    const char *sqlstate;
};
#define BYTES(literal) (literal), sizeof(literal) - 1

static const struct bad_value bad_values[] = {
    {"nul in text", "text", BYTES("a\0b"), "22021"},
    {"invalid UTF-8", "text", BYTES("a\xff"), "22021"},
    {"jsonb \\u0000", "jsonb", BYTES("\1\"\\u0000\""), "22P05"},
    {"lone surrogate", "jsonb", BYTES("\1\"\\ud800\""), "22P02"},
    {"bad JSON", "json", BYTES("{]"), "22P02"},
    {"huge number in jsonb", "jsonb", BYTES("\1[1e400000]"), "22003"},
    {"wrong field length", "int4", BYTES("\0\0\1"), "08P01"},
    {"field too long", "int4", BYTES("\0\0\0\0\1"), "22P03"},
    {"timestamptz out of range", "timestamptz", BYTES("\x7f\xff\xff\xff\xff\xff\0\0"), "22008"},
    {"bad digit in numeric", "numeric", BYTES("\0\1\0\0\0\0\0\0\x7f\xff"), "22P03"},
    {"bad sign of numeric", "numeric", BYTES("\0\1\0\0\1\1\0\0\0\1"), "22P03"},
    {"check", "int4 check (x < 5)", BYTES("\0\0\0\7"), "23514"},
    {"not null", "int4 not null", NULL, 0, "23502"},
    {"unique", "int4 unique", BYTES("\0\0\0\1"), "23505"},
    {"exclusion", "int4, exclude (x with =)", BYTES("\0\0\0\1"), "23P01"},
    {"domain's check", "small", BYTES("\0\0\0\7"), "23514"},
};

/* Three good rows (null, or 1 in the first), the bad one, two more. */
static void check_bad_value(struct pg_connection *connection, const struct bad_value *bad)
{
    struct buf rows = {0};
    struct pg_failure failure = {0};
    bool null_good = strstr(bad->type, "not null") == NULL;
    bool first_is_one = strstr(bad->type, "uniq") != NULL || strstr(bad->type, "excl") != NULL;
    char sql[200];

    UNIT_CASE("%s", bad->name);
    snprintf(sql, sizeof(sql), "drop table if exists bad; create table bad (n int, x %s)",
             bad->type);
    live_run(connection, sql);
    for (uint32_t i = 1; i <= 6; i++) {
        start_row(&rows, 2);
        add_int4(&rows, i);
        if (i == 4 && bad->bytes != NULL) {
            add_field(&rows, bad->bytes, bad->length);
        } else if ((i == 4 || null_good) && !(i == 1 && first_is_one)) {
            buf_append_be32(&rows, UINT32_MAX);
        } else {
            add_int4(&rows, 1);
        }
    }
    CHECK_INT_EQ(
        copy_binary(connection, "COPY bad (n, x) FROM STDIN (FORMAT binary)", &rows, &failure),
        OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_ROW);
    CHECK_TEXT_EQ(failure.sqlstate, bad->sqlstate);
    CHECK_INT_EQ(failure.line, 4);
    CHECK(failure.message[0] != '\0' && strchr(failure.message, '\n') == NULL);
    CHECK(pg_is_connected(connection));
    buf_fini(&rows);
    unit_case[0] = '\0';
}

static void test_lines(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    live_run(connection,
             "drop domain if exists small cascade; create domain small as int4 check (value < 5)");
    for (size_t i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++) {
        check_bad_value(connection, &bad_values[i]);
    }

    /* A field too many. */
    struct buf rows = {0};
    live_run(connection, "drop table bad; create table bad (n int)");
    start_row(&rows, 1);
    add_int4(&rows, 1);
    start_row(&rows, 2);
    add_int4(&rows, 1);
    add_int4(&rows, 1);
    CHECK_INT_EQ(
        copy_binary(connection, "COPY bad (n) FROM STDIN (FORMAT binary)", &rows, &failure),
        OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "22P04");
    CHECK_INT_EQ(failure.line, 2);
    buf_fini(&rows);

    /* Deep JSON. */
    struct buf deep = {0};
    live_run(connection, "drop table bad; create table bad (x jsonb)");
    start_row(&rows, 1);
    buf_append_byte(&deep, 1);
    for (int i = 0; i < 100000; i++) {
        buf_append_byte(&deep, '[');
    }
    add_field(&rows, deep.data, deep.length);
    CHECK_INT_EQ(
        copy_binary(connection, "COPY bad (x) FROM STDIN (FORMAT binary)", &rows, &failure),
        OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "54001");
    CHECK_INT_EQ(failure.action, SQL_ROW);
    CHECK_INT_EQ(failure.line, 1);
    buf_fini(&rows);
    buf_fini(&deep);
    pg_connection_free(connection);
}

/* A table whose name looks like the context that the line stands in; quoted, with a schema. */
static void test_line_with_odd_name(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    live_run(connection, "drop schema if exists \"o.d\" cascade; create schema \"o.d\"; "
                         "create table \"o.d\".\"my \"\"t\"\", line 77\" (x int)");
    CHECK_INT_EQ(live_copy_text(connection, "COPY \"o.d\".\"my \"\"t\"\", line 77\" (x) FROM STDIN",
                                "1\n2\noops 99\n", &failure),
                 OUTCOME_RETRY);
    CHECK_INT_EQ(failure.line, 3);
    live_run(connection, "drop schema \"o.d\" cascade");
    pg_connection_free(connection);
}

static void test_triggers_and_partitions(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    live_run(connection,
             "drop table if exists trig, part; create table trig (x int);"
             "create or replace function refuse() returns trigger language plpgsql as $$ begin "
             "if new.x = 3 then raise exception 'no threes, line 9'; end if; return new; end $$;"
             "create trigger refuse before insert on trig for each row execute function refuse();"
             "create table part (x int) partition by range (x);"
             "create table part_1 partition of part for values from (1) to (3)");
    CHECK_INT_EQ(live_copy_text(connection, "COPY trig FROM STDIN", "1\n2\n3\n4\n", &failure),
                 OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "P0001");
    CHECK_TEXT_EQ(failure.message, "no threes, line 9");
    CHECK_INT_EQ(failure.line, 3);
    CHECK_INT_EQ(live_copy_text(connection, "COPY part FROM STDIN", "1\n2\n7\n", &failure),
                 OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "23514");
    CHECK_INT_EQ(failure.line, 3);

    /* An AFTER trigger runs when all rows are in: no line, though its context is full of
     * numbers. */
    live_run(connection, "drop trigger refuse on trig; create trigger refuse after insert on trig "
                         "for each row execute function refuse()");
    CHECK_INT_EQ(live_copy_text(connection, "COPY trig FROM STDIN", "1\n2\n3\n4\n", &failure),
                 OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_ROW);
    CHECK_INT_EQ(failure.line, 0);
    live_run(connection, "drop table trig, part; drop function refuse");
    pg_connection_free(connection);
}

/* A type that has a syntax of its own refuses a value as PostgreSQL refuses a statement, with 42601:
 * still the value's fault, and not the rule's. */
static void test_syntax_of_a_value(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};

    live_run(connection, "drop table if exists query; create table query (n int, x tsquery)");
    CHECK_INT_EQ(live_copy_text(connection, "COPY query (n, x) FROM STDIN",
                                "1\ta & b\n2\ta & & b\n3\ta\n", &failure),
                 OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "42601");
    CHECK_INT_EQ(failure.action, SQL_ROW);
    CHECK_INT_EQ(failure.line, 2);
    CHECK_TEXT_EQ(failure.column, "x");

    CHECK_INT_EQ(live_copy_text(connection, "COPY query (n, x FROM STDIN", "1\ta\n", &failure),
                 OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "42601");
    CHECK_INT_EQ(failure.action, SQL_RULE);
    live_run(connection, "drop table query");
    pg_connection_free(connection);
}

/* Causes that tell no line, or one that can't be believed: the batch is to be halved. */
static void test_no_line(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    live_run(connection,
             "drop table if exists child, parent, late; create table parent (id int primary key);"
             "insert into parent values (1); create table child (id int references parent);"
             "create table late (id int unique deferrable initially deferred)");
    CHECK_INT_EQ(live_copy_text(connection, "COPY child FROM STDIN", "1\n1\n2\n1\n", &failure),
                 OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "23503");
    CHECK_TEXT_EQ(failure.constraint, "child_id_fkey");
    CHECK_INT_EQ(failure.line, 0);
    CHECK(strstr(failure.message, "(id)=(2)") != NULL);

    live_run(connection, "begin");
    CHECK_INT_EQ(live_copy_text(connection, "COPY late FROM STDIN", "1\n2\n2\n", &failure),
                 OUTCOME_OK);
    CHECK_INT_EQ(pg_commit(connection, &failure), OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "23505");
    CHECK_INT_EQ(failure.action, SQL_ROW);
    CHECK_INT_EQ(failure.line, 0);
    live_run(connection, "drop table child, parent, late");

    /* "row is too big" names the row read last; here that is an innocent one, the fifth. */
    struct buf sql = {0};
    struct buf rows = {0};
    buf_append_text(&sql, "drop table if exists wide; create table wide (n int");
    for (int i = 0; i < 800; i++) {
        buf_printf(&sql, ", c%d uuid", i);
    }
    buf_append_text(&sql, ")");
    live_run(connection, buf_string(&sql));
    for (int row = 1; row <= 5; row++) {
        buf_printf(&rows, "%d", row);
        for (int i = 0; i < 800; i++) {
            buf_append_text(&rows, row == 2 ? "\t00000000-0000-0000-0000-000000000000" : "\t\\N");
        }
        buf_append_byte(&rows, '\n');
    }
    CHECK_INT_EQ(live_copy_text(connection, "COPY wide FROM STDIN", buf_string(&rows), &failure),
                 OUTCOME_RETRY);
    CHECK_TEXT_EQ(failure.sqlstate, "54000");
    CHECK_INT_EQ(failure.action, SQL_ROW);
    CHECK_INT_EQ(failure.line, 0);
    live_run(connection, "drop table wide");
    buf_fini(&sql);
    buf_fini(&rows);

    CHECK_INT_EQ(live_copy_text(connection, "COPY nowhere FROM STDIN", "1\n", &failure),
                 OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_RULE);
    CHECK_TEXT_EQ(failure.sqlstate, "42P01");
    CHECK_INT_EQ(live_copy_text(connection, "select 1", "1\n", &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_RULE);
    CHECK(pg_is_connected(connection));
    pg_connection_free(connection);
}

/* The same megabyte of rows, many times. */
static char *make_rows(size_t length)
{
    char *rows = memory_alloc(length + 1);
    for (size_t i = 0; i < length; i++) {
        rows[i] = i % 64 == 63 ? '\n' : 'x';
    }
    return rows;
}

static long resident_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        CHECK(fscanf(file, "%*d %ld", &pages) == 1);
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

enum { PARTS = 200, PART_BYTES = 1024 * 1024 };

static void test_big(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    char *rows = make_rows(PART_BYTES);
    struct slice parts[PARTS];
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = slice_make(rows, PART_BYTES);
    }
    live_run(connection, "create temp table big (x text)");
    long before_kb = resident_kb();
    CHECK_INT_EQ(pg_copy(connection, "COPY big FROM STDIN", parts, PARTS, &failure), OUTCOME_OK);
    long grown_kb = resident_kb() - before_kb;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    CHECK(grown_kb < 2048);
#else
    (void) grown_kb;
#endif
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from big"), "3276800");

    free(rows);
    pg_connection_free(connection);
}

/* An error in the first chunk is noticed long before the end: the rest of the rows, the pages of a
 * sparse file, is hardly read. */
static void test_early_error(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    char path[300];
    const size_t rest_bytes = (size_t) PARTS * PART_BYTES;
    snprintf(path, sizeof(path), "%s/rest", unit_scratch());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t) rest_bytes) == 0);
    void *rest = mmap(NULL, rest_bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (!CHECK(rest != MAP_FAILED)) {
        return;
    }
    const struct slice parts[] = {slice_of("1\n2\nthree\n"), slice_make(rest, rest_bytes)};
    live_run(connection, "create temp table early (x int)");
    long before_kb = resident_kb();
    CHECK_INT_EQ(pg_copy(connection, "COPY early FROM STDIN", parts, 2, &failure), OUTCOME_RETRY);
    CHECK(resident_kb() - before_kb < 100 * 1024);
    CHECK_TEXT_EQ(failure.sqlstate, "22P02");
    CHECK_INT_EQ(failure.line, 3);
    CHECK(pg_is_connected(connection));
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from early"), "0");
    munmap(rest, rest_bytes);
    close(fd);
    pg_connection_free(connection);
}

/* Notices are no errors: a trigger may raise one for each row. */
static void test_notices(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    char *rows = make_rows(PART_BYTES);
    struct slice parts[8];
    for (size_t i = 0; i < 8; i++) {
        parts[i] = slice_make(rows, PART_BYTES);
    }
    live_run(connection,
             "drop table if exists noisy; create table noisy (x text);"
             "create or replace function noise() returns trigger language plpgsql as $$ begin "
             "raise notice 'a row'; return new; end $$;"
             "create trigger noise before insert on noisy for each row execute function noise()");
    CHECK_INT_EQ(pg_copy(connection, "COPY noisy FROM STDIN", parts, 8, &failure), OUTCOME_OK);
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from noisy"), "131072");
    live_run(connection, "drop table noisy; drop function noise");
    free(rows);
    pg_connection_free(connection);
}

static void *terminate_soon(void *pid)
{
    struct pg_connection *admin = live_connect();
    char sql[100];
    usleep(100000);
    snprintf(sql, sizeof(sql), "select pg_terminate_backend(%d)", *(int *) pid);
    live_run(admin, sql);
    pg_connection_free(admin);
    return NULL;
}

/* Two results come: FATAL 57P01, then one without SQLSTATE. The first counts. */
static void test_terminated(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    char *rows = make_rows(PART_BYTES);
    enum { MANY = 20000 };
    struct slice *parts = memory_alloc(MANY * sizeof(*parts));
    for (size_t i = 0; i < MANY; i++) {
        parts[i] = slice_make(rows, PART_BYTES);
    }
    int pid = atoi(live_text(connection, "select pg_backend_pid()"));
    live_run(connection, "create temp table t (x text check (length(x) < 100))");
    pthread_t thread;
    pthread_create(&thread, NULL, terminate_soon, &pid);
    int64_t start_ms = clock_monotonic_ms();
    CHECK_INT_EQ(pg_copy(connection, "COPY t FROM STDIN", parts, MANY, &failure), OUTCOME_RETRY);
    CHECK(clock_monotonic_ms() - start_ms < 10000);
    CHECK_INT_EQ(failure.action, SQL_RECONNECT);
    CHECK_TEXT_EQ(failure.sqlstate, "57P01");
    CHECK(!pg_is_connected(connection));
    pthread_join(thread, NULL);
    free(parts);
    free(rows);
    pg_connection_free(connection);
}

/* In a language other than English; skipped where the server has no such catalog of messages. */
static void test_languages(void)
{
    LIVE_OR_RETURN();
    static const char *const languages[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ja_JP.UTF-8",
                                            "ru_RU.UTF-8"};
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    live_run(connection, "create temp table t (x int)");
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
        char sql[100];
        UNIT_CASE("%s", languages[i]);
        snprintf(sql, sizeof(sql), "set lc_messages = '%s'", languages[i]);
        if (pg_run(connection, sql, &failure) != OUTCOME_OK) {
            continue;
        }
        CHECK_INT_EQ(live_copy_text(connection, "COPY t FROM STDIN", "1\n2\nx\n", &failure),
                     OUTCOME_RETRY);
        CHECK_INT_EQ(failure.line, 3);
    }
    unit_case[0] = '\0';
    pg_connection_free(connection);
}

UNIT_MAIN("live_copy", {"lines", test_lines}, {"line_with_odd_name", test_line_with_odd_name},
          {"triggers_and_partitions", test_triggers_and_partitions},
          {"syntax_of_a_value", test_syntax_of_a_value}, {"no_line", test_no_line},
          {"big", test_big}, {"early_error", test_early_error}, {"notices", test_notices},
          {"terminated", test_terminated}, {"languages", test_languages})
