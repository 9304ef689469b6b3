/* SPDX-License-Identifier: MIT */
#include "load/partition_keeper.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/health.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "core/calendar.h"
#include "pg/partitions.h"

enum {
    PAUSE_MIN_MS = 1000,   /* between two turns of a table with short partitions */
    PAUSE_MAX_MS = 60000,  /* between two turns of any table */
    PAUSE_LATER_MS = 5000, /* after a lock that was not granted */
    PAUSES_PER_TURN = 20,  /* a turn takes at most a twentieth of the loader's time */
    REFUSED_TOLD = 2,      /* the first refusal may mean that another bridge was faster */
    /* after this many locks in a row that were not granted, it is reported */
    LATER_TOLD = 10,
    LATE_DAYS_WITHOUT_KEEP = 366, /* how old a row may be for which a partition is made */
    HALVINGS_MAX = 12,            /* of the span of a partition whose rows take too long to move */
};

/* Nothing is dropped for so long after a jump of the clock. */
#define JUMP_HOLD_US INT64_C(3600000000)

/* The table of one rule. */
struct table_turn {
    int64_t next_ms;   /* monotonic: when its next turn is due */
    unsigned failures; /* turns in a row in which something failed */
    /* of the span of partitions for late rows: moving the rows of a whole span took too long */
    unsigned halvings;
    char told[400]; /* the reason that log and health show; "" = none */
};

struct partition_keeper {
    const struct ruleset *ruleset;
    struct table_turn *turns; /* owned; by rule */
};

/* What one turn works on. */
struct work {
    struct pg_connection *connection;
    const struct rule *rule;
    const struct pg_table *table;
    struct table_turn *turn;
    struct partitions state;
    struct pg_failure *failure;
    int64_t until_ms; /* monotonic */
    size_t made;
};

/* How a turn, or a part of it, ended. */
enum turn_end {
    TURN_DONE,     /* nothing is left to be done now */
    TURN_UNDONE,   /* its time is over: there is more to do */
    TURN_LATER,    /* a lock or another passing cause was in the way */
    TURN_REFUSED,  /* PostgreSQL refused; failure->message says why */
    TURN_UNUSABLE, /* the table is none whose partitions can be kept; failure->message says why */
    TURN_LOST,     /* the connection is lost */
};

/* Why the partitions of the rule's table are not kept, for the page and the metrics. NULL: they are
 * kept, or nothing is known yet. */
static void show(const struct rule *rule, const char *reason)
{
    health_set_partitions(rule->name, reason);
    metric_rule_set(rule->metrics, RULE_METRIC_PARTITIONS_NOT_KEPT, reason != NULL);
}

struct partition_keeper *partition_keeper_new(const struct ruleset *ruleset)
{
    struct partition_keeper *keeper = memory_alloc(sizeof(*keeper));

    keeper->ruleset = ruleset;
    keeper->turns = memory_alloc((ruleset->count + 1) * sizeof(*keeper->turns));
    for (size_t i = 0; i < ruleset->count; i++) {
        show(ruleset->rules[i], NULL); /* what was known of the rules before */
    }
    return keeper;
}

void partition_keeper_free(struct partition_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    for (size_t i = 0; i < keeper->ruleset->count; i++) {
        show(keeper->ruleset->rules[i], NULL); /* a removed rule has no new keeper that would */
    }
    free(keeper->turns);
    free(keeper);
}

/* --- one turn --------------------------------------------------------------------------------- */

static enum turn_end end_of(enum short_ddl result)
{
    switch (result) {
    case SHORT_DDL_DONE:
        return TURN_DONE;
    case SHORT_DDL_LATER:
        return TURN_LATER;
    case SHORT_DDL_REFUSED:
        return TURN_REFUSED;
    case SHORT_DDL_LOST:
        return TURN_LOST;
    }
    assert(false);
    return TURN_LOST;
}

/* Are the partitions of this table ours to keep? If not, the failure says why not. */
static bool is_usable(const struct work *work)
{
    const char *by = work->rule->options->partition.by.text;
    const struct partitions *state = &work->state;

    if (state->kind != 'p') {
        (void) pg_failure_set(work->failure, SQL_RULE,
                              "the table is not partitioned: make it anew with PARTITION BY RANGE");
    } else if (state->key == NULL || strcmp(state->key, by) != 0 || !state->key_is_time) {
        (void) pg_failure_set(work->failure, SQL_RULE,
                              "the table is not partitioned by ranges of the time \"%s\": name the "
                              "column that it is partitioned by, or make it anew",
                              by);
    } else if (!state->is_owner) {
        (void) pg_failure_set(work->failure, SQL_RULE,
                              "this role does not own the table, so it can make and drop no "
                              "partitions: alter table %s owner to this role",
                              work->rule->options->table.text);
    } else {
        return true;
    }
    return false;
}

/* Adds the new partition to the state. It is not marked as ours, so it can't be dropped before the
 * catalog is read again. */
static void note_span(struct partitions *state, struct span span)
{
    struct span *more = memory_alloc((state->count + 1) * sizeof(*more));
    struct partition *list = memory_alloc((state->count + 1) * sizeof(*list));

    assert(span.from_us < span.to_us);
    if (state->count > 0) {
        memcpy(more, state->spans, state->count * sizeof(*more));
        memcpy(list, state->list, state->count * sizeof(*list));
    }
    free(state->spans);
    free(state->list);
    more[state->count] = span;
    state->spans = more;
    state->list = list;
    state->count++;
}

/* Notes a refusal and goes on: a partition that is refused, because a table has its name or a view
 * reads it, must not stop work on the others. */
static enum turn_end pass_over(enum turn_end end, bool *refused)
{
    assert(end != TURN_UNDONE && end != TURN_UNUSABLE);
    *refused = *refused || end == TURN_REFUSED;
    return end == TURN_REFUSED ? TURN_DONE : end;
}

static enum turn_end make(struct work *work, struct span span)
{
    const struct new_partition new = {work->table->shape, &work->state, span};
    struct buf name = {0};
    enum turn_end end;

    assert(work->state.is_owner && work->state.kind == 'p');
    end = end_of(partition_make(work->connection, &new, &name, work->failure));
    (void) FAULT("load.partition.made");
    if (end == TURN_DONE) {
        log_info("made a partition", F_TEXT("partition", buf_string(&name)),
                 F_TEXT("rule", work->rule->name));
        note_span(&work->state, span);
        work->made++;
    }
    buf_fini(&name);
    return end;
}

/* The span of a partition. A date has no hours, so partitions by a date have whole days. */
static int64_t span_us(const struct work *work, int64_t every_us)
{
    const int64_t days = (every_us + DAY_US - 1) / DAY_US;

    assert(every_us > 0 && work->state.key_is_time);
    return work->state.key_is_date ? days * DAY_US : every_us;
}

/* The partitions of now and of the coming time. */
static enum turn_end make_ahead(struct work *work)
{
    const int64_t every_us = span_us(work, work->rule->options->partition.every_ms * 1000);
    const int64_t now_us = work->state.now_us;
    struct span within = {now_us, partition_ahead_us(every_us, now_us)};
    enum turn_end end = TURN_DONE;
    bool refused = false;
    struct span gap;

    assert(within.from_us < within.to_us);
    while (end == TURN_DONE && within.from_us < within.to_us &&
           partition_next_gap(work->state.spans, work->state.count, every_us, within, &gap)) {
        end = pass_over(make(work, gap), &refused);
        within.from_us = gap.to_us;
    }
    return end == TURN_DONE && refused ? TURN_REFUSED : end;
}

/* Was the transaction cancelled because it moves more rows than it has time for? */
static bool moved_too_slowly(const struct work *work, enum turn_end end)
{
    return end == TURN_LATER && strcmp(work->failure->sqlstate, "57014") == 0;
}

/* Makes partitions for the rows in the default partition, which came late or early. When a span has
 * too many such rows to move in time, each turn tries half the span, until one is short enough. */
static enum turn_end make_late(struct work *work)
{
    const struct partition_options *options = &work->rule->options->partition;
    const int64_t keep_us =
        options->keep_ms > 0 ? options->keep_ms * 1000 : LATE_DAYS_WITHOUT_KEEP * DAY_US;
    const int64_t whole_us = span_us(work, options->every_ms * 1000);
    const int64_t every_us = span_us(work, whole_us >> work->turn->halvings);
    struct span within = {work->state.now_us - keep_us,
                          partition_ahead_us(whole_us, work->state.now_us)};
    struct span span;
    enum turn_end end = TURN_DONE;
    bool refused = false;

    while (end == TURN_DONE && work->state.default_name != NULL && work->state.default_mine &&
           within.from_us < within.to_us) {
        int64_t at_us;

        if (partitions_earliest(work->connection, &work->state, within, &at_us, work->failure) !=
            OUTCOME_OK) {
            return pg_is_connected(work->connection) ? TURN_REFUSED : TURN_LOST;
        }
        if (at_us == within.to_us) {
            work->turn->halvings = 0;
            break;
        }
        if (work->state.rows_stay) {
            (void) pg_failure_set(work->failure, SQL_RULE,
                                  "late rows stay in the default partition, because a trigger or a "
                                  "foreign key of the table would notice that they move: move them "
                                  "by hand, or drop it");
            return TURN_UNUSABLE;
        }
        if (clock_monotonic_ms() >= work->until_ms) {
            return refused ? TURN_REFUSED : TURN_UNDONE;
        }
        if (!partition_span(work->state.spans, work->state.count, every_us, at_us, &span)) {
            break; /* another bridge has made it and is moving the row */
        }
        end = pass_over(make(work, span), &refused);
        within.from_us = span.to_us;
    }
    if (moved_too_slowly(work, end) && work->turn->halvings < HALVINGS_MAX) {
        work->turn->halvings++;
    }
    return end == TURN_DONE && refused ? TURN_REFUSED : end;
}

/* Is there a partition of the present time? Such a partition is made long before it is needed. When
 * it is missing, the bridge was away, or the clock has jumped ahead and makes all partitions look
 * old. Then drops wait, so that a person can set the clock. */
static bool present_is_there(const struct work *work)
{
    const struct partitions *state = &work->state;

    for (size_t i = 0; i < state->count; i++) {
        if (state->now_us >= state->spans[i].from_us && state->now_us < state->spans[i].to_us) {
            return true;
        }
    }
    if (state->count > 0) {
        log_info("no partition of the present time is there: old ones stay for an hour, in case "
                 "the clock is wrong",
                 F_TEXT("rule", work->rule->name));
    }
    return false;
}

/* Was this old partition made before the last jump, and is that less than JUMP_HOLD_US ago? After a
 * jump a partition is made within its own time. The comments of the partitions say when each was
 * made, so a reload or a restart does not end the wait. */
static bool stays_after_jump(const struct partitions *state, const struct partition *old)
{
    for (size_t i = 0; i < state->count; i++) {
        const int64_t made_us = state->list[i].made_us;

        if (made_us >= state->spans[i].from_us && made_us < state->spans[i].to_us &&
            made_us <= state->now_us && state->now_us - made_us < JUMP_HOLD_US &&
            old->made_us < made_us) {
            return true;
        }
    }
    return false;
}

/* Drops partitions that are wholly older than `keep`, by the earlier of the two clocks. */
static enum turn_end drop_old(struct work *work)
{
    const int64_t keep_us = work->rule->options->partition.keep_ms * 1000;
    const int64_t ours_us = clock_wall_us();
    const int64_t now_us = work->state.now_us < ours_us ? work->state.now_us : ours_us;
    enum turn_end end = TURN_DONE;
    bool refused = false;

    for (size_t i = 0; i < work->state.count && end == TURN_DONE; i++) {
        const struct partition *partition = &work->state.list[i];

        if (!partition->mine || !partition_is_old(&work->state.spans[i], now_us, keep_us) ||
            stays_after_jump(&work->state, partition)) {
            continue;
        }
        if (clock_monotonic_ms() >= work->until_ms) {
            return refused ? TURN_REFUSED : TURN_UNDONE;
        }
        end =
            end_of(partition_drop(work->connection, work->table->shape, partition, work->failure));
        (void) FAULT("load.partition.dropped");
        if (end == TURN_DONE) {
            log_info("dropped a partition: all of it is older than keep",
                     F_TEXT("partition", partition->name), F_TEXT("rule", work->rule->name));
        }
        end = pass_over(end, &refused);
    }
    return end == TURN_DONE && refused ? TURN_REFUSED : end;
}

/* A failure to make partitions does not keep old ones from being dropped, nor the other way
 * round. */
static enum turn_end take_turn(struct work *work)
{
    enum turn_end made;
    enum turn_end dropped = TURN_DONE;
    bool drops;

    if (partitions_read(work->connection, work->table->oid, &work->state, work->failure) !=
        OUTCOME_OK) {
        return pg_is_connected(work->connection) ? TURN_LATER : TURN_LOST;
    }
    if (!is_usable(work)) {
        return TURN_UNUSABLE;
    }
    drops = present_is_there(work); /* asked before this turn makes one */
    made = make_ahead(work);
    if (made == TURN_DONE || made == TURN_REFUSED || moved_too_slowly(work, made)) {
        enum turn_end late = make_late(work);

        made = late == TURN_DONE ? made : late;
    }
    if (made == TURN_LOST) {
        return made;
    }
    struct pg_failure kept = *work->failure;

    if (drops) {
        dropped = drop_old(work);
    }
    if (dropped == TURN_LOST || made == TURN_DONE) {
        return dropped;
    }
    *work->failure = kept;
    return made;
}

/* --- what people are told -------------------------------------------------------------------- */

static void tell(struct table_turn *turn, const struct rule *rule, struct pg_failure *failure)
{
    health_hide_detail(failure->message);
    if (strcmp(turn->told, failure->message) == 0) {
        return;
    }
    snprintf(turn->told, sizeof(turn->told), "%s", failure->message);
    log_warn("the partitions of a table are not kept: rows are stored all the same",
             F_TEXT("rule", rule->name), F_TEXT("reason", turn->told));
    show(rule, turn->told);
}

static void tell_well(struct table_turn *turn, const struct rule *rule)
{
    turn->failures = 0;
    if (turn->told[0] != '\0') {
        turn->told[0] = '\0';
        log_info("the partitions of a table are kept again", F_TEXT("rule", rule->name));
        show(rule, NULL);
    }
}

/* Sets when the next turn is due. Tables with short partitions need frequent turns, but no table
 * may take much of the loader's time. */
static void set_pause(struct table_turn *turn, const struct work *work, enum turn_end end,
                      int64_t took_ms)
{
    int64_t pause_ms = work->rule->options->partition.every_ms / 60;

    pause_ms = pause_ms < PAUSE_MIN_MS ? PAUSE_MIN_MS : pause_ms;
    pause_ms = end == TURN_LATER ? PAUSE_LATER_MS : pause_ms;
    pause_ms = pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms;
    if (pause_ms < took_ms * PAUSES_PER_TURN) {
        pause_ms = took_ms * PAUSES_PER_TURN;
    }
    if (end == TURN_UNDONE) {
        pause_ms = took_ms; /* a backlog, such as the days of a device that was away */
    }
    assert(pause_ms >= 0);
    turn->next_ms = clock_monotonic_ms() + pause_ms;
}

static void end_turn(struct table_turn *turn, const struct work *work, enum turn_end end,
                     int64_t took_ms)
{
    bool failed = end == TURN_LATER || end == TURN_REFUSED || end == TURN_UNUSABLE;

    assert(end != TURN_LOST);
    turn->failures = failed ? turn->failures + 1 : 0;
    if (!failed) {
        tell_well(turn, work->rule);
    } else if (end == TURN_UNUSABLE ||
               turn->failures >= (end == TURN_LATER ? LATER_TOLD : REFUSED_TOLD)) {
        tell(turn, work->rule, work->failure);
    }
    set_pause(turn, work, end, took_ms);
}

/* --- all tables ------------------------------------------------------------------------------- */

/* The rule's table, if this rule keeps its partitions; else NULL. Of several rules with the same
 * table, the first one keeps them. */
static const struct pg_table *table_of(const struct partition_keeper *keeper,
                                       const struct rule_targets *targets, unsigned rule)
{
    const struct partition_options *options = &keeper->ruleset->rules[rule]->options->partition;
    const struct pg_table *table = rule_targets_get(targets, rule)->table;

    assert(rule < keeper->ruleset->count);
    if (!options->wanted || options->timescale || table == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < rule; i++) {
        const struct pg_table *before = rule_targets_get(targets, i)->table;

        if (keeper->ruleset->rules[i]->options->partition.wanted && before != NULL &&
            before->oid == table->oid) {
            return NULL;
        }
    }
    return table;
}

enum outcome partition_keeper_run(struct partition_keeper *keeper,
                                  const struct rule_targets *targets,
                                  struct pg_connection *connection, size_t *made,
                                  struct pg_failure *failure)
{
    *made = 0;
    for (unsigned i = 0; i < keeper->ruleset->count; i++) {
        const struct pg_table *table = table_of(keeper, targets, i);
        struct table_turn *turn = &keeper->turns[i];
        const int64_t started_ms = clock_monotonic_ms();

        if (table == NULL || started_ms < turn->next_ms) {
            continue;
        }
        /* When the connection was lost in this turn, the new connection should do other work
         * first. */
        turn->next_ms = started_ms + PAUSE_MAX_MS;
        struct work work = {.connection = connection,
                            .rule = keeper->ruleset->rules[i],
                            .table = table,
                            .turn = turn,
                            .failure = failure,
                            .until_ms = started_ms + PARTITION_TURN_MS};
        enum turn_end end = take_turn(&work);

        *made += work.made;
        partitions_fini(&work.state);
        if (end == TURN_LOST) {
            return OUTCOME_RETRY;
        }
        end_turn(turn, &work, end, clock_monotonic_ms() - started_ms);
    }
    return OUTCOME_OK;
}
