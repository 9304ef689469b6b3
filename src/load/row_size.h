/*
 * row_size: the memory that the values of a row take outside of their structs. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_ROW_SIZE_H
#define MQTT2PG_LOAD_ROW_SIZE_H

#include <stddef.h>

#include "row/datum.h"

/* In bytes. A text that many rows share counts in each of them: each row gets its own copy when it
 * is encoded. */
size_t row_size(const struct datum *row, size_t count);

#endif
