/*
 * The search for a forbidden filter against a model of a broker: it ends the connection at the first
 * filter that it does not allow, or at the one that is too many.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mqtt/subscribe_search.h"

#include "unit.h"

enum { FILTERS_MAX = 100, HOUR_MS = 3600000 };

struct broker {
    int count;              /* filters f0, f1, … that are wanted */
    const char *forbidden;  /* " f3 f17 " */
    int most;               /* subscriptions a session; 0: any number */
    bool held[FILTERS_MAX]; /* answered well */
    int connections;
};

static bool allows(const struct broker *broker, const char *filter)
{
    char word[16];
    int held = 0;
    for (int i = 0; i < broker->count; i++) {
        held += broker->held[i];
    }
    snprintf(word, sizeof(word), " %s ", filter);
    return strstr(broker->forbidden, word) == NULL && (broker->most == 0 || held < broker->most);
}

/* One connection: true when all was answered. */
static bool connection(struct broker *broker, struct subscribe_search *search)
{
    char names[FILTERS_MAX][8];
    broker->connections++;
    for (int at = 0; at < broker->count;) {
        const char *chunk[FILTERS_MAX];
        int numbers[FILTERS_MAX];
        size_t count = 0;
        for (; at < broker->count && count < subscribe_search_limit(search, 100); at++) {
            snprintf(names[at], sizeof(names[at]), "f%d", at);
            if (!broker->held[at] && !subscribe_search_leaves_out(search, names[at])) {
                numbers[count] = at;
                chunk[count++] = names[at];
            }
        }
        for (size_t i = 0; i < count; i++) {
            if (!allows(broker, chunk[i])) {
                (void) subscribe_search_ended(search, chunk + i, count - i, 0);
                return false;
            }
            broker->held[numbers[i]] = true;
            subscribe_search_answered(search, chunk[i]);
        }
    }
    subscribe_search_done(search);
    return true;
}

static const struct {
    const char *name;
    struct broker broker;
    int connections_max;
    const char *left_out;
} cases[] = {
    {"all allowed", {.count = 60, .forbidden = ""}, 1, ""},
    {"one rule, forbidden", {.count = 1, .forbidden = " f0 "}, 3, "f0 "},
    {"the second of three", {.count = 3, .forbidden = " f1 "}, 3, "f1 "},
    {"the first of three", {.count = 3, .forbidden = " f0 "}, 3, "f0 "},
    {"one of sixty", {.count = 60, .forbidden = " f41 "}, 5, "f41 "},
    {"three of sixty", {.count = 60, .forbidden = " f1 f2 f59 "}, 9, "f1 f2 f59 "},
    {"all of four", {.count = 4, .forbidden = " f0 f1 f2 f3 "}, 9, "f0 f1 f2 f3 "},
    {"fifty a session", {.count = 53, .forbidden = "", .most = 50}, 7, "f50 f51 f52 "},
};

static void test_found(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].name);
        struct subscribe_search search = {0};
        struct broker broker = cases[i].broker;
        char left_out[200] = "";
        while (broker.connections < 50 && !connection(&broker, &search)) {
        }
        CHECK(broker.connections <= cases[i].connections_max);
        for (int f = 0; f < broker.count; f++) {
            char name[8];
            snprintf(name, sizeof(name), "f%d", f);
            bool out = subscribe_search_leaves_out(&search, name);
            CHECK(out == !broker.held[f]);
            if (out) {
                strcat(strcat(left_out, name), " ");
            }
        }
        CHECK(strcmp(left_out, cases[i].left_out) == 0);
        subscribe_search_fini(&search);
    }
}

/* A network that breaks once blames nobody; an hour later what was left out has its chance, and one
 * more end is enough. */
static void test_blame(void)
{
    const char *const filters[] = {"a", "b"};
    struct subscribe_search search = {0};
    CHECK(subscribe_search_ended(&search, filters, 1, 0) == NULL);
    subscribe_search_answered(&search, "a");
    subscribe_search_done(&search);
    CHECK(subscribe_search_ended(&search, filters, 1, 0) == NULL);
    CHECK(strcmp(subscribe_search_ended(&search, filters, 1, 5), "a") == 0);
    CHECK(subscribe_search_leaves_out(&search, "a"));
    CHECK(!subscribe_search_due(&search, HOUR_MS));
    CHECK(subscribe_search_due(&search, HOUR_MS + 5));
    CHECK(!subscribe_search_leaves_out(&search, "a"));
    CHECK(strcmp(subscribe_search_ended(&search, filters, 1, HOUR_MS + 5), "a") == 0);
    subscribe_search_forget(&search);
    CHECK(!subscribe_search_leaves_out(&search, "a"));
    CHECK_INT_EQ(subscribe_search_limit(&search, 100), 100);
    subscribe_search_fini(&search);
}

UNIT_MAIN("subscribe_search", {"found", test_found}, {"blame", test_blame})
