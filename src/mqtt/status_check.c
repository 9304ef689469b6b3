/* SPDX-License-Identifier: MIT */
#include "mqtt/status_check.h"

#include <assert.h>

#include "base/memory.h"
#include "mqtt/paho_link.h"

enum { CONNECT_MS = 10000, CONFIRM_MS = 5000, END_MS = 200 };

/* Publishes on a connection that is up. NULL: the broker took the publication; else the reason. */
static char *try_publication(struct paho_link *link, const char *topic)
{
    const struct publication publication = {
        .topic = slice_of(topic), .payload = slice_of("check"), .qos = 1};
    struct error error = {0};
    enum outcome outcome = paho_link_publish(link, &publication, &error);
    if (outcome == OUTCOME_REJECT) {
        return memory_printf("publication: %s", error.text);
    }
    bool confirmed =
        outcome == OUTCOME_OK && paho_link_wait(link, 0, CONFIRM_MS) && !paho_link_failed(link);
    if (!confirmed) { /* the end of the connection may come after the failure */
        (void) paho_link_wait(link, -1, END_MS);
    }
    int refusal = paho_link_refusal(link);
    int dismissal = confirmed ? 0 : paho_link_dismissal(link);
    if (refusal != 0) {
        return memory_printf("publication: %s", paho_reason(refusal));
    }
    if (confirmed) {
        return NULL;
    }
    return paho_link_up(link) ? memory_strdup("publication: no answer")
                              : memory_printf("publication: it ends the connection%s%s",
                                              dismissal != 0 ? ": " : "",
                                              dismissal != 0 ? paho_reason(dismissal) : "");
}

char *status_check(const struct broker_options *broker, const char *url, const char *client_id)
{
    const struct paho_link_options options = {
        .broker = broker,
        .client_id = client_id,
        .clean = true,
        .status = true,
        .keepalive_s = (int) (broker->keepalive_ms / 1000),
        .window = 1,
    };
    struct broker_address address;
    struct paho_failure failure;
    struct paho_link *link = NULL;
    struct error error = {0};
    char *refused = NULL;
    if (broker->status_topic[0] == '\0') {
        return NULL;
    }
    bool parsed = broker_address_parse(url, &address, &error);
    assert(parsed); /* the URL was connected to, so it can be parsed */
    if (!parsed) {
        return NULL;
    }
    if (paho_link_open(&link, &options, &address, CONNECT_MS, &failure) != OUTCOME_OK) {
        return memory_printf("last will: %s", failure.error.text);
    }
    refused = try_publication(link, broker->status_topic);
    paho_link_disconnect(link, 1000);
    paho_link_close(link);
    return refused;
}
