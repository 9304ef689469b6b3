/*
 * cli_journal: `journal` looks into the journal on disk: `info` its numbers, `dump` its messages,
 * `verify` whether all of it can be read.
 *
 * Opens the journal read-only, without its lock, so it works beside a running service and changes
 * nothing: not even damaged bytes are copied aside. Connects to nothing. The configuration only
 * says where the journal is.
 *
 * `dump` prints one JSON object a message, in the order of their sequences, those that are stored
 * already included. Records that are no messages have a "kind" of their own: a gap, or the head of
 * a message that was too large.
 *
 * Exit codes: 0 done; 1 the journal cannot be opened or read to its end, or `verify` found damage.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "journal/journal_reader.h"
#include "pg/dead_letter.h"

/* One line of `info`: a name in a column of 18, then its value. */
static void print_line(const char *name, const char *value)
{
    printf("%-18s %s\n", name, value);
}

/* A line with a number, such as 1,234,567. */
static void print_count(const char *name, uint64_t count)
{
    struct buf text = {0};

    text_format_count(&text, count);
    print_line(name, buf_string(&text));
    buf_fini(&text);
}

/* A line with a time (microseconds since 1970), "-" for 0, which means that there is none. */
static void print_time(const char *name, int64_t time_us)
{
    struct buf text = {0};

    if (time_us != 0) {
        text_format_time(&text, time_us);
    }
    print_line(name, time_us == 0 ? "-" : buf_string(&text));
    buf_fini(&text);
}

/* A line with the bytes in use and the limit, such as "64MB of 10GB". */
static void print_size(const char *name, int64_t bytes, int64_t max_bytes)
{
    struct buf text = {0};

    text_format_size(&text, bytes);
    buf_append_text(&text, " of ");
    text_format_size(&text, max_bytes);
    print_line(name, buf_string(&text));
    buf_fini(&text);
}

/* The damaged bytes that the service has copied to damaged/. No line when there are none. */
static void print_set_aside(const struct journal_info *info)
{
    struct buf text = {0};

    if (info->set_aside_files > 0) {
        text_format_size(&text, info->set_aside_bytes);
        buf_printf(&text, " in damaged/ (%u file%s)", info->set_aside_files,
                   info->set_aside_files == 1 ? "" : "s");
        print_line("set aside", buf_string(&text));
    }
    buf_fini(&text);
}

/* Prints where the journal stands. `stored up to` is the position that the service wrote last:
 * PostgreSQL has every message up to it, and may have more. */
static int show_info(struct journal *journal, const char *directory)
{
    struct journal_info info;

    journal_info(journal, &info);
    print_line("directory", directory);
    print_line("journal", info.uuid);
    print_size("on disk", info.bytes, info.max_bytes);
    print_count("segments", info.segments);
    print_count("first message", info.first);
    print_count("last message", info.last);
    print_count("stored up to", info.stored);
    print_count("waiting", info.waiting);
    print_time("oldest waiting", info.oldest_us);
    print_time("newest", info.last_us);
    print_set_aside(&info);
    return CLI_DONE;
}

/* Appends the member "payload" when the payload is text that JSON can hold, else "payload_hex".
 * NUL is UTF-8, but jsonb does not take it. */
static void append_payload(struct buf *out, struct slice payload)
{
    if (text_is_utf8(payload) && !text_has_nul(payload)) {
        buf_append_text(out, ",\"payload\":");
        text_append_json(out, payload);
        return;
    }
    buf_append_text(out, ",\"payload_hex\":\"");
    buf_append_hex(out, payload);
    buf_append_text(out, "\"");
}

/* The value of "kind" for a record. */
static const char *kind_name(const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_PUBLISH:
        return "message";
    case MESSAGE_GAP:
        return "gap";
    case MESSAGE_HEAD:
        return "head";
    }
    return "unknown";
}

/* Prints one record as a line of JSON. `out` is only room to build the line in, kept from call
 * to call. */
static void print_message(struct buf *out, const struct message *message)
{
    buf_reset(out);
    buf_printf(out, "{\"sequence\":%" PRIu64 ",\"received_at\":\"", message->sequence);
    text_format_time(out, message->received_at_us);
    buf_printf(out, "\",\"kind\":\"%s\",\"broker\":%u,\"topic\":", kind_name(message),
               message->broker);
    text_append_json(out, message->topic);
    buf_printf(out, ",\"qos\":%u,\"retained\":%s,\"duplicate\":%s,\"packet_id\":%u", message->qos,
               message->retained ? "true" : "false", message->duplicate ? "true" : "false",
               message->packet_id);
    if (message->kind == MESSAGE_HEAD) {
        buf_printf(out, ",\"whole_bytes\":%" PRIu64, message->whole_bytes);
    }
    buf_append_text(out, ",\"properties\":");
    dead_letter_properties(out, message);
    append_payload(out, message->payload);
    buf_append_text(out, "}\n");
    fwrite(out->data, 1, out->length, stdout);
}

/* Reads to the journal's end, which moves on while the service appends. Prints each message when
 * `dump`. Counts the records read in *messages and the damaged ones in *missing, and reports the
 * damaged ones on standard error. False when reading failed before the end. */
static bool read_all(struct journal *journal, bool dump, uint64_t *messages, uint64_t *missing)
{
    struct journal_reader *reader = journal_reader_new(journal);
    struct journal_next next;
    struct buf line = {0};
    enum journal_read read = JOURNAL_READ_FAILED;

    if (journal_reader_seek(reader, journal_first(journal), &next.error) == OUTCOME_OK) {
        while ((read = journal_reader_next(reader, &next)) != JOURNAL_READ_END &&
               read != JOURNAL_READ_FAILED) {
            if (read == JOURNAL_READ_MISSING) {
                fprintf(stderr, "mqtt2pg: messages %" PRIu64 " to %" PRIu64 " are damaged\n",
                        next.missing.first, next.missing.first + next.missing.count - 1);
                *missing += next.missing.count;
                continue;
            }
            ++*messages;
            if (dump) {
                print_message(&line, &next.message);
            }
        }
    }
    assert(read == JOURNAL_READ_END || read == JOURNAL_READ_FAILED);
    if (read == JOURNAL_READ_FAILED) {
        fprintf(stderr, "mqtt2pg: the journal can't be read: %s\n", next.error.text);
    }
    buf_fini(&line);
    journal_reader_free(reader);
    return read == JOURNAL_READ_END;
}

/* Damaged messages are reported and don't make the command fail: the others are worth having. */
static int dump(struct journal *journal)
{
    uint64_t messages = 0, missing = 0;

    return read_all(journal, true, &messages, &missing) ? CLI_DONE : CLI_FAILED;
}

/* A single damaged message makes the command fail. */
static int verify(struct journal *journal)
{
    uint64_t messages = 0, missing = 0;
    bool complete = read_all(journal, false, &messages, &missing);

    printf("%" PRIu64 " message%s sound, %" PRIu64 " damaged\n", messages, messages == 1 ? "" : "s",
           missing);
    return complete && missing == 0 ? CLI_DONE : CLI_FAILED;
}

/* Opens the journal and runs "info", "dump" or "verify". */
static int look(const struct generation *generation, const char *what)
{
    struct journal_options options = generation->config->journal;
    struct journal *journal = NULL;
    struct error error;
    int exit_code;

    options.read_only = true;
    if (journal_open(&journal, &options, &error) != OUTCOME_OK) {
        fprintf(stderr, "mqtt2pg: %s\n", error.text);
        return CLI_FAILED;
    }
    if (strcmp(what, "info") == 0) {
        exit_code = show_info(journal, options.directory);
    } else {
        assert(strcmp(what, "dump") == 0 || strcmp(what, "verify") == 0);
        exit_code = strcmp(what, "dump") == 0 ? dump(journal) : verify(journal);
    }
    journal_close(journal);
    return exit_code;
}

int cli_journal(const struct cli_call *call)
{
    struct generation *generation;
    const char *what = call->count == 1 ? call->arguments[0] : "";
    int exit_code;

    if (strcmp(what, "info") != 0 && strcmp(what, "dump") != 0 && strcmp(what, "verify") != 0) {
        return cli_usage(call, "journal needs one of info, dump, verify");
    }
    generation = cli_load(call, stderr);
    if (generation == NULL) {
        return CLI_CONFIGURATION;
    }
    exit_code = look(generation, what);
    generation_free(generation);
    return exit_code;
}
