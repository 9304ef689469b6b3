/*
 * loader_columns: adds columns for keys of the payload that no column takes, for rules with
 * add_columns = true.
 *
 *   batch built ─▶ a new key? ─▶ ALTER TABLE ─▶ added_columns ─▶ the bridge compiles the rules anew
 *        ▲                                                                    │
 *        └───────────── built again, now with the column ◀── new rules ◀──────┘
 *
 * So the first value of the key is stored too. When the column can't be added, the batch is stored
 * without it. Dead letters are read again instead of built again. Only load/ uses this module; the
 * loader's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_LOADER_COLUMNS_H
#define MQTT2PG_LOAD_LOADER_COLUMNS_H

#include "load/loader_state.h"

/* True: columns were added and the batch is dropped; false: it is to be stored. */
bool loader_add_columns(struct loader *loader);

/* The same for a portion of dead letters that retry_letters() has given back (STORE_AGAIN). True:
 * the portion waits for the new rules. Keys are looked for once a portion: `store` has no `untaken`
 * afterwards. */
bool loader_add_letter_columns(struct loader *loader, struct store *store);

#endif
