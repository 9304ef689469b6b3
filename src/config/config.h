/*
 * config: the configuration file, read, expanded and checked: one options struct per stage.
 *
 * Nothing is silently ignored: every unknown key, wrong type, value out of range, unset ${VARIABLE}
 * and unreadable secret is a problem with file and line, and all of them are reported in one go.
 * What only a rule's compiler can see (expressions, topics, types) is reported by load/ruleset at
 * the places that stand in the rule_options.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_H
#define MQTT2PG_CONFIG_CONFIG_H

#include "admin/http_options.h"
#include "base/log.h"
#include "base/problems.h"
#include "core/rule_options.h"
#include "journal/journal.h"
#include "load/batch_options.h"
#include "mqtt/broker_options.h"
#include "pg/pg_connection.h"

/* Owns every string that its parts point to. */
struct config {
    const char *file; /* as it was named */
    struct broker_options broker;
    struct pg_options database;
    struct journal_options journal;
    struct batch_options batch;
    struct http_options http;
    struct log_options log;
    int64_t shutdown_ms;
    struct rule_options *rules;
    size_t rule_count;
    struct config_private *private; /* the memory of all of it */
};

/*
 * Reads the file. Adds every mistake to `problems`; a config is returned whenever the file could be
 * parsed at all, so that the rules can be checked further, and must not be used to run when
 * problems->errors > 0. NULL: unreadable or a syntax error (which is in `problems`, with
 * libconfig's line). `problems` own their texts and may be printed after config_free().
 *
 * Paths (password_file, tls.*_file, journal.directory, @include) that are not absolute are meant
 * from the folder of the file they stand in. In every text ${NAME} and ${NAME:-default} are
 * replaced from the environment; "$${" stands for "${".
 */
struct config *config_load(const char *file, struct problems *problems);

/* The same without its rules, which need not be there: for what only speaks with the broker.
 * `rules` is NULL. */
struct config *config_load_settings(const char *file, struct problems *problems);

/* Appends the settings of the file outside of its rules as they are written there, for another
 * file: ${…} stays, paths become absolute, secrets are left out with a comment that says so. The
 * file must be one that config_load_settings() took. */
void config_append_given(const char *file, struct buf *out);

void config_free(struct config *config);

/* Names of settings that differ and that only a restart takes ("journal.directory"), for the log at
 * a reload. Appends "a, b" to `out`. */
void config_restart_needed(const struct config *old, const struct config *new, struct buf *out);

/* The configuration as JSON, with the values of `running` where only a restart would take those of
 * `config` (NULL: none), without secrets (passwords as "***", also inside conninfo). For the status
 * page. */
void config_to_json(const struct config *config, const struct config *running, struct buf *out);

#endif
