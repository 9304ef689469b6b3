/* SPDX-License-Identifier: MIT */
#include "mqtt/handover.h"

#include <string.h>

#include "unit.h"

static struct subscription both_list[] = {{.filter = "t/+"}, {.filter = "t/#"}};
static const struct subscription_set both = {both_list, 2};
static const struct subscription_set only_one = {both_list, 1};

enum connection { PLAIN, LEAVES, DOUBLED };

/*
 * What happens, in order: a letter is a message on topic "t/x", whose payload is that letter; a
 * digit one on another topic, for one filter; "(" the first SUBSCRIBE, ")" the last UNSUBACK, "_" a
 * pause of 10 ms, "~" of 150 ms, "=" of a second. What is expected: "." stored, "c" left out as a
 * copy, "-" not asked.
 */
struct scene {
    const char *name;
    enum connection connection;
    const char *happens, *expected;
    bool goes_on; /* in the end */
};

static const struct scene scenes[] = {
    {"no handover", PLAIN, "aabb", "....", false},
    {"copies during a reload", PLAIN, "a(bbcc)dd", ".-.c.c-.c", true},
    {"… for one filter", PLAIN, "a(11b2b)33", ".-.....-..", true},
    {"equal messages before a reload", PLAIN, "_a_a_a(_a_a_a_a_)_a_a_a", "-.-.-.--.-.-.-.---.-.-.",
     true},
    {"a pause between equal messages", PLAIN, "a(b~b~b)", ".-.-.-.-", true},
    {"the broker's answers take 10 ms, a pause 20 ms", PLAIN, "a(_)__dd", ".-----.c", true},
    {"… and 40 ms, which ends it", PLAIN, "a(_)____dd", ".-------..", false},
    {"it ends within two seconds", PLAIN, "a(=)~b~c=d=ee", ".----.-.-.-..", false},
    {"copies of one reload are no equal messages of the next one", PLAIN, "a(bb)~cd(ee)",
     ".-.c--..-.c-", true},
    {"equal messages behind a reload count at the next one", PLAIN, "a(b)~cccd(ee)",
     ".-.--....-..-", true},
    {"a reload while the first one is not over", PLAIN, "a(bb)(cc)", ".-.c--.c-", true},
    {"a queue of a session that was left in order", LEAVES, "aabb(cc)dd", "...c-.c-.c", true},
    {"a queue with copies", DOUBLED, "aabb(cc)=~dd", ".c.c-.c---..", false},
    {"… and a broker that needs its time", DOUBLED, "aabb(=cc)==dd", ".c.c--.c---.c", true},
};

static int64_t pause_ms(char each)
{
    return each == '_' ? 10 : each == '~' ? 150 : each == '=' ? 1000 : 0;
}

static char give(struct handover *handover, char each, int64_t *now_ms)
{
    struct message message = {.topic = slice_of(each >= '0' && each <= '9' ? "u" : "t/x")};

    *now_ms += pause_ms(each);
    if (each == '(') {
        handover_begin(handover, &both, *now_ms);
    } else if (each == ')') {
        handover_end(handover, *now_ms);
    } else if (pause_ms(each) == 0) {
        bool copy = handover_take(handover, &message, (uint64_t) each, *now_ms);
        return copy ? 'c' : '.';
    }
    return '-';
}

static void test_scenes(void)
{
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        const struct scene *scene = &scenes[i];
        char got[64] = "";
        int64_t now_ms = 5000;
        struct handover handover;

        handover_init(&handover);
        handover_connected(&handover, 1, scene->connection == PLAIN ? NULL : &both,
                           scene->connection == DOUBLED);
        for (size_t at = 0; scene->happens[at] != '\0'; at++) {
            got[at] = give(&handover, scene->happens[at], &now_ms);
        }
        if (strcmp(got, scene->expected) != 0) {
            printf("%s: %s\n", scene->name, got);
        }
        CHECK(strcmp(got, scene->expected) == 0);
        CHECK_INT_EQ(handover_goes_on(&handover, now_ms), scene->goes_on);
        handover_fini(&handover);
    }
}

/* Behind 1,000 single messages a queue with copies is over, and copies of a retained message, or of
 * a session with one filter, are none. */
static void test_others(void)
{
    struct handover handover;
    struct message message = {.topic = slice_of("t/x")};

    handover_init(&handover);
    handover_connected(&handover, 1, &both, true);
    handover_begin(&handover, &both, 10);
    handover_end(&handover, 10);
    for (uint64_t hash = 1; hash <= 1002; hash++) {
        CHECK_INT_EQ(handover_goes_on(&handover, 20), hash < 1002);
        CHECK(!handover_take(&handover, &message, hash, 20));
    }
    CHECK(!handover_take(&handover, &message, 1002, 20));

    handover_connected(&handover, 1, &only_one, false);
    CHECK(!handover_goes_on(&handover, 30));
    handover_connected(&handover, 1, &both, true);
    message.retained = true;
    CHECK(!handover_take(&handover, &message, 7777, 30));
    CHECK(!handover_take(&handover, &message, 7777, 30));
    handover_fini(&handover);
}

/* What the journal has: the second copy of the last message may be the first to come. */
static void test_recall(void)
{
    static const struct {
        const char *name;
        uint8_t qos, broker;
        bool copied, expected;
    } cases[] = {
        {"the second copy", 1, 2, false, true},
        {"it had come", 1, 2, true, false},
        {"QoS 0 is not kept for another connection", 0, 2, false, false},
        {"of another broker", 1, 1, false, false},
        {"of a broker that nobody knows", 1, 0, false, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct message first = {.topic = slice_of("t/x"), .broker = 2, .qos = 1};
        struct message last = {.topic = slice_of("t/y"), .broker = cases[i].broker};
        struct handover handover;

        last.qos = cases[i].qos;
        handover_init(&handover);
        handover_recall(&handover, &first);
        handover_recall(&handover, &last);
        if (cases[i].copied) {
            handover_recall_copy(&handover);
        }
        handover_connected(&handover, 2, &both, true);
        bool copy = handover_take(&handover, &last, message_hash(&last), 5000);
        if (copy != cases[i].expected) {
            printf("%s\n", cases[i].name);
        }
        CHECK_INT_EQ(copy, cases[i].expected);
        CHECK(!handover_take(&handover, &first, message_hash(&first), 5000));
        handover_fini(&handover);
    }
}

/* The first copy took 300 ms to be written. */
static void test_slow_disk(void)
{
    struct message message = {.topic = slice_of("t/x")};
    struct handover handover;

    handover_init(&handover);
    handover_connected(&handover, 1, NULL, false);
    handover_begin(&handover, &both, 1000);
    CHECK(!handover_take(&handover, &message, 1, 1010));
    handover_done(&handover, true, 1310);
    CHECK(handover_take(&handover, &message, 1, 1311));
    CHECK(!handover_take(&handover, &message, 2, 1320));
    handover_done(&handover, false, 1600);
    CHECK(!handover_take(&handover, &message, 2, 1601)); /* it comes again */
    handover_fini(&handover);
}

UNIT_MAIN("handover", {"slow disk", test_slow_disk}, {"scenes", test_scenes},
          {"others", test_others}, {"recall", test_recall})
