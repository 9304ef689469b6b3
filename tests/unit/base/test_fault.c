/* The list of faults is read once a process, so each case is a process of its own that reports by
 * its exit code.
 *
 * SPDX-License-Identifier: MIT */
#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "unit.h"

enum { KILLED = 1000, ABORTED };

/* Runs `probe` in a child with these faults: its exit code, KILLED or ABORTED. */
static int run_with(const char *faults, int (*probe)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        fclose(stderr);
        setenv("MQTT2PG_FAULTS", faults, 1);
        _exit(probe());
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status) == SIGKILL ? KILLED : ABORTED;
    }
    return WEXITSTATUS(status);
}

/* Bit n is set when passage n + 1 of "a.b" failed. */
static int passages(void)
{
    int failed = 0;
    for (int i = 0; i < 5; i++) {
        errno = 0;
        failed |= FAULT("a.b") << i;
    }
    return failed;
}

static int number_of_failure(void)
{
    return FAULT("a.b") ? errno : 0;
}

/* Milliseconds; an exit code holds 255, and a busy machine may take longer. */
static int delay_ms(void)
{
    int64_t start_ms = clock_monotonic_ms();
    bool failed = FAULT("a.b");
    int64_t took_ms = clock_monotonic_ms() - start_ms;
    return failed ? 255 : (int) (took_ms < 254 ? took_ms : 254);
}

static int write_outcome(void)
{
    struct error error;
    return (int) file_write(STDOUT_FILENO, "", 0, 0, &error);
}

static void test_actions(void)
{
    static const struct {
        const char *faults;
        int (*probe)(void);
        int result;
    } cases[] = {
        {"", passages, 0},
        {"a.c=fail", passages, 0},
        {"a.b=fail", passages, 31},
        {"a.b=fail@2", passages, 2},
        {"a.b=fail@2+", passages, 30},
        {"x.y=delay:1,a.b=fail@1,a.b=fail@5", passages, 17},
        {"a.b=kill", passages, KILLED},
        {"a.b=kill@5", passages, KILLED},
        {"a.b=kill@6", passages, 0},
        {"a.b=fail", number_of_failure, EIO},
        {"a.b=fail:ENOSPC@1", number_of_failure, ENOSPC},
        {"file.write=fail", write_outcome, OUTCOME_FATAL},
        {"file.write=fail:ENOSPC", write_outcome, OUTCOME_RETRY},
        {"file.write=fail:EDQUOT@2", write_outcome, OUTCOME_OK},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].faults);
        CHECK_INT_EQ(run_with(cases[i].faults, cases[i].probe), cases[i].result);
    }
    UNIT_CASE("%s", "");
    int waited_ms = run_with("a.b=delay:50", delay_ms);
    CHECK(waited_ms >= 49 && waited_ms < 255);
}

static void test_mistakes_are_refused(void)
{
    static const char *const mistakes[] = {
        "a.b",        "a.b=",        "a.b=explode",    "=fail",     "a.b=fail@",
        "a.b=fail@0", "a.b=fail@2x", "a.b=fail:EWHAT", "a.b=delay", "a.b=kill@2++"};
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        UNIT_CASE("%s", mistakes[i]);
        CHECK_INT_EQ(run_with(mistakes[i], passages), ABORTED);
    }
}

UNIT_MAIN("fault", {"actions", test_actions}, {"mistakes are refused", test_mistakes_are_refused})
