/*
 * A filter that can't do its work says why; expression_evaluate() puts its name in front:
 * "unix_ms: \"abc\" is not a number".
 *
 * The columns of the table:
 *
 *   name, syntax    as a person writes them; the reference page and mistakes show them
 *   parse           reads the arguments when the rule is compiled, and finds every mistake in them
 *   apply           runs for each value; it can only reject
 *   takes_null      default and required: all other filters let null pass
 *   type            of a column that create = true makes; NULL keeps what the value had
 *   layout          distinguishes filters that share one `apply`
 *   help            one line of the reference page
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/filters.h"

#include "map/filter_family.h"

/* --- the table -------------------------------------------------------------------------------- */

/* A number at offset N of bytes, in each order of its bytes. */
#define NUMBERS(name, bytes, apply, sign, type, what) \
    {name "be", "N",  filter_parse_place, apply, \
     false,     type, (bytes) | (sign),   what " at byte N, the byte of most weight first"}, \
    { \
        name "le", "N", filter_parse_place, apply, false, type, (bytes) | (sign) | LAYOUT_LITTLE, \
            what " at byte N, the byte of least weight first" \
    }
#define SWAPPED(name, bytes, apply, sign, type, what) \
    {name "be_swap", \
     "N", \
     filter_parse_place, \
     apply, \
     false, \
     type, \
     (bytes) | (sign) | LAYOUT_SWAP, \
     what " at byte N, big-endian 16-bit words, the word of least weight first (CDAB)"}, \
    { \
        name "le_swap", "N", filter_parse_place, apply, false, type, \
            (bytes) | (sign) | LAYOUT_LITTLE | LAYOUT_SWAP, \
            what " at byte N, little-endian 16-bit words, the word of most weight first (BADC)" \
    }

const struct filter filters[] = {
    {"default", "X", filter_parse_source, filter_default, true, NULL, 0,
     "X for a missing or null value; X is a constant or any other source"},
    {"required", "", filter_parse_nothing, filter_required, true, NULL, 0,
     "a missing or null value rejects the message"},
    {"unix_s", "", filter_parse_nothing, filter_unix, false, "timestamptz", 0,
     "seconds since 1970 to timestamp, exact to the microsecond; what is finer is cut"},
    {"unix_ms", "", filter_parse_nothing, filter_unix, false, "timestamptz", 3,
     "milliseconds since 1970 to timestamp, exact to the microsecond; what is finer is cut"},
    {"unix_us", "", filter_parse_nothing, filter_unix, false, "timestamptz", 6,
     "microseconds since 1970 to timestamp; what is finer is cut"},
    {"unix_ns", "", filter_parse_nothing, filter_unix, false, "timestamptz", 9,
     "nanoseconds since 1970 to timestamp; what is finer than a microsecond is cut"},
    {"time", "'FORMAT' ['ZONE']", filter_parse_time, filter_time, false, "timestamptz", 0,
     "text to timestamp by a format of strptime(3), with %f for fractions; several formats, "
     "('F', 'G'), are tried in turn; 'dsmr' is the clock of smart meters"},
    {"zone", "'ZONE'", filter_parse_zone, filter_zone, false, "timestamptz", 0,
     "a text without an offset is local time there; gaps and folds as in PostgreSQL"},
    {"scale", "F", filter_parse_number, filter_scale, false, "numeric", 0, "times F, exactly"},
    {"offset", "F", filter_parse_number, filter_offset, false, "numeric", 0, "plus F, exactly"},
    {"round", "N", filter_parse_places, filter_round, false, "numeric", 0,
     "to N digits behind the point, half away from zero; -2 rounds to hundreds"},
    {"number", "[','] [unit]", filter_parse_number_reader, filter_number, false, "numeric", 0,
     "text to number, with ',' as its decimal separator; with unit, a unit behind it is dropped"},
    {"map", "A X B Y … [else Z]", filter_parse_pairs, filter_map, false, "text", 0,
     "A becomes X, B becomes Y; without else another value stays"},
    {"nullif", "X …", filter_parse_constants, filter_nullif, false, NULL, 0,
     "these values become null"},
    {"concat", "X …", filter_parse_sources, filter_concat, false, "text", 0,
     "the text with these constants or other sources behind it; null when one of them is"},
    {"extract", "'REGEX'", filter_parse_extract, filter_extract, false, "text", 0,
     "the first group, or the whole match; null when the text does not match (PCRE2)"},
    {"replace", "'REGEX' 'TEXT'", filter_parse_replace, filter_replace, false, "text", 0,
     "each match becomes TEXT, in which $1 is the first group"},
    {"split", "'SEP' N", filter_parse_split, filter_split, false, "text", 0,
     "the part N of a text parted by SEP, from 0; -1 is the last; null when there is none"},
    {"trim", "", filter_parse_nothing, filter_trim, false, "text", 0,
     "text without white space around it"},
    {"lower", "", filter_parse_nothing, filter_lower, false, "text", 0, "text in lower case"},
    {"upper", "", filter_parse_nothing, filter_upper, false, "text", 0, "text in upper case"},
    {"json", "[| $.PATH]", filter_parse_nothing, filter_json, false, "jsonb", 0,
     "text that holds JSON, parsed; a path may follow"},
    {"json_or_text", "", filter_parse_nothing, filter_json_or_text, false, "jsonb", 0,
     "JSON, parsed, or other text as it is; null for bytes that are neither"},
    {"binary", "", filter_parse_nothing, filter_binary, false, "bytea", 0,
     "bytes that are not text (UTF-8 without NUL); null for those that are"},
    {"hex", "", filter_parse_nothing, filter_hex, false, "bytea", 0,
     "text of hexadecimal digits to bytes"},
    {"base64", "", filter_parse_nothing, filter_base64, false, "bytea", 0,
     "text in base64 or base64url to bytes, with or without \"=\" at the end"},
    {"bytes", "FROM LENGTH", filter_parse_bytes, filter_bytes, false, "bytea", 0,
     "LENGTH bytes from FROM on; a negative FROM counts from the end, here and below"},
    {"bits", "BYTE FROM COUNT", filter_parse_bits, filter_bits, false, "smallint", 0,
     "COUNT bits of one byte as a number; bit 0 is the one of least weight"},
    {"latin1", "", filter_parse_nothing, filter_latin1, false, "text", 0,
     "bytes in ISO 8859-1 to text"},
    {"utf8", "", filter_parse_nothing, filter_utf8, false, "text", 0, "bytes in UTF-8 to text"},
    {"u8", "N", filter_parse_place, filter_integer, false, "smallint", 1,
     "the byte N as an integer without sign"},
    {"i8", "N", filter_parse_place, filter_integer, false, "smallint", 1 | LAYOUT_SIGNED,
     "the byte N as an integer with sign"},
    NUMBERS("u16", 2, filter_integer, 0, "integer", "16 bits without sign"),
    NUMBERS("i16", 2, filter_integer, LAYOUT_SIGNED, "smallint", "16 bits with sign"),
    NUMBERS("u32", 4, filter_integer, 0, "bigint", "32 bits without sign"),
    SWAPPED("u32", 4, filter_integer, 0, "bigint", "32 bits without sign"),
    NUMBERS("i32", 4, filter_integer, LAYOUT_SIGNED, "integer", "32 bits with sign"),
    SWAPPED("i32", 4, filter_integer, LAYOUT_SIGNED, "integer", "32 bits with sign"),
    NUMBERS("u64", 8, filter_integer, 0, "numeric", "64 bits without sign"),
    SWAPPED("u64", 8, filter_integer, 0, "numeric", "64 bits without sign"),
    NUMBERS("i64", 8, filter_integer, LAYOUT_SIGNED, "bigint", "64 bits with sign"),
    SWAPPED("i64", 8, filter_integer, LAYOUT_SIGNED, "bigint", "64 bits with sign"),
    NUMBERS("f32", 4, filter_float, 0, "real", "a float of 32 bits"),
    SWAPPED("f32", 4, filter_float, 0, "real", "a float of 32 bits"),
    NUMBERS("f64", 8, filter_float, 0, "double precision", "a float of 64 bits"),
    SWAPPED("f64", 8, filter_float, 0, "double precision", "a float of 64 bits"),
};

const size_t filter_count = sizeof(filters) / sizeof(filters[0]);

const struct filter *filter_find(struct slice name)
{
    for (size_t i = 0; i < filter_count; i++) {
        if (slice_is(name, filters[i].name)) {
            return &filters[i];
        }
    }
    return NULL;
}
