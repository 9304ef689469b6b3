/* SPDX-License-Identifier: MIT */
#include "load/letter_text.h"

#include <inttypes.h>

#include "base/text.h"

/* Topic, rule and reason come from outside: control characters must not reach a terminal. */
static void append_printable(struct buf *out, const char *label, struct slice text, size_t most)
{
    buf_append_text(out, label);
    text_append_printable(out, text, most);
}

/* Appends a comma and a member; NULL becomes JSON's null. */
static void append_json_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text == NULL) {
        buf_append_text(out, "null");
    } else {
        text_append_json(out, slice_of(text));
    }
}

static void append_json_time(struct buf *out, const char *name, int64_t time_us)
{
    buf_printf(out, ",\"%s\":\"", name);
    text_format_time(out, time_us);
    buf_append_text(out, "\"");
}

/* JSON text is UTF-8 and PostgreSQL's text has no NUL, so any other payload is written in hex
 * under another name. */
void letter_append_json(struct buf *out, const struct dead_letter *letter)
{
    const struct message *message = letter->message;
    bool text = text_is_utf8(message->payload) && !text_has_nul(message->payload);

    buf_printf(out, "{\"id\":%" PRId64, letter->id);
    append_json_text(out, "rule", letter->rule);
    buf_append_text(out, ",\"topic\":");
    text_append_json(out, message->topic);
    append_json_time(out, "received_at", message->received_at_us);
    append_json_time(out, "failed_at", letter->failed_at_us);
    append_json_text(out, "state", letter->parked ? "parked" : "rejected");
    append_json_text(out, "reason", letter->reason);
    append_json_text(out, "sqlstate", letter->sqlstate);
    buf_printf(out, ",\"qos\":%u,\"retained\":%s,\"properties\":", message->qos,
               message->retained ? "true" : "false");
    dead_letter_properties(out, message);
    if (text) {
        buf_append_text(out, ",\"payload\":");
        text_append_json(out, message->payload);
    } else {
        buf_append_text(out, ",\"payload_hex\":\"");
        buf_append_hex(out, message->payload);
        buf_append_text(out, "\"");
    }
    buf_append_text(out, "}\n");
}

/* The short form of lists. It has no payload, which may be large or secret. */
void letter_append_listed(struct buf *out, const struct dead_letter *letter)
{
    buf_printf(out, "{\"id\":%" PRId64, letter->id);
    append_json_time(out, "failed_at", letter->failed_at_us);
    append_json_text(out, "rule", letter->rule);
    buf_append_text(out, ",\"topic\":");
    text_append_json(out, letter->message->topic);
    append_json_text(out, "state", letter->parked ? "parked" : "rejected");
    append_json_text(out, "reason", letter->reason);
    buf_append_text(out, "}");
}

void letter_append_line(struct buf *out, const struct dead_letter *letter)
{
    buf_printf(out, "%8" PRId64 "  ", letter->id);
    text_format_time(out, letter->failed_at_us);
    buf_printf(out, "  %-8s", letter->parked ? "parked" : "rejected");
    append_printable(out, "  ", slice_of(letter->rule), 63);
    append_printable(out, "  ", letter->message->topic, 60);
    append_printable(out, "  ", slice_of(letter->reason), 400);
    buf_append_text(out, "\n");
}

void letter_append_text(struct buf *out, const struct dead_letter *letter)
{
    const struct message *message = letter->message;

    buf_printf(out, "id:          %" PRId64, letter->id);
    append_printable(out, "\nrule:        ", slice_of(letter->rule), 63);
    buf_append_text(out, "\nreceived:    ");
    text_format_time(out, message->received_at_us);
    buf_append_text(out, "\nfailed:      ");
    text_format_time(out, letter->failed_at_us);
    buf_printf(out, "\nstate:       %s",
               letter->parked ? "parked: stored by itself when its table works" : "rejected");
    append_printable(out, "\nreason:      ", slice_of(letter->reason), 400);
    buf_printf(out, "\nsqlstate:    %s", letter->sqlstate == NULL ? "" : letter->sqlstate);
    append_printable(out, "\ntopic:       ", message->topic, 65535);
    buf_printf(out, "\nqos:         %u\nretained:    %s\nproperties:  ", message->qos,
               message->retained ? "yes" : "no");
    dead_letter_properties(out, message);
    if (text_is_printable(message->payload)) {
        buf_printf(out, "\npayload:     ");
        buf_append_slice(out, message->payload);
    } else {
        buf_append_text(out, "\npayload hex: ");
        buf_append_hex(out, message->payload);
    }
    buf_append_text(out, "\n");
}
