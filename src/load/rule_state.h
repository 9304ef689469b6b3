/*
 * rule_state: what becomes of a rule's new messages: rows, or parked letters.
 *
 * Messages of a rule that is PARKED, HELD, HEALING or RESUMING are set aside as parked letters.
 *
 *   UNREAD ──read──▶ WORKS ──table does not fit──▶ PARKED ──look: fits──▶ HEALING ──unpark──▶ WORKS
 *                      └──takes no rows now──────▶ HELD ────look: fits──▶ RESUMING ─unpark──▶ WORKS
 *
 * A refusal in HEALING or RESUMING leads back to PARKED or HELD. A read that finds letters parked
 * by an earlier process makes the rule HEALING instead of WORKS. The two ways differ in patience:
 * what is held is retried with short timeouts, so that a table that is still locked does not stop
 * the others. A rule that works becomes HEALING or RESUMING, too, while letters of another rule for
 * the same table are stored (load/rule_groups).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULE_STATE_H
#define MQTT2PG_LOAD_RULE_STATE_H

#include <stdbool.h>

enum rule_state {
    RULE_UNREAD,   /* the catalog was not read yet; rule_targets_read() ends it */
    RULE_WORKS,    /* rows go to the table; rule_targets_park() and _hold() end it */
    RULE_PARKED,   /* the table does not fit; rule_targets_look() makes it HEALING when it does */
    RULE_HELD,     /* the table takes no rows now; rule_targets_look() makes it RESUMING */
    RULE_HEALING,  /* its parked letters are being stored; rule_targets_unpark() makes it WORKS */
    RULE_RESUMING, /* like HEALING, behind HELD, and with short timeouts */
};

/* Are its parked letters being stored, HEALING or RESUMING? */
bool rule_state_heals(enum rule_state state);

/* Was it held, HELD or RESUMING? Then it has little patience. */
bool rule_state_is_held(enum rule_state state);

/* The state of a rule that is set aside, when its letters can be stored, and when they can't. */
enum rule_state rule_state_healing(enum rule_state state);
enum rule_state rule_state_waiting(enum rule_state state);

/* The connection was lost while the catalog was asked: rule_targets_read() decides anew. */
enum rule_state rule_state_unread(enum rule_state state);

#endif
