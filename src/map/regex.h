/*
 * regex: regular expressions of a configuration, applied to texts from outside: PCRE2, bounded.
 * Pure.
 *
 * Bounds: a text of at most REGEX_TEXT_BYTES_MAX, a count of steps, some megabytes of memory.
 * Beyond these bounds the outcome is OUTCOME_REJECT, so a hostile payload is rejected and costs
 * little time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_REGEX_H
#define MQTT2PG_MAP_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/outcome.h"
#include "base/slice.h"

enum {
    REGEX_TEXT_BYTES_MAX = 32 * 1024,
    REGEX_OUTPUT_BYTES_MAX = 1024 * 1024, /* of regex_replace() */
};

struct regex;

/* The regex lives in `arena`. OUTCOME_REJECT with PCRE2's own words; *at is then the byte of the
 * pattern that PCRE2 points at, at most its length. */
enum outcome regex_compile(struct slice pattern, struct arena *arena, const struct regex **regex,
                           size_t *at, struct error *error) MUST_CHECK;

/* *matches: does a part of the text match? OUTCOME_REJECT beyond the bounds, see above. */
enum outcome regex_matches(const struct regex *regex, struct slice text, bool *matches,
                           struct error *error) MUST_CHECK;

/* The first group, or the whole match of a pattern without groups; found->data is NULL when the
 * text does not match or the group took no part. Borrows from the text. */
enum outcome regex_extract(const struct regex *regex, struct slice text, struct slice *found,
                           struct error *error) MUST_CHECK;

/* Is this a replacement for the regex? $0 to $9, \0 to \9 stand for the groups, $$ and \\ for
 * themselves. OUTCOME_REJECT names a group that is not there. */
enum outcome regex_check_replacement(const struct regex *regex, struct slice replacement,
                                     struct error *error) MUST_CHECK;

/* Every match replaced. The result lives in `arena`, or is the text. */
enum outcome regex_replace(const struct regex *regex, struct slice replacement, struct arena *arena,
                           struct slice *text, struct error *error) MUST_CHECK;

#endif
