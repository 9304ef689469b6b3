/*
 * The worst payloads of 1 MB that were thought of for each format: none may take a decoder longer
 * than a bounded time, nor more memory than a bounded part. What takes the square of anything does.
 *
 * With HOSTILE=1 in the environment times and sizes are printed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <time.h>

#include "hostile_binary.h"
#include "hostile_text.h"
#include "unit.h"

enum { DECODED_BYTES_MAX = 8 << 20 };

/* The aim is 200 ms on a core of today; the rest is for slow machines. Under instruments, under
 * qemu and without optimisation all takes longer: there only what is a square is found. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
#define SLOW true
#else
#define SLOW (getenv("EMULATOR") != NULL)
#endif
enum { MILLISECONDS_MAX = 500, MILLISECONDS_MAX_SLOW = 8000 };

/* A million nodes and the smaller arrays before them take 100 MB, the pieces of Protocol Buffers
 * 64 MB, and what a format needs beside them is less. */
enum { ARENA_MEGABYTES_MAX = 200 };

static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

/* What a message of the format goes through: learning, where there is any, and decoding. */
static enum outcome take(const struct format *format, struct slice payload, struct arena *arena,
                         struct error *error)
{
    const struct decode_input input = {
        .payload = payload, .topic = slice_of("spBv1.0/G/NBIRTH/E"), .sequence = 1};
    const struct node *root = NULL;
    struct memory_entry entry;
    if (format->decoder->learn != NULL) {
        format_learn(format, &input, arena, &entry);
    }
    return format_decode(format, &input, arena, &root, error);
}

static void make(const struct hostile *hostile, struct buf *payload)
{
    if (hostile->make != NULL) {
        hostile->make(payload);
        return;
    }
    buf_append_slice(payload, hostile->head);
    repeat(payload, hostile->unit, hostile->tail.length + (hostile->wrap != 0 ? 8 : 0));
    buf_append_slice(payload, hostile->tail);
    if (hostile->wrap != 0) {
        wrap(payload, hostile->wrap);
    }
}

static struct format *format_of(const char *name, const struct format_options *options)
{
    struct problems problems = {0};
    return format_new(&(const struct option_text){.text = name}, options, &problems);
}

static void run(const char *name, const struct hostile *hostile)
{
    const struct format_options options = {
        .compression = hostile->compression,
        .lenient = hostile->lenient,
        .max_decoded_bytes = DECODED_BYTES_MAX,
        .csv = {.header = hostile->header},
        .protobuf = {.descriptor = "tests/data/protobuf/all.desc",
                     .message.text = hostile->message != NULL ? hostile->message : "test.Nested"},
    };
    struct buf payload = {0};
    struct arena *arena = arena_new(64 * 1024);
    struct format *format = format_of(name, &options);
    struct error error = {0};
    UNIT_CASE("%s: %s", name, hostile->name);
    CHECK(format != NULL);
    make(hostile, &payload);
    double start = cpu_ms();
    enum outcome outcome = take(format, buf_slice(&payload), arena, &error);
    double milliseconds = cpu_ms() - start;
    if (getenv("HOSTILE") != NULL) {
        printf("%-12s %-36s %6.1f ms %6.1f MB of %zu: %s\n", name, hostile->name, milliseconds,
               (double) arena_used(arena) / 1e6, payload.length,
               outcome == OUTCOME_OK ? "" : error.text);
    }
    CHECK(payload.length <= PAYLOAD_BYTES);
    CHECK(hostile->reason == NULL || strstr(error.text, hostile->reason) != NULL);
    CHECK(milliseconds <= (SLOW ? MILLISECONDS_MAX_SLOW : MILLISECONDS_MAX));
    CHECK(arena_used(arena) <= (size_t) ARENA_MEGABYTES_MAX << 20);
    format_free(format);
    arena_free(arena);
    buf_fini(&payload);
}

#define RUN_ALL(format, cases) \
    for (size_t i = 0; i < sizeof(cases) / sizeof((cases)[0]); i++) { \
        run(format, &(cases)[i]); \
    }

static void test_text(void)
{
    RUN_ALL("json", hostile_json)
    RUN_ALL("csv", hostile_csv)
    RUN_ALL("influx", hostile_influx)
    RUN_ALL("json", hostile_compressed)
}

static void test_binary(void){RUN_ALL("msgpack", hostile_msgpack) RUN_ALL("cbor", hostile_cbor)
                                  RUN_ALL("protobuf", hostile_protobuf)
                                      RUN_ALL("sparkplug_b", hostile_sparkplug)}

UNIT_MAIN("hostile", {"text formats", test_text}, {"binary formats", test_binary})
