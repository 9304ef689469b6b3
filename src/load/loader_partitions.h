/*
 * loader_partitions: runs the partition keeper (load/partition_keeper) between batches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_PARTITIONS_H
#define MQTT2PG_LOAD_LOADER_PARTITIONS_H

#include "load/loader_state.h"

/* Makes and drops the partitions that are due. When partitions were made, letters that waited for
 * one are tried at once. Does nothing while the loader is to end. */
void loader_keep_partitions(struct loader *loader);

#endif
