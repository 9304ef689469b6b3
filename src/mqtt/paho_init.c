/*
 * Prepares Paho, once a process, before its first use.
 *
 * SPDX-License-Identifier: MIT
 */
#include <MQTTAsync.h>
#include <pthread.h>
#include <stdlib.h>

#include "mqtt/paho_link.h"

static pthread_once_t init_once = PTHREAD_ONCE_INIT;
static MQTTAsync anchor; /* never destroyed: paho_link.h */

static void init(void)
{
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("MQTT_C_CLIENT_TRACE");
    unsetenv("MQTT_C_CLIENT_TRACE_LEVEL");
    unsetenv("MQTT_C_CLIENT_TRACE_MAX_LINES");
    MQTTAsync_init_options options = MQTTAsync_init_options_initializer;
    options.do_openssl_init = 1;
    MQTTAsync_global_init(&options);
    /* By default Paho writes each call of its functions into a trace buffer, under a lock. */
    MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
    MQTTAsync_create(&anchor, "tcp://127.0.0.1:1", "anchor", MQTTCLIENT_PERSISTENCE_NONE, NULL);
}

void paho_init(void)
{
    pthread_once(&init_once, init);
}
