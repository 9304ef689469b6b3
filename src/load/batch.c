/* SPDX-License-Identifier: MIT */
#include "load/batch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "load/batch_acks.h"
#include "load/lineage.h"

struct batch *batch_new(size_t rule_count)
{
    struct batch *batch = memory_alloc(sizeof(*batch));

    batch->rules = memory_alloc((rule_count + 1) * sizeof(*batch->rules));
    batch->rule_count = rule_count;
    row_runs_init(&batch->runs, rule_count);
    return batch;
}

void batch_free(struct batch *batch)
{
    if (batch == NULL) {
        return;
    }
    row_runs_fini(&batch->runs);
    free(batch->rules);
    free(batch->sequences);
    free(batch->received_us);
    free(batch->gaps);
    buf_fini(&batch->dead_letters);
    ack_batch_fini(&batch->acks);
    free(batch->later);
    memory_rows_fini(&batch->learned);
    free(batch);
}

void batch_begin(struct batch *batch, const struct batch_builder *builder)
{
    for (size_t i = 0; i < batch->rule_count; i++) {
        batch->rules[i] = (struct rule_batch){0};
    }
    row_runs_reset(&batch->runs);
    batch->from = batch->to = journal_reader_position(builder->reader) - 1;
    batch->count = 0;
    batch->records = 0;
    batch->rows = 0;
    batch->bytes = 0;
    buf_reset(&batch->dead_letters);
    batch->dead_letter_count = 0;
    batch->gap_count = 0;
    batch->reject_count = 0;
    batch->unmatched = 0;
    batch->first_unmatched[0] = '\0';
    ack_batch_reset(&batch->acks);
    batch->later_count = 0;
    memory_rows_reset(&batch->learned);
}

/* The arrays `sequences` and `received_us` grow together: `batch->capacity` is that of both. */
void batch_add_message(struct batch *batch, const struct message *message)
{
    size_t capacity = batch->capacity;

    batch->sequences =
        memory_grow(batch->sequences, batch->count, &capacity, sizeof(*batch->sequences));
    batch->received_us = memory_grow(batch->received_us, batch->count, &batch->capacity,
                                     sizeof(*batch->received_us));
    batch->sequences[batch->count] = message->sequence;
    batch->received_us[batch->count] = message->received_at_us;
    batch->count++;
}

static void add_gap(struct batch *batch, const struct gap *gap)
{
    batch->gaps =
        memory_grow(batch->gaps, batch->gap_count, &batch->gap_capacity, sizeof(*batch->gaps));
    batch->gaps[batch->gap_count++] = *gap;
}

static void add_dead_letter(struct batch *batch, const struct batch_builder *builder,
                            const struct dead_letter *letter)
{
    dead_letter_append(&batch->dead_letters, &builder->origin, letter);
    batch->dead_letter_count++;
}

/* Counts a reject of this rule. Returns where it is kept; NULL: nowhere. When all places are taken,
 * the first reject of a rule takes the place of one that is not the first of its rule. */
static struct health_reject *place_of_reject(struct batch *batch, const char *rule)
{
    size_t kept = batch_rejects_kept(batch);
    size_t first = 0;
    size_t place = kept;

    while (first < kept &&
           (batch->rule_rejects[first] == 0 || strcmp(batch->rejects[first].rule, rule) != 0)) {
        first++;
    }
    batch->reject_count++;
    if (first < kept) {
        batch->rule_rejects[first]++;
    } else if (kept == HEALTH_REJECTS_MAX) {
        while (place > 0 && batch->rule_rejects[place - 1] > 0) {
            place--;
        }
        place = place > 0 ? place - 1 : kept;
    }
    assert(place <= kept && kept <= HEALTH_REJECTS_MAX);
    if (place == HEALTH_REJECTS_MAX) {
        return NULL;
    }
    batch->rule_rejects[place] = first == kept;
    return &batch->rejects[place];
}

/* Keeps rejects for the log and the status page, which show them after COMMIT. The limit counts
 * characters, which take four bytes at most. */
static void note_reject(struct batch *batch, const struct dead_letter *letter)
{
    struct health_reject *reject = place_of_reject(batch, letter->rule);
    struct buf topic = {0};

    if (reject == NULL) {
        return;
    }
    text_append_printable(&topic, letter->message->topic, sizeof(reject->topic) / 4);
    snprintf(reject->rule, sizeof(reject->rule), "%s", letter->rule);
    snprintf(reject->topic, sizeof(reject->topic), "%s", buf_string(&topic));
    snprintf(reject->reason, sizeof(reject->reason), "%s", letter->reason);
    buf_fini(&topic);
    reject->payload[0] = '\0';
    if (health_payloads_shown()) {
        struct buf payload = {0};
        text_append_printable(&payload, letter->message->payload, sizeof(reject->payload) / 4);
        snprintf(reject->payload, sizeof(reject->payload), "%s", buf_string(&payload));
        buf_fini(&payload);
    }
}

bool batch_retries(const struct rule *rule, const struct message *message,
                   const struct refused *refused)
{
    int64_t retry_for_us = rule->options->retry_for_ms * 1000;

    assert(!refused->of_part || refused->may_pass);
    return refused->of_part || (refused->may_pass && retry_for_us > 0 &&
                                clock_wall_us() - message->received_at_us < retry_for_us);
}

/* The message becomes a dead letter of the rule. A letter that waits is neither counted nor
 * acknowledged yet: see batch_retries(). */
static void add_rejected(struct batch *batch, const struct batch_builder *builder,
                         const struct mapped *mapped, const struct refused *refused)
{
    const struct message *message = mapped->subject.message;
    bool waits = !builder->replays && batch_retries(mapped->rule, message, refused);
    const char *reason =
        builder->replays
            ? arena_printf(mapper_arena(builder->mapper), "replay: %s", refused->reason).data
            : refused->reason;
    struct buf former = {0};

    if (waits) {
        lineage_append(&former, builder->ruleset, builder->mapper, mapped->rule);
    }
    const struct dead_letter letter = {.failed_at_us = clock_wall_us(),
                                       .rule = mapped->rule->name,
                                       .former = waits ? buf_string(&former) : NULL,
                                       .message = message,
                                       .waits = waits,
                                       .reason = reason,
                                       .sqlstate = refused->sqlstate};

    assert(refused->reason != NULL && mapped->rule_index < batch->rule_count);
    add_dead_letter(batch, builder, &letter);
    note_reject(batch, &letter);
    buf_fini(&former);
    if (letter.waits) {
        batch->rules[mapped->rule_index].waiting++;
        return;
    }
    batch->rules[mapped->rule_index].rejected++;
    batch_ack_refused(batch, builder->mapper, mapped, refused);
}

/* The message becomes a parked letter, whatever the rule would make of it: rows are made when the
 * rule works again, for the table may have other columns then. */
static void add_parked(struct batch *batch, const struct batch_builder *builder, unsigned rule,
                       const struct message *message)
{
    const struct rule_target *target = rule_targets_get(builder->targets, rule);
    const struct rule *compiled = builder->ruleset->rules[rule];
    struct buf former = {0};
    bool waits = rule_targets_healing(builder->targets, rule);

    lineage_append(&former, builder->ruleset, builder->mapper, compiled);
    const struct dead_letter letter = {.failed_at_us = clock_wall_us(),
                                       .rule = compiled->name,
                                       .former = buf_string(&former),
                                       .message = message,
                                       .reason = waits ? "waits behind parked messages of its table"
                                                       : target->reason,
                                       .sqlstate = target->sqlstate,
                                       .parked = true};

    assert(rule_targets_aside(builder->targets, rule) && rule < batch->rule_count);
    add_dead_letter(batch, builder, &letter);
    batch->rules[rule].parked++;
    buf_fini(&former);
}

const char batch_too_large[] = "its rows take more than 8 MB beyond four times its payload";

bool batch_add_rows(struct batch *batch, size_t message, const struct mapped *mapped,
                    const struct rule_target *target)
{
    struct rule_batch *rule = &batch->rules[mapped->rule_index];
    const struct row_plan *plan = target->plan;
    const struct extent extent = {
        .message = message, .rule = mapped->rule_index, .rows = mapped->rows};
    size_t limit = BATCH_MESSAGE_BYTES + 4 * mapped->subject.message->payload.length;
    struct buf *bytes;
    size_t before;

    assert(plan != NULL && mapped->verdict == VERDICT_ROWS && message < batch->count);

    if (mapped->rows == 0) {
        rule->mapped++;
        return true;
    }
    bytes = row_runs_begin(&batch->runs, target->place, &extent);
    before = bytes->length;
    for (size_t i = 0; i < mapped->rows; i++) {
        copy_append_row(bytes, plan->format, mapped->datums + i * plan->count, plan->columns,
                        plan->count);
        if (bytes->length - before > limit) {
            row_runs_cancel(&batch->runs, target->place);
            return false;
        }
    }
    rule->mapped++;
    rule->row_count += mapped->rows;
    batch->rows += mapped->rows;
    batch->bytes += bytes->length - before;
    row_runs_end(&batch->runs, target->place);
    return true;
}

void batch_count_stored(struct batch *batch, size_t run, size_t low, size_t high, uint64_t affected)
{
    const struct write *write = &batch->runs.writes[batch->runs.list[run].write];
    bool told = high - low == 1 || affected >= row_runs_rows(write, low, high);

    assert(run < batch->runs.count && low < high && high <= batch->runs.list[run].high);
    for (size_t i = low; i < high; i++) {
        const struct extent *extent = &write->extents[i];
        uint64_t rows = extent->rows < affected ? extent->rows : affected;

        batch->rules[extent->rule].rows_stored += rows;
        affected -= rows;
        if (extent->later > 0) {
            assert(extent->later <= batch->later_count);
            batch->later[extent->later - 1].rows = rows;
            batch->uncounted |= !told;
        }
    }
}

void batch_finish(struct batch *batch)
{
    row_runs_sort(&batch->runs);
    batch_check(batch);
}

void batch_check(const struct batch *batch)
{
    uint64_t rows = 0, letters = 0;

    assert(batch->to >= batch->from);
    for (size_t i = 0; i < batch->rule_count; i++) {
        rows += batch->rules[i].row_count;
        letters += batch->rules[i].rejected + batch->rules[i].parked + batch->rules[i].waiting;
    }
    for (size_t i = 1; i < batch->count; i++) {
        assert(batch->sequences[i] > batch->sequences[i - 1]);
    }
    assert(rows == batch->rows && letters == batch->dead_letter_count);
    assert(batch->unmatched <= batch->count);
    row_runs_check(&batch->runs);
}

/* Adds the rows and, if the rule wants one, the acknowledgment. The transaction stores the rows;
 * the outbox keeps the acknowledgment until COMMIT was answered. */
static void add_rows(struct batch *batch, const struct batch_builder *builder,
                     const struct mapped *mapped)
{
    const struct rule_target *target = rule_targets_get(builder->targets, mapped->rule_index);

    assert(mapped->verdict == VERDICT_ROWS && batch->count > 0);
    untaken_look(builder->untaken, mapped);
    if (batch_add_rows(batch, batch->count - 1, mapped, target)) {
        batch_ack_stored(batch, builder->mapper, mapped, target);
    } else {
        add_rejected(batch, builder, mapped, &(struct refused){.reason = batch_too_large});
    }
}

/* The journal kept only the head of a message that was too large. Such a message becomes a dead
 * letter: never a row, and never a parked letter that would become a row. */
static void add_head(struct batch *batch, const struct batch_builder *builder,
                     const struct mapped *mapped)
{
    const struct message *message = mapped->subject.message;
    char reason[160];

    assert(message->kind == MESSAGE_HEAD);
    snprintf(reason, sizeof(reason),
             "larger than broker.max_packet: a payload of %" PRIu64
             " bytes, of which the first %zu "
             "are kept",
             message->whole_bytes, message->payload.length);
    add_rejected(batch, builder, mapped, &(struct refused){.reason = reason});
}

/* A verdict, which blame() found when the batch was stored before, counts more than what the
 * mapper says: the mapper can't know what PostgreSQL refuses. */
void batch_add_mapped(struct batch *batch, const struct batch_builder *builder,
                      const struct mapped *mapped)
{
    const struct verdict_row *verdict =
        verdicts_find(builder->verdicts, mapped->subject.message->sequence, mapped->rule_index);

    if (mapped->subject.message->kind == MESSAGE_HEAD) {
        add_head(batch, builder, mapped);
    } else if (verdict != NULL) {
        add_rejected(batch, builder, mapped,
                     &(struct refused){verdict->reason, verdict->sqlstate, verdict->may_pass,
                                       verdict->of_part});
    } else if (mapped->verdict == VERDICT_REJECTED) {
        add_rejected(batch, builder, mapped, &(struct refused){.reason = mapped->reason});
    } else if (mapped->verdict == VERDICT_FILTERED) {
        batch->rules[mapped->rule_index].filtered++;
    } else {
        add_rows(batch, builder, mapped);
    }
}

/* Notes the topic of a message that no rule takes, unless today's subscriptions bring it: a
 * subscription that covers several rules brings topics that none of them wants. A topic that
 * today's subscriptions do not bring was queued by the broker for former rules, and people should
 * know. */
static void note_unmatched(struct batch *batch, const struct batch_builder *builder,
                           const struct message *message)
{
    struct buf topic = {0};

    batch->unmatched++;
    if (batch->first_unmatched[0] == '\0' &&
        !ruleset_subscribes(builder->ruleset, message->topic)) {
        text_append_printable(&topic, message->topic, sizeof(batch->first_unmatched) / 4);
        snprintf(batch->first_unmatched, sizeof(batch->first_unmatched), "%s", buf_string(&topic));
        buf_fini(&topic);
    }
}

/* One message under all of its rules. A format with state learns first, whatever the rules'
 * states: a message that is parked now may be needed to decode later ones. */
static void add_publish(struct batch *batch, const struct batch_builder *builder,
                        const struct message *message)
{
    struct memory_entry entry;
    struct ack command;
    size_t count;

    if (mapper_learn(builder->mapper, message, &entry)) {
        memory_rows_append(&batch->learned, &entry);
    }
    count = mapper_find(builder->mapper, message);
    assert(count <= batch->rule_count);
    batch_add_message(batch, message);
    for (size_t i = 0; i < count; i++) {
        unsigned rule = mapper_rule(builder->mapper, i);

        if (rule_targets_aside(builder->targets, rule) && message->kind != MESSAGE_HEAD) {
            add_parked(batch, builder, rule, message);
        } else {
            batch_add_mapped(batch, builder, mapper_map_found(builder->mapper, i));
        }
    }
    if (mapper_rebirth(builder->mapper, message, batch->now_us, &command)) {
        ack_batch_append(&batch->acks, &command);
    }
    if (mapper_routing(builder->mapper) == ROUTING_UNMATCHED) {
        note_unmatched(batch, builder, message);
    }
    mapper_forget(builder->mapper);
}

/* Messages that the journal no longer has become a row of the table `gap`. */
static void add_missing(struct batch *batch, const struct journal_missing *missing)
{
    const struct gap gap = {
        .cause = slice_of(missing->deleted ? "database went back" : "journal damaged"),
        .noticed_at_us = clock_wall_us(),
        .from_us = missing->from_us,
        .to_us = missing->to_us,
        .messages = (int64_t) missing->count};

    add_gap(batch, &gap);
    /* Damaged messages counted as waiting until now; deleted messages did not, so they do not count
     * as processed either. */
    batch->records += missing->deleted ? 0 : missing->count;
}

static void add_gap_message(struct batch *batch, const struct message *message)
{
    struct gap gap;

    if (!gap_from_message(message, &gap)) {
        return;
    }
    /* Its text must outlive the reader's buffer. */
    gap.cause = gap_cause_kept(gap.cause);
    add_gap(batch, &gap);
}

bool batch_is_full(const struct batch *batch, const struct batch_options *options)
{
    size_t bytes = batch->bytes + batch->dead_letters.length + batch->acks.bytes.length +
                   memory_rows_bytes(&batch->learned);

    return (int64_t) batch->rows >= options->max_rows ||
           (int64_t) batch->count >= options->max_rows || (int64_t) bytes >= options->max_bytes;
}

/* Reads and adds one record. False at the journal's end, or when it can't be read: then `error`
 * says so. */
static bool add_record(struct batch *batch, const struct batch_builder *builder,
                       struct error *error)
{
    struct journal_next next;

    switch (journal_reader_next(builder->reader, &next)) {
    case JOURNAL_READ_MESSAGE:
        if (message_is_delivery(&next.message)) {
            add_publish(batch, builder, &next.message);
        } else {
            add_gap_message(batch, &next.message);
        }
        batch->records++;
        return true;
    case JOURNAL_READ_MISSING:
        add_missing(batch, &next.missing);
        return true;
    case JOURNAL_READ_END:
        break;
    case JOURNAL_READ_FAILED:
        *error = next.error;
        break;
    }
    return false;
}

enum outcome batch_extend(struct batch *batch, const struct batch_builder *builder,
                          size_t records_max, bool *whole, struct error *error)
{
    assert(records_max >= 1);
    error_clear(error);
    batch->now_us = clock_wall_us();
    *whole = false;
    for (size_t i = 0; i < records_max && !*whole; i++) {
        *whole = batch_is_full(batch, builder->options) || !add_record(batch, builder, error);
    }
    /* `to` comes from the reader, which also skips numbers that no message has. */
    batch->to = journal_reader_position(builder->reader) - 1;
    batch->place = journal_reader_place(builder->reader);
    assert(batch->to >= batch->from && batch->place.sequence == batch->to + 1);
    return error->outcome;
}
