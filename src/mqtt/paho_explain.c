/*
 * paho_explain: says in words for a person why a connection failed. Uses the code of CONNACK;
 * without CONNACK it tries a connection of its own to the address.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "mqtt/paho_internal.h"
#include "mqtt/tls_probe.h"

/* How long a probe of an address may take. */
enum { PROBE_MS = 1000, TLS_PROBE_MS = 3000 };

static const char protocol_hint[] = "; if it does not know MQTT 5, set protocol = \"3.1.1\"";

/* CONNACK had a code. */
static enum outcome explain_code(const struct paho_link *link, struct paho_failure *failure)
{
    int code = link->connect_code;
    assert(code > 0);
    bool later = code == 3 || code == MQTTREASONCODE_SERVER_UNAVAILABLE ||
                 code == MQTTREASONCODE_SERVER_BUSY || code == MQTTREASONCODE_QUOTA_EXCEEDED ||
                 code == MQTTREASONCODE_CONNECTION_RATE_EXCEEDED;
    bool version = code == 1 || code == MQTTREASONCODE_UNSUPPORTED_PROTOCOL_VERSION;
    bool denied = code == 5 || code == MQTTREASONCODE_NOT_AUTHORIZED;
    const char *remedy = "";
    if (version && link->options.broker->mqtt5) {
        remedy = ": set protocol = \"3.1.1\"";
    } else if (denied) {
        remedy = " (user name and password right?)";
    }
    failure->code = code;
    failure->reached = true;
    failure->refusal = later ? PAHO_UNREACHABLE : PAHO_DENIED;
    return error_set(&failure->error, OUTCOME_RETRY, "broker refused the connection: %s%s",
                     paho_reason(code), remedy);
}

/* TCP works, and CONNECT had no answer: finds out whether the broker speaks TLS there. */
static enum outcome explain_silence(const struct paho_link *link,
                                    const struct broker_address *address,
                                    struct paho_failure *failure)
{
    if (!address->tls && tls_is_spoken(link->numeric, address->port, PROBE_MS)) {
        failure->refusal = PAHO_DENIED;
        return error_set(&failure->error, OUTCOME_RETRY,
                         "what answers at %s port %d is TLS: use %s://, or the port without TLS",
                         link->numeric, address->port, address->websocket ? "wss" : "mqtts");
    }
    if (!link->answered) {
        return error_set(&failure->error, OUTCOME_RETRY,
                         "broker at %s port %d did not answer CONNECT", link->numeric,
                         address->port);
    }
    failure->closed = true;
    return error_set(&failure->error, OUTCOME_RETRY,
                     "broker at %s port %d closed the connection without an answer: is that its "
                     "port for %s%s?%s",
                     link->numeric, address->port, address->websocket ? "WebSocket" : "MQTT",
                     address->tls ? " with TLS" : "",
                     link->options.broker->mqtt5 ? protocol_hint : "");
}

enum outcome paho_explain(const struct paho_link *link, const struct broker_address *address,
                          struct paho_failure *failure)
{
    struct error *error = &failure->error;
    assert(!link->accepted && link->handle == NULL);
    *failure = (struct paho_failure){.refusal = PAHO_UNREACHABLE};
    if (link->connect_code > 0) {
        return explain_code(link, failure);
    }
    /* Paho's words for a connection that did not get as far as CONNECT (MQTTAsyncUtils.c,
     * MQTTAsync_connecting). */
    bool sent = strcmp(link->connect_message, "TCP/TLS connect failure") != 0;
    failure->refusal = sent ? PAHO_NO_ANSWER : PAHO_UNREACHABLE;
    if (paho_probe(link->numeric, address->port, PROBE_MS, error) != OUTCOME_OK) {
        return error->outcome;
    }
    failure->reached = true;
    if (address->tls) {
        enum outcome outcome =
            tls_probe(link->options.broker, address, link->numeric, TLS_PROBE_MS, error);
        if (outcome == OUTCOME_OK && link->tls_error[0] != '\0') {
            outcome = error_set(error, OUTCOME_REJECT, "TLS: %s", link->tls_error);
        }
        if (outcome != OUTCOME_OK) {
            failure->refusal = outcome == OUTCOME_REJECT ? PAHO_DENIED : failure->refusal;
            error->outcome = OUTCOME_RETRY;
            return OUTCOME_RETRY;
        }
    }
    return explain_silence(link, address, failure);
}
