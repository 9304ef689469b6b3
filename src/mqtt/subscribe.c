/* SPDX-License-Identifier: MIT */
#include "mqtt/subscribe.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { REFUSED = 0x80 };

static bool is_held(const struct session *session, const struct subscription *wanted)
{
    const struct subscription *held = subscription_set_find(&session->held, wanted->filter);
    return held != NULL && held->qos == wanted->qos && held->identifier == wanted->identifier &&
           held->retain_handling == wanted->retain_handling;
}

bool subscribe_hands_over(const struct session *session, const struct subscription_set *wanted)
{
    bool goes = false;
    bool comes = false;
    for (size_t i = 0; i < session->held.count; i++) {
        goes = goes || subscription_set_find(wanted, session->held.list[i].filter) == NULL;
    }
    for (size_t i = 0; i < wanted->count; i++) {
        comes = comes || !is_held(session, &wanted->list[i]);
    }
    return goes && comes;
}

static enum outcome unsubscribe(const struct subscribe_job *job, struct subscribe_result *result,
                                struct error *error)
{
    struct session *session = job->session;
    enum outcome outcome = OUTCOME_OK;
    while (outcome == OUTCOME_OK) {
        const char *filters[PAHO_ENTRIES_MAX];
        size_t count = 0;
        for (size_t i = 0; i < session->held.count && count < PAHO_ENTRIES_MAX; i++) {
            const char *filter = session->held.list[i].filter;
            if (subscription_set_find(job->wanted, filter) == NULL) {
                filters[count++] = filter;
            }
        }
        if (count == 0) {
            break;
        }
        outcome = paho_link_unsubscribe(job->link, filters, count, error);
        for (size_t i = 0; outcome == OUTCOME_OK && i < count; i++) {
            log_info("unsubscribed", F_TEXT("filter", filters[i]));
            session_release(session, filters[i]); /* frees the text last */
            result->unsubscribed++;
        }
    }
    return outcome;
}

/* A rule gets nothing. */
static void note_refusal(struct subscribe_result *result, const char *filter, const char *reason)
{
    log_error("broker refused a subscription", F_TEXT("filter", filter), F_TEXT("reason", reason));
    if (result->refused++ == 0) {
        snprintf(result->refusal, sizeof(result->refusal), "%.60s: %.60s", filter, reason);
    }
}

/* The broker has answered this one. */
static void note_answer(const struct subscribe_job *job, const struct subscription *wanted,
                        int code, struct subscribe_result *result)
{
    subscribe_search_answered(job->search, wanted->filter);
    if (code >= REFUSED) {
        note_refusal(result, wanted->filter, paho_reason(code));
        session_release(job->session, wanted->filter);
        return;
    }
    if (code < wanted->qos) {
        log_warn("broker granted a lower qos than asked", F_TEXT("filter", wanted->filter),
                 F_INT("asked", wanted->qos), F_INT("granted", code));
    }
    session_hold(job->session, wanted);
    result->subscribed++;
}

/* Why this one is not even asked for; NULL: it is. */
static const char *why_not(const struct subscribe_job *job, const char *filter)
{
    const struct paho_connack *connack = paho_link_connack(job->link);
    if (!connack->shared_available && strncmp(filter, "$share/", 7) == 0) {
        /* RabbitMQ 4 would grant it as an ordinary filter, to which nothing is ever published. */
        return "the broker has no shared subscriptions";
    }
    if (!connack->wildcard_available && strpbrk(filter, "+#") != NULL) {
        return "the broker has no wildcard subscriptions";
    }
    if (subscribe_search_leaves_out(job->search, filter)) {
        return "the broker answers it by ending the connection";
    }
    return NULL;
}

static void note_end(const struct subscribe_job *job, const char *const *filters, size_t count,
                     struct subscribe_result *result)
{
    const char *left_out =
        subscribe_search_ended(job->search, filters, count, clock_monotonic_ms());
    result->ended = true;
    if (left_out != NULL) {
        log_error("broker ends the connection at a subscription, going on without it: is it "
                  "allowed there?",
                  F_TEXT("filter", left_out));
    }
}

static bool is_end_by_broker(const struct subscribe_job *job)
{
    return !paho_link_up(job->link) && !atomic_load(job->cut) &&
           paho_link_loss(job->link) != PAHO_TAKEN_OVER;
}

static enum outcome subscribe_chunk(const struct subscribe_job *job,
                                    const struct subscription *const *chunk, size_t count,
                                    struct subscribe_result *result, struct error *error)
{
    int codes[PAHO_ENTRIES_MAX];
    const char *open[PAHO_ENTRIES_MAX];
    size_t open_count = 0;
    assert(count > 0 && count <= PAHO_ENTRIES_MAX);
    enum outcome outcome = paho_link_subscribe(job->link, chunk, count, codes, error);
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == PAHO_UNANSWERED) {
            open[open_count++] = chunk[i]->filter;
        } else {
            note_answer(job, chunk[i], codes[i], result);
        }
    }
    if (outcome != OUTCOME_OK && open_count > 0 && is_end_by_broker(job)) {
        note_end(job, open, open_count, result);
    }
    return outcome;
}

enum outcome subscribe_all(const struct subscribe_job *job, struct subscribe_result *result,
                           struct error *error)
{
    const struct subscription_set *wanted = job->wanted;
    size_t limit = subscribe_search_limit(job->search, PAHO_ENTRIES_MAX);
    *result = (struct subscribe_result){0};
    enum outcome outcome = OUTCOME_OK;
    size_t at = 0;
    while (outcome == OUTCOME_OK && at < wanted->count) {
        const struct subscription *chunk[PAHO_ENTRIES_MAX];
        size_t count = 0;
        for (; at < wanted->count && count < limit; at++) {
            const struct subscription *each = &wanted->list[at];
            bool again = job->connecting && each->retain_handling == RETAIN_SEND;
            const char *reason = why_not(job, each->filter);
            if (reason != NULL) {
                note_refusal(result, each->filter, reason);
            } else if (!job->trusted || again || !is_held(job->session, each)) {
                chunk[count++] = each;
            }
        }
        if (count == 0) {
            break;
        }
        outcome = subscribe_chunk(job, chunk, count, result, error);
    }
    if (outcome != OUTCOME_OK) {
        return outcome;
    }
    subscribe_search_done(job->search);
    /* Behind it, so that what both cover is covered at every moment. */
    return unsubscribe(job, result, error);
}
