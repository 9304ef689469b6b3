/*
 * arena: memory that is given back all at once.
 *
 * The loader takes everything that lives as long as one message or one batch from an arena and
 * resets it afterwards: no malloc per message, nothing to leak. A reset keeps the blocks of the
 * usual size for the next batch and frees larger ones, so that a huge message does not hold memory.
 * One thread per arena.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_ARENA_H
#define MQTT2PG_BASE_ARENA_H

#include <stddef.h>

#include "base/outcome.h"
#include "base/slice.h"

struct arena;

struct arena *arena_new(size_t block_bytes);
void arena_free(struct arena *arena);

/* `size` bytes aligned for any type, not zeroed, valid until arena_reset(). */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy of the slice's bytes with a NUL behind it that does not count. */
struct slice arena_copy(struct arena *arena, struct slice slice);

struct slice arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/* Ends the life of everything that was allocated. */
void arena_reset(struct arena *arena);

/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);

#endif
