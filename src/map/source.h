/*
 * source: the beginning of an expression, or an argument of a filter: a path into the payload, a
 * capture, a fact about the message, or a constant. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_SOURCE_H
#define MQTT2PG_MAP_SOURCE_H

#include "map/facts.h"
#include "map/parser.h"
#include "map/path.h"

enum source_kind {
    SOURCE_HERE,    /* "$" and its steps */
    SOURCE_OUTER,   /* "$^": the element `out` levels out, and its steps */
    SOURCE_PAYLOAD, /* "$$" and its steps */
    SOURCE_CAPTURE, /* "{name}" */
    SOURCE_FACT,    /* "@name" */
    SOURCE_KEY,     /* "@key^": the key `out` levels out */
    SOURCE_CONSTANT,
};

/* One source, taken apart: only the members for its kind mean something. Lives in a parser's
 * arena. */
struct source {
    enum source_kind kind;
    unsigned out; /* at least 1 for OUTER and KEY */
    struct path_step *path;
    size_t capture;          /* index */
    bool partial;            /* of CAPTURE: null under some topics of the rule */
    const struct fact *fact; /* of FACT and KEY */
    struct slice name;       /* of the capture, or of fact->named */
    struct value constant;
};

/* Reads the source that stands next. */
enum outcome source_parse(struct parser *parser, struct source *source) MUST_CHECK;

/* Can a source begin here? For filters that take any number of them. */
bool source_begins(const struct parser *parser);

/* The value for this subject. OUTCOME_REJECT for a capture or fact that is not UTF-8. */
enum outcome source_take(const struct source *source, const struct subject *subject,
                         struct arena *arena, struct value *value, struct error *error) MUST_CHECK;

/* The type that a column made from it gets. */
const char *source_type(const struct source *source);

/* Does it look into the decoded payload? */
bool source_uses_payload(const struct source *source);

/* Is it a capture that some topics of the rule do not have? */
bool source_is_partial(const struct source *source);

/* Can it differ between the rows of one message? */
bool source_varies_by_row(const struct source *source);

#endif
