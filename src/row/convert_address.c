/*
 * Text into uuid, inet and cidr.
 *
 * Takes the spellings of uuid_in(), inet_in() and cidr_in(), except the short forms of IPv4
 * addresses ("10.1"), which are rejected.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <assert.h>

#include "base/ascii.h"
#include "row/convert_family.h"
#include "row/convert_reject.h"

enum { UUID_BYTES = 16 };
enum { CIDR_OID = 650 };
/* inet_send(): family, bits, is it cidr, length of the address, the address. */
enum { INET_FAMILY, INET_BITS, INET_IS_CIDR, INET_LENGTH, INET_ADDRESS };
enum { FAMILY_V4 = 2, FAMILY_V6 = 3 }; /* PGSQL_AF_INET, PGSQL_AF_INET6 */
enum { V4_BYTES = 4, V6_BYTES = 16 };

/* string_to_uuid(): 32 hex digits, perhaps in braces, perhaps a hyphen behind each group of
 * four. */
static bool parse_uuid(struct slice text, unsigned char *bytes)
{
    if (text.length >= 2 && text.data[0] == '{' && text.data[text.length - 1] == '}') {
        text = slice_make(text.data + 1, text.length - 2);
    }
    size_t at = 0;
    for (int i = 0; i < UUID_BYTES; i++) {
        int high = at + 1 < text.length ? ascii_hex_digit(text.data[at]) : -1;
        int low = high >= 0 ? ascii_hex_digit(text.data[at + 1]) : -1;
        if (low < 0) {
            return false;
        }
        bytes[i] = (unsigned char) (high << 4 | low);
        at += 2;
        if (i % 2 == 1 && i < UUID_BYTES - 1 && at < text.length && text.data[at] == '-') {
            at++;
        }
    }
    assert(at <= text.length);
    return at == text.length;
}

enum outcome convert_uuid(const struct value *value, const struct column_shape *column,
                          struct arena *arena, struct datum *datum, struct error *error)
{
    assert(column->family == TYPE_UUID);
    if (value->kind != VALUE_TEXT) {
        return reject_kind(error, value, column);
    }
    unsigned char *bytes = arena_alloc(arena, UUID_BYTES);
    if (!parse_uuid(value->text, bytes)) {
        return reject_value(error, value, "is not a uuid");
    }
    datum->text = slice_make((const char *) bytes, UUID_BYTES);
    return OUTCOME_OK;
}

/* Up to three digits, at most `max`. */
static bool parse_bits(struct slice text, unsigned max, unsigned *bits)
{
    if (text.length == 0 || text.length > 3) {
        return false;
    }
    *bits = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (!ascii_is_digit(text.data[i])) {
            return false;
        }
        *bits = *bits * 10 + (unsigned) (text.data[i] - '0');
    }
    return *bits <= max;
}

/* "address" or "address/bits" in inet_send()'s form. */
static bool parse_inet(struct slice text, unsigned char *form)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = text.length > 0 ? memchr(text.data, '/', text.length) : NULL;
    size_t length = slash != NULL ? (size_t) (slash - text.data) : text.length;
    if (length == 0 || length >= sizeof(address) || memchr(text.data, '\0', length) != NULL) {
        return false;
    }
    memcpy(address, text.data, length);
    address[length] = '\0';

    bool v6 = strchr(address, ':') != NULL;
    unsigned char bytes = v6 ? V6_BYTES : V4_BYTES;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, address, form + INET_ADDRESS) != 1) {
        return false;
    }
    unsigned bits = bytes * 8U;
    if (slash != NULL &&
        !parse_bits(slice_make(slash + 1, text.length - length - 1), bits, &bits)) {
        return false;
    }
    form[INET_FAMILY] = v6 ? FAMILY_V6 : FAMILY_V4;
    form[INET_BITS] = (unsigned char) bits;
    form[INET_LENGTH] = bytes;
    return true;
}

/* Is there a bit set to the right of the network's? */
static bool has_host_bits(const unsigned char *form)
{
    assert(form[INET_BITS] <= form[INET_LENGTH] * 8U);
    for (unsigned i = form[INET_BITS]; i < form[INET_LENGTH] * 8U; i++) {
        if ((form[INET_ADDRESS + i / 8] & (0x80U >> (i % 8))) != 0) {
            return true;
        }
    }
    return false;
}

enum outcome convert_inet(const struct value *value, const struct column_shape *column,
                          struct arena *arena, struct datum *datum, struct error *error)
{
    assert(column->family == TYPE_INET);
    if (value->kind != VALUE_TEXT) {
        return reject_kind(error, value, column);
    }
    unsigned char *form = arena_alloc(arena, INET_ADDRESS + V6_BYTES);
    if (!parse_inet(value->text, form)) {
        return reject_value(error, value, "is not a network address");
    }
    bool cidr = (column->array ? column->element_oid : column->type_oid) == CIDR_OID;
    if (cidr && has_host_bits(form)) {
        return reject_value(error, value, "has bits set to the right of its mask");
    }
    form[INET_IS_CIDR] = cidr;
    datum->text = slice_make((const char *) form, (size_t) INET_ADDRESS + form[INET_LENGTH]);
    return OUTCOME_OK;
}
