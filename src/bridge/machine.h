/*
 * machine: free disk space and memory in use as metrics, and no core dumps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_MACHINE_H
#define MQTT2PG_BRIDGE_MACHINE_H

/* Sets the metrics journal_disk_free_bytes and resident_memory_bytes. A metric whose value the
 * system does not tell stays as it was. */
void machine_refresh(const char *journal_directory);

/* Forbids core files and other processes' debuggers, because memory holds secrets. */
void machine_forbid_core_dumps(void);

#endif
