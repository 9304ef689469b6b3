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

/* How many entries may stand aside: each has a file of its own. */
#define OUTBOX_ASIDE_MAX 64

enum outbox_state {
    /* its transaction is under way: outbox_commit() and outbox_settle() make it due */
    OUTBOX_WRITTEN,
    OUTBOX_DUE, /* published many at a time */
    /* one at a time: a connection has ended with many of them under way; due again after `alone` */
    OUTBOX_ALONE,
    OUTBOX_ASIDE, /* holds one acknowledgment, which has ended a connection alone */
};

/* One file. */
struct outbox_entry {
    struct outbox_mark mark;
    unsigned serial;
    uint64_t turn;  /* the lowest is published next; 0 = outbox_list_add() gives the next one */
    uint32_t count; /* of its acknowledgments */
    /* how many, from the front, are done with: confirmed, moved aside or given up */
    uint32_t confirmed;
    int64_t bytes; /* of the file */
    enum outbox_state state;

    uint32_t alone;  /* OUTBOX_ALONE: how many still go one at a time */
    unsigned losses; /* connections that the next acknowledgment has ended alone */
    uint64_t others; /* OUTBOX_ASIDE: how many had been confirmed by then (struct outbox) */
};

/* Zero-initialized memory is an empty list. */
struct outbox_list {
    struct outbox_entry *entries; /* owned; ascending */
    size_t count;
    unsigned next_serial; /* higher than any in the list so far, and than those given since */
    uint64_t next_turn;   /* higher than any in the list */
};

void outbox_list_fini(struct outbox_list *list);

void outbox_entry_name(char name[OUTBOX_NAME_BYTES], const struct outbox_entry *entry);

/* Sets position and serial; false when the name is not one of ours. */
bool outbox_entry_parse(const char *name, struct outbox_entry *entry);

/* Gives the next turn to an entry that has none. */
void outbox_list_add(struct outbox_list *list, const struct outbox_entry *entry);
void outbox_list_remove(struct outbox_list *list, size_t index);

/* The entry with the name of `wanted`, or NULL. Borrowed until the list changes. */
struct outbox_entry *outbox_list_find(struct outbox_list *list, const struct outbox_entry *wanted);

/* Gives turns in the order of the names, after files were found in any order. */
void outbox_list_number(struct outbox_list *list);

/* The entry whose turn it is; NULL when none is to be published. Borrowed until the list
 * changes. */
struct outbox_entry *outbox_list_first(struct outbox_list *list);

/* How many stand aside. */
size_t outbox_list_aside(const struct outbox_list *list);

/* Asserts what must hold whenever the mutex is free. */
void outbox_list_check(const struct outbox_list *list);

/* Acknowledgments that are due and not confirmed. */
uint64_t outbox_list_waiting(const struct outbox_list *list);

#endif
