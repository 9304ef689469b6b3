/*
 * loader_later: retries letters that may pass later: the row for a foreign key is still to come (a
 * registry of devices), or a partition is still to be made. For rules with `retry_for`; a portion
 * at a time, between batches.
 *
 * A row that was refused in a part of a batch that was cut may refer to a row of the rest. The
 * letter of such a row is tried once when the rest is stored, whether the rule has `retry_for` or
 * not.
 *
 * A letter that waits is neither acknowledged nor counted as matched before its end is known: it is
 * stored, it is refused for another reason, or its time is over (batch_retries()).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_LATER_H
#define MQTT2PG_LOAD_LOADER_LATER_H

#include "load/loader_state.h"

/* in a portion; each letter that is refused again costs round trips */
#define LATER_LETTERS_MAX 100

/* To be called after a batch was committed. Notes which rules have letters that wait for the rest
 * of the batch; after the last part, makes these letters due. */
void loader_later_committed(struct loader *loader);

/* Retries a portion of the waiting letters when they are due. */
void loader_retry_later(struct loader *loader);

#endif
