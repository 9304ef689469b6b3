/*
 * shape: what was seen at one place of many payloads: how often, of which kinds, with which
 * members. Pure.
 *
 * A shape is a tree like the documents that it was fed with. It keeps no value, only what decides
 * about a column: are all numbers whole, do all texts look like a time. Its size is bounded:
 * members of one object, depth, and a budget for all shapes together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LEARN_SHAPE_H
#define MQTT2PG_LEARN_SHAPE_H

#include <stdint.h>

#include "base/arena.h"
#include "core/document.h"

/* An object with more than SHAPE_MEMBERS_MAX members probably has data in its names, like a map of
 * serial numbers: it is stored as one jsonb value. Below SHAPE_DEPTH_MAX levels, and behind the
 * first SHAPE_ELEMENTS_MAX elements of an array, nothing is looked at. */
enum { SHAPE_MEMBERS_MAX = 100, SHAPE_DEPTH_MAX = 6, SHAPE_ELEMENTS_MAX = 200 };

/* Forms of a text, as bits: a text may have several. */
enum shape_form {
    FORM_TIMESTAMP = 1, /* date and time, RFC 3339 or PostgreSQL's ISO form */
    FORM_DATE = 2,
    FORM_UUID = 4,
    FORM_NUMBER = 8,   /* a JSON number */
    FORM_BOOLEAN = 16, /* true, false */
    FORM_ZONED = 32,   /* a date and time with its offset from UTC */
};
/* How many forms and clocks there are: one counter for each. */
enum { SHAPE_FORMS = 6, SHAPE_CLOCKS = 4 };

/* Units in which a number may count from 1970-01-01 to a time between 2001 and 2099, as bits. The
 * ranges do not overlap, so a number is a time in one unit at most. */
enum shape_clock { CLOCK_S = 1, CLOCK_MS = 2, CLOCK_US = 4, CLOCK_NS = 8 };

struct shape {
    char *key;              /* owned; of an object's member, else NULL; may hold NUL */
    size_t key_length;      /* bytes */
    struct shape *next;     /* owned; the next member of the same object */
    struct shape *members;  /* owned; of objects, in the order in which they first came */
    struct shape *elements; /* owned; of arrays: all elements together */
    size_t member_count;
    uint64_t kinds[VALUE_OBJECT + 1]; /* how often it was of each kind */
    uint64_t seen;                    /* how often the member was there, also as null */
    bool closed;                      /* too many or too deep: members are not looked at any more */
    bool whole;                       /* no number had a point or an exponent */
    bool int64;                       /* every number fits bigint */
    bool float8;                      /* every number is exactly what a float8 prints */
    uint64_t forms[SHAPE_FORMS];      /* how many texts had which form, by its bit */
    uint64_t clocks[SHAPE_CLOCKS];    /* how many numbers were a time in which unit, by its bit */
};

/* Are `count` of `total` values enough to decide about a column? All of them are, or 95 % when
 * there are twenty or more: one broken value must not change the type. */
bool shape_is_most(uint64_t count, uint64_t total);

/* The forms that most texts have, and the units that most numbers are times in. */
unsigned shape_forms(const struct shape *shape);
unsigned shape_clocks(const struct shape *shape);

/* Asserts the invariants of a shape and of all below it:
 *   1. it was seen as often as its kinds were counted;
 *   2. forms are of texts and clocks of numbers, so none is counted more often than those;
 *   3. member_count is the length of `members`, at most SHAPE_MEMBERS_MAX, each with a key;
 *   4. only an object that is not closed has members, and only arrays have elements. */
void shape_check(const struct shape *shape);

/* How many more shapes may be made. Messages could otherwise fill memory with new names. `exceeded`
 * is set when a shape was not made for this reason. */
struct shape_budget {
    size_t left;
    bool exceeded;
};

/* A shape that has seen nothing. `key` is copied; {0} for the root of a payload and for elements.
 * shape_free() also frees all members, elements and following siblings. */
struct shape *shape_new(struct slice key);
void shape_free(struct shape *shape);

/* Takes one value in, with everything below it. `scratch` holds the text of a number while it is
 * converted. */
void shape_take(struct shape *shape, const struct node *node, struct shape_budget *budget,
                struct arena *scratch);

/* Adds what `from` has seen, as if all of it had been seen by `into`. Takes `from`. */
void shape_merge(struct shape *into, struct shape *from);

/* The member with this name, or NULL. */
struct shape *shape_member(const struct shape *shape, struct slice key);

/* Was each value of this kind or null, and at least one of this kind? */
bool shape_is_only(const struct shape *shape, enum value_kind kind);

#endif
