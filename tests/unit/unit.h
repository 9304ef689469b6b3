/*
 * unit: what a unit test needs beyond CUnit: assertions that print what they saw, and a main().
 *
 *   #include "unit.h"
 *   static void test_growth(void) { CHECK_INT_EQ(buf.length, 3); }
 *   UNIT_MAIN("buf", {"growth", test_growth})
 *
 * Assertions note a failure and go on. They belong to the main thread (CUnit keeps its records
 * without a lock). The program runs all tests, or those named on its command line; its exit code
 * comes from CUnit's failure records, because CU_run_all_tests() returns success also after failed
 * assertions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_UNIT_H
#define MQTT2PG_UNIT_H

#include <CUnit/CUnit.h>
#include <CUnit/TestRun.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"

struct unit_test {
    const char *name;
    void (*run)(void);
};

/* In a table of cases: which one is at work, for the messages; "" when none is. */
static char unit_case[200];
#define UNIT_CASE(...) snprintf(unit_case, sizeof(unit_case), __VA_ARGS__)

#define CHECK(condition) unit_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_INT_EQ(actual, expected) \
    unit_check_int((intmax_t) (actual), (intmax_t) (expected), __FILE__, __LINE__, #actual)
#define CHECK_TEXT_EQ(actual, expected) \
    unit_check_text((actual), (expected), __FILE__, __LINE__, #actual)
/* `expected` is a C string; for bytes with NUL compare with slice_equal(). */
#define CHECK_SLICE_EQ(actual, expected) \
    unit_check_slice((actual), slice_of(expected), __FILE__, __LINE__, #actual)

#define UNIT_MAIN(suite, ...) \
    int main(int argc, char **argv) \
    { \
        static const struct unit_test tests[] = {__VA_ARGS__}; \
        return unit_run((suite), tests, sizeof(tests) / sizeof(tests[0]), argc, argv); \
    }

static inline __attribute__((format(printf, 4, 5))) bool
unit_record(bool good, const char *file, int line, const char *format, ...)
{
    char text[2000];
    size_t used = 0;
    if (unit_case[0] != '\0') {
        used = (size_t) snprintf(text, sizeof(text), "[%s] ", unit_case);
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, sizeof(text) - used, format, arguments);
    va_end(arguments);
    CU_assertImplementation(good, (unsigned) line, text, file, "", CU_FALSE);
    return good;
}

static inline bool unit_check(bool good, const char *file, int line, const char *condition)
{
    return unit_record(good, file, line, "%s does not hold", condition);
}

static inline bool unit_check_int(intmax_t actual, intmax_t expected, const char *file, int line,
                                  const char *what)
{
    return unit_record(actual == expected, file, line, "%s is %jd, not %jd", what, actual,
                       expected);
}

static inline bool unit_check_slice(struct slice actual, struct slice expected, const char *file,
                                    int line, const char *what)
{
    return unit_record(slice_equal(actual, expected), file, line,
                       "%s is\n    \"%.*s\" (%zu bytes), not\n    \"%.*s\" (%zu bytes)", what,
                       (int) actual.length, actual.length > 0 ? actual.data : "", actual.length,
                       (int) expected.length, expected.length > 0 ? expected.data : "",
                       expected.length);
}

static inline bool unit_check_text(const char *actual, const char *expected, const char *file,
                                   int line, const char *what)
{
    if (actual == NULL || expected == NULL) {
        return unit_record(actual == expected, file, line, "%s is %s, not %s", what,
                           actual == NULL ? "NULL" : actual, expected == NULL ? "NULL" : expected);
    }
    return unit_check_slice(slice_of(actual), slice_of(expected), file, line, what);
}

static char unit_scratch_path[200];

static inline int unit_scratch_remove_one(const char *path, const struct stat *status, int type,
                                          struct FTW *walk)
{
    (void) status;
    (void) type;
    (void) walk;
    return remove(path);
}

static inline void unit_scratch_remove(void)
{
    nftw(unit_scratch_path, unit_scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* An empty directory of this process, removed when it ends. */
static inline const char *unit_scratch(void)
{
    if (unit_scratch_path[0] == '\0') {
        const char *parent = getenv("TMPDIR");
        snprintf(unit_scratch_path, sizeof(unit_scratch_path), "%s/mqtt2pg-unit-XXXXXX",
                 parent != NULL ? parent : "/tmp");
        if (mkdtemp(unit_scratch_path) == NULL) {
            perror("mkdtemp");
            abort();
        }
        atexit(unit_scratch_remove);
    }
    return unit_scratch_path;
}

static inline void unit_completed(const CU_pTest test, const CU_pSuite suite,
                                  const CU_pFailureRecord failures)
{
    unit_case[0] = '\0';
    for (CU_pFailureRecord each = failures; each != NULL; each = each->pNext) {
        printf("FAIL %s/%s: %s:%u: %s\n", suite->pName, test->pName, each->strFileName,
               each->uiLineNumber, each->strCondition);
    }
    fflush(stdout);
}

static inline bool unit_is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return argc < 2;
}

static inline int unit_run(const char *name, const struct unit_test *tests, size_t count, int argc,
                           char **argv)
{
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return EXIT_FAILURE;
    }
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        if (unit_is_wanted(tests[i].name, argc, argv) &&
            CU_add_test(suite, tests[i].name, tests[i].run) == NULL) {
            printf("FAIL %s/%s: %s\n", name, tests[i].name, CU_get_error_msg());
            return EXIT_FAILURE;
        }
    }
    CU_set_test_complete_handler(unit_completed);
    CU_run_all_tests();

    unsigned run = CU_get_number_of_tests_run();
    unsigned failed = CU_get_number_of_tests_failed();
    bool good = CU_get_number_of_failure_records() == 0 && run > 0;
    CU_cleanup_registry();
    printf("%s: %u passed, %u failed\n", name, run - failed, failed);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
