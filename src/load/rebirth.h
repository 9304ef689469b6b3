/*
 * rebirth: asks edge nodes of Sparkplug B for a new BIRTH, by the rules' `sparkplug.rebirth`.
 *
 * "unknown": DATA came of an edge node or device whose BIRTH is not known, or with a metric that is
 * not in it. "gap": also when the sequence numbers of an edge node have a hole. An edge node is
 * asked once in REBIRTH_INTERVAL_S at most, and only because of a message that has just come: for a
 * backlog of hours no node is asked. A batch that is built again asks no second time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_REBIRTH_H
#define MQTT2PG_LOAD_REBIRTH_H

#include "ack/ack_batch.h"
#include "base/arena.h"
#include "core/message.h"
#include "decode/decoder.h"

#define REBIRTH_INTERVAL_S 60

/* The most edge nodes that are watched at a time; a new one replaces the one that was silent
 * longest. With names of 1 KB they take 16 MB. */
#define REBIRTH_EDGES_MAX 16384

struct rebirth;

/* `rule` is named in the metrics of what is published; borrowed. */
struct rebirth *rebirth_new(enum rebirth_policy policy, const char *rule);
void rebirth_free(struct rebirth *rebirth);

/* All borrowed. */
struct rebirth_look {
    const struct message *message;
    const struct decode_input *input; /* the message with its payload decompressed */
    int64_t now_us;                   /* wall clock */
};

/* Looks at a message. True: `ack` is the command to publish, in `arena`. */
bool rebirth_wanted(struct rebirth *rebirth, const struct rebirth_look *look, struct arena *arena,
                    struct ack *ack);

#endif
