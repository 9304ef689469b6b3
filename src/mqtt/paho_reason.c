/* SPDX-License-Identifier: MIT */
#include "mqtt/paho_link.h"

/* MQTT 3.1.1, table 3.1 (below 16), MQTT 5.0, section 2.4. */
static const struct reason {
    int code;
    const char *words;
} reasons[] = {
    {0x01, "it does not accept this protocol version"},
    {0x02, "it does not accept this client_id"},
    {0x03, "server unavailable"},
    {0x04, "bad user name or password"},
    {0x05, "not authorized"},
    {0x80, "unspecified error"},
    {0x81, "malformed packet"},
    {0x82, "protocol error"},
    {0x83, "implementation specific error"},
    {0x84, "it does not accept this protocol version"},
    {0x85, "it does not accept this client_id"},
    {0x86, "bad user name or password"},
    {0x87, "not authorized"},
    {0x88, "server unavailable"},
    {0x89, "server busy"},
    {0x8A, "this client is banned"},
    {0x8B, "server shutting down"},
    {0x8C, "bad authentication method"},
    {0x8D, "keep alive timeout"},
    {0x8E, "another client took over the session"},
    {0x8F, "topic filter invalid"},
    {0x90, "topic name invalid"},
    {0x93, "receive maximum exceeded"},
    {0x95, "packet too large"},
    {0x96, "message rate too high"},
    {0x97, "quota exceeded"},
    {0x98, "administrative action"},
    {0x99, "payload format invalid"},
    {0x9A, "retain not supported"},
    {0x9B, "qos not supported"},
    {0x9C, "use another server"},
    {0x9D, "server moved"},
    {0x9E, "shared subscriptions not supported"},
    {0x9F, "connection rate exceeded"},
    {0xA0, "maximum connect time"},
    {0xA1, "subscription identifiers not supported"},
    {0xA2, "wildcard subscriptions not supported"},
};

const char *paho_reason(int code)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].code == code) {
            return reasons[i].words;
        }
    }
    return "reason not known";
}
