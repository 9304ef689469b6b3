/*
 * config_source: cuts the files of a configuration into one list of tokens, each with its place.
 *
 *   qos = 1; # once        →        NAME qos   EQUALS =   INTEGER 1   SEPARATOR ;   END
 *
 * libconfig is not used for this: it looks for @include in the working directory, cuts integers to
 * 32 bits without a warning, and says "syntax error" about a text whose closing quote is missing.
 * The tokens of an included file stand in the place of its @include. config_syntax checks the order
 * of the tokens and passes them to libconfig.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_SOURCE_H
#define MQTT2PG_CONFIG_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/problems.h"
#include "base/slice.h"

/* What a token is. Comments and white space are no tokens. */
enum token_type {
    TOKEN_NAME,
    TOKEN_TEXT, /* with its quotes */
    TOKEN_INTEGER,
    TOKEN_REAL,
    TOKEN_BOOLEAN,
    TOKEN_EQUALS,    /* = or : */
    TOKEN_SEPARATOR, /* ; */
    TOKEN_COMMA,
    TOKEN_GROUP_OPEN,
    TOKEN_GROUP_CLOSE,
    TOKEN_LIST_OPEN,
    TOKEN_LIST_CLOSE,
    TOKEN_ARRAY_OPEN,
    TOKEN_ARRAY_CLOSE,
    TOKEN_END, /* behind the last one */
};

/* One token; valid as long as its source. */
struct token {
    enum token_type type;
    bool glued;            /* no space between it and the one before */
    struct slice spelling; /* as it stands in the file; borrowed from the source */
    struct place place;    /* where it begins */
};

/* The tokens of a file and of all files that it includes, in their order. */
struct config_source {
    struct arena *names;  /* borrowed: file names live here, as long as the configuration */
    struct arena *texts;  /* owned: what stood in the files */
    struct token *tokens; /* owned */
    size_t count;
    size_t capacity;
    size_t bytes;    /* of all files */
    bool incomplete; /* an included file could not be read, so nothing is "missing" for sure */
};

/* An empty source; `names` must live until the places of its tokens are used no more. */
void config_source_init(struct config_source *source, struct arena *names);
void config_source_fini(struct config_source *source);

/* Reads the file and the files that it includes. The last token is TOKEN_END. False: the file
 * cannot be read, or something in it is no token; the reason is in `problems`. An included file
 * that cannot be read is a problem too, but the reading goes on and the result is true. */
bool config_source_load(struct config_source *source, const char *file, struct problems *problems);

/* The same for a text in memory, which is copied. Its places have a line but no file. */
bool config_source_parse(struct config_source *source, struct slice text,
                         struct problems *problems);

/* A copy of `path`, relative to the folder of `file`: "/etc/mqtt2pg/a.cfg" and "b.cfg" →
 * "/etc/mqtt2pg/b.cfg". An absolute path stays, and so does any path when `file` is NULL. */
const char *config_source_path(struct arena *arena, const char *file, const char *path);

#endif
