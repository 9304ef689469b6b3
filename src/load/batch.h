/*
 * batch: a run of journal messages and all that one transaction does for them: rows per rule, dead
 * letters, gaps, acknowledgments.
 *
 * Building a batch touches nothing outside it: the same messages give the same batch, so it is
 * simply built again after any failure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_BATCH_H
#define MQTT2PG_LOAD_BATCH_H

#include "ack/ack_batch.h"
#include "base/buf.h"
#include "base/health.h"
#include "core/gap.h"
#include "journal/journal_reader.h"
#include "load/batch_options.h"
#include "load/mapper.h"
#include "load/row_runs.h"
#include "load/rule_targets.h"
#include "load/untaken.h"
#include "load/verdicts.h"
#include "pg/dead_letter.h"
#include "pg/memory_rows.h"

/* What a batch does for one rule. */
struct rule_batch {
    uint64_t mapped;      /* messages that became rows, perhaps none */
    uint64_t row_count;   /* made */
    uint64_t rows_stored; /* by the command tags, after store_batch() */
    uint64_t filtered;    /* messages */
    uint64_t rejected;    /* messages that became dead letters for good */
    /* Messages whose end is not known yet: the metric "matched" does not count them. */
    uint64_t waiting; /* messages that the service tries again by itself */
    uint64_t parked;  /* messages that became parked letters, since their rule is parked or held */
};

/* Room for a topic, shortened to what the status page shows of one. */
#define BATCH_TOPIC_MAX sizeof(((struct health_reject *) 0)->topic)

/* An acknowledgment with @rows: its text is completed when its rows are stored. */
struct later_ack {
    uint32_t ack; /* its number in batch->acks */
    unsigned rule;
    uint64_t rows; /* stored, by batch_count_stored() */
};

struct batch {
    uint64_t from;              /* position before it */
    uint64_t to;                /* position after it */
    struct journal_place place; /* of the message behind it */
    int64_t now_us;             /* wall clock when batch_extend() was called last */
    size_t count;               /* messages */
    /* of the journal, missing ones included: the metric "processed" counts these */
    uint64_t records;
    uint64_t *sequences;  /* of each message */
    int64_t *received_us; /* of each message */
    size_t capacity;
    struct rule_batch *rules; /* one per rule of the ruleset */
    struct row_runs runs;     /* the rows */
    size_t rule_count;
    uint64_t rows;           /* of all rules */
    size_t bytes;            /* of everything in it */
    struct buf dead_letters; /* rows for dead_letters_target() */
    size_t dead_letter_count;
    /* Some of the rejects, for the log and the status page. When all places are taken, the first
     * reject of a rule replaces one that is not the first of its rule. */
    struct health_reject rejects[HEALTH_REJECTS_MAX];
    /* The entry of a rule's first reject has the number of all rejects of the rule; other entries
     * have 0. */
    uint64_t rule_rejects[HEALTH_REJECTS_MAX];
    size_t reject_count;                   /* all rejects, kept or not */
    uint64_t unmatched;                    /* messages that no rule's topic matches */
    char first_unmatched[BATCH_TOPIC_MAX]; /* "": no topic is to be reported */
    struct gap *gaps;                      /* their causes are constants, see gap_cause_kept() */
    size_t gap_count;
    size_t gap_capacity;
    struct ack_batch acks;
    struct later_ack *later; /* in the order of `acks`; see load/batch_acks */
    size_t later_count;
    size_t later_capacity;
    /* the stored rows of some acknowledgments are not known: see batch_count_stored() */
    bool uncounted;
    struct memory_rows learned; /* what formats with state have learned */
};

/* How many entries of batch->rejects are in use. */
static inline size_t batch_rejects_kept(const struct batch *batch)
{
    return batch->reject_count < HEALTH_REJECTS_MAX ? batch->reject_count : HEALTH_REJECTS_MAX;
}

/* What building needs; all borrowed. */
struct batch_builder {
    struct journal_reader *reader;
    const struct ruleset *ruleset;
    struct mapper *mapper;
    const struct rule_targets *targets;
    const struct verdicts *verdicts;
    /* is shown each message that becomes rows; NULL: no rule adds columns */
    struct untaken *untaken;
    const struct batch_options *options;
    struct dead_letter_origin origin;
    bool replays; /* a replay: its dead letters say so, and do not wait (retry_for) */
};

/* `rule_count` is the ruleset's: a batch serves one ruleset only. */
struct batch *batch_new(size_t rule_count);
void batch_free(struct batch *batch);

/* Empties the batch. Its new beginning is the reader's position. */
void batch_begin(struct batch *batch, const struct batch_builder *builder);

/*
 * Adds the next records of the journal, at most `records_max`. Sets *whole at the options' limits
 * and at the journal's end, where further calls would add nothing. OUTCOME_OK also when there was
 * no record (to == from). OUTCOME_RETRY: the journal could not be read.
 */
enum outcome batch_extend(struct batch *batch, const struct batch_builder *builder,
                          size_t records_max, bool *whole, struct error *error) MUST_CHECK;

/* For a caller that reads the journal itself (replay): batch_add_message() adds a message,
 * batch_add_mapped() then the result of one of its rules. A verdict of blame() overrides the
 * mapper's. */
void batch_add_message(struct batch *batch, const struct message *message);
void batch_add_mapped(struct batch *batch, const struct batch_builder *builder,
                      const struct mapped *mapped);

/* Rows and messages both have the limit max_rows: a message without rows costs memory, too. The
 * last message may go beyond the limits. */
bool batch_is_full(const struct batch *batch, const struct batch_options *options);

/* Will the service retry this rejected message by itself? Yes, while the rule's `retry_for` lasts;
 * and once when the batch is a part of a larger one. Such a message is neither acknowledged nor
 * counted before its end is known: a device that gets "rejected" may send the message again, and
 * both messages would be stored. */
bool batch_retries(const struct rule *rule, const struct message *message,
                   const struct refused *refused);

/* Appends the rows of one message under one rule; `message` is its index in the batch. False, with
 * nothing added, when the rows take more than BATCH_MESSAGE_BYTES beyond four times the payload;
 * batch_too_large is the reason. */
#define BATCH_MESSAGE_BYTES ((size_t) 8 * 1024 * 1024)
extern const char batch_too_large[];
bool batch_add_rows(struct batch *batch, size_t message, const struct mapped *mapped,
                    const struct rule_target *target);

/* A statement over the extents from `low` up to `high` of this run has stored `affected` rows. When
 * the extents have more rows than that, nobody knows which rows were left out: the first `affected`
 * rows count as stored, and batch->uncounted is set when an acknowledgment needs the number. */
void batch_count_stored(struct batch *batch, size_t run, size_t low, size_t high,
                        uint64_t affected);

/* The batch is whole: puts its rows in the order in which they are stored. */
void batch_finish(struct batch *batch);

/* Asserts the invariants: positions do not go back, and those of row_runs. */
void batch_check(const struct batch *batch);

#endif
