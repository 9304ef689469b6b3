/* SPDX-License-Identifier: MIT */
#include "load/verdicts.h"
#include "unit.h"

static void test_finds_what_was_added_in_any_order(void)
{
    struct verdicts verdicts = {0};

    CHECK(verdicts_find(&verdicts, 1, 0) == NULL);
    for (uint64_t i = 0; i < 100; i++) {
        verdicts_add(&verdicts, (i * 37) % 100, (unsigned) (i % 3),
                     &(struct refused){.reason = "refused", .sqlstate = "23505"});
    }
    CHECK_INT_EQ(verdicts.count, 100);
    for (uint64_t i = 0; i < 100; i++) {
        const struct verdict_row *row =
            verdicts_find(&verdicts, (i * 37) % 100, (unsigned) (i % 3));
        CHECK(row != NULL);
        CHECK(verdicts_find(&verdicts, (i * 37) % 100, 3) == NULL);
    }
    for (size_t i = 1; i < verdicts.count; i++) {
        CHECK(verdicts.list[i - 1].sequence < verdicts.list[i].sequence);
    }
    verdicts_fini(&verdicts);
}

static void test_a_second_verdict_replaces_the_first(void)
{
    struct verdicts verdicts = {0};
    const struct verdict_row *row;

    verdicts_add(&verdicts, 7, 1, &(struct refused){.reason = "first", .sqlstate = "22P02"});
    verdicts_add(&verdicts, 7, 1, &(struct refused){.reason = "second"});
    row = verdicts_find(&verdicts, 7, 1);
    CHECK_INT_EQ(verdicts.count, 1);
    CHECK_TEXT_EQ(row->reason, "second");
    CHECK_TEXT_EQ(row->sqlstate, "");
    verdicts_reset(&verdicts);
    CHECK(verdicts_find(&verdicts, 7, 1) == NULL);
    verdicts_fini(&verdicts);
}

UNIT_MAIN("load/verdicts",
          {"finds what was added in any order", test_finds_what_was_added_in_any_order},
          {"a second verdict replaces the first", test_a_second_verdict_replaces_the_first})
