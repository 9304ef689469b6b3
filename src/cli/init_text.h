/*
 * init_text: the configuration that `init` writes. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_INIT_TEXT_H
#define MQTT2PG_CLI_INIT_TEXT_H

#include "cli/init_answers.h"

/* Appends the settings outside of the rules. `database` may be NULL: not known yet. */
void init_append_settings(struct buf *out, const struct init_answers *answers);

/* Appends one rule that stores every message of the topic whole, whatever its payload is. */
void init_append_whole_messages(struct buf *out, const char *topic);

/* Does a password stand in the settings? */
bool init_holds_secret(const struct init_answers *answers);

#endif
