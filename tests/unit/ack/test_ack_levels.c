/* Which topics are published alone. SPDX-License-Identifier: MIT */
#include "ack/ack_levels.h"
#include "unit.h"

/* "r" refused, "g" given up, "t" taken; then "-" no suspect, "?" suspect, "!" hopeless too; the topic
 * behind it. */
static const struct {
    const char *what;
    const char *steps[5];
} cases[] = {
    {"nobody at first", {"-a/b/c/d"}},
    {"as many levels", {"ra/b/c", "?x/y/z", "-x/y"}},
    {"more levels", {"ra/b/c", "?1/2/3/4"}},
    {"the fewest of several", {"ra/b/c/d", "ra/b", "?x/y", "-x"}},
    {"the fewest stay", {"ra/b", "ra/b/c/d", "?x/y"}},
    {"a confirmed one ends it", {"ra/b", "tx/y", "-x/y", "-1/2/3"}},
    {"one with fewer levels does not", {"ra/b/c", "tx/y", "?x/y/z"}},
    {"one with more levels does", {"ra/b", "t1/2/3", "-x/y"}},
    {"what was taken is no suspect again", {"ra/b", "tx/y", "rx/y", "-x/y"}},
    {"a deeper one is", {"ra/b", "tx/y", "r1/2/3", "?1/2/3", "-x/y"}},
    {"given up", {"ra/b/c", "ga/b/c", "!x/y/z", "-a/b"}},
    {"given up with more levels", {"ra/b", "ra/b/c", "ga/b/c", "!x/y/z", "?a/b"}},
    {"given up, and others confirmed", {"ra/b/c", "ga/b/c", "tx/y", "!x/y/z"}},
    {"given up, and confirmed", {"ra/b/c", "ga/b/c", "tx/y/z", "-x/y/z"}},
    {"given up what was taken before", {"ra/b", "tx/y", "ra/b", "ga/b", "-x/y"}},
    {"empty levels count", {"r//", "?a/b/c", "-a/b"}},
};

static void test_suspects(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ack_levels levels = {0};
        for (size_t step = 0; step < 5 && cases[i].steps[step] != NULL; step++) {
            const char *words = cases[i].steps[step];
            struct slice topic = slice_of(words + 1);
            UNIT_CASE("%s, %s", cases[i].what, words);
            if (words[0] == 'r') {
                ack_levels_refused(&levels, topic);
            } else if (words[0] == 'g') {
                ack_levels_given_up(&levels, topic);
            } else if (words[0] == 't') {
                ack_levels_taken(&levels, topic);
            } else {
                CHECK_INT_EQ(ack_levels_suspect(&levels, topic), words[0] != '-');
                CHECK_INT_EQ(ack_levels_hopeless(&levels, topic), words[0] == '!');
            }
        }
    }
}

UNIT_MAIN("ack_levels", {"suspects", test_suspects})
