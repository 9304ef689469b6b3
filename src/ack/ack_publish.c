/* SPDX-License-Identifier: MIT */
#include "ack/ack_publish.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"

enum {
    CONFIRM_MS = 10000, /* without a confirmation for so long, the connection is given up */
};

/* Counts the acknowledgments from the front of `acks` up to `end`, which are all confirmed. */
static void count_published(struct slice acks, const char *end)
{
    struct ack ack;
    while (acks.data < end && ack_batch_next(&acks, &ack)) {
        char *rule = memory_copy(ack.rule);
        metric_rule_add(metrics_rule(rule),
                        ack.stored ? RULE_METRIC_ACKS_STORED : RULE_METRIC_ACKS_REJECTED, 1);
        free(rule);
    }
}

static enum outcome hand_over(struct publisher *publisher, const struct ack *ack,
                              struct error *error)
{
    const struct publication publication = {.topic = ack->topic,
                                            .payload = ack->payload,
                                            .correlation_data = ack->correlation_data,
                                            .qos = ack->qos,
                                            .retain = ack->retain};

    return publisher_publish(publisher, &publication, CONFIRM_MS, error);
}

enum outcome ack_publish(struct publisher *publisher, uint32_t count_max, struct slice *acks,
                         uint32_t *count, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    struct slice rest = *acks, end = *acks;
    struct ack ack;
    uint32_t taken = 0;
    assert(count_max > 0);
    *count = 0;
    while (outcome == OUTCOME_OK && taken < count_max && ack_batch_next(&rest, &ack)) {
        outcome = hand_over(publisher, &ack, error);
        if (outcome == OUTCOME_OK) {
            end = rest;
            taken++;
        }
    }
    if (outcome == OUTCOME_REJECT && taken == 0) {
        log_warn("an acknowledgment can't be published, skipping it", F_SLICE("topic", ack.topic),
                 F_TEXT("reason", error->text));
        *acks = rest;
        *count = 1;
        return OUTCOME_REJECT;
    }
    if (outcome != OUTCOME_RETRY && taken > 0) {
        outcome = publisher_flush(publisher, CONFIRM_MS, error);
    }
    if (outcome == OUTCOME_OK) {
        assert(taken <= count_max && end.length <= acks->length);
        count_published(*acks, end.data);
        *acks = end;
        *count = taken;
    }
    return outcome;
}
