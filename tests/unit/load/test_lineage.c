/* Which of today's rules goes on with a former one. SPDX-License-Identifier: MIT */
#include "load/lineage.h"
#include "unit.h"

enum { RULES_MAX = 3 };

/* Rules as name and mark. The former rule is the first of those that took the message. */
static const struct {
    const char *what;
    const char *names, *marks; /* of the time of the letter */
    const char *today[RULES_MAX][2];
    const char *successor; /* NULL: none */
} cases[] = {
    {"unchanged", "a", "1", {{"a", "1"}, {"b", "2"}}, "a"},
    {"renamed", "a", "1", {{"b", "2"}, {"c", "1"}}, "c"},
    {"edited", "a", "1", {{"b", "2"}, {"a", "3"}}, "a"},
    {"edited, and another one has its mark", "a", "1", {{"a", "3"}, {"b", "1"}}, "b"},
    {"renamed and edited", "a", "1", {{"b", "2"}}, NULL},
    {"names swapped",
     "a\x1f"
     "b",
     "1\x1f"
     "2",
     {{"a", "2"}, {"b", "1"}},
     "b"},
    {"swapped, and this one edited",
     "a\x1f"
     "b",
     "1\x1f"
     "2",
     {{"a", "2"}, {"b", "3"}},
     NULL},
    {"two of its mark", "b", "1", {{"a", "1"}, {"b", "1"}}, "b"},
    {"two of its mark, none of its name", "c", "1", {{"a", "1"}, {"b", "1"}}, "a"},
    {"removed, its twin is there",
     "a\x1f"
     "b",
     "1\x1f"
     "1",
     {{"b", "1"}},
     NULL},
    {"renamed, its twin is there",
     "a\x1f"
     "b",
     "1\x1f"
     "1",
     {{"b", "1"}, {"c", "1"}},
     "c"},
    {"no mark known",
     "a\x1f"
     "b",
     "",
     {{"b", "1"}, {"a", "2"}},
     "a"},
    {"no rules", "a", "1", {{NULL, NULL}}, NULL},
};

static void test_successor(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rule rules[RULES_MAX] = {{0}};
        struct rule *list[RULES_MAX];
        struct ruleset ruleset = {.rules = list};
        const struct former_rules all = {slice_of(cases[i].names), slice_of(cases[i].marks)};
        struct former_rules left = all;
        struct former_rule former;

        UNIT_CASE("%s", cases[i].what);
        while (ruleset.count < RULES_MAX && cases[i].today[ruleset.count][0] != NULL) {
            struct rule *rule = list[ruleset.count] = &rules[ruleset.count];

            rule->name = cases[i].today[ruleset.count][0];
            snprintf(rule->mark, sizeof(rule->mark), "%s", cases[i].today[ruleset.count][1]);
            ruleset.count++;
        }
        CHECK(lineage_next(&left, &former));
        const struct rule *found = lineage_successor(&ruleset, &former, &all);
        CHECK_TEXT_EQ(found == NULL ? NULL : found->name, cases[i].successor);
    }
}

UNIT_MAIN("lineage", {"successor", test_successor})
