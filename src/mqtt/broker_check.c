/* SPDX-License-Identifier: MIT */
#include "mqtt/broker_check.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "mqtt/status_check.h"
#include "mqtt/subscribe.h"
#include "mqtt/subscribe_search.h"

enum {
    CONNECT_MS = 10000,
    REFUSED = 0x80,
    /* enough for a broker that ends the connection at each forbidden filter */
    CONNECTIONS_MAX = 100,
    NAME_MS = 500, /* how long to wait for a retained message that names the broker */
};

struct probe {
    const struct broker_options *broker;
    const char *client_id;
    const struct subscription_set *wanted;
    /* Owned, by index of `wanted`: answered, or covered by a filter that is not refused. */
    bool *answered;
    struct subscribe_search search;
    struct broker_report *report;
    struct paho_link *link; /* NULL: not connected */
    _Atomic int kind;       /* enum broker_kind; written by Paho's receive thread */
};

/* In Paho's receive thread. */
static void on_arrived(void *context, struct message *message)
{
    struct probe *probe = context;
    enum broker_kind kind = broker_kind_by_topic(message->topic);
    if (kind != BROKER_UNKNOWN) {
        atomic_store(&probe->kind, (int) kind);
    }
}

static enum outcome connect_to(struct probe *probe, const char *url, struct error *error)
{
    const struct paho_link_options options = {
        .broker = probe->broker,
        .client_id = probe->client_id,
        .clean = true,
        .keepalive_s = (int) (probe->broker->keepalive_ms / 1000),
        .window = 1,
        .context = probe,
        .arrived = on_arrived,
    };
    struct broker_address address;
    struct paho_failure failure;
    assert(probe->link == NULL);
    if (!broker_address_parse(url, &address, error)) {
        return OUTCOME_RETRY;
    }
    if (paho_link_open(&probe->link, &options, &address, CONNECT_MS, &failure) != OUTCOME_OK) {
        *error = failure.error;
        error_prefix(error, "%s", url);
        return OUTCOME_RETRY;
    }
    probe->report->url = url;
    return OUTCOME_OK;
}

static void disconnect(struct probe *probe)
{
    if (probe->link != NULL) {
        paho_link_disconnect(probe->link, 1000);
        paho_link_close(probe->link);
        probe->link = NULL;
    }
}

static void refuse(struct probe *probe, const char *filter, const char *reason)
{
    struct broker_report *report = probe->report;
    assert(report->granted + report->refused_count < probe->wanted->count); /* each filter once */
    report->refused =
        memory_resize(report->refused, (report->refused_count + 1) * sizeof(report->refused[0]));
    report->refused[report->refused_count++] =
        (struct broker_refusal){memory_strdup(filter), memory_strdup(reason)};
    /* The cover is refused: the service then subscribes each filter that it covers, so each is
     * tried. */
    for (size_t i = 0; i < probe->wanted->count; i++) {
        const char *cover = probe->wanted->list[i].covered_by;
        if (cover != NULL && strcmp(cover, filter) == 0) {
            probe->answered[i] = false;
        }
    }
}

/* "$share/GROUP/t/#" under another group's name. */
static char *filter_to_try(const struct probe *probe, const char *filter)
{
    const char *rest = strncmp(filter, "$share/", 7) == 0 ? strchr(filter + 7, '/') : NULL;
    return rest == NULL ? memory_strdup(filter)
                        : memory_printf("$share/%s%s", probe->client_id, rest);
}

static void take_answer(struct probe *probe, size_t index, int code)
{
    const char *filter = probe->wanted->list[index].filter;
    assert(!probe->answered[index] && code != PAHO_UNANSWERED);
    probe->answered[index] = true;
    (void) subscribe_search_answered(&probe->search, filter);
    if (code < REFUSED) {
        probe->report->granted++;
    } else {
        refuse(probe, filter, paho_reason(code));
    }
}

/* Subscribes the filters with these indexes. OUTCOME_RETRY: the connection ended. */
static enum outcome try_chunk(struct probe *probe, const size_t *indexes, size_t count,
                              struct error *error)
{
    struct subscription tried[PAHO_ENTRIES_MAX];
    const struct subscription *list[PAHO_ENTRIES_MAX];
    const char *open[PAHO_ENTRIES_MAX];
    int codes[PAHO_ENTRIES_MAX];
    size_t open_count = 0;
    assert(count > 0 && count <= PAHO_ENTRIES_MAX);
    for (size_t i = 0; i < count; i++) {
        tried[i] = probe->wanted->list[indexes[i]];
        tried[i].filter = filter_to_try(probe, tried[i].filter);
        tried[i].retain_handling = RETAIN_DO_NOT_SEND;
        list[i] = &tried[i];
    }
    enum outcome outcome = paho_link_subscribe(probe->link, list, count, codes, error);
    for (size_t i = 0; i < count; i++) {
        if (codes[i] == PAHO_UNANSWERED) {
            open[open_count++] = probe->wanted->list[indexes[i]].filter;
        } else {
            take_answer(probe, indexes[i], codes[i]);
        }
        free(tried[i].filter);
    }
    if (outcome != OUTCOME_OK && open_count > 0) {
        bool alone = open_count == 1 && subscribe_search_ends(&probe->search, open[0]) > 0;
        (void) subscribe_search_ended(&probe->search, open, open_count, alone,
                                      clock_monotonic_ms());
    }
    return outcome;
}

/* Why the filter is refused without asking the broker; NULL: the broker must be asked. */
static const char *known_refusal(const struct probe *probe, const char *filter)
{
    const char *reason = subscribe_why_not(paho_link_connack(probe->link), filter);
    if (reason == NULL && subscribe_search_leaves_out(&probe->search, filter)) {
        reason = "the broker answers it by ending the connection";
    }
    return reason;
}

/* Must the filter be subscribed alone? Yes, if it was under way when a connection ended. The other
 * filters go together. */
static bool goes_alone(const struct probe *probe, size_t at)
{
    const char *filter = probe->wanted->list[at].filter;
    return !probe->answered[at] && subscribe_search_ends(&probe->search, filter) > 0;
}

/* Tries filters on one connection, until all are answered or the connection ends. */
static enum outcome try_all(struct probe *probe, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    assert(probe->link != NULL);
    for (size_t at = 0; outcome == OUTCOME_OK && at < probe->wanted->count;) {
        size_t indexes[PAHO_ENTRIES_MAX];
        size_t count = 0;
        size_t limit = goes_alone(probe, at) ? 1 : PAHO_ENTRIES_MAX;
        for (; at < probe->wanted->count && count < limit; at++) {
            if (count > 0 && goes_alone(probe, at)) {
                break;
            }
            const char *filter = probe->wanted->list[at].filter;
            const char *reason = probe->answered[at] ? NULL : known_refusal(probe, filter);
            if (reason != NULL) {
                refuse(probe, filter, reason);
                probe->answered[at] = true;
            } else if (!probe->answered[at]) {
                indexes[count++] = at;
            }
        }
        if (count > 0) {
            outcome = try_chunk(probe, indexes, count, error);
        }
    }
    return outcome;
}

/* Tries every filter, on as many connections as needed. */
static enum outcome try_until_answered(struct probe *probe, struct error *error)
{
    enum outcome outcome = OUTCOME_OK;
    int connections = 1;
    size_t at = 0;
    while (outcome == OUTCOME_OK && at < probe->wanted->count) {
        if (probe->answered[at]) {
            at++;
        } else if (try_all(probe, error) == OUTCOME_OK) {
            at = 0; /* after a refusal the filters that it covered must be tried, too */
        } else {
            disconnect(probe);
            outcome = connections++ < CONNECTIONS_MAX ? connect_to(probe, probe->report->url, error)
                                                      : OUTCOME_RETRY;
        }
    }
    return outcome;
}

/* Asks for the retained messages that name the broker. Not every user may read them; then the kind
 * that CONNACK suggests stays. */
static void ask_name(struct probe *probe)
{
    struct subscription names[BROKER_KIND_TOPICS];
    const struct subscription *list[BROKER_KIND_TOPICS];
    int codes[BROKER_KIND_TOPICS];
    for (size_t i = 0; i < BROKER_KIND_TOPICS; i++) {
        names[i] = (struct subscription){.filter = (char *) (uintptr_t) broker_kind_topic(i)};
        list[i] = &names[i];
    }
    struct error error;
    if (paho_link_subscribe(probe->link, list, BROKER_KIND_TOPICS, codes, &error) != OUTCOME_OK) {
        return;
    }
    int64_t end_ms = clock_monotonic_ms() + NAME_MS;
    while (atomic_load(&probe->kind) == BROKER_UNKNOWN && clock_monotonic_ms() < end_ms &&
           paho_link_up(probe->link)) {
        (void) paho_link_wait(probe->link, -1, 20);
    }
}

static enum outcome connect_any(struct probe *probe, struct error *error)
{
    enum outcome outcome = OUTCOME_RETRY;
    for (size_t i = 0; outcome != OUTCOME_OK && i < probe->broker->url_count; i++) {
        outcome = connect_to(probe, probe->broker->urls[i], error);
    }
    return outcome;
}

enum outcome broker_check(const struct broker_options *broker, const char *client_id,
                          const struct subscription_set *wanted, struct broker_report *report,
                          struct error *error)
{
    *report = (struct broker_report){0};
    struct probe probe = {
        .broker = broker,
        .client_id = client_id,
        .wanted = wanted,
        .answered = memory_alloc((wanted->count + 1) * sizeof(bool)),
        .report = report,
    };
    for (size_t i = 0; i < wanted->count; i++) {
        /* a covered filter is not tried at first */
        probe.answered[i] = wanted->list[i].covered_by != NULL;
    }
    enum outcome outcome = connect_any(&probe, error);
    if (outcome == OUTCOME_OK) {
        outcome = try_until_answered(&probe, error);
    }
    if (outcome == OUTCOME_OK) {
        assert(report->granted + report->refused_count <= wanted->count);
        atomic_store(&probe.kind,
                     (int) broker_kind_of(paho_link_connack(probe.link), broker->mqtt5));
        ask_name(&probe);
        report->kind = (enum broker_kind) atomic_load(&probe.kind);
    }
    disconnect(&probe);
    if (outcome == OUTCOME_OK) {
        report->status_refused = status_check(broker, report->url, client_id);
    }
    subscribe_search_fini(&probe.search);
    free(probe.answered);
    return outcome;
}

void broker_report_fini(struct broker_report *report)
{
    for (size_t i = 0; i < report->refused_count; i++) {
        free(report->refused[i].filter);
        free(report->refused[i].reason);
    }
    free(report->refused);
    free(report->status_refused);
    *report = (struct broker_report){0};
}
