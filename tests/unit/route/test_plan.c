/* SPDX-License-Identifier: MIT */
#include "route/plan.h"

#include "base/buf.h"
#include "base/memory.h"
#include "core/property.h"
#include "route/copies.h"
#include "route/plan_text.h"
#include "unit.h"

/* "n/+ n/#:2 $share/g/n/+:1r": filters, with the qos behind ":" (1), "r" wants retained messages each
 * time, "i" never. */
static void want(struct subscription_set *wanted, const char *words)
{
    char *copy = strdup(words);
    char *rest = NULL;

    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *options = strchr(word, ':');
        struct subscription each = {.filter = word,
                                    .qos = options == NULL ? 1 : (uint8_t) (options[1] - '0'),
                                    .retain_handling = RETAIN_SEND_IF_NEW};
        if (options != NULL) {
            each.retain_handling = strchr(options, 'r') != NULL   ? RETAIN_SEND
                                   : strchr(options, 'i') != NULL ? RETAIN_DO_NOT_SEND
                                                                  : RETAIN_SEND_IF_NEW;
            *options = '\0';
        }
        subscription_set_add(wanted, &each);
    }
    free(copy);
}

static struct plans *next(struct plans *before, const char *words, uint64_t last)
{
    struct subscription_set wanted = {0};
    struct plans *plans;

    want(&wanted, words);
    plans =
        plans_next(before, &wanted, &(struct plan_moment){.mqtt5 = true, .last = last, .first = 1});
    plans_free(before);
    subscription_set_fini(&wanted);
    return plans;
}

/* The newest plan in the order in which it is subscribed: "n/+ n/#*", "*" for what plan 1 did not
 * have, "(n/a)" for what another one covers. */
static void check_plan(const struct plans *plans, const char *expected)
{
    struct subscription_set set = {0};
    struct buf text = {0};

    plans_subscriptions(plans, &set);
    for (size_t i = 0; i < set.count; i++) {
        const struct planned *planned = NULL;
        for (size_t j = 0; j < plans->count; j++) {
            planned =
                plans->list[j].identifier == set.list[i].identifier ? &plans->list[j] : planned;
        }
        bool covered = set.list[i].covered_by != NULL;
        buf_printf(&text, "%s%s%s%s%s", i > 0 ? " " : "", covered ? "(" : "", set.list[i].filter,
                   planned->born > 1 ? "*" : "", covered ? ")" : "");
    }
    CHECK_TEXT_EQ(buf_string(&text), expected);
    subscription_set_fini(&set);
    buf_fini(&text);
}

static void test_identifiers(void)
{
    static const char *const cases[][3] = {
        /* plan 1, plan 2, what plan 2 asks for */
        {"n/+", "n/+", "n/+"},        {"n/+", "n/#", "n/#*"},
        {"n/+ x", "n/+ y", "n/+ y*"}, {"n/+", "n/+:2", "n/+*"},
        {"n/+", "n/+:1r", "n/+*"},    {"n/+", "$share/g/n/+", "$share/g/n/+*"},
        {"n/a:2 n/+", "n/+", "n/+"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plans *plans = next(next(NULL, cases[i][0], 5), cases[i][1], 9);

        UNIT_CASE("%s, then %s", cases[i][0], cases[i][1]);
        check_plan(plans, cases[i][2]);
        CHECK_INT_EQ(plans->step_count, strcmp(cases[i][0], cases[i][1]) == 0 ? 1 : 2);
        CHECK_INT_EQ(plans_newest(plans)->behind, plans->step_count == 1 ? 5 : 9);
        plans_free(plans);
    }
    UNIT_CASE("%s", "");
}

/* One that was left and is wanted again is a new subscription: no copy of the first time is taken
 * for one of the second. */
static void test_there_and_back(void)
{
    struct plans *plans = next(NULL, "n/+", 0);
    uint32_t first = plans->list[0].identifier;

    CHECK_INT_EQ(first, subscription_identifier("n/+"));
    plans = next(next(plans, "n/#", 10), "n/+", 20);
    check_plan(plans, "n/+*");
    for (size_t i = 0; i < plans->count; i++) {
        CHECK(plans->list[i].gone != PLAN_NEVER || plans->list[i].identifier != first);
    }
    plans_free(plans);
}

static void test_covered_filters(void)
{
    static const char *const cases[][3] = {
        {"o/# o/+/t o/a/t", "", "o/# (o/+/t) (o/a/t)"},
        {"o/+/t o/#", "", "o/# (o/+/t)"},
        {"o/# o/+/t:2", "", "o/# o/+/t"},             /* a higher qos */
        {"o/# o/+/t:1r", "", "o/# o/+/t"},            /* retained messages each time */
        {"o/# o/+/t:1i", "", "o/# (o/+/t)"},          /* none: the rule leaves them out */
        {"o/#:1i o/+/t", "", "o/# o/+/t"},            /* the wide one brings none */
        {"o/# $share/g/o/t", "", "o/# $share/g/o/t"}, /* another group */
        {"o/a/+ o/+/t", "", "o/a/+ o/+/t"},           /* never wider than what is asked for */
        {"o/+/t", "o/+/t o/#", "o/+/t o/#*"}, /* stands already: its rule has its retained ones */
        {"o/#", "o/# o/+/t", "o/# o/+/t*"},   /* a new rule wants its retained messages */
        {"o/# o/+/t", "o/# o/+/t", "o/# (o/+/t)"}, /* nothing has changed */
        {"o/# o/+/t", "o/# o/+/t x", "o/# x* (o/+/t)"},
        {"o/# o/+/t", "o/#:1r o/+/t x", "o/#* o/+/t* x*"}, /* the wide one brings other ones now */
        {"o/# o/+/t", "o/#:2 o/+/t", "o/#* (o/+/t)"},
        {"o/# o/+/t", "o/# o/+/t:2", "o/# o/+/t*"}, /* it asks for something else */
        {"o/# o/+/t", "o/+/t", "o/+/t*"},           /* nothing covers it any more */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plans *plans = next(NULL, cases[i][0], 0);

        UNIT_CASE("%s, %s", cases[i][0], cases[i][1]);
        plans = cases[i][1][0] == '\0' ? plans : next(plans, cases[i][1], 0);
        check_plan(plans, cases[i][2]);
        plans_free(plans);
    }
    UNIT_CASE("%s", "");
}

/* A rule that comes back is new: it is not left out for what was before it went. */
static void test_covered_once(void)
{
    struct plans *plans = next(next(NULL, "o/# o/+/t", 0), "o/# o/+/t", 1);

    CHECK_INT_EQ(plans->step_count, 1);
    plans = next(plans, "o/#", 2);
    CHECK_INT_EQ(plans->step_count, 2); /* so that it is written down */
    plans = next(plans, "o/# o/+/t", 3);
    check_plan(plans, "o/# o/+/t*");
    plans_free(plans);
}

static void test_serving(void)
{
    struct plans *plans = next(NULL, "o/# o/+/t $share/g/o/t x", 0);

    CHECK_TEXT_EQ(plans_serving(plans, "o/+/t"), "o/#");
    CHECK_TEXT_EQ(plans_serving(plans, "o/#"), "o/#");
    CHECK_TEXT_EQ(plans_serving(plans, "$share/g/o/t"), "$share/g/o/t");
    CHECK(plans_serving(plans, "$share/h/o/t") == NULL);
    CHECK(plans_serving(plans, "y") == NULL);
    plans_free(plans);
}

/* Former plans go after a week, when the journal has nothing from before the next one. */
static void test_forgetting(void)
{
    const int64_t week = INT64_C(604800000000);
    struct subscription_set wanted = {0};
    struct plans *plans = next(next(NULL, "n/+", 5), "n/#", 10);

    want(&wanted, "n/#");
    for (int i = 0; i < 4; i++) {
        const struct plan_moment moment = {.mqtt5 = true,
                                           .last = 100,
                                           .first = i < 2 ? 10 : 11,
                                           .now_us = i % 2 == 0 ? week - 1 : week + 1};
        struct plans *later = plans_next(plans, &wanted, &moment);

        UNIT_CASE("%d", i);
        CHECK_INT_EQ(later->step_count, i == 3 ? 1 : 2);
        CHECK_INT_EQ(later->count, i == 3 ? 1 : 2);
        plans_free(later);
    }
    subscription_set_fini(&wanted);
    for (uint64_t i = 0; i < 200; i++) {
        plans = next(plans, i % 2 == 0 ? "n/+" : "n/#", 10 + i);
    }
    CHECK_INT_EQ(plans->step_count, PLANS_MAX);
    CHECK_INT_EQ(plans->count, PLANS_MAX);
    plans_free(plans);
}

static void test_text(void)
{
    struct plans *plans = next(next(NULL, "n/+ $share/g/x:2", 5), "n/# n/a $share/g/x:2", 10);

    CHECK(plans->list[plans->count - 1].covered);
    struct plans *back;
    struct buf text = {0}, again = {0};
    size_t believed = 0;

    plans_to_text(plans, &text);
    back = plans_from_text(buf_string(&text), 100);
    CHECK(back != NULL);
    plans_check(back);
    plans_to_text(back, &again);
    CHECK_TEXT_EQ(buf_string(&again), buf_string(&text));
    plans_free(back);
    back = plans_from_text(buf_string(&text), 7); /* the journal lost its end */
    CHECK_INT_EQ(back->steps[0].behind, 5);
    CHECK_INT_EQ(back->steps[1].behind, 7);
    plans_free(back);
    for (size_t length = 0; length < text.length; length++) { /* cut off anywhere */
        char *cut = strndup(buf_string(&text), length);
        back = plans_from_text(cut, 100);
        believed += back != NULL;
        plans_free(back);
        free(cut);
    }
    CHECK_INT_EQ(believed, 0);
    CHECK(plans_from_text("mqtt2pg plans 2\nplan 1 0 0\nend\n", 0) == NULL);
    CHECK(plans_from_text("mqtt2pg plans 1\nend\n", 0) == NULL);
    for (size_t i = 0; i < text.length; i++) { /* a byte is another one: NULL or sound plans */
        for (const char *other = "0129 a-\n"; *other != '\0'; other++) {
            char *changed = strdup(buf_string(&text));

            changed[i] = *other;
            plans_free(plans_from_text(changed, 100));
            free(changed);
        }
    }
    buf_fini(&text);
    buf_fini(&again);
    plans_free(plans);
}

/* What would end the process, now or with the next plan, or a connection with the broker. */
static void test_senseless_text(void)
{
    static const char *const texts[] = {
        /* of two lines with one rank the one with the older plan comes first */
        "plan 1 0 0\nplan 2 0 0\n"
        "subscription 2 0 1 1 0 7 1 a\nsubscription 1 2 1 1 0 8 1 a\n",
        /* the next plan has no number */
        "plan 4294967295 0 0\n",
        "plan 4294967294 0 0\nsubscription 1 0 1 1 0 7 1 a\n",
        /* the next rank */
        "plan 1 0 0\nsubscription 1 0 4294967295 1 0 7 1 a\n",
        /* an identifier that no packet can have */
        "plan 1 0 0\nsubscription 1 0 1 1 0 268435456 1 a\n",
        /* no filter */
        "plan 1 0 0\nsubscription 1 0 1 1 0 7 0 \n",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *text = memory_printf("mqtt2pg plans 1\n%send\n", texts[i]);
        struct plans *plans = plans_from_text(text, 10);

        CHECK(plans == NULL);
        plans_free(plans);
        free(text);
    }
}

/* --- copies word by word -------------------------------------------------------------------------- */

/* Copies in the order of the journal, a word each: "2.1" came for the subscription that plan 2 made
 * for its first filter, "1.1+2.1" for both; then "=" and the content. In front "q" is QoS 0, "x"
 * another topic, "b" another broker, "l" ten seconds later, "d" the same with DUP, "s" 50 ms behind
 * the one before, "f" 4 ms. */
static void identify(const struct plans *plans, const char *word, struct buf *properties)
{
    for (const char *at = word; at != NULL; at = strchr(at, '+')) {
        unsigned plan = 0, place = 0;

        at += *at == '+';
        sscanf(at, "%u.%u", &plan, &place);
        if (plan == 9) { /* nobody knows it */
            property_append(properties,
                            &(struct property_item){.id = PROPERTY_SUBSCRIPTION, .number = 99});
        }
        for (size_t i = 0; i < plans->count; i++) {
            if (plans->list[i].born == plan && plans->list[i].rank == place) {
                property_append(properties,
                                &(struct property_item){.id = PROPERTY_SUBSCRIPTION,
                                                        .number = plans->list[i].identifier});
            }
        }
    }
}

static int64_t pause_before(char letter)
{
    switch (letter) {
    case 'f':
        return 4000;
    case 's':
        return 50000;
    case 'l':
    case 'd':
        return 10000000;
    default:
        return 0;
    }
}

/* Numbered from `sequence` on. */
static void feed_from(struct copies *copies, const struct plans *plans, uint64_t sequence,
                      const char *words, struct buf *taken)
{
    int64_t now_us = 0;
    char *copy = strdup(words);
    char *rest = NULL;

    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        struct buf properties = {0};
        now_us += pause_before(*word);
        struct message message = {.kind = MESSAGE_PUBLISH,
                                  .qos = *word != 'q',
                                  .broker = *word == 'b',
                                  .duplicate = *word == 'd',
                                  .received_at_us = now_us,
                                  .sequence = sequence++,
                                  .topic = slice_of(*word == 'x' ? "n/b" : "n/a"),
                                  .payload = slice_of(strchr(word, '=') + 1)};

        identify(plans, word + (strchr("qxbldsf", *word) != NULL), &properties);
        message.properties = buf_slice(&properties);
        if (copies_count(copies, &message, &(struct copy_wish){.share = ""})) {
            buf_printf(taken, "%s ", strchr(word, '=') + 1);
        }
        buf_fini(&properties);
    }
    free(copy);
}

static void feed(struct copies *copies, const struct plans *plans, const char *words,
                 struct buf *taken)
{
    feed_from(copies, plans, 101, words, taken);
}

static void test_words(void)
{
    /* plans (plan n is made behind message 100), copies, what counts. Ranks: filters as they first
     * appear, from 1. */
    static const char *const cases[][4] = {
        /* n/+ is rank 1, n/# rank 2 */
        {"n/+", "n/#", "1.1=a 1.1=b 2.2=b 1.1=c 2.2=c 2.2=d", "a b c d "},
        {"n/+", "n/#", "1.1=a 2.2=b 1.1=b 2.2=c 1.1=c", "a b c "},
        {"n/+", "n/#", "1.1=a 1.1+2.2=b 1.1+2.2=c 2.2=d", "a b c d "},
        {"n/+", "n/#", "1.1=a 2.2=b 1.1=c 2.2=b", "a b c b "}, /* one copy for one of them */
        {"n/+", "n/#", "1.1=a 2.2=b x1.1=b x2.2=c 1.1=b", "a b b c "}, /* each topic for itself */
        {"n/+", "n/#", "1.1=a b2.2=a b1.1=a", "a a "},                 /* … and each broker */
        {"n/+", "n/#", "1.1=a b2.2=a", "a a "},
        {"n/+", "n/#", "1.1=a 1.1=a 2.2=a 2.2=a", "a a a "}, /* equal messages */
        {"n/+", "n/#", "1.1=a 2.2=a 1.1=a 2.2=a 1.1=a", "a a a "},
        {"n/+", "n/+:2", "1.1=a 2.1=a 2.1=a", "a a a "}, /* replaced: never a copy */
        {"n/# n/+:2", "n/#", "1.2=a 1.1=a 1.2=b 1.1=b 1.1=c", "a b c "}, /* merged */
        {"n/#", "n/# n/a:2", "1.1=a 1.1=b 2.2=b 2.2=c 1.1=c", "a b c "}, /* split */
        {"n/+", "$share/g/n/+", "1.1=a 1.1=b 2.2=b 2.2=d", "a b d "},
        {"n/+ $share/g/n/#", "n/+ $share/g/n/#", "1.1=a 1.2=a 1.2=b", "a "}, /* another group */
        {"n/+:0r n/#", "n/+:0r n/#", "q1.1=a q1.1=b 1.2=a 1.2=b", "a b "},   /* QoS 0 overtakes */
        {"n/# n/+ n/a", "n/# n/+ n/a", "1.2=a 1.2=b 1.3=b 1.3=c 1.2=c",
         "a b c "},                                                  /* n/# is refused */
        {"n/# n/+", "n/# n/+", "1.2=a 1.2=b 1.1=b 1.1=c", "a b c "}, /* … and granted again */
        {"n/+:0r n/#", "n/+:0r n/#", "q1.1=a q1.1=b", "a b "},       /* the broker refuses n/# */
        {"n/+", "n/#", "1.1=a 9.9=a 2.2=a 1.1=b", "a b "}, /* of a plan that is forgotten */
        /* The session has a subscription that no plan made: known from its first copy on. */
        {"n/+", "n/+", "1.1=a 9.9=a 1.1=b 9.9=b 9.9=c 1.1=c 1.1=d", "a a b c d "},
        {"n/+", "n/#", "1.1=a l2.2=a", "a a "},           /* queued before the edit; a new one */
        {"n/+:2 n/#", "n/+:2 n/#", "1.1=a l1.2=a", "a "}, /* both stand: a cut lay between them */
        {"n/+", "n/#", "1.1=a d2.2=a", "a "},             /* a connection ended between them */
        {"n/# n/+:2", "n/#", "1.2=a l1.1=a", "a "}, /* n/+ is left, and n/# was always beside it */
        /* equal messages in intervals: of one copy each, then of two */
        {"n/+", "n/#", "1.1=a s1.1=a s1.1=a s2.2=a s2.2=a", "a a a a a "},
        {"n/+", "n/#", "1.1=a s1.1=a s1.1=a 2.2=a s1.1=a 2.2=a s2.2=a", "a a a a a "},
        {"n/+", "n/#", "1.1=a s2.2=a s2.2=a", "a a "},            /* nothing came before: a guess */
        {"n/+", "n/#", "1.1=a l1.1=a s2.2=a s2.2=a", "a a a a "}, /* the second one had to wait */
        {"n/+", "n/#", "1.1=a f1.1=a f2.2=a f2.2=a", "a a a a "}, /* many a second */
        {"n/+", "n/#", "1.1=a l1.1=a d2.2=a", "a a a "}, /* … the third one was repeated */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plans *plans = next(next(NULL, cases[i][0], 0), cases[i][1], 100);
        struct copies *copies = copies_new();

        copies_use(copies, plans);
        for (int round = 0; round < 2; round++) { /* a batch that is built again decides the same */
            struct buf taken = {0};

            UNIT_CASE("%s, %s: %s, round %d", cases[i][0], cases[i][1], cases[i][2], round);
            copies_rewind(copies, 0);
            feed(copies, plans, cases[i][2], &taken);
            CHECK_TEXT_EQ(buf_string(&taken), cases[i][3]);
            buf_fini(&taken);
        }
        copies_free(copies);
        plans_free(plans);
    }
    UNIT_CASE("%s", "");
}

/* An edit and its undoing. Messages that were queued for the subscription before each plan come
 * behind it: all equal messages count, and of other ones each counts once. */
static void test_undone_between_messages(void)
{
    static const char *const cases[][2] = {
        {"1.1=a l1.1=a l2.2=a", "a a a "},
        {"1.1=b l1.1=a l2.2=a", "b a "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plans *plans = next(next(next(NULL, "n/+", 0), "n/#", 101), "n/+", 102);
        struct copies *copies = copies_new();
        struct buf taken = {0};

        UNIT_CASE("%s", cases[i][0]);
        copies_use(copies, plans);
        feed(copies, plans, cases[i][0], &taken);
        CHECK_TEXT_EQ(buf_string(&taken), cases[i][1]);
        buf_fini(&taken);
        copies_free(copies);
        plans_free(plans);
    }
    UNIT_CASE("%s", "");
}

/* The first copy is stored and deleted (a full journal), then a batch is built again. */
static void test_read_again_without_the_first_copy(void)
{
    struct plans *plans = next(next(NULL, "n/+", 0), "n/#", 100);
    struct copies *copies = copies_new();
    struct buf taken = {0};

    copies_use(copies, plans);
    feed(copies, plans, "1.1=a 2.2=a 1.1=b", &taken);
    CHECK_TEXT_EQ(buf_string(&taken), "a b ");
    buf_fini(&taken);
    copies_rewind(copies, 102); /* the first message stays known */
    feed_from(copies, plans, 102, "2.2=a 1.1=b 2.2=b", &taken);
    CHECK_TEXT_EQ(buf_string(&taken), "b ");
    buf_fini(&taken);
    copies_free(copies);
    plans_free(plans);
}

/* A copy with QoS 0 overtakes tens of thousands that were queued for the subscription with QoS 1. */
static void test_queue_behind_qos_0(void)
{
    struct plans *plans = next(NULL, "n/+:0r n/#", 0);
    struct copies *copies = copies_new();
    struct buf taken = {0};
    uint64_t sequence = 1;

    copies_use(copies, plans);
    feed_from(copies, plans, sequence++, "1.2=first", &taken);
    feed_from(copies, plans, sequence++, "q1.1=a", &taken);
    CHECK_TEXT_EQ(buf_string(&taken), "first ");
    for (; sequence < 40000; sequence++) {
        char word[32];
        snprintf(word, sizeof(word), "1.2=%d", (int) sequence);
        feed_from(copies, plans, sequence, word, &taken);
    }
    buf_reset(&taken);
    feed_from(copies, plans, sequence++, "1.2=a", &taken);
    CHECK_TEXT_EQ(buf_string(&taken), "a ");
    /* The session was lost, and now the broker refuses n/#. */
    for (int i = 0; i < 20000; i++) {
        feed_from(copies, plans, sequence++, "q1.1=b", &taken);
    }
    buf_reset(&taken);
    feed_from(copies, plans, sequence++, "q1.1=c", &taken);
    CHECK_TEXT_EQ(buf_string(&taken), "c ");
    buf_fini(&taken);
    copies_free(copies);
    plans_free(plans);
}

/* A message that was taken before the plan was made can have no other copy for it: an equal one behind
 * it is another message (a device that says "on" once an hour). */
static void test_equal_content_long_after(void)
{
    struct plans *plans = next(next(NULL, "n/+", 0), "n/#", 101);
    struct copies *copies = copies_new();
    struct buf taken = {0};

    copies_use(copies, plans);
    feed(copies, plans, "1.1=on 2.2=on 2.2=on", &taken);
    CHECK_TEXT_EQ(buf_string(&taken), "on on on ");
    buf_fini(&taken);
    copies_free(copies);
    plans_free(plans);
}

static bool takes_retained(struct copies *copies, const struct planned *origin, uint64_t sequence)
{
    const struct copy_wish wish = {.share = "", .filter = "n/+", .serving = "n/+"};
    struct buf properties = {0};
    bool taken;

    property_append(&properties, &(struct property_item){.id = PROPERTY_SUBSCRIPTION,
                                                         .number = origin->identifier});
    const struct message message = {.kind = MESSAGE_PUBLISH,
                                    .sequence = sequence,
                                    .retained = true,
                                    .topic = slice_of("n/a"),
                                    .payload = slice_of("1"),
                                    .properties = buf_slice(&properties)};
    taken = copies_count(copies, &message, &wish);
    buf_fini(&properties);
    return taken;
}

/* A rule's own subscription brings the service the retained messages that came for a former one.
 * Who looks back at the journal has none but those, and takes them for the oldest subscription. */
static void test_retained_of_former_filters(void)
{
    struct plans *plans = next(next(NULL, "n/#:0r n/a:1r", 0), "n/+:0r n/a:1r", 10);
    const struct planned *wide = &plans->list[0], *narrow = &plans->list[1], *own = &plans->list[2];
    struct copies *copies = copies_new();

    CHECK_TEXT_EQ(wide->filter, "n/#");
    CHECK_TEXT_EQ(own->filter, "n/+");
    copies_use(copies, plans);
    for (int looks_back = 0; looks_back < 2; looks_back++) {
        UNIT_CASE("%d", looks_back);
        CHECK_INT_EQ(takes_retained(copies, wide, 5), looks_back);
        CHECK_INT_EQ(takes_retained(copies, narrow, 6), 0);
        CHECK_INT_EQ(takes_retained(copies, wide, 11), 0);
        CHECK_INT_EQ(takes_retained(copies, own, 12), 1);
        copies_look_back(copies);
    }
    copies_free(copies);
    plans_free(plans);
}

UNIT_MAIN("route/plan", {"identifiers", test_identifiers}, {"there and back", test_there_and_back},
          {"covered filters", test_covered_filters}, {"covered once", test_covered_once},
          {"serving", test_serving}, {"forgetting", test_forgetting}, {"text", test_text},
          {"senseless text", test_senseless_text}, {"copies word by word", test_words},
          {"undone between messages", test_undone_between_messages},
          {"read again without the first copy", test_read_again_without_the_first_copy},
          {"queue behind QoS 0", test_queue_behind_qos_0},
          {"equal content long after", test_equal_content_long_after},
          {"retained of former filters", test_retained_of_former_filters})
