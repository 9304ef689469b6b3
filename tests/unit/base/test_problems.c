/* SPDX-License-Identifier: MIT */
#include "base/problems.h"

#include "unit.h"

static void test_texts(void)
{
    struct problems problems = {0};
    problem_error(&problems, (struct place){"a.cfg", 12}, "batch", "\"%s\" is no size", "8XB");
    problem_warning(&problems, (struct place){"a.cfg", 3}, NULL, "not used");
    problem_error(&problems, (struct place){NULL, 0}, "broker.url", "missing");
    problem_error(&problems, (struct place){"b.cfg", 0}, NULL, "no such file");
    CHECK_INT_EQ(problems.count, 4);
    CHECK_INT_EQ(problems.errors, 3);
    CHECK_INT_EQ(problems.list[1].level, PROBLEM_WARNING);
    CHECK_INT_EQ(problems.list[0].line, 12);

    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    problems_print(&problems, out);
    fclose(out);
    CHECK_TEXT_EQ(text, "a.cfg:12: batch: \"8XB\" is no size\n"
                        "a.cfg:3: warning: not used\n"
                        "broker.url: missing\n"
                        "b.cfg: no such file\n");
    free(text);
    problems_fini(&problems);
    CHECK_INT_EQ(problems.count, 0);
    problems_fini(&problems);
}

static void test_many(void)
{
    struct problems problems = {0};
    for (int i = 1; i <= 1000; i++) {
        problem_error(&problems, (struct place){"x", i}, NULL, "mistake");
    }
    CHECK_INT_EQ(problems.errors, 1000);
    CHECK_TEXT_EQ(problems.list[999].text, "x:1000: mistake");
    problems_fini(&problems);
}

UNIT_MAIN("problems", {"texts", test_texts}, {"many", test_many})
