/* SPDX-License-Identifier: MIT */
#include "load/recall.h"

#include "pg/memory_rows.h"

enum outcome recall(struct mapper *mapper, struct pg_connection *connection,
                    struct pg_failure *failure)
{
    struct memory *memory = mapper_memory(mapper);

    return memory == NULL ? OUTCOME_OK : memory_rows_read(connection, memory, failure);
}

void recall_prune(struct mapper *mapper, struct pg_connection *connection, const char *journal,
                  uint64_t position)
{
    struct pg_failure failure;
    struct memory *memory = mapper_memory(mapper);

    if (memory != NULL &&
        memory_rows_prune(connection, journal, position, memory, &failure) != OUTCOME_OK) {
        return; /* the next batch finds out whether the connection works */
    }
}
