/*
 * One attempt to connect: CONNECT, the session, the subscriptions; and the end of a connection.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/health.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "mqtt/broker_kind.h"
#include "mqtt/receiver_internal.h"
#include "mqtt/subscribe.h"

enum {
    CONNECT_MS = 10000,
    STATUS_MS = 2000,  /* for publishing "offline" */
    REMIND_MS = 60000, /* an unchanged reason for not being connected is logged again */
};

/* --- in Paho's receive thread ----------------------------------------------------------------- */

static void on_connected(void *context, struct paho_link *link)
{
    struct receiver *receiver = context;
    struct intake_session session = receiver->expected;
    session.present = paho_link_connack(link)->session_present;
    session.lost = receiver->expected.lost && !session.present;
    session.perhaps_lost = receiver->expected.perhaps_lost && session.present;
    (void) FAULT("mqtt.connack.after");
    receiver->arriving = link;
    intake_connected(receiver->intake, &session);
}

static void on_arrived(void *context, struct message *message)
{
    struct receiver *receiver = context;
    receiver_take(receiver, message);
}

static void on_lost(void *context)
{
    struct receiver *receiver = context;
    pthread_mutex_lock(&receiver->mutex);
    pthread_cond_broadcast(&receiver->cond);
    pthread_mutex_unlock(&receiver->mutex);
}

/* --- in the receiver's thread ----------------------------------------------------------------- */

static void sessions_save(struct receiver *receiver)
{
    struct error error = {0};
    if (session_file_save(&receiver->sessions, &error) != OUTCOME_OK) {
        log_warn("could not write down the broker's session", F_TEXT("reason", error.text));
    }
}

static void set_add_all(struct subscription_set *set, const struct subscription_set *more)
{
    for (size_t i = 0; i < more->count; i++) {
        if (more->list[i].covered_by == NULL &&
            subscription_set_find(set, more->list[i].filter) == NULL) {
            subscription_set_add(set, &more->list[i]);
        }
    }
}

/* MQTT 3.1.1: tells intake all filters of the session when some of them will be unsubscribed. */
static void expect_changes(struct receiver *receiver, const struct session *session)
{
    struct subscription_set *set = &receiver->changing;

    subscription_set_fini(set);
    pthread_mutex_lock(&receiver->mutex);
    bool doubled = session->doubled.count > 0;
    if (!broker_of(receiver)->mqtt5 && (doubled || subscribe_leaves(session, &receiver->wanted))) {
        set_add_all(set, &session->held);
        set_add_all(set, &session->asked);
        receiver->expected.left_between = doubled;
        set_add_all(set, &session->doubled);
        set_add_all(set, &receiver->wanted);
        receiver->expected.changing = set;
    }
    pthread_mutex_unlock(&receiver->mutex);
}

/* The session at the URL in use, whose state was *before. */
static struct session *session_begin(struct receiver *receiver, enum session_state *before)
{
    const char *url = url_of(receiver);
    struct session *session = session_file_find(&receiver->sessions, url);
    struct journal_info info;
    journal_info(receiver->options.journal, &info);

    *before = session->state;
    int64_t seen_us = session->seen_us;
    const char *last_url = receiver->sessions.last_url;
    if (last_url != NULL && strcmp(last_url, url) == 0 && info.last_us > seen_us) {
        seen_us = info.last_us;
    }
    assert(receiver->link == NULL); /* without a link no other thread reads `expected` */
    receiver->expected =
        (struct intake_session){.broker = session_file_number(&receiver->sessions, session),
                                .lost = session->seen_us != 0,
                                .perhaps_lost = *before == SESSION_CONNECTING,
                                .marks_repeats = session->marks_repeats,
                                .last_seen_us = seen_us};
    expect_changes(receiver, session);
    session->state = session->seen_us != 0 ? SESSION_CONNECTING : SESSION_UNKNOWN;
    if (session->state != *before) {
        sessions_save(receiver);
    }
    return session;
}

/* If the broker still has the session: does it hold exactly the subscriptions that the file
 * says? */
static bool is_trusted(enum session_state before)
{
    return before == SESSION_SETTLED || before == SESSION_PARTLY;
}

static int qos_wanted(struct receiver *receiver)
{
    int qos = 0;
    pthread_mutex_lock(&receiver->mutex);
    for (size_t i = 0; i < receiver->wanted.count; i++) {
        int each = receiver->wanted.list[i].qos;
        qos = each > qos ? each : qos;
    }
    pthread_mutex_unlock(&receiver->mutex);
    return qos;
}

/* Logs each limit of the broker that is lower than what was asked for. Its receive maximum is left
 * out: it only bounds how many acknowledgments are under way, and Mosquitto's is always low. */
static void limits_report(struct receiver *receiver, const struct paho_connack *connack)
{
    int qos = qos_wanted(receiver);
    int64_t asked_s = broker_of(receiver)->session_expiry_ms / 1000;
    if (connack->session_expiry_s >= 0 && connack->session_expiry_s < asked_s) {
        log_warn("broker keeps the session shorter than session_expiry", F_INT("asked_s", asked_s),
                 F_INT("granted_s", connack->session_expiry_s));
    }
    if (connack->qos_max < qos) {
        log_warn("broker takes and gives no more than this qos", F_INT("asked", qos),
                 F_INT("granted", connack->qos_max));
    }
    if (connack->packet_bytes_max < broker_of(receiver)->max_packet_bytes) {
        log_warn("broker takes no packets as large as max_packet",
                 F_INT("asked_bytes", broker_of(receiver)->max_packet_bytes),
                 F_INT("granted_bytes", connack->packet_bytes_max));
    }
    if (!connack->retain_available) {
        log_warn("broker retains nothing: the status topic and retained acknowledgments are seen "
                 "only by those who listen at that moment");
    }
    if (broker_of(receiver)->mqtt5 && !connack->identifiers_available) {
        log_error(
            "broker has no subscription identifiers: rules with overlapping topics may store a "
            "message twice; set protocol = \"3.1.1\"");
    }
}

/* Logs which settings of the broker the bridge depends on: once for each kind of broker, and only
 * for a new session: after a restart the line is known. */
static void advise(struct receiver *receiver, const struct paho_connack *connack)
{
    enum broker_kind kind = broker_kind_of(connack, broker_of(receiver)->mqtt5);
    if (!connack->session_present && (receiver->advised & 1U << kind) == 0) {
        receiver->advised |= 1U << kind;
        log_info("the broker keeps messages for a bridge that is slow or away only within its own "
                 "limits, and drops the rest: raise them",
                 F_TEXT("broker", broker_kind_name(kind)), F_TEXT("set", broker_kind_advice(kind)));
    }
}

/* Copies the wanted subscriptions, so that nothing is locked while the broker answers. With MQTT
 * 3.1.1 they have at most QoS 1 (receiver.h). After a reload the search for forbidden filters
 * begins anew, also when the reload came while there was no connection. */
static void wanted_take(struct receiver *receiver, struct subscription_set *wanted)
{
    pthread_mutex_lock(&receiver->mutex);
    for (size_t i = 0; i < receiver->wanted.count; i++) {
        struct subscription *added = subscription_set_add(wanted, &receiver->wanted.list[i]);
        if (!broker_of(receiver)->mqtt5 && added->qos > 1) {
            added->qos = 1;
        }
    }
    if (receiver->changed) {
        subscribe_search_forget(&receiver->search);
    }
    receiver->changed = false;
    pthread_mutex_unlock(&receiver->mutex);
}

/* `trusted`: the broker's session holds exactly session->held. */
static enum outcome subscribe_wanted(struct receiver *receiver, struct session *session,
                                     bool connecting, bool trusted, struct error *error)
{
    struct subscription_set wanted = {0};
    struct subscribe_result result;
    const struct subscribe_job job = {.link = receiver->link,
                                      .session = session,
                                      .wanted = &wanted,
                                      .search = &receiver->search,
                                      .cut = &receiver->refused,
                                      .cancelled = &receiver->stopping,
                                      .since_ms = receiver->since_ms,
                                      .connecting = connecting,
                                      .trusted = trusted};
    wanted_take(receiver, &wanted);
    bool queue = connecting && receiver->expected.changing != NULL &&
                 paho_link_connack(receiver->link)->session_present;
    bool copies = !broker_of(receiver)->mqtt5 && (queue || subscribe_hands_over(session, &wanted));
    if (copies) {
        set_add_all(&session->doubled, queue ? &receiver->changing : &session->held);
        set_add_all(&session->doubled, &wanted);
        intake_handover_begin(receiver->intake, &session->doubled);
    }
    if (session_ask(session, &wanted) || copies) {
        sessions_save(receiver);
    }
    enum outcome outcome = subscribe_all(&job, &result, error);
    receiver->searching = result.ended;
    if (copies) {
        intake_handover_end(receiver->intake);
    }
    if (outcome == OUTCOME_OK) {
        session->state = session->asked.count == 0 ? SESSION_SETTLED : SESSION_PARTLY;
        session->seen_us = clock_wall_us();
        sessions_save(receiver);
        receiver->refused_count = result.refused;
        snprintf(receiver->refusal, sizeof(receiver->refusal), "%s", result.refusal);
        receiver_tell_health(receiver);
        log_info("subscribed", F_INT("subscriptions", session->held.count),
                 F_INT("new", result.subscribed), F_INT("removed", result.unsubscribed),
                 F_INT("refused", result.refused));
    }
    if (result.ended && trusted) {
        session->state = SESSION_PARTLY;
    }
    subscription_set_fini(&wanted);
    return outcome;
}

/* After CONNACK: reports a lost session, then makes the wanted subscriptions. */
static enum outcome settle(struct receiver *receiver, struct session *session, bool trusted,
                           struct error *error)
{
    const struct paho_connack *connack = paho_link_connack(receiver->link);
    const char *url = url_of(receiver);
    if (!connack->session_present) {
        session_forget(session);
        session->marks_repeats = false;
        if (receiver->expected.lost) {
            log_warn("broker session lost: what was published since then never came",
                     F_TEXT("url", url));
        }
    }
    /* Logged each time, so that the last line tells whether the bridge is connected. Attempts are
     * never closer than the back-off. */
    log_info_each("connected to broker", F_TEXT("url", url),
                  F_TEXT("session", connack->session_present ? "resumed" : "new"));
    limits_report(receiver, connack);
    advise(receiver, connack);
    if (receiver->sessions.last_url == NULL || strcmp(receiver->sessions.last_url, url) != 0) {
        free(receiver->sessions.last_url);
        receiver->sessions.last_url = memory_strdup(url);
    }
    session->seen_us = clock_wall_us();
    if (session->state == SESSION_CONNECTING) {
        session->state = SESSION_UNKNOWN;
        sessions_save(receiver);
    }
    bool holds = connack->session_present ? trusted : true; /* a new session holds nothing */
    return subscribe_wanted(receiver, session, true, holds, error);
}

void receiver_session_look(struct receiver *receiver)
{
    struct session *session = session_file_find(&receiver->sessions, url_of(receiver));
    if (!session->marks_repeats && intake_marks_repeats(receiver->intake)) {
        session->marks_repeats = true;
        sessions_save(receiver);
    }
    if (session->doubled.count > 0 &&
        (broker_of(receiver)->mqtt5 || !intake_sees_copies(receiver->intake))) {
        subscription_set_fini(&session->doubled);
        sessions_save(receiver);
    }
}

bool receiver_search_due(struct receiver *receiver)
{
    return subscribe_search_due(&receiver->search, clock_monotonic_ms());
}

enum outcome receiver_resubscribe(struct receiver *receiver, struct error *error)
{
    struct session *session = session_file_find(&receiver->sessions, url_of(receiver));
    return subscribe_wanted(receiver, session, false, true, error);
}

/* Notes when the session was last known to be alive. Paho may have taken three keepalives to notice
 * that a connection is dead: a later gap must begin before that. */
static void session_seen(const struct receiver *receiver, struct session *session, bool up)
{
    int64_t now_us = clock_wall_us();
    int64_t alive_us = now_us - (up ? 0 : receiver->keepalive_s * INT64_C(3000000));
    if (alive_us > session->seen_us) {
        session->seen_us = alive_us;
    }
}

void receiver_end_link(struct receiver *receiver, int64_t milliseconds)
{
    if (receiver->link == NULL) {
        return;
    }
    const char *url = url_of(receiver);
    bool up = paho_link_up(receiver->link);
    metric_set(METRIC_BROKER_CONNECTED, 0);
    broker_place_left(receiver->options.place);
    if (up) {
        int64_t status_ms = milliseconds / 2 < STATUS_MS ? milliseconds / 2 : STATUS_MS;
        if (receiver->status.state == STATUS_USED) {
            receiver_publish_status(receiver, "offline");
            (void) paho_link_wait(receiver->link, 0, status_ms);
        }
        paho_link_disconnect(receiver->link, milliseconds - status_ms);
    }
    paho_link_close(receiver->link);
    receiver->link = NULL;
    session_seen(receiver, session_file_find(&receiver->sessions, url), up);
    sessions_save(receiver);
}

/* One log call for each kind of refusal, because the log suppresses an event that repeats soon. */
static void log_refusal(const struct receiver *receiver, enum paho_refusal refusal,
                        const char *reason)
{
    const char *url = url_of(receiver);
    switch (refusal) {
    case PAHO_DENIED:
        log_error("broker refuses the connection", F_TEXT("url", url), F_TEXT("reason", reason));
        break;
    case PAHO_NO_ANSWER:
        log_warn("broker does not answer", F_TEXT("url", url), F_TEXT("reason", reason));
        break;
    case PAHO_UNREACHABLE:
        log_warn("broker can't be reached", F_TEXT("url", url), F_TEXT("reason", reason));
        break;
    }
}

void receiver_report(struct receiver *receiver, enum paho_refusal refusal,
                     const struct error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    health_set(HEALTH_BROKER, false, error->text);
    if (strcmp(receiver->last_reason, error->text) != 0 ||
        now_ms - receiver->last_reason_ms >= REMIND_MS) {
        snprintf(receiver->last_reason, sizeof(receiver->last_reason), "%s", error->text);
        receiver->last_reason_ms = now_ms;
        log_refusal(receiver, refusal, error->text);
    }
}

/* The attempt to connect has failed. */
static enum attempt attempt_failed(struct receiver *receiver, struct session *session,
                                   enum session_state before, const struct paho_failure *failure)
{
    assert(receiver->link == NULL);
    subscribe_search_disturbed(&receiver->search);
    /* Without an answer, CONNECT may have made a new session. */
    bool reached = failure->refusal == PAHO_NO_ANSWER && before != SESSION_CONNECTING;
    enum session_state after = reached ? SESSION_UNKNOWN : before;
    if (session->state != after) {
        session->state = after;
        sessions_save(receiver);
    }
    if (ending(receiver)) {
        return ATTEMPT_UNREACHABLE;
    }
    enum status_failure kind = failure->code != 0 || failure->closed
                                   ? status_failure_of(failure->code)
                                   : STATUS_FAILURE_OTHER;
    if (status_topic_attempt_failed(&receiver->status, kind, clock_monotonic_ms())) {
        if (receiver->status.state == STATUS_GIVEN_UP) {
            receiver_report(receiver, failure->refusal, &failure->error);
            receiver_report_status(receiver);
        }
        return ATTEMPT_AGAIN;
    }
    receiver_report(receiver, failure->refusal, &failure->error);
    return failure->refusal == PAHO_DENIED ? ATTEMPT_DENIED : ATTEMPT_UNREACHABLE;
}

/* After CONNACK. */
static enum attempt attempt_succeeded(struct receiver *receiver, struct session *session,
                                      enum session_state before)
{
    struct error error = {0};
    assert(receiver->link != NULL);
    receiver->since_ms = clock_monotonic_ms();
    receiver->status_pending = false;
    if (status_topic_connected(&receiver->status, receiver->since_ms)) {
        receiver_report_status(receiver);
    }
    int keepalive_s = paho_link_connack(receiver->link)->keepalive_s;
    bool learned = keepalive_s > 0 && keepalive_s < receiver->keepalive_s;
    if (settle(receiver, session, is_trusted(before), &error) != OUTCOME_OK) {
        if (!atomic_load(&receiver->refused)) { /* by ourselves, and said already */
            receiver_report(receiver, PAHO_NO_ANSWER, &error);
        }
        receiver_end_link(receiver, 0);
        return receiver->searching ? ATTEMPT_SEARCHING : ATTEMPT_UNREACHABLE;
    }
    if (learned) { /* Paho does not read this value from CONNACK */
        log_info("broker asks for a shorter keepalive", F_INT("keepalive_s", keepalive_s));
        receiver->keepalive_s = keepalive_s;
        receiver_end_link(receiver, STATUS_MS);
        return ATTEMPT_AGAIN;
    }
    return ATTEMPT_ONLINE;
}

enum attempt receiver_attempt(struct receiver *receiver)
{
    const struct broker_options *broker = broker_of(receiver);
    struct error error = {0};
    struct broker_address address;
    if (!broker_address_parse(broker->urls[receiver->url], &address, &error)) {
        receiver_report(receiver, PAHO_DENIED, &error);
        return ATTEMPT_DENIED;
    }
    enum session_state before;
    struct session *session = session_begin(receiver, &before);
    struct paho_link_options options = {
        .broker = broker,
        .client_id = broker->client_id,
        .status = status_topic_wanted(&receiver->status, clock_monotonic_ms()),
        .keepalive_s = receiver->keepalive_s,
        .window = 10,
        .cancelled = &receiver->stopping,
        .answers_end_ms = &receiver->answers_end_ms,
        .context = receiver,
        .connected = on_connected,
        .arrived = on_arrived,
        .lost = on_lost,
    };
    struct paho_failure failure;
    return paho_link_open(&receiver->link, &options, &address, CONNECT_MS, &failure) == OUTCOME_OK
               ? attempt_succeeded(receiver, session, before)
               : attempt_failed(receiver, session, before, &failure);
}
