/*
 * settings: the table of all settings. Parsing, checking, `mqtt2pg settings`, the sample
 * configuration and the manual page come from it, so they can't disagree.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_SETTINGS_H
#define MQTT2PG_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_TEXTS, /* a text or a list of texts; with `choices` each is one of them */
    SETTING_INTEGER,
    SETTING_BOOLEAN,
    SETTING_DURATION,
    SETTING_SYNC, /* a duration, "always" or "never" */
    SETTING_SIZE,
    SETTING_CHOICE, /* one of `choices` */
    SETTING_EXPRESSION,
    SETTING_EXPRESSIONS, /* an expression or a list of them */
    SETTING_COLUMNS,     /* a group name = expression, or a list of { name, value } */
    SETTING_GROUP,
};

struct setting {
    const char *path;          /* "broker.keepalive"; "rules.ack.topic" for what stands in a rule */
    const char *default_value; /* as it would be written; NULL = none, "!" = required */
    const char *choices; /* of CHOICE and TEXTS: "new|store|ignore", in the order of their enum */
    const char *example; /* for the sample, as it would be written; NULL = the default */
    const char *help;    /* one line */
    const char *unit;    /* of INTEGER: what is counted; NULL = nothing is */
    int64_t min, max;    /* of INTEGER, DURATION and SYNC (ms), SIZE (bytes) */
    enum setting_type type;
    bool reload;    /* SIGHUP takes it */
    bool secret;    /* has a twin NAME_file; never shown */
    bool in_file;   /* has such a twin as well: a secret may stand in it */
    bool in_sample; /* stands in the sample as it is, not commented out */
};

extern const struct setting settings[];
extern const size_t setting_count;

const struct setting *setting_find(const char *path);

/* May it stand in a file of its own that NAME_file names? */
bool setting_has_file(const struct setting *setting);

/* Must it be given, wherever its group is? */
bool setting_is_required(const struct setting *setting);

/* What follows the last "." of a path. */
const char *setting_name(const struct setting *setting);

/* Does the setting stand directly in this group? "" is the file itself. */
bool setting_is_in(const struct setting *setting, const char *group);

/* What a person calls the type: "duration", "true or false", "one of debug, info, warn, error". */
void setting_append_type(struct buf *out, const struct setting *setting);

/* The units that its value may have, or what it counts; "" = none. */
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
