/* Connecting, its failures, and waits that must end, against a real PostgreSQL.
 *
 * SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "pg/pg_live.h"
#include "pg/pg_quote.h"
#include "pg/pg_steps.h"
#include "pg/progress.h"

/* Puts lines before pg_hba.conf's own (NULL: only these) and makes the server read it. */
static void write_hba(struct pg_connection *admin, const char *lines, bool keep_trust)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/pg_hba.conf", getenv("PG_TEST_DATA"));
    FILE *file = fopen(path, "w");
    if (!CHECK(file != NULL)) {
        return;
    }
    fprintf(file, "%s\nlocal all postgres trust\n%s", lines,
            keep_trust ? "local all all trust\n" : "");
    fclose(file);
    live_run(admin, "select pg_reload_conf()");
    /* The postmaster reads it when the signal arrives; pg_hba_file_rules would read the file
     * itself. */
    live_run(admin, "select pg_sleep(0.3)");
}

static void check_refused(const char *conninfo, const char *password, const char *wanted,
                          const char *sqlstate)
{
    const struct pg_options options = {
        .conninfo = conninfo, .password = password, .connect_ms = 5000, .statement_ms = 5000};
    struct pg_connection *connection = pg_connection_new(&options);
    struct error error = {0};
    UNIT_CASE("%s", conninfo);
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_RETRY);
    CHECK(!pg_is_connected(connection));
    if (strstr(error.text, wanted) == NULL) {
        CHECK_TEXT_EQ(error.text, wanted);
    }
    CHECK(strchr(error.text, '\n') == NULL);
    CHECK(error.text[0] != '\0' && error.text[strlen(error.text) - 1] != '.');
    CHECK(strstr(error.text, "hunter") == NULL);
    CHECK_TEXT_EQ(error.sqlstate, sqlstate);
    pg_connection_free(connection);
    unit_case[0] = '\0';
}

static void check_refused_with(const char *extra, const char *password, const char *wanted,
                               const char *sqlstate)
{
    char *conninfo = memory_printf("%s %s", live_conninfo(), extra);
    check_refused(conninfo, password, wanted, sqlstate);
    free(conninfo);
}

static void test_connected(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    CHECK(pg_is_connected(connection));
    CHECK(strstr(pg_target(connection), ":5432/unit_") != NULL &&
          strstr(pg_target(connection), " as postgres") != NULL);
    CHECK_TEXT_EQ(live_text(connection, "show client_encoding"), "UTF8");
    CHECK_TEXT_EQ(live_text(connection, "show application_name"), "mqtt2pg");
    CHECK(strncmp(live_text(connection, "show datestyle"), "ISO", 3) == 0);
    pg_disconnect(connection);
    CHECK(!pg_is_connected(connection));
    struct pg_failure failure = {0};
    CHECK_INT_EQ(pg_run(connection, "select 1", &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_RECONNECT);
    CHECK_TEXT_EQ(failure.message, "not connected");
    pg_connection_free(connection);

    connection = live_new("application_name=mine", 20000);
    struct error error;
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    CHECK_TEXT_EQ(live_text(connection, "show application_name"), "mine");
    pg_connection_free(connection);
}

static void test_refusals(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *admin = live_connect();
    live_run(admin, "set password_encryption = 'scram-sha-256'; drop role if exists locked; "
                    "create role locked login password 'hunter2'");
    live_run(admin, "drop database if exists latin");
    live_run(admin, "create database latin encoding 'LATIN1' locale 'C' template template0");
    write_hba(admin, "local all locked scram-sha-256", true);

    check_refused_with("user=locked", "hunter3",
                       "password authentication failed for role \"locked\"", "28P01");
    check_refused_with("user=locked password=hunter3", NULL, "password authentication failed",
                       "28P01");
    check_refused_with("user=locked", NULL, "wants a password for role \"locked\"", "");
    check_refused_with("dbname=nowhere", NULL,
                       "database \"nowhere\" does not exist: create database", "3D000");
    check_refused_with("user=nobody_here", NULL, "role \"nobody_here\" does not exist", "28000");
    check_refused_with("dbname=latin", NULL, "has the encoding LATIN1, mqtt2pg needs UTF8", "");
    check_refused_with("options='-c default_transaction_read_only=on'", NULL, "takes no writes",
                       "");
    check_refused("host=127.0.0.1 port=1 user=u dbname=d", NULL,
                  "connection refused by 127.0.0.1 port 1", "");
    check_refused("host=/nonexistent user=u dbname=d", NULL,
                  "no PostgreSQL listens on the socket in /nonexistent port 5432", "");
    check_refused("host=no-such-host.invalid user=u dbname=d", NULL,
                  "host \"no-such-host.invalid\" is not known", "");
    check_refused("host=x password=my hunter2", NULL, "database.conninfo is malformed", "");

    /* The right password is taken, from the options and over the conninfo's. */
    char *conninfo = memory_printf("%s user=locked password=wrong", live_conninfo());
    const struct pg_options options = {
        .conninfo = conninfo, .password = "hunter2", .connect_ms = 5000, .statement_ms = 5000};
    struct pg_connection *connection = pg_connection_new(&options);
    struct error error = {0};
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    pg_connection_free(connection);
    free(conninfo);

    write_hba(admin, "", false);
    check_refused_with("user=locked", "hunter2", "pg_hba.conf has no entry for role \"locked\"",
                       "28000");
    write_hba(admin, "", true);
    pg_connection_free(admin);
}

/* A TCP server that accepts nothing but lets the kernel complete the handshake, and never
 * answers. */
static int silent_server(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *) &address, sizeof(address)) == 0 && listen(fd, 8) == 0);
    CHECK(getsockname(fd, (struct sockaddr *) &address, &length) == 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void test_silent_server(void)
{
    LIVE_OR_RETURN();
    int port = 0;
    int fd = silent_server(&port);
    char *conninfo = memory_printf("host=127.0.0.1 port=%d user=u dbname=d", port);
    struct pg_options options = {.conninfo = conninfo, .connect_ms = 700, .statement_ms = 5000};
    struct pg_connection *connection = pg_connection_new(&options);
    struct error error = {0};
    int64_t start_ms = clock_monotonic_ms();
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_RETRY);
    int64_t took_ms = clock_monotonic_ms() - start_ms;
    CHECK(took_ms >= 600 && took_ms < 10000);
    CHECK(strstr(error.text, "no answer from 127.0.0.1") != NULL);
    pg_connection_free(connection);
    free(conninfo);

    /* The silent one first, then the real one: it gets its share of the time. */
    struct slice socket_folder = slice_of(strstr(live_conninfo(), "host=") + 5);
    socket_folder.length = strcspn(socket_folder.data, " ");
    conninfo = memory_printf("host=127.0.0.1,%.*s port=%d,5432 user=postgres dbname=postgres",
                             SLICE_ARGS(socket_folder), port);
    options.conninfo = conninfo;
    options.connect_ms = 2000;
    connection = pg_connection_new(&options);
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    CHECK(pg_is_connected(connection));
    pg_connection_free(connection);
    free(conninfo);

    conninfo = memory_printf("host=127.0.0.1,127.0.0.1 port=1,%d user=u dbname=d", port);
    options.conninfo = conninfo;
    connection = pg_connection_new(&options);
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_RETRY);
    CHECK(strstr(error.text, "connection refused by 127.0.0.1 port 1") != NULL);
    CHECK(strstr(error.text, "; no answer from") != NULL);
    pg_connection_free(connection);
    free(conninfo);
    close(fd);
}

static int backend_pid(struct pg_connection *connection)
{
    return atoi(live_text(connection, "select pg_backend_pid()"));
}

static void test_stopped_backend(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_new("", 600);
    struct error error = {0};
    struct pg_failure failure = {0};
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    live_run(connection, "create temp table t (x text)");
    int pid = backend_pid(connection);
    kill(pid, SIGSTOP);

    int64_t start_ms = clock_monotonic_ms();
    CHECK_INT_EQ(pg_run(connection, "select 1", &failure), OUTCOME_RETRY);
    CHECK(clock_monotonic_ms() - start_ms < 10000);
    CHECK_INT_EQ(failure.action, SQL_RECONNECT);
    CHECK(strstr(failure.message, "for 600ms") != NULL);
    CHECK(!pg_is_connected(connection));

    /* In a COPY: the sockets' buffers fill, then nothing moves. */
    kill(pid, SIGCONT);
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    live_run(connection, "create temp table t (x text)");
    pid = backend_pid(connection);
    size_t length = 8 * 1024 * 1024;
    char *rows = memory_alloc(length);
    for (size_t i = 0; i < length; i++) {
        rows[i] = i % 100 == 99 ? '\n' : 'x';
    }
    struct slice part = slice_make(rows, length);
    kill(pid, SIGSTOP);
    start_ms = clock_monotonic_ms();
    CHECK_INT_EQ(pg_copy(connection, "COPY t FROM STDIN", &part, 1, &failure), OUTCOME_RETRY);
    CHECK(clock_monotonic_ms() - start_ms < 10000);
    CHECK_INT_EQ(failure.action, SQL_RECONNECT);
    CHECK(!pg_is_connected(connection));
    kill(pid, SIGCONT);
    free(rows);
    pg_connection_free(connection);
}

/* The server itself takes long, but sends nothing wrong: a deadline all the same. A statement that
 * answers in time has none. */
static void test_slow_statement(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_new("", 500);
    struct error error = {0};
    struct pg_failure failure = {0};
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    CHECK_INT_EQ(pg_run(connection, "select pg_sleep(0.2)", &failure), OUTCOME_OK);
    CHECK_INT_EQ(pg_run(connection, "select pg_sleep(5)", &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_RECONNECT);
    pg_connection_free(connection);

    connection = live_connect();
    live_run(connection, "set statement_timeout = 100");
    CHECK_INT_EQ(pg_run(connection, "select pg_sleep(5)", &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_SMALLER);
    CHECK_TEXT_EQ(failure.sqlstate, "57014");
    CHECK(pg_is_connected(connection));
    pg_connection_free(connection);
}

struct steps {
    int done, most;
};

static bool step(void *context)
{
    struct steps *steps = context;
    return ++steps->done < steps->most;
}

/* What is done meanwhile is done while the answer is awaited and not afterwards; it hides neither
 * the answer nor the deadline. */
static void test_meanwhile(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_new("", 500);
    struct error error = {0};
    struct pg_failure failure = {0};
    struct steps few = {.most = 3}, endless = {.most = INT_MAX}, never = {.most = INT_MAX};
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    pg_meanwhile(connection, step, &few);
    CHECK_INT_EQ(pg_run(connection, "select pg_sleep(0.1)", &failure), OUTCOME_OK);
    CHECK_INT_EQ(few.done, 3);
    pg_meanwhile(connection, step, &never);
    pg_meanwhile(connection, NULL, NULL);
    CHECK_INT_EQ(pg_run(connection, "select pg_sleep(0.1)", &failure), OUTCOME_OK);
    CHECK_INT_EQ(never.done, 0);
    pg_meanwhile(connection, step, &endless);
    CHECK_INT_EQ(pg_run(connection, "select pg_sleep(0.1)", &failure), OUTCOME_OK);
    CHECK(endless.done > 3);
    CHECK_INT_EQ(pg_run(connection, "select pg_sleep(10)", &failure), OUTCOME_RETRY);
    CHECK(strstr(failure.message, "for 500ms") != NULL);
    pg_connection_free(connection);
}

static void *interrupt_soon(void *connection)
{
    usleep(200000);
    pg_interrupt(connection);
    return NULL;
}

static void test_interrupt(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_soon, connection);
    int64_t start_ms = clock_monotonic_ms();
    CHECK_INT_EQ(pg_run(connection, "select pg_sleep(10)", &failure), OUTCOME_RETRY);
    CHECK(clock_monotonic_ms() - start_ms < 9000);
    CHECK(strstr(failure.message, "interrupted") != NULL);
    pthread_join(thread, NULL);

    struct error error = {0};
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_RETRY);
    pg_connection_free(connection);
}

/* Ends the backend, and returns when it is gone. */
static void end_backend(struct pg_connection *admin, struct pg_connection *connection)
{
    char sql[200];
    int pid = backend_pid(connection);
    snprintf(sql, sizeof(sql), "select pg_terminate_backend(%d, 10000)", pid);
    CHECK_TEXT_EQ(live_text(admin, sql), "t");
}

/* A backend that was ended while nothing was asked of it: noticed, with what the server said last. */
static void test_lost_while_idle(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_connection *admin = live_connect();
    CHECK(pg_is_connected(connection));
    CHECK_TEXT_EQ(pg_last_words(connection), "");
    end_backend(admin, connection);
    for (int i = 0; i < 200 && pg_is_connected(connection); i++) {
        usleep(10000);
    }
    CHECK(!pg_is_connected(connection));
    CHECK_TEXT_EQ(pg_last_words(connection), "terminating connection due to administrator command");
    pg_connection_free(connection);
    pg_connection_free(admin);
}

static enum outcome run_select(struct pg_connection *connection, struct pg_failure *failure)
{
    return pg_run(connection, "select 1", failure);
}

static enum outcome run_query(struct pg_connection *connection, struct pg_failure *failure)
{
    struct pg_rows *rows = NULL;
    return pg_query(connection, "select 1", PG_NO_PARAMS, &rows, failure);
}

static enum outcome run_commit(struct pg_connection *connection, struct pg_failure *failure)
{
    return pg_commit(connection, failure);
}

static enum outcome run_steps(struct pg_connection *connection, struct pg_failure *failure)
{
    struct pg_steps steps = {0};
    (void) pg_steps_add(&steps, "select 1", NULL, 0, false);
    enum outcome outcome = pg_steps_run(connection, &steps, failure);
    pg_steps_fini(&steps);
    return outcome;
}

/* Megabytes: the server closes while they are being sent. */
static enum outcome run_copy(struct pg_connection *connection, struct pg_failure *failure)
{
    static char rows[4 * 1024 * 1024];
    memset(rows, '\n', sizeof(rows));
    const struct slice part = slice_make(rows, sizeof(rows));
    return pg_copy(connection, "COPY words FROM STDIN", &part, 1, failure);
}

struct ending {
    struct pg_connection *admin;
    int pid;
};

static bool end_now(void *context)
{
    struct ending *ending = context;
    char sql[100];
    snprintf(sql, sizeof(sql), "select pg_terminate_backend(%d, 10000)", ending->pid);
    CHECK_TEXT_EQ(live_text(ending->admin, sql), "t");
    ending->pid = 0;
    return false;
}

/* The backend ends while rows are on their way. */
static void test_last_words_in_copy(void)
{
    LIVE_OR_RETURN();
    for (int i = 0; i < 5; i++) {
        struct pg_connection *connection = live_connect();
        struct pg_failure failure = {0};
        struct ending ending = {.admin = live_connect(), .pid = backend_pid(connection)};
        live_run(connection, "create table if not exists words (x text)");
        pg_meanwhile(connection, end_now, &ending);
        CHECK_INT_EQ(run_copy(connection, &failure), OUTCOME_RETRY);
        CHECK_INT_EQ(ending.pid, 0);
        CHECK_TEXT_EQ(failure.message, "terminating connection due to administrator command");
        CHECK_INT_EQ(failure.action, SQL_RECONNECT);
        pg_connection_free(connection);
        pg_connection_free(ending.admin);
    }
}

/* Whatever is asked first of a backend that has ended, the reason is what the server said. */
static void test_last_words(void)
{
    LIVE_OR_RETURN();
    static const struct {
        const char *name;
        enum outcome (*run)(struct pg_connection *connection, struct pg_failure *failure);
    } cases[] = {{"statement", run_select},
                 {"query", run_query},
                 {"COMMIT", run_commit},
                 {"steps", run_steps},
                 {"COPY", run_copy}};
    struct pg_connection *admin = live_connect();
    live_run(admin, "create table words (x text)");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pg_connection *connection = live_connect();
        struct pg_failure failure = {0};
        struct error error = {0};
        UNIT_CASE("%s", cases[i].name);
        end_backend(admin, connection);
        CHECK_INT_EQ(cases[i].run(connection, &failure), OUTCOME_RETRY);
        CHECK_TEXT_EQ(failure.message, "terminating connection due to administrator command");
        CHECK_TEXT_EQ(failure.sqlstate, "57P01");
        CHECK_INT_EQ(failure.action, SQL_RECONNECT);
        CHECK(!pg_is_connected(connection));
        CHECK_TEXT_EQ(pg_last_words(connection), failure.message);
        /* They are about that connection only. */
        CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
        CHECK_TEXT_EQ(pg_last_words(connection), "");
        pg_connection_free(connection);
    }
    unit_case[0] = '\0';
    live_run(admin, "drop table words");
    pg_connection_free(admin);
}

/* The previous backend holds a row lock behind a dead network: connecting again ends it. */
static void test_previous_backend(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *admin = live_connect();
    struct pg_connection *connection = live_new("", 300);
    struct pg_failure failure = {0};
    struct error error = {0};
    live_run(admin,
             "drop table if exists held; create table held (x int); insert into held values (1)");
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    int pid = backend_pid(connection);
    struct progress_lock lock = {.taken = false};
    CHECK_INT_EQ(progress_lock(connection, &lock, &failure), OUTCOME_OK);
    CHECK(lock.taken);
    live_run(connection, "begin; update held set x = 2");
    /* It sleeps on, and does not notice that its client has gone. */
    CHECK_INT_EQ(pg_run(connection, "select pg_sleep(30)", &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(pg_connect(connection, &error), OUTCOME_OK);
    /* It is gone when pg_connect() returns: its advisory lock is free at once. */
    CHECK_INT_EQ(progress_lock(connection, &lock, &failure), OUTCOME_OK);
    CHECK(lock.taken);
    CHECK(backend_pid(connection) != pid);
    CHECK_INT_EQ(pg_run(connection, "update held set x = x + 10", &failure), OUTCOME_OK);
    CHECK_TEXT_EQ(live_text(connection, "select x from held"), "11");
    live_run(admin, "drop table held");
    pg_connection_free(connection);
    pg_connection_free(admin);
}

/* COMMIT of a transaction that has failed answers with success and "ROLLBACK". */
static void test_commit(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_failure failure = {0};
    live_run(connection, "create temp table t (x int)");
    live_run(connection, "begin; insert into t values (1)");
    CHECK_INT_EQ(pg_run(connection, "insert into t values (1/0)", &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_ROW);
    CHECK_TEXT_EQ(failure.message, "division by zero");
    CHECK_INT_EQ(pg_commit(connection, &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_RETRY);
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from t"), "0");
    live_run(connection, "begin; insert into t values (1)");
    CHECK_INT_EQ(pg_commit(connection, &failure), OUTCOME_OK);
    CHECK_TEXT_EQ(live_text(connection, "select count(*) from t"), "1");

    /* A rule's SQL that copies with the client: nobody answers there. */
    CHECK_INT_EQ(pg_run(connection, "copy t to stdout", &failure), OUTCOME_RETRY);
    CHECK_INT_EQ(failure.action, SQL_RULE);
    CHECK(!pg_is_connected(connection));
    pg_connection_free(connection);
}

/* Each word that the server quotes is in our table, and what we quote means what it says. */
static void test_quoting(void)
{
    LIVE_OR_RETURN();
    struct pg_connection *connection = live_connect();
    struct pg_rows *rows = NULL;
    struct pg_failure failure = {0};
    CHECK_INT_EQ(pg_query(connection, "select word from pg_get_keywords() where catcode <> 'U'",
                          PG_NO_PARAMS, &rows, &failure),
                 OUTCOME_OK);
    CHECK(pg_rows_count(rows) > 100);
    for (int i = 0; i < pg_rows_count(rows); i++) {
        struct buf quoted = {0};
        UNIT_CASE("%s", pg_rows_text(rows, i, 0));
        pg_quote_identifier(&quoted, pg_rows_slice(rows, i, 0));
        CHECK_INT_EQ(buf_string(&quoted)[0], '"');
        buf_fini(&quoted);
    }
    unit_case[0] = '\0';
    pg_rows_free(rows);

    static const char *const texts[] = {"",        "it's", "back\\slash", "\\'; drop table x; --",
                                        "ü\n\t\"", "E'x'"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct buf sql = {0};
        buf_append_text(&sql, "select ");
        pg_quote_literal(&sql, slice_of(texts[i]));
        CHECK_TEXT_EQ(live_text(connection, buf_string(&sql)), texts[i]);
        live_run(connection, "set standard_conforming_strings = off");
        CHECK_TEXT_EQ(live_text(connection, buf_string(&sql)), texts[i]);
        live_run(connection, "set standard_conforming_strings = on");
        buf_fini(&sql);
    }
    pg_connection_free(connection);
}

UNIT_MAIN("live_connect", {"connected", test_connected}, {"refusals", test_refusals},
          {"silent_server", test_silent_server}, {"stopped_backend", test_stopped_backend},
          {"slow_statement", test_slow_statement}, {"meanwhile", test_meanwhile},
          {"interrupt", test_interrupt}, {"lost_while_idle", test_lost_while_idle},
          {"last_words", test_last_words}, {"last_words_in_copy", test_last_words_in_copy},
          {"previous_backend", test_previous_backend}, {"commit", test_commit},
          {"quoting", test_quoting})
