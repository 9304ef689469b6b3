/* SPDX-License-Identifier: MIT */
#include "load/plan_file.h"

#include <fcntl.h>

#include "base/buf.h"
#include "route/plan_text.h"
#include "unit.h"

static struct plans *make(const char *filter)
{
    struct subscription_set wanted = {0};
    struct plans *plans;

    subscription_set_add(&wanted, &(struct subscription){.filter = (char *) filter, .qos = 1});
    plans = plans_next(NULL, &wanted, &(struct plan_moment){.mqtt5 = true, .last = 7});
    subscription_set_fini(&wanted);
    return plans;
}

static void test_there_and_back(void)
{
    char directory[] = "/tmp/plan_file_XXXXXX", path[80];
    struct plans *plans = make("n/\n+"), *back;
    struct buf text = {0}, again = {0};
    struct error error;

    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/plans", directory);
    CHECK(plan_file_load(directory, 7) == NULL); /* none yet */
    CHECK_INT_EQ(plan_file_save(plans, directory, &error), OUTCOME_OK);
    back = plan_file_load(directory, 7);
    CHECK(back != NULL);
    plans_to_text(plans, &text);
    plans_to_text(back, &again);
    CHECK_TEXT_EQ(buf_string(&again), buf_string(&text));
    CHECK_INT_EQ(truncate(path, (off_t) text.length - 4), 0);
    CHECK(plan_file_load(directory, 7) == NULL); /* cut off */
    unlink(path);
    rmdir(directory);
    CHECK_INT_EQ(plan_file_save(plans, directory, &error), OUTCOME_RETRY);
    plans_free(back);
    plans_free(plans);
    buf_fini(&text);
    buf_fini(&again);
}

UNIT_MAIN("load/plan_file", {"there and back", test_there_and_back})
