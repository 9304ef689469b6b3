/* SPDX-License-Identifier: MIT */
#include "mqtt/subscribe.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/mqtt_filter.h"

enum {
    REFUSED = 0x80,
    AT_ONCE_MS = 5000, /* a broker that answers by ending the connection does so within this time */
    STEP_MS = 100,     /* how often a wait looks whether the process stops */
};

static bool is_held(const struct session *session, const struct subscription *wanted)
{
    const struct subscription *held = subscription_set_find(&session->held, wanted->filter);
    return held != NULL && held->qos == wanted->qos && held->identifier == wanted->identifier &&
           held->retain_handling == wanted->retain_handling;
}

bool subscribe_leaves(const struct session *session, const struct subscription_set *wanted)
{
    bool goes = false;
    for (size_t i = 0; i < session->held.count; i++) {
        const struct subscription *same =
            subscription_set_find(wanted, session->held.list[i].filter);

        /* A covered filter is unsubscribed when the broker grants its cover. */
        goes = goes || same == NULL || same->covered_by != NULL;
    }
    return goes;
}

bool subscribe_hands_over(const struct session *session, const struct subscription_set *wanted)
{
    bool goes = subscribe_leaves(session, wanted);
    bool comes = false;
    for (size_t i = 0; i < wanted->count; i++) {
        comes =
            comes || (wanted->list[i].covered_by == NULL && !is_held(session, &wanted->list[i]));
    }
    return goes && comes;
}

/* Must this filter be subscribed: it is not covered, and not held? */
static bool is_uncovered(const struct subscribe_job *job, const struct subscription *wanted)
{
    return wanted->covered_by != NULL &&
           subscription_set_find(&job->session->held, wanted->covered_by) == NULL;
}

static bool is_wanted(const struct subscribe_job *job, const char *filter)
{
    const struct subscription *wanted = subscription_set_find(job->wanted, filter);

    return wanted != NULL && (wanted->covered_by == NULL || is_uncovered(job, wanted));
}

/* Counts and logs a filter that brings no messages. */
static void note_refusal(struct subscribe_result *result, const char *filter, const char *reason)
{
    log_error("broker refused a subscription", F_TEXT("filter", filter), F_TEXT("reason", reason));
    if (result->refused++ == 0) {
        snprintf(result->refusal, sizeof(result->refusal), "%.60s: %.60s", filter, reason);
    }
}

/* Notes the broker's answer to this filter. */
static void note_answer(const struct subscribe_job *job, const struct subscription *wanted,
                        int code, struct subscribe_result *result)
{
    assert(code != PAHO_UNANSWERED);
    bool was_left_out = subscribe_search_answered(job->search, wanted->filter);
    if (code >= REFUSED) {
        note_refusal(result, wanted->filter, paho_reason(code));
        session_release(job->session, wanted->filter);
        return;
    }
    if (was_left_out) {
        log_info("broker grants the subscription that was left out",
                 F_TEXT("filter", wanted->filter));
    }
    if (code < wanted->qos) {
        log_warn("broker granted a lower qos than asked", F_TEXT("filter", wanted->filter),
                 F_INT("asked", wanted->qos), F_INT("granted", code));
    }
    session_hold(job->session, wanted);
    result->subscribed++;
}

const char *subscribe_why_not(const struct paho_connack *connack, const char *filter)
{
    if (!connack->shared_available && strncmp(filter, "$share/", 7) == 0) {
        /* RabbitMQ 4 would grant it as an ordinary filter, to which nothing is ever published. */
        return "the broker has no shared subscriptions";
    }
    if (!connack->wildcard_available && strpbrk(filter, "+#") != NULL) {
        return "the broker has no wildcard subscriptions";
    }
    return NULL;
}

/* Notes that the connection ended `waited_ms` after these filters were sent. */
static void note_end(const struct subscribe_job *job, const char *const *filters, size_t count,
                     int64_t waited_ms)
{
    bool alone = count == 1 && subscribe_search_ends(job->search, filters[0]) > 0;
    bool held = subscription_set_find(&job->session->held, filters[0]) != NULL;
    bool proof = alone && !held && waited_ms <= AT_ONCE_MS;
    const char *left_out =
        subscribe_search_ended(job->search, filters, count, proof, clock_monotonic_ms());
    assert(left_out == NULL || !held);
    if (left_out != NULL) {
        log_error("broker ends the connection at a subscription, going on without it: is it "
                  "allowed there?",
                  F_TEXT("filter", left_out));
    }
}

static const char *why_not(const struct subscribe_job *job, const char *filter)
{
    return subscribe_why_not(paho_link_connack(job->link), filter);
}

static bool is_end_by_broker(const struct subscribe_job *job)
{
    return !paho_link_up(job->link) && !atomic_load(job->cut) && !atomic_load(job->cancelled) &&
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
    int64_t sent_ms = clock_monotonic_ms();
    enum outcome outcome = paho_link_subscribe(job->link, chunk, count, codes, error);
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == PAHO_UNANSWERED) {
            open[open_count++] = chunk[i]->filter;
        } else {
            note_answer(job, chunk[i], codes[i], result);
        }
    }
    if (outcome != OUTCOME_OK && open_count > 0 && is_end_by_broker(job)) {
        result->ended = true;
        note_end(job, open, open_count, clock_monotonic_ms() - sent_ms);
    } else if (outcome != OUTCOME_OK) {
        subscribe_search_disturbed(job->search);
    }
    return outcome;
}

static bool is_needed(const struct subscribe_job *job, const struct subscription *wanted)
{
    bool again = job->connecting && wanted->retain_handling == RETAIN_SEND;
    return !job->trusted || again || !is_held(job->session, wanted);
}

/* Is the filter not to be subscribed at this broker at all? If so, counts it and notes why. */
static bool is_refused(const struct subscribe_job *job, const char *filter,
                       struct subscribe_result *result)
{
    const char *reason = why_not(job, filter);
    if (reason != NULL && subscription_set_find(&job->session->held, filter) == NULL) {
        /* the filter is not sent, so the session can't hold it */
        session_release(job->session, filter);
    }
    if (reason == NULL && subscribe_search_leaves_out(job->search, filter)) {
        reason = "the broker answers it by ending the connection";
        result->left_out++;
    }
    if (reason != NULL) {
        note_refusal(result, filter, reason);
    }
    return reason != NULL;
}

/* Subscribes all filters that are not suspects: with `covered` those whose cover was refused, else
 * those without a cover. */
static enum outcome subscribe_others(const struct subscribe_job *job, bool covered,
                                     struct subscribe_result *result, struct error *error)
{
    const struct subscription_set *wanted = job->wanted;
    enum outcome outcome = OUTCOME_OK;
    size_t at = 0;
    while (outcome == OUTCOME_OK && at < wanted->count) {
        const struct subscription *chunk[PAHO_ENTRIES_MAX];
        size_t count = 0;
        for (; at < wanted->count && count < PAHO_ENTRIES_MAX; at++) {
            const struct subscription *each = &wanted->list[at];
            if (covered ? !is_uncovered(job, each) : each->covered_by != NULL) {
                continue;
            }
            if (!is_refused(job, each->filter, result) && is_needed(job, each) &&
                subscribe_search_ends(job->search, each->filter) == 0) {
                chunk[count++] = each;
            }
        }
        if (count > 0) {
            outcome = subscribe_chunk(job, chunk, count, result, error);
        }
    }
    return outcome;
}

/* The suspect with the fewest ends; NULL: all are answered. */
static const struct subscription *next_suspect(const struct subscribe_job *job)
{
    const struct subscription *next = NULL;
    unsigned fewest = 0;
    for (size_t i = 0; i < job->wanted->count; i++) {
        const struct subscription *each = &job->wanted->list[i];
        unsigned ends = subscribe_search_ends(job->search, each->filter);
        if (ends > 0 && is_wanted(job, each->filter) && (next == NULL || ends < fewest) &&
            is_needed(job, each) && !subscribe_search_leaves_out(job->search, each->filter) &&
            why_not(job, each->filter) == NULL) {
            next = each;
            fewest = ends;
        }
    }
    return next;
}

/* Waits until the connection has lived long enough for this suspect. */
static enum outcome wait_quiet(const struct subscribe_job *job, const char *filter,
                               struct subscribe_result *result, struct error *error)
{
    int64_t end_ms = job->since_ms + subscribe_search_quiet_ms(job->search, filter);
    int64_t left_ms = end_ms - clock_monotonic_ms();
    while (left_ms > 0 && paho_link_up(job->link) && !atomic_load(job->cancelled)) {
        (void) paho_link_wait(job->link, -1, left_ms < STEP_MS ? left_ms : STEP_MS);
        left_ms = end_ms - clock_monotonic_ms();
    }
    if (paho_link_up(job->link) && !atomic_load(job->cancelled)) {
        return OUTCOME_OK;
    }
    subscribe_search_disturbed(job->search);
    result->ended = !paho_link_up(job->link);
    return error_set(error, OUTCOME_RETRY, "the connection ended before all was subscribed");
}

static enum outcome subscribe_suspects(const struct subscribe_job *job,
                                       struct subscribe_result *result, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    const struct subscription *next = next_suspect(job);
    while (outcome == OUTCOME_OK && next != NULL) {
        outcome = wait_quiet(job, next->filter, result, error);
        if (outcome == OUTCOME_OK) {
            outcome = subscribe_chunk(job, &next, 1, result, error);
        }
        if (outcome == OUTCOME_OK) {
            assert(subscribe_search_ends(job->search, next->filter) == 0);
            next = next_suspect(job);
        }
    }
    return outcome;
}

/* --- what is no longer wanted ----------------------------------------------------------------- */

/* May this filter bring messages of a wanted filter that is left out? If so, it stays
 * subscribed. */
static bool stands_in(const struct subscribe_job *job, const char *filter)
{
    for (size_t i = 0; i < job->wanted->count; i++) {
        const char *missing = job->wanted->list[i].filter;
        if (subscribe_search_leaves_out(job->search, missing) &&
            mqtt_filters_overlap(filter_unshared(filter), filter_unshared(missing))) {
            return true;
        }
    }
    return false;
}

/* Adds to `filters` those of the set that may be unsubscribed and are no suspects. Stops at
 * PAHO_ENTRIES_MAX. */
static size_t gather_unwanted(const struct subscribe_job *job, const struct subscription_set *set,
                              const char **filters, size_t count)
{
    for (size_t i = 0; i < set->count && count < PAHO_ENTRIES_MAX; i++) {
        const char *filter = set->list[i].filter;
        if (!is_wanted(job, filter) && subscribe_search_ends(job->search, filter) == 0 &&
            !stands_in(job, filter)) {
            filters[count++] = filter;
        }
    }
    return count;
}

/* The unwanted suspect of a set with fewer ends than `next`; NULL: none. */
static const char *fewer_ends(const struct subscribe_job *job, const struct subscription_set *set,
                              const char *next)
{
    for (size_t i = 0; i < set->count; i++) {
        const char *filter = set->list[i].filter;
        unsigned ends = subscribe_search_ends(job->search, filter);
        if (ends > 0 && !is_wanted(job, filter) && !stands_in(job, filter) &&
            (next == NULL || ends < subscribe_search_ends(job->search, next))) {
            next = filter;
        }
    }
    return next;
}

/* The filters of the next UNSUBSCRIBE: all unwanted ones that are no suspects, then one suspect at
 * a time. */
static size_t next_unwanted(const struct subscribe_job *job, const char **filters)
{
    size_t count = gather_unwanted(job, &job->session->held, filters, 0);
    count = gather_unwanted(job, &job->session->asked, filters, count);
    if (count == 0) {
        filters[0] = fewer_ends(job, &job->session->held, NULL);
        filters[0] = fewer_ends(job, &job->session->asked, filters[0]);
        count = filters[0] != NULL;
    }
    return count;
}

/* The connection ended `waited_ms` after an UNSUBSCRIBE of these filters. A filter at which this
 * happens again and again is given up: no connection to this session would last. */
static void note_end_of_leaving(const struct subscribe_job *job, const char *const *filters,
                                size_t count, int64_t waited_ms)
{
    bool alone = count == 1 && subscribe_search_ends(job->search, filters[0]) > 0;
    bool proof = alone && waited_ms <= AT_ONCE_MS;
    if (subscribe_search_ended(job->search, filters, count, proof, clock_monotonic_ms()) == NULL) {
        return;
    }
    assert(count == 1 && !is_wanted(job, filters[0]));
    log_error("broker ends the connection at an unsubscription, going on without it: if messages "
              "that match no rule keep coming, delete the session at the broker",
              F_TEXT("filter", filters[0]));
    (void) subscribe_search_answered(job->search, filters[0]);
    session_release(job->session, filters[0]); /* frees the text last */
}

static enum outcome unsubscribe_chunk(const struct subscribe_job *job, const char *const *filters,
                                      size_t count, struct subscribe_result *result,
                                      struct error *error)
{
    int codes[PAHO_ENTRIES_MAX];
    const char *open[PAHO_ENTRIES_MAX];
    size_t open_count = 0;
    int64_t sent_ms = clock_monotonic_ms();
    enum outcome outcome = paho_link_unsubscribe(job->link, filters, count, codes, error);
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == PAHO_UNANSWERED) {
            open[open_count++] = filters[i];
        } else {
            log_info("unsubscribed", F_TEXT("filter", filters[i]));
            (void) subscribe_search_answered(job->search, filters[i]);
            session_release(job->session, filters[i]); /* frees the text last */
            result->unsubscribed++;
        }
    }
    if (outcome != OUTCOME_OK && open_count > 0 && is_end_by_broker(job)) {
        result->ended = true;
        note_end_of_leaving(job, open, open_count, clock_monotonic_ms() - sent_ms);
    } else if (outcome != OUTCOME_OK) {
        subscribe_search_disturbed(job->search);
    }
    return outcome;
}

static enum outcome unsubscribe(const struct subscribe_job *job, struct subscribe_result *result,
                                struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    const char *filters[PAHO_ENTRIES_MAX];
    size_t count = next_unwanted(job, filters);
    while (outcome == OUTCOME_OK && count > 0) {
        if (subscribe_search_ends(job->search, filters[0]) > 0) {
            outcome = wait_quiet(job, filters[0], result, error);
        }
        if (outcome == OUTCOME_OK) {
            outcome = unsubscribe_chunk(job, filters, count, result, error);
        }
        count = next_unwanted(job, filters);
    }
    return outcome;
}

enum outcome subscribe_all(const struct subscribe_job *job, struct subscribe_result *result,
                           struct error *error)
{
    *result = (struct subscribe_result){0};
    enum outcome outcome = subscribe_others(job, false, result, error);
    if (outcome == OUTCOME_OK) {
        outcome = subscribe_suspects(job, result, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = subscribe_others(job, true, result, error);
    }
    if (outcome == OUTCOME_OK) {
        outcome = subscribe_suspects(job, result, error);
    }
    assert(result->left_out <= result->refused && !(outcome == OUTCOME_OK && result->ended));
    /* Unsubscribe last: topics that an old and a new filter cover must be covered at every
     * moment. */
    return outcome == OUTCOME_OK ? unsubscribe(job, result, error) : outcome;
}
