/*
 * batch_options: how large a batch may grow and how long it may wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_BATCH_OPTIONS_H
#define MQTT2PG_LOAD_BATCH_OPTIONS_H

#include <stdint.h>

struct batch_options {
    /* rows, and likewise messages; the message that reaches the limit is taken whole */
    int64_t max_rows;
    int64_t max_bytes;    /* of encoded rows */
    int64_t max_delay_ms; /* how long the first message of a small batch waits for others */
};

#endif
