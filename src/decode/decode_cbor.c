/*
 * Recursive descent: read_value() reads one item and calls itself for each item inside it;
 * decode/nodes bounds the depth. An item begins with its head (decode/cbor_number), whose major
 * type selects the function that reads the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decode_cbor.h"

#include "core/rfc3339.h"
#include "decode/binary.h"
#include "decode/cbor_number.h"

enum {
    TAG_TEXT_TIME = 0,
    TAG_EPOCH = 1,
    TAG_BIGNUM = 2,
    TAG_NEGATIVE_BIGNUM = 3,
    TAG_DECIMAL = 4,
    TAG_BIGFLOAT = 5
};

static bool read_value(struct binary *binary, struct slice key);

/* --- texts and bytes -------------------------------------------------------------------------- */

/* A string of definite length borrows the payload. A string of indefinite length (RFC 8949, section
 * 3.2.3) is a run of chunks up to a break, and is copied to the arena. A chunk is a definite string
 * of the same major type, so the recursion is one level deep; each chunk of a text must be UTF-8 by
 * itself. */
static bool read_string(struct binary *binary, const struct cbor_head *head, struct slice *text)
{
    bool utf8 = head->major == CBOR_TEXT;
    assert(utf8 || head->major == CBOR_BYTES);
    if (!head->indefinite) {
        return binary_take(binary, head->argument, text) &&
               (!utf8 || binary_check_text(binary, *text));
    }
    struct buf whole = {0};
    bool good;
    struct cbor_head chunk = {0};
    for (;;) {
        const char *start = binary->at;
        struct slice piece = {0};
        good = cbor_head_read(binary, &chunk);
        if (!good || chunk.is_break) {
            break;
        }
        if (chunk.major != head->major || chunk.indefinite) {
            good = binary_fail(binary, start,
                               "a chunk of an indefinite-length string has another type");
            break;
        }
        good = read_string(binary, &chunk, &piece);
        if (!good) {
            break;
        }
        buf_append_slice(&whole, piece);
    }
    *text = arena_copy(binary->nodes.arena, buf_slice(&whole));
    buf_fini(&whole);
    return good;
}

static bool read_scalar_string(struct binary *binary, const struct cbor_head *head,
                               struct slice key)
{
    struct slice text = {0};
    return read_string(binary, head, &text) &&
           binary_add(binary, head->major == CBOR_TEXT ? VALUE_TEXT : VALUE_BYTES, key, text);
}

/* --- containers ------------------------------------------------------------------------------- */

/* Whether the container has another item. Reads the break that ends an indefinite container. */
static bool more(struct binary *binary, const struct cbor_head *head, uint64_t read)
{
    if (!head->indefinite) {
        assert(read <= head->argument);
        return read < head->argument;
    }
    if (binary->at < binary->end && (unsigned char) *binary->at == CBOR_BREAK) {
        binary->at++;
        return false;
    }
    return true;
}

/* The head may claim 2^64 items. No memory is allocated for that count: the array grows with each
 * item that is there. */
static bool read_array(struct binary *binary, const struct cbor_head *head, struct slice key)
{
    struct binary_container array;
    if (!binary_open(binary, VALUE_ARRAY, key, head->start, &array)) {
        return false;
    }
    for (; more(binary, head, array.count); array.count++) {
        if (!read_value(binary, (struct slice){0})) {
            return false;
        }
    }
    return binary_close(binary, &array);
}

/* CBOR allows keys of any type (section 3.1); a document needs names. A text is a name. An
 * integer's name is its digits, because sensors use integer keys to save bytes (SenML: -6 to 8).
 * Other keys are rejected. */
static bool read_name(struct binary *binary, struct slice *name)
{
    struct cbor_head head = {0};
    if (!cbor_head_read(binary, &head)) {
        return false;
    }
    if (head.major == CBOR_TEXT) {
        return read_string(binary, &head, name);
    }
    if (head.major != CBOR_UNSIGNED && head.major != CBOR_NEGATIVE) {
        return binary_fail(binary, head.start, "a key is neither a text nor an integer");
    }
    *name = binary_digits(binary->nodes.arena, head.argument, head.major == CBOR_NEGATIVE);
    return true;
}

static bool read_map(struct binary *binary, const struct cbor_head *head, struct slice key)
{
    struct binary_container map;
    if (!binary_open(binary, VALUE_OBJECT, key, head->start, &map)) {
        return false;
    }
    for (uint64_t i = 0; more(binary, head, i); i++) {
        struct slice name = {0};
        const char *at = binary->at;
        if (!read_name(binary, &name) || !binary_name(binary, &map, name, at) ||
            !read_value(binary, name)) {
            return false;
        }
    }
    return binary_close(binary, &map);
}

/* --- tags ------------------------------------------------------------------------------------- */

/* Tag 0 (section 3.4.1): a text such as "2013-03-21T20:04:00Z". */
static bool read_text_time(struct binary *binary, struct slice key)
{
    struct cbor_head head = {0};
    struct slice text = {0};
    int64_t time_us = 0;
    if (!cbor_head_read(binary, &head)) {
        return false;
    }
    if (head.major != CBOR_TEXT) {
        return binary_fail(binary, head.start, "tag 0 must be followed by a text");
    }
    if (!read_string(binary, &head, &text)) {
        return false;
    }
    return rfc3339_parse(text, &time_us)
               ? binary_add_time(binary, key, time_us)
               : binary_fail(binary, head.start, "the text of tag 0 is not a date and time");
}

/* Tag 1 (section 3.4.2): an integer or a float, not wrapped in another tag. */
static bool read_epoch(struct binary *binary, struct slice key)
{
    struct cbor_head head = {0};
    int64_t time_us = 0;
    if (!cbor_head_read(binary, &head)) {
        return false;
    }
    if (!cbor_epoch(&head, &time_us)) {
        return binary_fail(binary, head.start,
                           "tag 1 must be followed by seconds within the range of a timestamp");
    }
    return binary_add_time(binary, key, time_us);
}

/* Reads an integer, or a bignum together with its tag, of up to 128 bits. */
static bool read_integer(struct binary *binary, struct cbor_integer *integer)
{
    struct cbor_head head = {0};
    struct slice bytes = {0};
    if (!cbor_head_read(binary, &head)) {
        return false;
    }
    bool bignum = head.major == CBOR_TAG &&
                  (head.argument == TAG_BIGNUM || head.argument == TAG_NEGATIVE_BIGNUM);
    if (!bignum) {
        integer->magnitude = head.argument;
        integer->negative = head.major == CBOR_NEGATIVE;
        return head.major == CBOR_UNSIGNED || head.major == CBOR_NEGATIVE ||
               binary_fail(binary, head.start, "an integer expected");
    }
    integer->negative = head.argument == TAG_NEGATIVE_BIGNUM;
    if (!cbor_head_read(binary, &head)) {
        return false;
    }
    if (head.major != CBOR_BYTES) {
        return binary_fail(binary, head.start, "a bignum must be a byte string");
    }
    return read_string(binary, &head, &bytes) &&
           (cbor_bignum(bytes, &integer->magnitude) ||
            binary_fail(binary, head.start, "an integer has more than 128 bits"));
}

/* Tags 2 and 3 (section 3.4.3): the magnitude as big-endian bytes. Leading zero bytes do not count
 * towards the 128 bits. */
static bool read_bignum(struct binary *binary, struct slice key)
{
    struct cbor_integer integer = {0};
    return read_integer(binary, &integer) &&
           binary_add(binary, VALUE_NUMBER, key,
                      binary_digits(binary->nodes.arena, integer.magnitude, integer.negative));
}

/* Tags 4 and 5 (section 3.4.4): [exponent, mantissa], to base 10 or 2. Only the mantissa may be a
 * bignum by the RFC; this function also accepts a bignum exponent whose value is in range. */
static bool read_fraction(struct binary *binary, struct slice key, bool binary_base)
{
    struct cbor_head head = {0};
    struct cbor_integer exponent = {0};
    struct cbor_integer mantissa = {0};
    struct slice text = {0};
    if (!cbor_head_read(binary, &head)) {
        return false;
    }
    if (head.major != CBOR_ARRAY || head.indefinite || head.argument != 2) {
        return binary_fail(binary, head.start,
                           "a fraction must be an array of exponent and mantissa");
    }
    if (!read_integer(binary, &exponent) || !read_integer(binary, &mantissa)) {
        return false;
    }
    bool written = binary_base ? cbor_bigfloat(binary->nodes.arena, exponent, mantissa, &text)
                               : cbor_decimal(binary->nodes.arena, exponent, mantissa, &text);
    return written ? binary_add(binary, VALUE_NUMBER, key, text)
                   : binary_fail(binary, head.start, "a fraction has too many digits");
}

/* Reads the item behind a tag that has a meaning here; read_value() has skipped all other tags. */
static bool read_tagged(struct binary *binary, const struct cbor_head *head, struct slice key)
{
    assert(head->major == CBOR_TAG && head->argument <= TAG_BIGFLOAT);
    switch (head->argument) {
    case TAG_TEXT_TIME:
        return read_text_time(binary, key);
    case TAG_EPOCH:
        return read_epoch(binary, key);
    case TAG_BIGNUM:
    case TAG_NEGATIVE_BIGNUM:
        binary->at = head->start;
        return read_bignum(binary, key);
    default:
        return read_fraction(binary, key, head->argument == TAG_BIGFLOAT);
    }
}

/* --- values ----------------------------------------------------------------------------------- */

/* Major type 7 (section 3.3). Rejects the simple values that are unassigned or reserved: a later
 * standard may define them, and a guess would have stored something else. */
static bool read_simple(struct binary *binary, const struct cbor_head *head, struct slice key)
{
    assert(head->major == CBOR_SIMPLE && !head->is_break);
    double real;
    switch (head->information) {
    case CBOR_FALSE:
    case CBOR_TRUE:
        return binary_add_boolean(binary, key, head->information == CBOR_TRUE);
    case CBOR_NULL:
    case CBOR_UNDEFINED:
        return binary_add(binary, VALUE_NULL, key, (struct slice){0});
    case CBOR_HALF:
        real = cbor_half_shortest((uint16_t) head->argument);
        return binary_add_real(binary, key, real, false);
    case CBOR_SINGLE:
    case CBOR_DOUBLE:
        return binary_add_real(binary, key, cbor_real(head), head->information == CBOR_SINGLE);
    default:
        return binary_fail(binary, head->start, "an unassigned simple value");
    }
}

/* Skips tags without a meaning here in a loop and not by recursion, so that a payload of nothing
 * but tags does not use up the stack. */
static bool read_value(struct binary *binary, struct slice key)
{
    struct cbor_head head = {0};
    do {
        if (!cbor_head_read(binary, &head)) {
            return false;
        }
    } while (head.major == CBOR_TAG && head.argument > TAG_BIGFLOAT);
    if (head.is_break) {
        return binary_fail(binary, head.start, "a break code outside an indefinite-length item");
    }
    switch (head.major) {
    case CBOR_UNSIGNED:
        return binary_add_unsigned(binary, key, head.argument);
    case CBOR_NEGATIVE:
        return binary_add_negative(binary, key, head.argument);
    case CBOR_BYTES:
    case CBOR_TEXT:
        return read_scalar_string(binary, &head, key);
    case CBOR_ARRAY:
        return read_array(binary, &head, key);
    case CBOR_MAP:
        return read_map(binary, &head, key);
    case CBOR_TAG:
        return read_tagged(binary, &head, key);
    default:
        return read_simple(binary, &head, key);
    }
}

enum outcome decode_cbor(const struct decode_input *input, struct arena *arena,
                         const struct node **root, struct error *error)
{
    struct binary binary;
    binary_init(&binary, input->payload, arena, error);
    bool good = read_value(&binary, (struct slice){0}) && binary_end(&binary);
    *root = binary.nodes.list;
    return good ? OUTCOME_OK : OUTCOME_REJECT;
}
