/* How long statements for the rows of one table may take.
 *
 * SPDX-License-Identifier: MIT */
#include "load/patience.h"

#include "unit.h"

/* Statements of rules that took too long, one after the other: "A" and "B" write to tables of their
 * own, "-": rows of some rule are stored, "a" and "b" with rows of another table that pass, "x" with
 * rows of another table that do not. */
static void test_blames(void)
{
    static const struct {
        const char *what, *steps;
        bool blames; /* the last of them */
        int64_t limit_ms;
    } cases[] = {
        {"one table", "A", true, PATIENCE_FIRST_MS},
        {"one table, again and again", "AAAA", true, PATIENCE_FIRST_MS},
        {"two tables, and nothing passes in between", "AB", false, 2 * PATIENCE_FIRST_MS},
        {"two tables, and rows pass in between", "A-B", true, PATIENCE_FIRST_MS},
        {"two tables, while rows of others pass", "Ab", true, PATIENCE_FIRST_MS},
        {"all tables of a batch", "x", false, 2 * PATIENCE_FIRST_MS},
        {"again with the double limit", "xx", false, 4 * PATIENCE_FIRST_MS},
        {"without end", "xxxxx", false, 0},
        {"there is no limit left", "xxxxxx", false, 0},
        {"a server that was slow", "AB-A", true, 2 * PATIENCE_FIRST_MS},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct patience patience;
        bool blames = false;

        UNIT_CASE("%s", cases[i].what);
        patience_init(&patience);
        for (const char *step = cases[i].steps; *step != '\0'; step++) {
            unsigned rule = *step == 'B' || *step == 'b';
            int suspect = patience_suspect(&patience);

            if (*step == '-') {
                patience_stored(&patience, PATIENCE_FIRST_MS);
                continue;
            }
            blames = patience_blames(&patience, rule,
                                     *step == 'x'   ? OTHERS_FAIL
                                     : *step >= 'a' ? OTHERS_PASS
                                                    : OTHERS_UNKNOWN,
                                     suspect == (int) rule);
        }
        CHECK_INT_EQ(blames, cases[i].blames);
        CHECK_INT_EQ(patience_limit_ms(&patience), cases[i].limit_ms);
    }
    UNIT_CASE("%s", "");
}

/* The first limit counts again when batches have been quick for a while. */
static void test_calm(void)
{
    struct patience patience;
    unsigned batches = 0;

    patience_init(&patience);
    CHECK(!patience_blames(&patience, 0, OTHERS_FAIL, false));
    for (int i = 0; i < 100; i++) {
        patience_stored(&patience, PATIENCE_FIRST_MS);
    }
    CHECK_INT_EQ(patience_limit_ms(&patience), 2 * PATIENCE_FIRST_MS);
    while (patience_limit_ms(&patience) > PATIENCE_FIRST_MS && batches < 100) {
        patience_stored(&patience, 10);
        batches++;
    }
    CHECK(batches > 4 && batches < 100);
}

static void test_none(void)
{
    struct patience patience;

    CHECK_INT_EQ(patience_limit_ms(NULL), 0);
    CHECK(patience_row_ms(NULL, false) > 0);
    CHECK(!patience_doubles(NULL));
    patience_init(&patience);
    CHECK(patience_row_ms(&patience, false) < patience_row_ms(&patience, true));
    CHECK(patience_row_ms(&patience, true) < patience_limit_ms(&patience));
    while (patience_doubles(&patience)) {
    }
    CHECK_INT_EQ(patience_limit_ms(&patience), 0);
    CHECK(patience_row_ms(&patience, false) > 0);
}

UNIT_MAIN("load/patience", {"whose fault it is", test_blames}, {"a calm while", test_calm},
          {"no limit", test_none})
