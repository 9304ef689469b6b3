/*
 * row_size: what the values of a row take in memory, beside their structs. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_ROW_SIZE_H
#define MQTT2PG_LOAD_ROW_SIZE_H

#include <stddef.h>

#include "row/datum.h"

/* In bytes; texts that many rows share count in each of them, as each row gets its own copy when it
 * is encoded. */
size_t row_size(const struct datum *row, size_t count);

#endif
