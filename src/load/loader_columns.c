/* SPDX-License-Identifier: MIT */
#include "load/loader_columns.h"

#include <assert.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/memory.h"
#include "learn/column_name.h"
#include "pg/add_column.h"

/* How long the bridge may take to compile its rules anew; it looks four times a second. */
#define NEW_RULES_MS 5000

/* "pos.lon" → "pos_lon", made different from the rule's other columns. */
static char *column_name(const struct untaken_column *column)
{
    const struct rule *rule = column->rule;
    struct name_list names = {0};
    struct buf name = {0};
    char *unique;

    for (size_t i = 0; i < rule->column_count; i++) {
        (void) name_list_add(&names, slice_of(rule->column_names[i]));
    }
    for (size_t i = 0; i < rule->options->compute_count; i++) {
        (void) name_list_add(&names, slice_of(rule->computed_names[i]));
    }
    name_append_snake(&name, slice_of(column->path));
    unique = memory_strdup(name_list_add(&names, buf_slice(&name)));
    name_list_fini(&names);
    buf_fini(&name);
    return unique;
}

/* Remembers the key as refused, so that the column is tried and reported only once. */
static void refuse(struct loader *loader, const struct untaken_column *column, const char *reason)
{
    assert(reason != NULL);
    added_columns_refuse(loader->options.added, column->rule->name, column->expression);
    log_warn("a key of the payload can't become a column: its values are not stored",
             F_TEXT("rule", column->rule->name), F_TEXT("key", column->path),
             F_TEXT("reason", reason));
}

/* The column is in the table. It gets values once the bridge has compiled the rules with it; until
 * then loader_add_columns() waits, and the batch is built again afterwards. */
static void keep(struct loader *loader, const struct untaken_column *column, const char *name)
{
    char *expression = memory_printf("%s :: %s", column->expression, column->type);
    bool kept = added_columns_add(loader->options.added, column->rule->options, name, expression);

    assert(kept); /* there was room before ALTER TABLE, and only this thread adds columns */
    (void) kept;
    log_info("added a column for a key of the payload", F_TEXT("rule", column->rule->name),
             F_TEXT("column", name), F_TEXT("type", column->type));
    free(expression);
}

/* Adds one column to the table, outside of any batch's transaction, since ALTER TABLE locks the
 * table. When the lock is not granted soon, the result is LATER. */
static enum add_column_result add(struct loader *loader, const struct untaken_column *column)
{
    struct pg_failure failure = {.message = ""};
    enum add_column_result result = ADD_COLUMN_REFUSED;
    char *name = column_name(column);

    if (!added_columns_have_room(loader->options.added, column->rule->options)) {
        refuse(loader, column,
               "the rule has 100 such columns: for names that are data there is "
               "rows = \"$.x.*\"");
    } else {
        result = add_column(loader->connection,
                            &(struct new_column){.relation = column->rule->options->table.text,
                                                 .name = name,
                                                 .type = column->type,
                                                 .comment = column->expression},
                            &failure);
        (void) FAULT("load.column.added");
        if (result == ADD_COLUMN_DONE) {
            keep(loader, column, name);
        } else if (result == ADD_COLUMN_REFUSED) {
            refuse(loader, column, failure.message);
        }
    }
    free(name);
    return result;
}

bool loader_add_columns(struct loader *loader)
{
    struct untaken_column column;
    size_t added = 0;

    while (loader->options.added != NULL && !loader_stopping(loader) &&
           untaken_take(loader->untaken, &column)) {
        enum add_column_result result;

        if (added_columns_refused(loader->options.added, column.rule->name, column.expression)) {
            continue;
        }
        result = add(loader, &column);
        added += result == ADD_COLUMN_DONE;
        if (result == ADD_COLUMN_LATER || result == ADD_COLUMN_LOST) {
            untaken_later(loader->untaken);
        }
        if (result == ADD_COLUMN_NO_TABLE) {
            untaken_forget(loader->untaken); /* the messages are parked, and bring the key again */
        }
        if (result == ADD_COLUMN_LOST) {
            break;
        }
    }
    if (added > 0) {
        loader_rewind(loader);
        loader_pause(loader, NEW_RULES_MS);
    }
    return added > 0;
}

bool loader_add_letter_columns(struct loader *loader, struct store *store)
{
    bool looked = store->untaken != NULL;

    store->untaken = NULL;
    return looked && loader_add_columns(loader);
}
