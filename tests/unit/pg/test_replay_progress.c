/* Which messages a replay leaves out, and which dead letters it claims.
 *
 * SPDX-License-Identifier: MIT */
#include "pg/replay_progress.h"

#include "unit.h"

/* "1 3": each digit is a number. */
static struct replay_numbers numbers(const char *digits)
{
    struct replay_numbers made = {0};

    for (; *digits != '\0'; digits++) {
        if (*digits != ' ') {
            replay_numbers_add(&made, (uint64_t) (*digits - '0'));
        }
    }
    return made;
}

static void test_leave_out(void)
{
    static const struct {
        const char *name;
        const char *settled_before, *waiting_before, *settled_now, *waiting_now, *left_out;
    } cases[] = {
        {"no letters", "", "", "", "", ""},
        {"settled ones are made again", "1 3 5", "", "1 3 5", "", ""},
        {"those that wait are stored by others", "", "2 4", "", "2 4", "2 4"},
        {"healed meanwhile", "1", "2 4", "1", "4", "2 4"},
        {"retried meanwhile", "1 3", "", "3", "", "1"},
        {"rejected meanwhile", "", "2", "2", "", "2"},
        {"parked meanwhile", "3", "", "", "3", "3"},
        {"new ones", "", "", "6", "7", "7"},
        {"all at once", "1 3 5", "2 4", "3 9", "4 8", "1 2 4 5 8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct replay_letters before = {numbers(cases[i].settled_before),
                                        numbers(cases[i].waiting_before)};
        struct replay_letters now = {numbers(cases[i].settled_now), numbers(cases[i].waiting_now)};
        struct replay_numbers wanted = numbers(cases[i].left_out);
        struct replay_state state = {0};

        UNIT_CASE("%s", cases[i].name);
        replay_state_leave_out(&state, &before, &now);
        CHECK_INT_EQ(state.left_out.count, wanted.count);
        for (size_t j = 0; j < wanted.count; j++) {
            CHECK(replay_numbers_has(&state.left_out, wanted.list[j]));
        }
        replay_letters_fini(&before);
        replay_letters_fini(&now);
        replay_numbers_fini(&wanted);
        replay_state_fini(&state);
    }
}

#define JOURNAL "11111111-2222-3333-4444-555555555555"

static void test_claims(void)
{
    static const struct {
        struct replay_message message;
        bool claimed;
    } cases[] = {
        {{"r", JOURNAL, 4, 100}, true},   {{"r", JOURNAL, 9, 200}, true},
        {{"r", JOURNAL, 3, 100}, false},  /* done */
        {{"r", JOURNAL, 10, 100}, false}, /* stored since the replay began */
        {{"r", JOURNAL, 5, 100}, false},  /* left out */
        {{"r", JOURNAL, 4, 99}, false},   {{"r", JOURNAL, 4, 201}, false},
        {{"s", JOURNAL, 4, 100}, false},  {{"r", "another", 4, 100}, false},
        {{"r", NULL, 4, 100}, false},
    };
    char rule[] = "r", journal[] = JOURNAL;
    struct replay_claim claim = {.rule = rule,
                                 .journal = journal,
                                 .state = {.found = true,
                                           .done = 3,
                                           .last = 9,
                                           .from_us = 100,
                                           .to_us = 200,
                                           .left_out = numbers("5 7")}};
    const struct replay_claims claims = {&claim, 1}, none = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("message %zu", i);
        CHECK_INT_EQ(replay_claims_have(&claims, &cases[i].message), cases[i].claimed);
        CHECK(!replay_claims_have(&none, &cases[i].message));
    }
    replay_state_fini(&claim.state);
}

UNIT_MAIN("replay_progress", {"leave_out", test_leave_out}, {"claims", test_claims})
