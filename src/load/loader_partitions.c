/* SPDX-License-Identifier: MIT */
#include "load/loader_partitions.h"

#include <assert.h>

#include "load/loader_trouble.h"

void loader_keep_partitions(struct loader *loader)
{
    struct pg_failure failure = {.message = ""};
    size_t made;

    assert(loader->keeper != NULL);
    if (loader_stopping(loader) || !pg_is_connected(loader->connection)) {
        return;
    }
    if (partition_keeper_run(loader->keeper, loader->targets, loader->connection, &made,
                             &failure) != OUTCOME_OK) {
        loader_trouble(loader, STORE_LOST, &failure);
    } else if (made > 0) {
        loader->later.next_ms = 0;
    }
}
