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
        /* The memory now lacks entries; after reconnecting it is read from the table again. Entries
         * that a batch which is being built has learned are not in the table yet, and stay. */
        pg_disconnect(connection);
    }
}
