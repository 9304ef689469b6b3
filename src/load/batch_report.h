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

#endif
