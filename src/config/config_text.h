/*
 * config_text: reads the text of a setting, and reports values of a wrong type.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONFIG_CONFIG_TEXT_H
#define MQTT2PG_CONFIG_CONFIG_TEXT_H

#include "config/config_reader.h"

/* The text of a value with its variables replaced; it lies in the reader's arena. NULL: the value
 * is no text, a variable is not set, or the result is not valid UTF-8; a problem is reported. */
const char *config_text_read(struct config_reader *reader, const struct config_given *given);

/* Reports a value of a wrong type: "true or false is wanted, not the number 1". */
void config_text_wrong_type(struct config_reader *reader, const struct config_given *given);

/* Reports a text that cannot be read as the setting's type: "soon" for a duration. `text` is the
 * text after variables were replaced. */
void config_text_wrong(struct config_reader *reader, const struct config_given *given,
                       const char *text);

#endif
