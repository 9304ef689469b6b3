/* SPDX-License-Identifier: MIT */
#include "load/takeover.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "core/property.h"
#include "unit.h"

/*
 * Copies in the order of the journal, a word each: the subscriptions that it came for (A, B, C),
 * then the message's number; "q" in front is QoS 0, "x" behind is a topic that only the new filter
 * matches.
 */
static bool copy_takes(struct takeover *takeover, const char *word, uint64_t sequence, bool saw)
{
    struct buf properties = {0};
    struct message message = {.kind = MESSAGE_PUBLISH, .qos = 1, .sequence = sequence};
    bool takes = false;

    if (*word == 'q') {
        message.qos = 0;
        word++;
    }
    for (; *word >= 'A' && *word <= 'C'; word++) {
        property_append(&properties,
                        &(struct property_item){.id = PROPERTY_SUBSCRIPTION,
                                                .number = (uint32_t) (*word - 'A' + 1)});
    }
    message.topic = slice_of(strchr(word, 'x') != NULL ? "n/a/b" : "n/a");
    message.payload = slice_of(word);
    message.properties = buf_slice(&properties);
    if (saw) {
        takeover_saw(takeover, &message);
    } else {
        takes = takeover_takes(takeover, &message);
    }
    buf_fini(&properties);
    return takes;
}

/* Feeds the words; those that are taken, with a space behind each. Words before "|" were there
 * before the reload. */
static void feed(struct takeover *takeover, const char *words, struct buf *taken)
{
    char *copy = strdup(words);
    char *rest = NULL;
    bool before = strchr(words, '|') != NULL;
    uint64_t sequence = 100;

    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        if (strcmp(word, "|") == 0) {
            before = false;
            continue;
        }
        if (copy_takes(takeover, word, ++sequence, before)) {
            buf_printf(taken, "%s ", word);
        }
    }
    free(copy);
}

static void check_takes(struct takeover *takeover, const char *words, const char *wanted)
{
    /* A batch that is built again decides the same. */
    for (int round = 0; round < 2; round++) {
        struct buf taken = {0};

        UNIT_CASE("%s, round %d", words, round);
        feed(takeover, words, &taken);
        CHECK_SLICE_EQ(buf_slice(&taken), wanted);
        buf_fini(&taken);
    }
    takeover_free(takeover);
}

static struct takeover *from_a_to_b(void)
{
    return takeover_new(NULL, 1, "n/+", 2);
}

static void test_each_message_once(void)
{
    static const char *const cases[][2] = {
        {"A1 A2 A3 B3 A4 B4 B5", "A1 A2 A3 B4 B5 "},
        {"A1 A2 B3 A3 B4 A4 B5", "A1 A2 B3 B4 B5 "},
        {"A1 A2 AB3 AB4 B5", "A1 A2 AB3 AB4 B5 "},              /* one copy with both identifiers */
        {"A1 B2x A2 B3x A3 B3 B4", "A1 B2x A2 B3x A3 B4 "},     /* what only the new one brings */
        {"A1 qA2 qB2 A3 A4 B4 qB5 B6", "A1 qA2 A3 A4 qB5 B6 "}, /* QoS 0 overtakes */
        {"A1 | B1 A2 B2", "B2 "},             /* the first half was the old rules' */
        {"A1 B2 | A2 A3 B3 B4", "A2 A3 B4 "}, /* which did not take the new one */
        {"C1 A2 C2 B3", "A2 B3 "},            /* another rule's subscription */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_takes(from_a_to_b(), cases[i][0], cases[i][1]);
    }
}

static void test_two_reloads_before_the_journal_is_read(void)
{
    struct takeover *first = from_a_to_b();

    check_takes(takeover_new(first, 2, "n/#", 3), "A1 A2 B2 B3 B4 C4 C5", "A1 A2 B3 B4 C5 ");
    check_takes(takeover_new(first, 2, "n/#", 3), "A1 A2 C3 C4", "A1 A2 C3 C4 ");
    takeover_free(first);
}

/* From z, which has none of these topics, to n/+ and on. */
static void test_former_one_without_these_topics(void)
{
    struct takeover *moved = takeover_new(NULL, 1, "z", 2);

    check_takes(takeover_new(moved, 2, "n/+", 3), "B1 B2 C2 B3 C3 C4", "B1 B2 C3 C4 ");
    check_takes(takeover_new(moved, 2, "n/+", 3), "B1 B2 B3x C3x C3 C4", "B1 B2 C3x C3 C4 ");
    check_takes(moved, "B1 B2", "B1 B2 ");
}

static void test_to_and_fro(void)
{
    struct takeover *there = from_a_to_b();

    check_takes(takeover_new(there, 2, "n/#", 1), "A1 A2 B2 B3 A3 A4", "A1 A2 B3 A4 ");
    check_takes(takeover_new(there, 2, "n/#", 1), "A1 A2", "A1 A2 ");
    takeover_free(there);
}

/* What has turned is no reason to forget: those before it may come again, when their batch was not
 * stored, or the database went back in time. */
static void test_reload_behind_the_turning_point(void)
{
    struct takeover *first = from_a_to_b();
    struct buf taken = {0};

    feed(first, "A1 A2 B2 B3", &taken);
    CHECK_SLICE_EQ(buf_slice(&taken), "A1 A2 B3 ");
    check_takes(takeover_new(first, 2, "n/#", 3), "A1 A2 B2 B3 B4 C4 C5", "A1 A2 B3 B4 C5 ");
    check_takes(takeover_copy(first), "A1 A2 B2 B3 B4", "A1 A2 B3 B4 ");
    takeover_free(first);
    buf_fini(&taken);
}

/*
 * C was another rule's, was left and is wanted again, and all of it waits in the journal: the first
 * reload came behind A2 (106), the second behind B4 (108). 3 and 4 have no copy for C.
 */
static void test_new_one_that_was_there_before(void)
{
    struct takeover *first = from_a_to_b();

    takeover_set_behind(first, 106);
    struct takeover *second = takeover_new(first, 2, "n/#", 3);
    takeover_set_behind(second, 108);
    check_takes(second, "B1 C1 A1 B2 C2 A2 B3 B4 B5 C5 B6 C6", "A1 A2 B3 B4 B5 C6 ");
    takeover_free(first);
}

static void note_oldest(void *context, uint32_t identifier, const char *filter)
{
    uint32_t *oldest = context;

    CHECK_TEXT_EQ(filter, "n/+");
    *oldest = *oldest == 0 ? identifier : *oldest;
}

static void test_the_oldest_is_forgotten(void)
{
    struct takeover *takeover = NULL;
    uint32_t oldest = 0;

    for (uint32_t i = 1; i <= 17; i++) {
        struct takeover *longer = takeover_new(takeover, i, "n/+", i + 1);
        takeover_free(takeover);
        takeover = longer;
    }
    takeover_each(takeover, note_oldest, &oldest);
    CHECK_INT_EQ(oldest, 2);
    check_takes(takeover, "A1 B2", "B2 ");
}

UNIT_MAIN("load/takeover", {"each message once", test_each_message_once},
          {"two reloads before the journal is read", test_two_reloads_before_the_journal_is_read},
          {"former one without these topics", test_former_one_without_these_topics},
          {"to and fro", test_to_and_fro},
          {"reload behind the turning point", test_reload_behind_the_turning_point},
          {"a new one that was there before", test_new_one_that_was_there_before},
          {"the oldest is forgotten", test_the_oldest_is_forgotten})
