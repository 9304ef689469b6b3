/* SPDX-License-Identifier: MIT */
#include "decode/binary.h"

#include <math.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/real_text.h"

enum { DIGITS_MAX = 41 }; /* 128 bits and a sign */

void binary_init(struct binary *binary, struct slice payload, struct arena *arena,
                 struct error *error)
{
    const char *begin = payload.length > 0 ? payload.data : "";
    *binary =
        (struct binary){.begin = begin, .at = begin, .end = begin + payload.length, .error = error};
    nodes_begin(&binary->nodes, arena, payload.length / 8);
}

void binary_fini(struct binary *binary)
{
    buf_fini(&binary->scratch);
}

bool binary_fail(struct binary *binary, const char *at, const char *what)
{
    error_set(binary->error, OUTCOME_REJECT, "byte %zu: %s", (size_t) (at - binary->begin) + 1,
              what);
    return false;
}

bool binary_take_unsigned(struct binary *binary, unsigned bytes, uint64_t *number)
{
    struct slice taken = {0};
    if (!binary_take(binary, bytes, &taken)) {
        return false;
    }
    *number = 0;
    for (unsigned i = 0; i < bytes; i++) {
        *number = *number << 8 | (unsigned char) taken.data[i];
    }
    return true;
}

/* --- nodes ------------------------------------------------------------------------------------ */

bool binary_add(struct binary *binary, enum value_kind kind, struct slice key, struct slice text)
{
    return nodes_add(&binary->nodes, kind, key, text) != NULL ||
           binary_fail(binary, binary->at, nodes_limit(&binary->nodes));
}

bool binary_add_boolean(struct binary *binary, struct slice key, bool boolean)
{
    bool added = binary_add(binary, VALUE_BOOLEAN, key, (struct slice){0});
    if (added) {
        binary->nodes.list[binary->nodes.count - 1].boolean = boolean;
    }
    return added;
}

struct slice binary_digits(struct arena *arena, unsigned __int128 number, bool negative)
{
    char *end = (char *) arena_alloc(arena, DIGITS_MAX) + DIGITS_MAX;
    char *at = end;
    uint64_t rest;
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
    for (rest = (uint64_t) high; rest > 0; rest /= 10) {
        *--at = (char) ('0' + rest % 10);
    }
    if (at == end) {
        *--at = '0';
    }
    if (negative) {
        *--at = '-';
    }
    return slice_make(at, (size_t) (end - at));
}

bool binary_add_unsigned(struct binary *binary, struct slice key, uint64_t number)
{
    return binary_add(binary, VALUE_NUMBER, key, binary_digits(binary->nodes.arena, number, false));
}

bool binary_add_signed(struct binary *binary, struct slice key, int64_t number)
{
    uint64_t magnitude = number < 0 ? (uint64_t) - (number + 1) : (uint64_t) number;
    return binary_add(binary, VALUE_NUMBER, key,
                      binary_digits(binary->nodes.arena, magnitude, number < 0));
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
    buf_reset(&binary->scratch);
    real_append_text(&binary->scratch, real, single);
    return binary_add(binary, isfinite(real) ? VALUE_NUMBER : VALUE_TEXT, key,
                      arena_copy(binary->nodes.arena, buf_slice(&binary->scratch)));
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

bool binary_name(struct binary *binary, struct binary_container *container, struct slice name,
                 const char *at)
{
    if (nodes_name_is_taken(&binary->nodes, container->index, container->count, name,
                            &container->seen)) {
        return binary_fail(binary, at, "a name stands twice in one object");
    }
    container->count++;
    return true;
}

bool binary_close(struct binary *binary, struct binary_container *container)
{
    if (binary->nodes.list[container->index].kind == VALUE_OBJECT &&
        nodes_have_duplicates(&binary->nodes, container->index, container->count)) {
        return binary_fail(binary, container->start,
                           "a name stands twice in the object that begins here");
    }
    nodes_close(&binary->nodes, container->index, container->count);
    return true;
}

bool binary_end(struct binary *binary)
{
    assert(binary->nodes.depth == 0);
    return binary->at == binary->end ||
           binary_fail(binary, binary->at, "something stands behind the value");
}
