/* SPDX-License-Identifier: MIT */
#include "admin/summary.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/text.h"

/* An open gap is SUMMARY_BAD for one day, then SUMMARY_WARN. */
#define GAP_IS_NEWS_US (INT64_C(86400) * 1000000)
#define BEHIND_MESSAGES 1000
#define BEHIND_SECONDS 5

const char *summary_level_name(enum summary_level level)
{
    static const char *const names[] = {[SUMMARY_GOOD] = "good",
                                        [SUMMARY_STARTING] = "starting",
                                        [SUMMARY_WARN] = "warn",
                                        [SUMMARY_BAD] = "bad"};

    assert(level < sizeof(names) / sizeof(names[0]));
    return names[level];
}

/* "1 message waits", "1,954 messages wait". */
static void append_count(struct buf *out, int64_t number, const char *one, const char *many)
{
    assert(number >= 0);
    text_format_count(out, (uint64_t) number);
    buf_printf(out, " %s", number == 1 ? one : many);
}

/* " for 28 s": how long a state has lasted, by the wall clock. */
static void append_for(struct buf *out, const struct summary_facts *facts, int64_t since_us)
{
    buf_append_text(out, " for ");
    text_format_span(out, (facts->now_us - since_us) / 1000000);
}

/* Writes a reason from the log as a sentence. A first word of lower-case letters gets a capital;
 * any other first word, such as a setting's name, stays as written. */
static void append_reason(struct buf *out, const char *reason)
{
    size_t begin = out->length, word = strcspn(reason, " ");
    char last;

    if (reason[0] == '\0') {
        return;
    }
    text_append_printable(out, slice_of(reason), 256);
    if (strspn(reason, "abcdefghijklmnopqrstuvwxyz") == word) {
        out->data[begin] = (char) toupper((unsigned char) out->data[begin]);
    }
    last = out->data[out->length - 1];
    buf_append_text(out, last == '.' || last == '?' || last == '!' ? " " : ". ");
}

static void append_waiting(struct buf *out, const struct summary_facts *facts, const char *place)
{
    if (facts->waiting == 0) {
        buf_append_text(out, "Nothing waits.");
        return;
    }
    append_count(out, facts->waiting, "message waits", "messages wait");
    buf_printf(out, " in the %s, the oldest for ", place);
    text_format_span(out, facts->oldest_seconds);
    buf_append_text(out, ".");
}

/*
 * A full journal has one of two causes: the database is away, or messages arrive faster than the
 * database stores them. The broker is never the cause: the bridge disconnects because the journal
 * is full. A journal whose files were deleted takes nothing either, whatever the database does.
 */
static void tell_journal(const struct summary_facts *facts, struct summary *summary)
{
    const struct health *database = &facts->parts[HEALTH_DATABASE];
    const struct health *journal = &facts->parts[HEALTH_JOURNAL];

    assert(!journal->well);
    if (strcmp(journal->text, HEALTH_JOURNAL_DELETED) == 0) {
        buf_append_text(&summary->headline, "The journal's files were deleted.");
        buf_append_text(&summary->detail, "Restart the bridge to begin a new journal. The broker "
                                          "keeps new messages; receiving is paused.");
        return;
    }
    if (database->well) {
        buf_append_text(&summary->headline, "The journal has been full");
        append_for(&summary->headline, facts, journal->since_us);
        append_reason(&summary->detail, journal->text);
    } else {
        buf_append_text(&summary->headline,
                        "The journal is full because the database has been away");
        append_for(&summary->headline, facts, database->since_us);
        append_reason(&summary->detail, database->text);
    }
    buf_append_text(&summary->headline, ".");
    buf_append_text(&summary->detail,
                    "The broker keeps new messages until there is room; receiving is paused.");
}

static void tell_away(const struct summary_facts *facts, struct summary *summary)
{
    const struct health *database = &facts->parts[HEALTH_DATABASE];
    const struct health *broker = &facts->parts[HEALTH_BROKER];
    bool both = !database->well && !broker->well;
    const struct health *first = database->well ? broker : database;

    assert(!first->well);
    buf_append_text(&summary->headline, both             ? "Database and broker have been away"
                                        : database->well ? "The broker has been away"
                                                         : "The database has been away");
    append_for(&summary->headline, facts, first->since_us);
    buf_append_text(&summary->headline, ".");
    append_reason(&summary->detail, first->text);
    if (both) {
        buf_append_text(&summary->detail, "Broker: ");
        append_reason(&summary->detail, broker->text);
    }
    if (database->well) {
        buf_append_text(&summary->detail, "What has been received is safe; trying again.");
    } else {
        append_waiting(&summary->detail, facts, "journal");
    }
}

static void tell_refused(const struct summary_facts *facts, struct summary *summary)
{
    buf_append_text(&summary->headline, "The broker refuses subscriptions.");
    append_reason(&summary->detail, facts->parts[HEALTH_BROKER].text);
    buf_append_text(&summary->detail, "The other rules go on.");
}

/* "3 rules are parked", "2 rules are parked and 1 is held": several rules in all. */
static void append_parked_rules(struct buf *out, const struct summary_facts *facts)
{
    int64_t held = (int64_t) facts->held_rules;
    int64_t parked = (int64_t) facts->parked_rules - held;

    assert(facts->parked_rules > 1 && parked >= 0);
    if (parked > 0) {
        append_count(out, parked, "rule is parked", "rules are parked");
        if (held > 0) {
            buf_append_text(out, " and ");
            append_count(out, held, "is held", "are held");
        }
    } else {
        append_count(out, held, "rule is held", "rules are held");
    }
}

/* The bridge tries a parked rule's table on its own, so nobody has to restart or retry anything. */
static void tell_parked(const struct summary_facts *facts, struct summary *summary)
{
    const struct health_parked *parked = &facts->parked;

    assert(facts->parked_rules > 0);
    if (facts->parked_rules == 1) {
        buf_append_text(&summary->headline, "Rule ");
        text_append_printable(&summary->headline, slice_of(parked->rule), 64);
        buf_append_text(&summary->headline, parked->held ? " is held" : " is parked");
    } else {
        append_parked_rules(&summary->headline, facts);
    }
    if (facts->parked_rules == 1 && parked->messages > 0) {
        buf_append_text(&summary->headline, ": ");
        append_count(&summary->headline, parked->messages, "message waits", "messages wait");
    }
    buf_append_text(&summary->headline, ".");
    if (facts->parked_rules > 1) {
        buf_append_text(&summary->detail, "Rule ");
        text_append_printable(&summary->detail, slice_of(parked->rule), 64);
        buf_append_text(&summary->detail, ": ");
    }
    append_reason(&summary->detail, parked->reason);
    buf_append_text(
        &summary->detail,
        parked->held ? "The bridge tries again and stores the messages on its own, in order."
                     : "Fix the table: the bridge then stores the messages on its own, in order.");
}

/* As everywhere in `status`: UTC, which the "Z" says. The status page replaces it by local time. */
static void append_moment(struct buf *out, int64_t time_us)
{
    struct buf text = {0};

    if (time_us == 0) {
        buf_append_text(out, "an unknown time");
        return;
    }
    text_format_time(&text, time_us);
    buf_printf(out, "%.10s %.8sZ", buf_string(&text), buf_string(&text) + 11);
    buf_fini(&text);
}

static void tell_gap(const struct summary_facts *facts, struct summary *summary)
{
    const struct health_gap *gap = &facts->gap;

    assert(facts->gaps_open > 0);
    buf_append_text(&summary->headline, "Messages may be missing.");
    text_append_printable(&summary->detail, slice_of(gap->cause), 64);
    if (summary->detail.length > 0) {
        summary->detail.data[0] = (char) toupper((unsigned char) summary->detail.data[0]);
    }
    buf_append_text(&summary->detail, ": from ");
    append_moment(&summary->detail, gap->from_us);
    buf_append_text(&summary->detail, " to ");
    append_moment(&summary->detail, gap->to_us);
    if (facts->gaps_open > 1) {
        buf_printf(&summary->detail, ", and %zu more", facts->gaps_open - 1);
    }
    buf_append_text(&summary->detail, ". When you have dealt with it: mqtt2pg gaps ack");
    if (facts->gaps_open > 1) {
        buf_append_text(&summary->detail, " ID");
    } else if (gap->id != 0) {
        buf_printf(&summary->detail, " %lld", (long long) gap->id);
    }
}

/* Nothing is lost, but the rows that are stored meanwhile have wrong times. */
static void tell_clock(const struct summary_facts *facts, struct summary *summary)
{
    buf_append_text(&summary->headline, "This machine's clock is ");
    health_format_clock(&summary->headline, facts->clock_ahead_seconds);
    buf_append_text(&summary->headline, ".");
    buf_append_text(&summary->detail, "@received_at and times without a date are stored wrong. Set "
                                      "the clock: timedatectl");
}

/* The rows are stored, in the default partition if need be. So nothing is lost, but old rows stay
 * and the default partition grows. */
static void tell_not_kept(const struct summary_facts *facts, struct summary *summary)
{
    assert(facts->not_kept_rules > 0);
    if (facts->not_kept_rules == 1) {
        buf_append_text(&summary->headline, "The partitions of rule ");
        text_append_printable(&summary->headline, slice_of(facts->not_kept.rule), 64);
    } else {
        buf_printf(&summary->headline, "The partitions of %zu rules", facts->not_kept_rules);
    }
    buf_append_text(&summary->headline, " are not kept.");
    append_reason(&summary->detail, facts->not_kept.reason);
    buf_append_text(&summary->detail, "Rows are stored all the same, but old ones stay.");
}

/* The backlog is larger than what BEHIND_SECONDS of storing take away. BEHIND_MESSAGES keeps a
 * batch that is under way from counting as a backlog. */
static bool is_behind(const struct summary_facts *facts)
{
    return facts->waiting > BEHIND_MESSAGES &&
           (double) facts->waiting > BEHIND_SECONDS * facts->processed_rate;
}

/* More than one message in a hundred is rejected, and more than one in two seconds. */
static bool are_many_rejected(const struct summary_facts *facts)
{
    return facts->rejected_rate > 0.5 && facts->rejected_rate > facts->processed_rate / 100;
}

/* Broker, database and journal are well. Tells whether the service keeps up, whether it rejects
 * messages, whether the clock is right, and whether old rows go. */
static enum summary_level tell_flow(const struct summary_facts *facts, struct summary *summary)
{
    if (is_behind(facts)) {
        buf_append_text(&summary->headline, "Storing lags behind receiving.");
        append_waiting(&summary->detail, facts, "journal");
        return SUMMARY_WARN;
    }
    if (are_many_rejected(facts)) {
        buf_append_text(&summary->headline, "Some messages are rejected.");
        buf_printf(
            &summary->detail,
            "%.3g a second become dead letters; see the rules for the reasons. Fix rule or table, "
            "then: mqtt2pg dead-letters retry",
            facts->rejected_rate);
        return SUMMARY_WARN;
    }
    if (facts->clock_ahead_seconds != 0) { /* may be why partitions are not kept */
        tell_clock(facts, summary);
        return SUMMARY_WARN;
    }
    if (facts->not_kept_rules > 0) {
        tell_not_kept(facts, summary);
        return SUMMARY_WARN;
    }
    if (facts->rejected_last_hour > 0) {
        buf_append_text(&summary->headline, "Storing what arrives.");
        append_count(&summary->detail, facts->rejected_last_hour, "message was", "messages were");
        buf_append_text(&summary->detail,
                        " rejected in the last hour: see the rules for the reasons.");
        return SUMMARY_GOOD;
    }
    buf_append_text(&summary->headline, "All is well.");
    if (facts->received > 0 || facts->topic[0] == '\0') {
        buf_append_text(&summary->detail, "Connected, storing what arrives.");
    } else {
        buf_append_text(&summary->detail, "Connected; no message yet on ");
        text_append_printable(&summary->detail, slice_of(facts->topic), 100);
        buf_append_text(&summary->detail, ".");
    }
    return SUMMARY_GOOD;
}

/* No part has reported a state yet, because the process has just started. */
static bool nothing_tried(const struct summary_facts *facts)
{
    for (int part = 0; part < HEALTH_PARTS; part++) {
        if (facts->parts[part].since_us != 0) {
            return false;
        }
    }
    return true;
}

/* Tests the causes in the order in which one hides the next: a full journal pauses the broker, the
 * state of parked rules is unknown while the database is away, and only a service that works can
 * fall behind. */
void summary_find(const struct summary_facts *facts, struct summary *summary)
{
    const struct health *parts = facts->parts;

    *summary = (struct summary){.level = SUMMARY_BAD};
    if (nothing_tried(facts)) {
        summary->level = SUMMARY_STARTING;
        buf_append_text(&summary->headline, "Starting.");
        buf_append_text(&summary->detail, "Connecting to broker and database.");
    } else if (!parts[HEALTH_JOURNAL].well) {
        tell_journal(facts, summary);
    } else if (parts[HEALTH_DATABASE].well && !parts[HEALTH_BROKER].well &&
               facts->broker_connected) {
        tell_refused(facts, summary);
    } else if (!parts[HEALTH_DATABASE].well || !parts[HEALTH_BROKER].well) {
        tell_away(facts, summary);
    } else if (facts->parked_rules > 0) {
        tell_parked(facts, summary);
    } else if (facts->gaps_open > 0) {
        tell_gap(facts, summary);
        summary->level =
            facts->now_us - facts->gap.noticed_us > GAP_IS_NEWS_US ? SUMMARY_WARN : SUMMARY_BAD;
    } else {
        summary->level = tell_flow(facts, summary);
    }
    assert(summary->headline.length > 0);
}

void summary_fini(struct summary *summary)
{
    buf_fini(&summary->headline);
    buf_fini(&summary->detail);
}
