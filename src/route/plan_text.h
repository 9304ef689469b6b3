/*
 * plan_text: plans as text, for the file "plans" of the journal's directory.
 *
 *   mqtt2pg plans 1
 *   plan 7 4711 1795405962000000                        number, behind, made
 *   subscription 7 0 3 1 1 23481723 19 devices/+/telemetry
 *                born, gone (0: never), rank, qos, retain handling, identifier, bytes, filter
 *   covered 7 0 4 1 1 9120331 21 devices/one/telemetry        the same, of one that is left out
 *   end
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_PLAN_TEXT_H
#define MQTT2PG_ROUTE_PLAN_TEXT_H

#include "base/buf.h"
#include "route/plan.h"

void plans_to_text(const struct plans *plans, struct buf *out);

/* Reads the text of plans_to_text(). NULL when the text is not whole or makes no sense.
 * `last` is the number of the journal's newest message. A journal that
 * lost its end (a power loss) may know fewer messages than the plans do; a plan made behind a
 * message that was lost counts as made behind `last`. The caller's to free. */
struct plans *plans_from_text(const char *text, uint64_t last);

#endif
