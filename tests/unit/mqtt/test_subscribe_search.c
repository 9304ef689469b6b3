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

static bool is_asked(const struct broker *broker, const struct subscribe_search *search, int at,
                     bool suspects, char name[16])
{
    snprintf(name, 16, "f%d", at);
    return !broker->held[at] && !subscribe_search_leaves_out(search, name) &&
           (subscribe_search_ends(search, name) > 0) == suspects;
}

/* The suspect with the fewest ends; -1: none. */
static int next_suspect(const struct broker *broker, const struct subscribe_search *search)
{
    char name[16];
    int next = -1;
    unsigned fewest = 0;
    for (int at = 0; at < broker->count; at++) {
        if (is_asked(broker, search, at, true, name) &&
            (next < 0 || subscribe_search_ends(search, name) < fewest)) {
            next = at;
            fewest = subscribe_search_ends(search, name);
        }
    }
    return next;
}

/* One connection: true when all was answered. */
static bool connection(struct broker *broker, struct subscribe_search *search)
{
    char names[FILTERS_MAX][16];
    const char *chunk[FILTERS_MAX];
    int numbers[FILTERS_MAX];
    size_t count = 0;
    broker->connections++;
    for (int at = 0; at < broker->count; at++) {
        if (is_asked(broker, search, at, false, names[at])) {
            numbers[count] = at;
            chunk[count++] = names[at];
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!allows(broker, chunk[i])) {
            (void) subscribe_search_ended(search, chunk + i, count - i, false, 0);
            return false;
        }
        broker->held[numbers[i]] = true;
        CHECK(!subscribe_search_answered(search, chunk[i]));
    }
    for (int at = next_suspect(broker, search); at >= 0; at = next_suspect(broker, search)) {
        char name[16];
        const char *alone = name;
        snprintf(name, sizeof(name), "f%d", at);
        if (!allows(broker, name)) {
            (void) subscribe_search_ended(search, &alone, 1, true, 0);
            return false;
        }
        broker->held[at] = true;
        CHECK(!subscribe_search_answered(search, name));
    }
    return true;
}

static const struct {
    const char *name;
    struct broker broker;
    int connections_max;
    const char *left_out;
} cases[] = {
    {"all allowed", {.count = 60, .forbidden = ""}, 1, ""},
    {"one rule, forbidden", {.count = 1, .forbidden = " f0 "}, 5, "f0 "},
    {"the second of three", {.count = 3, .forbidden = " f1 "}, 5, "f1 "},
    {"the first of three", {.count = 3, .forbidden = " f0 "}, 5, "f0 "},
    {"one of sixty", {.count = 60, .forbidden = " f41 "}, 5, "f41 "},
    {"three of sixty", {.count = 60, .forbidden = " f1 f2 f59 "}, 11, "f1 f2 f59 "},
    {"all of four", {.count = 4, .forbidden = " f0 f1 f2 f3 "}, 14, "f0 f1 f2 f3 "},
    {"fifty a session", {.count = 53, .forbidden = "", .most = 50}, 11, "f50 f51 f52 "},
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
            char name[16];
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

/* Each character is an event of the only filter, "f":
 *   p n   the connection ends: with proof, without; "*" behind it: left out from now on
 *   d     trouble without the filter
 *   a     an answer; "+" behind it: the filter was left out before
 *   s m   so many milliseconds pass: 9999, 1
 *   h     an hour passes
 *   r -   checks that a retry is due, or not
 */
static const char *const scripts[] = {
    "npp-p*-",          /* three in a row */
    "npapnpapp",        /* an answer ends it */
    "nppdppdppdppp*",   /* trouble takes the strikes back */
    "nppnppnppnnnnnnn", /* likewise: an end without proof */
    "nppp*s-mra+-",     /* tried again after 10 s, and well again */
    "nppp*smrp*sm-smr", /* then after 20 s */
    "nppp*smrndp*",     /* an end that proves nothing leaves the retry open */
    "nppp*p*-",         /* left out, and no longer wanted: it ends the connection at UNSUBSCRIBE */
    "nppp*smrp*hrp*hrp*hrp*hrp*hrp*hrp*hrp*hrp*hrp*hr", /* at most an hour */
};

static void run(struct subscribe_search *search, const char *script)
{
    const char *const filters[] = {"f"};
    int64_t now_ms = 5;
    for (const char *at = script; *at != '\0'; at++) {
        bool told = false;
        switch (*at) {
        case 'p':
        case 'n':
            told = subscribe_search_ended(search, filters, 1, *at == 'p', now_ms) != NULL;
            CHECK(told == subscribe_search_leaves_out(search, "f"));
            break;
        case 'd':
            subscribe_search_disturbed(search);
            break;
        case 'a':
            told = subscribe_search_answered(search, "f");
            CHECK(subscribe_search_ends(search, "f") == 0);
            break;
        case 's':
        case 'm':
        case 'h':
            now_ms += *at == 's' ? 9999 : *at == 'm' ? 1 : HOUR_MS;
            break;
        default:
            CHECK(subscribe_search_due(search, now_ms) == (*at == 'r'));
        }
        bool expected = at[1] == '*' || at[1] == '+';
        unit_check(told == expected, __FILE__, __LINE__, at);
        at += expected;
    }
}

static void test_proof(void)
{
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        UNIT_CASE("%s", scripts[i]);
        struct subscribe_search search = {0};
        run(&search, scripts[i]);
        subscribe_search_forget(&search);
        CHECK(!subscribe_search_leaves_out(&search, "f"));
        subscribe_search_fini(&search);
    }
}

/* A bad network and a broker that allows everything: connections end at random moments, also while
 * the filter is not answered. The life of a connection is drawn before; a suspect is subscribed
 * after the quiet time, and the broker takes ANSWER_MS. */
enum { ANSWER_MS = 50, LIFE_MS = 2000, NETWORKS = 200, CONNECTIONS = 500 };

static void test_bad_network(void)
{
    const char *const filters[] = {"f"};
    unsigned random = 1;
    int times = 0;
    for (int network = 0; network < NETWORKS; network++) {
        struct subscribe_search search = {0};
        int64_t now_ms = 0;
        int64_t out_ms = 0;
        for (int i = 0; i < CONNECTIONS; i++) {
            random = random * 1103515245U + 12345U;
            int64_t life_ms = (int64_t) (random >> 16) % LIFE_MS;
            int64_t asked_ms = subscribe_search_quiet_ms(&search, "f");
            bool suspected = subscribe_search_ends(&search, "f") > 0;
            bool out = subscribe_search_leaves_out(&search, "f");
            if (out && subscribe_search_due(&search, now_ms)) {
                out = false;
            }
            if (out) {
                out_ms += life_ms;
            } else if (life_ms < asked_ms) {
                subscribe_search_disturbed(&search);
            } else if (life_ms < asked_ms + ANSWER_MS) {
                times += subscribe_search_ended(&search, filters, 1, suspected, now_ms) != NULL;
            } else {
                (void) subscribe_search_answered(&search, "f");
            }
            now_ms += life_ms;
        }
        CHECK(out_ms * 10 < now_ms);
        subscribe_search_fini(&search);
    }
    CHECK(times <= NETWORKS * CONNECTIONS / 10000);
}

UNIT_MAIN("subscribe_search", {"found", test_found}, {"proof", test_proof},
          {"bad_network", test_bad_network})
