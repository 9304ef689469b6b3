/* SPDX-License-Identifier: MIT */
#include "core/subscription.h"

#include "unit.h"

static void test_identifier(void)
{
    /* They stand in journals: the numbers themselves are the contract. FNV-1a 64 of "" is
     * cbf29ce484222325. */
    CHECK_INT_EQ(subscription_identifier(""),
                 (int64_t) (UINT64_C(0xcbf29ce484222325) % 268435455 + 1));
    CHECK_INT_EQ(subscription_identifier("a"),
                 (int64_t) (UINT64_C(0xaf63dc4c8601ec8c) % 268435455 + 1));
    char filter[40];
    for (int i = 0; i < 10000; i++) {
        snprintf(filter, sizeof(filter), "devices/%d/#", i);
        uint32_t identifier = subscription_identifier(filter);
        CHECK(identifier >= 1 && identifier <= 268435455);
    }
}

static void test_set(void)
{
    struct subscription_set set = {0};
    char filter[] = "a/+";
    struct subscription first = {
        .filter = filter, .qos = 1, .retain_handling = RETAIN_SEND_IF_NEW, .identifier = 7};
    subscription_set_add(&set, &first);
    filter[0] = 'b';
    first.qos = 2;
    subscription_set_add(&set, &first);
    CHECK_INT_EQ(set.count, 2);
    const struct subscription *found = subscription_set_find(&set, "a/+");
    CHECK(found == &set.list[0]);
    CHECK_INT_EQ(found->qos, 1);
    CHECK_INT_EQ(subscription_set_find(&set, "b/+")->qos, 2);
    CHECK(subscription_set_find(&set, "c") == NULL);
    subscription_set_fini(&set);
    CHECK_INT_EQ(set.count, 0);
    subscription_set_fini(&set);
}

UNIT_MAIN("subscription", {"identifier", test_identifier}, {"set", test_set})
