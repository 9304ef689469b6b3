/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <malloc.h>
#include <stdalign.h>
#include <stdint.h>

#include "unit.h"

/* Fills many pieces of odd sizes, then looks whether any has spilled into another. */
static void test_pieces_do_not_overlap(void)
{
    enum { PIECES = 500 };
    struct arena *arena = arena_new(256);
    unsigned char *pieces[PIECES];
    for (size_t round = 0; round < 3; round++) {
        size_t wrong = 0;
        size_t handed_out = 0;
        for (size_t i = 0; i < PIECES; i++) {
            size_t size = i * 37 % 300;
            pieces[i] = arena_alloc(arena, size);
            wrong += (uintptr_t) pieces[i] % alignof(max_align_t) != 0;
            memset(pieces[i], (int) (i & 0xff), size);
            handed_out += size;
        }
        for (size_t i = 0; i < PIECES; i++) {
            for (size_t k = 0; k < i * 37 % 300; k++) {
                wrong += pieces[i][k] != (i & 0xff);
            }
        }
        CHECK_INT_EQ(wrong, 0);
        CHECK_INT_EQ(arena_used(arena), handed_out);
        arena_reset(arena);
        CHECK_INT_EQ(arena_used(arena), 0);
    }
    arena_free(arena);
}

static void test_blocks_are_used_again(void)
{
    struct arena *arena = arena_new(1024);
    void *first = arena_alloc(arena, 100);
    arena_reset(arena);
    CHECK(arena_alloc(arena, 100) == first);

    /* A huge piece does not stay, and does not lose the usual block. */
    size_t before = mallinfo2().hblkhd + mallinfo2().uordblks; /* 0 under a sanitizer */
    memset(arena_alloc(arena, 1000000), 1, 1000000);
    arena_reset(arena);
    CHECK_INT_EQ(mallinfo2().hblkhd + mallinfo2().uordblks, before);
    CHECK(arena_alloc(arena, 100) == first);
    arena_free(arena);
}

static void test_copy_and_printf(void)
{
    struct arena *arena = arena_new(16);
    struct slice copy = arena_copy(arena, slice_make("a\0b", 3));
    CHECK(slice_equal(copy, slice_make("a\0b", 3)));
    CHECK_INT_EQ(copy.data[3], '\0');
    struct slice empty = arena_copy(arena, slice_make(NULL, 0));
    CHECK_INT_EQ(empty.length, 0);
    CHECK_TEXT_EQ(empty.data, "");
    struct slice text = arena_printf(arena, "%s-%d-%s", "device", 12345, "a text beyond one block");
    CHECK_TEXT_EQ(text.data, "device-12345-a text beyond one block");
    CHECK_INT_EQ(text.length, strlen(text.data));
    arena_free(arena);
    arena_free(NULL);
}

UNIT_MAIN("arena", {"pieces do not overlap", test_pieces_do_not_overlap},
          {"blocks are used again", test_blocks_are_used_again},
          {"copy and printf", test_copy_and_printf})
