/*
 * filter_family: the functions that the table of filters points to, and those that filters share.
 * Only for map/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_FILTER_FAMILY_H
#define MQTT2PG_MAP_FILTER_FAMILY_H

#include "map/decimal.h"
#include "map/filters.h"

/* filter_arguments.c */
filter_parse filter_parse_nothing;
filter_parse filter_parse_number;
filter_parse filter_parse_integers;  /* as many as the filter's syntax has words */
filter_parse filter_parse_source;    /* one */
filter_parse filter_parse_sources;   /* one or more */
filter_parse filter_parse_constants; /* one or more */
filter_parse filter_parse_pairs;     /* A X … [else Z] */

/* As filter_parse_integers(), of at most so many digits, which is less than 8. */
enum outcome filter_parse_short_integers(struct parser *parser, const struct filter *filter,
                                         struct filter_arguments *arguments, size_t digits_max);

/* filter_choice.c */
filter_apply filter_default;
filter_apply filter_required;
filter_apply filter_map;
filter_apply filter_nullif;
filter_apply filter_concat;

/* filter_number.c */
filter_parse filter_parse_number_reader;
filter_apply filter_number;
filter_apply filter_scale;
filter_apply filter_offset;
filter_parse filter_parse_places; /* of round */
filter_apply filter_round;

/* filter_time.c */
filter_parse filter_parse_time;
filter_parse filter_parse_zone;
filter_apply filter_unix; /* layout: the digits of a second behind the unit */
filter_apply filter_time;
filter_apply filter_zone;

/* filter_text.c */
filter_apply filter_trim;
filter_apply filter_lower;
filter_apply filter_upper;
filter_parse filter_parse_split;
filter_apply filter_split;
filter_parse filter_parse_extract;
filter_apply filter_extract;
filter_parse filter_parse_replace;
filter_apply filter_replace;

/* filter_json.c */
filter_apply filter_json;
filter_apply filter_json_or_text;
filter_apply filter_binary;
filter_apply filter_path; /* "| $.name" */

/* filter_bytes.c */
filter_parse filter_parse_place; /* of a number in bytes */
filter_parse filter_parse_bits;
filter_parse filter_parse_bytes;
filter_apply filter_hex;
filter_apply filter_base64;
filter_apply filter_integer; /* layout: enum byte_layout */
filter_apply filter_float;
filter_apply filter_bits;
filter_apply filter_bytes;
filter_apply filter_latin1;
filter_apply filter_utf8;

/* How the bytes of a number lie. */
enum byte_layout {
    LAYOUT_BYTES = 0x0f,  /* 1, 2, 4, 8 */
    LAYOUT_SIGNED = 0x10, /* of integers */
    LAYOUT_LITTLE = 0x20, /* the byte of least weight first */
    LAYOUT_SWAP = 0x40,   /* the 16-bit words in the other order than that */
};

/* --- shared: filter_values.c ------------------------------------------------------------------ */

/* OUTCOME_REJECT with "VALUE what": texts in quotes, what is longer by the name of its kind. */
enum outcome filter_refuse(const struct value *value, const char *what, struct error *error);

/* Text, or the digits of a number: with the format text digits alone are a number, so the filters
 * for text take numbers as well. */
bool filter_is_text(const struct value *value);

/* … or bytes that may hold a text (what comes with the format raw). */
bool filter_holds_text(const struct value *value);

/* A number, or a text that a column would read as one. */
enum outcome filter_read_number(const struct value *value, struct decimal *number,
                                struct error *error);

/* Without the white space around it. */
struct slice filter_trimmed(struct slice text);

/* An integer argument, which filter_parse_integers() has looked at. */
int filter_integer_argument(const struct filter_arguments *arguments, size_t index);

#endif
