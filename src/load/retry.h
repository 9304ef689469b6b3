/*
 * retry: dead letters through today's rules once more: for a parked rule whose table works again,
 * and for `dead-letters retry`.
 *
 * Each letter leaves the table in the transaction that stores its rows; one that fails again stays,
 * with the new reason. So a retry that is killed at any instant has stored each letter once or not
 * at all.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RETRY_H
#define MQTT2PG_LOAD_RETRY_H

#include "load/store.h"
#include "pg/dead_letter.h"

struct retry_counts {
    uint64_t letters; /* looked at */
    uint64_t portion; /* letters of the last portion, also when it was not stored */
    uint64_t stored;
    uint64_t filtered; /* today's `where` does not want them: they are gone */
    uint64_t rejected; /* stay, with the new reason */
    uint64_t waiting;  /* stay, and are tried again by themselves */
    uint64_t rows;
    int64_t last_id; /* of the last letter looked at: go on behind it */
};

/*
 * Takes up to `query->limit` letters of this rule in the order of their ids, each once. The query
 * names whose letters: its client_id is not NULL. The rule must have a plan (rule_targets_get).
 * Adds to `counts`; counts->letters unchanged: there are none left. With an outbox in `store`, the
 * acknowledgments that the letters have waited for go out after the commit. STORE_DONE, or what
 * stands in the way; STORE_AGAIN: call it again; STORE_SMALLER: with fewer letters.
 */
enum store_result retry_letters(const struct store *store, unsigned rule,
                                const struct dead_letter_query *query, struct retry_counts *counts,
                                struct pg_failure *failure) MUST_CHECK;

#endif
