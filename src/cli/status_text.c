/* SPDX-License-Identifier: MIT */
#include "cli/status_text.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/rfc3339.h"

#define REJECTS_SHOWN 5

/* ECMA-48, select graphic rendition. */
#define GREEN "\033[32m"
#define RED "\033[31m"
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

/* --- reading the answer: what is not there is 0, false or empty --- */

static const struct node *member(const struct node *node, const char *name)
{
    return node == NULL ? NULL : node_member(node, slice_of(name));
}

/* A number of JSON is not terminated: it is copied first. */
static double real(const struct node *node, const char *name)
{
    const struct node *found = member(node, name);
    char text[64];

    if (found == NULL || found->kind != VALUE_NUMBER) {
        return 0;
    }
    snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(found->text));
    return strtod(text, NULL);
}

static uint64_t number(const struct node *node, const char *name)
{
    double value = real(node, name);

    return value < 0 ? 0 : (uint64_t) value;
}

static bool truth(const struct node *node, const char *name)
{
    const struct node *found = member(node, name);

    return found != NULL && found->kind == VALUE_BOOLEAN && found->boolean;
}

static struct slice words(const struct node *node, const char *name)
{
    const struct node *found = member(node, name);

    return found == NULL || found->kind != VALUE_TEXT ? slice_of("") : found->text;
}

static const struct node *rule_named(const struct node *root, struct slice name)
{
    const struct node *rules = member(root, "rules");
    const struct node *rule;

    for (int64_t i = 0; rules != NULL && (rule = node_element(rules, i)) != NULL; i++) {
        if (slice_equal(words(rule, "name"), name)) {
            return rule;
        }
    }
    return NULL;
}

/* --- writing --- */

/* The text, in this style when the terminal may have colours. */
static void append_styled(struct buf *out, bool colour, const char *style, const char *text)
{
    buf_printf(out, "%s%s%s", colour ? style : "", text, colour ? PLAIN : "");
}

/* A counter's change a second, with one decimal below 10. A service that was restarted counts
 * from 0: no rate is negative. */
static void append_rate(struct buf *out, const struct node *now, const struct node *before,
                        const char *name, double seconds)
{
    double rate = seconds > 0 ? (real(now, name) - real(before, name)) / seconds : 0;

    if (rate < 0) {
        rate = 0;
    }
    if (rate > 0 && rate < 9.95) {
        buf_printf(out, "%.1f", rate);
    } else {
        text_format_count(out, (uint64_t) (rate + 0.5));
    }
}

/* Seconds, with three digits that count. */
static void append_delay(struct buf *out, double seconds)
{
    if (seconds < 1) {
        buf_printf(out, "%.3g ms", seconds * 1000);
    } else {
        buf_printf(out, "%.3g s", seconds);
    }
}

static void append_size(struct buf *out, double bytes)
{
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    size_t unit = 0;

    for (; bytes >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++) {
        bytes /= 1024;
    }
    assert(unit < sizeof(units) / sizeof(units[0]));
    buf_printf(out, unit > 0 && bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

/* Appends only the two largest units of "3d 4h 5m 6s". */
static void append_age(struct buf *out, int64_t seconds)
{
    if (seconds >= 86400) {
        buf_printf(out, "%lldd %lldh", (long long) (seconds / 86400),
                   (long long) (seconds % 86400 / 3600));
    } else if (seconds >= 3600) {
        buf_printf(out, "%lldh %lldm", (long long) (seconds / 3600),
                   (long long) (seconds % 3600 / 60));
    } else if (seconds >= 60) {
        buf_printf(out, "%lldm %llds", (long long) (seconds / 60), (long long) (seconds % 60));
    } else {
        buf_printf(out, "%llds", (long long) seconds);
    }
}

/* How long ago, as a column. */
static void append_since(struct buf *out, const struct node *root, struct slice time)
{
    struct buf age = {0};
    int64_t then_us;
    int64_t now_us;

    if (rfc3339_parse(time, &then_us) && rfc3339_parse(words(root, "now"), &now_us)) {
        buf_append_text(&age, "for ");
        append_age(&age, now_us > then_us ? (now_us - then_us) / 1000000 : 0);
    }
    buf_printf(out, "%-13s", buf_string(&age));
    buf_fini(&age);
}

struct part {
    const char *name; /* as in the answer's "health" */
    const char *well; /* the word for its state when it works */
    const char *ill;  /* … and when it does not */
};

static const struct part parts[] = {
    {"broker", "connected", "away"},
    {"database", "connected", "away"},
    {"journal", "has room", "full"},
};

static void append_part(struct buf *out, bool colour, const struct node *root,
                        const struct part *part)
{
    const struct node *health = member(member(root, "health"), part->name);
    const struct node *counters = member(root, "counters");
    bool well = truth(health, "well");
    bool partly = strcmp(part->name, "broker") == 0 && real(counters, "broker_connected") > 0;
    char state[20];

    bool paused = truth(health, "paused");

    /* A broker that refused some subscriptions is not away. */
    snprintf(state, sizeof(state), "%-14s",
             well || partly ? part->well
             : paused       ? "paused"
                            : part->ill);
    buf_printf(out, "%-10s", part->name);
    append_styled(out, colour, well ? GREEN : paused ? DIM : RED, state);
    append_since(out, root, words(health, "since"));
    if (strcmp(part->name, "journal") == 0) {
        append_size(out, real(counters, "journal_bytes"));
        buf_append_text(out, " on disk, at most ");
        append_size(out, real(counters, "journal_max_bytes"));
        if (!well) {
            buf_append_text(out, "; ");
            text_append_printable(out, words(health, "text"), 300);
        }
    } else {
        text_append_printable(out, words(health, "text"), 300);
    }
    buf_append_text(out, "\n");
}

static double rows_of(const struct node *root)
{
    const struct node *rules = member(root, "rules");
    const struct node *rule;
    double rows = 0;

    for (int64_t i = 0; rules != NULL && (rule = node_element(rules, i)) != NULL; i++) {
        rows += real(rule, "rows");
    }
    return rows;
}

static void append_flow(struct buf *out, const struct node *now, const struct node *before,
                        double seconds)
{
    const struct node *counters = member(now, "counters");
    const struct node *counters_before = member(before, "counters");
    double rows = seconds > 0 ? (rows_of(now) - rows_of(before)) / seconds : 0;

    buf_append_text(out, "messages  ");
    append_rate(out, counters, counters_before, "messages_received_total", seconds);
    buf_append_text(out, "/s received, ");
    append_rate(out, counters, counters_before, "messages_processed_total", seconds);
    buf_append_text(out, "/s processed, ");
    text_format_count(out, rows > 0 ? (uint64_t) (rows + 0.5) : 0);
    buf_append_text(out, "/s rows\n");
}

static void append_waiting(struct buf *out, const struct node *root)
{
    const struct node *journal = member(root, "journal");
    const struct node *delay = member(root, "delay");

    buf_append_text(out, "backlog   ");
    text_format_count(out, number(journal, "messages"));
    buf_append_text(out, number(journal, "messages") == 1 ? " message" : " messages");
    if (number(journal, "messages") > 0) {
        buf_append_text(out, ", the oldest for ");
        append_age(out, (int64_t) number(journal, "oldest_seconds"));
    }
    if (number(root, "acks_waiting") > 0) {
        buf_append_text(out, "; acknowledgments: ");
        text_format_count(out, number(root, "acks_waiting"));
    }
    buf_append_text(out, "\ndelay     ");
    if (number(delay, "count") == 0) {
        buf_append_text(out, "nothing stored in the last minute");
    } else {
        append_delay(out, real(delay, "p50"));
        buf_append_text(out, " median, ");
        append_delay(out, real(delay, "p95"));
        buf_append_text(out, " for 95 %");
    }
    buf_append_text(out, "\n");
}

/* Appends what stands behind `start` in `out` as a column of `width`, to the right. */
static void pad(struct buf *out, size_t start, size_t width)
{
    assert(start <= out->length);
    size_t length = out->length - start;
    size_t spaces = length < width ? width - length : 1;

    buf_reserve(out, spaces);
    memmove(out->data + start + spaces, out->data + start, length);
    memset(out->data + start, ' ', spaces);
    out->length += spaces;
}

static void append_rule(struct buf *out, const struct node *rule, const struct node *before,
                        double seconds)
{
    static const char *const totals[] = {"stored", "filtered", "rejected"};
    size_t start;

    for (int i = 0; i < 2; i++) {
        start = out->length;
        append_rate(out, rule, before, i == 0 ? "matched" : "rows", seconds);
        pad(out, start, 11);
    }
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        start = out->length;
        text_format_count(out, number(rule, totals[i]));
        pad(out, start, 15);
    }
    buf_append_text(out, "  ");
    text_append_printable(out, words(rule, "name"), 60);
    buf_append_text(out, "\n");
}

static void append_rules(struct buf *out, bool colour, const struct node *now,
                         const struct node *before, double seconds)
{
    const struct node *rules = member(now, "rules");
    const struct node *rule;

    if (rules == NULL || rules->count == 0) {
        return;
    }
    append_styled(out, colour, DIM,
                  "\n messages/s     rows/s         stored       filtered       rejected  rule");
    buf_append_text(out, "\n");
    for (int64_t i = 0; (rule = node_element(rules, i)) != NULL; i++) {
        if (!truth(rule, "removed")) {
            append_rule(out, rule, rule_named(before, words(rule, "name")), seconds);
        }
    }
}

static void append_parked(struct buf *out, bool colour, const struct node *root)
{
    const struct node *rules = member(root, "rules");
    const struct node *rule;

    for (int64_t i = 0; rules != NULL && (rule = node_element(rules, i)) != NULL; i++) {
        const struct node *parked = member(rule, "parked");

        if (parked == NULL || parked->kind != VALUE_OBJECT) {
            continue;
        }
        append_styled(out, colour, RED, truth(parked, "held") ? "\nheld" : "\nparked");
        buf_append_text(out, truth(parked, "held") ? "      " : "    ");
        text_append_printable(out, words(rule, "name"), 60);
        buf_append_text(out, "  ");
        append_since(out, root, words(parked, "since"));
        if (number(parked, "messages") > 0) {
            text_format_count(out, number(parked, "messages"));
            buf_append_text(out,
                            number(parked, "messages") == 1 ? " message waits" : " messages wait");
        }
        buf_append_text(out, "\n    ");
        text_append_printable(out, words(parked, "reason"), 256);
        buf_append_text(out, truth(parked, "held")
                                 ? "\n    its table takes no rows now: the service tries again\n"
                                 : "\n    fix its table: the service then stores the messages on "
                                   "its own, in order\n");
    }
}

/* Why the partitions of the rule's table can't be made or dropped. */
static void append_not_kept(struct buf *out, const struct node *rule)
{
    if (words(rule, "partitions_not_kept").length > 0) {
        buf_printf(out, "\npartitions not kept %.*s: ", SLICE_ARGS(words(rule, "name")));
        text_append_printable(out, words(rule, "partitions_not_kept"), 256);
        buf_append_text(out, "\n");
    }
}

/* Keys that come and are stored nowhere: a mistyped path, a new firmware, or on purpose. */
static void append_untaken(struct buf *out, bool colour, const struct node *root)
{
    const struct node *rules = member(root, "rules");
    const struct node *rule;

    for (int64_t i = 0; rules != NULL && (rule = node_element(rules, i)) != NULL; i++) {
        const struct node *keys = member(rule, "not_taken");
        const struct node *key;
        int64_t shown = 0;

        append_not_kept(out, rule);
        if (keys == NULL || node_element(keys, 0) == NULL) {
            continue;
        }
        append_styled(out, colour, DIM, "\nnot taken");
        buf_append_text(out, " ");
        text_append_printable(out, words(rule, "name"), 60);
        buf_append_text(out, ": ");
        for (; (key = node_element(keys, shown)) != NULL; shown++) {
            buf_append_text(out, shown > 0 ? ", " : "");
            text_append_printable(out, key->text, 64);
        }
        if ((int64_t) number(rule, "not_taken_count") > shown) {
            buf_printf(out, " and %lld more",
                       (long long) (number(rule, "not_taken_count")) - shown);
        }
        buf_append_text(out, "\n");
    }
}

/* A time without its fraction, "?" where nobody knows it. */
static void append_time(struct buf *out, struct slice at)
{
    if (at.length >= 19) {
        buf_printf(out, "%.10s %.8sZ", at.data, at.data + 11);
    } else {
        buf_append_text(out, "?");
    }
}

static void append_gaps(struct buf *out, bool colour, const struct node *root)
{
    const struct node *gaps = member(root, "gaps");
    const struct node *gap;

    if (gaps == NULL || gaps->count == 0) {
        return;
    }
    append_styled(out, colour, RED, "\ngaps: messages may be missing");
    buf_append_text(out, "\n");
    for (int64_t i = 0; (gap = node_element(gaps, i)) != NULL; i++) {
        if (number(gap, "id") > 0) {
            buf_printf(out, "%llu  ", (unsigned long long) number(gap, "id"));
        }
        append_time(out, words(gap, "from"));
        buf_append_text(out, " to ");
        append_time(out, words(gap, "to"));
        buf_append_text(out, "  ");
        text_append_printable(out, words(gap, "cause"), 64);
        if (number(gap, "messages") > 0) {
            buf_append_text(out, ", messages: ");
            text_format_count(out, number(gap, "messages"));
        }
        buf_append_text(out, "\n");
    }
    buf_append_text(out, "when you have dealt with them: mqtt2pg gaps ack ID\n");
}

static void append_rejects(struct buf *out, bool colour, const struct node *root)
{
    const struct node *rejects = member(root, "rejects");
    const struct node *reject;

    if (rejects == NULL || rejects->count == 0) {
        return;
    }
    append_styled(out, colour, DIM, "\nlast dead letters");
    buf_append_text(out, "\n");
    for (int64_t i = 0; i < REJECTS_SHOWN && (reject = node_element(rejects, i)) != NULL; i++) {
        append_time(out, words(reject, "at"));
        buf_append_text(out, "  ");
        text_append_printable(out, words(reject, "rule"), 64);
        buf_append_text(out, "  ");
        text_append_printable(out, words(reject, "topic"), 80);
        buf_append_text(out, "\n    ");
        text_append_printable(out, words(reject, "reason"), 256);
        buf_append_text(out, "\n");
    }
}

bool status_text_is_fine(const struct node *root)
{
    const struct node *rules = member(root, "rules");
    const struct node *rule;

    for (int64_t i = 0; rules != NULL && (rule = node_element(rules, i)) != NULL; i++) {
        const struct node *parked = member(rule, "parked");
        if (parked != NULL && parked->kind == VALUE_OBJECT) {
            return false;
        }
    }
    return truth(root, "ready") && number(root, "gaps_open") == 0;
}

/* The sentence that the service made for its status page. */
static void append_summary(struct buf *out, bool colour, const struct node *root)
{
    const struct node *summary = member(root, "summary");
    bool bad = slice_is(words(summary, "level"), "bad");

    if (words(summary, "headline").length == 0) {
        return;
    }
    buf_printf(out, "%s", colour ? bad ? RED : BOLD : "");
    text_append_printable(out, words(summary, "headline"), 200);
    buf_printf(out, "%s ", colour ? PLAIN : "");
    text_append_printable(out, words(summary, "detail"), 400);
    buf_append_text(out, "\n\n");
}

void status_text_append(struct buf *out, const struct node *now, const struct node *before,
                        double seconds, bool colour)
{
    bool ready = truth(now, "ready");

    append_styled(out, colour, BOLD, "mqtt2pg ");
    text_append_printable(out, words(now, "version"), 40);
    buf_append_text(out, "  ");
    append_styled(out, colour, ready ? GREEN : RED, ready ? "ready" : "not ready");
    buf_append_text(out, "  up ");
    append_age(out, (int64_t) number(now, "uptime_seconds"));
    buf_append_text(out, "\n");
    append_summary(out, colour, now);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        append_part(out, colour, now, &parts[i]);
    }
    append_flow(out, now, before, seconds);
    append_waiting(out, now);
    append_parked(out, colour, now);
    append_untaken(out, colour, now);
    append_gaps(out, colour, now);
    append_rules(out, colour, now, before, seconds);
    append_rejects(out, colour, now);
}

void status_text_append_failure(struct buf *out, const char *reason, bool colour)
{
    append_styled(out, colour, BOLD, "mqtt2pg");
    buf_append_text(out, "  ");
    append_styled(out, colour, RED, "no answer");
    buf_printf(out, "\n\n%s\ntrying again every second, until Ctrl-C\n", reason);
}
