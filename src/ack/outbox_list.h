/*
 * outbox_list: which files of acknowledgments there are, in the order of publishing.
 *
 * A file is called "POSITION-SERIAL.ack": several may belong to one position (acknowledgments of
 * parked messages are made long after their batch). The order of their names is that of publishing.
 *
 * Inside of ack/ only; whoever calls holds the outbox's mutex.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_OUTBOX_LIST_H
#define MQTT2PG_ACK_OUTBOX_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ack/outbox_file.h"

#define OUTBOX_NAME_BYTES 48

/* One file. */
struct outbox_entry {
    struct outbox_mark mark;
    unsigned serial;
    uint32_t count;     /* of its acknowledgments */
    uint32_t confirmed; /* published and confirmed of them; they come first */
    int64_t bytes;      /* of the file */
    bool due;           /* committed: to be published */

    /* Of the search for one that ends the connection (outbox.c). */
    uint32_t unsure;  /* it is one of so many: */
    uint32_t step;    /* they are published so many at a time */
    bool aside;       /* the last of it has ended a connection alone: the others go first */
    unsigned losses;  /* connections that it has ended since */
    int64_t again_ms; /* monotonic: not before */
    uint64_t others;  /* how many acknowledgments were confirmed when it was set aside */
};

/* Zero-initialized memory is an empty list. */
struct outbox_list {
    struct outbox_entry *entries; /* owned; ascending */
    size_t count;
    unsigned next_serial; /* higher than any in the list so far, and than those given since */
};

void outbox_list_fini(struct outbox_list *list);

void outbox_entry_name(char name[OUTBOX_NAME_BYTES], const struct outbox_entry *entry);

/* Sets position and serial; false when the name is not one of ours. */
bool outbox_entry_parse(const char *name, struct outbox_entry *entry);

void outbox_list_add(struct outbox_list *list, const struct outbox_entry *entry);
void outbox_list_remove(struct outbox_list *list, size_t index);

/* The entry with the name of `wanted`, or NULL. Borrowed until the list changes. */
struct outbox_entry *outbox_list_find(struct outbox_list *list, const struct outbox_entry *wanted);

/* Acknowledgments that are due and not confirmed. */
uint64_t outbox_list_waiting(const struct outbox_list *list);

#endif
