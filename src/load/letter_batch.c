/* SPDX-License-Identifier: MIT */
#include "load/letter_batch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "load/batch_acks.h"

void letter_batch_fini(struct letter_batch *portion)
{
    dead_letter_rows_fini(&portion->letters);
    replay_claims_fini(&portion->claims);
    free(portion->verdicts);
    batch_free(portion->batch);
}

const char **letter_batch_names(const struct letter_batch *portion)
{
    const char **names = memory_alloc(portion->rules->count * sizeof(*names));

    for (size_t i = 0; i < portion->rules->count; i++) {
        names[i] = portion->store->ruleset->rules[portion->rules->list[i]]->name;
    }
    return names;
}

/* The place in portion->rules of the letter's rule. There is one, because the letters were chosen
 * by the rules' names. */
static size_t rule_of(const struct letter_batch *portion, const struct dead_letter *letter)
{
    size_t i = 0;

    while (i + 1 < portion->rules->count &&
           strcmp(portion->store->ruleset->rules[portion->rules->list[i]]->name, letter->rule) !=
               0) {
        i++;
    }
    assert(strcmp(portion->store->ruleset->rules[portion->rules->list[i]]->name, letter->rule) ==
           0);
    return i;
}

/* The letter stays in the table, with this reason. */
static void give_up(struct second_verdict *verdict, const char *reason)
{
    assert(reason != NULL);
    verdict->verdict = VERDICT_REJECTED;
    snprintf(verdict->reason, sizeof(verdict->reason), "%s", reason);
}

/* blame() left a verdict: PostgreSQL has refused this letter's rows in an earlier round. */
static void refuse(const struct letter_batch *portion, size_t i, const struct verdict_row *row)
{
    struct second_verdict *verdict = &portion->verdicts[i];
    const struct refused refused = {row->reason, row->sqlstate, row->may_pass, row->of_part};

    assert(i < portion->letters.count);

    give_up(verdict, row->reason);
    memcpy(verdict->sqlstate, row->sqlstate, sizeof(verdict->sqlstate));
    verdict->waits = batch_retries(portion->store->ruleset->rules[row->rule],
                                   &portion->letters.list[i].message, &refused);
}

/* The device of a letter that is neither parked nor waiting has been told "rejected" already. It
 * gets a second acknowledgment only when the letter is stored after all. */
static bool wants_ack(const struct letter_batch *portion, const struct dead_letter *letter,
                      const struct second_verdict *verdict)
{
    assert(!verdict->waits || verdict->verdict == VERDICT_REJECTED);
    return portion->store->outbox != NULL && verdict->verdict != VERDICT_FILTERED &&
           !verdict->waits && (letter->parked || letter->waits || verdict->verdict == VERDICT_ROWS);
}

/* Does an unfinished replay make the letter's message again? */
static bool is_claimed(const struct letter_batch *portion, const struct dead_letter_row *row)
{
    const struct replay_message message = {.rule = row->letter.rule,
                                           .journal = row->origin.journal,
                                           .sequence = row->message.sequence,
                                           .received_at_us = row->message.received_at_us};

    return replay_claims_have(&portion->claims, &message);
}

/* Maps letter i by today's rule. Rows and acknowledgment go into the batch. */
static void map_letter(struct letter_batch *portion, size_t i)
{
    const struct dead_letter_row *row = &portion->letters.list[i];
    struct second_verdict *verdict = &portion->verdicts[i];
    size_t of = verdict->of = rule_of(portion, &row->letter);
    unsigned rule = portion->rules->list[of];
    const struct verdict_row *refused =
        verdicts_find(portion->store->verdicts, (uint64_t) row->letter.id, rule);
    const struct rule_target *target = rule_targets_get(portion->store->targets, rule);
    const struct mapped *mapped;

    assert(i < portion->letters.count);
    verdict->claimed = is_claimed(portion, row);
    if (verdict->claimed) {
        return;
    }
    if (row->message.kind == MESSAGE_HEAD) {
        give_up(verdict, row->letter.reason); /* only the head of the payload was kept */
        return;
    }
    if (!mapper_map_rule(portion->store->mapper, rule, &row->message, &mapped)) {
        give_up(verdict, "the rule's topic does not match any more");
        return;
    }
    verdict->verdict = mapped->verdict;
    if (refused != NULL) {
        refuse(portion, i, refused);
    } else if (mapped->verdict == VERDICT_REJECTED) {
        give_up(verdict, mapped->reason);
    }
    if (verdict->verdict == VERDICT_ROWS) {
        untaken_look(portion->store->untaken, mapped);
    }
    if (verdict->verdict == VERDICT_ROWS && !batch_add_rows(portion->batch, i, mapped, target)) {
        give_up(verdict, batch_too_large);
    }
    if (!wants_ack(portion, &row->letter, verdict)) {
        return;
    }
    if (verdict->verdict == VERDICT_REJECTED) {
        const struct refused why = {.reason = verdict->reason, .sqlstate = verdict->sqlstate};

        batch_ack_refused(portion->batch, portion->store->mapper, mapped, &why);
    } else {
        batch_ack_stored(portion->batch, portion->store->mapper, mapped, target);
    }
}

void letter_batch_map(struct letter_batch *portion)
{
    size_t count = portion->letters.count;

    assert(portion->verdicts == NULL && portion->batch == NULL);
    portion->verdicts = memory_alloc((count + 1) * sizeof(*portion->verdicts));
    portion->batch = batch_new(portion->store->ruleset->count);
    portion->batch->sequences = memory_alloc((count + 1) * sizeof(*portion->batch->sequences));
    portion->batch->count = count;
    portion->batch->from = portion->batch->to = portion->store->position;
    for (size_t i = 0; i < count; i++) {
        portion->batch->sequences[i] = (uint64_t) portion->letters.list[i].letter.id;
        map_letter(portion, i);
    }
    batch_finish(portion->batch);
}
