/*
 * proposal_columns: the columns of a proposed rule that come from the payload, and the rule's
 * format and rows. Only for files of learn/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_PROPOSAL_COLUMNS_H
#define MQTT2PG_LEARN_PROPOSAL_COLUMNS_H

#include "learn/maker.h"

/* Adds the columns and sets format, compression, rows and the format's group of settings. The
 * captures must have their columns already: a member with the name of a capture then gets another
 * name, and not the capture. */
void maker_add_payload(struct maker *maker);

#endif
