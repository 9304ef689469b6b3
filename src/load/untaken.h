/*
 * untaken: which keys of the payloads no column takes, rule by rule, for people: "not taken: power,
 * co2" in status. A mistyped path, a new firmware, a forgotten column show there.
 *
 * It looks at a sample of the messages that become rows: of each rule the first of a second, and
 * each 64th. What it finds goes to base/health. One thread, the loader's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_UNTAKEN_H
#define MQTT2PG_LOAD_UNTAKEN_H

#include "load/mapper.h"

struct untaken;

/* Borrows the ruleset. What was known of its rules is forgotten: they may take other keys now. */
struct untaken *untaken_new(const struct ruleset *ruleset);
void untaken_free(struct untaken *untaken);

/* Perhaps looks at a message that becomes rows: at each one under a rule with add_columns.
 * `untaken` may be NULL. */
void untaken_look(struct untaken *untaken, const struct mapped *mapped);

/* A key of a rule with add_columns that is to become a column. */
struct untaken_column {
    const struct rule *rule;
    const char *path;       /* "pos.lon"; owned by untaken */
    const char *expression; /* "$.pos.lon"; owned by untaken */
    const char *type;       /* as SQL writes it; a constant */
};

/* The next one that is due; each is given once, and again after untaken_later(). */
bool untaken_take(struct untaken *untaken, struct untaken_column *column);

/* The column can't be added now: the key that was taken last is due again in a minute. */
void untaken_later(struct untaken *untaken);

/* Looks at one message under one rule, and appends its keys as in "power, co2". False: there are
 * none. For explain. */
bool untaken_append(struct buf *out, const struct rule *rule, const struct node *payload);

#endif
