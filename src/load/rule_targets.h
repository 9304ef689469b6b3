/*
 * rule_targets: the table of each rule as the catalog has it now, and which rules are parked or
 * held because their tables do not work.
 *
 * A rule is parked when its table is missing, denied or of another shape; it is held when its table
 * can't take rows now (locked, a full tablespace, statements that time out, a damaged index). The
 * messages of both go to the dead letters with `parked` set; from time to time the table is tried
 * again, and when it works they are stored in their order before newer ones (loader_heal).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_TARGETS_H
#define MQTT2PG_LOAD_RULE_TARGETS_H

#include "load/added_columns.h"
#include "load/mapper.h"
#include "load/row_runs.h"
#include "load/rule_state.h"
#include "load/ruleset.h"
#include "pg/pg_catalog.h"
#include "pg/pg_connection.h"
#include "pg/target.h"
#include "row/row_plan.h"

struct rule_target {
    struct pg_table *table; /* NULL for a rule with `sql`, and while the table is missing */
    /* NULL while the table can't work; then the rule is UNREAD, PARKED or HELD */
    struct row_plan *plan;
    struct target *target;
    struct run_place place; /* rules that write the same table in the same way share one */
    enum rule_state state;
    unsigned alone;   /* messages refused alone, with no row stored since; see load/blame */
    bool counts_each; /* each message is stored by a statement of its own: see store_count_acks() */
    unsigned futile;  /* portions in a row that stored no letter, for reasons that may pass */
    char reason[400];
    char sqlstate[6];
    int64_t look_again_ms; /* monotonic */
};

struct rule_targets;

/* Borrows both; every rule is without a target until rule_targets_read(). Columns found are given
 * to the mapper. */
struct rule_targets *rule_targets_new(const struct ruleset *ruleset, struct mapper *mapper);
void rule_targets_free(struct rule_targets *targets);

/* From now on an added column that its table lacks is removed from this list, so that the rules can
 * be compiled without it. Borrowed. */
void rule_targets_set_added(struct rule_targets *targets, struct added_columns *added);

/* From now on these targets don't report parked and held rules to the log, health and metrics,
 * which belong to the whole process. For targets beside those of the loader. */
void rule_targets_silence(struct rule_targets *targets);

/* Reads the catalog for all rules: after connecting, and after a change of rules. Rules with
 * `create` make their table. Rules that have letters parked from earlier stay parked until those
 * are stored. OUTCOME_RETRY only when the connection failed. */
enum outcome rule_targets_read(struct rule_targets *targets, struct pg_connection *connection,
                               struct pg_failure *failure) MUST_CHECK;

const struct rule_target *rule_targets_get(const struct rule_targets *targets, unsigned rule);

/* Do the rules write to more than one table? A rule with SQL of its own counts as a table. */
bool rule_targets_several(const struct rule_targets *targets);

/* Are this rule's messages set aside? */
bool rule_targets_aside(const struct rule_targets *targets, unsigned rule);

/* Are this rule's parked letters being stored, HEALING or RESUMING? */
bool rule_targets_healing(const struct rule_targets *targets, unsigned rule);

/* Parks a rule; logs it once. */
void rule_targets_park(struct rule_targets *targets, unsigned rule, const char *reason,
                       const char *sqlstate);

/* Holds a rule, and with it all rules of the same table that are not parked, because their rows
 * would overtake its letters. Logs each once. */
void rule_targets_hold(struct rule_targets *targets, unsigned rule, const char *reason,
                       const char *sqlstate);

/* Makes a held rule RESUMING at once, without a look at its table, and all held rules of the same
 * table with it. For a caller that tries fewer letters next time, or has rejected the letter that
 * was refused. */
void rule_targets_resume(struct rule_targets *targets, unsigned rule);

/* Counts a portion of one single letter that failed for a reason that may pass; returns how many
 * such portions there were in a row. */
unsigned rule_targets_futile(struct rule_targets *targets, unsigned rule);

/* Counts a message that was refused while it was the rule's only message, for a reason about the
 * table (BLAME_RULE). */
void rule_targets_refused_alone(struct rule_targets *targets, unsigned rule);

/* Sets whether each message of the rule is stored by a statement of its own, whose command tag
 * shows how many of its rows are stored. */
void rule_targets_count_each(struct rule_targets *targets, unsigned rule, bool each);

/* Rows of this rule are committed: the two counts above begin anew. */
void rule_targets_stored(struct rule_targets *targets, unsigned rule);

/* The next rule that is healing, or is parked or held and due for a look; -1 when there is none.
 * Rules take turns, so that one with many letters does not keep the others waiting. When several
 * rules heal together, only the first of them gets a turn. */
int rule_targets_due(struct rule_targets *targets);

/* Milliseconds until rule_targets_due() may return a rule; -1 = no rule is set aside. */
int64_t rule_targets_wait(const struct rule_targets *targets);

/* Fills `group`, which has room for all rules, with the healing rules that write to this rule's
 * table: their letters are stored together. Returns how many. */
size_t rule_targets_group(const struct rule_targets *targets, unsigned rule, unsigned *group);

/* Reads the table of a rule that is set aside again. When the table works, the rule heals, together
 * with all rules of that table that work or wait. */
enum outcome rule_targets_look(struct rule_targets *targets, struct pg_connection *connection,
                               unsigned rule, struct pg_failure *failure) MUST_CHECK;

/* The healing rules of this rule's table have no letter left that can be stored: their rows go
 * straight to the table again. When another session holds some of the letters, the rules stay set
 * aside, and are due again soon. */
enum outcome rule_targets_unpark(struct rule_targets *targets, struct pg_connection *connection,
                                 unsigned rule, struct pg_failure *failure) MUST_CHECK;

/* Reads this rule's table again. *changed: the table has another shape, which is used from now on,
 * or it does not work any more, and the rule is parked. When no rule can write to the table,
 * because it is gone or denied, all rules of the table are parked. */
enum outcome rule_targets_refresh(struct rule_targets *targets, struct pg_connection *connection,
                                  unsigned rule, bool *changed,
                                  struct pg_failure *failure) MUST_CHECK;

#endif
