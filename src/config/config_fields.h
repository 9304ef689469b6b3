/*
 * config_fields: which setting fills which member of struct config, and of struct rule_options for
 * what stands in a rule.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_FIELDS_H
#define MQTT2PG_CONFIG_CONFIG_FIELDS_H

#include <stddef.h>

#include "config/settings.h"

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

struct field {
    const char *path; /* of the setting */
    enum field_kind kind;
    size_t offset;
    size_t second; /* of the count, or of the second bool; of a secret's file, a const char *, which
                      whoever uses the secret reads again; 0: nobody does */
};

/* The field of a setting; there is one for each but groups. */
const struct field *field_of(const struct setting *setting);

#endif
