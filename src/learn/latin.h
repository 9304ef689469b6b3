/*
 * latin: letters of other alphabets in ASCII, so that they can stand in names. Pure.
 *
 *   "Büro" → "Buero"     "Θερμοκρασία" → "Thermokrasia"     "Кухня" → "Kukhnya"
 *
 * The tables transliterate letter by letter, German umlauts as two letters. PostgreSQL's unaccent
 * is not used: there is no server where `learn` and `init` write a configuration.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_LATIN_H
#define MQTT2PG_LEARN_LATIN_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends the text. Latin letters with marks, Greek and Cyrillic letters are replaced by ASCII
 * letters; all other bytes are copied, also those that are not valid UTF-8. */
void latin_append(struct buf *out, struct slice text);

#endif
