/*
 * copy_binary: one row in COPY's binary form. Only for row/; others use row/copy_format.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_COPY_BINARY_H
#define MQTT2PG_ROW_COPY_BINARY_H

#include "row/copy_format.h"

/* Arguments as copy_append_row()'s. Every column has a binary form (column_has_binary()). */
void copy_binary_append_row(struct buf *out, const struct datum *datums,
                            const struct column_shape *const *columns, size_t count);

#endif
