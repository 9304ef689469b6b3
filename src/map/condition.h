/*
 * condition: one line of `where`: `expression OP constant` with = != < <= > >=, or `expression is
 * null`, `expression is not null`.
 *
 * Numbers compare by value, exactly (12 = 12.0, 2^53 < 2^53+1); text by bytes; times with times or
 * with a text constant in RFC 3339; false < true. Values of different kinds are unequal and neither
 * is less. For null only `is null` and `!=` hold. Pure.
 *
 * As there are no constants for them, bytes compare with a text constant by bytes. A "::type" has a
 * value compare as the type's values do where it can: the text "21.5" as a number under ::numeric,
 * a number as text under ::text, a text in RFC 3339 as time under ::timestamptz.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_CONDITION_H
#define MQTT2PG_MAP_CONDITION_H

#include "map/expression.h"

struct condition;

/* OUTCOME_REJECT with a message that points at the place, as expression_compile(). */
enum outcome condition_compile(struct slice text, const struct scope *scope,
                               struct condition **condition, struct error *error) MUST_CHECK;
void condition_free(struct condition *condition);

/* OUTCOME_REJECT when its expression rejects. */
enum outcome condition_holds(const struct condition *condition, const struct subject *subject,
                             struct arena *arena, bool *holds, struct error *error) MUST_CHECK;

bool condition_uses_payload(const struct condition *condition);

/* Is it certain that it never holds: a constant that is not so, or a capture, which is text,
 * compared with a number? */
bool condition_is_never(const struct condition *condition);

/* Is it certain that they never hold together: "$.a = 1" and "$.a = 2"? Only what can be told from
 * constants of one kind. */
bool conditions_exclude(const struct condition *left, const struct condition *right);

#endif
