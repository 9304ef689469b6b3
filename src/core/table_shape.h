/*
 * table_shape: the columns and types of one target table, from the catalog or from a rule's
 * "::type".
 *
 * pg/ fills it from the catalog, load/ from a rule's declarations; row/ reads it. A type with a
 * binary encoder has a family of its own; all other types are TYPE_OTHER and are sent in text form.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_TABLE_SHAPE_H
#define MQTT2PG_CORE_TABLE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum type_family {
    TYPE_NONE, /* not known: no catalog, no declaration; values pass as they are (explain) */
    TYPE_BOOL,
    TYPE_INT2,
    TYPE_INT4,
    TYPE_INT8,
    TYPE_FLOAT4,
    TYPE_FLOAT8,
    TYPE_NUMERIC,
    TYPE_TEXT,    /* text, name, citext and other types whose binary form is their text */
    TYPE_VARCHAR, /* typmod: length limit */
    TYPE_CHAR,    /* char(n), blank padded by the server */
    TYPE_BYTEA,
    TYPE_JSON,
    TYPE_JSONB,
    TYPE_UUID,
    TYPE_DATE,
    TYPE_TIME,
    TYPE_TIMESTAMP,
    TYPE_TIMESTAMPTZ,
    TYPE_INTERVAL,
    TYPE_INET,
    TYPE_OTHER, /* through its text form */
};

/* One column of a table and its type. */
struct column_shape {
    char *name;              /* owned */
    char *type_name;         /* owned; as format_type() prints it: "numeric(10,2)", "text[]" */
    char *base_name;         /* owned; of a domain its base type, without a length; NULL when not
                                from the catalog */
    enum type_family family; /* of an array: of its elements */
    bool array;
    uint32_t type_oid;     /* base type of a domain; 0 when not from the catalog */
    uint32_t declared_oid; /* the domain itself; 0 when not from the catalog */
    uint32_t element_oid;  /* of an array */
    char delimiter; /* of an array in text form (pg_type.typdelim of its elements); 0 = ',' */
    int32_t typmod; /* pg_attribute.atttypmod, -1 = none */
    bool not_null;
    bool has_default; /* default, identity or serial: may be left out */
    bool denied;      /* this role may not insert into it */
    bool generated;   /* GENERATED ALWAYS AS …, or identity always: must be left out */
    /* Owned; the sequence of the default, if this role may not use it; else NULL. */
    char *denied_sequence;
};

/* One table, or the columns that a rule with `sql` declares. */
struct table_shape {
    char *schema; /* owned */
    char *name;   /* owned */
    /* pg_class.relkind: r table, p partitioned, v view, f foreign table; 0 when not from the
     * catalog. */
    char kind;
    struct column_shape *columns; /* owned */
    size_t count;
};

struct table_shape *table_shape_new(void);
void table_shape_free(struct table_shape *shape);

/* Appends an empty column (family NONE, typmod -1) and returns it; valid until the next one. */
struct column_shape *table_shape_add(struct table_shape *shape, struct slice name);

/* The column with this name, or NULL. */
const struct column_shape *table_shape_find(const struct table_shape *shape, struct slice name);

/* Reads a type as a person writes it in "::type" ("int", "timestamptz", "numeric(10,2)", "text[]",
 * "character varying(20)", "myschema.mood") into family, array, typmod, type_name and, for built-in
 * types, the OIDs. Names that are not known become TYPE_OTHER. False when it is no type name at
 * all. */
bool type_parse(struct slice text, struct column_shape *column);

/* The family of a type by its OID (the OIDs of built-in types are fixed, pg_type.dat); TYPE_OTHER
 * for all others. */
enum type_family type_family_of(uint32_t oid);

#endif
