/* SPDX-License-Identifier: MIT */
#include "learn/shape.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "core/number.h"
#include "decode/json_scan.h"
#include "row/convert.h"

/* IEEE 754: each decimal number of 15 digits survives in a float8, and 17 digits tell any two
 * float8 apart. */
enum { DIGITS_KEPT = 15, DIGITS_PRINTED = 17 };

struct shape *shape_new(struct slice key)
{
    struct shape *shape = memory_alloc(sizeof(*shape));
    shape->key = key.data == NULL ? NULL : memory_copy(key);
    shape->key_length = key.length;
    shape->whole = true;
    shape->int64 = true;
    shape->float8 = true;
    return shape;
}

void shape_free(struct shape *shape)
{
    while (shape != NULL) {
        struct shape *next = shape->next;
        shape_free(shape->members);
        shape_free(shape->elements);
        free(shape->key);
        free(shape);
        shape = next;
    }
}

/* The sum of `size` counters. */
static uint64_t sum(const uint64_t *counts, size_t size)
{
    uint64_t total = 0;
    for (size_t i = 0; i < size; i++) {
        total += counts[i];
    }
    return total;
}

void shape_check(const struct shape *shape)
{
    size_t members = 0;

    assert(sum(shape->kinds, sizeof(shape->kinds) / sizeof(shape->kinds[0])) == shape->seen);
    for (size_t i = 0; i < SHAPE_FORMS; i++) {
        assert(shape->forms[i] <= shape->kinds[VALUE_TEXT]);
    }
    for (size_t i = 0; i < SHAPE_CLOCKS; i++) {
        assert(shape->clocks[i] <= shape->kinds[VALUE_NUMBER]);
    }
    for (const struct shape *member = shape->members; member != NULL; member = member->next) {
        assert(member->key != NULL);
        shape_check(member);
        members++;
    }
    assert(members == shape->member_count && members <= SHAPE_MEMBERS_MAX);
    assert(members == 0 || (shape->kinds[VALUE_OBJECT] > 0 && !shape->closed));
    if (shape->elements != NULL) {
        assert(shape->kinds[VALUE_ARRAY] > 0 && shape->elements->key == NULL);
        shape_check(shape->elements);
    }
}

struct shape *shape_member(const struct shape *shape, struct slice key)
{
    struct shape *member = shape->members;
    while (member != NULL && !slice_equal(slice_make(member->key, member->key_length), key)) {
        member = member->next;
    }
    return member;
}

bool shape_is_only(const struct shape *shape, enum value_kind kind)
{
    assert(kind <= VALUE_OBJECT && kind != VALUE_NULL);
    return shape->kinds[kind] > 0 && shape->kinds[kind] + shape->kinds[VALUE_NULL] == shape->seen;
}

bool shape_is_most(uint64_t count, uint64_t total)
{
    assert(count <= total);
    return count > 0 && (count == total || (total >= 20 && count * 100 >= total * 95));
}

/* Adds one to the counter of each bit that is set. */
static void count_bits(uint64_t *counts, size_t size, unsigned bits)
{
    assert(bits >> size == 0); /* each bit has its counter */
    for (size_t i = 0; i < size; i++) {
        counts[i] += bits >> i & 1U;
    }
}

/* The bits that most of `total` values had. */
static unsigned most_bits(const uint64_t *counts, size_t size, uint64_t total)
{
    unsigned bits = 0;
    for (size_t i = 0; i < size; i++) {
        bits |= shape_is_most(counts[i], total) ? 1U << i : 0U;
    }
    return bits;
}

unsigned shape_forms(const struct shape *shape)
{
    return most_bits(shape->forms, SHAPE_FORMS, shape->kinds[VALUE_TEXT]);
}

unsigned shape_clocks(const struct shape *shape)
{
    return most_bits(shape->clocks, SHAPE_CLOCKS, shape->kinds[VALUE_NUMBER]);
}

/* --- numbers ---------------------------------------------------------------------------------- */

/* Writes the digits of a number without the zeros at both ends, at most `room` of them. Returns how
 * many there are: "0.0120" has two, 1 and 2. */
static size_t significant_digits(const struct number *number, char *out, size_t room)
{
    size_t count = 0;
    size_t last = 0; /* behind the last that is not 0 */
    const struct slice parts[2] = {number->integer, number->fraction};
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < parts[p].length; i++) {
            char digit = parts[p].data[i];
            if (digit == '0' && count == 0) {
                continue;
            }
            if (count < room) {
                out[count] = digit;
            }
            count++;
            last = digit == '0' ? last : count;
        }
    }
    assert(last <= count);
    return last;
}

/* Would a float8 made from the text print the same digits again? True for 0.1, false for
 * 12345678901234567.8, which a numeric column has to keep. */
static bool is_exact_float8(struct slice text, const struct number *number, double real)
{
    char digits[DIGITS_PRINTED + 1] = "";
    char printed[48];
    size_t count = significant_digits(number, digits, DIGITS_PRINTED);
    (void) text;
    if (count <= DIGITS_KEPT) {
        return true;
    }
    if (count > DIGITS_PRINTED) {
        return false;
    }
    /* As many digits as the text has: the shortest float8 that reads back may print fewer, so the
     * digits are compared one by one. */
    snprintf(printed, sizeof(printed), "%.*e", (int) count - 1, real < 0 ? -real : real);
    size_t at = 0;
    for (const char *c = printed; *c != 'e' && *c != '\0'; c++) {
        assert(at <= count); /* "%.*e" prints one digit and count - 1 more */
        if (isdigit((unsigned char) *c) && digits[at++] != *c) {
            return false;
        }
    }
    return true;
}

/* The units in which this is a time between 2001-01-01 and 2099-01-01, in seconds since 1970. */
static unsigned clocks_of(double value)
{
    const double from = 978307200;
    const double to = 4070908800;
    unsigned clocks = 0;
    double unit = 1;
    for (unsigned clock = CLOCK_S; clock <= CLOCK_NS; clock <<= 1, unit *= 1000) {
        if (value >= from * unit && value < to * unit) {
            clocks |= clock;
        }
    }
    return clocks;
}

/* One number narrows what the shape's numbers can be stored as: the three flags only ever go
 * down. */
static void take_number(struct shape *shape, struct slice text, struct arena *scratch)
{
    struct number number;
    int64_t integer;
    double real = 0;
    if (!number_parse(text, &number)) {
        return;
    }
    for (size_t i = 0; i < text.length; i++) {
        shape->whole &= text.data[i] != '.' && text.data[i] != 'e' && text.data[i] != 'E';
    }
    shape->int64 &= number_to_int64(&number, &integer) == NUMBER_FITS;
    shape->float8 &= number_to_float8(text, scratch, &real) == NUMBER_FITS &&
                     is_exact_float8(text, &number, real);
    count_bits(shape->clocks, SHAPE_CLOCKS, clocks_of(real));
}

/* --- texts ------------------------------------------------------------------------------------ */

/* Does the text begin with the pattern? In the pattern "9" stands for any digit, "f" for a
 * hexadecimal one, "T" for what separates date and time, and other characters for themselves. */
static bool has_pattern(struct slice text, const char *pattern)
{
    for (size_t i = 0; pattern[i] != '\0'; i++) {
        unsigned char c = i < text.length ? (unsigned char) text.data[i] : 0;
        bool fits = pattern[i] == '9'   ? isdigit(c) != 0
                    : pattern[i] == 'f' ? isxdigit(c) != 0
                    : pattern[i] == 'T' ? c == 'T' || c == ' ' || c == 't'
                                        : c == (unsigned char) pattern[i];
        if (!fits) {
            return false;
        }
    }
    return true;
}

/* Does a date and time end with its offset from UTC: "…T10:00:00Z", "…+01:00", "…-0500"? The "-" of
 * the date is not looked at. */
static bool has_offset(struct slice text)
{
    assert(text.length >= sizeof("9999-99-99T99:99") - 1); /* it is a date and a time */
    char last = text.data[text.length - 1];
    bool found = last == 'Z' || last == 'z';
    for (size_t i = sizeof("9999-99-99T99:99") - 1; i < text.length && !found; i++) {
        found = text.data[i] == '+' || text.data[i] == '-';
    }
    return found;
}

/* All forms that this text has; they do not exclude each other. */
static unsigned forms_of(struct slice text)
{
    int64_t time;
    unsigned forms = 0;
    if (has_pattern(text, "9999-99-99") && convert_parse_timestamp(text, &time)) {
        forms |= text.length == 10                       ? FORM_DATE
                 : has_pattern(text, "9999-99-99T99:99") ? FORM_TIMESTAMP
                                                         : 0U;
    }
    if ((forms & FORM_TIMESTAMP) != 0 && has_offset(text)) {
        forms |= FORM_ZONED;
    }
    if (text.length == 36 && has_pattern(text, "ffffffff-ffff-ffff-ffff-ffffffffffff")) {
        forms |= FORM_UUID;
    }
    forms |= json_is_number(text) ? FORM_NUMBER : 0U;
    forms |= slice_is(text, "true") || slice_is(text, "false") ? FORM_BOOLEAN : 0U;
    return forms;
}

/* --- trees ------------------------------------------------------------------------------------ */

/* Makes a shape if the budget allows it. NULL: it is used up, and this value is not looked at. */
static struct shape *spend(struct slice key, struct shape_budget *budget)
{
    if (budget->left == 0) {
        budget->exceeded = true;
        return NULL;
    }
    budget->left--;
    return shape_new(key);
}

/* Forgets the members for good: there are so many that their names are data, and the object is
 * stored as one value. */
static void close_members(struct shape *shape)
{
    assert(!shape->closed || shape->members == NULL);
    shape->closed = true;
    shape_free(shape->members);
    shape->members = NULL;
    shape->member_count = 0;
}

/* Adds a member behind the others, in the order in which they first came: columns get this
 * order. */
static void append_member(struct shape *shape, struct shape *member)
{
    struct shape **end = &shape->members;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    assert(member->key != NULL && !shape->closed && shape->member_count < SHAPE_MEMBERS_MAX);
    member->next = NULL;
    *end = member;
    shape->member_count++;
}

static void take(struct shape *shape, const struct node *node, struct shape_budget *budget,
                 struct arena *scratch, int depth);

/* Takes the members of one object in, each into the shape with its name. */
static void take_members(struct shape *shape, const struct node *object,
                         struct shape_budget *budget, struct arena *scratch, int depth)
{
    const struct node *child = object + 1;
    for (uint32_t i = 0; i < object->count && !shape->closed; i++, child += child->span) {
        struct shape *member = shape_member(shape, child->key);
        if (member == NULL && shape->member_count >= SHAPE_MEMBERS_MAX) {
            close_members(shape);
            return;
        }
        if (member == NULL) {
            /* An empty name is a name; a key without data would mean that there is none. */
            struct slice key = child->key.length == 0 ? slice_of("") : child->key;
            member = spend(key, budget);
            if (member != NULL) {
                append_member(shape, member);
            }
        }
        if (member != NULL) {
            take(member, child, budget, scratch, depth + 1);
        }
    }
}

/* All elements of all arrays at this place share one shape; of a long array the first ones
 * count. */
static void take_elements(struct shape *shape, const struct node *array,
                          struct shape_budget *budget, struct arena *scratch, int depth)
{
    const struct node *child = array + 1;
    if (shape->elements == NULL) {
        shape->elements = spend((struct slice){0}, budget);
    }
    for (uint32_t i = 0;
         shape->elements != NULL && i < array->count && i < (uint32_t) SHAPE_ELEMENTS_MAX;
         i++, child += child->span) {
        take(shape->elements, child, budget, scratch, depth + 1);
    }
}

/* Takes one value in at `depth`, 0 for the whole payload. */
static void take(struct shape *shape, const struct node *node, struct shape_budget *budget,
                 struct arena *scratch, int depth)
{
    assert(node->kind <= VALUE_OBJECT && depth <= SHAPE_DEPTH_MAX);
    shape->seen++;
    shape->kinds[node->kind]++;
    shape->closed |= depth >= SHAPE_DEPTH_MAX;
    switch (node->kind) {
    case VALUE_NUMBER:
        take_number(shape, node->text, scratch);
        break;
    case VALUE_TEXT:
        count_bits(shape->forms, SHAPE_FORMS, forms_of(node->text));
        break;
    case VALUE_OBJECT:
        take_members(shape, node, budget, scratch, depth);
        break;
    case VALUE_ARRAY:
        if (!shape->closed) {
            take_elements(shape, node, budget, scratch, depth);
        }
        break;
    default:
        break;
    }
}

void shape_take(struct shape *shape, const struct node *node, struct shape_budget *budget,
                struct arena *scratch)
{
    take(shape, node, budget, scratch, 0);
}

/* Moves the members of `from` to `into`. If one of them is closed, the result is closed: members
 * beyond the limit were seen there and are not known. */
static void merge_members(struct shape *into, struct shape *from)
{
    struct shape *member = from->members;
    from->members = NULL;
    if (from->closed && !into->closed) {
        close_members(into);
    }
    while (member != NULL) {
        struct shape *next = member->next;
        struct shape *same = shape_member(into, slice_make(member->key, member->key_length));
        member->next = NULL;
        if (into->closed) {
            shape_free(member);
        } else if (same != NULL) {
            shape_merge(same, member);
        } else if (into->member_count >= SHAPE_MEMBERS_MAX) {
            close_members(into);
            shape_free(member);
        } else {
            append_member(into, member);
        }
        member = next;
    }
}

void shape_merge(struct shape *into, struct shape *from)
{
    assert(into != from && from->next == NULL);
    into->seen += from->seen;
    for (size_t i = 0; i < sizeof(into->kinds) / sizeof(into->kinds[0]); i++) {
        into->kinds[i] += from->kinds[i];
    }
    into->whole &= from->whole;
    into->int64 &= from->int64;
    into->float8 &= from->float8;
    for (size_t i = 0; i < SHAPE_FORMS; i++) {
        into->forms[i] += from->forms[i];
    }
    for (size_t i = 0; i < SHAPE_CLOCKS; i++) {
        into->clocks[i] += from->clocks[i];
    }
    merge_members(into, from);
    if (into->elements == NULL) {
        into->elements = from->elements;
    } else if (from->elements != NULL) {
        shape_merge(into->elements, from->elements);
    }
    from->elements = NULL;
    shape_free(from);
}
