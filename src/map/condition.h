/*
 * condition: one line of `where`.
 *
 *   condition   expression OP constant        = != < <= > >=
 *               expression [not] in (constant, …)
 *               expression [not] like 'pattern'      % any characters, _ one, \ before either
 *               expression ~ 'REGEX', !~ 'REGEX'     PCRE2, bounded (map/regex)
 *               expression is [not] null
 *   together    not, and, or (in this order), parentheses
 *
 * map/compare says how values compare. For null only `is null` and `!=` hold, and what `not`, `not
 * in`, `not like` and `!~` negate. With "::type" a value compares like values of that type, if it
 * can: a number as text under ::text, a text as time under ::timestamptz. like and ~ look at text,
 * at the digits of a number, and at bytes. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_CONDITION_H
#define MQTT2PG_MAP_CONDITION_H

#include "map/expression.h"

struct condition;

/* Whether a condition holds. UNKNOWN only before the payload is decoded: a part of the condition
 * needs the payload. Unlike in SQL a comparison with null is never UNKNOWN:
 * "!=" holds and the others fail. */
enum truth { TRUTH_FAILS, TRUTH_HOLDS, TRUTH_UNKNOWN };

/* Compiles one line of `where`. The caller frees *condition. OUTCOME_REJECT with a message that
 * names the place in the text, as from expression_compile(). */
enum outcome condition_compile(struct slice text, const struct scope *scope,
                               struct condition **condition, struct error *error) MUST_CHECK;
void condition_free(struct condition *condition);

/* OUTCOME_REJECT when its expression rejects. */
enum outcome condition_holds(const struct condition *condition, const struct subject *subject,
                             struct arena *arena, bool *holds, struct error *error) MUST_CHECK;

/* Decides the condition before the payload is decoded, from topic, facts and the bare payload
 * alone. UNKNOWN also when an expression rejects: condition_holds() will report that. */
enum truth condition_early(const struct condition *condition, const struct subject *subject,
                           struct arena *arena);

/* Does any part of it need the decoded payload? */
bool condition_uses_payload(const struct condition *condition);

/* Can the condition never hold: a false comparison of constants, or a capture, which is text,
 * compared with true? */
bool condition_is_never(const struct condition *condition);

/* Can both never hold together, such as "$.a = 1" and "$.a = 2"? True only if constants of one kind
 * show it. */
bool conditions_exclude(const struct condition *left, const struct condition *right);

#endif
