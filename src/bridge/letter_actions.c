/* SPDX-License-Identifier: MIT */
#include "bridge/letter_actions.h"

#include <assert.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/text.h"
#include "bridge/action_help.h"
#include "load/letter_retry.h"
#include "load/letter_text.h"
#include "pg/gaps.h"

/* Of one answer: letters, and the bytes of their payloads, which the database sends although the
 * list does not show them. */
enum { LETTERS_LISTED = 50, LETTERS_BYTES_MAX = 4 * 1024 * 1024 };
/* A person waits for the answer, and the next action waits for this one. */
enum { RETRY_MS = 5000 };

/* --- dead letters ----------------------------------------------------------------------------- */

/* Is there a letter behind query.after_id? "No" when the database does not answer: the page then
 * only lacks its button for more. */
static bool are_more(struct pg_connection *connection, struct dead_letter_query query)
{
    struct dead_letter_rows rows = {0};
    struct pg_failure failure;
    bool more;

    query.limit = 1;
    more = dead_letters_read(connection, &query, &rows, &failure) == OUTCOME_OK && rows.count > 0;
    dead_letter_rows_fini(&rows);
    return more;
}

void letter_action_list(struct pg_connection *connection, struct action *action)
{
    struct dead_letter_query query = {.client_id = pg_client_id(connection),
                                      .rule = action->arguments[ACTION_RULE],
                                      .parked = -1,
                                      .limit = LETTERS_LISTED};
    struct dead_letter_rows rows = {0};
    struct pg_failure failure;

    assert(query.client_id != NULL); /* NULL would list the letters of all bridges */
    if (!action_read_number(action, ACTION_AFTER, &query.after_id) ||
        !action_connect(connection, action)) {
        return;
    }
    if (dead_letters_fit(connection, &query, LETTERS_BYTES_MAX, &failure) != OUTCOME_OK ||
        dead_letters_read(connection, &query, &rows, &failure) != OUTCOME_OK) {
        action_refuse_failure(action, &failure);
        return;
    }
    buf_append_text(&action->answer, "{\"letters\":[");
    for (size_t i = 0; i < rows.count; i++) {
        buf_append_text(&action->answer, i == 0 ? "" : ",");
        letter_append_listed(&action->answer, &rows.list[i].letter);
    }
    query.after_id = rows.count == 0 ? query.after_id : rows.list[rows.count - 1].letter.id;
    buf_printf(&action->answer, "],\"more\":%s}", are_more(connection, query) ? "true" : "false");
    action->status = ACTION_OK;
    dead_letter_rows_fini(&rows);
}

void letter_action_show(struct pg_connection *connection, struct action *action)
{
    struct dead_letter_query query = {.parked = -1, .limit = 1};
    struct dead_letter_rows rows = {0};
    struct pg_failure failure;

    if (!action_read_number(action, ACTION_ID, &query.id) || !action_connect(connection, action)) {
        return;
    }
    if (query.id == 0) {
        action_refuse(action, ACTION_BAD_REQUEST, "id=NUMBER is wanted");
    } else if (dead_letters_read(connection, &query, &rows, &failure) != OUTCOME_OK) {
        action_refuse_failure(action, &failure);
    } else if (rows.count == 0) {
        action_refuse(action, ACTION_NOT_FOUND, "there is no dead letter %" PRId64, query.id);
    } else {
        letter_append_json(&action->answer, &rows.list[0].letter);
        action->answer.length--; /* its newline */
        action->status = ACTION_OK;
    }
    dead_letter_rows_fini(&rows);
}

void letter_action_retry(struct pg_connection *connection, const struct ruleset *ruleset,
                         struct action *action)
{
    const struct letter_desk desk = {.ruleset = ruleset, .connection = connection};
    struct letter_choice choice = {.rule = action->arguments[ACTION_RULE],
                                   .until_ms = clock_monotonic_ms() + RETRY_MS};
    struct letter_report report = {.tried = false};
    struct buf text = {0};

    if (!action_read_number(action, ACTION_ID, &choice.id) || !action_connect(connection, action)) {
        return;
    }
    (void) letter_retry(&desk, &choice, &report);
    if (report.tried) {
        letter_append_counts(&text, &report.counts);
        text.length--; /* its newline */
        buf_append_byte(&action->answer, '{');
        action_append_text(&action->answer, "text", buf_string(&text));
        buf_printf(&action->answer, ",\"letters\":%" PRIu64 ",\"stored\":%" PRIu64 ",",
                   report.counts.letters - report.counts.claimed, report.counts.stored);
        buf_printf(&action->answer, "\"unfinished\":%s,", report.unfinished ? "true" : "false");
        action_append_lines(&action->answer, "remarks", &report.complaints);
        buf_append_byte(&action->answer, '}');
        action->status = ACTION_OK;
    } else {
        action_refuse(action, ACTION_CONFLICT, "%s", buf_string(&report.complaints));
    }
    buf_fini(&text);
    letter_report_fini(&report);
}

void letter_action_purge(struct pg_connection *connection, struct action *action)
{
    const struct dead_letter_query query = {.client_id = pg_client_id(connection),
                                            .rule = action->arguments[ACTION_RULE]};
    struct pg_failure failure;
    int64_t purged = 0;

    assert(query.client_id != NULL); /* NULL would remove the letters of all bridges */
    if (query.rule == NULL && !action_is_all(action)) {
        action_refuse(action, ACTION_BAD_REQUEST,
                      "which dead letters? rule=NAME or all=1 is wanted");
        return;
    }
    if (!action_connect(connection, action)) {
        return;
    }
    if (dead_letters_purge(connection, &query, &purged, &failure) != OUTCOME_OK) {
        action_refuse_failure(action, &failure);
        return;
    }
    action_answer_count(action, purged, "dead letter removed", "dead letters removed");
}

/* --- gaps ------------------------------------------------------------------------------------- */

/* Takes a gap (0: all gaps) off the list that the page shows. The loader reads the list from the
 * database every few seconds only, and a person wants to see that the button worked. */
static void forget_gap(int64_t id)
{
    struct health_gap gaps[HEALTH_GAPS_MAX];
    size_t open = health_gaps_open(), count = health_gaps(gaps, HEALTH_GAPS_MAX), kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (id != 0 && gaps[i].id != id) {
            gaps[kept++] = gaps[i];
        }
    }
    /* `open` counts all gaps, `count` only those that the list has room for. The loader may have
     * changed both between the two questions above; then `open` may be less than `count`. */
    open = id == 0 || open < count ? kept : open - (count - kept);
    health_set_gaps(gaps, kept, open);
}

void gap_action_acknowledge(struct pg_connection *connection, struct action *action)
{
    struct gap_query query = {.client_id = pg_client_id(connection)};
    struct pg_failure failure;
    int64_t count = 0;

    assert(query.client_id != NULL); /* NULL would acknowledge the gaps of all bridges */
    if (!action_read_number(action, ACTION_ID, &query.id)) {
        return;
    }
    if (query.id == 0 && !action_is_all(action)) {
        action_refuse(action, ACTION_BAD_REQUEST, "which gap? id=NUMBER or all=1 is wanted");
        return;
    }
    if (!action_connect(connection, action)) {
        return;
    }
    if (gaps_acknowledge(connection, &query, &count, &failure) != OUTCOME_OK) {
        action_refuse_failure(action, &failure);
    } else if (query.id != 0 && count == 0) {
        action_refuse(action, ACTION_NOT_FOUND, "there is no gap %" PRId64 " that waits for it",
                      query.id);
    } else {
        forget_gap(query.id);
        action_answer_count(action, count, "gap acknowledged", "gaps acknowledged");
    }
}
