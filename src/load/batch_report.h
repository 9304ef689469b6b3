/*
 * batch_report: tells people which messages of a batch became dead letters, match no rule, or may
 * be missing: the log and the status page.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_BATCH_REPORT_H
#define MQTT2PG_LOAD_BATCH_REPORT_H

#include "load/batch.h"

/* After the commit: tells about the batch, once. */
void batch_report(const struct batch *batch);

/* What a stored batch took, in microseconds. */
struct batch_time {
    int64_t took_us;
    int64_t round_trip_us; /* to the server and back */
};

/* So many full batches in a row make the advice worth it. */
#define BATCH_ADVICE_AFTER 10

/*
 * After the commit: tells once that batches have all the rows that max_rows allows while a good
 * part of their time is the way to a far server. The bridge does not exceed max_rows by itself: a
 * person may have set it, and a batch that takes long because of slow rows would only take longer.
 * `full` counts such batches, from 0; at BATCH_ADVICE_AFTER it stays.
 */
void batch_advise(const struct batch *batch, const struct batch_options *options,
                  const struct batch_time *time, unsigned *full);

#endif
