/*
 * stages: what each stage of the way costs a message, in nanoseconds, on the stage's own functions
 * and the same samples.
 *
 *   stages --directory D [--milliseconds M] [--messages N] [--topics T] [--payload BYTES]
 *
 *   append    journal_append(), the write included, no sync          read      journal_reader_next()
 *   route     router_find(), topics cached                           scan      json_scan()
 *   map       expression_evaluate() for the seven columns            convert   convert_value() for them
 *   encode    copy_append_row()
 *   all       from the record to the encoded row, as the loader calls it: mapper_map() and copy_append_row()
 *
 * Each stage runs again and again for M milliseconds after one pass to warm up; the median of the
 * passes counts. One line of JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "decode/json_scan.h"
#include "journal/journal.h"
#include "journal/journal_reader.h"
#include "load/mapper.h"
#include "load/ruleset.h"
#include "row/convert.h"
#include "row/copy_format.h"
#include "sample.h"
#include "timing.h"

enum { COLUMNS = 7, PASSES_MAX = 1000 };

static struct option_column columns[COLUMNS] = {
    {.name = "time", .expression = "$.ts | unix_us :: timestamptz"},
    {.name = "device", .expression = "{device} :: text"},
    {.name = "n", .expression = "$.n :: bigint"},
    {.name = "temperature", .expression = "$.temperature :: float8"},
    {.name = "humidity", .expression = "$.humidity :: float8"},
    {.name = "battery", .expression = "$.battery :: integer"},
    {.name = "status", .expression = "$.status :: text"},
};

struct bench {
    size_t messages; /* of one pass */
    char *payloads;
    size_t payload_bytes;
    char (*topics)[SAMPLE_TOPIC_BYTES];
    struct ruleset *ruleset;
    const struct rule *rule;
    struct mapper *mapper;
    struct arena *arena;
    struct journal *journal;
    struct journal_reader *reader;
    const struct node **roots; /* of all payloads; live in `documents` */
    struct arena *documents;
    struct value *values; /* messages × COLUMNS */
    struct datum *datums;
    const struct column_shape *shapes[COLUMNS];
    struct buf rows;
    uint64_t use; /* of results, so that no call can be left out */
};

static struct slice payload(const struct bench *bench, size_t i)
{
    return slice_make(bench->payloads + i * bench->payload_bytes, bench->payload_bytes);
}

static struct slice topic(const struct bench *bench, size_t i)
{
    return slice_make(bench->topics[i], SAMPLE_TOPIC_BYTES);
}

static struct message message_of(const struct bench *bench, size_t i)
{
    return (struct message){.kind = MESSAGE_PUBLISH,
                            .qos = 1,
                            .packet_id = 1,
                            .received_at_us = 1700000000000000,
                            .topic = topic(bench, i),
                            .payload = payload(bench, i)};
}

static void check(enum outcome outcome, const struct error *error)
{
    if (outcome != OUTCOME_OK) {
        die("stages: %s", error->text);
    }
}

/* --- one pass of each stage ------------------------------------------------------------------- */

static void pass_append(struct bench *bench)
{
    struct error error;
    for (size_t i = 0; i < bench->messages; i++) {
        struct message message = message_of(bench, i);
        check(journal_append(bench->journal, &message, &error), &error);
    }
}

static void pass_read(struct bench *bench)
{
    struct journal_next next;
    check(journal_reader_seek(bench->reader, 1, &next.error), &next.error);
    for (size_t i = 0; i < bench->messages; i++) {
        if (journal_reader_next(bench->reader, &next) != JOURNAL_READ_MESSAGE) {
            die("stages: the journal ends early");
        }
        bench->use += next.message.payload.length;
    }
}

static void pass_route(struct bench *bench)
{
    const struct route *routes;
    for (size_t i = 0; i < bench->messages; i++) {
        bench->use += router_find(bench->ruleset->router, topic(bench, i), &routes);
    }
}

static void pass_scan(struct bench *bench)
{
    struct error error;
    const struct node *root;
    for (size_t i = 0; i < bench->messages; i++) {
        arena_reset(bench->arena);
        check(json_scan(payload(bench, i), bench->arena, &root, &error), &error);
        bench->use += root != NULL;
    }
}

static void evaluate(struct bench *bench, size_t i)
{
    struct message message = message_of(bench, i);
    struct slice capture = slice_make(message.topic.data + 6, 7);
    struct subject subject = {.message = &message,
                              .captures = &capture,
                              .rule = "r",
                              .client_id = "bench",
                              .payload = bench->roots[i],
                              .here = bench->roots[i]};
    struct error error;
    for (size_t j = 0; j < COLUMNS; j++) {
        check(expression_evaluate(bench->rule->columns[j], &subject, bench->arena,
                                  &bench->values[i * COLUMNS + j], &error),
              &error);
    }
}

static void pass_map(struct bench *bench)
{
    for (size_t i = 0; i < bench->messages; i++) {
        arena_reset(bench->arena);
        evaluate(bench, i);
    }
}

static void convert(struct bench *bench, size_t i, struct arena *arena)
{
    struct error error;
    for (size_t j = 0; j < COLUMNS; j++) {
        check(convert_value(&bench->values[i * COLUMNS + j], bench->shapes[j], arena,
                            &bench->datums[i * COLUMNS + j], &error),
              &error);
    }
}

static void pass_convert(struct bench *bench)
{
    for (size_t i = 0; i < bench->messages; i++) {
        arena_reset(bench->arena);
        convert(bench, i, bench->arena);
    }
}

static void pass_encode(struct bench *bench)
{
    buf_reset(&bench->rows);
    for (size_t i = 0; i < bench->messages; i++) {
        copy_append_row(&bench->rows, COPY_BINARY, &bench->datums[i * COLUMNS], bench->shapes,
                        COLUMNS);
    }
    bench->use += bench->rows.length;
}

static void pass_all(struct bench *bench)
{
    struct journal_next next;
    const struct mapped *list;

    buf_reset(&bench->rows);
    check(journal_reader_seek(bench->reader, 1, &next.error), &next.error);
    for (size_t i = 0; i < bench->messages; i++) {
        if (journal_reader_next(bench->reader, &next) != JOURNAL_READ_MESSAGE ||
            mapper_map(bench->mapper, &next.message, &list) != 1 || list->rows != 1) {
            die("stages: a message gave no row");
        }
        copy_append_row(&bench->rows, COPY_BINARY, list->datums, bench->shapes, COLUMNS);
    }
    bench->use += bench->rows.length;
}

/* In an order in which each finds what it needs. */
static const struct {
    const char *name;
    void (*pass)(struct bench *bench);
} stages[] = {
    {"append", pass_append}, {"read", pass_read}, {"route", pass_route},
    {"scan", pass_scan},     {"map", pass_map},   {"convert", pass_convert},
    {"encode", pass_encode}, {"all", pass_all},
};

/* --- around them ------------------------------------------------------------------------------ */

/* Nanoseconds a message, the median of the passes. */
static double measure(struct bench *bench, void (*pass)(struct bench *bench), int64_t milliseconds)
{
    static double passes[PASSES_MAX];
    int count = 0;

    pass(bench);
    int64_t end = timing_now_ns() + milliseconds * 1000000;
    do {
        int64_t start = timing_now_ns();
        pass(bench);
        passes[count++] = (double) (timing_now_ns() - start) / (double) bench->messages;
    } while (count < PASSES_MAX && (timing_now_ns() < end || count < 3));
    return timing_median(passes, count);
}

static void make_samples(struct bench *bench, int argc, char **argv)
{
    struct sample sample;
    bench->messages = (size_t) option_number(argc, argv, "messages", 1000);
    bench->payload_bytes = (size_t) option_number(argc, argv, "payload", 150);
    sample_init(&sample, bench->payload_bytes,
                (uint32_t) option_number(argc, argv, "topics", 1000));
    bench->payloads = malloc(bench->messages * bench->payload_bytes);
    bench->topics = malloc(bench->messages * sizeof(bench->topics[0]));
    for (size_t i = 0; i < bench->messages; i++) {
        sample_set(&sample, i, 1700000000000000 + (int64_t) i);
        memcpy(bench->payloads + i * bench->payload_bytes, sample.payload, sample.length);
        memcpy(bench->topics[i], sample.topic, SAMPLE_TOPIC_BYTES);
    }
    sample_fini(&sample);
}

static void make_rules(struct bench *bench)
{
    static struct option_text topic = {.text = "fleet/{device}/telemetry"};
    static const struct rule_options options = {
        .name = "telemetry",
        .topics = &topic,
        .topic_count = 1,
        .qos = 1,
        .share = "",
        .format = {.text = "json"},
        .table = {.text = "telemetry"},
        .columns = columns,
        .column_count = COLUMNS,
    };
    struct problems problems = {0};

    bench->ruleset = ruleset_compile(&options, 1, "bench", true, &problems);
    if (bench->ruleset == NULL) {
        problems_print(&problems, stderr);
        die("stages: the rule does not compile");
    }
    bench->rule = bench->ruleset->rules[0];
    bench->mapper = mapper_new(bench->ruleset);
    for (size_t j = 0; j < COLUMNS; j++) {
        bench->shapes[j] = &bench->rule->declared->columns[j];
    }
}

static void make_stages(struct bench *bench)
{
    struct error error;

    bench->arena = arena_new(64 * 1024);
    bench->documents = arena_new(1024 * 1024);
    bench->roots = malloc(bench->messages * sizeof(struct node *));
    bench->values = malloc(bench->messages * COLUMNS * sizeof(struct value));
    bench->datums = malloc(bench->messages * COLUMNS * sizeof(struct datum));
    for (size_t i = 0; i < bench->messages; i++) {
        check(json_scan(payload(bench, i), bench->documents, &bench->roots[i], &error), &error);
    }
    /* What the measured passes leave in their arena is gone; these are for the stages behind
     * them. */
    struct arena *kept = bench->arena;
    bench->arena = bench->documents;
    for (size_t i = 0; i < bench->messages; i++) {
        evaluate(bench, i);
        convert(bench, i, bench->documents);
    }
    bench->arena = kept;
}

int main(int argc, char **argv)
{
    const struct journal_options options = {
        .directory = option_text(argc, argv, "directory", ""),
        .max_bytes = INT64_C(4) * 1024 * 1024 * 1024,
        .sync_ms = JOURNAL_SYNC_NEVER,
    };
    int64_t milliseconds = option_number(argc, argv, "milliseconds", 300);
    struct bench bench = {0};
    struct error error;

    make_samples(&bench, argc, argv);
    make_rules(&bench);
    make_stages(&bench);
    check(journal_open(&bench.journal, &options, &error), &error);
    bench.reader = journal_reader_new(bench.journal);
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        printf("%s\"%s\":%.1f", i == 0 ? "{" : ",", stages[i].name,
               measure(&bench, stages[i].pass, milliseconds));
        fflush(stdout);
    }
    printf(",\"use\":%" PRIu64 "}\n", bench.use);
    journal_reader_free(bench.reader);
    journal_close(bench.journal);
    mapper_free(bench.mapper);
    ruleset_free(bench.ruleset);
    arena_free(bench.arena);
    arena_free(bench.documents);
    buf_fini(&bench.rows);
    free(bench.payloads);
    free(bench.topics);
    free(bench.roots);
    free(bench.values);
    free(bench.datums);
    return 0;
}
