/* SPDX-License-Identifier: MIT */
#include "map/regex.h"

#include "base/buf.h"
#include "unit.h"

static const struct regex *compile(const char *pattern, struct arena *arena)
{
    const struct regex *regex = NULL;
    struct error error;
    size_t at;

    CHECK(regex_compile(slice_of(pattern), arena, &regex, &at, &error) == OUTCOME_OK);
    return regex;
}

/* A service matches millions of texts with one compiled regex. */
static void test_matching_keeps_no_memory(void)
{
    struct arena *arena = arena_new(1000);
    const struct regex *regex = compile("n.:([0-9]+)", arena);
    size_t compiled = arena_used(arena);
    struct error error;

    for (int i = 0; i < 100; i++) {
        bool matches = false;
        struct slice found;

        CHECK(regex_matches(regex, slice_of("\"n\":12"), &matches, &error) == OUTCOME_OK);
        CHECK(matches);
        CHECK(regex_extract(regex, slice_of("\"n\":12"), &found, &error) == OUTCOME_OK);
        CHECK_SLICE_EQ(found, "12");
    }
    CHECK_INT_EQ(arena_used(arena), compiled);
    arena_free(arena);
}

UNIT_MAIN("regex", {"matching keeps no memory", test_matching_keeps_no_memory})
