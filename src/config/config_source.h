/*
 * config_source: the files of a configuration as one row of tokens, each of which knows where it
 * stands.
 *
 * libconfig alone would not do: it takes @include from the working directory, cuts integers at 32
 * bits without a word, and tells "syntax error" for a text whose closing quote is missing. So the
 * files are read and cut into tokens here, @include'd ones in their place; config_syntax checks
 * their order and hands them to libconfig.
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

struct token {
    enum token_type type;
    bool glued;            /* no space between it and the one before */
    struct slice spelling; /* as it stands in the file; borrowed from the source */
    struct place place;    /* where it begins */
};

struct config_source {
    struct arena *names; /* borrowed: file names live here, as long as the configuration */
    struct arena *texts; /* owned: what stood in the files */
    struct token *tokens;
    size_t count;
    size_t capacity;
    size_t bytes;    /* of all files */
    bool incomplete; /* an included file could not be read */
};

void config_source_init(struct config_source *source, struct arena *names);
void config_source_fini(struct config_source *source);

/* Reads the file and what it includes, up to TOKEN_END. False when it can't be read or holds what
 * is no token; the reason is in `problems`. An included file that can't be read is a problem, and
 * the rest is read. */
bool config_source_load(struct config_source *source, const char *file, struct problems *problems);

/* The same for a text in memory, whose places have no file. */
bool config_source_parse(struct config_source *source, struct slice text,
                         struct problems *problems);

/* `path` as seen from the folder of `file`; a copy in `arena`. */
const char *config_source_path(struct arena *arena, const char *file, const char *path);

#endif
