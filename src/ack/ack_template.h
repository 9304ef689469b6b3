/*
 * ack_template: a rule's `ack` group, compiled. Makes topic and JSON payload of an acknowledgment
 * from a message and its result.
 *
 * The payload is one object with the fields in the order in which they stand: numbers with every
 * digit, objects and arrays as the JSON they came as, times in RFC 3339, bytes as text where they
 * are UTF-8 and in hexadecimal digits where they are not, null where there is nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_ACK_ACK_TEMPLATE_H
#define MQTT2PG_ACK_ACK_TEMPLATE_H

#include "ack/ack_batch.h"
#include "base/arena.h"
#include "base/problems.h"
#include "core/rule_options.h"
#include "map/expression.h"

struct ack_template;

/* Reports mistakes in the topic (unknown capture, not publishable) and the fields, each at its
 * place; NULL then. The topic is text with {captures}, or "@response_topic" (MQTT 5). Fields
 * default to { status = "@status"; reason = "@reason"; } when none are given. Copies what it needs;
 * `scope` is the rule's, whether or not in_ack is set in it. */
struct ack_template *ack_template_compile(const struct ack_options *options, const char *rule,
                                          const struct scope *scope, struct problems *problems);
void ack_template_free(struct ack_template *ack); /* NULL is legal */

bool ack_template_wants(const struct ack_template *ack, bool stored);
bool ack_template_uses_payload(const struct ack_template *ack);

/* Does a field take @rows? Then the acknowledgment can be made only when the rows are stored. */
bool ack_template_uses_rows(const struct ack_template *ack);

/* Appends the acknowledgment for this subject (subject.ack is set) to the batch. Nothing is
 * appended when there is no topic to publish to: no response topic, or a capture that is null or
 * makes an unpublishable topic. A field whose expression rejects is null: an acknowledgment must
 * not fail. Arguments are for this call only. */
void ack_template_append(const struct ack_template *ack, const struct subject *subject,
                         struct arena *arena, struct ack_batch *batch);

/* Where subject.ack says `rows_later`, ack_template_append() leaves a hole for each field that
 * takes @rows. Appends such a payload to `out` with the holes filled, now that `rows` are stored.
 * The arena is for this call only. */
void ack_template_fill(const struct ack_template *ack, struct slice payload, uint64_t rows,
                       struct arena *arena, struct buf *out);

#endif
