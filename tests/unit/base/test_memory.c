/* SPDX-License-Identifier: MIT */
#include "base/file.h"
#include "base/memory.h"
#include "base/memory_limits.h"

#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static void test_alloc(void)
{
    char *zeroed = memory_alloc(100);
    int sum = 0;
    for (int i = 0; i < 100; i++) {
        sum += zeroed[i];
    }
    CHECK_INT_EQ(sum, 0);
    free(zeroed);
    void *nothing = memory_alloc(0);
    CHECK(nothing != NULL);
    nothing = memory_resize(nothing, 0);
    CHECK(nothing != NULL);
    free(nothing);
}

static void test_texts(void)
{
    CHECK(memory_strdup(NULL) == NULL);
    char *copy = memory_strdup("abc");
    char *part = memory_copy(slice_make("abcdef", 2));
    char *none = memory_copy(slice_make(NULL, 0));
    char *made = memory_printf("%s/%d", copy, 5);
    CHECK_TEXT_EQ(copy, "abc");
    CHECK_TEXT_EQ(part, "ab");
    CHECK_TEXT_EQ(none, "");
    CHECK_TEXT_EQ(made, "abc/5");
    free(copy);
    free(part);
    free(none);
    free(made);
}

static void test_grow(void)
{
    int *numbers = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        numbers = memory_grow(numbers, i, &capacity, sizeof(*numbers));
        CHECK(capacity > i);
        numbers[i] = (int) i;
    }
    CHECK_INT_EQ(numbers[0], 0);
    CHECK_INT_EQ(numbers[999], 999);
    free(numbers);

    /* Far beyond the capacity in one step. */
    capacity = 0;
    char *bytes = memory_grow(NULL, 100000, &capacity, 1);
    CHECK(capacity > 100000);
    bytes[100000] = 'x';
    free(bytes);
}

/* In a child process, because it does not return. */
static void test_exhaustion_ends_the_process(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        volatile size_t size = SIZE_MAX / 2;
        free(memory_resize(NULL, size));
        _exit(0);
    }
    int status = 0;
    CHECK_INT_EQ(waitpid(child, &status, 0), child);
    CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
}

static void test_limits_are_refused(void)
{
    struct error error;
    struct rlimit old;
    getrlimit(RLIMIT_DATA, &old);
    CHECK(old.rlim_cur != RLIM_INFINITY || memory_limits_check(&error));

    setrlimit(RLIMIT_DATA, &(struct rlimit){(rlim_t) 1 << 40, old.rlim_max});
    CHECK(!memory_limits_check(&error));
    CHECK(strstr(error.text, "RLIMIT_DATA is limited to 1099511627776 bytes") != NULL);
    CHECK_INT_EQ(error.outcome, OUTCOME_FATAL);
    setrlimit(RLIMIT_DATA, &old);
}

static void test_overcommit(void)
{
    struct error error;
    struct buf text = {0};
    CHECK_INT_EQ(file_load("/proc/sys/vm/overcommit_memory", 16, &text, &error), OUTCOME_OK);
    CHECK(memory_limits_strict_overcommit() == (buf_string(&text)[0] == '2'));
    buf_fini(&text);
}

/* As a library would: malloc() until there is no more. */
static void test_failing_malloc_of_a_library(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return;
#endif
    int status;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {.rlim_cur = 256 << 20, .rlim_max = 256 << 20};
        void *volatile huge;
        (void) setrlimit(RLIMIT_AS, &limit);
        huge = malloc((size_t) 1 << 40); /* the length that a payload names: may fail */
        if (huge != NULL) {
            _exit(1);
        }
        for (int i = 0; i < 1000; i++) {
            huge = strdup("a library's text");
            huge = malloc((size_t) 1 << 20);
            if (huge == NULL) {
                _exit(2);
            }
        }
        _exit(3);
    }
    CHECK_INT_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

UNIT_MAIN("memory", {"alloc", test_alloc}, {"texts", test_texts}, {"grow", test_grow},
          {"exhaustion ends the process", test_exhaustion_ends_the_process},
          {"limits are refused", test_limits_are_refused}, {"overcommit", test_overcommit},
          {"failing malloc of a library", test_failing_malloc_of_a_library})
