/*
 * Numbers become text here, because documents keep numbers as text: no column type is known yet,
 * and text loses nothing. The texts lie in the arena of the message, many in one piece of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/binary.h"

#include <math.h>

#include "base/text.h"
#include "core/real_text.h"

enum { DIGITS_MAX = 41 };    /* of 128 bits, and a sign */
enum { DIGITS_64_MAX = 20 }; /* of 64 bits: 18446744073709551615 */

void binary_init(struct binary *binary, struct slice payload, struct arena *arena,
                 struct error *error)
{
    const char *begin = payload.data != NULL ? payload.data : "";
    *binary =
        (struct binary){.begin = begin, .at = begin, .end = begin + payload.length, .error = error};
    assert(error != NULL && (payload.length == 0 || payload.data != NULL));
    nodes_begin(&binary->nodes, arena, payload.length / 8);
}

bool binary_fail(struct binary *binary, const char *at, const char *what)
{
    assert(at >= binary->begin && at <= binary->end);
    error_set(binary->error, OUTCOME_REJECT, "byte %zu: %s", (size_t) (at - binary->begin) + 1,
              what);
    return false;
}

/* --- nodes ------------------------------------------------------------------------------------ */

bool binary_add_failed(struct binary *binary)
{
    return binary_fail(binary, binary->at, nodes_limit(&binary->nodes));
}

bool binary_add_boolean(struct binary *binary, struct slice key, bool boolean)
{
    bool added = binary_add(binary, VALUE_BOOLEAN, key, (struct slice){0});
    if (added) {
        binary->nodes.list[binary->nodes.count - 1].boolean = boolean;
    }
    return added;
}

/* "00", "01", … "99": two digits at a time halve the divisions. */
static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

/* The room has ROOM_BYTES or what is left of them, at least as much as one number takes. */
enum { ROOM_BYTES = 256, NUMBER_BYTES_MAX = REAL_TEXT_BYTES };

static_assert((int) NUMBER_BYTES_MAX > (int) DIGITS_64_MAX, "digits and a sign have room");

static void take_room(struct binary *binary)
{
    assert(binary->room <= binary->room_end);
    if (binary->room_end - binary->room < NUMBER_BYTES_MAX) {
        binary->room = arena_alloc(binary->nodes.arena, ROOM_BYTES);
        binary->room_end = binary->room + ROOM_BYTES;
    }
}

/* The digits of the number, written in front of `end`; where they begin. */
static char *put_digits(char *end, uint64_t number)
{
    char *at = end;
    for (; number >= 100; number /= 100) {
        at -= 2;
        memcpy(at, pairs + number % 100 * 2, 2);
    }
    if (number >= 10) {
        at -= 2;
        memcpy(at, pairs + number * 2, 2);
    } else {
        *--at = (char) ('0' + number);
    }
    assert(end - at <= DIGITS_64_MAX);
    return at;
}

static bool add_digits(struct binary *binary, struct slice key, uint64_t magnitude, bool negative)
{
    take_room(binary);
    char *at = put_digits(binary->room_end, magnitude);
    if (negative) {
        *--at = '-';
    }
    struct slice text = slice_make(at, (size_t) (binary->room_end - at));
    binary->room_end = at;
    return binary_add(binary, VALUE_NUMBER, key, text);
}

bool binary_add_unsigned(struct binary *binary, struct slice key, uint64_t number)
{
    return add_digits(binary, key, number, false);
}

/* The magnitude of INT64_MIN does not fit into an int64_t. */
bool binary_add_signed(struct binary *binary, struct slice key, int64_t number)
{
    uint64_t magnitude = number < 0 ? -(uint64_t) number : (uint64_t) number;
    return add_digits(binary, key, magnitude, number < 0);
}

bool binary_add_negative(struct binary *binary, struct slice key, uint64_t number)
{
    return number == UINT64_MAX ? binary_add(binary, VALUE_NUMBER, key,
                                             binary_digits(binary->nodes.arena, number, true))
                                : add_digits(binary, key, number + 1, true);
}

/* Of 128 bits. Their division is slow; it is used until the rest fits into 64. */
struct slice binary_digits(struct arena *arena, unsigned __int128 number, bool negative)
{
    char *begin = arena_alloc(arena, DIGITS_MAX);
    char *end = begin + DIGITS_MAX;
    char *at = end;
    /* -1 - number: one more in magnitude, which does not fit when all bits are set. */
    unsigned __int128 high = negative ? number / 10 : number;
    if (negative) {
        unsigned last = (unsigned) (number % 10) + 1;
        high += last / 10;
        *--at = (char) ('0' + last % 10);
    }
    for (; high > UINT64_MAX; high /= 10) {
        *--at = (char) ('0' + (unsigned) (high % 10));
    }
    if (high > 0 || at == end) {
        at = put_digits(at, (uint64_t) high);
    }
    if (negative) {
        *--at = '-';
    }
    assert(at >= begin);
    return slice_make(at, (size_t) (end - at));
}

bool binary_add_time(struct binary *binary, struct slice key, int64_t time_us)
{
    bool added = binary_add(binary, VALUE_TIME, key, (struct slice){0});
    if (added) {
        binary->nodes.list[binary->nodes.count - 1].time_us = time_us;
    }
    return added;
}

bool binary_add_real(struct binary *binary, struct slice key, double real, bool single)
{
    take_room(binary);
    struct slice text = slice_make(binary->room, real_write_text(binary->room, real, single));
    assert(text.length > 0 && text.length <= REAL_TEXT_BYTES);
    binary->room += text.length;
    return binary_add(binary, isfinite(real) ? VALUE_NUMBER : VALUE_TEXT, key, text);
}

bool binary_add_real_bits(struct binary *binary, struct slice key, uint64_t bits, bool single)
{
    return binary_add_real(binary, key, binary_real_of_bits(bits, single), single);
}

bool binary_check_text(struct binary *binary, struct slice text)
{
    return text_is_utf8(text) || binary_fail(binary, text.data, "a text is not UTF-8");
}

bool binary_add_text(struct binary *binary, struct slice key, struct slice text)
{
    return binary_check_text(binary, text) && binary_add(binary, VALUE_TEXT, key, text);
}

bool binary_time(int64_t seconds, uint32_t nanoseconds, int64_t *time_us)
{
    assert(nanoseconds < 1000000000);
    return !__builtin_mul_overflow(seconds, INT64_C(1000000), time_us) &&
           !__builtin_add_overflow(*time_us, (int64_t) (nanoseconds / 1000), time_us);
}

/* --- containers ------------------------------------------------------------------------------- */

bool binary_open(struct binary *binary, enum value_kind kind, struct slice key, const char *start,
                 struct binary_container *container)
{
    *container =
        (struct binary_container){.index = nodes_open(&binary->nodes, kind, key), .start = start};
    return container->index >= 0 || binary_fail(binary, start, nodes_limit(&binary->nodes));
}

/* Larger objects are looked at once more as a whole: see NODES_SEARCHED_MAX. */
bool binary_close(struct binary *binary, struct binary_container *container)
{
    if (binary->nodes.list[container->index].kind == VALUE_OBJECT &&
        nodes_have_duplicates(&binary->nodes, container->index, container->count)) {
        return binary_fail(binary, container->start,
                           "duplicate name in the object that begins here");
    }
    nodes_close(&binary->nodes, container->index, container->count);
    return true;
}

/* Bytes behind the value reject the message: a sender that frames its messages wrongly should
 * notice that, instead of having half of them stored. */
bool binary_end(struct binary *binary)
{
    assert(binary->nodes.depth == 0);
    return binary->at == binary->end ||
           binary_fail(binary, binary->at, "unexpected bytes after the value");
}
