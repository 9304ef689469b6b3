/* SPDX-License-Identifier: MIT */
#include "mqtt/pairs.h"

#include <string.h>

#include "unit.h"

/*
 * What comes, a letter a message; "|" is a message of another kind. ">" begins with copies: what stands before it was watched. "^" is
 * another connection, "!" a refusal of the message before. What is expected: "." stored, "c" left
 * out as a copy, "-" not asked.
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
    {"another message between equal ones", 0, "a|abb", ".-..c"},
    {"a message for one filter between copies", 0, "aa|bb|cc", ".c-.c-.c"},
    {"equal messages came before: none is left out", 0, "aaaa>aaaaaa", "-----......"},
    {"… in pieces", 0, "aaaa>aa|aa|aa|a|aa", "-----..-..-..-.-.."},
    {"two equal ones came before: the third pair has a copy", 0, "abbc>ddeeffg", "-----.....c."},
    {"none came before: the first pair has a copy", 0, "abc>ddee", "----.c.c"},
    {"the last two before were equal", 0, "abb>ccddee", "----.....c"},
    {"each message twice, before and now", 0, "aabbccdd>eeffgghhii", "---------.........."},
    {"… and copies of them: copies are stored", 0, "aabbccdd>eeeeffffgggg",
     "---------............"},
    {"more equal ones in a row than before: every second one is left out", 0,
     "abbcddeef>aabbccddee", "----------.......c.c"},
    {"slow equal messages with copies: the first one has a copy", 0, "abc>dd|dd|dd",
     "----.c-.c-.c"},
    {"a copy comes on the next connection", 0, "ab>c^cdd", "---.-c.c"},
    {"… of a message that was watched", 0, "abc^cdd", "----c.c"},
    {"another message comes there", 0, "ab>c^dee", "---.-..c"},
    {"not where equal ones came before", 0, "aaa^ab", "----.."},
    {"… once more on the next one", 0, "ab>c^cd^dee", "---.-c.-c.c"},
    {"the copy had come", 0, "ab>cc^cdd", "---.c-..c"},
    {"a message was refused, and comes again", 0, "ab>c!^cc", "---.--.c"},
    {"equal ones came before, on the next connection", 0, "aab>c^cd", "----.-.."},
};

static char give(struct pairs *pairs, const struct queue *queue, char each, bool *watching)
{
    switch (each) {
    case '|':
        pairs_break(pairs);
        return '-';
    case '!':
        pairs_forget_last(pairs);
        return '-';
    case '>':
        pairs_begin(pairs, queue->singles_wanted);
        *watching = false;
        return '-';
    case '^':
        pairs_resume(pairs);
        *watching = false;
        return '-';
    default:
        break;
    }
    if (*watching) {
        pairs_watch(pairs, (uint64_t) each);
        return '-';
    }
    return pairs_take(pairs, (uint64_t) each) ? 'c' : '.';
}

static void test_queues(void)
{
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        const struct queue *queue = &queues[i];
        char got[40] = "";
        struct pairs pairs = {0};
        bool watching = strpbrk(queue->comes, ">^") != NULL;

        if (!watching) {
            pairs_begin(&pairs, queue->singles_wanted);
        }
        for (size_t at = 0; queue->comes[at] != '\0'; at++) {
            got[at] = give(&pairs, queue, queue->comes[at], &watching);
        }
        if (strcmp(got, queue->expected) != 0) {
            printf("%s: %s\n", queue->name, got);
        }
        CHECK(strcmp(got, queue->expected) == 0);
    }
}

/* What was watched counts for the next 1,000 messages at least, and for 2,000 at most. */
static void test_forgets(void)
{
    static const struct {
        unsigned singles;
        bool copy;
    } cases[] = {{900, false}, {2100, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pairs pairs = {0};
        for (uint64_t hash = 1; hash <= cases[i].singles; hash++) {
            pairs_watch(&pairs, hash < 3 ? 1 : hash);
        }
        pairs_begin(&pairs, 0);
        CHECK(!pairs_take(&pairs, 9999));
        CHECK_INT_EQ(pairs_take(&pairs, 9999), cases[i].copy);
    }
}

/* One message with a copy between single ones does not tell that the stream has equal messages. */
static void test_one_copy_a_time(void)
{
    struct pairs pairs = {0};
    for (uint64_t hash = 0; hash < 30; hash += 3) {
        pairs_watch(&pairs, hash);
        pairs_begin(&pairs, 0);
        CHECK(!pairs_take(&pairs, hash + 1));
        CHECK(pairs_take(&pairs, hash + 1));
        CHECK(!pairs_take(&pairs, hash + 2));
    }
}

UNIT_MAIN("pairs", {"queues", test_queues}, {"forgets", test_forgets},
          {"one copy a time", test_one_copy_a_time})
