/*
 * copies_recall: judges the copies in front of some place of the journal once more.
 *
 * Which copy of a message counts depends on the messages before it (route/copies). So whoever
 * begins to read in the middle of the journal judges the last COPIES_REACH messages in front first,
 * new copies the last COPIES_REACH_START, from the first that the journal still has. Of those that
 * the journal has deleted, new copies learn from its notes. Nothing is mapped or stored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_COPIES_RECALL_H
#define MQTT2PG_LOAD_COPIES_RECALL_H

#include "journal/journal_reader.h"
#include "load/ruleset.h"

/* For messages behind number `upto`, which `copies` forgets. Without a journal (NULL) no notes are
 * read: a replay sends again what the journal has, whatever was deleted. Leaves the reader
 * anywhere. */
void copies_recall(struct journal_reader *reader, struct journal *journal,
                   const struct ruleset *ruleset, struct copies *copies, uint64_t upto);

#endif
