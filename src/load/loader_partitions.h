/*
 * loader_partitions: the loader keeps the partitions of its rules' tables (load/partition_keeper),
 * between batches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_PARTITIONS_H
#define MQTT2PG_LOAD_LOADER_PARTITIONS_H

#include "load/loader_state.h"

/* Makes and drops what is due, before the rows that go into it. Letters that waited for a partition
 * are tried at once. Not while the loader is to end. */
void loader_keep_partitions(struct loader *loader);

#endif
