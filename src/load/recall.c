/* SPDX-License-Identifier: MIT */
#include "load/recall.h"

#include "pg/memory_rows.h"

enum outcome recall(struct mapper *mapper, struct pg_connection *connection, uint64_t position,
                    struct pg_failure *failure)
{
    struct memory *memory = mapper_memory(mapper);

    if (memory == NULL) {
        return OUTCOME_OK;
    }
    memory_reset(memory);
    memory_set_position(memory, position);
    return memory_rows_read(connection, memory, failure);
}

void recall_advance(struct mapper *mapper, uint64_t position)
{
    struct memory *memory = mapper_memory(mapper);

    if (memory != NULL) {
        memory_set_position(memory, position);
    }
}

void recall_prune(struct mapper *mapper, struct pg_connection *connection, const char *journal,
                  uint64_t position)
{
    struct pg_failure failure;
    struct memory *memory = mapper_memory(mapper);

    if (memory == NULL) {
        return;
    }
    if (memory_rows_prune(connection, journal, position, memory, &failure) == OUTCOME_OK &&
        memory_make_room(memory, position) &&
        memory_rows_read(connection, memory, &failure) != OUTCOME_OK) {
        /* Less is in memory than there should be: reconnecting reads the table anew. What a batch
         * that is being built has learned is not in the table yet, and stays. */
        pg_disconnect(connection);
    }
}
