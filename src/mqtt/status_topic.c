/* SPDX-License-Identifier: MIT */
#include "mqtt/status_topic.h"

#include <assert.h>
#include <string.h>

enum {
    AGAIN_MS = 3600000, /* how long a topic is given up before it is tried again */
    /* STATUS_FAILURE_CLOSED in a row before the first attempt without the topic */
    CLOSED_LIMIT = 2,
    PROBE_EVERY = 8, /* failures between two such attempts */
    LOSSES_LIMIT = 3,
};

static const struct {
    int code;
    enum status_failure failure;
} failures[] = {
    {0, STATUS_FAILURE_CLOSED},    {0x05, STATUS_FAILURE_DENIED}, /* not authorized, MQTT 3.1.1 */
    {0x80, STATUS_FAILURE_DENIED},                                /* unspecified error */
    {0x82, STATUS_FAILURE_DENIED},                                /* protocol error */
    {0x83, STATUS_FAILURE_DENIED}, /* implementation specific error */
    {0x87, STATUS_FAILURE_DENIED}, /* not authorized */
    {0x90, STATUS_FAILURE_WILL},   /* topic name invalid: CONNECT has no other topic */
    {0x9A, STATUS_FAILURE_WILL},   /* retain not supported */
    {0x9B, STATUS_FAILURE_WILL},   /* QoS not supported */
};

enum status_failure status_failure_of(int code)
{
    for (unsigned i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        if (failures[i].code == code) {
            return failures[i].failure;
        }
    }
    return STATUS_FAILURE_OTHER;
}

void status_topic_init(struct status_topic *status, bool configured)
{
    *status = (struct status_topic){.state = configured ? STATUS_USED : STATUS_NONE};
}

static void give_up(struct status_topic *status, int64_t now_ms)
{
    assert(status->state == STATUS_USED || status->state == STATUS_WITHOUT);
    *status =
        (struct status_topic){.state = STATUS_GIVEN_UP, .known = true, .given_up_at_ms = now_ms};
}

bool status_topic_wanted(struct status_topic *status, int64_t now_ms)
{
    if (status->state == STATUS_GIVEN_UP && now_ms - status->given_up_at_ms >= AGAIN_MS) {
        status->state = STATUS_USED;
    }
    return status->state == STATUS_USED;
}

bool status_topic_attempt_failed(struct status_topic *status, enum status_failure failure,
                                 int64_t now_ms)
{
    if (failure == STATUS_FAILURE_OTHER) {
        status->losses = 0; /* more likely the network or the broker caused the earlier losses */
    }
    if (status->state == STATUS_WITHOUT) {
        status->state = STATUS_USED; /* the attempt without the topic failed, too */
        return false;
    }
    if (status->state != STATUS_USED) {
        return false;
    }
    if (failure == STATUS_FAILURE_WILL) {
        give_up(status, now_ms);
        return true;
    }
    status->failures = failure == STATUS_FAILURE_OTHER ? 0 : status->failures + 1;
    assert(status->losses <= LOSSES_LIMIT);
    unsigned first = failure == STATUS_FAILURE_CLOSED && !status->known ? CLOSED_LIMIT : 1;
    if (status->failures >= first && (status->failures - first) % PROBE_EVERY == 0) {
        status->state = STATUS_WITHOUT;
        return true;
    }
    return false;
}

bool status_topic_connected(struct status_topic *status, int64_t now_ms)
{
    status->failures = 0;
    if (status->state == STATUS_WITHOUT) {
        give_up(status, now_ms);
        return true;
    }
    return false;
}

/* Is it "not authorized", or a code that only a publication can cause? */
static bool blames_publication(int code)
{
    return code == 0x87 || status_failure_of(code) == STATUS_FAILURE_WILL;
}

bool status_topic_lost(struct status_topic *status, int code, int64_t now_ms)
{
    if (status->state != STATUS_USED) {
        return false;
    }
    status->losses++;
    if (status->losses >= LOSSES_LIMIT || status->known || blames_publication(code)) {
        give_up(status, now_ms);
        return true;
    }
    return false;
}

void status_topic_answered(struct status_topic *status, bool refused, int64_t now_ms)
{
    if (status->state != STATUS_USED) {
        return;
    }
    status->losses = 0;
    status->known = status->known && refused;
    if (refused) {
        give_up(status, now_ms);
    }
}

/* The filter after "$share/GROUP/". */
static const char *without_share(const char *filter)
{
    const char *group = strncmp(filter, "$share/", 7) == 0 ? strchr(filter + 7, '/') : NULL;

    return group == NULL ? filter : group + 1;
}

bool status_topic_asked_for(const char *topic, const struct subscription_set *filters)
{
    size_t level = topic == NULL ? 0 : strcspn(topic, "/");
    bool asked = level == 0;

    for (size_t i = 0; !asked && i < filters->count; i++) {
        const char *filter = without_share(filters->list[i].filter);

        asked |= strcspn(filter, "/") == level && strncmp(filter, topic, level) == 0;
    }
    return asked;
}
