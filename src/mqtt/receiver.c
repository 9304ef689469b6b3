/*
 * The receiver's thread:
 *
 *   ┌─▶ wait while the journal is crowded
 *   │      ▼
 *   │   connect, by the next URL ──refused, unreachable──▶ back off ─▶ (again)
 *   │      ▼
 *   │   subscribe, publish "online"
 *   │      ▼
 *   │   stay, until the connection is lost, the journal is crowded or the process stops
 *   │      ▼
 *   └── publish "offline", write the session down
 *
 * The code of one attempt and of one connection is in receiver_connect.c. Paho's receive thread
 * runs its callbacks, and through them everything in intake.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mqtt/receiver.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/stop.h"
#include "base/thread.h"
#include "mqtt/receiver_internal.h"

enum {
    STABLE_MS = 10000, /* a connection that lived this long counts as a success */
    STABLE_TAKEOVER_MS = 600000,
    STATUS_MS = 2000, /* for publishing "online" or "offline" */
    FLAPPING = 3,     /* short connections in a row */
    LOOK_MS = 200,    /* how often the receiver asks whether the journal is crowded */
    /* The longest wait for room in the callbacks of a connection. Callbacks hold Paho's threads,
     * which also publish acknowledgments: the journal may be full because the outbox is. */
    CALLBACK_MS = 250,
    /* How long a stop waits for the answers to SUBSCRIBE and UNSUBSCRIBE. A session with both the
     * old and the new subscriptions would collect two copies of each message until the next
     * start. */
    ANSWERS_MS = 1000,
};

/*
 * The size of the redelivery memory: as many as there are packet ids. With MQTT 3.1.1 a broker does
 * not tell its window, and with MQTT 5 Mosquitto 2.0.11 does not keep to the receive maximum: at
 * each reconnect it adds new messages to those that it repeats (2,558 open at a receive maximum of
 * 1,000, after a few kill -9).
 */
enum { WINDOW = 65535 };

/* In Paho's receive thread. */
static void on_cut(void *context)
{
    struct receiver *receiver = context;
    atomic_store(&receiver->refused, true);
    if (receiver->arriving != NULL) {
        paho_link_cut(receiver->arriving);
    }
}

/* --- in the receiver's thread ----------------------------------------------------------------- */

/* Sleeps, unless the receiver is to stop. */
static void rest(struct receiver *receiver, int64_t milliseconds)
{
    int64_t end_ms = clock_monotonic_ms() + milliseconds;
    pthread_mutex_lock(&receiver->mutex);
    int64_t left_ms = milliseconds;
    while (!ending(receiver) && left_ms > 0) {
        thread_cond_wait(&receiver->cond, &receiver->mutex, left_ms);
        left_ms = end_ms - clock_monotonic_ms();
    }
    pthread_mutex_unlock(&receiver->mutex);
}

/* Tries the URLs in turn, beginning with the one that was used last. */
static enum attempt attempt_each(struct receiver *receiver)
{
    size_t count = broker_of(receiver)->url_count;
    assert(receiver->link == NULL && receiver->url < count);
    enum attempt worst = ATTEMPT_DENIED;
    for (size_t i = 0; i < count && !ending(receiver); i++) {
        enum attempt result = receiver_attempt(receiver);
        if (result == ATTEMPT_ONLINE || result == ATTEMPT_AGAIN || result == ATTEMPT_SEARCHING) {
            return result;
        }
        receiver->short_lives = 0;
        worst = result == ATTEMPT_UNREACHABLE ? ATTEMPT_UNREACHABLE : worst;
        assert(receiver->link == NULL);
        receiver->url = (receiver->url + 1) % count;
    }
    return worst;
}

static bool changed(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->mutex);
    bool is_changed = receiver->changed;
    pthread_mutex_unlock(&receiver->mutex);
    return is_changed;
}

/* Stays connected until the connection is lost, the journal is crowded or the receiver stops. */
static void stay(struct receiver *receiver)
{
    assert(receiver->link != NULL);
    metric_set(METRIC_BROKER_URL, (int64_t) receiver->url);
    metric_set(METRIC_BROKER_CONNECTED, 1);
    broker_place_connected(receiver->options.place, receiver->url);
    metric_add(METRIC_BROKER_RECONNECTS, receiver->connected_before);
    receiver->connected_before = true;
    receiver->last_reason[0] = '\0';
    receiver_tell_online(receiver, STATUS_MS);

    while (!ending(receiver) && paho_link_up(receiver->link) &&
           !journal_crowded(receiver->options.journal)) {
        struct error error = {0};
        bool due = receiver_search_due(receiver) || changed(receiver);
        if (due && receiver_resubscribe(receiver, &error) != OUTCOME_OK) {
            receiver_report(receiver, PAHO_NO_ANSWER, &error);
            break;
        }
        receiver_status_look(receiver);
        receiver_session_look(receiver);
        pthread_mutex_lock(&receiver->mutex);
        if (!receiver->changed && !ending(receiver)) {
            thread_cond_wait(&receiver->cond, &receiver->mutex, LOOK_MS);
        }
        pthread_mutex_unlock(&receiver->mutex);
    }
}

/*
 * When another client takes a session over, brokers of MQTT 3.1.1, and Mosquitto 2.0 with MQTT 5
 * too, close the old connection without giving a reason. The signs are several short connections
 * in a row, each made at the first attempt. (A restarting broker refuses some attempts, which
 * resets the count.)
 */
static bool is_flapping(struct receiver *receiver, int64_t lived_ms)
{
    receiver->short_lives = lived_ms < STABLE_MS ? receiver->short_lives + 1 : 0;
    return receiver->short_lives >= FLAPPING;
}

/* After a connection that was not ended by us: how long to wait. */
static int64_t after_loss(struct receiver *receiver, enum paho_loss loss)
{
    assert(receiver->link != NULL && !paho_link_up(receiver->link));
    if (!receiver->searching) {
        subscribe_search_disturbed(&receiver->search);
    }
    int64_t lived_ms = clock_monotonic_ms() - receiver->since_ms;
    if (lived_ms >= STABLE_TAKEOVER_MS) {
        backoff_reset(&receiver->takeover);
    }
    if (lived_ms >= STABLE_MS) {
        backoff_reset(&receiver->denied);
    }
    const char *client_id = broker_of(receiver)->client_id;
    int64_t wait_ms;
    if (atomic_load(&receiver->refused)) { /* we cut the connection, which was reported already */
        health_set_paused(HEALTH_BROKER, "disconnected while the journal is full");
        return LOOK_MS;
    }
    if (receiver_status_lost(receiver)) { /* reported already */
        return LOOK_MS;
    }
    if (loss == PAHO_TAKEN_OVER) {
        wait_ms = backoff_next(&receiver->takeover);
        health_set(HEALTH_BROKER, false, "another client uses the same client_id");
        log_error(
            "another client took over the broker session: is a second bridge running with the "
            "same client_id?",
            F_TEXT("client_id", client_id), F_INT("retry_ms", wait_ms));
    } else if (!receiver->searching && is_flapping(receiver, lived_ms)) {
        wait_ms = backoff_next(&receiver->denied);
        health_set(HEALTH_BROKER, false,
                   "connection lost again and again (another client with the same client_id?)");
        log_error("broker connection is lost soon after connecting, again and again: is a second "
                  "bridge running with the same client_id?",
                  F_TEXT("client_id", client_id), F_INT("retry_ms", wait_ms));
    } else {
        backoff_reset(&receiver->backoff);
        wait_ms = backoff_next(&receiver->backoff);
        health_set(HEALTH_BROKER, false, "connection lost");
        log_warn_each("broker connection lost", F_TEXT("url", url_of(receiver)),
                      F_INT("retry_ms", wait_ms));
    }
    return wait_ms;
}

/* A full disk and a full journal need different remedies. */
static void say_why_crowded(struct journal *journal)
{
    struct journal_info info;

    journal_info(journal, &info);
    if (info.gone) { /* the journal has logged it */
        health_set(HEALTH_JOURNAL, false, HEALTH_JOURNAL_DELETED);
    } else if (info.disk_full) {
        log_warn_state(
            "journal",
            "the journal's disk is full: make room on it; the broker keeps the messages until "
            "then");
        health_set(HEALTH_JOURNAL, false, "its disk is full: make room on it");
    } else {
        log_warn_state(
            "journal", "journal is nearly full, the broker keeps the messages until there is room",
            F_INT("waiting", (int64_t) info.waiting), F_INT("max_bytes", info.max_bytes));
        health_set(HEALTH_JOURNAL, false, "journal.max_size is nearly reached");
    }
}

/* Stays disconnected while the journal is crowded: the broker keeps the messages. */
static void pause_while_crowded(struct receiver *receiver)
{
    if (!journal_crowded(receiver->options.journal)) {
        return;
    }
    say_why_crowded(receiver->options.journal);
    health_set_paused(HEALTH_BROKER, "disconnected while the journal is full");
    while (!ending(receiver) && journal_crowded(receiver->options.journal)) {
        rest(receiver, LOOK_MS);
    }
    if (!ending(receiver)) {
        log_info_state("journal", "journal has room again");
        health_set(HEALTH_JOURNAL, true, "has room");
    }
}

static void *receiver_main(void *context)
{
    struct receiver *receiver = context;
    health_set(HEALTH_JOURNAL, true, "has room");
    health_set(HEALTH_BROKER, false, "connecting");
    while (!ending(receiver)) {
        pause_while_crowded(receiver);
        if (ending(receiver)) {
            break;
        }
        if (stop_requested()) { /* the journal may have failed: take no more messages */
            rest(receiver, LOOK_MS);
            continue;
        }
        atomic_store(&receiver->refused, false);
        enum attempt result = attempt_each(receiver);
        if (result == ATTEMPT_ONLINE) {
            stay(receiver);
            if (ending(receiver)) {
                break;
            }
            bool up = paho_link_up(receiver->link);
            int64_t wait_ms = up ? 0 : after_loss(receiver, paho_link_loss(receiver->link));
            receiver_end_link(receiver, STATUS_MS);
            rest(receiver, wait_ms);
        } else if (atomic_load(&receiver->refused) || result == ATTEMPT_SEARCHING) {
            rest(receiver, LOOK_MS);
        } else if (result == ATTEMPT_UNREACHABLE) {
            rest(receiver, backoff_next(&receiver->backoff));
        } else if (result == ATTEMPT_DENIED) {
            rest(receiver, backoff_next(&receiver->denied));
        }
    }
    int64_t left_ms = receiver->stop_end_ms - clock_monotonic_ms();
    receiver_end_link(receiver, left_ms > 0 ? left_ms : 0);
    return NULL;
}

/* --- from outside ----------------------------------------------------------------------------- */

static void wanted_set(struct receiver *receiver, const struct subscription_set *subscriptions)
{
    bool qos_2 = false;
    subscription_set_fini(&receiver->wanted);
    for (size_t i = 0; i < subscriptions->count; i++) {
        subscription_set_add(&receiver->wanted, &subscriptions->list[i]);
        qos_2 = qos_2 || subscriptions->list[i].qos == 2;
    }
    atomic_store(&receiver->status_asked_for,
                 status_topic_asked_for(broker_of(receiver)->status_topic, &receiver->wanted));
    if (qos_2 && !broker_of(receiver)->mqtt5) {
        log_warn(
            "qos 2 is subscribed as qos 1: with MQTT 3.1.1 a crash could lose a qos 2 message; "
            "use protocol = \"5\" for qos 2");
    }
}

/* The index of the broker that was connected last: most likely the newest messages of the journal
 * came from it. */
static size_t last_url_index(const struct receiver *receiver)
{
    const struct broker_options *broker = broker_of(receiver);
    for (size_t i = 0; receiver->sessions.last_url != NULL && i < broker->url_count; i++) {
        if (strcmp(broker->urls[i], receiver->sessions.last_url) == 0) {
            return i;
        }
    }
    return 0;
}

uint64_t receiver_tail(const struct broker_options *broker)
{
    (void) broker; /* today the answer is the same for all brokers */
    return intake_tail(WINDOW);
}

struct receiver *receiver_start(const struct receiver_options *options)
{
    const struct broker_options *broker = options->broker;
    assert(broker->url_count > 0 && options->journal != NULL && options->place != NULL);
    struct receiver *receiver = memory_alloc(sizeof(*receiver));
    receiver->options = *options;
    pthread_mutex_init(&receiver->mutex, NULL);
    thread_cond_init(&receiver->cond);
    backoff_init(&receiver->backoff, 500, 30000);
    backoff_init(&receiver->denied, 5000, 60000);
    backoff_init(&receiver->takeover, 5000, 300000);
    int64_t keepalive_s = broker->keepalive_ms / 1000;
    receiver->keepalive_s = keepalive_s < 1 ? 1 : keepalive_s > 65535 ? 65535 : (int) keepalive_s;
    status_topic_init(&receiver->status,
                      broker->status_topic != NULL && broker->status_topic[0] != '\0');
    wanted_set(receiver, options->subscriptions);
    session_file_init(&receiver->sessions, options->directory, broker->client_id);
    receiver->url = last_url_index(receiver);
    metric_set(METRIC_BROKER_URL, (int64_t) receiver->url);
    atomic_store(&options->place->url, receiver->url);

    int64_t half_ms = receiver->keepalive_s * INT64_C(500);
    receiver->intake = intake_new(
        &(struct intake_options){
            .journal = options->journal,
            .window = WINDOW,
            .max_packet_bytes = broker->max_packet_bytes,
            .wait_ms = half_ms < CALLBACK_MS ? half_ms : CALLBACK_MS,
            .mqtt5 = broker->mqtt5,
            .cut = on_cut,
            .context = receiver,
        },
        session_file_number(&receiver->sessions,
                            session_file_find(&receiver->sessions, url_of(receiver))));
    receiver->thread = thread_spawn("receiver", receiver_main, receiver);
    return receiver;
}

void receiver_subscribe(struct receiver *receiver, const struct subscription_set *subscriptions)
{
    pthread_mutex_lock(&receiver->mutex);
    wanted_set(receiver, subscriptions);
    receiver->changed = true;
    pthread_cond_broadcast(&receiver->cond);
    pthread_mutex_unlock(&receiver->mutex);
}

void receiver_stop(struct receiver *receiver, int64_t milliseconds)
{
    if (receiver == NULL) {
        return;
    }
    pthread_mutex_lock(&receiver->mutex);
    int64_t now_ms = clock_monotonic_ms();
    receiver->stop_end_ms = now_ms + milliseconds;
    atomic_store(&receiver->answers_end_ms,
                 now_ms + (milliseconds / 2 < ANSWERS_MS ? milliseconds / 2 : ANSWERS_MS));
    atomic_store(&receiver->stopping, true);
    intake_stop(receiver->intake);
    pthread_cond_broadcast(&receiver->cond);
    pthread_mutex_unlock(&receiver->mutex);
    pthread_join(receiver->thread, NULL);
    assert(receiver->link == NULL);
    intake_free(receiver->intake);
    subscribe_search_fini(&receiver->search);
    session_file_fini(&receiver->sessions);
    subscription_set_fini(&receiver->wanted);
    subscription_set_fini(&receiver->changing);
    pthread_cond_destroy(&receiver->cond);
    pthread_mutex_destroy(&receiver->mutex);
    free(receiver);
}
