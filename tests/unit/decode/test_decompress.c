/* SPDX-License-Identifier: MIT */
#include "decode/decompress.h"

#include <zlib.h>
#include <zstd.h>

#include "unit.h"

enum { ROOM = 1 << 20 };

/* `plain` as gzip, zlib or zstd, in memory of exactly that size. */
static struct slice compress_it(enum compression compression, struct slice plain)
{
    char *out = malloc(ROOM);
    size_t length;
    if (compression == COMPRESSION_ZSTD) {
        length = ZSTD_compress(out, ROOM, plain.data, plain.length, 19);
    } else {
        z_stream stream = {.next_in = (z_const Bytef *) plain.data,
                           .avail_in = (uInt) plain.length,
                           .next_out = (Bytef *) out,
                           .avail_out = ROOM};
        int bits = compression == COMPRESSION_GZIP ? 15 + 16 : 15;
        CHECK_INT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
        CHECK_INT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
        length = stream.total_out;
        deflateEnd(&stream);
    }
    char *exact = malloc(length);
    memcpy(exact, out, length);
    free(out);
    return slice_make(exact, length);
}

static const enum compression kinds[] = {COMPRESSION_GZIP, COMPRESSION_ZLIB, COMPRESSION_ZSTD};

static enum outcome run(enum compression compression, struct slice payload, size_t bytes_max,
                        struct slice *plain, struct arena *arena, struct error *error)
{
    arena_reset(arena);
    error_clear(error);
    return decompress((struct decompression){compression, bytes_max}, payload, arena, plain, error);
}

static void test_whole(void)
{
    static const char text[] = "{\"temperature\":21.5,\"device\":\"d1\"}";
    struct arena *arena = arena_new(1000);
    struct error error;
    struct slice plain;
    for (size_t i = 0; i < 3; i++) {
        struct slice payload = compress_it(kinds[i], slice_of(text));
        UNIT_CASE("%zu", i);
        CHECK_INT_EQ(run(kinds[i], payload, 1000, &plain, arena, &error), OUTCOME_OK);
        CHECK_SLICE_EQ(plain, text);
        CHECK_INT_EQ(run(COMPRESSION_AUTO, payload, 1000, &plain, arena, &error), OUTCOME_OK);
        CHECK_SLICE_EQ(plain, text);
        CHECK_INT_EQ(run(kinds[(i + 1) % 3], payload, 1000, &plain, arena, &error), OUTCOME_REJECT);
        CHECK_INT_EQ(run(kinds[i], (struct slice){0}, 1000, &plain, arena, &error), OUTCOME_REJECT);
        free((void *) payload.data);
    }
    CHECK_INT_EQ(run(COMPRESSION_AUTO, slice_of(text), 1, &plain, arena, &error), OUTCOME_OK);
    CHECK(plain.data == text);
    arena_free(arena);
}

/* Cut anywhere, with something behind it, with a byte changed. */
static void test_damaged(void)
{
    char text[3000];
    struct arena *arena = arena_new(1000);
    struct error error;
    struct slice plain;
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (char) ('a' + i * i % 23);
    }
    for (size_t i = 0; i < 3; i++) {
        struct slice payload = compress_it(kinds[i], slice_make(text, sizeof(text)));
        char *more = malloc(payload.length + 3);
        UNIT_CASE("%zu", i);
        memcpy(more, payload.data, payload.length);
        memcpy(more + payload.length, "abc", 3);
        for (size_t length = 0; length < payload.length; length++) {
            CHECK_INT_EQ(run(kinds[i], slice_make(more, length), 10000, &plain, arena, &error),
                         OUTCOME_REJECT);
            CHECK(error.text[0] != '\0');
        }
        CHECK_INT_EQ(
            run(kinds[i], slice_make(more, payload.length + 3), 10000, &plain, arena, &error),
            OUTCOME_REJECT);
        if (kinds[i] != COMPRESSION_ZSTD) { /* a frame of zstd need not have a checksum */
            more[payload.length / 2] ^= 1;
            CHECK_INT_EQ(
                run(kinds[i], slice_make(more, payload.length), 10000, &plain, arena, &error),
                OUTCOME_REJECT);
        }
        free(more);
        free((void *) payload.data);
    }
    arena_free(arena);
}

/* A gzip file of two members is their contents, one behind the other; so are two frames of zstd. */
static void test_members(void)
{
    static const enum compression several[] = {COMPRESSION_GZIP, COMPRESSION_ZSTD};
    struct arena *arena = arena_new(1000);
    struct error error;
    struct slice plain;
    for (size_t i = 0; i < 2; i++) {
        struct slice one = compress_it(several[i], slice_of("one,"));
        struct slice two = compress_it(several[i], slice_of("two"));
        char *both = malloc(one.length + two.length);
        memcpy(both, one.data, one.length);
        memcpy(both + one.length, two.data, two.length);
        CHECK_INT_EQ(
            run(several[i], slice_make(both, one.length + two.length), 100, &plain, arena, &error),
            OUTCOME_OK);
        CHECK_SLICE_EQ(plain, "one,two");
        free(both);
        free((void *) one.data);
        free((void *) two.data);
    }
    arena_free(arena);
}

/* What comes out ends at the limit: exactly it is taken, a byte more is not, and a bomb of 64 MB
 * costs no more memory than the limit asks for. */
static void test_bombs(void)
{
    enum { BOMB = 64 << 20, LIMIT = 100000 };
    struct arena *arena = arena_new(1000);
    struct error error;
    struct slice plain;
    char *zeros = calloc(1, BOMB);
    for (size_t i = 0; i < 3; i++) {
        struct slice bomb = compress_it(kinds[i], slice_make(zeros, BOMB));
        struct slice exact = compress_it(kinds[i], slice_make(zeros, LIMIT));
        struct slice over = compress_it(kinds[i], slice_make(zeros, LIMIT + 1));
        UNIT_CASE("%zu", i);
        CHECK(bomb.length < 100000);
        CHECK_INT_EQ(run(kinds[i], exact, LIMIT, &plain, arena, &error), OUTCOME_OK);
        CHECK_INT_EQ(plain.length, LIMIT);
        CHECK_INT_EQ(run(kinds[i], over, LIMIT, &plain, arena, &error), OUTCOME_REJECT);
        CHECK_INT_EQ(run(kinds[i], bomb, LIMIT, &plain, arena, &error), OUTCOME_REJECT);
        CHECK(arena_used(arena) < 4 * LIMIT);
        free((void *) bomb.data);
        free((void *) exact.data);
        free((void *) over.data);
    }
    free(zeros);
    arena_free(arena);
}

UNIT_MAIN("decompress", {"whole", test_whole}, {"damaged", test_damaged},
          {"several members", test_members}, {"bombs", test_bombs})
