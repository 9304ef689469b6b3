/*
 * receiver_status: publishes on the status topic for the receiver, and updates what /readyz shows
 * about a connection that is up. mqtt/status_topic decides whether the broker allows the topic.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/health.h"
#include "base/log.h"
#include "mqtt/receiver_internal.h"

void receiver_publish_status(struct receiver *receiver, const char *status)
{
    struct publication publication = {.topic = slice_of(broker_of(receiver)->status_topic),
                                      .payload = slice_of(status),
                                      .qos = 1,
                                      .retain = true};
    struct error error = {0};
    assert(receiver->link != NULL && publication.topic.length > 0);
    if (paho_link_publish(receiver->link, &publication, &error) != OUTCOME_OK) {
        log_warn("could not publish the status", F_TEXT("status", status),
                 F_TEXT("reason", error.text));
    }
}

void receiver_tell_health(struct receiver *receiver)
{
    struct buf text = {0};
    if (receiver->refused_count == 0) {
        buf_append_text(&text, url_of(receiver));
    } else {
        buf_printf(&text, "%zu subscription%s refused: %s", receiver->refused_count,
                   receiver->refused_count == 1 ? "" : "s", receiver->refusal);
    }
    if (receiver->status.state == STATUS_GIVEN_UP) {
        buf_printf(&text, " (without status_topic, which the broker does not allow)");
    }
    health_set(HEALTH_BROKER, receiver->refused_count == 0, buf_string(&text));
    buf_fini(&text);
}

void receiver_report_status(struct receiver *receiver)
{
    log_error("broker does not allow the status topic, going on without it: allow it there, or set "
              "status_topic",
              F_TEXT("status_topic", broker_of(receiver)->status_topic));
}

/* Has the broker confirmed or refused "online"? */
static void status_look(struct receiver *receiver, int64_t milliseconds)
{
    if (receiver->status_pending && paho_link_wait(receiver->link, 0, milliseconds) &&
        !paho_link_failed(receiver->link)) { /* if it failed, the end of the connection follows */
        bool refused = paho_link_refusal(receiver->link) != 0;
        receiver->status_pending = false;
        status_topic_answered(&receiver->status, refused, clock_monotonic_ms());
        if (refused) {
            receiver_report_status(receiver);
            receiver_tell_health(receiver);
        }
    }
}

void receiver_status_look(struct receiver *receiver)
{
    status_look(receiver, 0);
}

void receiver_tell_online(struct receiver *receiver, int64_t milliseconds)
{
    if (status_topic_wanted(&receiver->status, clock_monotonic_ms())) {
        assert(!receiver->status_pending); /* "online" is published once a connection */
        receiver_publish_status(receiver, "online");
        receiver->status_pending = true;
        status_look(receiver, milliseconds);
    }
}

bool receiver_status_lost(struct receiver *receiver)
{
    bool given_up = receiver->status_pending &&
                    status_topic_lost(&receiver->status, paho_link_dismissal(receiver->link),
                                      clock_monotonic_ms());
    receiver->status_pending = false;
    if (given_up) {
        receiver_report_status(receiver);
        health_set(HEALTH_BROKER, false, "connection ended because of status_topic");
    }
    return given_up;
}
