/*
 * type_table: the built-in types by name, SQL's other spellings of them, and the fields of
 * interval. Internal to core/; the words are lower case with one space between.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_TYPE_TABLE_H
#define MQTT2PG_CORE_TYPE_TABLE_H

#include <stdint.h>

#include "core/table_shape.h"

enum { TYPMOD_HEADER = 4 }; /* VARHDRSZ: PostgreSQL adds it to lengths and numeric's typmods */

/* What may stand in parentheses behind the name. */
enum type_modifier {
    MODIFIER_NONE,
    MODIFIER_CHARACTERS,
    MODIFIER_BITS,
    MODIFIER_NUMERIC,
    MODIFIER_TIME,
};

struct type_builtin {
    const char *name;  /* pg_type.typname, quoted where it must be */
    const char *shown; /* as format_type() prints it, up to the modifiers; NULL: as name */
    const char *tail;  /* and behind them */
    uint32_t oid;
    uint32_t array_oid;
    enum type_family family;
    enum type_modifier modifier;
};

/* The SQL standard's spellings: keywords, so they count only unquoted and without a schema. */
struct type_alias {
    const char *words;
    const char *name; /* of the built-in type */
    int32_t typmod;   /* when no modifier is given */
};

enum { INTERVAL_SECOND = 1 << 12 };
enum { INTERVAL_ALL_FIELDS = 0x7fff };

/* NULL when there is none. */
const struct type_builtin *type_builtin_find(const char *name);
const struct type_alias *type_alias_find(const char *words);

/* "interval day to second": the bits of the fields that are kept; -1 when it is no interval. */
int32_t type_interval_mask(const char *words);

#endif
