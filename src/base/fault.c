/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#ifdef FAULT_POINTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum action { ACTION_KILL, ACTION_FAIL, ACTION_DELAY };

struct fault {
    char point[64];
    enum action action;
    long passage; /* acts at this passage; 0: at every one */
    bool onwards; /* … and at all later ones */
    int number;   /* errno of a failure */
    long delay_ms;
    long passages; /* so far */
};

enum { FAULTS_MAX = 32 };

static struct fault faults[FAULTS_MAX];
static size_t faults_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* A mistyped fault would make its test pass without testing anything. */
static _Noreturn void fault_refuse(const char *text)
{
    fprintf(stderr, "mqtt2pg: MQTT2PG_FAULTS: \"%s\" is not a fault\n", text);
    abort();
}

static int fault_errno(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } numbers[] = {{"", EIO},        {"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT},
                   {"EFBIG", EFBIG}, {"EINVAL", EINVAL}, {"ENOENT", ENOENT}, {"EACCES", EACCES}};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            return numbers[i].number;
        }
    }
    fault_refuse(name);
}

/* "point=action[:argument][@passage[+]]" */
static struct fault fault_parse(const char *text)
{
    struct fault fault = {0};
    char action[16] = "";
    char argument[16] = "";
    if (sscanf(text, "%63[^=]=%15[^:@]", fault.point, action) != 2) {
        fault_refuse(text);
    }
    const char *colon = strchr(text, ':');
    if (colon != NULL && sscanf(colon, ":%15[^@]", argument) != 1) {
        fault_refuse(text);
    }
    const char *at = strchr(text, '@');
    if (at != NULL) {
        char *end = NULL;
        fault.passage = strtol(at + 1, &end, 10);
        fault.onwards = *end == '+';
        if (fault.passage < 1 || end[fault.onwards] != '\0') {
            fault_refuse(text);
        }
    }
    if (strcmp(action, "kill") == 0) {
        fault.action = ACTION_KILL;
    } else if (strcmp(action, "fail") == 0) {
        fault.action = ACTION_FAIL;
        fault.number = fault_errno(argument);
    } else if (strcmp(action, "delay") == 0 && argument[0] != '\0') {
        fault.action = ACTION_DELAY;
        fault.delay_ms = strtol(argument, NULL, 10);
    } else {
        fault_refuse(text);
    }
    return fault;
}

static void faults_read(void)
{
    const char *list = getenv("MQTT2PG_FAULTS");
    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ",");
        char *text = strndup(list, length);
        if (text == NULL || faults_count == FAULTS_MAX) {
            fault_refuse(list);
        }
        faults[faults_count++] = fault_parse(text);
        free(text);
        list += length + (list[length] == ',');
    }
}

static bool fault_due(struct fault *fault)
{
    fault->passages++;
    return fault->passage == 0 || fault->passages == fault->passage ||
           (fault->onwards && fault->passages > fault->passage);
}

bool fault_hit(const char *point)
{
    long delay_ms = 0;
    int number = 0;

    pthread_once(&once, faults_read);
    if (faults_count == 0) {
        return false;
    }
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < faults_count; i++) {
        struct fault *fault = &faults[i];
        if (strcmp(fault->point, point) != 0 || !fault_due(fault)) {
            continue;
        }
        if (fault->action == ACTION_KILL) {
            kill(getpid(), SIGKILL);
        } else if (fault->action == ACTION_FAIL) {
            number = fault->number;
        } else {
            delay_ms += fault->delay_ms;
        }
    }
    pthread_mutex_unlock(&mutex);

    if (delay_ms > 0) {
        struct timespec delay = {.tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000};
        nanosleep(&delay, NULL);
    }
    if (number != 0) {
        errno = number;
    }
    return number != 0;
}

bool fault_armed(const char *prefix)
{
    pthread_once(&once, faults_read);
    for (size_t i = 0; i < faults_count; i++) {
        if (strncmp(faults[i].point, prefix, strlen(prefix)) == 0) {
            return true;
        }
    }
    return false;
}

#else

/* ISO C wants something in a translation unit. */
typedef int fault_points_are_off;

#endif
