/*
 * decode_sparkplug: the format "sparkplug_b": Sparkplug B 3.0, as a consumer.
 *
 *   {timestamp, seq, group, edge, device, type, metrics: [{name, alias, value, datatype, timestamp,
 *    is_null, is_historical, is_transient, properties}]}
 *
 * The topic says group, edge node, type and device ("device" is null for the edge node itself).
 * Names and datatypes of DATA come from the BIRTH that came before it (core/memory): an NBIRTH ends
 * what was known of the edge node and its devices, a DBIRTH what was known of that device. Values
 * are exact and signed by their datatype. A DataSet is an array of objects, a Template an object
 * with its metrics, an array datatype an array.
 *
 * A DATA message with a metric that no BIRTH tells of is rejected with a reason that says why: a
 * dead letter keeps it whole, and a retry may use the BIRTH that came behind it. Parking would hold
 * up all edge nodes for one. A BIRTH of another broker counts only where the rule says that all are
 * one cluster. A BIRTH that can't be read, or is too large to be remembered, ends what was known as
 * any other does: aliases of the BIRTH before it would name other metrics.
 *
 * An NDEATH of an earlier session (its bdSeq is not that of the last NBIRTH) gives no document: it
 * counts as filtered.
 *
 * Sequence numbers (seq, modulo 256) are no reason to reject: a hole means that a message is
 * missing, and this one is still right. load/rebirth asks for a new BIRTH there.
 *
 * STATE of a host application is {timestamp, type: "STATE", host, online}.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODE_SPARKPLUG_H
#define MQTT2PG_DECODE_DECODE_SPARKPLUG_H

#include "decode/decoder.h"

enum outcome decode_sparkplug(const struct decode_input *input, struct arena *arena,
                              const struct node **root, struct error *error) MUST_CHECK;

/* A BIRTH: what is to be remembered of it. */
bool decode_sparkplug_learn(const struct decode_input *input, struct arena *arena,
                            struct memory_entry *entry);

/* DATA with a metric that a new BIRTH would explain, or of an edge node or device without one. */
bool decode_sparkplug_wants_birth(const struct decode_input *input, struct arena *arena);

#endif
