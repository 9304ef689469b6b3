/*
 * topic_filter: a rule's topic, "devices/{device}/telemetry" or "home/{room}/{rest...}", compiled.
 *
 * A level is a literal, "+", "{name}" (takes one level), and as the last one "#" or "{name...}"
 * (takes the rest, with its slashes). Levels are matched as MQTT 5.0, section 4.7 says: case
 * sensitive, empty levels are levels, "#" also matches its parent (a "{name...}" is then null), and
 * a wildcard at the first level does not match topics that begin with "$". Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ROUTE_TOPIC_FILTER_H
#define MQTT2PG_ROUTE_TOPIC_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/outcome.h"
#include "base/slice.h"
#include "core/mqtt_filter.h"

struct topic_filter;

/* OUTCOME_REJECT with a reason that names the level when the text is no topic filter: empty, longer
 * than 65,535 bytes, invalid UTF-8, NUL, a wildcard that does not stand alone in its level, "#" or
 * "{x...}" before the end, a name twice, a name that is no identifier ([A-Za-z_][A-Za-z0-9_]*).
 * Copies the text. */
enum outcome topic_filter_compile(struct slice text, struct topic_filter **filter,
                                  struct error *error) MUST_CHECK;
void topic_filter_free(struct topic_filter *filter);

/* The text that was compiled. */
const char *topic_filter_text(const struct topic_filter *filter);

/* The MQTT topic filter to subscribe with: "devices/+/telemetry". */
const char *topic_filter_mqtt(const struct topic_filter *filter);

/* The names of the captures, in their order in the filter. */
const char *const *topic_filter_captures(const struct topic_filter *filter, size_t *count);

/* Changes the list of captures to `names`, which must include the filter's own. A name that no
 * level has is null in every match. For a rule with several filters, whose expressions need the
 * captures in the same order whichever filter matches. Copies the names. */
void topic_filter_arrange(struct topic_filter *filter, const char *const *names, size_t count);

/* Does the topic match? If so, fills as many captures[i] as topic_filter_captures() counts; they
 * borrow `topic`. A capture that matched nothing has data == NULL. `captures` may be NULL. */
bool topic_filter_match(const struct topic_filter *filter, struct slice topic,
                        struct slice *captures);

#endif
