/* SPDX-License-Identifier: MIT */
#include "learn/shape_type.h"

#include <ctype.h>
#include <strings.h>

#include "base/text.h"

/* Words that, alone or as the last one of a name, mean an instant. */
static const char *const clock_words[] = {
    "ts",       "time",    "timestamp", "t",       "date",    "datetime", "epoch",       "at",
    "clock",    "when",    "utc",       "created", "updated", "modified", "seen",        "sent",
    "start",    "end",     "expires",   "expiry",  "since",   "until",    "timestampms", "tst",
    "received", "changed", "boot",      "ms",      "us",      "ns",
};

/* The last word: "lastSeen" → "Seen", "boot_time" → "time". */
static struct slice last_word(struct slice name)
{
    size_t start = name.length;
    while (start > 0) {
        unsigned char c = (unsigned char) name.data[start - 1];
        if (!isalnum(c)) {
            break;
        }
        start--;
        if (isupper(c) && start > 0 && islower((unsigned char) name.data[start - 1])) {
            break;
        }
    }
    return slice_make(name.data + start, name.length - start);
}

bool shape_name_is_clock(struct slice name)
{
    struct slice word = name.length == 0 ? name : last_word(name);
    for (size_t i = 0; i < sizeof(clock_words) / sizeof(clock_words[0]); i++) {
        size_t length = strlen(clock_words[i]);
        if (length == word.length && strncasecmp(word.data, clock_words[i], length) == 0) {
            return true;
        }
    }
    return name.length > 4 && strncasecmp(name.data + name.length - 4, "time", 4) == 0 &&
           !(name.length == 6 && strncasecmp(name.data, "uptime", 6) == 0);
}

static const char *clock_filter(unsigned clocks)
{
    return clocks & CLOCK_S    ? "unix_s"
           : clocks & CLOCK_MS ? "unix_ms"
           : clocks & CLOCK_US ? "unix_us"
           : clocks & CLOCK_NS ? "unix_ns"
                               : NULL;
}

static struct shape_type number_type(const struct shape *shape)
{
    const char *filter = clock_filter(shape->clocks);
    struct slice name = slice_make(shape->key, shape->key_length);
    if (filter != NULL && shape->key != NULL && shape_name_is_clock(name)) {
        return (struct shape_type){.type = "timestamptz", .filter = filter};
    }
    if (shape->whole && shape->int64) {
        return (struct shape_type){.type = "bigint"};
    }
    if (shape->float8 && !shape->whole) {
        return (struct shape_type){.type = "double precision"};
    }
    return (struct shape_type){.type = "numeric", .note = "more digits than the others keep"};
}

static struct shape_type text_type(unsigned forms)
{
    if (forms & FORM_TIMESTAMP) {
        return (struct shape_type){.type = "timestamptz"};
    }
    if (forms & FORM_DATE) {
        return (struct shape_type){.type = "date"};
    }
    if (forms & FORM_UUID) {
        return (struct shape_type){.type = "uuid"};
    }
    if (forms & FORM_BOOLEAN) {
        return (struct shape_type){.type = "boolean"};
    }
    return (struct shape_type){
        .type = "text",
        .note = forms & FORM_NUMBER ? "always a number so far: \":: numeric\" would store it as one"
                                    : NULL};
}

static struct shape_type array_type(const struct shape *shape, struct arena *arena)
{
    struct shape_type inner = {0};
    if (shape->elements != NULL && shape->elements->kinds[VALUE_ARRAY] == 0 &&
        shape->elements->kinds[VALUE_OBJECT] == 0) {
        inner = shape_type_of(shape->elements, arena);
    }
    if (inner.type == NULL || strcmp(inner.type, "jsonb") == 0) {
        return (struct shape_type){.type = "jsonb"};
    }
    return (struct shape_type){.type = arena_printf(arena, "%s[]", inner.type).data,
                               .note = inner.note};
}

struct shape_type shape_type_of(const struct shape *shape, struct arena *arena)
{
    uint64_t nulls = shape->kinds[VALUE_NULL];
    if (nulls == shape->seen) {
        return (struct shape_type){.note = "only null so far"};
    }
    if (shape_is_only(shape, VALUE_NUMBER)) {
        return number_type(shape);
    }
    if (shape_is_only(shape, VALUE_TEXT)) {
        return text_type(shape->forms);
    }
    if (shape_is_only(shape, VALUE_BOOLEAN)) {
        return (struct shape_type){.type = "boolean"};
    }
    if (shape_is_only(shape, VALUE_ARRAY)) {
        return array_type(shape, arena);
    }
    if (shape_is_only(shape, VALUE_OBJECT)) {
        return (struct shape_type){.type = "jsonb",
                                   .note = shape->closed ? "many or deep members" : NULL};
    }
    if (shape->kinds[VALUE_NUMBER] + shape->kinds[VALUE_TEXT] + nulls == shape->seen) {
        return (struct shape_type){.type = "text", .note = "numbers and texts"};
    }
    return (struct shape_type){.type = "jsonb", .note = "of several kinds"};
}
