/*
 * config_syntax: checks the order of the tokens, and writes them as a text for libconfig.
 *
 * libconfig alone has three faults: it only says "syntax error" and the line where it noticed, it
 * leaks memory then, and an element of a list gets the line of what follows it. So libconfig gets a
 * text that is always well-formed: one token a line, arrays written as lists. The places of all
 * settings and elements are kept beside that text, in the order of a walk through libconfig's tree.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_SYNTAX_H
#define MQTT2PG_CONFIG_CONFIG_SYNTAX_H

#include "base/buf.h"
#include "config/config_source.h"

/* One setting or one element of a list. */
struct config_node {
    struct place place;    /* of the name of a setting, or of an element */
    struct slice spelling; /* of a number or boolean: as it was written; borrowed from the source */
};

/* What is passed to libconfig, and what libconfig does not keep. */
struct config_syntax {
    struct buf text;           /* for config_read_string() */
    struct config_node *nodes; /* owned */
    size_t count;
    size_t capacity;
};

/* Fills `syntax`, which must be zero. False: the tokens do not follow the grammar, and the first
 * mistake is in `problems`. A name that is given twice in one group is a problem too, but then only
 * its second value is left out. */
bool config_syntax_check(struct config_syntax *syntax, const struct config_source *source,
                         struct problems *problems);
/* Frees the text and the nodes. */
void config_syntax_fini(struct config_syntax *syntax);

#endif
