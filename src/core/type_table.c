/* SPDX-License-Identifier: MIT */
#include "core/type_table.h"

#include <string.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

/* src/include/catalog/pg_type.dat of PostgreSQL 15; tests/integration compares it with the
 * server. */
static const struct type_builtin builtins[] = {
    {"bool", "boolean", "", 16, 1000, TYPE_BOOL, MODIFIER_NONE},
    {"bytea", NULL, "", 17, 1001, TYPE_BYTEA, MODIFIER_NONE},
    {"\"char\"", NULL, "", 18, 1002, TYPE_OTHER, MODIFIER_NONE},
    {"name", NULL, "", 19, 1003, TYPE_TEXT, MODIFIER_NONE},
    {"int8", "bigint", "", 20, 1016, TYPE_INT8, MODIFIER_NONE},
    {"int2", "smallint", "", 21, 1005, TYPE_INT2, MODIFIER_NONE},
    {"int4", "integer", "", 23, 1007, TYPE_INT4, MODIFIER_NONE},
    {"text", NULL, "", 25, 1009, TYPE_TEXT, MODIFIER_NONE},
    {"oid", NULL, "", 26, 1028, TYPE_OTHER, MODIFIER_NONE},
    {"json", NULL, "", 114, 199, TYPE_JSON, MODIFIER_NONE},
    {"xml", NULL, "", 142, 143, TYPE_OTHER, MODIFIER_NONE},
    {"point", NULL, "", 600, 1017, TYPE_OTHER, MODIFIER_NONE},
    {"lseg", NULL, "", 601, 1018, TYPE_OTHER, MODIFIER_NONE},
    {"path", NULL, "", 602, 1019, TYPE_OTHER, MODIFIER_NONE},
    {"box", NULL, "", 603, 1020, TYPE_OTHER, MODIFIER_NONE},
    {"polygon", NULL, "", 604, 1027, TYPE_OTHER, MODIFIER_NONE},
    {"line", NULL, "", 628, 629, TYPE_OTHER, MODIFIER_NONE},
    {"cidr", NULL, "", 650, 651, TYPE_INET, MODIFIER_NONE},
    {"float4", "real", "", 700, 1021, TYPE_FLOAT4, MODIFIER_NONE},
    {"float8", "double precision", "", 701, 1022, TYPE_FLOAT8, MODIFIER_NONE},
    {"circle", NULL, "", 718, 719, TYPE_OTHER, MODIFIER_NONE},
    {"macaddr8", NULL, "", 774, 775, TYPE_OTHER, MODIFIER_NONE},
    {"money", NULL, "", 790, 791, TYPE_OTHER, MODIFIER_NONE},
    {"macaddr", NULL, "", 829, 1040, TYPE_OTHER, MODIFIER_NONE},
    {"inet", NULL, "", 869, 1041, TYPE_INET, MODIFIER_NONE},
    {"bpchar", "character", "", 1042, 1014, TYPE_CHAR, MODIFIER_CHARACTERS},
    {"varchar", "character varying", "", 1043, 1015, TYPE_VARCHAR, MODIFIER_CHARACTERS},
    {"date", NULL, "", 1082, 1182, TYPE_DATE, MODIFIER_NONE},
    {"time", NULL, " without time zone", 1083, 1183, TYPE_TIME, MODIFIER_TIME},
    {"timestamp", NULL, " without time zone", 1114, 1115, TYPE_TIMESTAMP, MODIFIER_TIME},
    {"timestamptz", "timestamp", " with time zone", 1184, 1185, TYPE_TIMESTAMPTZ, MODIFIER_TIME},
    {"interval", NULL, "", 1186, 1187, TYPE_INTERVAL, MODIFIER_NONE},
    {"timetz", "time", " with time zone", 1266, 1270, TYPE_OTHER, MODIFIER_TIME},
    {"bit", NULL, "", 1560, 1561, TYPE_OTHER, MODIFIER_BITS},
    {"varbit", "bit varying", "", 1562, 1563, TYPE_OTHER, MODIFIER_BITS},
    {"numeric", NULL, "", 1700, 1231, TYPE_NUMERIC, MODIFIER_NUMERIC},
    {"uuid", NULL, "", 2950, 2951, TYPE_UUID, MODIFIER_NONE},
    {"pg_lsn", NULL, "", 3220, 3221, TYPE_OTHER, MODIFIER_NONE},
    {"tsvector", NULL, "", 3614, 3643, TYPE_OTHER, MODIFIER_NONE},
    {"tsquery", NULL, "", 3615, 3645, TYPE_OTHER, MODIFIER_NONE},
    {"jsonb", NULL, "", 3802, 3807, TYPE_JSONB, MODIFIER_NONE},
    {"int4range", NULL, "", 3904, 3905, TYPE_OTHER, MODIFIER_NONE},
    {"numrange", NULL, "", 3906, 3907, TYPE_OTHER, MODIFIER_NONE},
    {"tsrange", NULL, "", 3908, 3909, TYPE_OTHER, MODIFIER_NONE},
    {"tstzrange", NULL, "", 3910, 3911, TYPE_OTHER, MODIFIER_NONE},
    {"daterange", NULL, "", 3912, 3913, TYPE_OTHER, MODIFIER_NONE},
    {"int8range", NULL, "", 3926, 3927, TYPE_OTHER, MODIFIER_NONE},
    {"jsonpath", NULL, "", 4072, 4073, TYPE_OTHER, MODIFIER_NONE},
    /* An extension's type: no fixed OID, but its binary form is its text (it is sent by
     * textsend). */
    {"citext", NULL, "", 0, 0, TYPE_TEXT, MODIFIER_NONE},
};

static const struct type_alias aliases[] = {
    {"boolean", "bool", -1},
    {"smallint", "int2", -1},
    {"int", "int4", -1},
    {"integer", "int4", -1},
    {"bigint", "int8", -1},
    {"real", "float4", -1},
    {"double precision", "float8", -1},
    {"decimal", "numeric", -1},
    {"dec", "numeric", -1},
    {"char", "bpchar", TYPMOD_HEADER + 1},
    {"character", "bpchar", TYPMOD_HEADER + 1},
    {"nchar", "bpchar", TYPMOD_HEADER + 1},
    {"national char", "bpchar", TYPMOD_HEADER + 1},
    {"national character", "bpchar", TYPMOD_HEADER + 1},
    {"character varying", "varchar", -1},
    {"char varying", "varchar", -1},
    {"national character varying", "varchar", -1},
    {"time without time zone", "time", -1},
    {"time with time zone", "timetz", -1},
    {"timestamp without time zone", "timestamp", -1},
    {"timestamp with time zone", "timestamptz", -1},
    {"bit", "bit", 1},
    {"bit varying", "varbit", -1},
};

/* The fields that are kept, in the bits of utils/timestamp.h's INTERVAL_MASK(). */
enum {
    YEAR = 1 << 2,
    MONTH = 1 << 1,
    DAY = 1 << 3,
    HOUR = 1 << 10,
    MINUTE = 1 << 11,
    SECOND = INTERVAL_SECOND,
};

static const struct interval_fields {
    const char *words;
    int32_t mask;
} interval_fields[] = {
    {"interval", INTERVAL_ALL_FIELDS},
    {"interval year", YEAR},
    {"interval month", MONTH},
    {"interval day", DAY},
    {"interval hour", HOUR},
    {"interval minute", MINUTE},
    {"interval second", SECOND},
    {"interval year to month", YEAR | MONTH},
    {"interval day to hour", DAY | HOUR},
    {"interval day to minute", DAY | HOUR | MINUTE},
    {"interval day to second", DAY | HOUR | MINUTE | SECOND},
    {"interval hour to minute", HOUR | MINUTE},
    {"interval hour to second", HOUR | MINUTE | SECOND},
    {"interval minute to second", MINUTE | SECOND},
};

const struct type_builtin *type_builtin_find(const char *name)
{
    for (size_t i = 0; i < LENGTH_OF(builtins); i++) {
        if (strcmp(builtins[i].name, name) == 0) {
            return &builtins[i];
        }
    }
    return NULL;
}

const struct type_alias *type_alias_find(const char *words)
{
    for (size_t i = 0; i < LENGTH_OF(aliases); i++) {
        if (strcmp(aliases[i].words, words) == 0) {
            return &aliases[i];
        }
    }
    return NULL;
}

int32_t type_interval_mask(const char *words)
{
    for (size_t i = 0; i < LENGTH_OF(interval_fields); i++) {
        if (strcmp(interval_fields[i].words, words) == 0) {
            return interval_fields[i].mask;
        }
    }
    return -1;
}

enum type_family type_family_of(uint32_t oid)
{
    for (size_t i = 0; i < LENGTH_OF(builtins); i++) {
        if (builtins[i].oid == oid && oid != 0) {
            return builtins[i].family;
        }
    }
    return TYPE_OTHER;
}
