/*
 * datum_text: the function of datum_text.c that copy_text.c and datum_json.c share. Only for row/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROW_DATUM_TEXT_H
#define MQTT2PG_ROW_DATUM_TEXT_H

#include "base/buf.h"
#include "row/datum.h"

/* One datum that is neither null nor an array. */
void datum_append_scalar(struct buf *out, const struct datum *datum);

#endif
