/* SPDX-License-Identifier: MIT */
#include "mqtt/broker_options.h"

#include "base/outcome.h"
#include "unit.h"

static const struct {
    const char *url;
    const char *host; /* NULL: refused */
    int port;
    bool tls;
    const char *reason; /* a part of it; of what is taken the path */
} cases[] = {
    {"mqtt://localhost", "localhost", 1883, false, NULL},
    {"mqtt://localhost:1884", "localhost", 1884, false, NULL},
    {"mqtt://localhost:1884/", "localhost", 1884, false, NULL},
    {"mqtts://broker.example.org", "broker.example.org", 8883, true, NULL},
    {"mqtts://10.0.0.1:443", "10.0.0.1", 443, true, NULL},
    {"tcp://h:1", "h", 1, false, NULL},
    {"ssl://h", "h", 8883, true, NULL},
    {"tls://h", "h", 8883, true, NULL},
    {"MQTT://h:65535", "h", 65535, false, NULL},
    {"mqtt://[::1]", "::1", 1883, false, NULL},
    {"mqtts://[fe80::1]:8884", "fe80::1", 8884, true, NULL},
    {"ws://h", "h", 80, false, "/mqtt"},
    {"ws://h/", "h", 80, false, "/mqtt"},
    {"wss://h:8084/a/b?c=d", "h", 8084, true, "/a/b?c=d"},
    {"wss://h", "h", 443, true, "/mqtt"},
    {"ws://[::1]:8083/mqtt", "::1", 8083, false, "/mqtt"},
    {"ws://h/a:b", NULL, 0, false, "colon"},
    {"ws://h:x/mqtt", NULL, 0, false, "port"},
    {"ws:///mqtt", NULL, 0, false, "no host"},
    {"wss://me:secret@h/mqtt", NULL, 0, false, "password"},
    {"http://h", NULL, 0, false, "must begin with mqtt://, mqtts://, ws:// or wss://"},
    {"localhost:1883", NULL, 0, false, "must begin with"},
    {"", NULL, 0, false, "must begin with"},
    {"mqtt:/h", NULL, 0, false, "must begin with"},
    {"mqtt://", NULL, 0, false, "no host"},
    {"mqtt://:1883", NULL, 0, false, "no host"},
    {"mqtt://h:", NULL, 0, false, "host:port"},
    {"mqtt://h:0", NULL, 0, false, "port"},
    {"mqtt://h:65536", NULL, 0, false, "port"},
    {"mqtt://h:99999999999999999999", NULL, 0, false, "port"},
    {"mqtt://h:12x", NULL, 0, false, "port"},
    {"mqtt://::1", NULL, 0, false, "brackets: mqtt://[::1]:1883"},
    {"mqtt://::1:1883", NULL, 0, false, "brackets: mqtt://[::1]:1883"},
    {"mqtt://[::1", NULL, 0, false, "host:port"},
    {"mqtt://[::1]x", NULL, 0, false, "host:port"},
    {"mqtt://h/path", NULL, 0, false, "path"},
    {"mqtt://me:secret@h", NULL, 0, false, "password"},
};

static void test_urls(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%s", cases[i].url);
        struct broker_address address = {0};
        struct error error = {0};
        bool good = broker_address_parse(cases[i].url, &address, &error);
        CHECK_INT_EQ(good, cases[i].host != NULL);
        if (cases[i].host != NULL) {
            CHECK_TEXT_EQ(address.host, cases[i].host);
            CHECK_INT_EQ(address.port, cases[i].port);
            CHECK_INT_EQ(address.tls, cases[i].tls);
            CHECK_TEXT_EQ(address.path, cases[i].reason == NULL ? "" : cases[i].reason);
            CHECK_INT_EQ(address.websocket, cases[i].reason != NULL);
        } else {
            CHECK(strstr(error.text, cases[i].reason) != NULL);
            CHECK(strstr(error.text, "secret") == NULL);
        }
    }
}

UNIT_MAIN("broker_options", {"urls", test_urls})
