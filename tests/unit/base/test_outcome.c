/* SPDX-License-Identifier: MIT */
#include "base/outcome.h"

#include <errno.h>

#include "unit.h"

static void test_set(void)
{
    struct error error = {.sqlstate = "22012"};
    CHECK_INT_EQ(error_set(&error, OUTCOME_REJECT, "column \"%s\"", "x"), OUTCOME_REJECT);
    CHECK_INT_EQ(error.outcome, OUTCOME_REJECT);
    CHECK_TEXT_EQ(error.text, "column \"x\"");
    CHECK_TEXT_EQ(error.sqlstate, "");
    CHECK_INT_EQ(error_set(NULL, OUTCOME_RETRY, "nobody reads it"), OUTCOME_RETRY);
    error_clear(&error);
    CHECK_INT_EQ(error.outcome, OUTCOME_OK);
    CHECK_TEXT_EQ(error.text, "");
    error_clear(NULL);
}

static void test_errno(void)
{
    struct error error;
    errno = ENOENT;
    CHECK_INT_EQ(error_errno(&error, OUTCOME_FATAL, "file \"%d\"", 7), OUTCOME_FATAL);
    CHECK_TEXT_EQ(error.text, "file \"7\": No such file or directory");
    CHECK_INT_EQ(errno, ENOENT);
}

static void test_prefix(void)
{
    struct error error;
    error_set(&error, OUTCOME_RETRY, "no route to host");
    error_prefix(&error, "broker %d", 2);
    CHECK_TEXT_EQ(error.text, "broker 2: no route to host");
    CHECK_INT_EQ(error.outcome, OUTCOME_RETRY);
    error_prefix(NULL, "x");
}

static void test_long_texts_are_cut(void)
{
    struct error error;
    char longer[2 * ERROR_TEXT_MAX];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    error_set(&error, OUTCOME_RETRY, "%s", longer);
    CHECK_INT_EQ(strlen(error.text), ERROR_TEXT_MAX - 1);
    error_errno(&error, OUTCOME_RETRY, "%s", longer);
    CHECK_INT_EQ(strlen(error.text), ERROR_TEXT_MAX - 1);
    error_prefix(&error, "begin");
    CHECK_INT_EQ(strlen(error.text), ERROR_TEXT_MAX - 1);
    CHECK(strncmp(error.text, "begin: xxx", 10) == 0);
    error_prefix(&error, "%s", longer);
    CHECK_INT_EQ(strlen(error.text), ERROR_TEXT_MAX - 1);
}

UNIT_MAIN("outcome", {"set", test_set}, {"errno", test_errno}, {"prefix", test_prefix},
          {"long texts are cut", test_long_texts_are_cut})
