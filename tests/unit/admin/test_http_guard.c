/* SPDX-License-Identifier: MIT */
#include "admin/http_guard.h"

#include "unit.h"

#define TOKEN "0123456789abcdef"
#define OPEN \
    { \
        .admin = true, .is_loopback = true \
    }
#define TOKENED \
    { \
        .admin = true, .token = { TOKEN, 16 } \
    }
#define HERE .host = "127.0.0.1:9464"

static const struct guard_case {
    const char *name;
    struct http_guard guard;
    struct http_claim claim;
    unsigned status;
} cases[] = {
    {"a program", OPEN, {HERE, .mark = "1"}, 0},
    {"the page", OPEN, {HERE, "http://127.0.0.1:9464", "same-origin", "1", NULL}, 0},
    {"the page by name", OPEN, {"localhost:9464", "http://LocalHost:9464", NULL, "1", NULL}, 0},
    {"HTTP/1.0 without Host", OPEN, {.mark = "1"}, 0},
    {"off", {.is_loopback = true}, {HERE, .mark = "1"}, 403},
    {"off, with a token", {.token = {TOKEN, 16}}, {HERE, .mark = "1"}, 403},
    {"open to all without a token", {.admin = true}, {HERE, .mark = "1"}, 403},
    {"a form of another site", OPEN, {HERE, "https://evil.example", "cross-site", NULL, NULL}, 403},
    {"no header of ours", OPEN, {HERE}, 403},
    {"another site with our header", OPEN, {HERE, "https://evil.example", NULL, "1", NULL}, 403},
    {"a sandboxed frame", OPEN, {HERE, "null", NULL, "1", NULL}, 403},
    {"another port of this machine", OPEN, {HERE, "http://127.0.0.1:80", NULL, "1", NULL}, 403},
    {"an origin without Host", OPEN, {NULL, "http://127.0.0.1:80", NULL, "1", NULL}, 403},
    {"the browser says cross-site", OPEN, {HERE, NULL, "cross-site", "1", NULL}, 403},
    {"the browser says same-site", OPEN, {HERE, NULL, "same-site", "1", NULL}, 403},
    {"a name that was made to point here",
     OPEN,
     {"evil.example:9464", "http://evil.example:9464", "same-origin", "1", NULL},
     403},
    {"the token", TOKENED, {HERE, .mark = "1", .authorization = "Bearer " TOKEN}, 0},
    {"the token at a host of ours",
     TOKENED,
     {"bridge.example", "https://bridge.example", "same-origin", "1", "bearer " TOKEN},
     0},
    {"no token", TOKENED, {HERE, .mark = "1"}, 401},
    {"a wrong token",
     TOKENED,
     {HERE, .mark = "1", .authorization = "Bearer 0123456789abcdeF"},
     401},
    {"its beginning", TOKENED, {HERE, .mark = "1", .authorization = "Bearer 0123456789"}, 401},
    {"more than it", TOKENED, {HERE, .mark = "1", .authorization = "Bearer " TOKEN "0"}, 401},
    {"nothing", TOKENED, {HERE, .mark = "1", .authorization = "Bearer "}, 401},
    {"another scheme", TOKENED, {HERE, .mark = "1", .authorization = "Basic " TOKEN}, 401},
    {"the token without our header", TOKENED, {HERE, .authorization = "Bearer " TOKEN}, 403},
};

static void test_guard(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason = "?";

        UNIT_CASE("%s", cases[i].name);
        CHECK_INT_EQ(http_guard_check(&cases[i].guard, &cases[i].claim, &reason), cases[i].status);
        CHECK((reason == NULL) == (cases[i].status == 0));
    }
}

UNIT_MAIN("http_guard", {"cases", test_guard})
