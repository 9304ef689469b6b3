/*
 * moment_words: times in the other spellings that PostgreSQL reads independent of its settings.
 *
 * A text is a list of words, separated by white space and commas. The form of each word shows what
 * it is: a date with a year in front or a month's name, a time of day, a zone, a day of the week,
 * AM or PM, BC. No part may occur twice.
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
