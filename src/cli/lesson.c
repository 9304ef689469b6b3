/*
 * A lesson has two phases. While it listens, each message goes into the learner, which keeps a
 * bounded amount about it. lesson_propose() then collapses and folds the tree of topics, which
 * cannot be undone: from there on no message is taken.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/lesson.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/thread.h"
#include "learn/learner.h"
#include "learn/topic_fold.h"
#include "mqtt/listener.h"
#include "route/topic_filter.h"

enum {
    /* The longest wait for one message: Ctrl-C is noticed after that time at the latest. */
    STEP_MS = 100,
    /* Between two lines of progress. */
    PROGRESS_MS = 1000,
    /* Messages that are under way at the end still count: until none came for so long … */
    LAST_STEP_MS = 200,
    /* … but no longer than this, because a busy broker never pauses. */
    LAST_MS_MAX = 2000,
};

struct lesson {
    const char *topic; /* as it was typed; borrowed */
    struct topic_filter *filter;
    struct learner *learner;
    sigset_t signals; /* SIGINT and SIGTERM */
    bool interrupted; /* one of them came */
    bool terminal;    /* progress on one line, written again and again */
    bool proposed;    /* the tree of topics is collapsed: no message is taken any more */
};

struct lesson *lesson_new(const char *topic, struct error *error)
{
    struct topic_filter *filter = NULL;
    struct lesson *lesson;

    if (topic_filter_compile(slice_of(topic), &filter, error) != OUTCOME_OK) {
        return NULL;
    }
    lesson = memory_alloc(sizeof(*lesson));
    *lesson = (struct lesson){.topic = topic,
                              .filter = filter,
                              .learner = learner_new(),
                              .terminal = isatty(STDERR_FILENO) == 1};
    return lesson;
}

void lesson_free(struct lesson *lesson)
{
    if (lesson != NULL) {
        learner_free(lesson->learner);
        topic_filter_free(lesson->filter);
        free(lesson);
    }
}

/* Ctrl-C ends the listening, not the process: what came until then is worth a proposal. The signals
 * wait until is_interrupted() takes them. */
static void watch_signals(struct lesson *lesson)
{
    thread_block_signals();
    sigemptyset(&lesson->signals);
    sigaddset(&lesson->signals, SIGINT);
    sigaddset(&lesson->signals, SIGTERM);
}

/* Writes how much came so far. On a terminal the line is written over the one before. */
static void tell_progress(const struct lesson *lesson, const char *end)
{
    struct buf messages = {0}, topics = {0};

    text_format_count(&messages, lesson->learner->messages);
    text_format_count(&topics, lesson->learner->topics);
    fprintf(stderr, "%s%s message%s on %s topic%s%s",
            lesson->terminal ? "\r" : "mqtt2pg: ", buf_string(&messages),
            lesson->learner->messages == 1 ? "" : "s", buf_string(&topics),
            lesson->learner->topics == 1 ? "" : "s", end);
    buf_fini(&messages);
    buf_fini(&topics);
}

/* Without waiting; once interrupted, always interrupted. */
static bool is_interrupted(struct lesson *lesson)
{
    const struct timespec now = {0};

    lesson->interrupted |= sigtimedwait(&lesson->signals, NULL, &now) > 0;
    return lesson->interrupted;
}

/* Two loops: until the time is over or somebody interrupts, and then for what is under way
 * already. When the connection breaks, what came before counts. */
static void listen_on(struct lesson *lesson, struct listener *listener, int64_t listen_ms)
{
    assert(listen_ms > 0);
    int64_t end_ms = clock_monotonic_ms() + listen_ms;
    int64_t told_ms = 0;
    struct message message;

    while (clock_monotonic_ms() < end_ms && !is_interrupted(lesson)) {
        if (listener_next(listener, STEP_MS, &message)) {
            learner_take(lesson->learner, &message);
        } else if (!listener_is_up(listener)) {
            fprintf(stderr,
                    "mqtt2pg: the connection to the broker is lost; what came before it counts\n");
            break;
        }
        if (lesson->terminal && clock_monotonic_ms() >= told_ms + PROGRESS_MS) {
            told_ms = clock_monotonic_ms();
            tell_progress(lesson, "");
        }
    }
    end_ms = clock_monotonic_ms() + LAST_MS_MAX;
    while (clock_monotonic_ms() < end_ms && listener_next(listener, LAST_STEP_MS, &message)) {
        learner_take(lesson->learner, &message);
    }
    tell_progress(lesson, "\n");
}

bool lesson_listen(struct lesson *lesson, const struct broker_options *broker, int64_t listen_ms)
{
    char *client_id = broker_visitor_id(broker, "learn");
    struct listener *listener = NULL;
    struct buf duration = {0};
    struct error error;
    bool good;

    assert(!lesson->proposed);
    watch_signals(lesson);
    good = listener_open(&listener, broker, client_id, topic_filter_mqtt(lesson->filter), &error) ==
           OUTCOME_OK;
    if (good) {
        text_format_duration(&duration, listen_ms);
        fprintf(stderr, "mqtt2pg: listening to %s for %s; Ctrl-C ends it earlier\n",
                topic_filter_mqtt(lesson->filter), buf_string(&duration));
        listen_on(lesson, listener, listen_ms);
        if (listener_dropped(listener) > 0) {
            fprintf(stderr, "mqtt2pg: %" PRIu64 " messages came too fast and were not looked at\n",
                    listener_dropped(listener));
        }
    } else {
        fprintf(stderr, "mqtt2pg: the broker could not be asked: %s\n", error.text);
    }
    listener_close(listener);
    free(client_id);
    buf_fini(&duration);
    return good;
}

uint64_t lesson_messages(const struct lesson *lesson)
{
    return lesson->learner->messages;
}

void lesson_say_nothing_came(const struct lesson *lesson)
{
    fprintf(
        stderr,
        "mqtt2pg: no message came for %s: is the filter right (mosquitto_sub -v -t '#' shows all "
        "topics), may this user read it, and did something publish meanwhile (--for 5m listens "
        "longer)?\n",
        topic_filter_mqtt(lesson->filter));
}

/* The names and values of the proposal lie in the learner: the lesson outlives it. */
struct proposal *lesson_propose(struct lesson *lesson)
{
    assert(!lesson->proposed && lesson->learner->messages > 0);
    lesson->proposed = true;
    topic_tree_collapse(lesson->learner->root, lesson->topic);
    topic_tree_fold(lesson->learner->root);
    return proposal_new(lesson->learner->root, lesson->topic);
}

void lesson_append_seen(const struct lesson *lesson, struct buf *out)
{
    const struct learner *learner = lesson->learner;

    assert(learner->topics <= learner->messages);

    buf_printf(out, "%" PRIu64 " message%s on %" PRIu64 " topic%s of ", learner->messages,
               learner->messages == 1 ? "" : "s", learner->topics, learner->topics == 1 ? "" : "s");
    text_append_printable(out, slice_of(lesson->topic), 200);
}

void lesson_append_limits(const struct lesson *lesson, struct buf *out)
{
    const struct learner *learner = lesson->learner;

    assert(learner->missed <= learner->messages);
    if (learner->missed > 0) {
        buf_printf(out,
                   "# %" PRIu64 " messages came on topics beyond the first %d, which are not "
                   "in it: listen to a narrower filter.\n",
                   learner->missed, LEARNER_TOPICS_MAX);
    }
    if (learner->budget.exceeded) {
        buf_printf(out,
                   "# There were more than %d fields in all; those that came later are not in "
                   "it: listen to a narrower filter.\n",
                   LEARNER_SHAPES_MAX);
    }
}
