/*
 * init_text: the configuration that `init` writes. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CLI_INIT_TEXT_H
#define MQTT2PG_CLI_INIT_TEXT_H

#include "cli/init_answers.h"

/* Appends the settings outside of the rules: broker, database, journal, and http where it was
 * given. `broker`, `client_id` and `journal` are not NULL. `database` is NULL while it is not
 * known. */
void init_append_settings(struct buf *out, const struct init_answers *answers);

/* Appends the rules: one that stores every message of the topic whole, whatever its payload is.
 * For a broker that was silent while `init` listened. */
void init_append_whole_messages(struct buf *out, const char *topic);

/* Does a password stand in the settings? Then only the owner may read the file. */
bool init_holds_secret(const struct init_answers *answers);

#endif
