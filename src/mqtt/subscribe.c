/* SPDX-License-Identifier: MIT */
#include "mqtt/subscribe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"

/* A broker may need its time for a chunk, but not this much. */
enum { ANSWER_MS = 30000, REFUSED = 0x80 };

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

static enum outcome unsubscribe(struct paho_link *link, struct session *session,
                                const struct subscription_set *wanted,
                                struct subscribe_result *result, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    while (outcome == OUTCOME_OK) {
        const char *filters[PAHO_ENTRIES_MAX];
        size_t count = 0;
        for (size_t i = 0; i < session->held.count && count < PAHO_ENTRIES_MAX; i++) {
            const char *filter = session->held.list[i].filter;
            if (subscription_set_find(wanted, filter) == NULL) {
                filters[count++] = filter;
            }
        }
        if (count == 0) {
            break;
        }
        outcome = paho_link_unsubscribe(link, filters, count, ANSWER_MS, error);
        for (size_t i = 0; outcome == OUTCOME_OK && i < count; i++) {
            log_info("unsubscribed", F_TEXT("filter", filters[i]));
            session_release(session, filters[i]); /* frees the text last */
            result->unsubscribed++;
        }
    }
    return outcome;
}

static void note(struct session *session, const struct subscription *wanted, int code,
                 struct subscribe_result *result)
{
    if (code >= REFUSED) {
        log_error("broker refused a subscription", F_TEXT("filter", wanted->filter),
                  F_TEXT("reason", paho_reason(code)));
        if (result->refused++ == 0) {
            snprintf(result->refusal, sizeof(result->refusal), "%.60s: %.60s", wanted->filter,
                     paho_reason(code));
        }
        session_release(session, wanted->filter);
        return;
    }
    if (code < wanted->qos) {
        log_warn("broker granted a lower qos than asked", F_TEXT("filter", wanted->filter),
                 F_INT("asked", wanted->qos), F_INT("granted", code));
    }
    session_hold(session, wanted);
    result->subscribed++;
}

enum outcome subscribe_all(struct paho_link *link, struct session *session,
                           const struct subscription_set *wanted, bool connecting, bool trusted,
                           struct subscribe_result *result, struct error *error)
{
    *result = (struct subscribe_result){0};
    enum outcome outcome = OUTCOME_OK;
    size_t at = 0;
    while (outcome == OUTCOME_OK && at < wanted->count) {
        const struct subscription *chunk[PAHO_ENTRIES_MAX];
        int codes[PAHO_ENTRIES_MAX];
        size_t count = 0;
        for (; at < wanted->count && count < PAHO_ENTRIES_MAX; at++) {
            const struct subscription *each = &wanted->list[at];
            bool again = connecting && each->retain_handling == RETAIN_SEND;
            if (!trusted || again || !is_held(session, each)) {
                chunk[count++] = each;
            }
        }
        if (count == 0) {
            break;
        }
        outcome = paho_link_subscribe(link, chunk, count, codes, ANSWER_MS, error);
        for (size_t i = 0; outcome == OUTCOME_OK && i < count; i++) {
            note(session, chunk[i], codes[i], result);
        }
    }
    /* Behind it, so that what both cover is covered at every moment. */
    return outcome == OUTCOME_OK ? unsubscribe(link, session, wanted, result, error) : outcome;
}
