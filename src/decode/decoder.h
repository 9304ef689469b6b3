/*
 * decoder: payload bytes to a document, by the name of a rule's `format`. One row of decoders[] per
 * format. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODER_H
#define MQTT2PG_DECODE_DECODER_H

#include "base/arena.h"
#include "base/outcome.h"
#include "core/document.h"

struct decoder {
    const char *name;
    const char *help;         /* one line */
    const char *payload_type; /* of a column made from "$" alone */
    /* Makes the document in `arena`; it borrows `payload`. OUTCOME_REJECT with a reason that says
     * where ("byte 17: …") and never quotes the payload. */
    enum outcome (*decode)(struct slice payload, struct arena *arena, const struct node **root,
                           struct error *error);
};

extern const struct decoder decoders[];
extern const size_t decoder_count;

/* NULL when there is no such format. */
const struct decoder *decoder_find(struct slice name);

#endif
