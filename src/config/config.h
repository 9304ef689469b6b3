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

/* The whole configuration: an options struct for each stage, and the rules. Owns every text that
 * its parts point to. Nothing changes it after config_load(): a reload makes a new one, and the old
 * one is freed when no thread uses it. */
struct config {
    const char *file; /* as it was named, so perhaps relative */
    struct broker_options broker;
    struct pg_options database;
    struct journal_options journal;
    struct batch_options batch;
    struct http_options http;
    struct log_options log;
    int64_t shutdown_ms;        /* how long a stop may take */
    struct rule_options *rules; /* in the order of the file; NULL when they were not read */
    size_t rule_count;
    struct config_private *private; /* the memory of all of it */
};

/*
 * Reads the file and adds every mistake to `problems`. Returns a configuration whenever the file
 * could be parsed, so that its rules can be compiled and checked too. With problems->errors > 0 it
 * must not be used to run. NULL: the file is unreadable, or has a syntax error. Free the result
 * with config_free(). `problems` own their texts and may be printed after that.
 *
 * A relative path (password_file, tls.*_file, journal.directory, @include) starts at the folder of
 * the file that it stands in, not at the working directory. In every text ${NAME} and
 * ${NAME:-default} are replaced from the environment; "$${" stands for "${".
 */
struct config *config_load(const char *file, struct problems *problems);

/* The same without the rules, which may be missing: for commands that only talk to the broker, such
 * as `learn`. `rules` is NULL. */
struct config *config_load_settings(const char *file, struct problems *problems);

/* Appends the settings of the file outside of its rules as they are written there, for another
 * file: ${…} stays, paths become absolute, secrets are left out with a comment that says so. The
 * file must be one that config_load_settings() took. */
void config_append_given(const char *file, struct buf *out);

/* Makes the caller one more owner of the same configuration. Each owner calls config_free(). Any
 * thread. */
struct config *config_share(struct config *config);

/* Frees the configuration and all its texts when the last owner calls it. NULL is allowed. Any
 * thread. */
void config_free(struct config *config);

/* Appends the names of settings that differ and that a reload cannot change, for the log:
 * "broker.url, journal.directory". */
void config_restart_needed(const struct config *old, const struct config *new, struct buf *out);

/* Appends the configuration as JSON, for the status page. Secrets are "***", also inside conninfo
 * and URLs. After a reload `running` is the configuration of the start: settings that need a
 * restart are shown with its values. `running` may be NULL. */
void config_to_json(const struct config *config, const struct config *running, struct buf *out);

#endif
