/*
 * json_out: writes a JSON document member by member.
 *
 * The functions write the commas: one before each member, unless the container was just opened. The
 * caller closes what it opens, with buf_append_byte(out, '}') or ']'. A text alone is written by
 * text_append_json() of base/text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_JSON_OUT_H
#define MQTT2PG_BASE_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* In front of an element of an array. */
void json_out_comma(struct buf *out);

/* "key": without a value, which the caller appends. */
void json_out_key(struct buf *out, const char *key);

void json_out_text(struct buf *out, const char *key, const char *value);
void json_out_bool(struct buf *out, const char *key, bool value);
void json_out_int(struct buf *out, const char *key, int64_t value);
void json_out_known(struct buf *out, const char *key, int64_t value);       /* negative: null */
void json_out_time(struct buf *out, const char *key, int64_t microseconds); /* RFC 3339; 0: null */
void json_out_open(struct buf *out, const char *key, char bracket);         /* '{' or '[' */

/* A value alone: null for NaN and the infinities, which JSON does not have. */
void json_out_real(struct buf *out, double value);

#endif
