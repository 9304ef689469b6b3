/* What a new process knows of copies that came to the process before it.
 *
 * SPDX-License-Identifier: MIT */
#include "load/copies_recall.h"

#include "../journal/fixture.h"
#include "core/property.h"
#include "unit.h"

static const char *const filters[2] = {"a/#", "a/+/c"};

static struct ruleset *compile(void)
{
    struct problems problems = {0};
    struct option_column column = {.name = "t", .expression = "@topic"};
    struct option_text topics[2] = {{.text = filters[0]}, {.text = filters[1]}};
    struct rule_options rules[2];
    struct ruleset *ruleset;

    for (size_t i = 0; i < 2; i++) {
        rules[i] = (struct rule_options){.name = i == 0 ? "wide" : "narrow",
                                         .topics = &topics[i],
                                         .topic_count = 1,
                                         .columns = &column,
                                         .column_count = 1,
                                         .qos = (uint8_t) (1 + i), /* not covered by the other */
                                         .share = "",
                                         .format = {.text = "json"},
                                         .table = {.text = "t"}};
    }
    ruleset = ruleset_compile(rules, 2, "client", true, &problems);
    if (!CHECK(ruleset != NULL)) {
        exit(1);
    }
    problems_fini(&problems);
    return ruleset;
}

/* A copy of one message, for the subscription with this filter. */
static struct message copy_for(const char *filter, enum message_kind kind, struct buf *properties)
{
    const struct property_item item = {.id = PROPERTY_SUBSCRIPTION,
                                       .number = subscription_identifier(filter)};

    buf_reset(properties);
    property_append(properties, &item);
    return (struct message){.kind = kind,
                            .qos = 1,
                            .packet_id = 1,
                            .topic = slice_of("a/b/c"),
                            .payload = slice_of("1"),
                            .whole_bytes = kind == MESSAGE_HEAD ? 100000 : 0,
                            .properties = buf_slice(properties)};
}

/* The first copy is in the journal and is judged once more, or not. How many rules take the other? */
static size_t taken_behind(struct journal *journal, enum message_kind kind, bool recalled)
{
    struct ruleset *ruleset = compile();
    struct plans *plans = plans_next(NULL, &ruleset->wanted, &(struct plan_moment){.mqtt5 = true});
    struct copies *copies = copies_new();
    struct journal_reader *reader = journal_reader_new(journal);
    struct buf properties = {0};
    struct route routes[3];
    struct message other = copy_for(filters[1], kind, &properties);
    size_t count;

    ruleset_set_plans(ruleset, plans);
    copies_use(copies, plans);
    if (recalled) {
        copies_recall(reader, journal, ruleset, copies, journal_last(journal));
    }
    other.sequence = journal_last(journal) + 1;
    (void) ruleset_find(ruleset, copies, &other, routes, &count);
    journal_reader_free(reader);
    buf_fini(&properties);
    copies_free(copies);
    ruleset_free(ruleset);
    plans_free(plans);
    return count;
}

static void test_other_copy_is_known(void)
{
    static const enum message_kind kinds[] = {MESSAGE_PUBLISH, MESSAGE_HEAD};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct journal_options options = fixture_options(fixture_directory());
        struct journal *journal = fixture_open(&options);
        struct buf properties = {0};
        struct message first = copy_for(filters[0], kinds[i], &properties);
        struct error error;

        UNIT_CASE("kind %d", (int) kinds[i]);
        CHECK_INT_EQ(journal_append(journal, &first, &error), OUTCOME_OK);
        CHECK_INT_EQ(taken_behind(journal, kinds[i], false), 2);
        CHECK_INT_EQ(taken_behind(journal, kinds[i], true), 0);
        buf_fini(&properties);
        journal_close(journal);
    }
    UNIT_CASE("%s", "");
}

UNIT_MAIN("copies_recall", {"the other copy is known", test_other_copy_is_known})
