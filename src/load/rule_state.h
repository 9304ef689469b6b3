/*
 * rule_state: whether a rule's new messages become rows or parked letters.
 *
 * Messages of a rule that is PARKED, HELD, HEALING or RESUMING are set aside as parked letters.
 *
 *   UNREAD ──read──▶ WORKS ──table does not fit──▶ PARKED ──look: fits──▶ HEALING ──unpark──▶ WORKS
 *                      └──takes no rows now──────▶ HELD ────look: fits──▶ RESUMING ─unpark──▶ WORKS
 *
 * A refusal in HEALING or RESUMING leads back to PARKED or HELD. A read that finds letters parked
 * by an earlier process makes the rule HEALING instead of WORKS. HEALING and RESUMING differ in
 * patience: letters of a held rule are retried with short timeouts, so that a table that is still
 * locked does not stop the other rules. A rule that works also becomes HEALING or RESUMING while
 * letters of another rule for the same table are stored (load/rule_groups).
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
    RULE_RESUMING, /* like HEALING, but after HELD and with short timeouts */
};

/* Are its parked letters being stored, HEALING or RESUMING? */
bool rule_state_heals(enum rule_state state);

/* Is the rule HELD or RESUMING? If so, its statements have short timeouts. */
bool rule_state_is_held(enum rule_state state);

/* The state that follows for a rule that is set aside: _healing() when its letters can be stored,
 * _waiting() when they can't. */
enum rule_state rule_state_healing(enum rule_state state);
enum rule_state rule_state_waiting(enum rule_state state);

/* The state after the connection was lost while the catalog was read: rule_targets_read() decides
 * anew. */
enum rule_state rule_state_unread(enum rule_state state);

#endif
