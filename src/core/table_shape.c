/* SPDX-License-Identifier: MIT */
#include "core/table_shape.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

enum { COLUMNS_FIRST = 8 };

struct table_shape *table_shape_new(void)
{
    return memory_alloc(sizeof(struct table_shape));
}

void table_shape_free(struct table_shape *shape)
{
    if (shape == NULL) {
        return;
    }
    for (size_t i = 0; i < shape->count; i++) {
        free(shape->columns[i].name);
        free(shape->columns[i].type_name);
        free(shape->columns[i].base_name);
        free(shape->columns[i].denied_sequence);
    }
    free(shape->columns);
    free(shape->schema);
    free(shape->name);
    free(shape);
}

/* Room is a power of two of columns, so it follows from the count. */
static bool is_full(size_t count)
{
    return count == 0 || (count >= COLUMNS_FIRST && (count & (count - 1)) == 0);
}

struct column_shape *table_shape_add(struct table_shape *shape, struct slice name)
{
    if (is_full(shape->count)) {
        size_t capacity = shape->count == 0 ? COLUMNS_FIRST : shape->count * 2;
        shape->columns = memory_resize(shape->columns, capacity * sizeof(shape->columns[0]));
    }
    struct column_shape *column = &shape->columns[shape->count++];
    assert(name.length == 0 || name.data != NULL);
    *column = (struct column_shape){.name = memory_copy(name), .typmod = -1};
    return column;
}

const struct column_shape *table_shape_find(const struct table_shape *shape, struct slice name)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (slice_is(name, shape->columns[i].name)) {
            return &shape->columns[i];
        }
    }
    return NULL;
}
