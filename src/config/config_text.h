/*
 * config_text: a setting's text, and what is said when a value is not of the setting's type.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_TEXT_H
#define MQTT2PG_CONFIG_CONFIG_TEXT_H

#include "config/config_reader.h"

/* The text of a TEXT, its variables replaced, in the reader's arena; NULL after a problem. */
const char *config_text_read(struct config_reader *reader, const struct config_given *given);

/* Reports "… is wanted, not …", with what the setting's type asks for. */
void config_text_wrong_type(struct config_reader *reader, const struct config_given *given);

/* Reports the same of a text whose variables are replaced, and which the setting's type can't be
 * read from. */
void config_text_wrong(struct config_reader *reader, const struct config_given *given,
                       const char *text);

#endif
