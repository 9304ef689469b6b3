/*
 * convert_case: a table of values and what becomes of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_CONVERT_CASE_H
#define MQTT2PG_CONVERT_CASE_H

#include "row/convert.h"
#include "row/copy_format.h"
#include "unit.h"

struct convert_case {
    const char *type;
    struct value value;
    const char *text;   /* PostgreSQL's text form; NULL: rejected */
    const char *reason; /* behind "column "c" (type): " */
};

#define NUMBER(literal) \
    { \
        .kind = VALUE_NUMBER, .text = SLICE_LITERAL(literal) \
    }
#define TEXT(literal) \
    { \
        .kind = VALUE_TEXT, .text = SLICE_LITERAL(literal) \
    }
#define BYTES(literal) \
    { \
        .kind = VALUE_BYTES, .text = SLICE_LITERAL(literal) \
    }
#define BOOLEAN(truth) \
    { \
        .kind = VALUE_BOOLEAN, .boolean = (truth) \
    }
#define TIME(us) \
    { \
        .kind = VALUE_TIME, .time_us = (us) \
    }
#define ARRAY(json) \
    { \
        .kind = VALUE_ARRAY, .text = SLICE_LITERAL(json) \
    }
#define OBJECT(json) \
    { \
        .kind = VALUE_OBJECT, .text = SLICE_LITERAL(json) \
    }

static inline struct column_shape column_of_type(const char *type)
{
    struct column_shape column = {.name = "c", .typmod = -1};
    CHECK(type_parse(slice_of(type), &column));
    return column;
}

static inline void check_case(const struct convert_case *each, struct arena *arena)
{
    struct column_shape column = column_of_type(each->type);
    struct datum datum;
    struct error error = {0};
    struct buf text = {0};
    char reason[ERROR_TEXT_MAX + 100] = "";
    enum outcome outcome = convert_value(&each->value, &column, arena, &datum, &error);
    CHECK_INT_EQ(outcome, each->text != NULL ? OUTCOME_OK : OUTCOME_REJECT);
    if (outcome == OUTCOME_OK) {
        datum_append_text(&text, &datum, &column);
        CHECK_SLICE_EQ(buf_slice(&text), each->text != NULL ? each->text : "a reason");
    } else if (each->reason != NULL) {
        snprintf(reason, sizeof(reason), "column \"c\" (%s): %s", column.type_name, each->reason);
        CHECK_TEXT_EQ(error.text, reason);
    } else {
        CHECK_TEXT_EQ(error.text, each->text);
    }
    free(column.type_name);
    buf_fini(&text);
}

#define CHECK_CASES(cases) check_cases((cases), sizeof(cases) / sizeof((cases)[0]))

static inline void check_cases(const struct convert_case *cases, size_t count)
{
    struct arena *arena = arena_new(4096);
    for (size_t i = 0; i < count; i++) {
        UNIT_CASE("%s from %s \"%.*s\"", cases[i].type, value_kind_name(cases[i].value.kind),
                  (int) (cases[i].value.text.length < 60 ? cases[i].value.text.length : 60),
                  cases[i].value.text.length > 0 ? cases[i].value.text.data : "");
        check_case(&cases[i], arena);
        arena_reset(arena);
    }
    arena_free(arena);
}

#endif
