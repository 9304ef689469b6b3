/*
 * moment_words: times in the other spellings that PostgreSQL reads whatever its settings are.
 *
 * A text is a row of words, parted by white space and commas. Each word says by its form what it
 * is: a date with a year in front or a month's name, a time of day, a zone, a day of the week,
 * AM or PM, BC. Nothing may be said twice.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CORE_MOMENT_WORDS_H
#define MQTT2PG_CORE_MOMENT_WORDS_H

#include "core/moment.h"

/* For moment_parse(), which tries the ISO form first, and for tests. False: the text names no
 * moment. */
bool moment_parse_words(struct slice text, struct moment *moment);

/* The same for a time of day alone: "3:29:30 PM". */
bool moment_parse_time_words(struct slice text, struct moment *moment);

#endif
