/* SPDX-License-Identifier: MIT */
#include "load/batch_report.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

/* 0: the time is not known. */
static void append_time(struct buf *out, int64_t time_us)
{
    if (time_us == 0) {
        buf_append_text(out, "unknown");
    } else {
        text_format_time(out, time_us);
    }
}

/* A gap is logged as an error: messages may be lost, so a person should look. */
static void report_gap(const struct gap *gap)
{
    struct health_gap told = {.noticed_us = gap->noticed_at_us,
                              .from_us = gap->from_us,
                              .to_us = gap->to_us,
                              .messages = gap->messages};
    struct buf from = {0}, to = {0}, messages = {0};

    snprintf(told.cause, sizeof(told.cause), "%.*s", SLICE_ARGS(gap->cause));
    health_add_gap(&told);
    append_time(&from, gap->from_us);
    append_time(&to, gap->to_us);
    if (gap->messages < 0) {
        buf_append_text(&messages, "unknown");
    } else {
        buf_printf(&messages, "%lld", (long long) gap->messages);
    }
    log_error("messages may be missing: see mqtt2pg gaps list", F_TEXT("cause", told.cause),
              F_TEXT("from", buf_string(&from)), F_TEXT("to", buf_string(&to)),
              F_TEXT("messages", buf_string(&messages)));
    buf_fini(&messages);
    buf_fini(&from);
    buf_fini(&to);
}

/* One line a rule, with the reason of its first reject. */
static void report_rejects(const struct batch *batch)
{
    for (size_t i = 0; i < batch_rejects_kept(batch); i++) {
        const struct health_reject *reject = &batch->rejects[i];
        char reason[sizeof(reject->reason)];

        if (batch->rule_rejects[i] == 0) {
            continue;
        }
        memcpy(reason, reject->reason, sizeof(reason));
        health_hide_detail(reason);
        log_warn("messages rejected: they are in the dead letters", F_TEXT("rule", reject->rule),
                 F_INT("messages", batch->rule_rejects[i]), F_TEXT("topic", reject->topic),
                 F_TEXT("reason", reason));
    }
}

void batch_report(const struct batch *batch)
{
    for (size_t i = 0; i < batch_rejects_kept(batch); i++) {
        const struct health_reject *reject = &batch->rejects[i];
        health_add_reject(reject->rule, slice_of(reject->topic), reject->reason, reject->payload);
    }
    for (size_t i = 0; i < batch->gap_count; i++) {
        report_gap(&batch->gaps[i]);
    }
    if (batch->first_unmatched[0] != '\0') {
        health_set_unmatched(slice_of(batch->first_unmatched));
        log_warn("messages match no rule: they are counted and not stored; they came for rules "
                 "that were there before",
                 F_INT("messages", (int64_t) batch->unmatched),
                 F_TEXT("topic", batch->first_unmatched));
    }
    report_rejects(batch);
}

/* A server is far when a round trip takes FAR_US. The advice is given when a batch takes less than
 * ROUND_TRIPS_WORTH round trips. */
#define FAR_US 3000
#define ROUND_TRIPS_WORTH 10

void batch_advise(const struct batch *batch, const struct batch_options *options,
                  const struct batch_time *time, unsigned *full)
{
    bool by_rows =
        (int64_t) batch->rows >= options->max_rows || (int64_t) batch->count >= options->max_rows;
    bool far =
        time->round_trip_us >= FAR_US && time->took_us < ROUND_TRIPS_WORTH * time->round_trip_us;

    assert(*full <= BATCH_ADVICE_AFTER);
    if (*full == BATCH_ADVICE_AFTER) {
        return;
    }
    *full = by_rows && far && (int64_t) batch->bytes < options->max_bytes / 2 ? *full + 1 : 0;
    if (*full == BATCH_ADVICE_AFTER) {
        log_info("the database is far away and batches are full: a larger batch.max_rows stores "
                 "more rows a second",
                 F_INT("max_rows", options->max_rows), F_INT("batch_ms", time->took_us / 1000),
                 F_INT("round_trip_ms", time->round_trip_us / 1000));
    }
}
