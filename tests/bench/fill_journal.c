/*
 * fill_journal: a journal full of samples, as if the bridge had received them while the database
 * was away.
 *
 *   fill_journal --directory D --messages N [--topics T] [--payload BYTES]
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>

#include "core/property.h"
#include "journal/journal.h"
#include "route/subscription_plan.h"
#include "sample.h"

int main(int argc, char **argv)
{
    const struct journal_options options = {
        .directory = option_text(argc, argv, "directory", ""),
        .max_bytes = INT64_C(64) * 1024 * 1024 * 1024,
        .sync_ms = JOURNAL_SYNC_NEVER,
        .keep_ms = 3600 * 1000,
    };
    uint64_t messages = (uint64_t) option_number(argc, argv, "messages", 1000);
    struct journal *journal;
    struct error error;
    struct sample sample;
    struct buf properties = {0};
    const struct property_item subscription = {
        .id = PROPERTY_SUBSCRIPTION, .number = subscription_identifier("fleet/+/telemetry")};

    property_append(&properties, &subscription); /* as every copy of an MQTT 5 broker has it */
    sample_init(&sample, (size_t) option_number(argc, argv, "payload", 150),
                (uint32_t) option_number(argc, argv, "topics", 1000));
    if (journal_open(&journal, &options, &error) != OUTCOME_OK) {
        die("fill_journal: %s", error.text);
    }
    for (uint64_t i = 0; i < messages; i++) {
        struct message message = {
            .kind = MESSAGE_PUBLISH,
            .qos = 1,
            .packet_id = (uint16_t) (i % 65535 + 1),
            .received_at_us = wall_us(),
            .topic = slice_make(sample.topic, SAMPLE_TOPIC_BYTES),
            .properties = buf_slice(&properties),
            .payload = slice_make(sample.payload, sample.length),
        };
        sample_set(&sample, i, message.received_at_us);
        if (journal_append(journal, &message, &error) != OUTCOME_OK) {
            die("fill_journal: %s", error.text);
        }
    }
    if (journal_sync(journal, &error) != OUTCOME_OK) {
        die("fill_journal: %s", error.text);
    }
    journal_close(journal);
    sample_fini(&sample);
    buf_fini(&properties);
    return 0;
}
