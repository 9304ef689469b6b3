/* What stands on standard error after a line, in each form. The event is a new one in each case: a
 * repetition would be counted instead.
 *
 * SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/file.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/thread.h"
#include "unit.h"

static int saved_stderr = -1;
static char capture_path[256];

static void capture_start(void)
{
    snprintf(capture_path, sizeof(capture_path), "%s/stderr", unit_scratch());
    int fd = open(capture_path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    fflush(stderr);
    saved_stderr = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

/* What was written meanwhile; valid until the next call. */
static const char *capture_end(void)
{
    static char content[100000];
    ssize_t length = pread(STDERR_FILENO, content, sizeof(content) - 1, 0);
    content[length > 0 ? length : 0] = '\0';
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    return content;
}

static void configure(enum log_level level, enum log_format format)
{
    log_configure(&(struct log_options){.level = level, .format = format});
}

static size_t lines_of(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static void test_text(void)
{
    capture_start();
    configure(LOG_INFO, LOG_TEXT);
    log_warn("text form", F_TEXT("url", "mqtt://x"), F_INT("n", -5), F_REAL("r", 0.25),
             F_TEXT("none", NULL), F_TEXT("spaced", "a \"b\""),
             F_SLICE("topic", slice_make("a\n\xff"
                                         "b",
                                         4)));
    const char *line = capture_end();
    int year = 0;
    int milliseconds = -1;
    CHECK_INT_EQ(sscanf(line, "%4d-%*2d-%*2d %*2d:%*2d:%*2d.%3dZ", &year, &milliseconds), 2);
    CHECK(year >= 2024);
    CHECK_TEXT_EQ(line + strlen("2026-11-23 03:29:30.123Z "),
                  "WARN  text form url=mqtt://x n=-5 r=0.25 none=\"\" spaced=\"a \\\"b\\\"\" "
                  "topic=a\\x0a\\xffb\n");
}

/* Without its reason or problem, the last problem says nothing to those who see no log. */
static void test_last_problem(void)
{
    struct log_problem last;

    capture_start();
    configure(LOG_INFO, LOG_TEXT);
    log_warn("is away", F_TEXT("url", "mqtt://x"), F_TEXT("reason", "refused"));
    log_last_problem(&last);
    CHECK_TEXT_EQ(last.text, "is away: refused");
    log_error("configuration", F_TEXT("problem", "x.cfg:3: qos: no number"));
    log_last_problem(&last);
    CHECK_TEXT_EQ(last.text, "configuration: x.cfg:3: qos: no number");
    log_error("is lost", F_TEXT("url", "mqtt://x"));
    log_info("is back", F_TEXT("reason", "none"));
    log_last_problem(&last);
    CHECK_TEXT_EQ(last.text, "is lost");
    (void) capture_end();
}

static void test_json(void)
{
    capture_start();
    configure(LOG_INFO, LOG_JSON);
    log_error("json form", F_TEXT("text", "a \"b\"\n"), F_INT("n", INT64_MIN), F_REAL("r", 1.5),
              F_REAL("nan", NAN), F_REAL("inf", INFINITY), F_TEXT("none", NULL));
    log_info("no fields");
    const char *line = capture_end();
    CHECK(strncmp(line, "{\"time\":\"20", 11) == 0);
    const char *rest = strstr(line, "\",\"level\"");
    CHECK_INT_EQ(lines_of(line), 2);
    CHECK(rest != NULL && strncmp(rest,
                                  "\",\"level\":\"error\",\"event\":\"json form\","
                                  "\"text\":\"a \\\"b\\\"\\\\x0a\",\"n\":-9223372036854775808,"
                                  "\"r\":1.5,\"nan\":\"nan\",\"inf\":\"inf\",\"none\":\"\"}\n",
                                  strcspn(rest, "\n") + 1) == 0);
    CHECK(strstr(line, "\"event\":\"no fields\"}\n") != NULL);
    CHECK(strchr(line, '\x1b') == NULL);
}

static void test_levels(void)
{
    static const struct {
        enum log_level level;
        size_t lines;
        const char *events[4];
    } cases[] = {
        {LOG_DEBUG, 4, {"d1", "i1", "w1", "e1"}},
        {LOG_INFO, 3, {"d2", "i2", "w2", "e2"}},
        {LOG_WARN, 2, {"d3", "i3", "w3", "e3"}},
        {LOG_ERROR, 1, {"d4", "i4", "w4", "e4"}},
    };
    for (size_t i = 0; i < 4; i++) {
        capture_start();
        configure(cases[i].level, LOG_TEXT);
        log_debug(cases[i].events[0]);
        log_info(cases[i].events[1]);
        log_warn(cases[i].events[2]);
        log_error(cases[i].events[3]);
        CHECK_INT_EQ(lines_of(capture_end()), cases[i].lines);
    }
}

static void test_repetition_is_counted(void)
{
    capture_start();
    configure(LOG_DEBUG, LOG_TEXT);
    for (int i = 0; i < 100; i++) {
        log_warn("again and again", F_INT("i", i));
    }
    log_error("again and again"); /* another level is another event */
    log_warn("parked", F_TEXT("rule", "a"), F_INT("i", 1));
    log_warn("parked", F_TEXT("rule", "b")); /* and so is another first text */
    log_warn("parked", F_TEXT("rule", "a"), F_INT("i", 2));
    for (int i = 0; i < 3; i++) {
        log_debug("chatter");
    }
    const char *text = capture_end();
    CHECK_INT_EQ(lines_of(text), 7);
    CHECK(strstr(text, "WARN  again and again i=0\n") != NULL);
    CHECK(strstr(text, "ERROR again and again\n") != NULL);
    CHECK(strstr(text, "repeated") == NULL);
}

/* The ten seconds are real ones; nothing else of the program can be waited for instead. */
static void test_count_appears_with_the_next_line(void)
{
    capture_start();
    configure(LOG_INFO, LOG_TEXT);
    for (int i = 0; i < 42; i++) {
        log_warn("now and then", F_INT("i", i));
    }
    nanosleep(&(struct timespec){10, 100000000}, NULL);
    log_warn("now and then", F_INT("i", 42));
    log_configure(&(struct log_options){LOG_INFO, LOG_JSON});
    const char *text = capture_end();
    CHECK_INT_EQ(lines_of(text), 2);
    CHECK(strstr(text, "now and then i=42 repeated=41\n") != NULL);
}

/* A state that comes and goes is told each time; only the same again is left out. */
static void test_states(void)
{
    const char *text;

    capture_start();
    configure(LOG_INFO, LOG_TEXT);
    for (int i = 0; i < 3; i++) {
        log_warn_state("unit", "unit is away", F_TEXT("reason", "refused"));
        log_warn_state("unit", "unit is away", F_TEXT("reason", "no route"));
        log_info_state("unit", "unit is back");
    }
    log_info_state("another", "unit is back");
    text = capture_end();
    CHECK_INT_EQ(lines_of(text), 7);
    CHECK(strstr(text, "no route") == NULL);
    CHECK(strstr(text, "repeated") == NULL);
}

static void test_forget_repeats(void)
{
    capture_start();
    configure(LOG_INFO, LOG_TEXT);
    log_warn("asked for");
    log_warn("asked for");
    log_forget_repeats();
    log_warn("asked for");
    const char *text = capture_end();
    CHECK_INT_EQ(lines_of(text), 2);
    CHECK(strstr(text, "asked for repeated=1\n") != NULL);
}

static void test_many_events(void)
{
    static char events[300][32];
    capture_start();
    configure(LOG_INFO, LOG_TEXT);
    for (int i = 0; i < 300; i++) {
        snprintf(events[i], sizeof(events[i]), "event %d", i);
        log_info(events[i]);
    }
    log_info(events[299]);
    CHECK_INT_EQ(lines_of(capture_end()), 300);
}

static void test_long_values_are_cut(void)
{
    char longer[2000];
    memset(longer, 'x', sizeof(longer));
    capture_start();
    configure(LOG_INFO, LOG_TEXT);
    log_info("long", F_SLICE("v", slice_make(longer, sizeof(longer))));
    const char *value = strstr(capture_end(), "v=");
    CHECK(value != NULL && strlen(value) == 2 + 500 + strlen("…\n"));
}

/* systemd names the stream by device and inode. */
static void test_journal_prefix(void)
{
    capture_start();
    struct stat status;
    fstat(STDERR_FILENO, &status);
    char stream[100];
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long) status.st_dev,
             (unsigned long long) status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    configure(LOG_DEBUG, LOG_TEXT);
    log_debug("to the journal, debug");
    log_info("to the journal, info");
    log_warn("to the journal, warn");
    log_error("to the journal, error");
    setenv("JOURNAL_STREAM", "1:1", 1);
    configure(LOG_INFO, LOG_TEXT);
    log_info("to somewhere else");
    unsetenv("JOURNAL_STREAM");
    configure(LOG_INFO, LOG_TEXT);
    const char *text = capture_end();
    CHECK(strstr(text, "<7>DEBUG to the journal, debug\n"
                       "<6>INFO  to the journal, info\n"
                       "<4>WARN  to the journal, warn\n"
                       "<3>ERROR to the journal, error\n20") == text);
}

static void test_colour_only_on_a_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    int saved = dup(STDERR_FILENO);
    unsetenv("NO_COLOR");
    dup2(terminal, STDERR_FILENO);
    configure(LOG_INFO, LOG_TEXT);
    log_info("to a terminal");
    setenv("NO_COLOR", "1", 1);
    configure(LOG_INFO, LOG_TEXT);
    log_info("to a terminal without colour");
    dup2(saved, STDERR_FILENO);
    unsetenv("NO_COLOR");
    configure(LOG_INFO, LOG_TEXT);

    char text[1000] = "";
    size_t length = 0;
    while (lines_of(text) < 2) { /* a terminal gives what it has, perhaps less than both lines */
        ssize_t got = read(master, text + length, sizeof(text) - 1 - length);
        if (got <= 0) {
            break;
        }
        length += (size_t) got;
        text[length] = '\0';
    }
    CHECK(strstr(text, "\x1b[32mINFO \x1b[0m to a terminal") != NULL);
    CHECK(strstr(text, "Z INFO  to a terminal without colour") != NULL);
    close(master);
    close(terminal);
    close(saved);
}

static void *write_lines(void *context)
{
    for (int i = 0; i < 200; i++) {
        log_debug(context, F_TEXT("filler", "some text that makes the line longer"), F_INT("i", i));
    }
    return NULL;
}

static void test_lines_of_threads_do_not_mix(void)
{
    capture_start();
    configure(LOG_DEBUG, LOG_TEXT);
    pthread_t one = thread_spawn("one", write_lines, "thread one");
    pthread_t two = thread_spawn("two", write_lines, "thread two");
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    configure(LOG_INFO, LOG_TEXT);
    const char *text = capture_end();
    CHECK_INT_EQ(lines_of(text), 400);
    size_t whole = 0;
    for (const char *at = text; (at = strstr(at, "DEBUG thread ")) != NULL; at++) {
        int number;
        whole +=
            sscanf(at, "DEBUG thread %*3s filler=\"some text that makes the line longer\" i=%d",
                   &number) == 1;
    }
    CHECK_INT_EQ(whole, 400);
}

/* As logrotate does it: rename, then SIGHUP. */
static void test_reopen(void)
{
    static char name[300], moved[300];
    struct buf text = {0};
    struct error error;
    snprintf(name, sizeof(name), "%s/log", unit_scratch());
    snprintf(moved, sizeof(moved), "%s/log.1", unit_scratch());
    pid_t child = fork();
    if (child == 0) {
        int fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDERR_FILENO);
        log_configure(&(struct log_options){.level = LOG_INFO});
        log_info("before");
        if (rename(name, moved) != 0) {
            _exit(1);
        }
        log_configure(&(struct log_options){.level = LOG_INFO});
        log_info("moved");
        log_reopen();
        log_info("after");
        _exit(0);
    }
    int status;
    CHECK_INT_EQ(waitpid(child, &status, 0), child);
    CHECK_INT_EQ(status, 0);
    CHECK_INT_EQ(file_load(moved, 10000, &text, &error), OUTCOME_OK);
    CHECK(strstr(buf_string(&text), "before") != NULL &&
          strstr(buf_string(&text), "moved") != NULL);
    CHECK(strstr(buf_string(&text), "after") == NULL);
    buf_reset(&text);
    CHECK_INT_EQ(file_load(name, 10000, &text, &error), OUTCOME_OK);
    CHECK(strstr(buf_string(&text), "after") != NULL && strstr(buf_string(&text), "moved") == NULL);
    buf_fini(&text);
}

UNIT_MAIN("log", {"reopen", test_reopen}, {"forget_repeats", test_forget_repeats},
          {"states", test_states}, {"text", test_text}, {"json", test_json},
          {"last problem", test_last_problem}, {"levels", test_levels},
          {"repetition is counted", test_repetition_is_counted},
          {"count appears with the next line", test_count_appears_with_the_next_line},
          {"many events", test_many_events}, {"long values are cut", test_long_values_are_cut},
          {"journal prefix", test_journal_prefix},
          {"colour only on a terminal", test_colour_only_on_a_terminal},
          {"lines of threads do not mix", test_lines_of_threads_do_not_mix})
