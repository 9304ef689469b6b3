/*
 * decoders: what each decoder costs a message, in nanoseconds, on samples of the same content.
 *
 *   decoders [--descriptor FILE] [--milliseconds M] [--messages N] [--payload BYTES]
 *            [--only FORMAT]
 *
 * Beside each format stands json_scan() over the JSON text of the same documents: what the decoder
 * makes is written as JSON once and read again. So a format whose document has more members than
 * the plain JSON (InfluxDB's lines, Sparkplug B) is compared with JSON that has them too.
 *
 * Passes over all messages alternate between the two, each for M milliseconds in all; the median
 * of the passes counts. One line of JSON: {"csv": 350.1, "csv_json": 401.2, …}.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "decode/format.h"
#include "decode/json_scan.h"
#include "sample.h"
#include "timing.h"

enum { PASSES_MAX = 1000 };

static const char *const formats[] = {"json", "csv",      "influx",     "msgpack",
                                      "cbor", "protobuf", "sparkplug_b"};
static struct option_text csv_names[] = {
    {.text = "n"},       {.text = "ts"},     {.text = "temperature"}, {.text = "humidity"},
    {.text = "battery"}, {.text = "status"}, {.text = "note"}};

struct bench {
    size_t messages;
    struct slice *payloads; /* in the format */
    struct slice *texts;    /* the same documents as JSON */
    struct format *format;
    struct memory *memory;
    struct arena *arena; /* of one message */
    uint64_t use;        /* of results, so that no call can be left out */
};

static void check(enum outcome outcome, const struct error *error)
{
    if (outcome != OUTCOME_OK) {
        die("decoders: %s", error->text);
    }
}

static const struct node *decode(struct bench *bench, size_t i)
{
    const struct decode_input input = {.payload = bench->payloads[i],
                                       .topic = slice_of("spBv1.0/G/NDATA/d000000"),
                                       .sequence = 2,
                                       .memory = bench->memory};
    const struct node *root = NULL;
    struct error error;
    check(format_decode(bench->format, &input, bench->arena, &root, &error), &error);
    return root;
}

static void pass_decode(struct bench *bench)
{
    for (size_t i = 0; i < bench->messages; i++) {
        arena_reset(bench->arena);
        bench->use += decode(bench, i)->span;
    }
}

static void pass_json(struct bench *bench)
{
    struct error error;
    const struct node *root;
    for (size_t i = 0; i < bench->messages; i++) {
        arena_reset(bench->arena);
        check(json_scan(bench->texts[i], bench->arena, &root, &error), &error);
        bench->use += root->span;
    }
}

/* --- samples ---------------------------------------------------------------------------------- */

static void make_samples(struct bench *bench, const char *format, size_t payload_bytes,
                         struct arena *kept)
{
    struct sample sample;
    char *out = malloc(payload_bytes + SAMPLE_FORMAT_BYTES);
    sample_init(&sample, payload_bytes, 1);
    for (size_t i = 0; i < bench->messages; i++) {
        int64_t time_us = 1700000000000000 + (int64_t) i;
        sample_set(&sample, i, time_us);
        size_t length = sample_write(out, &sample, format, i, time_us);
        bench->payloads[i] = arena_copy(kept, slice_make(out, length));
        arena_reset(bench->arena);
        struct value value = node_value(decode(bench, i));
        bench->texts[i] = arena_copy(kept, value_json(&value, bench->arena));
    }
    sample_fini(&sample);
    free(out);
}

static void learn_birth(struct bench *bench)
{
    char birth[SAMPLE_FORMAT_BYTES];
    struct memory_entry entry;
    const struct decode_input input = {.payload = slice_make(birth, sample_birth(birth)),
                                       .topic = slice_of("spBv1.0/G/NBIRTH/d000000"),
                                       .sequence = 1};
    if (!format_learn(bench->format, &input, bench->arena, &entry)) {
        die("decoders: the BIRTH is none");
    }
    memory_keep(bench->memory, &entry);
}

/* --- around them ------------------------------------------------------------------------------ */

static double timed(struct bench *bench, void (*pass)(struct bench *bench))
{
    int64_t start = timing_now_ns();
    pass(bench);
    return (double) (timing_now_ns() - start) / (double) bench->messages;
}

/* Nanoseconds a message of both passes: medians. */
static void measure(struct bench *bench, int64_t milliseconds, double *decoder, double *json)
{
    static double decoders_ns[PASSES_MAX];
    static double json_ns[PASSES_MAX];
    int count = 0;

    pass_decode(bench);
    pass_json(bench);
    int64_t end = timing_now_ns() + 2 * milliseconds * 1000000;
    do {
        decoders_ns[count] = timed(bench, pass_decode);
        json_ns[count++] = timed(bench, pass_json);
    } while (count < PASSES_MAX && (timing_now_ns() < end || count < 3));
    *decoder = timing_median(decoders_ns, count);
    *json = timing_median(json_ns, count);
}

static struct format *make_format(const char *name, const struct format_options *options)
{
    const struct option_text text = {.text = name};
    struct problems problems = {0};
    struct format *format = format_new(&text, options, &problems);
    if (format == NULL) {
        problems_print(&problems, stderr);
        die("decoders: no format %s", name);
    }
    return format;
}

int main(int argc, char **argv)
{
    const struct format_options options = {
        .csv = {.names = csv_names, .name_count = sizeof(csv_names) / sizeof(csv_names[0])},
        .influx = {.precision = PRECISION_US},
        .protobuf = {.descriptor =
                         option_text(argc, argv, "descriptor", "tests/bench/telemetry.desc"),
                     .message = {.text = "bench.Telemetry"}},
    };
    int64_t milliseconds = option_number(argc, argv, "milliseconds", 300);
    size_t payload_bytes = (size_t) option_number(argc, argv, "payload", 150);
    const char *only = option_text(argc, argv, "only", NULL);
    struct bench bench = {.messages = (size_t) option_number(argc, argv, "messages", 1000)};
    uint64_t use = 0;

    bench.payloads = malloc(bench.messages * sizeof(struct slice));
    bench.texts = malloc(bench.messages * sizeof(struct slice));
    bench.arena = arena_new(64 * 1024);
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        struct arena *kept = arena_new(1024 * 1024);
        double decoder, json;
        if (only != NULL && strcmp(only, formats[i]) != 0) {
            continue;
        }
        bench.format = make_format(formats[i], &options);
        bench.memory = memory_new(MEMORY_BYTES_MAX);
        if (bench.format->decoder->learn != NULL) {
            learn_birth(&bench);
        }
        make_samples(&bench, formats[i], payload_bytes, kept);
        measure(&bench, milliseconds, &decoder, &json);
        printf("%s\"%s\":%.1f,\"%s_json\":%.1f", i == 0 ? "{" : ",", formats[i], decoder,
               formats[i], json);
        fflush(stdout);
        use += bench.use;
        format_free(bench.format);
        memory_free(bench.memory);
        arena_free(kept);
    }
    printf(",\"use\":%" PRIu64 "}\n", use);
    arena_free(bench.arena);
    free(bench.payloads);
    free(bench.texts);
    return 0;
}
