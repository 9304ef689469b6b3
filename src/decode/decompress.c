/*
 *   gzip (RFC 1952)  1f 8b, 8 bytes of header, deflate, CRC-32, length; then perhaps another one
 *   zlib (RFC 1950)  78 and a byte that makes the pair divisible by 31, deflate, Adler-32
 *   zstd (RFC 8878)  28 b5 2f fd, a frame of blocks; then perhaps another one
 *
 * JSON, CSV and line protocol never begin so, which is why "auto" is safe for formats of text
 * alone.
 *
 * Output grows by doubling up to the limit; one byte more than the limit is enough to know that
 * there is too much. The announced size of a frame is not believed in either direction.
 *
 * SPDX-License-Identifier: MIT
 */
#include "decode/decompress.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/memory.h"
#include "base/text.h"

enum { OUTPUT_BYTES_MIN = 1024, GUESSED_RATIO = 4 };
enum { WINDOW_BITS = 15, WITH_GZIP_HEADER = 16 }; /* of inflateInit2() */
enum { ZSTD_WINDOW_BITS_MIN = 10, ZSTD_WINDOW_BITS_MAX = 27 };

/* What has come out; grows up to the limit. */
struct output {
    struct arena *arena;
    char *data;
    size_t length;
    size_t capacity;
    size_t bytes_max;
};

static struct output output_begin(struct arena *arena, size_t payload_bytes, size_t bytes_max)
{
    size_t guess = payload_bytes * GUESSED_RATIO + OUTPUT_BYTES_MIN;
    struct output output = {
        .arena = arena, .capacity = guess < bytes_max ? guess : bytes_max, .bytes_max = bytes_max};
    output.data = arena_alloc(arena, output.capacity + 1);
    return output;
}

/* Makes room for at least one more byte. One byte beyond the limit is let in, so that a payload of
 * exactly `bytes_max` can end; false when that is used up. */
static bool output_grow(struct output *output)
{
    assert(output->length <= output->capacity + 1 && output->capacity <= output->bytes_max);
    if (output->length <= output->capacity) {
        return true;
    }
    if (output->capacity >= output->bytes_max) {
        return false;
    }
    size_t doubled = output->capacity * 2;
    output->capacity = doubled < output->bytes_max ? doubled : output->bytes_max;
    char *data = arena_alloc(output->arena, output->capacity + 1);
    memcpy(data, output->data, output->length);
    output->data = data;
    return true;
}

/* Rejects the payload for what stands at this offset of the compressed bytes. */
static enum outcome reject_damage(struct error *error, size_t offset, const char *what)
{
    return error_set(error, OUTCOME_REJECT, "byte %zu: %s", offset + 1, what);
}

/* In the words and units of the setting. */
static enum outcome reject_bomb(struct error *error, size_t bytes_max)
{
    struct buf size = {0};
    text_format_size(&size, (int64_t) bytes_max);
    error_set(error, OUTCOME_REJECT, "decompressed, the payload has more than max_decoded (%s)",
              buf_string(&size));
    buf_fini(&size);
    return OUTCOME_REJECT;
}

/* --- zlib and gzip ---------------------------------------------------------------------------- */

/* memory_alloc() does not fail, so zlib has no failure of its own to be handled. */
static void *zlib_alloc(void *opaque, unsigned items, unsigned size)
{
    (void) opaque;
    return memory_alloc((size_t) items * size);
}

static void zlib_free(void *opaque, void *address)
{
    (void) opaque;
    free(address);
}

/* Until the stream's end. A gzip payload may be several members, one behind the other. */
static enum outcome inflate_all(z_stream *stream, bool members, size_t payload_bytes,
                                struct output *output, struct error *error)
{
    for (;;) {
        if (!output_grow(output)) {
            return reject_bomb(error, output->bytes_max);
        }
        size_t room = output->capacity + 1 - output->length;
        stream->next_out = (Bytef *) output->data + output->length;
        stream->avail_out = (uInt) room;
        int result = inflate(stream, Z_NO_FLUSH);
        assert(stream->avail_in <= payload_bytes && stream->avail_out <= room);
        size_t taken = payload_bytes - stream->avail_in;
        output->length += room - stream->avail_out;
        if (result == Z_STREAM_END) {
            if (stream->avail_in == 0) {
                break;
            }
            if (!members || inflateReset(stream) != Z_OK) {
                return reject_damage(error, taken,
                                     "something stands behind the compressed payload");
            }
        } else if (result == Z_BUF_ERROR || (result == Z_OK && stream->avail_out > 0)) {
            return reject_damage(error, payload_bytes, "the compressed payload ends early");
        } else if (result != Z_OK) {
            return reject_damage(error, taken,
                                 stream->msg != NULL ? stream->msg : "the payload is damaged");
        }
    }
    return output->length > output->bytes_max ? reject_bomb(error, output->bytes_max) : OUTCOME_OK;
}

/* zlib checks the sum at the end by itself (CRC-32 or Adler-32). */
static enum outcome inflate_payload(bool gzip, struct slice payload, struct output *output,
                                    struct error *error)
{
    z_stream stream = {.zalloc = zlib_alloc,
                       .zfree = zlib_free,
                       .next_in = (z_const Bytef *) payload.data,
                       .avail_in = (uInt) payload.length};
    if (payload.length > UINT_MAX ||
        inflateInit2(&stream, WINDOW_BITS + (gzip ? WITH_GZIP_HEADER : 0)) != Z_OK) {
        return error_set(error, OUTCOME_REJECT, "zlib can't take the payload");
    }
    enum outcome outcome = inflate_all(&stream, gzip, payload.length, output, error);
    inflateEnd(&stream);
    return outcome;
}

/* --- zstd ------------------------------------------------------------------------------------- */

/* The smallest window that holds as much as may come out. */
static int window_bits(size_t bytes_max)
{
    int bits = ZSTD_WINDOW_BITS_MIN;
    while (bits < ZSTD_WINDOW_BITS_MAX && ((size_t) 1 << bits) < bytes_max) {
        bits++;
    }
    assert(bits >= ZSTD_WINDOW_BITS_MIN && bits <= ZSTD_WINDOW_BITS_MAX);
    return bits;
}

/* ZSTD_decompressStream() returns 0 at the end of a frame, else a hint that there is more. */
static enum outcome zstd_all(ZSTD_DCtx *context, struct slice payload, struct output *output,
                             struct error *error)
{
    ZSTD_inBuffer input = {payload.data, payload.length, 0};
    size_t left = 1; /* 0: a frame is whole */
    while (input.pos < input.size || left > 0) {
        if (!output_grow(output)) {
            return reject_bomb(error, output->bytes_max);
        }
        ZSTD_outBuffer out = {output->data, output->capacity + 1, output->length};
        left = ZSTD_decompressStream(context, &out, &input);
        assert(out.pos <= out.size && input.pos <= input.size);
        output->length = out.pos;
        if (ZSTD_isError(left)) {
            return reject_damage(error, input.pos, ZSTD_getErrorName(left));
        }
        if (left > 0 && input.pos == input.size && out.pos < out.size) {
            return reject_damage(error, payload.length, "the compressed payload ends early");
        }
    }
    return output->length > output->bytes_max ? reject_bomb(error, output->bytes_max) : OUTCOME_OK;
}

/* A frame says how far back it refers, up to gigabytes: the window is bounded by what may come
 * out. */
static enum outcome zstd_payload(struct slice payload, struct output *output, struct error *error)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    if (context == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax,
                                                               window_bits(output->bytes_max)))) {
        ZSTD_freeDCtx(context);
        return error_set(error, OUTCOME_REJECT, "zstd can't take the payload");
    }
    enum outcome outcome = zstd_all(context, payload, output, error);
    ZSTD_freeDCtx(context);
    return outcome;
}

/* --- which ------------------------------------------------------------------------------------ */

static bool begins_with(struct slice payload, const char *bytes, size_t length)
{
    return payload.length >= length && memcmp(payload.data, bytes, length) == 0;
}

/* RFC 1950, section 2.2: deflate with a window of 32 KB, and a check over both bytes. */
static bool is_zlib(struct slice payload)
{
    return payload.length >= 2 && payload.data[0] == 0x78 &&
           (0x7800 + (unsigned char) payload.data[1]) % 31 == 0;
}

/* By the first bytes; see the table at the top. */
static enum compression recognise(struct slice payload)
{
    return begins_with(payload, "\x1f\x8b", 2)           ? COMPRESSION_GZIP
           : begins_with(payload, "\x28\xb5\x2f\xfd", 4) ? COMPRESSION_ZSTD
           : is_zlib(payload)                            ? COMPRESSION_ZLIB
                                                         : COMPRESSION_NONE;
}

enum outcome decompress(struct decompression how, struct slice payload, struct arena *arena,
                        struct slice *plain, struct error *error)
{
    static const char *const names[] = {
        [COMPRESSION_GZIP] = "gzip", [COMPRESSION_ZLIB] = "zlib", [COMPRESSION_ZSTD] = "zstd"};
    enum compression compression =
        how.compression == COMPRESSION_AUTO ? recognise(payload) : how.compression;
    *plain = payload;
    if (compression == COMPRESSION_NONE) {
        return OUTCOME_OK;
    }
    if (payload.length == 0) {
        return error_set(error, OUTCOME_REJECT, "%s: the payload is empty", names[compression]);
    }
    assert(compression < COMPRESSION_AUTO);
    struct output output = output_begin(arena, payload.length, how.bytes_max);
    enum outcome outcome =
        compression == COMPRESSION_ZSTD
            ? zstd_payload(payload, &output, error)
            : inflate_payload(compression == COMPRESSION_GZIP, payload, &output, error);
    *plain = slice_make(output.data, output.length);
    if (outcome != OUTCOME_OK) {
        error_prefix(error, "%s", names[compression]);
    }
    return outcome;
}
