/*
 * recognise: which format a payload has, by its content type, its topic and by trying. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_RECOGNISE_H
#define MQTT2PG_LEARN_RECOGNISE_H

#include "base/arena.h"
#include "core/document.h"
#include "core/format_options.h"
#include "core/message.h"

/* How the payloads of a topic are written. Compared member by member. */
struct payload_form {
    const char *format; /* a name of decode/decoder; NULL: none that has members */
    enum compression compression;
    char delimiter;   /* of csv */
    bool header;      /* of csv: the first line has names, else columns are c1, c2, … */
    uint32_t columns; /* of csv */
};

struct recognised {
    struct payload_form form;
    struct slice payload;    /* decompressed */
    const struct node *root; /* an object or array, or any JSON; NULL: nothing was decoded */
};

bool payload_form_same(const struct payload_form *left, const struct payload_form *right);

/* What the message is; lies in `arena` and borrows the message. Protocol Buffers are known by their
 * content type and Sparkplug B by its topic; neither is decoded. A text is CSV only with a number
 * in it, and three columns or two lines. */
struct recognised recognise(const struct message *message, struct arena *arena);

/* The compression that the first bytes tell of. */
enum compression recognise_compression(struct slice payload);

#endif
