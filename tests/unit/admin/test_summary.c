/* SPDX-License-Identifier: MIT */
#include "admin/summary.h"

#include "unit.h"

#define S INT64_C(1000000)
#define NOW (INT64_C(1700000000) * S) /* 2023-11-14 22:13:20 UTC */
#define WELL \
    { \
        .well = true, .since_us = NOW - 900 * S, .text = "fine" \
    }
#define AWAY(seconds, why) \
    { \
        .since_us = NOW - (seconds) *S, .text = (why) \
    }
#define PAUSED \
    { \
        .paused = true, .since_us = NOW - 20 * S, .text = "disconnected while the journal is full" \
    }
#define FULL AWAY(20, "journal.max_size is nearly reached")

static const struct summary_case {
    const char *name;
    struct summary_facts facts;
    enum summary_level level;
    const char *headline;
    const char *detail; /* its beginning */
} cases[] = {
    {"start", {.topic = ""}, SUMMARY_STARTING, "Starting.", "Connecting to broker and database."},
    {"well",
     {.parts = {WELL, WELL, WELL}, .received = 1, .topic = "t"},
     SUMMARY_GOOD,
     "All is well.",
     "Connected, storing what arrives."},
    {"nothing came",
     {.parts = {WELL, WELL, WELL}, .topic = "devices/+/telemetry"},
     SUMMARY_GOOD,
     "All is well.",
     "Connected; no message yet on devices/+/telemetry."},
    {"database away, one cause",
     {.parts = {WELL, AWAY(28, "connection refused"), WELL},
      .waiting = 1,
      .oldest_seconds = 28,
      .topic = ""},
     SUMMARY_BAD,
     "The database has been away for 28 s.",
     "Connection refused. 1 message waits in the journal, the oldest for 28 s."},
    {"database away, nothing waits",
     {.parts = {WELL, AWAY(200, "connection refused"), WELL}, .topic = ""},
     SUMMARY_BAD,
     "The database has been away for 3 min.",
     "Connection refused. Nothing waits."},
    {"a reason that asks, and begins with a setting's name",
     {.parts = {WELL, AWAY(28, "database.conninfo names no host: is it right?"), WELL},
      .topic = ""},
     SUMMARY_BAD,
     "The database has been away for 28 s.",
     "database.conninfo names no host: is it right? Nothing waits."},
    {"broker away",
     {.parts = {AWAY(7300, "connection lost"), WELL, WELL}, .topic = ""},
     SUMMARY_BAD,
     "The broker has been away for 2 h 1 min.",
     "Connection lost. What has been received is safe"},
    {"connected, but refused",
     {.parts = {AWAY(9, "2 subscriptions refused"), WELL, WELL},
      .broker_connected = true,
      .topic = ""},
     SUMMARY_BAD,
     "The broker refuses subscriptions.",
     "2 subscriptions refused. The other rules go on."},
    {"both away",
     {.parts = {AWAY(9, "no route"), AWAY(9, "refused"), WELL}, .topic = ""},
     SUMMARY_BAD,
     "Database and broker have been away for 9 s.",
     "Refused. Broker: No route. Nothing waits."},
    {"full because of the database: the broker is not blamed",
     {.parts = {PAUSED, AWAY(60, "connection refused"), FULL}, .waiting = 5000, .topic = ""},
     SUMMARY_BAD,
     "The journal is full because the database has been away for 60 s.",
     "Connection refused. The broker keeps new messages"},
    {"full by itself",
     {.parts = {PAUSED, WELL, FULL}, .waiting = 5000, .topic = ""},
     SUMMARY_BAD,
     "The journal has been full for 20 s.",
     "journal.max_size is nearly reached. The broker keeps new messages"},
    {"deleted, and the database is away: room would not help",
     {.parts = {PAUSED, AWAY(60, "connection refused"), AWAY(20, HEALTH_JOURNAL_DELETED)},
      .topic = ""},
     SUMMARY_BAD,
     "The journal's files were deleted.",
     "Restart the bridge to begin a new journal."},
    {"parked",
     {.parts = {WELL, WELL, WELL},
      .parked_rules = 1,
      .parked = {.rule = "r", .reason = "no table", .messages = 1234},
      .topic = ""},
     SUMMARY_BAD,
     "Rule r is parked: 1,234 messages wait.",
     "No table. Fix the table"},
    {"several parked",
     {.parts = {WELL, WELL, WELL},
      .parked_rules = 3,
      .parked = {.rule = "r", .reason = "no table", .messages = -1},
      .topic = ""},
     SUMMARY_BAD,
     "3 rules are parked.",
     "Rule r: No table. Fix the table"},
    {"a gap of today",
     {.parts = {WELL, WELL, WELL},
      .gaps_open = 1,
      .gap = {.id = 7, .noticed_us = NOW - 60 * S, .from_us = NOW - 120 * S, .cause = "power loss"},
      .topic = ""},
     SUMMARY_BAD,
     "Messages may be missing.",
     "Power loss: from 2023-11-14 22:11:20Z to an unknown time. When you have dealt with it: "
     "mqtt2pg gaps ack 7"},
    {"gaps of the day before",
     {.parts = {WELL, WELL, WELL},
      .gaps_open = 2,
      .gap = {.id = 7, .noticed_us = NOW - 90000 * S, .cause = "x"},
      .topic = ""},
     SUMMARY_WARN,
     "Messages may be missing.",
     "X: from an unknown time to an unknown time, and 1 more. "
     "When you have dealt with it: mqtt2pg gaps ack ID"},
    {"held",
     {.parts = {WELL, WELL, WELL},
      .parked_rules = 1,
      .parked = {.rule = "r", .reason = "lock timeout", .messages = 2, .held = true},
      .topic = ""},
     SUMMARY_BAD,
     "Rule r is held: 2 messages wait.",
     "Lock timeout. The bridge tries again"},
    {"some held",
     {.parts = {WELL, WELL, WELL},
      .parked_rules = 3,
      .held_rules = 1,
      .parked = {.rule = "r", .reason = "no table", .messages = -1},
      .topic = ""},
     SUMMARY_BAD,
     "2 rules are parked and 1 is held.",
     "Rule r: No table. Fix the table"},
    {"all held",
     {.parts = {WELL, WELL, WELL},
      .parked_rules = 2,
      .held_rules = 2,
      .parked = {.rule = "r", .reason = "lock timeout", .messages = -1, .held = true},
      .topic = ""},
     SUMMARY_BAD,
     "2 rules are held.",
     "Rule r: Lock timeout. The bridge tries again"},
    {"partitions are not kept, and a few rejects",
     {.parts = {WELL, WELL, WELL},
      .received = 9,
      .rejected_last_hour = 1,
      .not_kept_rules = 1,
      .not_kept = {.rule = "r", .reason = "this role does not own the table: alter it"},
      .topic = ""},
     SUMMARY_WARN,
     "The partitions of rule r are not kept.",
     "This role does not own the table: alter it. Rows are stored all the same, but old ones "
     "stay."},
    {"a wrong clock comes before the partitions that it spoils",
     {.parts = {WELL, WELL, WELL},
      .received = 9,
      .clock_ahead_seconds = 400 * INT64_C(86400),
      .not_kept_rules = 1,
      .not_kept = {.rule = "r", .reason = "x"},
      .topic = ""},
     SUMMARY_WARN,
     "This machine's clock is 400 days ahead of PostgreSQL's.",
     "@received_at and times without a date are stored wrong. Set the clock: timedatectl"},
    {"a clock that is behind, and a gap: the gap is told",
     {.parts = {WELL, WELL, WELL},
      .clock_ahead_seconds = -720,
      .gaps_open = 1,
      .gap = {.noticed_us = NOW, .cause = "x"},
      .topic = ""},
     SUMMARY_BAD,
     "Messages may be missing.",
     "X: from"},
    {"a clock that is behind",
     {.parts = {WELL, WELL, WELL}, .clock_ahead_seconds = -720, .topic = ""},
     SUMMARY_WARN,
     "This machine's clock is 12 min behind PostgreSQL's.",
     "@received_at"},
    {"partitions of two rules are not kept",
     {.parts = {WELL, WELL, WELL},
      .received = 9,
      .not_kept_rules = 2,
      .not_kept = {.rule = "r", .reason = "x"},
      .topic = ""},
     SUMMARY_WARN,
     "The partitions of 2 rules are not kept.",
     "X. Rows are stored all the same, but old ones stay."},
    {"rejects hide partitions that are not kept",
     {.parts = {WELL, WELL, WELL},
      .rejected_rate = 3,
      .processed_rate = 100,
      .not_kept_rules = 1,
      .not_kept = {.rule = "r", .reason = "x"},
      .topic = ""},
     SUMMARY_WARN,
     "Some messages are rejected.",
     "3 a second become dead letters"},
    {"behind",
     {.parts = {WELL, WELL, WELL}, .waiting = 10000, .processed_rate = 100, .topic = ""},
     SUMMARY_WARN,
     "Storing lags behind receiving.",
     "10,000 messages wait in the journal"},
    {"much waits, and is stored at once",
     {.parts = {WELL, WELL, WELL},
      .waiting = 10000,
      .processed_rate = 50000,
      .received = 1,
      .topic = ""},
     SUMMARY_GOOD,
     "All is well.",
     "Connected"},
    {"a few rejects",
     {.parts = {WELL, WELL, WELL}, .received = 9, .rejected_last_hour = 1, .topic = ""},
     SUMMARY_GOOD,
     "Storing what arrives.",
     "1 message was rejected in the last hour: see the rules for the reasons."},
    {"rejects",
     {.parts = {WELL, WELL, WELL}, .rejected_rate = 3, .processed_rate = 100, .topic = ""},
     SUMMARY_WARN,
     "Some messages are rejected.",
     "3 a second become dead letters"},
};

static void test_cases(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct summary_facts facts = cases[i].facts;
        struct summary summary;

        UNIT_CASE("%s", cases[i].name);
        facts.now_us = NOW;
        summary_find(&facts, &summary);
        CHECK_INT_EQ(summary.level, cases[i].level);
        CHECK_TEXT_EQ(buf_string(&summary.headline), cases[i].headline);
        if (strncmp(buf_string(&summary.detail), cases[i].detail, strlen(cases[i].detail)) != 0) {
            CHECK_TEXT_EQ(buf_string(&summary.detail), cases[i].detail);
        }
        summary_fini(&summary);
    }
}

UNIT_MAIN("summary", {"cases", test_cases})
