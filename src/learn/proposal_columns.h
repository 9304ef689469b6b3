/*
 * proposal_columns: the columns of a proposed rule that come of the payload, and the rule's format
 * and rows. Inside of learn/ only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_PROPOSAL_COLUMNS_H
#define MQTT2PG_LEARN_PROPOSAL_COLUMNS_H

#include "learn/maker.h"

/* Adds all of them. The maker's topic has its columns already, so that a member of the payload with
 * the name of a capture gets another one. */
void maker_add_payload(struct maker *maker);

#endif
