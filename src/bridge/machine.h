/*
 * machine: what the machine tells, as metrics: room on the journal's disk, memory of this process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_MACHINE_H
#define MQTT2PG_BRIDGE_MACHINE_H

/* Sets journal_disk_free_bytes and resident_memory_bytes; one that the system does not tell stays as
 * it was. */
void machine_refresh(const char *journal_directory);

#endif
