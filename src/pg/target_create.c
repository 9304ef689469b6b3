/*
 * target_create: makes a rule's table, with all that belongs to it: the key, partitions or a
 * hypertable, the rule's own create_sql.
 *
 * A plain table is made by CREATE TABLE IF NOT EXISTS. The other parts must not be made again when
 * the table exists, so they are in one DO block together with CREATE TABLE:
 *
 *   DO $mqtt2pg$ BEGIN
 *   IF the table is not there THEN
 *     CREATE TABLE t (…) PARTITION BY RANGE (by);
 *     CREATE TABLE t_default PARTITION OF t DEFAULT;      rows that have no partition (yet)
 *     EXECUTE each statement of create_sql;               EXECUTE takes a SELECT, too
 *   END IF;
 *   END $mqtt2pg$;
 *
 * The partitions themselves are made later, by load/loader_partitions.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/partitions.h"
#include "pg/pg_quote.h"
#include "pg/target.h"

/* A table that is to be made. Borrowed. */
struct creation {
    const struct rule_options *rule;
    const struct table_shape *shape;
    const char *relation; /* quoted */
};

static void append_definition(struct buf *sql, const struct column_shape *column)
{
    pg_quote_identifier(sql, slice_of(column->name));
    buf_printf(sql, " %s",
               column->type_name != NULL && column->type_name[0] != '\0' ? column->type_name
                                                                         : "text");
}

/* Appends "name (columns, PRIMARY KEY (key)\n)", what stands behind CREATE TABLE. */
static void append_table(struct buf *out, const struct creation *creation)
{
    const struct rule_options *rule = creation->rule;

    buf_printf(out, "%s (", creation->relation);
    for (size_t i = 0; i < creation->shape->count; i++) {
        buf_append_text(out, i > 0 ? ",\n    " : "\n    ");
        append_definition(out, &creation->shape->columns[i]);
    }
    for (size_t i = 0; i < rule->key_count; i++) {
        buf_append_text(out, i > 0 ? ", " : ",\n    PRIMARY KEY (");
        pg_quote_identifier(out, slice_of(rule->key[i].text));
    }
    buf_append_text(out, rule->key_count > 0 ? ")\n)" : "\n)");
}

/* One ALTER TABLE for all columns, so one lock and at most one rewrite of the table. */
static void append_alter(struct buf *out, const struct creation *creation)
{
    const struct table_shape *shape = creation->shape;

    for (size_t i = 0; i < shape->count; i++) {
        if (i == 0) {
            buf_printf(out, "ALTER TABLE %s", creation->relation);
        }
        buf_append_text(out, i > 0 ? ",\n    " : "\n    ");
        buf_append_text(out, "ADD COLUMN IF NOT EXISTS ");
        append_definition(out, &shape->columns[i]);
    }
    buf_append_text(out, shape->count > 0 ? ";\n" : "");
}

/* Appends text in dollar quotes that do not occur in it. */
static void append_dollar_quoted(struct buf *out, const char *tag, const char *text)
{
    char quote[40];

    snprintf(quote, sizeof(quote), "$%s$", tag);
    for (unsigned i = 1; strstr(text, quote) != NULL; i++) {
        snprintf(quote, sizeof(quote), "$%s%u$", tag, i);
    }
    buf_printf(out, "%s%s%s", quote, text, quote);
}

/* "schema.name_default" for "schema.name", quoted. */
static char *default_name(const char *relation)
{
    struct slice rest = slice_of(relation);
    struct buf name = {0};
    struct buf last = {0};
    struct buf out = {0};
    char *text;
    bool read = pg_take_relation(&rest, &name);

    assert(read && rest.length == 0); /* pg_quote_relation() made the name */
    (void) read;
    pg_quote_identifier(&last, buf_slice(&name));
    assert(last.length <= strlen(relation));
    buf_append(&out, relation, strlen(relation) - last.length);
    buf_reset(&last);
    partition_append_cut(&last, buf_string(&name), "_default");
    pg_quote_identifier(&out, buf_slice(&last));
    text = memory_copy(buf_slice(&out));
    buf_fini(&out);
    buf_fini(&last);
    buf_fini(&name);
    return text;
}

/* Appends the default partition, with an index to find the rows that move to a new partition. */
static void append_default(struct buf *out, const struct creation *creation)
{
    char *name = default_name(creation->relation);

    buf_printf(out, "CREATE TABLE %s PARTITION OF %s DEFAULT;\nCREATE INDEX ON %s (", name,
               creation->relation, name);
    pg_quote_identifier(out, slice_of(creation->rule->partition.by.text));
    buf_printf(out,
               ");\nCOMMENT ON TABLE %s IS '" PARTITION_MARK ": rows that have no partition';\n",
               name);
    free(name);
}

/* "interval 'N days'", in the largest unit without a fraction. */
static void append_interval(struct buf *out, int64_t milliseconds)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "days"}, {60000, "minutes"}, {1, "milliseconds"}};
    size_t unit = 0;

    assert(milliseconds > 0);
    while (milliseconds % units[unit].ms != 0) {
        unit++;
    }
    assert(unit < sizeof(units) / sizeof(units[0])); /* 1 divides everything */
    buf_printf(out, "interval '%" PRId64 " %s'", milliseconds / units[unit].ms, units[unit].name);
}

/* Makes the table a hypertable. There are several functions of that name, so to_regproc() would
 * find none. The schema of the extension need not be in search_path: it is added for the rest of
 * the transaction. */
static void append_hypertable(struct buf *out, const struct creation *creation)
{
    const struct partition_options *partition = &creation->rule->partition;

    buf_append_text(out,
                    "IF NOT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = "
                    "'create_hypertable') THEN\n"
                    "    RAISE EXCEPTION 'partition.timescale = true, and the database has no "
                    "TimescaleDB'\n"
                    "    USING ERRCODE = 'feature_not_supported', HINT = 'create extension "
                    "timescaledb, or leave timescale out';\n"
                    "END IF;\n"
                    "PERFORM set_config('search_path', current_setting('search_path') || ', ' ||\n"
                    "    (SELECT quote_ident(nspname) FROM pg_catalog.pg_proc p\n"
                    "       JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace\n"
                    "      WHERE proname = 'create_hypertable' LIMIT 1), true);\n"
                    "PERFORM create_hypertable(");
    pg_quote_literal(out, slice_of(creation->relation));
    buf_append_text(out, ", ");
    pg_quote_literal(out, slice_of(partition->by.text));
    buf_append_text(out, ", chunk_time_interval => ");
    append_interval(out, partition->every_ms);
    buf_append_text(out, ");\n");
    if (partition->keep_ms > 0) {
        buf_append_text(out, "PERFORM add_retention_policy(");
        pg_quote_literal(out, slice_of(creation->relation));
        buf_append_text(out, ", drop_after => ");
        append_interval(out, partition->keep_ms);
        buf_append_text(out, ");\n");
    }
}

/* One statement of create_sql with the table's name for each {table}. */
static void append_own(struct buf *out, const struct creation *creation, const char *text)
{
    static const char word[] = "{table}";
    struct buf sql = {0};

    for (const char *at = text;;) {
        const char *next = strstr(at, word);

        if (next == NULL) {
            buf_append_text(&sql, at);
            break;
        }
        buf_append(&sql, at, (size_t) (next - at));
        buf_append_text(&sql, creation->relation);
        at = next + sizeof(word) - 1;
    }
    buf_append_text(out, "EXECUTE ");
    append_dollar_quoted(out, "create", buf_string(&sql));
    buf_append_text(out, ";\n");
    buf_fini(&sql);
}

/* Appends the statements that run once, together with CREATE TABLE. */
static void append_once(struct buf *out, const struct creation *creation)
{
    const struct partition_options *partition = &creation->rule->partition;
    bool native = partition->wanted && !partition->timescale;
    struct buf body = {0};

    buf_append_text(&body, "\nBEGIN\nIF to_regclass(");
    pg_quote_literal(&body, slice_of(creation->relation));
    buf_append_text(&body, ") IS NULL THEN\nCREATE TABLE ");
    append_table(&body, creation);
    if (native) {
        buf_append_text(&body, " PARTITION BY RANGE (");
        pg_quote_identifier(&body, slice_of(partition->by.text));
        buf_append_text(&body, ")");
    }
    buf_append_text(&body, ";\n");
    if (native) {
        append_default(&body, creation);
    } else if (partition->wanted) {
        append_hypertable(&body, creation);
    }
    for (size_t i = 0; i < creation->rule->create_sql_count; i++) {
        append_own(&body, creation, creation->rule->create_sql[i].text);
    }
    buf_append_text(&body, "END IF;\nEND\n");
    buf_append_text(out, "DO ");
    append_dollar_quoted(out, "mqtt2pg", buf_string(&body));
    buf_append_text(out, ";\n");
    buf_fini(&body);
}

void target_create_sql(struct buf *out, const struct rule_options *rule,
                       const struct table_shape *shape)
{
    struct buf relation = {0};

    if (rule->table.text != NULL && pg_quote_relation(&relation, slice_of(rule->table.text))) {
        const struct creation creation = {rule, shape, buf_string(&relation)};

        if (rule->partition.wanted || rule->create_sql_count > 0) {
            append_once(out, &creation);
        } else {
            buf_append_text(out, "CREATE TABLE IF NOT EXISTS ");
            append_table(out, &creation);
            buf_append_text(out, ";\n");
        }
        append_alter(out, &creation);
    }
    buf_fini(&relation);
}
