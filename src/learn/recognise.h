/*
 * recognise: which format a payload has. Pure.
 *
 * Asked in this order: is it a topic of Sparkplug B, does the message name a content type (MQTT 5),
 * and which decoder accepts the whole payload? Compressed payloads are decompressed first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_RECOGNISE_H
#define MQTT2PG_LEARN_RECOGNISE_H

#include "base/arena.h"
#include "core/document.h"
#include "core/format_options.h"
#include "core/message.h"

/* How the payloads of a topic are written. Two forms are the same when all members are: see
 * payload_form_same(). */
struct payload_form {
    const char *format; /* a name of decode/decoder; NULL: a text or bytes */
    enum compression compression;
    char delimiter;   /* of csv */
    bool header;      /* of csv: the first line has names, else columns are c1, c2, … */
    uint32_t columns; /* of csv without a header; else 0 */
};

struct recognised {
    struct payload_form form;
    struct slice payload;    /* decompressed */
    const struct node *root; /* an object or array, or any JSON; NULL: nothing was decoded */
};

bool payload_form_same(const struct payload_form *left, const struct payload_form *right);

/* What the message is. The result lies in `arena` and borrows the message. Protocol Buffers are
 * recognised by their content type, or guessed when no other format fits, and Sparkplug B by its
 * topic; neither is decoded. A text counts as CSV only when it holds a number and has three columns
 * or two lines: "Hello, world" is a text. */
struct recognised recognise(const struct message *message, struct arena *arena);

#endif
