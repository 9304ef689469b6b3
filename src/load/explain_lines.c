/* SPDX-License-Identifier: MIT */
#include "load/explain_lines.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static void append_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    if (value == NULL) {
        buf_append_text(out, "null");
    } else {
        text_append_json(out, slice_of(value));
    }
}

/* Each line is a JSON object of its own (JSON Lines) and begins with its rule. */
static void begin_line(struct buf *out, const struct rule *rule)
{
    buf_append_text(out, "{\"rule\":");
    text_append_json(out, slice_of(rule->name));
}

/* Each line of `rows` is one row as JSON. Each line of `tables` is that row's table; "" is the
 * rule's. */
static void append_rows(struct buf *out, const struct rule *rule, struct slice rows,
                        const char *tables)
{
    if (rows.length == 0) {
        begin_line(out, rule);
        append_member(out, "table", rule->options->table.text);
        buf_append_text(out, ",\"rows\":0}\n");
    }
    while (rows.length > 0) {
        const char *end = memchr(rows.data, '\n', rows.length);
        size_t length = (size_t) (end - rows.data);

        assert(end != NULL); /* rehearsal ends each row with a newline */
        begin_line(out, rule);
        if (*tables == '\0') {
            append_member(out, "table", rule->options->table.text);
        } else {
            size_t name = strcspn(tables, "\n");

            buf_append_text(out, ",\"table\":");
            text_append_json(out, slice_make(tables, name));
            tables += name + 1;
        }
        buf_append_text(out, ",\"row\":");
        buf_append(out, rows.data, length);
        buf_append_text(out, "}\n");
        rows = slice_make(end + 1, rows.length - length - 1);
    }
}

static void append_filtered(struct buf *out, const struct rule *rule)
{
    begin_line(out, rule);
    buf_append_text(out, ",\"filtered\":true}\n");
}

/* --- the rule alone --------------------------------------------------------------------------- */

/* Without a database the rows have the types that the rule declares. */
void explain_append_mapped(struct buf *out, const struct mapped *mapped)
{
    const struct rule *rule = mapped->rule;
    const struct column_shape **columns;
    struct buf rows = {0};

    if (mapped->verdict == VERDICT_REJECTED) {
        begin_line(out, rule);
        append_member(out, "rejected", mapped->reason);
        buf_append_text(out, "}\n");
        return;
    }
    if (mapped->verdict == VERDICT_FILTERED) {
        append_filtered(out, rule);
        return;
    }
    columns = memory_alloc((rule->column_count + 1) * sizeof(struct column_shape *));
    for (size_t i = 0; i < rule->column_count; i++) {
        columns[i] = &rule->declared->columns[i];
    }
    rehearsal_append_rows(&rows, mapped, columns);
    append_rows(out, rule, buf_slice(&rows), "");
    free(columns);
    buf_fini(&rows);
}

/* --- with the database ------------------------------------------------------------------------ */

static void append_optional(struct buf *out, const char *name, const char *value)
{
    if (value[0] != '\0') {
        append_member(out, name, value);
    }
}

void explain_append_rehearsal(struct buf *out, const struct rule *rule, struct rehearsal *rehearsal)
{
    if (rehearsal->fate == REHEARSAL_FILTERED) {
        append_filtered(out, rule);
        return;
    }
    if (rehearsal->fate == REHEARSAL_STORED) {
        append_rows(out, rule, buf_slice(&rehearsal->rows), buf_string(&rehearsal->tables));
        return;
    }
    begin_line(out, rule);
    append_member(out, rehearsal->fate == REHEARSAL_PARKED ? "parked" : "rejected",
                  rehearsal->reason);
    append_optional(out, "sqlstate", rehearsal->sqlstate);
    append_optional(out, "constraint", rehearsal->constraint);
    buf_append_text(out, "}\n");
}
