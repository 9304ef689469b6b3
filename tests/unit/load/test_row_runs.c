/* SPDX-License-Identifier: MIT */
#include "load/row_runs.h"
#include "unit.h"

/* Rules a and b write one table in one way, c the same table in another, d another table. */
static const struct run_place places[] = {{0, 0}, {0, 0}, {2, 0}, {3, 3}};
enum { RULES = sizeof(places) / sizeof(places[0]) };

/* An upper-case letter is an extent that is taken back. */
static void fill(struct row_runs *runs, const char *rows)
{
    for (size_t i = 0; rows[i] != '\0'; i++) {
        bool cancel = rows[i] < 'a';
        unsigned rule = (unsigned) (rows[i] - (cancel ? 'A' : 'a'));
        const struct extent extent = {.message = i, .rule = rule, .rows = 1};
        struct buf *bytes = row_runs_begin(runs, places[rule], &extent);

        buf_printf(bytes, "%c%zu ", rows[i], i);
        if (cancel) {
            row_runs_cancel(runs, places[rule]);
        } else {
            row_runs_end(runs, places[rule]);
        }
    }
    row_runs_sort(runs);
    row_runs_check(runs);
}

static void test_order(void)
{
    /* The letter of each message's rule, and the rows of the runs as they are stored. */
    static const struct {
        const char *rows;
        const char *stored;
    } cases[] = {
        {"", ""},
        {"aba", "[a0 b1 a2 ]"},
        {"acb", "[a0 ][c1 ][b2 ]"},
        {"dada", "[a1 a3 ][d0 d2 ]"},
        {"adcdb", "[a0 ][c2 ][b4 ][d1 d3 ]"},
        {"ccc", "[c0 c1 c2 ]"},
        {"A", ""},
        {"aCb", "[a0 b2 ]"},
        {"aAcCdDc", "[a0 ][c2 c6 ][d4 ]"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct row_runs runs;
        struct buf stored = {0};

        UNIT_CASE("%s", cases[i].rows);
        row_runs_init(&runs, RULES);
        for (int again = 0; again < 2; again++) {
            row_runs_reset(&runs);
            fill(&runs, cases[i].rows);
        }
        for (size_t j = 0; j < runs.count; j++) {
            const struct run *run = &runs.list[j];

            buf_append_byte(&stored, '[');
            buf_append_slice(&stored,
                             row_runs_bytes(&runs.writes[run->write], run->low, run->high));
            buf_append_byte(&stored, ']');
            CHECK_INT_EQ(run->rows, run->high - run->low);
        }
        CHECK_TEXT_EQ(buf_string(&stored), cases[i].stored);
        buf_fini(&stored);
        row_runs_fini(&runs);
    }
}

UNIT_MAIN("row_runs", {"order", test_order})
