/* SPDX-License-Identifier: MIT */
#include "mqtt/pairs.h"

#include <string.h>

#include "unit.h"

/*
 * What comes, a letter a message; a capital letter is a repeat of an earlier connection, and "|"
 * a message of another kind. What is expected: "." stored, "c" left out as a copy, "-" not asked.
 */
struct queue {
    const char *name;
    unsigned singles_wanted;
    const char *comes, *expected;
};

static const struct queue queues[] = {
    {"copies from the start", 0, "aabbccdd", ".c.c.c.c"},
    {"copies behind single ones, then single ones", 0, "abccddeefgh", "...c.c.c..."},
    {"equal messages among copies", 0, "aabbbbccccccdd", ".c.c.c.c.c.c.c"},
    {"equal messages only: one is left out", 0, "aaaaaaaaaa", ".c........"},
    {"equal messages only, of a session that was left in order", 4, "aaaaaaaaaa", ".........."},
    {"equal messages now and then", 0, "aabcddefggh", ".c........."},
    {"… and runs of them", 0, "aabccddeeffg", ".c......c.c."},
    {"each message three times", 0, "aaabbbccc", ".c......."},
    {"four times", 0, "aaaabbbbcccc", ".c.........."},
    {"few single ones", 4, "abccddee", ".....c.c"},
    {"many single ones", 4, "abcdeffgghi", "......c.c.."},
    {"the first copy was repeated", 0, "Aabbcc", "-c.c.c"},
    {"only the second copy was repeated", 0, "Abbccd", "-.c.c."},
    {"both copies were repeated", 4, "AABBcc", "----.c"},
    {"another message between equal ones", 0, "a|abb", ".-..c"},
    {"a message for one filter between copies", 0, "aa|bb|cc", ".c-.c-.c"},
};

static void test_queues(void)
{
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        const struct queue *queue = &queues[i];
        char got[40] = "";
        struct pairs pairs;

        pairs_begin(&pairs, queue->singles_wanted);
        for (size_t at = 0; queue->comes[at] != '\0'; at++) {
            char each = queue->comes[at];
            bool repeat = each >= 'A' && each <= 'Z';
            if (each == '|') {
                pairs_break(&pairs);
                got[at] = '-';
            } else {
                bool copy = pairs_take(&pairs, (uint64_t) (repeat ? each + 32 : each), repeat);
                got[at] = repeat ? '-' : copy ? 'c' : '.';
            }
        }
        if (strcmp(got, queue->expected) != 0) {
            printf("%s: %s\n", queue->name, got);
        }
        CHECK(strcmp(got, queue->expected) == 0);
    }
}

UNIT_MAIN("pairs", {"queues", test_queues})
