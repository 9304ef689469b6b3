/*
 * loader_later: letters that may pass later are tried again: a foreign key whose row comes later
 * (a registry of devices), a partition that somebody has yet to make. For rules with `retry_for`,
 * a portion at a time between batches.
 *
 * A row that was refused in a part of a batch that was cut may refer to a row of the rest. Its
 * letter is tried once, when the rest is stored, whether the rule has `retry_for` or not.
 *
 * Such a letter is neither acknowledged nor counted as matched before its end is known: it is
 * stored, or refused for another reason, or its time is over (batch_retries()).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_LATER_H
#define MQTT2PG_LOAD_LOADER_LATER_H

#include "load/loader_state.h"

#define LATER_LETTERS_MAX 100 /* in a portion; each that is refused again costs round trips */

/* A batch was committed: notes which rules have letters that wait for the rest of it. Behind the
 * last part, their turn is now. */
void loader_later_committed(struct loader *loader);

/* A portion of the letters that may pass later, when it is time. */
void loader_retry_later(struct loader *loader);

#endif
