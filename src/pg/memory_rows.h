/*
 * memory_rows: the table `memory`: what formats with state remember (core/memory). It is written in
 * the transaction that stores the rows of the same messages.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_PG_MEMORY_ROWS_H
#define MQTT2PG_PG_MEMORY_ROWS_H

#include "base/buf.h"
#include "core/memory.h"
#include "pg/pg_connection.h"

/* Entries on their way into the table, as arrays in PostgreSQL's text form. Zero-initialized memory
 * is none. */
struct memory_rows {
    struct buf kinds;
    struct buf keys;
    struct buf sequences;
    struct buf contents;
    size_t count;
};

void memory_rows_fini(struct memory_rows *rows);
void memory_rows_reset(struct memory_rows *rows);
void memory_rows_append(struct memory_rows *rows, const struct memory_entry *entry);
size_t memory_rows_bytes(const struct memory_rows *rows);

/* Inside a transaction; nothing happens when there are none. */
enum outcome memory_rows_insert(struct pg_connection *connection, const char *journal,
                                const struct memory_rows *rows,
                                struct pg_failure *failure) MUST_CHECK;

/* Adds all entries of the table that this client may need to `memory`; page by page, so the table
 * may be larger than memory_bytes() may become. */
enum outcome memory_rows_read(struct pg_connection *connection, struct memory *memory,
                              struct pg_failure *failure) MUST_CHECK;

/* Removes entries from the table and from `memory` that a newer entry of the same key has replaced
 * at or before `position`, unless a dead letter is older than the newer entry: its retry needs the
 * old one. */
enum outcome memory_rows_prune(struct pg_connection *connection, const char *journal,
                               uint64_t position, struct memory *memory,
                               struct pg_failure *failure) MUST_CHECK;

#endif
