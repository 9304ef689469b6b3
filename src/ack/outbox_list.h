/*
 * outbox_list: which files of acknowledgments there are, in the order of publishing.
 *
 * A file is called "POSITION-SERIAL.ack". One position may have several files, because the
 * acknowledgments of parked messages are made long after their batch. Files are published in the
 * order of their turns, which after a start is the order of their names.
 *
 * Only ack/ uses this module. The caller holds the outbox's mutex.
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

/* At most this many entries are OUTBOX_ASIDE, because each is a file of its own. */
#define OUTBOX_ASIDE_MAX 64

enum outbox_state {
    /* the transaction is under way; outbox_commit() and outbox_settle() make the file due */
    OUTBOX_WRITTEN,
    OUTBOX_DUE, /* published many acknowledgments at a time */
    /* published one at a time, because a connection ended while many were under way; due again
     * when the broker has confirmed `alone` of them */
    OUTBOX_ALONE,
    /* holds one acknowledgment: a connection ended while only this one was under way */
    OUTBOX_ASIDE,
};

/* One file. */
struct outbox_entry {
    struct outbox_mark mark;
    unsigned serial;
    uint64_t turn;  /* the lowest turn is published next; 0 = outbox_list_add() assigns one */
    uint32_t count; /* acknowledgments in the file */
    /* acknowledgments at the front of the file that are confirmed, moved aside or given up */
    uint32_t confirmed;
    int64_t bytes; /* size of the file */
    enum outbox_state state;

    uint32_t alone;  /* OUTBOX_ALONE: acknowledgments still to be published one at a time */
    unsigned losses; /* connections that ended while only the next acknowledgment was under way */
    uint64_t others; /* OUTBOX_ASIDE: `confirmed` of struct outbox when the entry was set aside */
};

/* Zero-initialized memory is an empty list. */
struct outbox_list {
    struct outbox_entry *entries; /* owned; ascending by name */
    size_t count;
    unsigned next_serial; /* the serial of the next file: higher than all serials used so far */
    uint64_t next_turn;   /* the highest turn assigned so far; 0 = none */
};

void outbox_list_fini(struct outbox_list *list);

void outbox_entry_name(char name[OUTBOX_NAME_BYTES], const struct outbox_entry *entry);

/* Reads position and serial out of a file name. False when the name is not one of ours. */
bool outbox_entry_parse(const char *name, struct outbox_entry *entry);

/* Inserts a copy of the entry and assigns the next turn when `turn` is 0. */
void outbox_list_add(struct outbox_list *list, const struct outbox_entry *entry);
void outbox_list_remove(struct outbox_list *list, size_t index);

/* The entry with the name of `wanted`, or NULL. Borrowed until the list changes. */
struct outbox_entry *outbox_list_find(struct outbox_list *list, const struct outbox_entry *wanted);

/* Assigns turns in the order of the names: a start finds the files in any order. */
void outbox_list_number(struct outbox_list *list);

/* The entry to publish next; NULL when no entry is due. Borrowed until the list changes. */
struct outbox_entry *outbox_list_first(struct outbox_list *list);

/* The number of entries in state OUTBOX_ASIDE. */
size_t outbox_list_aside(const struct outbox_list *list);

/* Asserts the invariants that hold whenever the mutex is free. */
void outbox_list_check(const struct outbox_list *list);

/* The number of acknowledgments that are due and not confirmed. */
uint64_t outbox_list_waiting(const struct outbox_list *list);

#endif
