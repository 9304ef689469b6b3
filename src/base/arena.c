/*
 * A list of blocks, filled one after the other:
 *
 *   first ─▶ [ full ] ─▶ [ full ] ─▶ [ filled up to `position` ] ─▶ [ empty, from before a reset ]
 *                                       ▲ current
 *
 * Under AddressSanitizer everything that is not handed out is poisoned, so that a use after
 * arena_reset() is found like a use after free().
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/arena.h"

#include <assert.h>
#include <sanitizer/asan_interface.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

struct block {
    struct block *next;
    size_t size; /* of bytes[] */
    alignas(max_align_t) char bytes[];
};

struct arena {
    size_t block_bytes;
    struct block *first;
    struct block *current; /* NULL before the first allocation after a reset */
    size_t position;       /* in current->bytes; always aligned */
    size_t used;
};

static size_t align_up(size_t size)
{
    size_t unit = alignof(max_align_t);
    return (size + unit - 1) / unit * unit;
}

static void block_free(struct block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->bytes, block->size);
    free(block);
}

struct arena *arena_new(size_t block_bytes)
{
    struct arena *arena = memory_alloc(sizeof(*arena));
    arena->block_bytes = align_up(block_bytes > 0 ? block_bytes : 1);
    return arena;
}

void arena_free(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    for (struct block *block = arena->first, *next; block != NULL; block = next) {
        next = block->next;
        block_free(block);
    }
    free(arena);
}

/* Makes a block with room for `size` bytes the current one: the next empty
 * one if that is large enough, else a new one in front of it. */
static void arena_advance(struct arena *arena, size_t size)
{
    struct block **link = arena->current != NULL ? &arena->current->next : &arena->first;
    struct block *block = *link;
    if (block == NULL || block->size < size) {
        size_t bytes = size > arena->block_bytes ? size : arena->block_bytes;
        block = memory_resize(NULL, sizeof(*block) + bytes);
        block->next = *link;
        block->size = bytes;
        *link = block;
        ASAN_POISON_MEMORY_REGION(block->bytes, block->size);
    }
    assert(block->size >= size);
    arena->current = block;
    arena->position = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    /* align_up() would wrap around for a huge size. SIZE_MAX / 4 can't be allocated either, which
     * ends the process. */
    size_t aligned = size < SIZE_MAX / 4 ? align_up(size > 0 ? size : 1) : SIZE_MAX / 4;
    if (arena->current == NULL || arena->current->size - arena->position < aligned) {
        arena_advance(arena, aligned);
    }
    char *bytes = arena->current->bytes + arena->position;
    ASAN_UNPOISON_MEMORY_REGION(bytes, size);
    assert(aligned <= arena->current->size - arena->position);
    assert(arena->position % alignof(max_align_t) == 0);
    arena->position += aligned;
    arena->used += size;
    return bytes;
}

struct slice arena_copy(struct arena *arena, struct slice slice)
{
    char *copy = arena_alloc(arena, slice.length + 1);
    assert(slice.data != NULL || slice.length == 0);
    if (slice.length > 0) {
        memcpy(copy, slice.data, slice.length);
    }
    copy[slice.length] = '\0';
    return slice_make(copy, slice.length);
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        length = 0;
        format = "";
    }

    char *text = arena_alloc(arena, (size_t) length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t) length + 1, format, arguments);
    va_end(arguments);
    return slice_make(text, (size_t) length);
}

void arena_reset(struct arena *arena)
{
    struct block **link = &arena->first;
    while (*link != NULL) {
        struct block *block = *link;
        if (block->size > arena->block_bytes) {
            *link = block->next;
            block_free(block);
        } else {
            ASAN_POISON_MEMORY_REGION(block->bytes, block->size);
            link = &block->next;
        }
    }
    arena->current = NULL;
    arena->position = 0;
    arena->used = 0;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
