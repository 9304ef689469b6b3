/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "load/mapper.h"
#include "row/copy_format.h"

#define PAYLOAD_BYTES_MAX ((size_t) 256 * 1024 * 1024)

static bool read_payload(struct buf *payload)
{
    ssize_t got;

    do {
        got = read(STDIN_FILENO, buf_reserve(payload, 65536), 65536);
        if (got > 0) {
            payload->length += (size_t) got;
        }
    } while (got > 0 && payload->length <= PAYLOAD_BYTES_MAX);
    return got == 0;
}

static void append_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    if (value == NULL) {
        buf_append_text(out, "null");
    } else {
        text_append_json(out, slice_of(value));
    }
}

static void begin_line(struct buf *out, const struct mapped *mapped)
{
    buf_append_text(out, "{\"rule\":");
    text_append_json(out, slice_of(mapped->rule->name));
}

static void append_row(struct buf *out, const struct mapped *mapped, const struct datum *row)
{
    const struct rule *rule = mapped->rule;

    begin_line(out, mapped);
    append_member(out, "table", rule->options->table.text);
    buf_append_text(out, ",\"row\":{");
    for (size_t i = 0; i < rule->column_count; i++) {
        if (i > 0) {
            buf_append_text(out, ",");
        }
        text_append_json(out, slice_of(rule->column_names[i]));
        buf_append_text(out, ":");
        datum_append_json(out, &row[i], &rule->declared->columns[i]);
    }
    buf_append_text(out, "}}\n");
}

static void append_mapped(struct buf *out, const struct mapped *mapped)
{
    if (mapped->verdict == VERDICT_REJECTED) {
        begin_line(out, mapped);
        append_member(out, "rejected", mapped->reason);
        buf_append_text(out, "}\n");
    } else if (mapped->verdict == VERDICT_FILTERED) {
        begin_line(out, mapped);
        buf_append_text(out, ",\"filtered\":true}\n");
    } else if (mapped->rows == 0) {
        begin_line(out, mapped);
        append_member(out, "table", mapped->rule->options->table.text);
        buf_append_text(out, ",\"rows\":0}\n");
    }
    for (size_t i = 0; i < mapped->rows; i++) {
        append_row(out, mapped, mapped->datums + i * mapped->rule->column_count);
    }
}

static int explain_message(const struct generation *generation, const struct message *message)
{
    struct mapper *mapper = mapper_new(generation->ruleset);
    const struct mapped *list;
    struct buf out = {0};
    size_t count = mapper_map(mapper, message, &list);
    bool rejected = false;

    for (size_t i = 0; i < count; i++) {
        append_mapped(&out, &list[i]);
        rejected |= list[i].verdict == VERDICT_REJECTED;
    }
    fwrite(out.data, 1, out.length, stdout);
    if (count == 0) {
        fprintf(stderr, "mqtt2pg: no rule's topic matches \"%.*s\"\n", SLICE_ARGS(message->topic));
    }
    buf_fini(&out);
    mapper_free(mapper);
    return rejected || count == 0 ? CLI_FAILED : CLI_DONE;
}

int cli_explain(const struct cli_call *call)
{
    struct generation *generation;
    struct message message = {.kind = MESSAGE_PUBLISH, .qos = 1, .received_at_us = clock_wall_us()};
    struct buf payload = {0};
    int exit_code;

    if (call->count < 1 || call->count > 2) {
        return cli_usage("explain", "a topic and at most one payload are wanted");
    }
    message.topic = slice_of(call->arguments[0]);
    if (!topic_is_publishable(message.topic)) {
        return cli_usage("explain", "\"%s\" is no topic that a message can have",
                         call->arguments[0]);
    }
    generation = cli_load(call, stderr);
    if (generation == NULL) {
        return CLI_CONFIGURATION;
    }
    if (call->count == 2 && strcmp(call->arguments[1], "-") != 0) {
        buf_append_text(&payload, call->arguments[1]);
    } else if (call->count == 2 && !read_payload(&payload)) {
        fprintf(stderr, "mqtt2pg: standard input could not be read to its end\n");
    }
    message.payload = buf_slice(&payload);
    exit_code = explain_message(generation, &message);
    buf_fini(&payload);
    generation_free(generation);
    return exit_code;
}
