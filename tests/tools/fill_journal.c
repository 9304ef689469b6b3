/*
 * fill_journal: a journal in which many messages wait, as an outage of the database leaves it, made
 * in seconds.
 *
 *   fill_journal DIRECTORY COUNT BYTES TOPIC...
 *
 * Message i goes to the topics by turns; its payload is {"n":…} with the number of its topic's
 * messages before it, blown up to BYTES. The last one is as old as now, each a half millisecond
 * younger than the one before it (2,000 a second).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "journal/journal.h"

#define AGE_US 500

static int fail(const char *what)
{
    fprintf(stderr, "fill_journal: %s\n", what);
    return 1;
}

static int fill(struct journal *journal, long count, int bytes, char **topics, int topic_count)
{
    int64_t now_us = clock_wall_us();
    char *payload = malloc((size_t) bytes + 100);
    char *pad = malloc((size_t) bytes + 1);
    struct error error = {0};
    memset(pad, 'x', (size_t) bytes);
    pad[bytes] = '\0';
    for (long i = 0; i < count && error.outcome == OUTCOME_OK; i++) {
        int length = snprintf(payload, (size_t) bytes + 100, "{\"n\":%ld,\"x\":\"%.*s\"}",
                              i / topic_count, bytes > 40 ? bytes - 40 : 0, pad);
        struct message message = {.kind = MESSAGE_PUBLISH,
                                  .qos = 1,
                                  .packet_id = (uint16_t) (i % 65535 + 1),
                                  .received_at_us = now_us - (count - i) * AGE_US,
                                  .topic = slice_of(topics[i % topic_count]),
                                  .payload = slice_make(payload, (size_t) length)};
        if (journal_append(journal, &message, &error) == OUTCOME_RETRY) {
            error_clear(&error);
            i -= journal_wait_room(journal, 10000) ? 1
                                                   : 0; /* the keeper makes segments more slowly */
        }
    }
    free(payload);
    free(pad);
    return error.outcome == OUTCOME_OK ? 0 : fail(error.text);
}

int main(int argc, char **argv)
{
    struct journal *journal = NULL;
    struct error error;
    int code;

    if (argc < 5) {
        return fail("usage: fill_journal DIRECTORY COUNT BYTES TOPIC...");
    }
    struct journal_options options = {.directory = argv[1],
                                      .max_bytes = INT64_C(16) << 30,
                                      .sync_ms = JOURNAL_SYNC_NEVER,
                                      .keep_ms = 3600000};
    if (journal_open(&journal, &options, &error) != OUTCOME_OK) {
        return fail(error.text);
    }
    code = fill(journal, atol(argv[2]), atoi(argv[3]), argv + 4, argc - 4);
    if (code == 0 && journal_last(journal) != (uint64_t) atol(argv[2])) {
        code = fail("no room");
    }
    journal_close(journal);
    return code;
}
