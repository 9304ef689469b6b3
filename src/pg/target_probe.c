/* SPDX-License-Identifier: MIT */
#include "pg/target_probe.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "pg/pg_quote.h"
#include "row/copy_arrays.h"

/* Takes the text of `sql` and leaves it empty. */
static void add(struct target_probes *probes, size_t index, const char *column, struct buf *sql)
{
    assert(sql->length > 0);
    probes->list = memory_resize(probes->list, (probes->count + 1) * sizeof(*probes->list));
    probes->list[probes->count++] = (struct target_probe){
        .sql = memory_copy(buf_slice(sql)), .column = memory_strdup(column), .index = index};
    buf_fini(sql);
}

/* Adds a probe that casts each text to the column's type. A cast to varchar(n) shortens a long
 * text, which INSERT would refuse. So this probe finds malformed values, and that of
 * add_assignment() those that are too long. */
static void add_cast(struct target_probes *probes, size_t index, const struct column_shape *column)
{
    struct buf sql = {0};

    assert(column->type_name != NULL && column->type_name[0] != '\0');
    buf_printf(&sql, "SELECT count(v::%s) FROM unnest($1::text[]) AS v", column->type_name);
    add(probes, index, column->name, &sql);
}

/* Adds a probe that reads each text as the table's column does, with its length; not for arrays and
 * composite types. */
static void add_assignment(struct target_probes *probes, size_t index,
                           const struct column_shape *column, const char *relation)
{
    struct buf sql = {0};

    assert(relation != NULL);
    buf_printf(&sql, "SELECT count(jsonb_populate_record(null::%s, jsonb_build_object(", relation);
    pg_quote_literal(&sql, slice_of(column->name));
    buf_append_text(&sql, "::text, v))) FROM unnest($1::text[]) AS v");
    add(probes, index, column->name, &sql);
}

/* A column in binary form needs no probe: the server takes all values that the bridge encodes. A
 * column of type text takes every text. */
void target_probes_init(struct target_probes *probes, const struct row_plan *plan,
                        const char *relation)
{
    *probes = (struct target_probes){0};
    for (size_t i = 0; i < plan->count; i++) {
        const struct column_shape *column = plan->columns[i];
        if (copy_array_element(column, plan->format) != TEXT_OID || column->type_oid == TEXT_OID ||
            column->type_name == NULL || column->type_name[0] == '\0') {
            continue;
        }
        add_cast(probes, i, column);
        if (relation != NULL) {
            add_assignment(probes, i, column, relation);
        }
    }
}

void target_probes_fini(struct target_probes *probes)
{
    assert(probes->count == 0 || probes->list != NULL);
    for (size_t i = 0; i < probes->count; i++) {
        free(probes->list[i].sql);
        free(probes->list[i].column);
    }
    free(probes->list);
    *probes = (struct target_probes){0};
}
