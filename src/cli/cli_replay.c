/*
 * cli_replay: `replay`, which says first what the journal has, and refuses to double rows.
 *
 *   read the position of an unfinished replay ─▶ count, storing nothing ─▶ say what was found
 *     ─▶ refuse when rows would be doubled ─▶ store in batches (load/replay)
 *
 * Opens the journal read-only and connects to the database, also beside a running service. Stores
 * rows of one rule, and its own position in the table replay of the bridge's schema: the same
 * command goes on there after an interruption. Publishes and acknowledges nothing. A message that
 * is refused is reported and becomes a dead letter. A dry run counts what the mapping makes of the
 * messages; with --database each batch goes to PostgreSQL, too, in a transaction that is rolled
 * back.
 *
 * Exit codes: 0 replayed, or counted with --dry-run; 1 refused, the journal or the database could
 * not be read, there is no such rule, or its table does not work.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "bridge/plan_keeper.h"
#include "cli/commands.h"
#include "core/calendar.h"
#include "load/recall.h"
#include "load/replay.h"
#include "map/compare.h"
#include "pg/dead_letter.h"
#include "pg/pg_quote.h"

/* The arguments of `replay`. Times in microseconds since 1970, both included. */
struct request {
    const char *rule;       /* its name; borrowed from the command line */
    int64_t from_us, to_us; /* when the messages were received */
    bool dry_run;           /* count, store nothing */
    bool database;          /* of a dry run: ask PostgreSQL, too */
    bool duplicates_are_fine;
};

/* Everything a replay works with. Borrowed from replay_with(), except `state`. */
struct stage {
    const struct request *request;
    struct generation *generation;
    struct replay_options options;
    const struct rule_target *target; /* of the rule */
    struct replay_letters letters;    /* owned; of the rule, before its messages were counted */
};

/* Waits for other sessions that are storing dead letters of the rule. */
static const char begin_sql[] =
    "begin isolation level read committed; set local lock_timeout = '20s'";

/* Prints why the database refused; returns CLI_FAILED. 42P01 is undefined_table, 42703
 * undefined_column: the bridge's schema may be older than this program. */
static int failed(const struct pg_failure *failure)
{
    fprintf(stderr, "mqtt2pg: %s\n", failure->message);
    if (strcmp(failure->sqlstate, "42P01") == 0 || strcmp(failure->sqlstate, "42703") == 0) {
        fprintf(stderr, "mqtt2pg: if the table replay, or a column of it, is missing in the "
                        "bridge's schema: psql -f sql/mqtt2pg.sql\n");
    }
    return CLI_FAILED;
}

/* Appends `before`, then the time in RFC 3339. */
static void append_time(struct buf *out, const char *before, int64_t time_us)
{
    buf_append_text(out, before);
    text_format_time(out, time_us);
}

/* --- before it begins ------------------------------------------------------------------------- */

/* Prints in one sentence what the journal has for the rule. Flushed at once, because storing may
 * take minutes. */
static void print_found(const struct stage *stage, const struct replay_counts *counts)
{
    struct buf out = {0};

    buf_printf(&out, "the journal has %" PRIu64 " stored message%s for rule \"%s\"",
               counts->messages, counts->messages == 1 ? "" : "s", stage->request->rule);
    if (counts->messages > 0) {
        append_time(&out, ", received from ", counts->first_us);
        append_time(&out, " to ", counts->last_us);
    }
    buf_printf(&out, ": %" PRIu64 " rows, %" PRIu64 " filtered, %" PRIu64 " rejected\n",
               counts->rows, counts->filtered, counts->rejected);
    if (counts->left > 0) {
        buf_printf(
            &out,
            counts->left == 1
                ? "%" PRIu64 " more is left out, because its dead letter is stored by itself\n"
                : "%" PRIu64
                  " more are left out, because their dead letters are stored by themselves\n",
            counts->left);
    }
    fwrite(out.data, 1, out.length, stdout);
    fflush(stdout);
    buf_fini(&out);
}

/* Appends the name of the first column with a time that the rule feeds. False: there is none. */
static bool append_time_column(struct buf *sql, const struct row_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->columns[i]->family == TYPE_TIMESTAMPTZ ||
            plan->columns[i]->family == TYPE_TIMESTAMP) {
            pg_quote_identifier(sql, slice_of(plan->columns[i]->name));
            return true;
        }
    }
    return false;
}

/* *found: does the table have rows whose first time column lies in the span of these messages?
 * Without such a column any row counts. The times of `counts` are PostgreSQL's: microseconds
 * since 2000. They go into the query as numbers that we made, so nothing of a message gets into
 * the SQL. */
static enum outcome find_rows(const struct stage *stage, const struct replay_counts *counts,
                              bool *found, struct pg_failure *failure)
{
    const struct rule_target *target = stage->target;
    struct pg_rows *rows = NULL;
    struct buf sql = {0};
    struct buf column = {0};

    assert(target->table != NULL && target->plan != NULL); /* a rule with `sql` has no table */
    buf_append_text(&sql, "select exists (select from ");
    pg_quote_identifier(&sql, slice_of(target->table->shape->schema));
    buf_append_text(&sql, ".");
    pg_quote_identifier(&sql, slice_of(target->table->shape->name));
    if (counts->has_times && append_time_column(&column, target->plan)) {
        buf_printf(&sql,
                   " where %s between timestamptz '2000-01-01 00:00:00+00' + %" PRId64
                   " * interval '1 microsecond' and timestamptz '2000-01-01 00:00:00+00' + %" PRId64
                   " * interval '1 microsecond'",
                   buf_string(&column), counts->times_from_us, counts->times_to_us);
    }
    buf_append_text(&sql, ")");
    enum outcome outcome =
        pg_query(stage->options.connection, buf_string(&sql), PG_NO_PARAMS, &rows, failure);
    *found = outcome == OUTCOME_OK && slice_is(pg_rows_slice(rows, 0, 0), "t");
    pg_rows_free(rows);
    buf_fini(&sql);
    buf_fini(&column);
    return outcome;
}

/* Refuses a replay that would add rows a second time. Rows cannot be doubled when on_conflict
 * keeps or replaces them, and a replay that goes on where it was has stored those rows itself. A
 * rule with its own `sql` may do anything, so it is refused without a look. */
static int refuse_duplicates(const struct stage *stage, const struct replay_counts *counts)
{
    const struct rule_options *rule = stage->options.ruleset->rules[stage->options.rule]->options;
    struct pg_failure failure;
    bool found = rule->sql.text != NULL;

    if (stage->request->duplicates_are_fine || stage->options.state.found || counts->rows == 0 ||
        (rule->sql.text == NULL && rule->on_conflict != CONFLICT_ERROR)) {
        return CLI_DONE;
    }
    if (!found && find_rows(stage, counts, &found, &failure) != OUTCOME_OK) {
        return failed(&failure);
    }
    if (!found) {
        return CLI_DONE;
    }
    fprintf(stderr,
            "mqtt2pg: refused: %s. Delete the rows that are wrong first, give the rule "
            "on_conflict = \"nothing\" or \"update\", or say --duplicates-are-fine\n",
            rule->sql.text != NULL
                ? "the rule's own sql may store rows a second time"
                : "the table has rows of that time, and the rule would add them once more");
    return CLI_FAILED;
}

/* --- replaying -------------------------------------------------------------------------------- */

/* The statements of begin(). Under the lock no other session stores or rejects dead letters of the
 * rule, and no other replay of the rule begins: either its rows are there already and are seen, or
 * it begins later and sees this replay. */
static int begin_locked(struct stage *stage, const struct replay_counts *found)
{
    struct pg_connection *connection = stage->options.connection;
    struct replay_state *state = &stage->options.state;
    const struct replay_key key = replay_key(&stage->options);
    const struct letter_lock lock = {pg_client_id(connection), &key.rule, 1, .wait = true};
    struct replay_letters letters = {0};
    struct pg_failure failure;
    bool done = false;
    int exit_code = CLI_FAILED;

    if (dead_letters_lock(connection, &lock, &done, &failure) != OUTCOME_OK ||
        replay_read_letters(&stage->options, &letters, &failure) != OUTCOME_OK) {
        failed(&failure);
        goto end;
    }
    assert(done); /* it was waited for */
    exit_code = refuse_duplicates(stage, found);
    if (exit_code != CLI_DONE) {
        goto end;
    }
    replay_state_leave_out(state, &stage->letters, &letters);
    if (replay_progress_begin(connection, &key, state, &done, &failure) != OUTCOME_OK ||
        pg_commit(connection, &failure) != OUTCOME_OK) {
        exit_code = failed(&failure);
    } else if (!done) {
        fprintf(stderr, "mqtt2pg: another replay of rule \"%s\" has begun meanwhile\n", key.rule);
        exit_code = CLI_FAILED;
    }
end:
    replay_letters_fini(&letters);
    return exit_code;
}

/* Writes the row of a new replay: which messages belong to it, and which of them it leaves out. So
 * a continued replay has the same messages, whatever the time is then and whatever the service has
 * stored. */
static int begin(struct stage *stage, const struct replay_counts *found)
{
    struct pg_connection *connection = stage->options.connection;
    struct pg_failure failure;

    assert(!stage->options.state.found);
    (void) FAULT("replay.begin.before");
    if (pg_run(connection, begin_sql, &failure) != OUTCOME_OK) {
        return failed(&failure);
    }
    return begin_locked(stage, found); /* when it fails, the end of the connection rolls back */
}

/* Stores the rows. */
static int run(struct stage *stage, const struct replay_counts *found)
{
    struct replay_counts counts;
    struct pg_failure failure;

    assert(!stage->request->dry_run);
    if (!stage->options.state.found && begin(stage, found) != CLI_DONE) {
        return CLI_FAILED;
    }
    stage->options.dry_run = false;
    stage->options.silent = false;
    if (replay_run(&stage->options, &counts, &failure) != OUTCOME_OK) {
        failed(&failure);
        fprintf(stderr, "mqtt2pg: what was committed stays; the same command goes on from there\n");
        return CLI_FAILED;
    }
    printf("replayed %" PRIu64 " message%s: %" PRIu64 " rows stored, %" PRIu64 " filtered, %" PRIu64
           " rejected\n",
           counts.messages, counts.messages == 1 ? "" : "s", counts.rows, counts.filtered,
           counts.rejected);
    if (counts.rejected > 0) {
        printf("the rejected ones are dead letters: see mqtt2pg dead-letters list\n");
    }
    return CLI_DONE;
}

/* Finds the messages of a new replay: those up to the position in the database. The service stores
 * later ones, also after the database went back. The letters are read after the position, so no
 * batch adds letters of these messages any more. */
static int look(struct stage *stage)
{
    const struct replay_key key = replay_key(&stage->options);
    struct progress *progress = memory_alloc(sizeof(*progress));
    struct pg_failure failure;
    int exit_code = CLI_DONE;

    if (progress_read(stage->options.connection, key.journal, progress, &failure) != OUTCOME_OK) {
        exit_code = failed(&failure);
    } else if (progress->owner != PROGRESS_OURS) {
        fprintf(stderr,
                "mqtt2pg: the database has no position of this journal under the client_id "
                "\"%s\": the service has to start first\n",
                pg_client_id(stage->options.connection));
        exit_code = CLI_FAILED;
    } else if (replay_read_letters(&stage->options, &stage->letters, &failure) != OUTCOME_OK) {
        exit_code = failed(&failure);
    }
    stage->options.state.last = progress->position;
    free(progress);
    return exit_code;
}

/* An unfinished replay goes on with its own span of time; --from and --to do not count then. */
static int find_state(struct stage *stage)
{
    const struct replay_key key = replay_key(&stage->options);
    struct pg_failure failure;
    struct replay_state state;
    struct buf out = {0};

    if (replay_progress_read(stage->options.connection, &key, &state, &failure) != OUTCOME_OK) {
        return failed(&failure);
    }
    if (!state.found) {
        return look(stage);
    }
    stage->options.state = state;
    buf_printf(&out, "mqtt2pg: goes on behind message %" PRIu64, state.done);
    append_time(&out, ", with messages from ", state.from_us);
    append_time(&out, " to ", state.to_us);
    fprintf(stderr, "%s\n", buf_string(&out));
    buf_fini(&out);
    return CLI_DONE;
}

/* Counts first, without storing, so that nothing begins that is refused afterwards. */
static int count_and_run(struct stage *stage)
{
    struct replay_counts counts;
    struct pg_failure failure;

    assert(stage->target != NULL && stage->target->plan != NULL);
    if (find_state(stage) != CLI_DONE) {
        return CLI_FAILED;
    }
    stage->options.dry_run = true;
    stage->options.rehearses = stage->request->database;
    stage->options.silent = !stage->request->dry_run;
    if (replay_run(&stage->options, &counts, &failure) != OUTCOME_OK) {
        return failed(&failure);
    }
    print_found(stage, &counts);
    return stage->request->dry_run ? refuse_duplicates(stage, &counts) : run(stage, &counts);
}

/* Fills options.rule and `target`. Reads the tables of all rules and the values that
 * `recall` keeps, because the mapper needs both as the service has them. */
static int find_rule(struct stage *stage)
{
    const struct ruleset *ruleset = stage->generation->ruleset;
    struct pg_failure failure;
    unsigned i = 0;

    assert(stage->request->rule != NULL);
    while (i < ruleset->count && strcmp(ruleset->rules[i]->name, stage->request->rule) != 0) {
        i++;
    }
    if (i == ruleset->count) {
        fprintf(stderr, "mqtt2pg: there is no rule \"%s\"\n", stage->request->rule);
        return CLI_FAILED;
    }
    if (rule_targets_read(stage->options.targets, stage->options.connection, &failure) !=
            OUTCOME_OK ||
        recall(stage->options.mapper, stage->options.connection, 0, &failure) != OUTCOME_OK) {
        return failed(&failure);
    }
    stage->options.rule = i;
    stage->target = rule_targets_get(stage->options.targets, i);
    if (stage->target->plan == NULL) {
        fprintf(stderr, "mqtt2pg: rule \"%s\": %s\n", stage->request->rule, stage->target->reason);
        return CLI_FAILED;
    }
    return CLI_DONE;
}

/* Connects and replays. Borrows all three; frees what it makes in reverse order. */
static int replay_with(struct generation *generation, const struct request *request,
                       struct journal *journal)
{
    struct mapper *mapper = mapper_new(generation->ruleset);
    struct stage stage = {
        .request = request,
        .generation = generation,
        .options = {.connection = pg_connection_new(&generation->config->database),
                    .journal = journal,
                    .ruleset = generation->ruleset,
                    .mapper = mapper,
                    .targets = rule_targets_new(generation->ruleset, mapper),
                    .state = {.from_us = request->from_us, .to_us = request->to_us},
                    .batch = generation->config->batch},
    };
    struct error error;
    int exit_code = CLI_FAILED;

    plan_keeper_look(generation, generation->config, journal);
    rule_targets_silence(stage.options.targets);
    if (pg_connect(stage.options.connection, &error) == OUTCOME_OK) {
        exit_code = find_rule(&stage);
        exit_code = exit_code == CLI_DONE ? count_and_run(&stage) : exit_code;
    } else {
        fprintf(stderr, "mqtt2pg: the database could not be asked: %s\n", error.text);
    }
    replay_state_fini(&stage.options.state);
    replay_letters_fini(&stage.letters);
    pg_connection_free(stage.options.connection);
    rule_targets_free(stage.options.targets);
    mapper_free(mapper);
    return exit_code;
}

/* --- the command ------------------------------------------------------------------------------ */

/* A time like "2026-11-23 03:29", or how long ago, like "2h". Microseconds since 1970. */
static bool read_time(const char *text, int64_t *time_us)
{
    int64_t ago_ms;
    if (text_parse_duration(slice_of(text), &ago_ms)) {
        *time_us = clock_wall_us() - ago_ms * 1000;
        return true;
    }
    return compare_reads_time(slice_of(text), time_us);
}

/* Reads the arguments: CLI_DONE or CLI_USAGE. A span that ends before it begins is legal: no
 * message is in it. */
static int parse_request(const struct cli_call *call, struct request *request)
{
    for (int i = 0; i < call->count; i++) {
        const char *value = cli_option(call, &i, "--rule");
        if (value != NULL) {
            request->rule = value;
        } else if ((value = cli_option(call, &i, "--from")) != NULL) {
            if (!read_time(value, &request->from_us)) {
                return cli_usage(
                    call, "\"%s\" is not a time, like 2026-11-23T03:29:30Z, or 2h for 2 hours ago",
                    value);
            }
        } else if ((value = cli_option(call, &i, "--to")) != NULL) {
            if (!read_time(value, &request->to_us)) {
                return cli_usage(
                    call, "\"%s\" is not a time, like 2026-11-23T03:29:30Z, or 2h for 2 hours ago",
                    value);
            }
        } else if (strcmp(call->arguments[i], "--dry-run") == 0) {
            request->dry_run = true;
        } else if (strcmp(call->arguments[i], "--database") == 0) {
            request->database = true;
        } else if (strcmp(call->arguments[i], "--duplicates-are-fine") == 0) {
            request->duplicates_are_fine = true;
        } else {
            return cli_usage(call, "unknown argument \"%s\"", call->arguments[i]);
        }
    }
    if (request->database && !request->dry_run) {
        return cli_usage(call,
                         "--database belongs to --dry-run: a replay asks the database anyway");
    }
    return request->rule != NULL && request->rule[0] != '\0'
               ? CLI_DONE
               : cli_usage(call, "replay needs --rule R");
}

/* Without --from and --to: everything that was received until now. */
int cli_replay(const struct cli_call *call)
{
    struct request request = {.from_us = 0, .to_us = clock_wall_us()};
    struct journal *journal = NULL;
    struct error error;
    int exit_code = parse_request(call, &request);

    if (exit_code != CLI_DONE) {
        return exit_code;
    }
    struct generation *generation = cli_load(call, stderr);
    if (generation == NULL) {
        return CLI_CONFIGURATION;
    }
    struct journal_options options = generation->config->journal;
    assert(request.rule != NULL && request.rule[0] != '\0');
    options.read_only = true; /* the service may hold its lock */
    if (journal_open(&journal, &options, &error) == OUTCOME_OK) {
        exit_code = replay_with(generation, &request, journal);
        journal_close(journal);
    } else {
        fprintf(stderr, "mqtt2pg: %s\n", error.text);
        exit_code = CLI_FAILED;
    }
    generation_free(generation);
    return exit_code;
}
