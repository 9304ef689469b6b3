/*
 * segment: one file of the journal, from its creation to its end.
 *
 *   segment_prepare()   "prepared.tmp", all its blocks reserved, synced; no header yet
 *   segment_place()     header written, renamed to its number; by the appender, needs no new block
 *   …                   records are appended by pwrite, synced by file_sync()
 *   segment_seal()      cut behind the last record; nobody writes to it any more
 *
 * With JOURNAL_SYNC_ALWAYS segment_place() syncs the header before it renames the file. Then a
 * segment without a sound header is damage for certain: no power loss can leave one behind. With
 * other policies header and name become durable like any record (syncing a segment includes the
 * directory), and recovery rebuilds a header that a power loss took from the file's name.
 *
 * All functions work relative to the journal's directory. Any thread may call them; the caller
 * keeps two threads from working on the same file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_SEGMENT_H
#define MQTT2PG_JOURNAL_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/outcome.h"
#include "journal/journal_format.h"

#define SEGMENT_PREPARED_NAME "prepared.tmp"
#define SEGMENT_NAME_BYTES 32 /* "00000000000000000001.segment" and NUL */

/* The highest number that a file may have. Leaves room for arithmetic and fits PostgreSQL's
 * bigint. */
#define SEGMENT_SEQUENCE_MAX ((uint64_t) 1 << 59)

void segment_name(char name[SEGMENT_NAME_BYTES], uint64_t first_sequence);

/* False when it is not a segment's name. */
bool segment_name_parse(const char *name, uint64_t *first_sequence);

/* Makes the file of `bytes` bytes that will be the next segment. OUTCOME_RETRY when the disk is
 * full; nothing is left behind then. */
enum outcome segment_prepare(int directory_fd, int64_t bytes, int *fd,
                             struct error *error) MUST_CHECK;

/* Makes the prepared file the segment header->first_sequence; with `sync` its header is durable
 * before it has the name. After a failure it is still prepared. */
enum outcome segment_place(int directory_fd, int fd, const struct segment_header *header, bool sync,
                           struct error *error) MUST_CHECK;

/* Cuts the file at `end`. Not synced: when a power loss undoes the cut, zeros stand behind
 * `end`. */
enum outcome segment_seal(int fd, int64_t end, struct error *error) MUST_CHECK;

/* Replaces all bytes after `end` by zeros without needing room: cuts the file there, then reserves
 * up to `bytes` again if the disk has room. Not synced. */
enum outcome segment_clear(int fd, int64_t end, int64_t bytes, struct error *error) MUST_CHECK;

/* OUTCOME_RETRY when there is no such file. */
enum outcome segment_open(int directory_fd, uint64_t first_sequence, bool writable, int *fd,
                          struct error *error) MUST_CHECK;

/* The file's size and the time of its last change (wall clock, microseconds). */
enum outcome segment_stat(int fd, int64_t *bytes, int64_t *changed_us,
                          struct error *error) MUST_CHECK;

#endif
