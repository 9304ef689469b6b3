/* SPDX-License-Identifier: MIT */
#include "learn/maker.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"

void maker_tell(struct maker *maker, const char *format, ...)
{
    struct proposed_rule *rule = maker->rule;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    rule->about =
        memory_grow(rule->about, rule->about_count, &rule->about_capacity, sizeof(*rule->about));
    rule->about[rule->about_count++] = arena_copy(maker->proposal->arena, slice_of(line)).data;
}

const char *maker_add_column(struct maker *maker, struct slice name, const char *prefix,
                             const char *expression, const char *note)
{
    struct proposed_rule *rule = maker->rule;
    struct arena *arena = maker->proposal->arena;
    struct slice wanted = name;
    const char *plain = arena_copy(arena, name).data;
    if (name_list_has(maker->names, plain)) {
        wanted = arena_printf(arena, "%s_%s", prefix, plain);
    }
    rule->columns = memory_grow(rule->columns, rule->column_count, &rule->column_capacity,
                                sizeof(*rule->columns));
    struct proposed_column *column = &rule->columns[rule->column_count++];
    *column = (struct proposed_column){
        .name = arena_copy(arena, slice_of(name_list_add(maker->names, wanted))).data,
        .expression = expression,
        .note = note,
    };
    return column->name;
}
