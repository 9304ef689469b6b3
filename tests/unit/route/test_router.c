/* SPDX-License-Identifier: MIT */
#include "route/router.h"

#include "unit.h"

enum { RULES_MAX = 400, TOPIC_MAX = 40 };

struct rules {
    struct topic_filter *filters[RULES_MAX];
    size_t count;
};

static void rules_add(struct rules *rules, const char *topic)
{
    struct error error;
    if (CHECK_INT_EQ(topic_filter_compile(slice_of(topic), &rules->filters[rules->count], &error),
                     OUTCOME_OK)) {
        rules->count++;
    }
}

static void rules_fini(struct rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        topic_filter_free(rules->filters[i]);
    }
    rules->count = 0;
}

/* What the router says is what asking every filter says. */
static void check_find(struct router *router, const struct rules *rules, struct slice topic)
{
    const struct route *routes = NULL;
    size_t found = router_find(router, topic, &routes);
    size_t at = 0;
    for (size_t i = 0; i < rules->count; i++) {
        struct slice captures[TOPIC_MAX];
        size_t count;
        topic_filter_captures(rules->filters[i], &count);
        if (!topic_filter_match(rules->filters[i], topic, captures)) {
            continue;
        }
        if (!CHECK(at < found) || !CHECK_INT_EQ(routes[at].rule, i)) {
            return;
        }
        for (size_t k = 0; k < count; k++) {
            CHECK(slice_equal(routes[at].captures[k], captures[k]));
            CHECK_INT_EQ(routes[at].captures[k].data == NULL, captures[k].data == NULL);
        }
        at++;
    }
    CHECK_INT_EQ(found, at);
}

static void test_order(void)
{
    struct rules rules = {0};
    const struct route *routes;
    rules_add(&rules, "{all...}");
    rules_add(&rules, "a/+");
    rules_add(&rules, "x/y");
    rules_add(&rules, "a/{b}");
    rules_add(&rules, "a/b");
    rules_add(&rules, "a/b/{rest...}");
    struct router *router = router_new(rules.filters, rules.count, 1 << 16);
    for (int repeat = 0; repeat < 3; repeat++) {
        CHECK_INT_EQ(router_find(router, slice_of("a/b"), &routes), 5);
        static const unsigned expected[] = {0, 1, 3, 4, 5};
        for (size_t i = 0; i < 5; i++) {
            CHECK_INT_EQ(routes[i].rule, expected[i]);
        }
        CHECK_SLICE_EQ(routes[0].captures[0], "a/b");
        CHECK_SLICE_EQ(routes[2].captures[0], "b");
        CHECK(routes[4].captures[0].data == NULL);
        CHECK_INT_EQ(router_find(router, slice_of("$a/b"), &routes), 0);
    }
    router_free(router);
    rules_fini(&rules);
}

static void test_no_rules(void)
{
    const struct route *routes;
    struct router *router = router_new(NULL, 0, 1000);
    CHECK_INT_EQ(router_find(router, slice_of("a"), &routes), 0);
    CHECK_INT_EQ(router_find(router, (struct slice){0}, &routes), 0);
    router_free(router);
    router_free(NULL);
}

/* The answer holds no byte of the caller's topic. */
static void test_own_copies(void)
{
    for (size_t cache = 0; cache <= 1 << 16; cache += 1 << 16) {
        struct rules rules = {0};
        const struct route *routes;
        rules_add(&rules, "a/{b}");
        struct router *router = router_new(rules.filters, rules.count, cache);
        char *topic = strdup("a/one");
        CHECK_INT_EQ(router_find(router, slice_of(topic), &routes), 1);
        free(topic);
        CHECK_SLICE_EQ(routes[0].captures[0], "one");
        CHECK_INT_EQ(router_find(router, slice_of("a/one"), &routes), 1);
        CHECK_SLICE_EQ(routes[0].captures[0], "one");
        router_free(router);
        rules_fini(&rules);
    }
}

static uint64_t random_state;

static unsigned random_below(unsigned bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned) (random_state >> 33) % bound;
}

/* A topic, or a rule's topic with captures in it. */
static void random_topic(char *out, bool rule)
{
    static const char *const words[] = {"a", "b", "c", "", "$x", "long-level"};
    size_t length = 0;
    unsigned levels = 1 + random_below(4);
    for (unsigned i = 0; i < levels; i++) {
        unsigned kind = rule ? random_below(8) : 7;
        length += (size_t) snprintf(out + length, TOPIC_MAX - length, i > 0 ? "/" : "");
        if (kind == 0) {
            length += (size_t) snprintf(out + length, TOPIC_MAX - length, "{n%u}", i);
        } else if (kind == 1) {
            length += (size_t) snprintf(out + length, TOPIC_MAX - length, "+");
        } else if (kind == 2 && i + 1 == levels) {
            length += (size_t) snprintf(out + length, TOPIC_MAX - length, "%s",
                                        random_below(2) == 0 ? "#" : "{rest...}");
        } else {
            length +=
                (size_t) snprintf(out + length, TOPIC_MAX - length, "%s", words[random_below(6)]);
        }
    }
    if (length == 0) {
        snprintf(out, TOPIC_MAX, "a");
    }
}

/* Against linear matching, without a cache, with one that is always full, and with a large one. */
static void test_random(void)
{
    static const size_t caches[] = {0, 300, 2000, 1 << 20};
    random_state = 20261123;
    printf("random rules: seed %" PRIu64 "\n", random_state);
    for (unsigned round = 0; round < 60; round++) {
        struct rules rules = {0};
        char topic[TOPIC_MAX];
        for (unsigned i = random_below(RULES_MAX); i > 0; i--) {
            random_topic(topic, true);
            rules_add(&rules, topic);
        }
        struct router *router = router_new(rules.filters, rules.count, caches[round % 4]);
        for (unsigned i = 0; i < 300; i++) {
            random_topic(topic, false);
            UNIT_CASE("round %u, topic %s", round, topic);
            check_find(router, &rules, slice_of(topic));
        }
        router_free(router);
        rules_fini(&rules);
    }
}

/* More topics than fit: the answers stay right while the cache is emptied again and again. */
static void test_full_cache(void)
{
    struct rules rules = {0};
    rules_add(&rules, "d/{device}/{rest...}");
    rules_add(&rules, "d/17/#");
    struct router *router = router_new(rules.filters, rules.count, 20000);
    for (unsigned i = 0; i < 5000; i++) {
        char topic[TOPIC_MAX];
        snprintf(topic, sizeof(topic), "d/%u/state", i % 900);
        UNIT_CASE("%s", topic);
        check_find(router, &rules, slice_of(topic));
    }
    router_free(router);
    rules_fini(&rules);
}

static void test_odd_topics(void)
{
    static char longest[65535];
    struct rules rules = {0};
    rules_add(&rules, "a/{x}");
    rules_add(&rules, "+/+/{rest...}");
    rules_add(&rules, "+");
    for (size_t cache = 0; cache <= 1 << 16; cache += 1 << 16) {
        struct router *router = router_new(rules.filters, rules.count, cache);
        check_find(router, &rules, slice_make("a/b\0c", 5));
        check_find(router, &rules, slice_make("a/b\0d", 5)); /* differs behind the NUL */
        check_find(router, &rules, slice_make("a/\xff", 3));
        check_find(router, &rules, slice_make("", 0));
        check_find(router, &rules, (struct slice){0});
        memset(longest, 'x', sizeof(longest));
        check_find(router, &rules, slice_make(longest, sizeof(longest)));
        check_find(router, &rules, slice_make(longest, sizeof(longest)));
        memset(longest, '/', sizeof(longest));
        check_find(router, &rules, slice_make(longest, sizeof(longest)));
        router_free(router);
    }
    rules_fini(&rules);
}

/* A rule with as many levels as a topic can have. */
static void test_deep_rule(void)
{
    enum { LONGEST = 65535 };
    static char deep[LONGEST + 1];
    struct rules rules = {0};
    for (size_t i = 0; i < LONGEST; i++) {
        deep[i] = i % 2 == 0 ? '+' : '/';
    }
    rules_add(&rules, deep);
    struct router *router = router_new(rules.filters, rules.count, 1 << 20);
    for (size_t i = 0; i < LONGEST; i += 2) {
        deep[i] = 'x';
    }
    check_find(router, &rules, slice_make(deep, LONGEST));
    check_find(router, &rules, slice_make(deep, LONGEST - 2));
    router_free(router);
    rules_fini(&rules);
}

UNIT_MAIN("router", {"order", test_order}, {"no rules", test_no_rules},
          {"own copies", test_own_copies}, {"random", test_random}, {"full cache", test_full_cache},
          {"odd topics", test_odd_topics}, {"deep rule", test_deep_rule})
