/* SPDX-License-Identifier: MIT */
#include "load/row_runs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A buffer that has grown beyond this size is freed: large messages are rare. */
#define KEPT_BYTES_MAX ((size_t) 12 * 1024 * 1024)

void row_runs_init(struct row_runs *runs, size_t rule_count)
{
    *runs = (struct row_runs){.rule_count = rule_count};
    runs->writes = memory_alloc((rule_count + 1) * sizeof(*runs->writes));
    runs->last = memory_alloc((rule_count + 1) * sizeof(*runs->last));
}

void row_runs_fini(struct row_runs *runs)
{
    for (size_t i = 0; i < runs->rule_count; i++) {
        buf_fini(&runs->writes[i].bytes);
        free(runs->writes[i].extents);
    }
    free(runs->writes);
    free(runs->last);
    free(runs->list);
    *runs = (struct row_runs){0};
}

void row_runs_reset(struct row_runs *runs)
{
    for (size_t i = 0; i < runs->rule_count; i++) {
        if (runs->writes[i].bytes.capacity > KEPT_BYTES_MAX) {
            buf_fini(&runs->writes[i].bytes);
        }
        buf_reset(&runs->writes[i].bytes);
        runs->writes[i].extent_count = 0;
        runs->last[i] = 0;
    }
    runs->count = 0;
}

/* The run that this write's next extent belongs to: the table's last run when that one is of the
 * same write, otherwise a new one. */
static struct run *run_for(struct row_runs *runs, struct run_place place)
{
    size_t last = runs->last[place.table];

    assert(last <= runs->count);
    if (last == 0 || runs->list[last - 1].write != place.write) {
        size_t at = runs->writes[place.write].extent_count;

        runs->list = memory_grow(runs->list, runs->count, &runs->capacity, sizeof(*runs->list));
        runs->list[runs->count] =
            (struct run){.write = place.write, .table = place.table, .low = at, .high = at};
        last = runs->last[place.table] = ++runs->count;
    }
    return &runs->list[last - 1];
}

struct buf *row_runs_begin(struct row_runs *runs, struct run_place place,
                           const struct extent *extent)
{
    struct write *write = &runs->writes[place.write];
    struct run *run;

    assert(place.write < runs->rule_count && place.table <= place.write);
    run = run_for(runs, place);
    assert(run->high == write->extent_count);
    write->extents = memory_grow(write->extents, write->extent_count, &write->extent_capacity,
                                 sizeof(*write->extents));
    write->extents[write->extent_count] = *extent;
    write->extents[write->extent_count].offset = write->bytes.length;
    write->extent_count++;
    run->high++;
    run->rows += extent->rows;
    return &write->bytes;
}

void row_runs_end(struct row_runs *runs, struct run_place place)
{
    struct write *write = &runs->writes[place.write];
    struct extent *extent = &write->extents[write->extent_count - 1];

    assert(write->extent_count > 0 && extent->offset <= write->bytes.length);
    extent->length = write->bytes.length - extent->offset;
}

struct extent *row_runs_last(struct row_runs *runs, struct run_place place)
{
    struct write *write = &runs->writes[place.write];

    assert(place.write < runs->rule_count && write->extent_count > 0);
    return &write->extents[write->extent_count - 1];
}

void row_runs_cancel(struct row_runs *runs, struct run_place place)
{
    struct write *write = &runs->writes[place.write];
    struct extent *extent = &write->extents[--write->extent_count];
    struct run *run = &runs->list[runs->last[place.table] - 1];

    assert(run->write == place.write && extent->offset <= write->bytes.length);
    assert(extent->rows <= run->rows);
    write->bytes.length = extent->offset;
    run->rows -= extent->rows;
    if (--run->high > run->low) {
        return;
    }
    /* The run was begun for this extent. Without it, the run before may be continued. */
    assert(run == &runs->list[runs->count - 1]);
    runs->count--;
    runs->last[place.table] = 0;
    for (size_t i = runs->count; i-- > 0;) {
        if (runs->list[i].table == place.table) {
            runs->last[place.table] = i + 1;
            break;
        }
    }
}

/* Runs of one write, and so of one table, were begun in the order of their extents; between two
 * writes of one table the order of messages decides. */
struct sortable {
    struct run run;
    size_t order;
};

static int compare(const void *left, const void *right)
{
    const struct sortable *a = left, *b = right;

    if (a->run.table != b->run.table) {
        return a->run.table < b->run.table ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

void row_runs_sort(struct row_runs *runs)
{
    struct sortable *list = memory_alloc((runs->count + 1) * sizeof(*list));

    for (size_t i = 0; i < runs->count; i++) {
        list[i] = (struct sortable){runs->list[i], i};
    }
    qsort(list, runs->count, sizeof(*list), compare);
    for (size_t i = 0; i < runs->count; i++) {
        runs->list[i] = list[i].run;
    }
    free(list);
}

struct slice row_runs_bytes(const struct write *write, size_t low, size_t high)
{
    assert(low <= high && high <= write->extent_count);
    if (low == high) {
        return slice_make("", 0);
    }
    const struct extent *first = &write->extents[low], *last = &write->extents[high - 1];

    return slice_make(write->bytes.data + first->offset,
                      last->offset + last->length - first->offset);
}

uint64_t row_runs_rows(const struct write *write, size_t low, size_t high)
{
    uint64_t rows = 0;

    assert(low <= high && high <= write->extent_count);
    for (size_t i = low; i < high; i++) {
        rows += write->extents[i].rows;
    }
    return rows;
}

/* Invariants 1 and 2 of one write. Runs must be in the order of their extents, as they are before
 * and after row_runs_sort(). */
static void check_write(const struct row_runs *runs, unsigned index)
{
    const struct write *write = &runs->writes[index];
    size_t offset = 0, covered = 0;

    for (size_t i = 0; i < write->extent_count; i++) {
        assert(write->extents[i].offset == offset);
        offset += write->extents[i].length;
    }
    assert(offset == write->bytes.length);
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *run = &runs->list[i];

        if (run->write == index) {
            assert(run->low == covered && run->high > run->low);
            assert(run->rows == row_runs_rows(write, run->low, run->high));
            covered = run->high;
        }
    }
    assert(covered == write->extent_count);
}

void row_runs_check(const struct row_runs *runs)
{
    for (unsigned i = 0; i < runs->rule_count; i++) {
        if (runs->writes[i].extent_count > 0) {
            check_write(runs, i);
        }
    }
}
