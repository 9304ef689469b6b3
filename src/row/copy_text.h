/*
 * copy_text: one row in COPY's text form. Only for row/; others use row/copy_format.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_COPY_TEXT_H
#define MQTT2PG_ROW_COPY_TEXT_H

#include "row/copy_format.h"

void copy_text_append_row(struct buf *out, const struct datum *datums,
                          const struct column_shape *const *columns, size_t count);

#endif
