/*
 * mapper: maps a message by each of its rules, to rows or to a reason why not. The service,
 * `explain`, dead-letter retry and healing all use this module. Pure: nothing is sent, counted or
 * logged.
 *
 *   message ─▶ ruleset_find      which rules take it
 *              decode            the payload, once for each format
 *              rows              the items that become rows; without `rows` the whole payload
 *              where             filters items
 *              columns           expressions give values
 *              convert      ─▶   datums of the columns' types, or a reason why not
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_MAPPER_H
#define MQTT2PG_LOAD_MAPPER_H

#include "ack/ack_batch.h"
#include "base/arena.h"
#include "core/memory.h"
#include "core/table_shape.h"
#include "load/ruleset.h"
#include "map/subject.h"
#include "row/datum.h"

enum verdict {
    VERDICT_ROWS,     /* `rows` rows, perhaps none (an empty array) */
    VERDICT_FILTERED, /* `where` did not hold for any row */
    VERDICT_REJECTED, /* `reason` says why */
};

struct mapped {
    const struct rule *rule;
    unsigned rule_index; /* in the ruleset */
    enum verdict verdict;
    size_t rows;
    const struct datum *datums; /* rows × rule->column_count, row by row */
    const char *reason;         /* of REJECTED */
    struct subject subject;     /* of the whole message, for its acknowledgment */
};

struct mapper;

/* Borrows the ruleset. */
struct mapper *mapper_new(const struct ruleset *ruleset);
void mapper_free(struct mapper *mapper);

/* The columns that rule `rule_index` is converted for, one per expression. Borrowed until changed;
 * at first the rule's declared ones. */
void mapper_set_columns(struct mapper *mapper, unsigned rule_index,
                        const struct column_shape *const *columns);

/* What decides which copy of a message counts. Borrowed. Without it every copy counts. */
void mapper_set_copies(struct mapper *mapper, struct copies *copies);

/* How many rules take this message? Borrows the message until the next call. mapper_rule() gives
 * the index of such a rule in the ruleset, mapper_map_found() what the rule makes of the message:
 * its memory is valid until the next mapper_find(). `found` counts from 0. */
size_t mapper_find(struct mapper *mapper, const struct message *message);
size_t mapper_found(const struct mapper *mapper); /* how many they were */
unsigned mapper_rule(const struct mapper *mapper, size_t found);
const struct mapped *mapper_map_found(struct mapper *mapper, size_t found);

/* mapper_find(), and mapper_map_found() for each rule; *list is valid until the next call. */
size_t mapper_map(struct mapper *mapper, const struct message *message, const struct mapped **list);

/* Why no rule takes the message of the last mapper_find(), when none does. */
enum routing mapper_routing(const struct mapper *mapper);

/* mapper_map() for one rule only, whether or not the rule's subscription brought the message; false
 * when the rule's topic does not match (any more). */
bool mapper_map_rule(struct mapper *mapper, unsigned rule_index, const struct message *message,
                     const struct mapped **mapped);

/*
 * The memory of formats with state; NULL when no rule has such a format. mapper_learn() is to be
 * called for each message of the journal before it is mapped, whatever the state of the rules: it
 * remembers the facts that later messages need, and returns them for the table `memory`. False:
 * nothing was learned.
 */
struct memory *mapper_memory(struct mapper *mapper);
bool mapper_learn(struct mapper *mapper, const struct message *message, struct memory_entry *entry);

/* After mapper_find() of the same message: must its edge node be asked for a new BIRTH
 * (load/rebirth)? True: `ack` is the command, in mapper_arena(). */
bool mapper_rebirth(struct mapper *mapper, const struct message *message, int64_t now_us,
                    struct ack *ack);

/* To be called when the caller is done with the message last mapped. Frees the memory that a large
 * message took; results of mapper_map_found() are no longer valid. */
void mapper_forget(struct mapper *mapper);

/* The arena of the message last mapped, for its acknowledgments. */
struct arena *mapper_arena(struct mapper *mapper);

#endif
