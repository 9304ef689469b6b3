/*
 * row_runs: the rows of a batch, by table. Pure.
 *
 * Rules that write the same table in the same way (columns, on_conflict, key, newest) share one
 * buffer, so that the rows of one topic are stored in the order of delivery, whichever rules made
 * them. Rules that write the same table in different ways have buffers of their own, which are
 * stored in runs: each run ends where a row for the same table went into another buffer.
 *
 *   write   bytes and extents of one way to write one table
 *   extent  the rows of one message under one rule, somewhere in a write's bytes
 *   run     extents of one write that are stored by one statement
 *
 * Invariants, checked by row_runs_check(): (1) the extents of a write follow each other and fill
 * its bytes; (2) runs of a write cover its extents once, in order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_ROW_RUNS_H
#define MQTT2PG_LOAD_ROW_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct extent {
    size_t message; /* index in batch->sequences */
    unsigned rule;
    size_t offset; /* in the write's bytes */
    size_t length;
    uint64_t rows;
    size_t later; /* 1 + index in batch->later of the acknowledgment that needs the number of stored
                     rows; 0 = none does */
};

struct write {
    struct buf bytes; /* rows of COPY, without header and trailer */
    struct extent *extents;
    size_t extent_count;
    size_t extent_capacity;
};

struct run {
    unsigned write;
    unsigned table; /* the first rule that writes the same table */
    size_t low;     /* extents from low up to high */
    size_t high;
    uint64_t rows;
};

/* Which write and which table a rule's rows belong to, each named by its first rule. */
struct run_place {
    unsigned write;
    unsigned table;
};

struct row_runs {
    struct write *writes; /* owned; rule_count of them */
    size_t rule_count;
    struct run *list; /* owned */
    size_t count;
    size_t capacity;
    size_t *last; /* owned; of each table the number of its last run, counted from 1; 0 = none */
};

void row_runs_init(struct row_runs *runs, size_t rule_count);
void row_runs_fini(struct row_runs *runs);
void row_runs_reset(struct row_runs *runs);

/* Begins an extent: the caller appends its rows to the bytes returned, then calls row_runs_end() or
 * row_runs_cancel(). `extent` is copied; its offset and length are filled in here. */
struct buf *row_runs_begin(struct row_runs *runs, struct run_place place,
                           const struct extent *extent);
void row_runs_end(struct row_runs *runs, struct run_place place);

/* The extent that was added last to this write. */
struct extent *row_runs_last(struct row_runs *runs, struct run_place place);

/* Instead of row_runs_end(): removes the extent and its rows. */
void row_runs_cancel(struct row_runs *runs, struct run_place place);

/* Puts the runs in the order in which they are stored: tables in the order of their first rules,
 * runs of one table in the order of messages. No rows may be added afterwards. */
void row_runs_sort(struct row_runs *runs);

/* The bytes of the extents from `low` up to `high` of a write, and their rows. */
struct slice row_runs_bytes(const struct write *write, size_t low, size_t high);
uint64_t row_runs_rows(const struct write *write, size_t low, size_t high);

void row_runs_check(const struct row_runs *runs);

#endif
