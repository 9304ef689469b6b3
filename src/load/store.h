/*
 * store: one batch, one transaction.
 *
 *   outbox: acknowledgments written and synced
 *   BEGIN; progress: from → to by compare-and-set   (not there: roll back, read it again)
 *   rows; types; dead letters; gaps                 (refused: load/blame finds out what)
 *   COMMIT                                          (no answer: `progress` will tell)
 *
 * All of it is sent in as few messages as possible (load/transaction), so the acknowledgments are
 * on disk before anything is sent. When one of them has @rows, they are on disk before the message
 * with COMMIT is sent. Their mark is the position alone: the row of `progress` is at that position,
 * or beyond it, exactly when the batch was committed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_STORE_H
#define MQTT2PG_LOAD_STORE_H

#include "ack/outbox.h"
#include "load/batch.h"
#include "load/patience.h"
#include "pg/pg_connection.h"
#include "pg/replay_progress.h"

enum store_result {
    STORE_DONE,    /* committed */
    STORE_LOST,    /* the connection is gone; `progress` will show whether it was committed */
    STORE_STALE,   /* `progress` is not where the batch begins: read it again */
    STORE_REFUSED, /* rolled back after an ERROR; blame() finds out what it means */
    STORE_AGAIN,   /* rolled back; verdicts or targets have changed: build it again, now */
    STORE_SOON,    /* rolled back; a deadlock or a serialization failure: try the same again soon */
    STORE_SMALLER, /* rolled back; build a batch of half the messages */
    /* rolled back; the server can't store now: again after a pause; `failure` says why */
    STORE_WAIT,
    STORE_ACKS, /* not begun; the broker must take acknowledgments first */
    /* Not begun; the disk below the outbox failed. After a failed fsync() the kernel may have
     * dropped the dirty pages, so a later fsync() that succeeds proves nothing: the process
     * ends. */
    STORE_DISK,
};

/* What a statement of the transaction is for. */
enum place_kind {
    PLACE_BEGIN,      /* BEGIN, the move of the progress */
    PLACE_ROWS,       /* a run's rows */
    PLACE_TYPES,      /* the check of a run's types */
    PLACE_OWN_TABLES, /* dead letters, gaps */
    PLACE_COMMIT,
};

struct store_place {
    enum place_kind kind;
    bool copy;   /* the statement is a COPY */
    bool counts; /* its command tag counts rows of the run */
    size_t run;  /* PLACE_ROWS and PLACE_TYPES: index in batch->runs */
    size_t low;  /* PLACE_ROWS that `counts`: extents from low up to high */
    size_t high;
    const char *own; /* PLACE_OWN_TABLES: the table that refused the row, for people */
};

struct store_failure {
    struct store_place place;
    struct pg_failure pg;
    size_t fits; /* with STORE_SMALLER: messages that should be stored in time; 0 = not known */
};

/* All borrowed. */
struct store {
    struct pg_connection *connection;
    const char *journal;
    const struct ruleset *ruleset;
    struct mapper *mapper; /* for retry_letters() */
    struct rule_targets *targets;
    struct verdicts *verdicts;
    struct outbox *outbox; /* NULL: no acknowledgments */
    uint64_t position;     /* of `progress`, for retry_letters() with an outbox */
    /* The rows come from dead letters. A letter that is refused while others pass is rejected at
     * once, whatever the reason: it has waited before. */
    bool letters;
    /* Other letters of the same rules pass, so the refused ones are to blame, even when no letter
     * of the batch passes. */
    bool others_pass;
    /* Rules of other tables wait, so statements for rows have a time limit; NULL: no limit. */
    struct patience *patience;
    /* Gives up on a locked table after 100 ms instead of 2 s, and on slow rows after half the
     * time. */
    bool impatient;
    /* A larger batch was not stored, and this batch is a part of it, but not the last. A refused
     * row may refer to rows of the rest. */
    bool part;
    /* Waits for letters that another session is storing; otherwise passes over such letters. */
    bool waits;
    /* retry_letters() gives a portion back when its payloads have keys that are to become columns.
     * NULL: it stores the portion without them. */
    struct untaken *untaken;
    const struct replay_step *replay; /* moves this replay's row instead of `progress`; or NULL */
};

/* Verdicts and targets are only read; fills rows_stored of the batch's rules. `failure` is for
 * blame(). */
enum store_result store_batch(const struct store *store, struct batch *batch,
                              struct store_failure *failure) MUST_CHECK;

/* Like store_batch(), with ROLLBACK instead of COMMIT: nothing is stored, no position moves,
 * nothing is acknowledged. STORE_DONE: PostgreSQL would take the batch. */
enum store_result store_rehearse(const struct store *store, struct batch *batch,
                                 struct store_failure *failure) MUST_CHECK;

/* What the failure of a statement that is not about rows means for the batch. */
enum store_result store_result_of(const struct pg_failure *failure);

/* Writes and syncs the acknowledgments of a transaction that ends with `mark`. STORE_DONE, or what
 * to do, with the reason in `failure`. */
enum store_result store_prepare_acks(const struct store *store, const struct batch *batch,
                                     const struct outbox_mark *mark,
                                     struct pg_failure *failure) MUST_CHECK;

/* After the batch's rows are sent and counted: gives acknowledgments with @rows their number. False
 * when rows were left out (a conflict, a trigger) and nobody knows of which messages: the batch
 * must be rolled back and stored again, now message by message for the rules concerned, which is
 * slow. Messages of these rules are stored one by one until a batch leaves no row out. */
bool store_count_acks(const struct store *store, struct batch *batch) MUST_CHECK;

/* After COMMIT was answered: tells rule_targets which rules have stored rows. */
void store_rows_committed(const struct store *store, const struct batch *batch);

/* store_release_acks() publishes the acknowledgments after COMMIT was answered; store_drop_acks()
 * deletes them after a rollback. When the outcome is unknown, neither is called: outbox_settle()
 * decides later. */
void store_release_acks(const struct store *store);
void store_drop_acks(const struct store *store);

/* Sends ROLLBACK. When that fails, closes the connection, which also rolls back. */
void store_rollback(const struct store *store);

#endif
