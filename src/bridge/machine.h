/*
 * machine: the operating system: room on the disk and memory as metrics, no core dumps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_MACHINE_H
#define MQTT2PG_BRIDGE_MACHINE_H

/* Sets journal_disk_free_bytes and resident_memory_bytes. A figure that the system does not tell
 * stays as it was. */
void machine_refresh(const char *journal_directory);

/* Secrets are in memory: no core file with them, and no debugger of another process. */
void machine_forbid_core_dumps(void);

#endif
