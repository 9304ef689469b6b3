/*
 * retry: sends dead letters through today's rules once more. For parked rules whose table works
 * again, for `retry_for`, and for `dead-letters retry`.
 *
 * The transaction that stores a letter's rows also deletes the letter. A letter that fails again
 * stays, with the new reason. So each letter is stored once or not at all, even if the process is
 * killed.
 *
 *   begin                           with a lock_timeout
 *   lock letters; read them         of one rule or of a table's rules, in the order of their ids
 *   rows; NOTIFY                    refused: load/blame finds the letters that are to blame
 *   delete or update letters
 *   move progress to where it is    only with acknowledgments: gives the outbox its mark
 *   commit
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RETRY_H
#define MQTT2PG_LOAD_RETRY_H

#include "load/letter_batch.h"

struct retry_counts {
    uint64_t letters; /* in committed portions: the sum of the five below */
    uint64_t portion; /* letters in the last portion, committed or not */
    uint64_t fits;    /* with STORE_SMALLER: letters that should be stored in time; 0 = not known */
    uint64_t stored;
    uint64_t filtered; /* deleted, because today's `where` does not take them */
    uint64_t rejected; /* kept, with the new reason */
    uint64_t waiting;  /* kept; the service tries them again (`retry_for`) */
    uint64_t claimed;  /* left unchanged, for an unfinished replay */
    uint64_t rows;
    int64_t last_id; /* of the last letter of the last committed portion */
};

/*
 * Stores one portion: up to `query->limit` letters of these rules, in the order of their ids. The
 * query's client_id must not be NULL; its rule does not count. The rules must have plans
 * (rule_targets_get). With an outbox in `store`, the acknowledgments that the letters' devices wait
 * for go out after the commit.
 *
 * STORE_DONE: committed, and added to `counts`; counts->letters is unchanged when no letter was
 * found, or when another session stores letters of these rules and `store->waits` is false.
 * STORE_AGAIN: call again. STORE_SMALLER: call again with a smaller limit. Any other result says
 * why nothing was stored, and `failure` gives the reason.
 */
enum store_result retry_letters(const struct store *store, const struct retry_rules *rules,
                                const struct dead_letter_query *query, struct retry_counts *counts,
                                struct pg_failure *failure) MUST_CHECK;

#endif
