/* SPDX-License-Identifier: MIT */
#include "learn/shape_type.h"

#include <ctype.h>
#include <strings.h>

#include "base/text.h"

/* Words that mean a point in time, alone or as the last word of a name: "sent", "boot_time". A
 * number becomes timestamptz only under such a name: a meter may well count 1.7 billion pulses. */
static const char *const clock_words[] = {
    "ts",       "time",    "timestamp", "t",       "date",    "datetime", "epoch",       "at",
    "clock",    "when",    "utc",       "created", "updated", "modified", "seen",        "sent",
    "start",    "end",     "expires",   "expiry",  "since",   "until",    "timestampms", "tst",
    "received", "changed", "boot",      "ms",      "us",      "ns",
};

/* The last word of a name in either spelling: "lastSeen" → "Seen", "boot_time" → "time". */
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

/* Is the last word of the name one of these, in upper or lower case? */
static bool is_word_of(struct slice name, const char *const *words, size_t count)
{
    struct slice word = name.length == 0 ? name : last_word(name);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(words[i]);
        if (length == word.length && strncasecmp(word.data, words[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* Is this the name of a clock: "ts", "sentAt", "boot_time", …? Names that end with "time" count too
 * ("localtime"), but not "uptime", which is a duration. */
static bool name_is_clock(struct slice name)
{
    return is_word_of(name, clock_words, sizeof(clock_words) / sizeof(clock_words[0])) ||
           (name.length > 4 && strncasecmp(name.data + name.length - 4, "time", 4) == 0 &&
            !(name.length == 6 && strncasecmp(name.data, "uptime", 6) == 0));
}

/* Words that mean an identifier or a count, alone or as the last word of a name. Their numbers will
 * never have a fraction, so they are stored as bigint. */
static const char *const whole_words[] = {
    "id",       "count",  "counter", "counts",      "seq",     "sequence", "number",
    "num",      "nr",     "no",      "index",       "idx",     "uptime",   "bytes",
    "packets",  "port",   "version", "channel",     "address", "addr",     "code",
    "pid",      "serial", "fcnt",    "cnt",         "retries", "errors",   "restarts",
    "messages", "size",   "rssi",    "linkquality", "lqi",     "year",     "pulses",
};

/* Does the member have such a name? Elements of arrays have no name. */
static bool name_is_whole(const struct shape *shape)
{
    return shape->key != NULL && is_word_of(slice_make(shape->key, shape->key_length), whole_words,
                                            sizeof(whole_words) / sizeof(whole_words[0]));
}

/* The filter that makes a time of a number in this unit; NULL when the unit is not known. */
static const char *clock_filter(unsigned clocks)
{
    return clocks & CLOCK_S    ? "unix_s"
           : clocks & CLOCK_MS ? "unix_ms"
           : clocks & CLOCK_US ? "unix_us"
           : clocks & CLOCK_NS ? "unix_ns"
                               : NULL;
}

/* For numbers. A whole number that double precision cannot hold exactly becomes bigint under any
 * name, and what neither holds becomes numeric. */
static struct shape_type number_type(const struct shape *shape)
{
    const char *filter = clock_filter(shape_clocks(shape));
    struct slice name = slice_make(shape->key, shape->key_length);
    if (filter != NULL && shape->key != NULL && name_is_clock(name)) {
        return (struct shape_type){.type = "timestamptz", .filter = filter};
    }
    if (shape->whole && shape->int64 && (name_is_whole(shape) || !shape->float8)) {
        return (struct shape_type){.type = "bigint"};
    }
    if (shape->float8) {
        return (struct shape_type){.type = "double precision"};
    }
    return (struct shape_type){.type = "numeric", .note = "more digits than the others keep"};
}

/* For texts whose values mostly have these forms. Numbers in quotes stay texts: leading zeros of a
 * serial number would be lost. */
static struct shape_type text_type(unsigned forms)
{
    if (forms & FORM_TIMESTAMP) {
        return (struct shape_type){
            .type = "timestamptz",
            .note = forms & FORM_ZONED
                        ? NULL
                        : "no zone, so it is read as UTC: for local times | zone 'Europe/Berlin'"};
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

/* "double precision[]" when all elements have one simple type, else jsonb. */
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

/* Adds a note when `rest` of the values seen do not fit the type. */
static struct shape_type with_rest(struct shape_type type, uint64_t rest, struct arena *arena)
{
    if (rest > 0) {
        type.note = arena_printf(arena, "%llu of the values seen would not fit: dead letters",
                                 (unsigned long long) rest)
                        .data;
    }
    return type;
}

/* The type that most values have, when these are numbers, or texts of one form. Type NULL: there is
 * no such majority. */
static struct shape_type majority_type(const struct shape *shape, struct arena *arena)
{
    uint64_t total = shape->seen - shape->kinds[VALUE_NULL];
    if (shape_is_most(shape->kinds[VALUE_NUMBER], total)) {
        return with_rest(number_type(shape), total - shape->kinds[VALUE_NUMBER], arena);
    }
    if (!shape_is_only(shape, VALUE_TEXT)) {
        return (struct shape_type){0};
    }
    unsigned forms = shape_forms(shape);
    struct shape_type type = text_type(forms);
    uint64_t fitting = total;
    for (unsigned i = 0; i < SHAPE_FORMS; i++) {
        if ((forms >> i & 1U) != 0 && 1U << i != FORM_ZONED && 1U << i != FORM_NUMBER) {
            fitting = shape->forms[i] < fitting ? shape->forms[i] : fitting;
        }
    }
    return with_rest(type, total - fitting, arena);
}

struct shape_type shape_type_of(const struct shape *shape, struct arena *arena)
{
    uint64_t nulls = shape->kinds[VALUE_NULL];
    if (nulls == shape->seen) {
        return (struct shape_type){.note = "only null so far"};
    }
    struct shape_type majority = majority_type(shape, arena);
    if (majority.type != NULL) {
        return majority;
    }
    if (shape_is_only(shape, VALUE_BOOLEAN)) {
        return (struct shape_type){.type = "boolean"};
    }
    if (shape_is_only(shape, VALUE_TIME)) {
        return (struct shape_type){.type = "timestamptz"};
    }
    if (shape_is_only(shape, VALUE_BYTES)) {
        return (struct shape_type){.type = "bytea"};
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
