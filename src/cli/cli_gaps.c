/*
 * cli_gaps: lists and acknowledges spans of time from which messages may be missing.
 *
 * The service writes a gap into the table gap of its schema when it knows that messages may have
 * been lost, for example because the broker forgot its session. Until somebody acknowledges the
 * gap, the status page, `status` and the metric report it. `ack` sets acknowledged_at; the row
 * stays.
 *
 * Connects to the database, never to the broker. Only gaps of this configuration's client_id count.
 *
 * Exit codes: 0 done, also when there is no gap; 1 the database refused or could not be asked, or
 * no gap of this number waits for an acknowledgment.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "pg/gaps.h"

/* Appends "2026-11-23 03:29:30Z", without the fraction, or a "?" as wide as that when nobody
 * knows the time (0). */
static void append_moment(struct buf *out, int64_t time_us)
{
    struct buf text = {0};

    if (time_us == 0) {
        buf_append_text(out, "?                   ");
        return;
    }
    text_format_time(&text, time_us);
    buf_printf(out, "%.10s %.8sZ", buf_string(&text), buf_string(&text) + 11);
    buf_fini(&text);
}

/* Appends one gap. -1 messages: nobody knows how many are missing. */
static void append_line(struct buf *out, const struct gap_row *gap)
{
    buf_printf(out, "%6" PRId64 "  ", gap->id);
    append_moment(out, gap->from_us);
    buf_append_text(out, " to ");
    append_moment(out, gap->to_us);
    buf_append_text(out, "  ");
    if (gap->messages >= 0) {
        text_format_count(out, (uint64_t) gap->messages);
        buf_append_text(out, gap->messages == 1 ? " message, " : " messages, ");
    }
    text_append_printable(out, slice_of(gap->cause), 80);
    if (gap->acknowledged_at_us != 0) {
        buf_append_text(out, ", acknowledged ");
        append_moment(out, gap->acknowledged_at_us);
    }
    buf_append_text(out, "\n");
}

/* Prints why the server refused; returns CLI_FAILED. */
static int refused(const struct pg_failure *failure)
{
    fprintf(stderr, "mqtt2pg: the database refused: %s\n", failure->message);
    return CLI_FAILED;
}

/* Prints a line for each gap, the oldest first, at most 1000. */
static int list_gaps(struct pg_connection *connection, struct gap_query query)
{
    struct gap_rows rows = {0};
    struct pg_failure failure;
    struct buf out = {0};

    if (gaps_read(connection, &query, &rows, &failure) != OUTCOME_OK) {
        return refused(&failure);
    }
    for (size_t i = 0; i < rows.count; i++) {
        append_line(&out, &rows.list[i]);
    }
    fwrite(out.data, 1, out.length, stdout);
    if (rows.count == 0) {
        fprintf(stderr,
                query.unacknowledged_only
                    ? "mqtt2pg: no gaps to acknowledge; --all shows those that are acknowledged\n"
                    : "mqtt2pg: no gaps\n");
    }
    buf_fini(&out);
    gap_rows_fini(&rows);
    return CLI_DONE;
}

/* Acknowledges gap query.id, or with 0 all of them. A number that changes nothing is a failure:
 * somebody meant a gap that is not there, or somebody else was faster. */
static int acknowledge(struct pg_connection *connection, struct gap_query query)
{
    struct pg_failure failure;
    int64_t count = 0;

    assert(query.id >= 0);
    if (gaps_acknowledge(connection, &query, &count, &failure) != OUTCOME_OK) {
        return refused(&failure);
    }
    printf("%" PRId64 " gap%s acknowledged\n", count, count == 1 ? "" : "s");
    if (query.id != 0 && count == 0) {
        fprintf(stderr,
                "mqtt2pg: no gap %" PRId64
                " of this client_id is to be acknowledged; see gaps list --all\n",
                query.id);
    }
    return query.id == 0 || count > 0 ? CLI_DONE : CLI_FAILED;
}

/* A whole number from 1. *id is changed in any case. */
static bool parse_id(const char *text, int64_t *id)
{
    char *end;

    *id = strtoll(text, &end, 10);
    return *id > 0 && *end == '\0';
}

/* `list`, `list --all`, `ack ID` or `ack --all`; nothing else is accepted. */
int cli_gaps(const struct cli_call *call)
{
    bool list = call->count > 0 && strcmp(call->arguments[0], "list") == 0;
    bool ack = call->count > 0 && strcmp(call->arguments[0], "ack") == 0;
    bool all = call->count == 2 && strcmp(call->arguments[1], "--all") == 0;
    struct gap_query query = {.unacknowledged_only = !all};
    struct generation *generation;
    struct pg_connection *connection;
    struct error error;
    int exit_code = CLI_FAILED;

    if ((!list && !ack) || call->count > 2 || (list && call->count == 2 && !all)) {
        return cli_usage(call, "gaps needs list, or ack with the number of a gap");
    }
    assert(list != ack);
    if (ack && !all && (call->count < 2 || !parse_id(call->arguments[1], &query.id))) {
        return cli_usage(call, "ack needs the number of a gap, or --all");
    }
    generation = cli_load(call, stderr);
    if (generation == NULL) {
        return CLI_CONFIGURATION;
    }
    connection = pg_connection_new(&generation->config->database);
    if (pg_connect(connection, &error) != OUTCOME_OK) {
        fprintf(stderr, "mqtt2pg: the database could not be asked: %s\n", error.text);
    } else {
        query.client_id = pg_client_id(connection);
        exit_code = list ? list_gaps(connection, query) : acknowledge(connection, query);
    }
    pg_connection_free(connection);
    generation_free(generation);
    return exit_code;
}
