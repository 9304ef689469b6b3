/*
 * convert_reject: shared by the families: reasons for OUTCOME_REJECT, and the comparison of words.
 * Only for row/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_CONVERT_REJECT_H
#define MQTT2PG_ROW_CONVERT_REJECT_H

#include "base/outcome.h"
#include "core/table_shape.h"
#include "core/value.h"

/* OUTCOME_REJECT with "VALUE reason": the value as a person knows it ("21.5", "\"abc\"", "an
 * array"), at most 40 characters. */
enum outcome reject_value(struct error *error, const struct value *value, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* OUTCOME_REJECT with "VALUE can't become TYPE": the kind itself does not fit. */
enum outcome reject_kind(struct error *error, const struct value *value,
                         const struct column_shape *column);

/* Equal but for the case of ASCII letters; `word` is in lower case. */
bool is_word(struct slice text, const char *word);

#endif
