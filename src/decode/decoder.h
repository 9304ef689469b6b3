/*
 * decoder: payload bytes to a document, by the name of a rule's `format`. One row of decoders[] per
 * format. Pure; only prepare() may read a file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_DECODE_DECODER_H
#define MQTT2PG_DECODE_DECODER_H

#include "base/arena.h"
#include "base/outcome.h"
#include "core/document.h"
#include "core/format_options.h"
#include "core/memory.h"

/* Everything that a document may depend on; all borrowed. The same input always gives the same
 * document, also when a dead letter is retried later. */
struct decode_input {
    struct slice payload; /* decompressed */
    struct slice topic;
    uint64_t sequence;                    /* of the message in its journal; 0 = in none */
    uint8_t broker;                       /* that it came from (core/message); 0 = unknown */
    const struct memory *memory;          /* what was learned before; NULL = nothing */
    const struct format_options *options; /* of the rule; NULL where the format has none */
    const void *state;                    /* what prepare() made of them */
    /* A dead letter: where nothing was learned before it, what was learned later counts. */
    bool late;
};

/* One format: what it is called, and its functions. A row of decoders[]. */
struct decoder {
    const char *name;
    const char *help;         /* one line */
    const char *payload_type; /* of a column made from "$" alone */
    bool has_members;         /* "$" may be an array or object */
    bool is_rows;             /* "$" is an array: one element for each line of the payload */
    bool is_text;             /* no payload begins like a compressed one */
    bool names_fixed;         /* the members of "$" and of its elements have the format's names */
    /* Makes the document in `arena`; it borrows the payload. OUTCOME_REJECT with a reason that says
     * where ("byte 17: …") and never quotes the payload. *root is NULL when the message means
     * nothing (any more): it counts as filtered. */
    enum outcome (*decode)(const struct decode_input *input, struct arena *arena,
                           const struct node **root, struct error *error);
    /* Checks the options and makes what decode() needs of them. OUTCOME_REJECT with `error` and
     * `place`, which names the option at fault. NULL: nothing is to be made. */
    enum outcome (*prepare)(const struct format_options *options, void **state, struct place *place,
                            struct error *error);
    void (*release)(void *state); /* may be NULL */
    /* What later messages need of this one; false: nothing. The entry lies in `arena`. NULL for
     * formats without state. Called for each message before it is decoded. */
    bool (*learn)(const struct decode_input *input, struct arena *arena,
                  struct memory_entry *entry);
};

extern const struct decoder decoders[];
extern const size_t decoder_count;

/* NULL when there is no such format. */
const struct decoder *decoder_find(struct slice name);

#endif
