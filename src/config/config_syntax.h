/*
 * config_syntax: checks the order of tokens and writes them down again for libconfig.
 *
 * libconfig tells "syntax error" and the line where it noticed, loses memory when it does, and
 * gives an element of a list the line of what follows it. So what it gets here is always
 * well-formed (one token a line, arrays written as lists), and the places of all settings and
 * elements are kept beside it, in the order in which a walk through its tree meets them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_SYNTAX_H
#define MQTT2PG_CONFIG_CONFIG_SYNTAX_H

#include "base/buf.h"
#include "config/config_source.h"

/* One setting or one element of a list. */
struct config_node {
    struct place place;    /* of a setting its name's, of an element its own */
    struct slice spelling; /* of a number or boolean: as it was written; borrowed from the source */
};

struct config_syntax {
    struct buf text;           /* for config_read_string() */
    struct config_node *nodes; /* owned */
    size_t count;
    size_t capacity;
};

/* False when the order of tokens makes no sense; the first such place is in `problems`. A name
 * given twice in one group is a problem too, but only its second value is dropped. */
bool config_syntax_check(struct config_syntax *syntax, const struct config_source *source,
                         struct problems *problems);
void config_syntax_fini(struct config_syntax *syntax);

#endif
