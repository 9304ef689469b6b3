/*
 * journal_damage: copies bytes that can't be read as records into the directory "damaged/" and logs
 * the damage.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_JOURNAL_JOURNAL_DAMAGE_H
#define MQTT2PG_JOURNAL_JOURNAL_DAMAGE_H

#include "journal/journal_internal.h"

/* Bytes [from, to) of a segment that are no record. */
struct journal_damage {
    const char *event; /* a constant, for the log */
    enum log_level level;
    uint64_t segment; /* its first sequence */
    int fd;
    int64_t from;
    int64_t to;
};

/* Copies the bytes into damaged/ and logs the damage, once; a failure to copy is only logged. */
void journal_keep_damage(const struct journal *journal, const struct journal_damage *damage);

#endif
