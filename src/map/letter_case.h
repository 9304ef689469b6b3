/*
 * letter_case: upper and lower case of all of Unicode's letters, one character for one, as
 * PostgreSQL's upper() and lower() do with the C library. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_LETTER_CASE_H
#define MQTT2PG_MAP_LETTER_CASE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/slice.h"

/* `text` is well-formed UTF-8. The result lives in `arena`. Where the system lacks the locale
 * C.UTF-8 (part of Debian's libc-bin), only letters of ASCII change. */
struct slice letter_case(struct slice text, bool upper, struct arena *arena);

#endif
