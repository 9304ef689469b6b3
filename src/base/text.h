/*
 * text: functions on bytes and words that several stages need.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_TEXT_H
#define MQTT2PG_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* Well-formed UTF-8 by RFC 3629 (no surrogates, no overlong forms, at most
 * U+10FFFF), as PostgreSQL checks it. NUL is well-formed here: ask text_has_nul() too. */
bool text_is_utf8(struct slice text);
bool text_has_nul(struct slice text);

/* Number of characters of well-formed UTF-8. */
size_t text_characters(struct slice text);

/* "250ms", "30s", "15m", "2h", "7d", or "0": milliseconds. False when it is
 * not a duration or would not fit. */
bool text_parse_duration(struct slice text, int64_t *milliseconds);

/* "512", "64KB", "8MB", "10GB", "1TB" (powers of 1024; also "KiB" …): bytes. */
bool text_parse_size(struct slice text, int64_t *bytes);

/* The reverse: "1h", "90s", "250ms"; "10GB", "1536KB". */
void text_format_duration(struct buf *out, int64_t milliseconds);
void text_format_size(struct buf *out, int64_t bytes);

/* A span of time in its largest useful unit: "28 s", "12 min", "5 h 3 min", "3 days". Negative: as
 * 0. */
void text_format_span(struct buf *out, int64_t seconds);

/* "1,234,567". */
void text_format_count(struct buf *out, uint64_t count);

/* RFC 3339 in UTC with microseconds: "2026-11-23T03:29:30.123456Z";
 * `microseconds` since 1970. */
void text_format_time(struct buf *out, int64_t microseconds);

/* Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD; what
 * text_is_printable() refuses is escaped, so that the string is safe on a terminal. */
void text_append_json(struct buf *out, struct slice text);

/* Is `text` harmless on a terminal? It is well-formed UTF-8 without control characters other than
 * \n and \t (a \r goes back to the line's beginning and hides the text there), and without
 * characters that change the direction of writing (U+202E shows "exe.txt" for "txt.exe"). */
bool text_is_printable(struct slice text);

/* Appends `text` so that it is safe on a terminal and in a log, in one line: what
 * text_is_printable() refuses, \n and \t as \xNN; cut after `characters_max` with "…". */
void text_append_printable(struct buf *out, struct slice text, size_t characters_max);

/* The one of `count` words that `word` is most likely a misspelling of (edit distance at most a
 * third of its length, in any case of letters), or NULL. The pointers lie `stride` bytes apart: a
 * column of a table. */
const char *text_suggest(struct slice word, const char *const *words, size_t count, size_t stride);

#endif
