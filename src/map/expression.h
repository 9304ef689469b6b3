/*
 * expression: `source [ | filter [arguments] ]… [ :: type ]`, compiled once, evaluated for each
 * message.
 *
 * The language (config/README.md, "Expressions"): sources are paths into the payload
 * (`$.a.b[0]['odd key']`, `$$.a` inside rows), captures (`{name}`), facts about the message
 * (`@topic` …) and constants; filters are rows of the table in filters.h. Pure; a compiled
 * expression may be used by several threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_EXPRESSION_H
#define MQTT2PG_MAP_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/outcome.h"
#include "core/value.h"
#include "map/subject.h"

struct path_uses;

/* The names that an expression may use at its place. */
struct scope {
    const char *const *captures; /* names, in the order of subject.captures */
    size_t capture_count;
    const bool *partial; /* of each: some topic of the rule does not have it; NULL: none is such */
    size_t row_levels;   /* wildcards in `rows`: 0 outside of it, where "@key" is not known */
    bool in_ack;         /* "@status" and its like are known */
    struct path_uses *uses; /* collects each path into the payload; NULL: not needed */
};

struct expression;

/*
 * OUTCOME_REJECT with a message for the author, which names the place in the text and the word that
 * was probably meant:
 *   unknown filter "unix" at character 8 (did you mean unix_s, unix_ms, unix_us, unix_ns?)
 * Characters count from 1. Copies what it needs of `text` and `scope`.
 */
enum outcome expression_compile(struct slice text, const struct scope *scope,
                                struct expression **expression, struct error *error) MUST_CHECK;
void expression_free(struct expression *expression);

/*
 * The value for this subject, in `arena` or borrowed from the subject. OUTCOME_REJECT when a
 * filter can't do its work ("required: missing", "unix_ms: text is not a number"); the reason
 * may quote up to 40 characters of the value. A capture, topic or property that is not UTF-8 is
 * rejected, too: a TEXT always is.
 */
enum outcome expression_evaluate(const struct expression *expression, const struct subject *subject,
                                 struct arena *arena, struct value *value,
                                 struct error *error) MUST_CHECK;

/* Does it need the decoded payload? */
bool expression_uses_payload(const struct expression *expression);

/* The text behind "::", or NULL. */
const char *expression_declared_type(const struct expression *expression);

/* The type that a column made from this expression gets without "::": "text" of a capture,
 * "timestamptz" of unix_… and @received_at, "boolean" of @retain, "smallint" of @qos, "bytea" of
 * @payload, hex, base64, "numeric" of scale, offset and round, "bigint" of @message_expiry and
 * @rows, "jsonb" of "$" alone and `json`, "numeric" and "boolean" of such constants, else
 * "text". */
const char *expression_inferred_type(const struct expression *expression);

/* Is it "$" as decoded, so that its type is the format's (struct decoder)? */
bool expression_is_payload(const struct expression *expression);

/* Is it a constant (null included, filters applied: one that fails does not compile), and which?
 * `value` may be NULL; it borrows. For check: a column fed by nothing but null. */
bool expression_is_constant(const struct expression *expression, struct value *value);

/* For warnings. The name of the fact that the expression begins with ("property",
 * "response_topic"), or NULL. */
const char *expression_fact_name(const struct expression *expression);

/* Does it look inside the payload: "$.a", "$$[0]"? */
bool expression_is_member(const struct expression *expression);

/* Is its place in the payload a member of "$" itself: "$.a", but not "$[0].a"? */
bool expression_is_named_member(const struct expression *expression);

/* Is it a place in the payload and nothing more: no filter and no "::type"? */
bool expression_is_bare_member(const struct expression *expression);

/* Can it differ between the rows of one message? */
bool expression_varies_by_row(const struct expression *expression);

/* Does it take @rows, which is known only when the rows are stored? *alone: besides that it takes
 * constants, so it can be evaluated for a subject of which only `ack` is set. */
bool expression_uses_rows(const struct expression *expression, bool *alone);

/* Is it a capture just as it came: text or null? */
bool expression_is_bare_capture(const struct expression *expression);

#endif
