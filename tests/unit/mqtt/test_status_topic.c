/*
 * Each case is a script of what the broker does, with what the status topic becomes:
 *
 *   d c w o   an attempt fails: not authorized, closed, because of the will, for another reason;
 *             behind it "!" when another attempt follows at once, without the status topic
 *   k         connected; "*" behind it: given up now
 *   l         the connection ends before "online" is confirmed; "*" likewise
 *   L S       likewise, with DISCONNECT: not authorized, server shutting down
 *   a r       PUBACK: confirmed, refused
 *   h         an hour passes
 *   + -       checks that the next attempt would use it, or not
 *
 * SPDX-License-Identifier: MIT
 */
#include "mqtt/status_topic.h"

#include "unit.h"

static const struct {
    const char *name;
    bool configured;
    const char *script;
} cases[] = {
    {"allowed", true, "+kla+ka+"},
    {"none configured", false, "-d-k-l-"},
    {"the will's QoS, retain or topic is refused", true, "w!-k-"},
    {"not authorized because of the will", true, "d!-k*-"},
    {"not authorized, whatever the will", true, "d!-d+d+d+d+d+d+d+d+d!-d+"},
    {"not authorized, until somebody mends it", true, "d!-d+d+k+a+"},
    {"closed because of the will", true, "c+c!-k*-"},
    {"closed once, by chance", true, "c+k+a+c+k+"},
    {"closed, and then not reached", true, "c+o+c+o+"},
    {"not reached", true, "o+o+o+k+"},
    {"ended because of \"online\"", true, "kl+kl+kl*-k-"},
    {"a bad network ends connections", true, "kl+kl+o+kl+kl+o+kl+ka+"},
    {"ended because of \"online\", with a word", true, "kL*-k-"},
    {"the broker goes away meanwhile", true, "kS+ka+kS+"},
    {"lost by chance", true, "kl+ka+kl+"},
    {"refused by PUBACK", true, "kr-k-"},
    {"tried again after an hour, in vain", true, "kr-h+kl*-"},
    {"tried again after an hour, closed at once", true, "c+c!k*-h+c!-k*-"},
    {"tried again after an hour, allowed now", true, "kr-h+ka+kl+"},
};

static void run(struct status_topic *status, const char **script, int64_t *now_ms)
{
    const char step = *(*script)++;
    bool told = false;
    switch (step) {
    case 'd':
        told = status_topic_attempt_failed(status, STATUS_FAILURE_DENIED, *now_ms);
        break;
    case 'c':
        told = status_topic_attempt_failed(status, STATUS_FAILURE_CLOSED, *now_ms);
        break;
    case 'w':
        told = status_topic_attempt_failed(status, STATUS_FAILURE_WILL, *now_ms);
        break;
    case 'o':
        told = status_topic_attempt_failed(status, STATUS_FAILURE_OTHER, *now_ms);
        break;
    case 'k':
        told = status_topic_connected(status, *now_ms);
        break;
    case 'l':
    case 'L':
    case 'S':
        told = status_topic_lost(status, step == 'l' ? 0 : step == 'L' ? 0x87 : 0x8B, *now_ms);
        break;
    case 'a':
    case 'r':
        status_topic_answered(status, step == 'r', *now_ms);
        break;
    case 'h':
        *now_ms += 3600000;
        break;
    default:
        CHECK_INT_EQ(status_topic_wanted(status, *now_ms), step == '+');
    }
    bool expected = **script == '!' || **script == '*';
    unit_check(told == expected, __FILE__, __LINE__, *script - 1);
    *script += expected;
}

static void test_scripts(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].name);
        struct status_topic status;
        int64_t now_ms = 1;
        status_topic_init(&status, cases[i].configured);
        for (const char *script = cases[i].script; *script != '\0';) {
            run(&status, &script, &now_ms);
        }
    }
}

static void test_codes(void)
{
    CHECK_INT_EQ(status_failure_of(0x9A), STATUS_FAILURE_WILL);
    CHECK_INT_EQ(status_failure_of(0x87), STATUS_FAILURE_DENIED);
    CHECK_INT_EQ(status_failure_of(0x05), STATUS_FAILURE_DENIED);
    CHECK_INT_EQ(status_failure_of(0), STATUS_FAILURE_CLOSED);
    CHECK_INT_EQ(status_failure_of(0x86), STATUS_FAILURE_OTHER);
}

static void test_asked_for(void)
{
    static const struct {
        const char *filter;
        const char *topic;
        bool asked;
    } filters_asked[] = {
        {"#", "mqtt2pg/b/status", false},
        {"+/b/status", "mqtt2pg/b/status", false},
        {"mqtt2pg/#", "mqtt2pg/b/status", true},
        {"mqtt2pg/+/status", "mqtt2pg/b/status", true},
        {"mqtt2/#", "mqtt2pg/b/status", false},
        {"$share/g/#", "mqtt2pg/b/status", false},
        {"$share/g/mqtt2pg/#", "mqtt2pg/b/status", true},
        {"online", "online", true},
        {"#", "", true},
        {"#", NULL, true},
    };

    for (size_t i = 0; i < sizeof(filters_asked) / sizeof(filters_asked[0]); i++) {
        struct subscription_set filters = {0};

        UNIT_CASE("%s", filters_asked[i].filter);
        subscription_set_add(&filters,
                             &(struct subscription){.filter = (char *) filters_asked[i].filter});
        CHECK(status_topic_asked_for(filters_asked[i].topic, &filters) == filters_asked[i].asked);
        subscription_set_fini(&filters);
    }
}

UNIT_MAIN("status_topic", {"scripts", test_scripts}, {"codes", test_codes},
          {"asked for", test_asked_for})
