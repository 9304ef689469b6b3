/* SPDX-License-Identifier: MIT */
#include "base/health.h"

#include <time.h>

#include "unit.h"

static void test_parts(void)
{
    struct health health;
    health_get(HEALTH_DATABASE, &health);
    CHECK(!health.well);

    health_set(HEALTH_BROKER, true, "mqtt://one");
    health_get(HEALTH_BROKER, &health);
    CHECK(health.well);
    CHECK_TEXT_EQ(health.text, "mqtt://one");
    int64_t since_us = health.since_us;
    CHECK(since_us > 0);

    /* The time is that of the change, not of the last report. */
    nanosleep(&(struct timespec){0, 2000000}, NULL);
    health_set(HEALTH_BROKER, true, "mqtt://two");
    health_get(HEALTH_BROKER, &health);
    CHECK_INT_EQ(health.since_us, since_us);
    CHECK_TEXT_EQ(health.text, "mqtt://two");
    health_set(HEALTH_BROKER, false, NULL);
    health_get(HEALTH_BROKER, &health);
    CHECK(!health.well && health.since_us > since_us);
    CHECK_TEXT_EQ(health.text, "");
    CHECK_TEXT_EQ(health_part_names[HEALTH_JOURNAL], "journal");
}

static void test_rejects_newest_first(void)
{
    struct health_reject rejects[HEALTH_REJECTS_MAX + 5];
    char longer[1000];
    memset(longer, 'x', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';

    CHECK_INT_EQ(health_rejects(rejects, HEALTH_REJECTS_MAX), 0);
    health_add_reject("one", slice_make("a/bcd", 3), longer, NULL);
    CHECK_INT_EQ(health_rejects(rejects, HEALTH_REJECTS_MAX), 1);
    CHECK_TEXT_EQ(rejects[0].rule, "one");
    CHECK_TEXT_EQ(rejects[0].topic, "a/b");
    CHECK_INT_EQ(strlen(rejects[0].reason), sizeof(rejects[0].reason) - 1);

    for (int i = 0; i < 3 * HEALTH_REJECTS_MAX; i++) {
        char reason[20];
        snprintf(reason, sizeof(reason), "%d", i);
        health_add_reject("many", slice_make(NULL, 0), reason, NULL);
    }
    CHECK_INT_EQ(health_rejects(rejects, HEALTH_REJECTS_MAX + 5), HEALTH_REJECTS_MAX);
    CHECK_TEXT_EQ(rejects[0].reason, "59");
    CHECK_TEXT_EQ(rejects[HEALTH_REJECTS_MAX - 1].reason, "40");
    CHECK_INT_EQ(health_rejects(rejects, 2), 2);
    CHECK_TEXT_EQ(rejects[1].reason, "58");

    /* A rule's own is not forgotten for those of others. */
    CHECK(health_last_reject("one", rejects) && strcmp(rejects[0].rule, "one") == 0);
    CHECK(health_last_reject("many", rejects) && strcmp(rejects[0].reason, "59") == 0);
    CHECK(!health_last_reject("on", rejects) && !health_last_reject("none", rejects));
}

static void test_parked(void)
{
    struct health_parked parked;

    health_set_parked("a", NULL); /* was none */
    CHECK(!health_parked("a", &parked));
    health_set_parked("a", "first");
    health_set_parked("ab", "other");
    CHECK(health_parked("a", &parked) && strcmp(parked.reason, "first") == 0);
    int64_t since = parked.since_us;
    CHECK(since > 0);
    health_set_parked("a", "second");
    CHECK(health_parked("a", &parked) && strcmp(parked.reason, "second") == 0);
    CHECK(parked.since_us == since && !parked.held);
    health_set_held("a", "locked");
    CHECK(health_parked("a", &parked) && parked.held && parked.since_us == since);
    health_set_parked("a", NULL);
    CHECK(!health_parked("a", &parked));
    CHECK(health_parked("ab", &parked) && strcmp(parked.reason, "other") == 0);
    health_set_parked("ab", NULL);
    CHECK(!health_parked("ab", &parked));
}

/* A reload's rules are described all at once: what is not among them is removed, and may return. */
static void test_described(void)
{
    const struct health_rule_words words[] = {{"kept", "k/#", "k"}, {"gone", "g/#", "g"}};
    struct health_partitions told;
    struct health_rule about;

    health_describe_rules(words, 2);
    health_set_partitions("gone", "not its owner");
    CHECK(health_partitions("gone", &told) && strcmp(told.rule, "gone") == 0);
    CHECK_TEXT_EQ(told.reason, "not its owner");
    CHECK(health_rule("gone", &about) && !about.removed && strcmp(about.table, "g") == 0);
    health_describe_rules(words, 1);
    CHECK(health_rule("gone", &about) && about.removed);
    CHECK(!health_partitions("gone", &told)); /* of a removed rule, it is no trouble */
    CHECK(health_rule("kept", &about) && !about.removed && strcmp(about.topic, "k/#") == 0);
    health_describe_rules(words + 1, 1);
    CHECK(health_rule("gone", &about) && !about.removed);
    CHECK(health_rule("kept", &about) && about.removed);
    CHECK(!health_rule("none", &about));
}

/* Only while they are to be shown, and never longer. */
static void test_payloads(void)
{
    struct health_reject reject;

    health_add_reject("r", slice_of("t"), "reason", "hidden");
    health_rejects(&reject, 1);
    CHECK_TEXT_EQ(reject.payload, "");
    health_show_payloads(true);
    CHECK(health_payloads_shown());
    health_add_reject("r", slice_of("t"), "reason", "shown");
    health_rejects(&reject, 1);
    CHECK_TEXT_EQ(reject.payload, "shown");
    health_show_payloads(false);
    CHECK(!health_payloads_shown());
    health_rejects(&reject, 1);
    CHECK_TEXT_EQ(reject.payload, "");
}

UNIT_MAIN("health", {"parts", test_parts}, {"rejects newest first", test_rejects_newest_first},
          {"parked", test_parked}, {"described", test_described}, {"payloads", test_payloads})
