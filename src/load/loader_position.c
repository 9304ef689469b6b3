/* SPDX-License-Identifier: MIT */
#include "load/loader_position.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/stop.h"
#include "pg/pg_quote.h"
#include "pg/progress.h"

/*
 * Moves to the database's position and books the difference. A move forward in this process means a
 * COMMIT whose answer was lost: its messages count as processed. Any other move changes how many
 * messages waited at the start.
 */
static enum outcome seek_stored(struct loader *loader, uint64_t position, struct error *error)
{
    struct journal *journal = loader->options.journal;
    uint64_t before = journal_stored(journal);
    struct journal_info then, now;
    int64_t done;

    if (position < before) {
        log_warn("the database is behind what was stored: storing again what the journal keeps",
                 F_INT("stored", before), F_INT("database", position));
    }
    journal_info(journal, &then);
    loader_set_stored(loader, position);
    journal_info(journal, &now);
    /* Messages that other threads append between the two calls of journal_info() are not `done`. */
    done = (int64_t) then.waiting - (int64_t) now.waiting + (int64_t) (now.last - then.last);
    if (done > 0 && loader->link != LINK_NEVER) {
        metric_add(METRIC_MESSAGES_PROCESSED, done);
    } else {
        metric_add(METRIC_JOURNAL_MESSAGES_AT_START, -done);
    }
    loader->reading = READING_ASTRAY; /* the messages before the new position are to be recalled */
    return journal_reader_seek(loader->reader, position + 1, error);
}

/* Ends the process with exit code 4 at its start, where a person is watching. Later the loader
 * tries again until a person has put it right; meanwhile the journal takes messages. */
static enum outcome refuse(const struct loader *loader, struct error *error)
{
    if (loader->link == LINK_NEVER) {
        log_error("the position is not known: stopping", F_TEXT("reason", error->text));
        stop_request(4);
    }
    return OUTCOME_RETRY;
}

/* This journal has stored messages before, but the database has no row of `progress` for it:
 * perhaps another database, perhaps a lost row. To store all again would double rows, to skip them
 * could lose messages. So a person decides: the error message has the SQL statement for either
 * decision. */
static enum outcome refuse_to_guess(const struct loader *loader, struct error *error)
{
    const struct pg_connection *connection = loader->connection;
    uint64_t stored = journal_stored(loader->options.journal);
    struct buf insert = {0}, text = {0};

    buf_append_text(&text, "insert into mqtt2pg.progress (client_id, journal, position) values (");
    pg_quote_literal(&text, slice_of(pg_client_id(connection)));
    buf_printf(&text, ", '%s', %" PRIu64 ")", journal_uuid(loader->options.journal), stored);
    pg_append_for_schema(&insert, buf_string(&text), pg_schema(connection));
    error_set(error, OUTCOME_RETRY,
              "this journal knows that %" PRIu64
              " messages were stored, but the database has no row "
              "of progress for it: to go on behind them: %s; with position 0 instead, what the "
              "journal keeps is stored (again)",
              stored, buf_string(&insert));
    buf_fini(&insert);
    buf_fini(&text);
    return refuse(loader, error);
}

/* The client_id was renamed: its position and its dead letters go with it. */
static enum outcome adopt(const struct loader *loader, const struct progress *progress,
                          struct error *error)
{
    struct pg_failure failure;
    bool adopted;

    if (progress_adopt(loader->connection, progress->journal, progress->client_id, &adopted,
                       &failure) != OUTCOME_OK) {
        return error_set(error, OUTCOME_RETRY, "%s", failure.message);
    }
    if (!adopted) {
        error_set(
            error, OUTCOME_RETRY,
            "another process stores a copy of this journal as client_id \"%.200s\": give this "
            "one a journal of its own",
            progress->client_id);
        return refuse(loader, error);
    }
    log_warn(
        "client_id was renamed: going on with its journal; what the broker still queues for the "
        "former client_id is delivered to that client_id only, until its session expires",
        F_TEXT("former", progress->client_id),
        F_TEXT("client_id", pg_client_id(loader->connection)));
    return OUTCOME_OK;
}

/* Makes the first row of this journal. */
static enum outcome begin_position(const struct loader *loader, const struct progress *progress,
                                   struct error *error)
{
    const char *uuid = journal_uuid(loader->options.journal);
    struct pg_failure failure;

    if (journal_stored(loader->options.journal) > 0) {
        return refuse_to_guess(loader, error);
    }
    if (progress->owner == PROGRESS_OTHER_JOURNAL) {
        log_warn(
            "this client stored from another journal before: what still waits there is not stored",
            F_TEXT("other", progress->journal), F_TEXT("journal", uuid));
    }
    if (progress_write(loader->connection, uuid, 0, &failure) != OUTCOME_OK) {
        return error_set(error, OUTCOME_RETRY, "%s", failure.message);
    }
    return OUTCOME_OK;
}

/* Reads this journal's row of `progress`; when there is none under this client_id, takes the row
 * over from a former client_id or makes it. `mark` tells the outbox what was committed. */
static enum outcome read_position(const struct loader *loader, struct outbox_mark *mark,
                                  struct error *error)
{
    const char *uuid = journal_uuid(loader->options.journal);
    struct progress *progress = memory_alloc(sizeof(*progress));
    struct pg_failure failure;
    enum outcome outcome = OUTCOME_RETRY;

    if (progress_read(loader->connection, uuid, progress, &failure) != OUTCOME_OK) {
        /* undefined_table: the tables were there when this process started, so somebody is
         * restoring a dump. */
        bool restoring = strcmp(failure.sqlstate, "42P01") == 0;

        error_set(error, OUTCOME_RETRY, "%s%s", failure.message,
                  restoring ? ": is the database being restored? Restore it, or restart the bridge "
                              "to make its tables again"
                            : "");
        goto end;
    }
    *mark = (struct outbox_mark){progress->position, progress->stored_at_us};
    switch (progress->owner) {
    case PROGRESS_OURS:
        outcome = OUTCOME_OK;
        break;
    case PROGRESS_RENAMED:
        outcome = adopt(loader, progress, error);
        break;
    case PROGRESS_OTHER_JOURNAL:
    case PROGRESS_NONE:
        *mark = (struct outbox_mark){0};
        outcome = begin_position(loader, progress, error);
        break;
    }
end:
    free(progress);
    return outcome;
}

/*
 * A journal that was put back to an older state, or that lost its end in a power loss, gives
 * numbers a second time that the database counts as stored. Then this function moves the database's
 * position back to where this process began to append. The messages that had these numbers the
 * first time are stored already.
 */
static enum outcome lower_position(struct loader *loader, uint64_t *position,
                                   struct pg_failure *failure)
{
    if (loader->link != LINK_NEVER || *position <= loader->last_at_start) {
        return OUTCOME_OK;
    }
    log_warn("the database is ahead of the journal, which lost its end: going on with the journal",
             F_INT("journal", loader->last_at_start), F_INT("database", *position));
    *position = loader->last_at_start;
    return progress_write(loader->connection, journal_uuid(loader->options.journal), *position,
                          failure);
}

/* The outbox is settled before the position is lowered: its files are compared with the position
 * that the database committed, whatever the journal has lost. */
bool loader_take_position(struct loader *loader, struct error *error)
{
    struct pg_failure failure = {.message = ""};
    struct outbox_mark mark;

    if (read_position(loader, &mark, error) != OUTCOME_OK) {
        return false;
    }
    if (loader->options.outbox != NULL &&
        outbox_settle(loader->options.outbox, &mark, error) != OUTCOME_OK) {
        log_error("the outbox of acknowledgments failed, stopping", F_TEXT("reason", error->text));
        stop_request(1);
        loader_advance(loader, LOADER_ABANDONS);
        return false;
    }
    if (lower_position(loader, &mark.position, &failure) != OUTCOME_OK) {
        error_set(error, OUTCOME_RETRY, "%s", failure.message);
        return false;
    }
    return seek_stored(loader, mark.position, error) == OUTCOME_OK;
}
