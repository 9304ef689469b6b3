/*
 * decode_csv: the format "csv": RFC 4180, with any delimiter and quote.
 *
 * "$" is an array of rows: of objects where the columns have names (from the first line or from the
 * rule), else of arrays. Values are texts; one that is empty and not quoted is null, as in
 * PostgreSQL's COPY. Every row has as many values as the names or the first row. Lines end in LF or
 * CRLF; empty lines and comments are left out, and so are a byte order mark at the beginning and
 * NUL bytes at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_CSV_H
#define MQTT2PG_DECODE_DECODE_CSV_H

#include "decode/decoder.h"

/* Reasons name byte and line. */
enum outcome decode_csv(const struct decode_input *input, struct arena *arena,
                        const struct node **root, struct error *error) MUST_CHECK;

/* Delimiter and quote are one character each, and not the same. */
enum outcome decode_csv_prepare(const struct format_options *options, void **state,
                                struct place *place, struct error *error) MUST_CHECK;

#endif
