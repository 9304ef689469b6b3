/*
 * settings: the table of all settings. The configuration is read and checked by it, and
 * `mqtt2pg settings`, the sample configuration and the manual page are printed from it. So the
 * program and its documents cannot disagree.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_SETTINGS_H
#define MQTT2PG_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* How a value is written, and so how it is read and which messages are printed about it. */
enum setting_type {
    SETTING_TEXT,
    SETTING_TEXTS, /* a text or a list of texts; with `choices` each is one of them */
    SETTING_INTEGER,
    SETTING_BOOLEAN,
    SETTING_DURATION, /* "30s"; stored in ms */
    SETTING_SYNC,     /* a duration, "always" or "never" */
    SETTING_SIZE,     /* "8MB"; stored in bytes, with powers of 1024 */
    SETTING_CHOICE,   /* one of `choices` */
    SETTING_EXPRESSION,
    SETTING_EXPRESSIONS, /* an expression or a list of them */
    SETTING_COLUMNS,     /* a group name = expression, or a list of { name, value } */
    SETTING_GROUP,
};

/* One row of the table: a setting, or a group of settings. */
struct setting {
    const char *path;          /* "broker.keepalive"; "rules.ack.topic" for what stands in a rule */
    const char *default_value; /* as it would be written; NULL = none, "!" = required */
    const char *choices; /* of CHOICE and TEXTS: "new|store|ignore", in the order of their enum */
    const char *example; /* for the sample, as it would be written; NULL = the default */
    const char *help;    /* one line */
    const char *unit;    /* of INTEGER: what is counted; NULL = nothing is */
    int64_t min, max;    /* of INTEGER, DURATION and SYNC (ms), SIZE (bytes) */
    enum setting_type type;
    bool reload;    /* a reload (SIGHUP) changes it; else only a restart does */
    bool secret;    /* never shown; NAME_file may name a file that holds it */
    bool in_file;   /* NAME_file exists too, because a secret may be part of the value */
    bool in_sample; /* is in force in the sample and not commented out */
};

/* In the order of the sample configuration. A group stands before its members. */
extern const struct setting settings[];
extern const size_t setting_count;

/* The row with exactly this path, or NULL. */
const struct setting *setting_find(const char *path);

/* May NAME_file name a file that holds the value? */
bool setting_has_file(const struct setting *setting);

/* Must each configuration that has its group give it? */
bool setting_is_required(const struct setting *setting);

/* The part of the path after the last ".": "keepalive" of "broker.keepalive". */
const char *setting_name(const struct setting *setting);

/* Is the setting directly in this group, and not in a group within it? "" is the file itself. */
bool setting_is_in(const struct setting *setting, const char *group);

/* What a person calls the type: "duration", "true or false", "one of debug, info, warn, error". */
void setting_append_type(struct buf *out, const struct setting *setting);

/* The units that its value may have ("ms, s, m, h, d"), or what it counts ("messages"); "" =
 * none. */
const char *setting_unit(const struct setting *setting);

/* A number of the setting's type as it would be written: 90000 → "90s" in quotes, 8388608 → "8MB"
 * in quotes, 1000 → 1000. */
void setting_append_quantity(struct buf *out, const struct setting *setting, int64_t value);

/* For `mqtt2pg settings`: a table for people. */
void settings_append_table(struct buf *out);

/* config/mqtt2pg.cfg: every setting with its help and default, commented out where it has a
 * default. */
void settings_append_sample(struct buf *out);

/* The reference page, Markdown. */
void settings_append_markdown(struct buf *out);

/* The part of config/man/mqtt2pg.cfg.5 that tells of each setting, in man(7). */
void settings_append_man(struct buf *out);

#endif
