/*
 * batch_report: tells people which messages of a batch became dead letters, match no rule, or may
 * be missing: the log and the status page.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_BATCH_REPORT_H
#define MQTT2PG_LOAD_BATCH_REPORT_H

#include "load/batch.h"

/* To be called once, after the commit. */
void batch_report(const struct batch *batch);

/* How long a stored batch took, in microseconds. */
struct batch_time {
    int64_t took_us;
    int64_t round_trip_us; /* to the server and back */
};

/* The advice is given after this many full batches in a row. */
#define BATCH_ADVICE_AFTER 10

/*
 * To be called after the commit. Logs once that batches reach max_rows while the way to a far
 * server takes a good part of their time: a larger max_rows would be faster. The bridge does not
 * exceed max_rows by itself: a person may have set it, and a batch that takes long because of slow
 * rows would only take longer. `full` counts such batches, from 0; at BATCH_ADVICE_AFTER it stays.
 */
void batch_advise(const struct batch *batch, const struct batch_options *options,
                  const struct batch_time *time, unsigned *full);

#endif
