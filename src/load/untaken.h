/*
 * untaken: which keys of the payloads no column takes, rule by rule, for people: "not taken: power,
 * co2" in status. A mistyped path, a new firmware, a forgotten column show there.
 *
 * Looks at a sample of the messages that become rows: for each rule the first message of a second,
 * and every 64th. The keys found are shown by base/health. One thread, the loader's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_UNTAKEN_H
#define MQTT2PG_LOAD_UNTAKEN_H

#include "load/mapper.h"

struct untaken;

/* Borrows the ruleset. Keys shown for its rules are forgotten: the rules may take other keys
 * now. */
struct untaken *untaken_new(const struct ruleset *ruleset);
void untaken_free(struct untaken *untaken);

/* Looks at a message that becomes rows, if it belongs to the sample; under a rule with add_columns
 * each message does. `untaken` may be NULL. */
void untaken_look(struct untaken *untaken, const struct mapped *mapped);

/* A key of a rule with add_columns that is to become a column. */
struct untaken_column {
    const struct rule *rule;
    const char *path;       /* "pos.lon"; owned by untaken */
    const char *expression; /* "$.pos.lon"; owned by untaken */
    const char *type;       /* as SQL writes it; a constant */
};

/* Returns the next key that is due. Each key is returned once, and again after untaken_later(). */
bool untaken_take(struct untaken *untaken, struct untaken_column *column);

/* The column can't be added now: makes the key that was taken last due again in a minute. */
void untaken_later(struct untaken *untaken);

/* Is there a key for untaken_take()? `untaken` may be NULL. */
bool untaken_is_due(const struct untaken *untaken);

/* The rule has no table now: the key that was taken last counts as new when it comes again. */
void untaken_forget(struct untaken *untaken);

/* Looks at one message under one rule, and appends its keys as in "power, co2". False: there are
 * none. For explain. */
bool untaken_append(struct buf *out, const struct rule *rule, const struct node *payload);

#endif
