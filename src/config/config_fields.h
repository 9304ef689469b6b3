/*
 * config_fields: which member of a struct each setting fills. Settings of a rule fill struct
 * rule_options, all others struct config.
 *
 *   "broker.keepalive"  →  FIELD_INT64 at offsetof(struct config, broker.keepalive_ms)
 *
 * With this table a new setting needs no code to be read, shown and compared.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_FIELDS_H
#define MQTT2PG_CONFIG_CONFIG_FIELDS_H

#include <stddef.h>

#include "config/settings.h"

/* The C type of a member, and how the value of its setting is stored there. */
enum field_kind {
    FIELD_TEXT,         /* const char * */
    FIELD_PATH,         /* const char *, a path from the folder of the configuration */
    FIELD_TEXTS,        /* const char *const * and size_t */
    FIELD_INT,          /* int */
    FIELD_INT64,        /* int64_t */
    FIELD_UINT8,        /* uint8_t */
    FIELD_BOOL,         /* bool */
    FIELD_CHOICE,       /* an enum whose enumerators stand in the order of the setting's choices */
    FIELD_FIRST_CHOICE, /* bool: it is the first of the choices */
    FIELD_CHOICES,      /* two bools: the first and the second choice are in the list */
    FIELD_OPTION,       /* struct option_text */
    FIELD_OPTIONS,      /* struct option_text * and size_t */
    FIELD_COLUMNS,      /* struct option_column * and size_t */
};

/* The member that one setting fills. */
struct field {
    const char *path; /* of the setting: "rules.ack.topic" */
    enum field_kind kind;
    size_t offset; /* of the member, in bytes */
    /* Offset of a second member: the count of a list, or the second bool of FIELD_CHOICES. Of a
     * secret it is the path of its file (const char *), which is read again at each connection; 0
     * when nobody reads that file again. */
    size_t second;
};

/* The field of a setting. NULL for a group, which fills no member. */
const struct field *field_of(const struct setting *setting);

#endif
