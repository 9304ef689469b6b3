/*
 * copies_recall: brings `copies` up to some place of the journal.
 *
 * Which copy of a message counts depends on the messages before it (route/copies). So before a
 * caller reads on in the middle of the journal, this function shows `copies` the COPIES_REACH
 * messages in front of that place once more (COPIES_REACH_START for a new struct), as far as the
 * journal still has them. For deleted messages it uses the journal's notes. Nothing is mapped or
 * stored.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_COPIES_RECALL_H
#define MQTT2PG_LOAD_COPIES_RECALL_H

#include "journal/journal_reader.h"
#include "load/ruleset.h"

/* Prepares `copies` for the messages behind `upto`, which it forgets. Without a journal (NULL) no
 * notes are read: a replay sends again what the journal has, whatever was deleted. The reader's
 * place is undefined afterwards. */
void copies_recall(struct journal_reader *reader, struct journal *journal,
                   const struct ruleset *ruleset, struct copies *copies, uint64_t upto);

#endif
