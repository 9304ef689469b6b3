/*
 * letter_orphans: reads dead letters that are parked or wait, of rules that do not exist any more,
 * and gives them to other rules.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_LETTER_ORPHANS_H
#define MQTT2PG_PG_LETTER_ORPHANS_H

#include "base/buf.h"
#include "pg/pg_connection.h"

struct letter_orphan {
    int64_t id;
    const char *rule; /* the former one; borrowed from letter_orphans, like the topic */
    struct slice topic;
    /* What the letter knows of the rules of its time (load/lineage): the mark of its own, and names
     * and marks of all that took the message, separated by \x1f. Empty: not known. */
    struct slice mark, rules, marks;
    struct slice message; /* journal and number, the same for all letters of a message; or empty */
};

struct letter_orphans {
    struct letter_orphan *list; /* owned, like below */
    size_t count;
    struct buf topics;
    struct pg_rows *rows;
};

/* Which letters are wanted. */
struct orphans_query {
    const char *const *known;  /* borrowed; names of the rules that there are */
    const char *const *topics; /* borrowed; regular expressions for their topics, or NULL */
    const char *const *marks;  /* borrowed; of these rules */
    size_t known_count;
    int64_t after_id;
    int limit;
};

/* Reads the next letters of this client that are parked or wait (retry_for), in the order of their
 * ids, whose rule is unknown. With `topics` also those whose rule does not take their topic, or has
 * given its mark to another, which costs a look at the topic of each such letter. */
enum outcome letter_orphans_read(struct pg_connection *connection,
                                 const struct orphans_query *query, struct letter_orphans *orphans,
                                 struct pg_failure *failure) MUST_CHECK;
void letter_orphans_fini(struct letter_orphans *orphans);

/* Rules that take the topics of letters: list[i] may get the letter ids[i]. Zero-initialized memory
 * is empty. */
struct letter_heirs {
    struct buf ids, rules, tables; /* owned; array literals that are not closed yet */
    size_t count;
};

/* `table` as the rule names it; NULL: the rule has SQL of its own. */
void letter_heirs_add(struct letter_heirs *heirs, int64_t id, const char *rule, const char *table);
void letter_heirs_fini(struct letter_heirs *heirs);

/* Gives the letters to their heirs in one statement; sql/embedded/letter-inherit.sql says which of
 * several heirs gets a letter. *rows has `former`, `rule` and `letters`; the caller frees it.
 * Afterwards only letter_heirs_fini() may be called. */
enum outcome letter_heirs_give(struct pg_connection *connection, struct letter_heirs *heirs,
                               struct pg_rows **rows, struct pg_failure *failure) MUST_CHECK;

#endif
